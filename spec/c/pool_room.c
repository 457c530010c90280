/* Which worker leaves its processor, and when it gives it away, without threads: everybody
** is where the test says. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "check.h"
#if defined(__linux__)
#include "cpus.h"
#endif

#include "base/clock.h"
#include "pool/room.h"

enum { WORKERS = 4, HERE = 3, OTHER = 5, THIRD = 7 };      /* the last three: processors */

/* A pool, and a worker of it that has just looked for a task. */
typedef struct Crowd {
  Pool pool;
  Home home;
  PoolWorker worker[WORKERS], *workers[WORKERS];
  Room room;
} Crowd;

static Crowd crowd;            /* too large for a stack */

/* All but the first worker are idle; the reader is anywhere; there are `cpus` processors. */
static void crowd_open (int cpus) {
  Crowd *c = &crowd;
  int i;
  memset(c, 0, sizeof *c);
  REQUIRE(lc_parker_init(&c->home.parker) == 0);
  c->pool.home = &c->home;
  c->pool.cpus = cpus;
  c->pool.fed_at = -1;
  c->pool.nworkers = WORKERS;
  c->pool.nidle = WORKERS - 1;
  c->pool.workers = c->workers;
  for (i = 0; i < WORKERS; i++) {
    c->workers[i] = &c->worker[i];
    c->worker[i].pool = &c->pool;
    c->worker[i].idle = i > 0;
    c->worker[i].cpu = HERE;
  }
}

static void crowd_close (void) { lc_parker_free(&crowd.home.parker); }

static void crowd_works (int i, int cpu) {
  crowd.worker[i].idle = 0;
  crowd.worker[i].cpu = cpu;
  crowd.pool.nidle--;
}

static void crowd_reader_waits (int cpu) {
  atomic_store(&crowd.home.parker.owner_cpu, cpu);
}

/* In lc_ticks; longer than any test takes. */
#define LONG (1000000 * (uint64_t)LC_TICKS_PER_US)

static void crowd_reader_works (int cpu) {
  crowd.pool.fed_at = cpu;
  crowd.pool.fed = lc_ticks() + LONG;              /* and for a while */
}

static int crowd_leaves (void) {
  return lc_room_look(&crowd.pool, &crowd.worker[0], &crowd.room);
}

static void test_who_is_alone_stays (void) {
  crowd_open(8);
  CHECK(!crowd_leaves());
  crowd_works(1, OTHER);
  crowd_reader_waits(OTHER);
  CHECK(!crowd_leaves());
  crowd_close();
}

static void test_who_shares_with_a_worker_leaves (void) {
  crowd_open(8);
  crowd_works(1, HERE);
  crowd_works(2, OTHER);
  CHECK(crowd_leaves());
  CHECK(lc_cpus_has(&crowd.room.taken, HERE));
  CHECK(lc_cpus_has(&crowd.room.taken, OTHER));
  CHECK(!lc_cpus_has(&crowd.room.taken, THIRD));
  CHECK_INT(crowd.room.otherwise, -1);
  crowd_close();
}

/* For a reader that does there what `reader` says. */
static void check_leaves_for (void (*reader) (int cpu)) {
  crowd_open(2);
  reader(HERE);
  CHECK(crowd_leaves());
  CHECK(lc_cpus_has(&crowd.room.taken, HERE));
  CHECK_INT(crowd.room.otherwise, -1);
  crowd_close();
}

static void test_who_shares_with_the_reader_leaves (void) {
  check_leaves_for(crowd_reader_waits);
}

static void test_who_shares_with_a_reader_that_works_leaves (void) {
  check_leaves_for(crowd_reader_works);
}

/* It would be in the way of who feeds all of them. */
static void test_where_the_reader_works_is_no_room (void) {
  crowd_open(2);
  crowd_works(1, HERE);
  crowd_reader_works(OTHER);
  CHECK(!crowd_leaves());
  crowd_close();
}

static void sleeper (void *ud) { lc_park((Parker *)ud, LC_NEVER, 0); }

