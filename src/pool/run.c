#include "run.h"

#include <lauxlib.h>

#include "../base/clock.h"
#include "answer.h"
#include "fault.h"
#include "items.h"
#include "sink.h"
#include "stop.h"

size_t lc_run_fiber_size (void) { return sizeof(Run); }

/* --- batches ------------------------------------------------------------- */

/* One fiber less needs the items; the last one lets go of the sink too. */
static void run_leave (RunKit *kit, Batch *in) {
  if (--in->users > 0) return;
  lc_shared_release(&in->sink->head);
  lc_answer_spare(kit, in);
}

/* --- random numbers ------------------------------------------------------ */

static Run *run_current (RunKit *kit) {
  return (Run *)(void *)kit->w->fibers.current;
}

Random *lc_run_random (RunKit *kit) {
  Run *r = run_current(kit);
  return r != NULL ? &r->random : &kit->random;
}

int lc_run_sow (RunKit *kit, uint64_t *seed) {
  Run *r = run_current(kit);
  if (r == NULL || r->at == r->end) return 0;
  *seed = lc_random_split(lc_random_split(r->in->seed, lc_kit_number(r)),
                          r->started++);
  return 1;
}

/* --- deaths -------------------------------------------------------------- */

static const char *run_death_kind (Run *r, int status, const char *text) {
  if (lc_answer_is_nomem(r, status, text)) return LC_FAULT_MEMORY;
  return status == LUA_YIELD ? LC_FAULT_ERROR : LC_FAULT_TRANSFER;
}

/* Protected, on the worker's main coroutine: (run, status, error value). */
static int run_write_death (lua_State *L) {
  Run *r = (Run *)lua_touserdata(L, 1);
  int status = (int)lua_tointeger(L, 2);
  const char *kind;
  if (r->stop == STOP_TIMEOUT) {
    lc_answer_timeout(L, r);
    return 0;
  }
  if (status == LUA_YIELD) {      /* not by coroutine.yield: by a C module */
    lua_pushliteral(L, "attempt to yield from outside a coroutine");
    lua_replace(L, 3);
  }
  lc_fault_open(L, status);
  kind = run_death_kind(r, status, lua_tostring(L, -3));
  if (status != LUA_ERRMEM && r->phase == PHASE_ENCODE) {
    lua_pushfstring(L, "cannot send the results: %s", lua_tostring(L, -3));
    lua_replace(L, -4);
  }
  lc_answer_fault(L, r, kind);
  return 0;
}

/* The error value, if there is one, is on top of the coroutine's stack. */
static const char *run_buried_kind (Run *r, int status) {
  lua_State *co = r->fiber.co;
  if (r->stop == STOP_TIMEOUT) return LC_FAULT_TIMEOUT;
  if (r->stop == STOP_MEMORY) return LC_FAULT_MEMORY;
  return run_death_kind(r, status,
           status != LUA_YIELD && lua_type(co, -1) == LUA_TSTRING
             ? lua_tostring(co, -1) : NULL);
}

/* Runs its pending <close> variables, for a while. */
static void run_close (Run *r, int why) {
  r->stop = why;
  lc_interrupt_closing(lc_kit_interrupt(r));
  lc_fiber_reset(&r->fiber);
  r->call = NULL;
}

/*
** The coroutine died of `status`, its error value on top of its stack: the
** item fails. Protected calls nest, so this may run on top of another task:
** what is below on the worker's main stack stays.
*/
static void run_bury (Run *r, int status) {
  lua_State *L = r->kit->w->L;
  size_t record = r->out->msg.len;
  int top = lua_gettop(L), written = 0;
  int why = r->stop == STOP_NOT ? STOP_CLOSE : r->stop;
  if (r->phase != PHASE_FAULT && !r->again
      && lc_items_try_again(r, run_buried_kind(r, status))) {
    run_close(r, why);
    lc_items_clear(r);
    return;
  }
  if (r->again) r->attempt--;        /* it has not come to that one */
  if (r->phase != PHASE_FAULT && r->stop != STOP_MEMORY
      && lua_checkstack(L, 4)) {
    lua_pushcfunction(L, run_write_death);
    lua_pushlightuserdata(L, r);
    lua_pushinteger(L, status);
    if (status == LUA_YIELD) lua_pushnil(L);
    else lua_xmove(r->fiber.co, L, 1);
    written = lua_pcall(L, 3, 0, 0) == LUA_OK;
    lua_settop(L, top);
  }
  if (!written) {
    r->kit->w->strained = 1;
    lc_answer_cut(r, record);
    lc_answer_add(r, record, ENTRY_NOMEM);
  }
  run_close(r, why);
  lc_items_pass(r);
}

/* --- around the fiber ---------------------------------------------------- */

static void run_go (Task *t, Worker *w);

