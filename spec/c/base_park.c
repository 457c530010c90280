/* Parking: no wake is lost, however waker and sleeper fall together. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "check.h"
#if defined(__linux__)
#include "cpus.h"
#endif

#include "base/clock.h"
#include "base/park.h"
#include "base/thread.h"

#define SPIN 20000u     /* ns, as the pool has it */

static void test_a_token_before_the_park_is_not_lost (void) {
  Parker p;
  REQUIRE(lc_parker_init(&p) == 0);
  CHECK(!lc_parker_has_token(&p));
  lc_unpark(&p);
  CHECK(lc_parker_has_token(&p));
  CHECK_INT(lc_park(&p, LC_NEVER, 0), 1);
  CHECK(!lc_parker_has_token(&p));
  lc_parker_free(&p);
}

static void test_tokens_do_not_pile_up (void) {
  Parker p;
  REQUIRE(lc_parker_init(&p) == 0);
  lc_unpark(&p);
  lc_unpark(&p);
  CHECK_INT(lc_park(&p, LC_NEVER, 0), 1);
  CHECK_INT(lc_park(&p, lc_now(), 0), 0);
  lc_parker_free(&p);
}

static void test_a_token_counts_even_after_the_deadline (void) {
  Parker p;
  REQUIRE(lc_parker_init(&p) == 0);
  lc_unpark(&p);
  CHECK_INT(lc_park(&p, 0, 0), 1);
  lc_unpark(&p);
  CHECK_INT(lc_park(&p, 0, SPIN), 1);
  lc_parker_free(&p);
}

static void test_a_park_ends_at_its_deadline (void) {
  static const uint64_t spins[] = {0, SPIN, 100000000u};
  Parker p;
  size_t i;
  REQUIRE(lc_parker_init(&p) == 0);
  for (i = 0; i < 3; i++) {
    uint64_t deadline = lc_deadline(0.002);
    CHECK_INT(lc_park(&p, deadline, spins[i]), 0);
    CHECK(lc_now() >= deadline);
    CHECK(!lc_parker_has_token(&p));
  }
  lc_parker_free(&p);
}

/* --- two threads in turn --------------------------------------------------- */

typedef struct Pair {
  Parker ping, pong;
  uint64_t spin;
  int rounds;
  long ball;              /* plain: passed on by the tokens alone */
} Pair;

static void pong (void *ud) {
  Pair *p = (Pair *)ud;
  int i;
  for (i = 0; i < p->rounds; i++) {
    while (!lc_park(&p->ping, LC_NEVER, p->spin)) {}
    p->ball++;
    lc_unpark(&p->pong);
  }
}

static void play (uint64_t spin, int room, int rounds) {
  Pair p;
  Thread t;
  int i;
  p.spin = spin;
  p.rounds = rounds;
  p.ball = 0;
  REQUIRE(lc_parker_init(&p.ping) == 0 && lc_parker_init(&p.pong) == 0);
  lc_parker_room(&p.ping, room);
  lc_parker_room(&p.pong, room);
  REQUIRE(lc_thread_start(&t, pong, &p, 0) == 0);
  for (i = 0; i < rounds; i++) {
    p.ball++;
    lc_unpark(&p.ping);
    while (!lc_park(&p.pong, LC_NEVER, spin)) {}
  }
  CHECK_INT(p.ball, 2 * rounds);
  lc_thread_join(&t);
  lc_parker_free(&p.ping);
  lc_parker_free(&p.pong);
}

static void test_two_threads_in_turn_asleep (void) { play(0, 0, 3000); }
static void test_two_threads_in_turn_spinning (void) { play(SPIN, 0, 3000); }
static void test_two_threads_in_turn_with_room (void) { play(SPIN, 1, 3000); }

/* After one in vain the next is left out; then there is one, and three are left out. */
static void test_glances_in_vain_are_left_out (void) {
  static const int out[] = {1, 0, 3, 2, 1, 0, 7};
  Parker p;
  size_t i;
  REQUIRE(lc_parker_init(&p) == 0);
  CHECK_INT(lc_park(&p, lc_now() + SPIN, SPIN), 0);
  CHECK_INT(p.glance.doubt, 0);                    /* no room, no glance */
  lc_parker_room(&p, 1);
  for (i = 0; i < sizeof out / sizeof out[0]; i++) {
    CHECK_INT(lc_park(&p, lc_now() + SPIN, SPIN), 0);
    CHECK_INT(p.glance.out, out[i]);
  }
  lc_glance_note(&p.glance, 1);
  CHECK_INT(p.glance.out, 3);                      /* one that finds something halves it */
  lc_parker_free(&p);
}

#if defined(__linux__)
/* They take turns there by giving it away: now and then, one sleeps instead. */
static void test_two_threads_in_turn_on_one_processor (void) {
  cpu_set_t all;
  REQUIRE(stay_here(&all));
  play(1000000000u, 0, 3000);
  play(1000000000u, 1, 3000);
  CHECK(stay_no_more(&all));
}

