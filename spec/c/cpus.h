/*
** cpus.h: a test that stays on one processor. Linux only; _GNU_SOURCE comes before all
** headers.
*/
#ifndef LC_CPUS_H
#define LC_CPUS_H

#include <sched.h>

/* This thread, and those that it starts, have the processor that it is on, alone;
** *before is what they had. 0: they have not. */
static inline int stay_here (cpu_set_t *before) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  return sched_getaffinity(0, sizeof *before, before) == 0
         && sched_setaffinity(0, sizeof one, &one) == 0;
}

/* They have again what they had; 0: not. */
static inline int stay_no_more (const cpu_set_t *before) {
  return sched_setaffinity(0, sizeof *before, before) == 0;
}

#endif