static void test_a_reader_that_sleeps_is_nowhere (void) {
  Parker *parker = &crowd.home.parker;
  Thread reader;
  crowd_open(2);
  crowd_reader_works(HERE);
  REQUIRE(lc_thread_start(&reader, sleeper, parker, 0) == 0);
  while (!lc_parker_sleeps(parker)) lc_thread_yield();
  CHECK(!crowd_leaves());
  crowd_works(1, HERE);
  crowd_reader_works(OTHER);
  CHECK(crowd_leaves());
  lc_unpark(parker);
  lc_thread_join(&reader);
  CHECK(!lc_parker_sleeps(parker));
  crowd_close();
}

static void test_a_reader_that_has_sent_nothing_for_long_is_nowhere (void) {
  crowd_open(2);
  crowd_works(1, HERE);
  crowd_reader_works(OTHER);
  crowd.pool.fed = lc_ticks() - LONG;
  CHECK(crowd_leaves());
  crowd_close();
}

/* What is known of its place is old, until it looks from the new one. */
static void test_who_has_left_is_somewhere_else (void) {
  Pool *p = &crowd.pool;
  crowd_open(2);
  crowd_works(1, HERE);
  CHECK(crowd_leaves());
  p->moved = 0;
  CHECK(!lc_room_look(p, &crowd.worker[1], &crowd.room));
  crowd_reader_works(HERE);                    /* and it may be on the last one */
  CHECK(!lc_room_look(p, &crowd.worker[1], &crowd.room));
  crowd_close();
}

static void test_nobody_leaves_where_all_is_taken (void) {
  crowd_open(2);
  crowd_works(1, OTHER);
  crowd_reader_waits(HERE);
  CHECK(!crowd_leaves());
  crowd_works(2, HERE);
  CHECK(!crowd_leaves());
  crowd_close();
}

static void test_where_the_reader_waits_alone_is_room (void) {
  crowd_open(2);
  crowd_works(1, HERE);
  crowd_reader_waits(OTHER);
  CHECK(crowd_leaves());
  CHECK_INT(crowd.room.otherwise, OTHER);
  crowd_close();
}

static void test_where_he_waits_with_a_worker_is_none (void) {
  crowd_open(2);
  crowd_works(1, HERE);
  crowd_works(2, OTHER);
  crowd_reader_waits(OTHER);
  CHECK(!crowd_leaves());
  crowd_close();
}

/* The system brings others there: the processors have not all work. */
static void test_nor_where_workers_are_few (void) {
  crowd_open(3);
  crowd_works(1, HERE);
  crowd_reader_waits(OTHER);
  CHECK(crowd_leaves());
  CHECK_INT(crowd.room.otherwise, -1);
  CHECK(lc_cpus_has(&crowd.room.taken, OTHER));
  crowd_close();
}

static void test_it_is_rare (void) {
  uint64_t begun;
  int leaves;
  crowd_open(8);
  crowd_works(1, HERE);
  crowd.worker[0].looks = 1;
  CHECK(!crowd_leaves());                   /* not at each look */
  crowd.worker[0].looks = 0;
  CHECK(crowd_leaves());
  do {                                      /* somebody has just left: */
    begun = crowd.pool.moved = lc_now();
    leaves = crowd_leaves();
  } while (lc_now() - begun > 100000);      /* ...unless this took long itself */
  CHECK(!leaves);
  crowd_close();
}

/* As of a worker that has one item at a time, and looks in vain after each. */
static void test_who_finds_a_task_at_each_second_look_leaves_too (void) {
  int odd;
  for (odd = 0; odd < 2; odd++) {
    unsigned i;
    int leaves = 0;
    crowd_open(8);
    crowd_works(1, HERE);
    for (i = 0; i < 100 && !leaves; i++) {
      crowd.worker[0].looks = 2 * i + (unsigned)odd;
      leaves = crowd_leaves();
    }
    CHECK(leaves);
    crowd_close();
  }
}

static void test_who_has_no_thread_of_its_own_stays (void) {
  crowd_open(8);
  crowd_works(1, HERE);
  crowd.pool.inlined = 1;
  CHECK(!crowd_leaves());
  crowd.pool.inlined = 0;
  crowd.pool.stepped = 1;
  CHECK(!crowd_leaves());
  crowd_close();
}

/* ---- giving it away ---- */