/* Who has the processor that the owner waits for is told so, and whether who woke it had it. */
static void test_the_owner_is_due_where_it_spins (void) {
  Parker p;
  cpu_set_t all;
  int here;
  REQUIRE(stay_here(&all));
  here = sched_getcpu();
  REQUIRE(lc_parker_init(&p) == 0);
  lc_unpark(&p);
  atomic_store_explicit(&p.waker_cpu, here + 1, memory_order_relaxed);
  CHECK(!lc_parker_is_due_here(&p));               /* it does not spin */
  atomic_store_explicit(&p.owner_cpu, here + 1, memory_order_relaxed);
  CHECK(!lc_parker_is_due_here(&p));               /* elsewhere */
  atomic_store_explicit(&p.owner_cpu, here, memory_order_relaxed);
  CHECK(lc_parker_is_due_here(&p));
  CHECK(!lc_parker_is_woken_here(&p));
  lc_unpark(&p);
  CHECK(lc_parker_is_due_here(&p));
  CHECK(lc_parker_is_woken_here(&p));
  CHECK_INT(lc_park(&p, LC_NEVER, SPIN), 1);
  CHECK_INT(lc_park(&p, lc_now() + 1000, SPIN), 0);
  CHECK_INT(atomic_load_explicit(&p.owner_cpu, memory_order_relaxed), -1);
  lc_parker_free(&p);
  CHECK(stay_no_more(&all));
}
#endif

/* --- many wakers ------------------------------------------------------------ */

#define WAKERS 3
#define NEWS 2000

typedef struct Box {
  Parker owner;
  Mutex lock;
  long news;              /* guarded by lock */
} Box;

static void bring_news (void *ud) {
  Box *b = (Box *)ud;
  int i;
  for (i = 0; i < NEWS; i++) {
    lc_mutex_lock(&b->lock);
    b->news++;
    lc_mutex_unlock(&b->lock);
    lc_unpark(&b->owner);
  }
}

/* The owner sleeps whenever it sees nothing new: if a wake were lost, it
** would sleep for ever. */
static void gather (uint64_t spin) {
  Box b;
  Thread t[WAKERS];
  long seen = 0;
  int i;
  b.news = 0;
  REQUIRE(lc_parker_init(&b.owner) == 0 && lc_mutex_init(&b.lock) == 0);
  for (i = 0; i < WAKERS; i++)
    REQUIRE(lc_thread_start(&t[i], bring_news, &b, 0) == 0);
  while (seen < WAKERS * NEWS) {
    long news;
    lc_mutex_lock(&b.lock);
    news = b.news;
    lc_mutex_unlock(&b.lock);
    if (news == seen) lc_park(&b.owner, LC_NEVER, spin);
    seen = news;
  }
  for (i = 0; i < WAKERS; i++) lc_thread_join(&t[i]);
  CHECK_INT(seen, WAKERS * NEWS);
  lc_parker_free(&b.owner);
  lc_mutex_free(&b.lock);
}

static void test_many_wakers_asleep (void) { gather(0); }
static void test_many_wakers_spinning (void) { gather(SPIN); }

/* --- deadlines against wakes ------------------------------------------------- */

typedef struct Race {
  Parker p;
  _Atomic(int) round;     /* the waker is to wake for this one */
} Race;

#define ROUNDS 2000

static void race_waker (void *ud) {
  Race *r = (Race *)ud;
  int i;
  for (i = 1; i <= ROUNDS; i++) {
    while (atomic_load_explicit(&r->round, memory_order_acquire) < i)
      lc_thread_yield();
    lc_unpark(&r->p);
  }
}

/* One wake in each round: either the park with a deadline takes it, or, when
** the clock was first, the next park does. */
static void test_a_wake_is_taken_once_whoever_is_first (void) {
  Race r;
  Thread t;
  int i;
  atomic_store_explicit(&r.round, 0, memory_order_relaxed);
  REQUIRE(lc_parker_init(&r.p) == 0);
  REQUIRE(lc_thread_start(&t, race_waker, &r, 0) == 0);
  for (i = 1; i <= ROUNDS; i++) {
    uint64_t deadline = lc_now() + (uint64_t)(i % 40) * 1000;
    atomic_store_explicit(&r.round, i, memory_order_release);
    if (!lc_park(&r.p, deadline, i % 3 == 0 ? SPIN : 0))
      CHECK_INT(lc_park(&r.p, LC_NEVER, 0), 1);
    CHECK(!lc_parker_has_token(&r.p));
  }
  lc_thread_join(&t);
  lc_parker_free(&r.p);
}

int main (void) {
  RUN(test_a_token_before_the_park_is_not_lost);
  RUN(test_tokens_do_not_pile_up);
  RUN(test_a_token_counts_even_after_the_deadline);
  RUN(test_a_park_ends_at_its_deadline);
  RUN(test_two_threads_in_turn_asleep);
  RUN(test_two_threads_in_turn_spinning);
  RUN(test_two_threads_in_turn_with_room);
  RUN(test_glances_in_vain_are_left_out);
#if defined(__linux__)
  RUN(test_two_threads_in_turn_on_one_processor);
  RUN(test_the_owner_is_due_where_it_spins);
#endif
  RUN(test_many_wakers_asleep);
  RUN(test_many_wakers_spinning);
  RUN(test_a_wake_is_taken_once_whoever_is_first);
  return check_end();
}