/* A fiber for items at .. end - 1 of `in`, on no list; NULL without memory. */
static Run *run_new (RunKit *kit, Batch *in, size_t at, size_t end) {
  Entry first;
  Batch *out = lc_answer_batch(kit, in, end - at);
  Run *r = out != NULL ? (Run *)(void *)lc_fiber_take(&kit->w->fibers) : NULL;
  if (r == NULL) {
    lc_answer_spare(kit, out);
    return NULL;
  }
  r->fiber.task.run = run_go;
  r->fiber.task.drop = NULL;      /* lc_run_close ends it */
  r->kit = kit;
  r->in = in;
  r->at = r->answered = at;
  atomic_store_explicit(&r->begun, in->timeout != 0 ? at : end,
                        memory_order_relaxed);
  r->end = r->owed = end;
  r->out = out;
  r->offered = OFFER_NOT;
  r->call = NULL;
  r->stop = STOP_NOT;
  r->trace = LUA_NOREF;
  r->left = LC_NEVER;
  r->yielded = 0;
  r->refused = NULL;
  r->attempt = 1 + lc_batch_entry(in, at, &first)->attempt;
  r->again = r->attempt > 1;      /* it was lost: there is a pause */
  r->until = 0;
  in->users++;
  return r;
}

/* From here on it answers for its items; `before`, if any, no more. */
static void run_list (Run *r, Run *before) {
  lc_mutex_lock(&r->kit->guard);
  lc_fiber_list(&r->fiber);
  atomic_fetch_add_explicit(&r->kit->nlive, 1, memory_order_relaxed);
  if (before != NULL) before->end = before->owed = r->at;
  lc_mutex_unlock(&r->kit->guard);
}

/* It answers for nothing any more. Guard held. */
static void run_unlist (Run *r) {
  lc_fiber_unlist(&r->fiber);
  atomic_fetch_sub_explicit(&r->kit->nlive, 1, memory_order_relaxed);
}

static void run_retire (Run *r) {
  RunKit *kit = r->kit;
  Batch *in = r->in;
  lc_mutex_lock(&kit->guard);
  run_unlist(r);
  lc_mutex_unlock(&kit->guard);
  lc_fiber_give(r->fiber.fs, &r->fiber);
  run_leave(kit, in);
}

/*
** Through: everything it has to say is in `out`, its last item's at least. If no other
** fiber needs the items, that goes home with their hold of the sink, which is not touched
** again: so nobody may find the run any more.
*/
static void run_end (Run *r) {
  RunKit *kit = r->kit;
  Batch *in = r->in;
  Sink *k = in->sink;
  int shared = --in->users > 0;
  lc_answer_time(r, r->out);
  if (shared) lc_shared_hold(&k->head);
  lc_mutex_lock(&kit->guard);
  lc_answer_hand_over(kit, k, r->out);
  run_unlist(r);
  lc_mutex_unlock(&kit->guard);
  lc_fiber_give(r->fiber.fs, &r->fiber);
  if (!shared) lc_answer_spare(kit, in);
}

/* Its sink is cancelled or its worker ends. */
static void run_kill (Run *r) {
  RunKit *kit = r->kit;
  Sink *k = r->in->sink;
  Batch *out;
  lc_fiber_unpark(&r->fiber);
  run_close(r, STOP_CANCEL);
  luaL_unref(kit->w->L, LUA_REGISTRYINDEX, r->trace);
  lc_mutex_lock(&kit->guard);
  out = r->out;
  r->out = NULL;
  lc_mutex_unlock(&kit->guard);
  lc_answer_spare(kit, out);
  atomic_fetch_add_explicit(&kit->cut, r->end - r->at, memory_order_relaxed);
  if (lc_sink_kind(k)->lost != NULL) lc_sink_kind(k)->lost(k);
  run_retire(r);
}

/*
** The task at `at` waits: another fiber goes on with those behind it, and
** what is finished goes. Without memory they fail, in the room they have; and if even
** that cannot go (0), the task must not wait, for it may do so for who wants it.
*/
static int run_split (Run *r) {
  Fibers *fs = r->fiber.fs;
  size_t from = r->at + 1;
  Run *rest;
  if (from < r->end) {
    rest = run_new(r->kit, r->in, from, r->end);
    if (rest != NULL) {
      run_list(rest, r);
      fs->ready(fs, &rest->fiber.task);
    }
    else {
      size_t at = r->at;
      for (r->at = from; r->at < r->end; r->at++)
        lc_answer_add(r, r->out->msg.len, ENTRY_NOMEM);
      r->at = at;
      r->end = from;
    }
  }
  return lc_answer_flush(r);
}

static int run_resume (Run *r) {
  Fibers *fs = r->fiber.fs;
  Fiber *outer = fs->current;
  lua_State *running = fs->running;
  lua_State *co = r->fiber.co;
  int status, n = 0;
  lc_fiber_unpark(&r->fiber);
  if (lua_status(co) != LUA_YIELD) {      /* to be started */
    lua_pushcfunction(co, lc_items_body);
    lua_pushlightuserdata(co, r);
    n = 1;
  }
  lc_worker_own(co, 1);
  fs->current = &r->fiber;
  fs->running = co;
  status = lua_resume(co, fs->L, n, &n);
  fs->current = outer;
  fs->running = running;
  return status;
}

