#include "items.h"

#include <lauxlib.h>

#include "../base/clock.h"
#include "answer.h"
#include "fault.h"
#include "offer.h"
#include "retry.h"
#include "stop.h"

/* Finished results wait at most this long for the task after them... */
#define FLUSH_US 100
/* ...and to look at the clock takes as long as a third of a tiny task: where they are as
** quick as that, it is looked at after so many. */
#define QUICK_US 4
#define STRIDE_MOST 8

/* --- attempts ------------------------------------------------------------- */

void lc_items_clear (Run *r) {
  if (r->trace != LUA_NOREF) {
    luaL_unref(r->kit->w->L, LUA_REGISTRYINDEX, r->trace);
    r->trace = LUA_NOREF;
  }
  r->stop = STOP_NOT;
  r->fiber.limit = LC_NEVER;
  r->yielded = 0;
  r->refused = NULL;
  r->until = 0;
}

void lc_items_pass (Run *r) {
  lc_items_clear(r);
  r->attempt = 1;
  r->again = 0;
  r->at++;
}

int lc_items_try_again (Run *r, const char *kind) {
  const Retry *t = r->in->retry;
  if (t == NULL || r->yielded || !lc_retry_wants(t, r->attempt, kind)) return 0;
  r->attempt++;
  r->again = 1;
  return 1;
}

/* What is finished goes, if it has waited for long. */
static void items_look (Run *r) {
  uint64_t now = lc_ticks();
  if (now - r->looked > QUICK_US * LC_TICKS_PER_US) r->stride = 1;
  else if (r->stride < STRIDE_MOST) r->stride *= 2;
  r->looked = now;
  r->look = r->at + r->stride;
  if (now - r->sent_ticks > FLUSH_US * LC_TICKS_PER_US) lc_answer_flush(r);
}

static void items_finish (lua_State *co, Run *r, int status) {
  int again = 0;
  if (!lc_stop_may_answer(r)) r->stop = STOP_CANCEL;
  if (r->stop == STOP_CANCEL) return;
  if (r->stop == STOP_TIMEOUT) {
    again = lc_items_try_again(r, LC_FAULT_TIMEOUT);
    if (!again) lc_answer_timeout(co, r);
  }
  else if (status == LUA_OK || status == LUA_YIELD) lc_answer_results(co, r);
  else if (lc_stop_is_cancelled(r)) {       /* of that it may have failed */
    r->stop = STOP_CANCEL;
    return;
  }
  else {
    const char *kind;
    lc_fault_open(co, status);
    kind = lc_answer_kind(co, r, status);
    again = lc_items_try_again(r, kind);
    if (!again) lc_answer_fault(co, r, kind);
  }
  if (again) lc_items_clear(r);
  else lc_items_pass(r);
  if (r->at >= r->look && r->at < r->end) items_look(r);
}

static int items_loop (lua_State *co, Run *r);

static int items_continue (lua_State *co, int status, lua_KContext ctx) {
  Run *r = (Run *)ctx;
  items_finish(co, r, status);
  return items_loop(co, r);
}

/* Pushes the function and its arguments; gives the number of arguments. */
static int items_push_call (lua_State *co, Run *r, const Entry *e) {
  if (e->call == NULL) {             /* its first value is the function */
    int n = lc_entry_push(co, lc_kit_codec(r), &r->in->msg, e);
    if (lua_type(co, -n) == LUA_TSTRING) {
      lua_pushvalue(co, -n);
      lc_call_resolve(co);
      lua_replace(co, -n - 1);
    }
    return n - 1;
  }
  if (e->call != r->call) {
    lc_call_push(&r->kit->calls, co, lc_kit_codec(r), e->call);
    lua_replace(co, FUNCTION);
    r->call = e->call;
  }
  lua_pushvalue(co, FUNCTION);
  if (e->form == FORM_RECORD)
    return lc_entry_push(co, lc_kit_codec(r), &r->in->msg, e);
  lc_entry_value(co, e);
  return 1;
}

/* --- retries ------------------------------------------------------------- */

/* The function that was to give a pause has failed, or gave something else: the
** item fails of that. The error value or what it gave is on top. */
static int items_delay_failed (lua_State *co, Run *r, int status) {
  if (status != LUA_OK) {
    lc_fault_open(co, status);
    lua_pushfstring(co, "retry_delay: %s", lua_tostring(co, -3));
    lua_replace(co, -4);
  }
  else {
    lua_pushfstring(co, "retry_delay: a number of seconds expected, got %s",
                    luaL_tolstring(co, -1, NULL));
    lua_pushnil(co);
    lua_pushvalue(co, -2);
  }
  r->attempt--;
  lc_answer_fault(co, r, LC_FAULT_ERROR);
  lc_items_pass(r);
  return 0;
}

/* Settles how long the item waits for its next attempt; 0: it has failed. */
static int items_delay (lua_State *co, Run *r) {
  const Retry *t = r->in->retry;
  uint64_t pause;
  if (t->ask == NULL) pause = lc_retry_pause(t, r->attempt - 1);
  else {
    int status;
    r->phase = PHASE_CALL;
    lc_call_push(&r->kit->calls, co, lc_kit_codec(r), t->ask);
    lua_pushinteger(co, r->attempt - 1);
    status = lua_pcall(co, 1, 1, HANDLER);
    if (status != LUA_OK || lua_type(co, -1) != LUA_TNUMBER
        || !lc_retry_seconds(lua_tonumber(co, -1), &pause))
      return items_delay_failed(co, r, status);
  }
  r->again = 0;
  r->until = pause > 0 ? lc_now() + pause : 0;
  return 1;
}

/* --- items --------------------------------------------------------------- */

static void items_seed (Run *r) {
  lc_random_seed(&r->random, r->in->seed, lc_kit_number(r));
  r->started = 0;
}

static int items_go_on (lua_State *co, int status, lua_KContext ctx) {
  Run *r = (Run *)ctx;
  (void)status;
  if (lc_stop_may_answer(r)) return items_loop(co, r);
  r->stop = STOP_CANCEL;
  return 0;
}

/*
** One item after the other. A protected call in a coroutine costs no setjmp:
** an error unwinds to the resume in run.c, and `items_continue` goes on.
*/
static int items_loop (lua_State *co, Run *r) {
  while (r->at < r->end && !lc_stop_is_cancelled(r)) {
    Entry made;
    int n, status;
    lua_settop(co, FUNCTION);
    if (r->again && !items_delay(co, r)) continue;
    if (r->until > 0 && r->until > lc_now())
      return lc_fiber_suspend(co, &r->fiber, r->until, NULL, NULL,
                              (lua_KContext)r, items_go_on);
    r->phase = PHASE_DECODE;
    if (r->in->timeout == 0) lc_offer(r);
    else if (!lc_stop_may_begin(r)) break;
    if (r->kit->seeded) items_seed(r);
    n = items_push_call(co, r, lc_batch_entry(r->in, r->at, &made));
    r->phase = PHASE_CALL;
    status = lua_pcallk(co, n, LUA_MULTRET, HANDLER, (lua_KContext)r,
                        items_continue);
    items_finish(co, r, status);
  }
  return 0;
}

int lc_items_body (lua_State *co) {
  Run *r = (Run *)lua_touserdata(co, 1);
  lua_settop(co, 0);
  lua_pushcfunction(co, lc_fault_handler);
  lua_pushnil(co);
  return items_loop(co, r);
}
