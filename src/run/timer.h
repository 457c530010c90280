/*
** timer.h: when a worker's parked fibers are to be woken at the latest: a
** binary heap by deadline. Owner thread only.
*/
#ifndef lc_timer_h
#define lc_timer_h

#include <stdint.h>

#include "fiber.h"

/* After lc_timer_reserve: never fails. */
void lc_timer_add (Fibers *fs, Fiber *f);
void lc_timer_remove (Fibers *fs, Fiber *f);

/* Room for one timer more than now; 0 without memory. */
int lc_timer_reserve (Fibers *fs);
void lc_timer_clear (Fibers *fs);

/* The earliest deadline; LC_NEVER when there is none. */
uint64_t lc_timer_next (const Fibers *fs);
/* Wakes those whose deadline is not after `now`. */
void lc_timer_expire (Fibers *fs, uint64_t now);

#endif
