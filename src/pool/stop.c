#include "stop.h"

#include <lauxlib.h>

#include "fault.h"

/* --- limits -------------------------------------------------------------- */

/* The item has `ns` more. */
void lc_stop_in (Run *r, uint64_t ns) {
  r->fiber.limit = lc_now() + ns;
  lc_interrupt_next(lc_kit_interrupt(r), r->fiber.limit);
}

/* A cancel that comes while it is stopped for something else counts more. */
int lc_stop_wanted (RunKit *kit) {
  Run *r = kit->now;
  if (r == NULL)
    return atomic_load_explicit(&kit->halt, memory_order_seq_cst);
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

/* --- an abandoned worker ------------------------------------------------- */

/* What `r` has not answered is lost. Guarded. */
static int stop_lose (Run *r) {
  Mem *mem = r->kit->w->mem;
  Sink *k = r->in->sink;
  Batch *b;
  size_t i;
  if (r->answered == r->end) return 1;
  b = lc_batch_new(mem);
  if (b == NULL || !lc_batch_reserve(b, r->end - r->answered)) {
    lc_batch_free(b);
    return 0;
  }
  for (i = r->answered; i < r->end; i++) {
    Entry *e = lc_batch_add(b, r->in->entries[i].index, ENTRY_LOST, 1);
    e->worker = (short)r->kit->w->id;
  }
  b->sink = k;
  lc_shared_hold(&k->head);
  lc_sink_kind(k)->deliver(k, b);
  return 1;
}

int lc_stop_abandon (RunKit *kit) {
  Fiber *f;
  int all = 1;
  lc_mutex_lock(&kit->guard);
  kit->abandoned = 1;
  for (f = kit->w->fibers.live; f != NULL; f = f->live)
    all &= stop_lose((Run *)(void *)f);
  lc_mutex_unlock(&kit->guard);
  return all;
}
