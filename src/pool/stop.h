/*
** stop.h: what ends a run before it ends by itself: its sink is cancelled, the
** pool halts, an item's time is up, its worker is abandoned. Stands on kit,
** sink and run/interrupt.
*/
#ifndef lc_stop_h
#define lc_stop_h

#include "../base/clock.h"
#include "kit.h"
#include "offer.h"
#include "sink.h"

static inline int lc_stop_is_halted (const RunKit *kit) {
  return atomic_load_explicit(&kit->halt, memory_order_seq_cst);
}

static inline int lc_stop_is_cancelled (const Run *r) {
  return lc_sink_cancelled(r->in->sink) || lc_stop_is_halted(r->kit);
}

static inline int lc_stop_is_late (const Run *r) {
  return r->fiber.limit != LC_NEVER && lc_now() >= r->fiber.limit;
}

/* The item has `ns` more. */
void lc_stop_in (Run *r, uint64_t ns);

/*
** The item is about to begin, with its timeout: 0 if it must not, for its worker
** was abandoned or its sink cancelled. (Worker: writes `begun` and `offer`, goes to the
** next turn, reads `halt`. Who abandons: writes `halt`, reads `begun`, swaps `offer`.
** All seq_cst, so an item that another worker is given never begins here.)
*/
int lc_stop_may_begin (Run *r);

/*
** The task's own code has come back, and `out` may be written to: 0 if nothing is to
** be said any more, for the worker was abandoned. (Items with a timeout look at `halt`
** too, so none begins again here that was given to others.)
*/
static inline int lc_stop_may_answer (Run *r) {
  return lc_offer_regain(r)
         && (r->in->timeout == 0 || !lc_stop_is_halted(r->kit));
}

/* Whether what runs on this worker is to stop. Owner thread. */
int lc_stop_wanted (RunKit *kit);
/* It is about to be stopped in `L`: keeps what will be said. Never raises. */
void lc_stop_keep (RunKit *kit, lua_State *L);
/* Keeps where `co` stands, which `L` runs in or has suspended. Likewise. */
void lc_stop_trace (Run *r, lua_State *L, lua_State *co);

/* Fibers that wait for what is cancelled are ready: to end. Owner thread. */
void lc_stop_sweep (RunKit *kit);

/*
** What waits in a slot of a pool that stops is lost: its state closes later, and nobody
** resumes it until then. Who owns the worker; no lock held.
*/
void lc_stop_forsake (RunKit *kit);

/*
** Answers for a worker that does not answer any more: what it has begun is
** lost; batches of what it has not go to *again, the caller's. 0 without memory: then
** some are not answered. Any thread.
*/
int lc_stop_abandon (RunKit *kit, TaskList *again);

#endif
