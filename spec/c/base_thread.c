/* Threads, mutexes and conditions as the floors above rely on them. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "check.h"

#include <sched.h>
#include <signal.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/thread.h"

static void set_flag (void *ud) { *(int *)ud = 42; }

static void test_a_thread_runs_and_is_joined (void) {
  Thread t;
  int flag = 0;
  REQUIRE(lc_thread_start(&t, set_flag, &flag, 0) == 0);
  lc_thread_join(&t);
  CHECK_INT(flag, 42);
}

static void test_a_stack_of_a_given_size (void) {
  Thread t;
  int flag = 0;
  REQUIRE(lc_thread_start(&t, set_flag, &flag, 256 * 1024) == 0);
  lc_thread_join(&t);
  CHECK_INT(flag, 42);
}

static void test_an_impossible_stack_is_an_errno (void) {
  Thread t;
  int flag = 0;
  CHECK(lc_thread_start(&t, set_flag, &flag, (size_t)1 << 60) != 0);
  CHECK_INT(flag, 0);
}

static void read_mask (void *ud) {
  pthread_sigmask(SIG_BLOCK, NULL, (sigset_t *)ud);
}

static void test_signals_belong_to_the_host (void) {
  Thread t;
  sigset_t before, inside, after;
  sigemptyset(&inside);
  pthread_sigmask(SIG_BLOCK, NULL, &before);
  REQUIRE(lc_thread_start(&t, read_mask, &inside, 0) == 0);
  lc_thread_join(&t);
  pthread_sigmask(SIG_BLOCK, NULL, &after);
  CHECK(sigismember(&inside, SIGINT));
  CHECK(sigismember(&inside, SIGALRM));
  CHECK(!sigismember(&inside, SIGSEGV));
  CHECK_INT(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
}

static void spread (void *ud) {
  size_t n;
  for (n = 0; n < 70; n++) lc_thread_spread(n);
  lc_thread_spread((size_t)-1);
  sched_getaffinity(0, sizeof(cpu_set_t), (cpu_set_t *)ud);
}

static void test_a_thread_that_is_spread_is_not_bound (void) {
  Thread t;
  cpu_set_t before, after;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  REQUIRE(lc_thread_start(&t, spread, &after, 0) == 0);
  lc_thread_join(&t);
  CHECK(CPU_EQUAL(&before, &after));
}

static void test_a_set_of_processors (void) {
  static CpuSet s;
  CHECK_INT(lc_cpus_add(&s, 0) + lc_cpus_add(&s, 63) + lc_cpus_add(&s, 64), 3);
  CHECK_INT(lc_cpus_add(&s, LC_CPUS_MOST - 1), 1);
  CHECK_INT(lc_cpus_add(&s, 63), 0);                   /* it has that already */
  CHECK_INT(lc_cpus_add(&s, -1) + lc_cpus_add(&s, LC_CPUS_MOST), 0);
  CHECK(lc_cpus_has(&s, 0) && lc_cpus_has(&s, 63) && lc_cpus_has(&s, 64));
  CHECK(lc_cpus_has(&s, LC_CPUS_MOST - 1));
  CHECK(!lc_cpus_has(&s, 1) && !lc_cpus_has(&s, 62) && !lc_cpus_has(&s, 65));
  CHECK(!lc_cpus_has(&s, -1) && !lc_cpus_has(&s, LC_CPUS_MOST));
}

static void go_there (void *ud) {
  cpu_set_t *all = (cpu_set_t *)ud, two;
  CpuSet every, none;
  int cpu, first = 0, last;
  memset(&every, -1, sizeof every);
  memset(&none, 0, sizeof none);
  while (!CPU_ISSET(first, all)) first++;
  for (cpu = last = first; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, all)) {
      lc_thread_leave(&every, last = cpu);
      CHECK(lc_thread_cpu() >= 0);
    }
  lc_thread_leave(&none, -1);
  sched_getaffinity(0, sizeof two, &two);
  CHECK(CPU_EQUAL(&two, all));             /* it is bound to none of them */
  CPU_ZERO(&two);
  CPU_SET(last, &two);
  REQUIRE(sched_setaffinity(0, sizeof two, &two) == 0);
  lc_thread_leave(&every, first == last ? first + 1 : first);   /* it may not */
  lc_thread_leave(&every, -1);
  lc_thread_leave(&every, 1 << 20);
  lc_thread_leave(&none, first == last ? first + 1 : first);
  CHECK_INT(lc_thread_cpu(), last);
  sched_getaffinity(0, sizeof two, &two);
  CHECK(CPU_ISSET(last, &two) && CPU_COUNT(&two) == 1);
}

