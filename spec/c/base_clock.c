/* The clock only goes forward, deadlines cannot overflow, and processors are
** those that this process may use. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "check.h"

#include <math.h>
#if defined(__linux__)
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
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

/* --- the quota of a cgroup: folders and files as the system shows them -------- */

static char place[64];

static const char *at (const char *path) {
  static char whole[5000];
  snprintf(whole, sizeof whole, "%s/%s", place, path);
  return whole;
}

static void begin (void) {
  strcpy(place, "/tmp/lacus-clock-XXXXXX");
  CHECK(mkdtemp(place) != NULL);
}

static void end (void) {
  char command[100];
  snprintf(command, sizeof command, "rm -r '%s'", place);
  CHECK_INT(system(command), 0);
}

static void folder (const char *path) { CHECK_INT(mkdir(at(path), 0700), 0); }

static void put (const char *path, const char *text) {
  FILE *f = fopen(at(path), "w");
  CHECK(f != NULL);
  if (f == NULL) return;
  fputs(text, f);
  fclose(f);
}

/* What this process may use, if it is in the groups that `text` lists. */
static int quota (const char *text) {
  char groups[5000];
  put("groups", text);
  snprintf(groups, sizeof groups, "%s", at("groups"));
  return lc_cpu_quota(groups, place);
}

static void test_a_quota_is_rounded_up_to_whole_processors (void) {
  begin();
  folder("app");
  put("app/cpu.max", "150000 100000\n");
  CHECK_INT(quota("0::/app\n"), 2);
  put("app/cpu.max", "50000 100000\n");
  CHECK_INT(quota("0::/app\n"), 1);
  put("app/cpu.max", "300000 100000\n");
  CHECK_INT(quota("0::/app\n"), 3);
  end();
}

static void test_there_may_be_no_quota (void) {
  begin();
  folder("app");
  CHECK_INT(quota("0::/app\n"), 0);
  put("app/cpu.max", "max 100000\n");
  CHECK_INT(quota("0::/app\n"), 0);
  put("app/cpu.max", "900000000000 1\n");
  CHECK_INT(quota("0::/app\n"), 0);
  put("app/cpu.max", "100000 0\n");
  CHECK_INT(quota("0::/app\n"), 0);
  put("app/cpu.max", "");
  CHECK_INT(quota("0::/app\n"), 0);
  CHECK_INT(quota("no such line\n\n"), 0);
  CHECK_INT(lc_cpu_quota(at("nowhere"), place), 0);
  end();
}

static void test_the_tightest_of_all_groups_above_counts (void) {
  begin();
  folder("a");
  folder("a/b");
  put("cpu.max", "max 100000\n");
  put("a/cpu.max", "200000 100000\n");
  put("a/b/cpu.max", "400000 100000\n");
  CHECK_INT(quota("0::/a/b\n"), 2);
  CHECK_INT(quota("0::/a/b/unseen/from/here\n"), 2);
  CHECK_INT(quota("0::/\n"), 0);
  put("cpu.max", "100000 100000\n");
  CHECK_INT(quota("0::/\n"), 1);
  CHECK_INT(quota("0::/a/b\n"), 1);
  end();
}

static void test_the_first_version_has_two_files (void) {
  begin();
  folder("cpu");
  folder("cpu/app");
  put("cpu/cpu.cfs_quota_us", "-1\n");
  put("cpu/cpu.cfs_period_us", "100000\n");
  put("cpu/app/cpu.cfs_quota_us", "250000\n");
  CHECK_INT(quota("4:cpu,cpuacct:/app\n"), 0);
  put("cpu/app/cpu.cfs_period_us", "100000\n");
  CHECK_INT(quota("4:cpu,cpuacct:/app\n"), 3);
  CHECK_INT(quota("4:cpuset,cpu:/app\n"), 3);
  CHECK_INT(quota("9:name=systemd:/app\n4:cpu:/app\n0::/app\n"), 3);
  CHECK_INT(quota("4:cpuset:/app\n5:cpuacct:/app\n"), 0);
  CHECK_INT(quota("4:cpu:/\n"), 0);
  end();
}

static void test_a_name_that_is_too_long_is_no_group (void) {
  char line[4090];
  begin();
  put("cpu.max", "100000 100000\n");
  memset(line, 'x', sizeof line);
  memcpy(line, "0::/", 4);
  line[sizeof line - 1] = '\0';
  CHECK_INT(quota(line), 0);
  end();
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
  RUN(test_a_quota_is_rounded_up_to_whole_processors);
  RUN(test_there_may_be_no_quota);
  RUN(test_the_tightest_of_all_groups_above_counts);
  RUN(test_the_first_version_has_two_files);
  RUN(test_a_name_that_is_too_long_is_no_group);
#endif
  return check_end();
}