/* It was suspended, and something may have come to an end meanwhile: 1 if it
** is gone. */
static int run_ends_parked (Run *r) {
  if (lua_status(r->fiber.co) != LUA_YIELD) return 0;
  if (lc_stop_is_cancelled(r)) {
    run_kill(r);
    return 1;
  }
  if (lc_stop_is_late(r)) {
    r->stop = STOP_TIMEOUT;
    lc_fiber_unpark(&r->fiber);
    lc_stop_trace(r, r->kit->w->L, r->fiber.co);
    run_bury(r, LUA_YIELD);
  }
  return 0;
}

/* It waits, but there is no memory for that: its item fails. */
static void run_starve (Run *r) {
  r->stop = STOP_MEMORY;
  lc_fiber_unpark(&r->fiber);
  run_bury(r, LUA_YIELD);
}

/* Starts or goes on, until its items are done or it waits. (A coroutine is not started
** for none: that may fail, and then of which item?) */
static void run_on (Run *r) {
  Fibers *fs = r->fiber.fs;
  while (!run_ends_parked(r)) {
    int status = LUA_OK, parking;
    if (r->at < r->end) {
      if (lua_status(r->fiber.co) == LUA_YIELD) lc_offer(r);
      status = run_resume(r);
    }
    parking = fs->parking;
    fs->parking = fs->ending = 0;
    if (!lc_stop_may_answer(r)) r->stop = STOP_CANCEL;
    if (status == LUA_OK && r->at == r->end) {
      run_end(r);
      return;
    }
    if (status == LUA_OK || r->stop == STOP_CANCEL) {
      run_kill(r);
      return;
    }
    if (status == LUA_YIELD && parking) {
      if (!run_split(r)) run_starve(r);
      else if (!lc_stop_is_cancelled(r) && lc_fiber_park(&r->fiber)) return;
    }
    else run_bury(r, status);
  }
}

static void run_go (Task *t, Worker *w) {
  Run *r = (Run *)(void *)t, *below = r->kit->now;
  RunKit *kit = r->kit;
  Turn outer;
  kit->now = r;
  lc_answer_mark(r);
  lc_interrupt_begin(&w->interrupt, &outer, r->in->sink, r->fiber.co);
  if (r->fiber.limit != LC_NEVER)
    lc_interrupt_next(&w->interrupt, r->fiber.limit);
  run_on(r);
  kit->now = below;
  atomic_store_explicit(&kit->began, below != NULL ? below->sent_ns : 0,
                        memory_order_relaxed);
  lc_interrupt_end(&w->interrupt, &outer);
}

uint64_t lc_run_index (const RunKit *kit) {
  const Run *r = kit->now;
  return r != NULL && r->at < r->end ? lc_batch_index(r->in, r->at) : 0;
}

/* Not even the first item can run: every one fails, in the batch itself. */
static void run_bounce (RunKit *kit, Batch *b) {
  Sink *k = b->sink;
  size_t i;
  lc_batch_spell(b);
  b->busy_ns = b->ran = 0;
  for (i = 0; i < b->n; i++) {
    b->entries[i].kind = ENTRY_NOMEM;
    b->entries[i].last = 1;
  }
  lc_mutex_lock(&kit->guard);
  lc_answer_hand_over(kit, k, b);
  lc_mutex_unlock(&kit->guard);
}

void lc_run_batch (RunKit *kit, Batch *b) {
  Run *r;
  const SinkKind *kind = lc_sink_kind(b->sink);
  if (kind->started != NULL) kind->started(b->sink);
  if (lc_sink_cancelled(b->sink)) {
    b->users = 1;
    run_leave(kit, b);
    return;
  }
  lc_codec_begin(kit->w->L, kit->w->codec);     /* never raises */
  r = run_new(kit, b, 0, b->n);
  if (r == NULL) run_bounce(kit, b);
  else {
    run_list(r, NULL);
    run_go(&r->fiber.task, kit->w);
  }
}

void lc_run_idle (RunKit *kit) {
  lc_call_sweep(&kit->calls, kit->w->L, 0);
}

/* Its worker's state closes. */
static void run_drop (RunKit *kit, Run *r) {
  Interrupt *it = &kit->w->interrupt;
  Turn outer;
  kit->now = r;
  lc_interrupt_begin(it, &outer, r->in->sink, r->fiber.co);
  run_kill(r);
  kit->now = NULL;
  lc_interrupt_end(it, &outer);
}

void lc_run_close (RunKit *kit) {
  Fibers *fs = &kit->w->fibers;
  while (fs->live != NULL) run_drop(kit, (Run *)(void *)fs->live);
  lc_call_sweep(&kit->calls, fs->L, 1);
  lc_batch_free(kit->spare);
  kit->spare = NULL;
}
