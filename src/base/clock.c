#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "clock.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__linux__)
#include <sys/sysinfo.h>
#endif
#include <unistd.h>

/* A sandbox may refuse the clock: whole seconds then, on the same scale, so that
** waits end. */
static uint64_t clock_coarse (void) {
#if defined(__linux__)
  struct sysinfo info;
  return sysinfo(&info) == 0 ? (uint64_t)info.uptime * 1000000000u : 0;
#else
  return (uint64_t)time(NULL) * 1000000000u;
#endif
}

uint64_t lc_now (void) {
  struct timespec ts;
  if (clock_gettime(CLOCK_MONOTONIC, &ts) != 0) return clock_coarse();
  return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t lc_deadline (double seconds) {
  uint64_t now = lc_now();
  if (!(seconds > 0)) return now;         /* NaN too: already over */
  if (seconds > 9.0e9) return LC_NEVER;   /* about 285 years */
  return now + (uint64_t)(seconds * 1e9);
}

#if defined(__linux__)

/* The affinity mask, however many processors the machine has. */
static int cpu_affinity (void) {
  int room = 1024;
  for (; room <= (1 << 20); room *= 2) {
    size_t size = CPU_ALLOC_SIZE((size_t)room);
    cpu_set_t *set = CPU_ALLOC((size_t)room);
    int n;
    if (set == NULL) return 0;
    n = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : -1;
    CPU_FREE(set);
    if (n > 0) return n;      /* else the mask is wider than `room` */
  }
  return 0;
}

static int cpu_read_line (const char *path, char *buf, size_t size) {
  FILE *f = fopen(path, "re");
  int ok;
  if (f == NULL) return 0;
  ok = fgets(buf, (int)size, f) != NULL;
  fclose(f);
  return ok;
}

/* quota / period, rounded up; 0 when there is no limit. */
static int cpu_from_quota (double quota, double period) {
  double n;
  if (!(quota > 0) || !(period > 0)) return 0;
  n = quota / period;
  if (n >= 1e6) return 0;
  return (int)n + (n > (double)(int)n);
}

/* cgroup v2: "max 100000" or "150000 100000" in cpu.max. */
static int cpu_quota_v2 (const char *dir) {
  char path[4096 + 64], line[128];
  char *end;
  double quota;
  snprintf(path, sizeof path, "%s/cpu.max", dir);
  if (!cpu_read_line(path, line, sizeof line)) return 0;
  if (strncmp(line, "max", 3) == 0) return 0;
  quota = strtod(line, &end);
  return cpu_from_quota(quota, strtod(end, NULL));
}

static int cpu_quota_v1 (const char *dir) {
  char path[4096 + 64], line[128];
  double quota;
  snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", dir);
  if (!cpu_read_line(path, line, sizeof line)) return 0;
  quota = strtod(line, NULL);
  snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir);
  if (!cpu_read_line(path, line, sizeof line)) return 0;
  return cpu_from_quota(quota, strtod(line, NULL));
}

/*
** The tightest quota from our cgroup up to the root of `mount`. Inside a
** container the path may name a group that is not visible; then the mount's
** own root is the container's group, and the walk ends there all the same.
*/
static int cpu_quota_at (const char *mount, const char *group,
                         int (*quota_of)(const char *)) {
  char dir[4096];
  size_t root = strlen(mount);
  int least = 0;
  if (snprintf(dir, sizeof dir, "%s%s", mount, group) >= (int)sizeof dir)
    return 0;
  for (;;) {
    int n = quota_of(dir);
    char *slash;
    if (n > 0 && (least == 0 || n < least)) least = n;
    slash = strrchr(dir, '/');
    if (slash == NULL || (size_t)(slash - dir) < root) return least;
    *slash = '\0';
  }
}

/* Is "cpu" in a list like "cpuset,cpu,cpuacct"? */
static int cpu_is_listed (const char *names) {
  size_t n;
  for (; *names != '\0'; names += n + (names[n] == ',')) {
    n = strcspn(names, ",");
    if (n == 3 && strncmp(names, "cpu", 3) == 0) return 1;
  }
  return 0;
}

/* Lines of /proc/self/cgroup: "0::/group" (v2), "4:cpu,cpuacct:/group". */
int lc_cpu_quota (const char *groups, const char *mount) {
  char line[4096], mount_v1[4096];
  int least = 0;
  FILE *f = fopen(groups, "re");
  if (f == NULL) return 0;
  snprintf(mount_v1, sizeof mount_v1, "%s/cpu", mount);
  while (fgets(line, sizeof line, f) != NULL) {
    char *names = strchr(line, ':');
    char *group = names != NULL ? strchr(names + 1, ':') : NULL;
    int n = 0;
    if (group == NULL) continue;
    *group++ = '\0';
    names++;
    group[strcspn(group, "\n")] = '\0';
    if (strcmp(group, "/") == 0) group = group + 1;
    if (*names == '\0') n = cpu_quota_at(mount, group, cpu_quota_v2);
    else if (cpu_is_listed(names))
      n = cpu_quota_at(mount_v1, group, cpu_quota_v1);
    if (n > 0 && (least == 0 || n < least)) least = n;
  }
  fclose(f);
  return least;
}

int lc_cpus (void) {
  int n = cpu_affinity();
  int quota = lc_cpu_quota("/proc/self/cgroup", "/sys/fs/cgroup");
  if (n < 1) n = (int)sysconf(_SC_NPROCESSORS_ONLN);
  if (quota > 0 && quota < n) n = quota;
  return n < 1 ? 1 : n;
}

#else

int lc_cpus (void) {
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n < 1 ? 1 : (int)n;
}

#endif