#if defined(__linux__)
/* The reader waits here, and may go on since somebody on processor `waker` woke it. */
static void crowd_reader_is_due (int waker) {
  Parker *parker = &crowd.home.parker;
  lc_unpark(parker);
  atomic_store(&parker->waker_cpu, waker);
  crowd_reader_waits(lc_thread_cpu());
}

static int crowd_gives_way (void) {
  return lc_room_gives_way(&crowd.pool, &crowd.worker[0]);
}

static void test_who_has_short_tasks_gives_way_at_once (void) {
  PoolWorker *pw = &crowd.worker[0];
  cpu_set_t all;
  int gives;
  REQUIRE(stay_here(&all));
  crowd_open(2);
  crowd_reader_is_due(lc_thread_cpu() + 1);
  pw->gave = lc_ticks();
  do {                                             /* ...unless the test was held up */
    pw->got = lc_ticks();
    gives = crowd_gives_way();
  } while (!gives && lc_ticks() - pw->got > 100 * LC_TICKS_PER_US);
  CHECK(gives);
  crowd_close();
  CHECK(stay_no_more(&all));
}

static void test_who_has_long_ones_does_so_now_and_then (void) {
  PoolWorker *pw = &crowd.worker[0];
  uint64_t begun;
  cpu_set_t all;
  REQUIRE(stay_here(&all));
  crowd_open(2);
  crowd_reader_is_due(lc_thread_cpu() + 1);
  pw->got = pw->gave = lc_ticks() - LONG;
  CHECK(crowd_gives_way());
  CHECK(pw->gave > pw->got);
  begun = pw->gave;
  CHECK(!crowd_gives_way() || lc_ticks() - begun > 500 * LC_TICKS_PER_US);
  pw->gave = lc_ticks() - LONG;
  crowd_reader_is_due(lc_thread_cpu());            /* whoever woke it */
  CHECK(crowd_gives_way());
  crowd_close();
  CHECK(stay_no_more(&all));
}

static void test_nobody_gives_way_to_who_is_not_due (void) {
  PoolWorker *pw = &crowd.worker[0];
  cpu_set_t all;
  REQUIRE(stay_here(&all));
  crowd_open(2);
  pw->got = pw->gave = lc_ticks() - LONG;
  CHECK(!crowd_gives_way());                       /* it has work of its own */
  crowd_reader_waits(lc_thread_cpu());
  CHECK(!crowd_gives_way());                       /* it has to wait for news */
  crowd_reader_is_due(0);
  crowd_reader_waits(lc_thread_cpu() + 1);
  CHECK(!crowd_gives_way());                       /* it waits elsewhere */
  crowd_reader_waits(lc_thread_cpu());
  crowd.pool.stopping = 1;
  CHECK(!crowd_gives_way());
  crowd.pool.stopping = 0;
  pw->abandoned = 1;
  CHECK(!crowd_gives_way());
  pw->abandoned = 0;
  CHECK(crowd_gives_way());
  crowd_close();
  CHECK(stay_no_more(&all));
}
#endif

int main (void) {
  RUN(test_who_is_alone_stays);
  RUN(test_who_shares_with_a_worker_leaves);
  RUN(test_who_shares_with_the_reader_leaves);
  RUN(test_who_shares_with_a_reader_that_works_leaves);
  RUN(test_where_the_reader_works_is_no_room);
  RUN(test_a_reader_that_sleeps_is_nowhere);
  RUN(test_a_reader_that_has_sent_nothing_for_long_is_nowhere);
  RUN(test_who_has_left_is_somewhere_else);
  RUN(test_nobody_leaves_where_all_is_taken);
  RUN(test_where_the_reader_waits_alone_is_room);
  RUN(test_where_he_waits_with_a_worker_is_none);
  RUN(test_nor_where_workers_are_few);
  RUN(test_it_is_rare);
  RUN(test_who_finds_a_task_at_each_second_look_leaves_too);
  RUN(test_who_has_no_thread_of_its_own_stays);
#if defined(__linux__)
  RUN(test_who_has_short_tasks_gives_way_at_once);
  RUN(test_who_has_long_ones_does_so_now_and_then);
  RUN(test_nobody_gives_way_to_who_is_not_due);
#endif
  return check_end();
}