static void test_a_thread_goes_where_it_may_run (void) {
  Thread t;
  cpu_set_t all;
  REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
  REQUIRE(lc_thread_start(&t, go_there, &all, 0) == 0);
  lc_thread_join(&t);
}

/* --- mutex --------------------------------------------------------------- */

typedef struct Counter {
  Mutex lock;
  long n;
} Counter;

static void count (void *ud) {
  Counter *c = (Counter *)ud;
  int i;
  for (i = 0; i < 5000; i++) {
    lc_mutex_lock(&c->lock);
    c->n++;
    lc_mutex_unlock(&c->lock);
  }
}

static void test_a_mutex_lets_one_in (void) {
  Counter c;
  Thread t[4];
  int i;
  c.n = 0;
  REQUIRE(lc_mutex_init(&c.lock) == 0);
  for (i = 0; i < 4; i++) REQUIRE(lc_thread_start(&t[i], count, &c, 0) == 0);
  for (i = 0; i < 4; i++) lc_thread_join(&t[i]);
  CHECK_INT(c.n, 20000);
  lc_mutex_free(&c.lock);
}

/* --- conditions ----------------------------------------------------------- */

typedef struct Gate {
  Mutex lock;
  Cond changed;
  int open;
  int through;
} Gate;

static int gate_init (Gate *g) {
  g->open = g->through = 0;
  return lc_mutex_init(&g->lock) == 0 && lc_cond_init(&g->changed) == 0;
}

static void gate_free (Gate *g) {
  lc_cond_free(&g->changed);
  lc_mutex_free(&g->lock);
}

static void pass (void *ud) {
  Gate *g = (Gate *)ud;
  lc_mutex_lock(&g->lock);
  while (!g->open) lc_cond_wait(&g->changed, &g->lock);
  g->through++;
  lc_mutex_unlock(&g->lock);
}

static void pass_in_time (void *ud) {
  Gate *g = (Gate *)ud;
  uint64_t deadline = lc_deadline(60);
  int in_time = 1;
  lc_mutex_lock(&g->lock);
  while (!g->open && in_time)
    in_time = lc_cond_wait_until(&g->changed, &g->lock, deadline);
  g->through += in_time;
  lc_mutex_unlock(&g->lock);
}

static void gate_test (ThreadMain waiter) {
  Gate g;
  Thread t[3];
  int i;
  REQUIRE(gate_init(&g));
  for (i = 0; i < 3; i++) REQUIRE(lc_thread_start(&t[i], waiter, &g, 0) == 0);
  lc_mutex_lock(&g.lock);
  g.open = 1;
  lc_cond_broadcast(&g.changed);
  lc_mutex_unlock(&g.lock);
  for (i = 0; i < 3; i++) lc_thread_join(&t[i]);
  CHECK_INT(g.through, 3);
  gate_free(&g);
}

static void test_a_broadcast_wakes_all (void) { gate_test(pass); }
static void test_also_those_with_a_deadline (void) { gate_test(pass_in_time); }

static void test_a_deadline_that_has_passed_is_told (void) {
  Gate g;
  REQUIRE(gate_init(&g));
  lc_mutex_lock(&g.lock);
  CHECK_INT(lc_cond_wait_until(&g.changed, &g.lock, lc_now()), 0);
  CHECK_INT(lc_cond_wait_until(&g.changed, &g.lock, 0), 0);
  lc_mutex_unlock(&g.lock);
  gate_free(&g);
}

/* Conditions count on the clock of lc_now, whatever the wall clock does. */
static void test_a_wait_ends_after_its_deadline (void) {
  Gate g;
  uint64_t deadline = lc_deadline(0.01);
  REQUIRE(gate_init(&g));
  lc_mutex_lock(&g.lock);
  while (lc_cond_wait_until(&g.changed, &g.lock, deadline)) {}
  lc_mutex_unlock(&g.lock);
  CHECK(lc_now() >= deadline);
  gate_free(&g);
}

int main (void) {
  RUN(test_a_thread_runs_and_is_joined);
  RUN(test_a_stack_of_a_given_size);
  RUN(test_an_impossible_stack_is_an_errno);
  RUN(test_signals_belong_to_the_host);
  RUN(test_a_thread_that_is_spread_is_not_bound);
  RUN(test_a_set_of_processors);
  RUN(test_a_thread_goes_where_it_may_run);
  RUN(test_a_mutex_lets_one_in);
  RUN(test_a_broadcast_wakes_all);
  RUN(test_also_those_with_a_deadline);
  RUN(test_a_deadline_that_has_passed_is_told);
  RUN(test_a_wait_ends_after_its_deadline);
  return check_end();
}
