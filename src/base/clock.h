/*
** clock.h: time that only goes forward, and how many processors there are.
** Stands on POSIX; knows nothing of threads.
*/
#ifndef lc_clock_h
#define lc_clock_h

#include <stdint.h>

#define LC_NEVER UINT64_MAX

/* Monotonic nanoseconds. About 20 ns a call. */
uint64_t lc_now (void);

/* `seconds` from now on lc_now's clock; LC_NEVER when too far to count. */
uint64_t lc_deadline (double seconds);

/*
** A cheap counter of something like cycles, for "has it been long?" and
** nothing else: its rate differs between machines, and it may jump. It stands
** still where instructions are counted (tools/instructions): there, how long
** something takes must not decide what is done.
*/
static inline uint64_t lc_ticks (void) {
#if defined(LC_TICKS_STILL)
  return 0;
#elif defined(__x86_64__) && defined(__GNUC__)
  return __builtin_ia32_rdtsc();
#else
  return lc_now();
#endif
}
#if defined(__x86_64__) && defined(__GNUC__)
#define LC_TICKS_PER_US 2500      /* about: processors run at 2 to 4 GHz */
#else
#define LC_TICKS_PER_US 1000
#endif

/*
** The processors that this process may use: its affinity mask, cut by the
** cgroup's quota (rounded up), at least 1. Not the machine's total.
*/
int lc_cpus (void);

/*
** That quota, in whole processors; 0: there is none. `groups` is a file as
** /proc/self/cgroup, `mount` a folder as /sys/fs/cgroup. Linux alone has it.
*/
int lc_cpu_quota (const char *groups, const char *mount);

#endif
