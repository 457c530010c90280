#include "stop.h"

#include <lauxlib.h>

#include "fault.h"

/* --- limits -------------------------------------------------------------- */

void lc_stop_in (Run *r, uint64_t ns) {
  r->fiber.limit = lc_now() + ns;
  lc_interrupt_next(lc_kit_interrupt(r), r->fiber.limit);
}

int lc_stop_may_begin (Run *r) {
  atomic_store_explicit(&r->begun, r->at + 1, memory_order_seq_cst);
  lc_offer(r);
  lc_stop_in(r, r->in->timeout);
  return !lc_stop_is_cancelled(r);
}

/* A cancel that comes while it is stopped for something else counts more. */
int lc_stop_wanted (RunKit *kit) {
  Run *r = kit->now;
  if (r == NULL) return lc_stop_is_halted(kit);
  if (lc_stop_is_cancelled(r)) r->stop = STOP_CANCEL;
  else if (r->stop == STOP_NOT && lc_stop_is_late(r)) r->stop = STOP_TIMEOUT;
  return r->stop != STOP_NOT;
}

/* Protected: (run, the coroutine that was stopped). If that is this one, below
** this function. */
static int stop_write_trace (lua_State *L) {
  Run *r = (Run *)lua_touserdata(L, 1);
  lua_State *co = (lua_State *)lua_touserdata(L, 2);
  lc_fault_trace(L, co, co == L);
  r->trace = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

void lc_stop_trace (Run *r, lua_State *L, lua_State *co) {
  if (r->trace != LUA_NOREF || !lua_checkstack(L, 4)) return;
  lua_pushcfunction(L, stop_write_trace);
  lua_pushlightuserdata(L, r);
  lua_pushlightuserdata(L, co);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) lua_pop(L, 1);
}

void lc_stop_keep (RunKit *kit, lua_State *L) {
  Run *r = kit->now;
  if (r != NULL && r->stop == STOP_TIMEOUT) lc_stop_trace(r, L, L);
}

void lc_stop_sweep (RunKit *kit) {
  Fiber *f;
  for (f = kit->w->fibers.live; f != NULL; f = f->live)
    if (lc_stop_is_cancelled((Run *)(void *)f)) f->waiter.wake(&f->waiter);
}

void lc_stop_forsake (RunKit *kit) {
  Fiber *f;
  for (f = kit->w->fibers.live; f != NULL; f = f->live) {
    Sink *k = ((Run *)(void *)f)->in->sink;
    if (lc_sink_kind(k)->lost != NULL) lc_sink_kind(k)->lost(k);
  }
}

/* --- an abandoned worker ------------------------------------------------- */

/* The items from `first` to `end` - 1 are lost. Guarded. */
static int stop_lose (Run *r, size_t first, size_t end) {
  Batch *b;
  size_t i;
  if (first >= end) return 1;
  b = lc_batch_new(r->kit->w->mem);
  if (b == NULL || !lc_batch_reserve(b, end - first)) {
    lc_batch_free(b);
    return 0;
  }
  for (i = first; i < end; i++) {
    Entry *e = lc_batch_put(b, lc_batch_index(r->in, i), ENTRY_LOST, 1);
    e->worker = (unsigned)r->kit->w->id;
  }
  r->kit->lost += end - first;
  lc_offer_deliver(r, b);
  return 1;
}

/* What is on offer goes. 1: there was an offer, so the worker is stuck in the item
** that is not answered now. Guarded. */
static int stop_take_ready (Run *r) {
  Batch *b;
  if (!lc_offer_seize(r, &b)) return 0;
  if (b != NULL) {
    r->answered += lc_batch_lasts(b);
    lc_offer_deliver(r, b);
  }
  return 1;
}

/* Whether the item that it is stuck in gets another attempt. (Nobody writes what is
** read here: the task's own code runs, and what follows it finds no offer.) */
static int stop_tries_again (const Run *r) {
  const Retry *t = r->in->retry;
  return t != NULL && !r->yielded && lc_retry_wants(t, r->attempt, LC_FAULT_LOST);
}

/* What `r` has not answered: lost, or, if it has not begun, to be run. Guarded. */
static int stop_answer_for (Run *r, TaskList *again) {
  size_t begun = atomic_load_explicit(&r->begun, memory_order_seq_cst);
  int stuck = stop_take_ready(r), retry = stuck && stop_tries_again(r);
  size_t left = r->answered;
  Batch *b = NULL;
  if (stuck) begun = left + !retry;
  else if (begun < left) begun = left;
  if (begun < r->owed) b = lc_batch_again(r->in, begun, r->owed);
  if (b == NULL) begun = r->owed;
  else {
    if (retry) b->entries[0].attempt = r->attempt;
    b->sink = r->in->sink;
    lc_shared_hold(&b->sink->head);
    lc_tasks_push_last(again, &b->task);
  }
  return stop_lose(r, left, begun);
}

int lc_stop_abandon (RunKit *kit, TaskList *again) {
  Fiber *f;
  int all = 1;
  lc_mutex_lock(&kit->guard);
  kit->abandoned = 1;
  atomic_store_explicit(&kit->halt, 1, memory_order_seq_cst);
  for (f = kit->w->fibers.live; f != NULL; f = f->live)
    all &= stop_answer_for((Run *)(void *)f, again);
  lc_mutex_unlock(&kit->guard);
  return all;
}
