/* The clock only goes forward, deadlines cannot overflow, and processors are
** those that this process may use. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "check.h"

#include <math.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include "base/clock.h"

static void test_time_does_not_go_back (void) {
  uint64_t last = lc_now();
  int i;
  for (i = 0; i < 10000; i++) {
    uint64_t now = lc_now();
    if (now < last) break;
    last = now;
  }
  CHECK_INT(i, 10000);
}

static void test_a_deadline_lies_ahead (void) {
  uint64_t before = lc_now();
  uint64_t d = lc_deadline(1.5);
  uint64_t after = lc_now();
  CHECK(d >= before + 1500000000u);
  CHECK(d <= after + 1500000000u);
}

static void test_no_time_and_less_is_now (void) {
  static const double none[] = {0, -0.0, -1, -1e300, -INFINITY, NAN};
  size_t i;
  for (i = 0; i < sizeof none / sizeof *none; i++) {
    uint64_t before = lc_now();
    uint64_t d = lc_deadline(none[i]);
    CHECK(d >= before && d <= lc_now());
  }
}

static void test_very_long_is_never (void) {
  CHECK(lc_deadline(1e10) == LC_NEVER);
  CHECK(lc_deadline(1e300) == LC_NEVER);
  CHECK(lc_deadline(INFINITY) == LC_NEVER);
  CHECK(lc_deadline(8e9) != LC_NEVER);
  CHECK(lc_deadline(8e9) > lc_now());
}

static void test_there_is_a_processor (void) {
  CHECK(lc_cpus() >= 1);
}

#if defined(__linux__)
static void test_processors_are_those_we_may_use (void) {
  cpu_set_t all, one;
  int i = 0;
  REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
  CHECK(lc_cpus() <= CPU_COUNT(&all));
  while (!CPU_ISSET(i, &all)) i++;
  CPU_ZERO(&one);
  CPU_SET(i, &one);
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK_INT(lc_cpus(), 1);
  sched_setaffinity(0, sizeof all, &all);
}
#endif

int main (void) {
  RUN(test_time_does_not_go_back);
  RUN(test_a_deadline_lies_ahead);
  RUN(test_no_time_and_less_is_now);
  RUN(test_very_long_is_never);
  RUN(test_there_is_a_processor);
#if defined(__linux__)
  RUN(test_processors_are_those_we_may_use);
#endif
  return check_end();
}
