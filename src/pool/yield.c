#include "yield.h"

#include <lauxlib.h>

#include "../base/clock.h"
#include "answer.h"
#include "fault.h"
#include "stop.h"

/* --- yields -------------------------------------------------------------- */

static void yield_forget_credit (Fiber *f, void *what) {
  Sink *k = (Sink *)what;
  lc_sink_kind(k)->forget(k, &f->node);
}

/* The yield cannot be sent: the credit goes back, and the task is told. */
static int yield_failed (lua_State *L, Run *r, const char *kind,
                             const char *what) {
  Sink *k = r->in->sink;
  r->refused = kind;
  lc_sink_kind(k)->refund(k);
  return luaL_error(L, "%s", what);
}

/* It waits for its reader: that is not its own time. */
static void yield_pause (Run *r) {
  uint64_t now = lc_now(), limit = r->fiber.limit;
  r->left = limit == LC_NEVER ? LC_NEVER : limit > now ? limit - now : 0;
  r->fiber.limit = LC_NEVER;
}

static void yield_forget_answer (Fiber *f, void *what) {
  lc_dialogue_forget((Dialogue *)what, &f->node);
}

/* The yield returns what its reader answers: waits for that. */
static int yield_answered (lua_State *L, int status, lua_KContext ctx) {
  Run *r = (Run *)ctx;
  Sink *k = r->in->sink;
  const Message *words;
  size_t at = 0;
  if (status == LUA_YIELD && r->left != LC_NEVER) lc_stop_in(r, r->left);
  if (lc_sink_cancelled(k)
      || !lc_dialogue_hear(k->dialogue, &r->fiber.node, &words)) {
    yield_pause(r);
    return lc_fiber_suspend(L, &r->fiber, LC_NEVER, yield_forget_answer,
                            k->dialogue, ctx, yield_answered);
  }
  lua_settop(L, 0);
  return words->len > 0 ? lc_decode(L, lc_kit_codec(r), words, &at) : 0;
}

/* There is credit: the values on the stack go, at once. */
static int yield_now (lua_State *L, Run *r) {
  Batch *out = r->out;
  size_t record = out->msg.len;
  EncodeResult result = LC_NOMEM;
  Entry *e;
  if (lc_batch_reserve(out, out->n + 1 + (r->end - r->at)))
    result = lc_encode(L, lc_kit_codec(r), &out->msg, 1, lua_gettop(L));
  if (result == LC_NOMEM) return yield_failed(L, r, LC_FAULT_MEMORY, LC_ANSWER_NOMEM);
  if (result == LC_REFUSED) {
    lc_answer_refusal(L);
    return yield_failed(L, r, LC_FAULT_TRANSFER, lua_tostring(L, -1));
  }
  e = lc_batch_put(out, lc_batch_index(r->in, r->at), ENTRY_VALUES, 0);
  e->at = record;
  e->worker = (unsigned)r->kit->w->id;
  r->yielded = 1;
  r->refused = NULL;
  lc_answer_flush(r);
  if (r->in->sink->dialogue == NULL) return 0;
  return yield_answered(L, LUA_OK, (lua_KContext)r);
}

static int yield_again (lua_State *L, int status, lua_KContext ctx) {
  Run *r = (Run *)ctx;
  (void)status;
  if (r->left != LC_NEVER) lc_stop_in(r, r->left);
  return lc_yield(L, &r->fiber);
}

/* Where nobody wants the value any more, the task is suspended for good. */
int lc_yield (lua_State *L, Fiber *f) {
  Run *r = (Run *)(void *)f;
  Sink *k = r->in->sink;
  if (lc_sink_kind(k)->credit == NULL)
    return luaL_error(L, "a submitted task has one result: it cannot yield "
                         "(use map or generate)");
  if (lc_stop_may_answer(r) && !lc_sink_cancelled(k)
      && lc_sink_kind(k)->credit(k, lc_batch_index(r->in, r->at), &f->node)) {
    int n = yield_now(L, r);
    lc_offer(r);
    return n;
  }
  yield_pause(r);
  return lc_fiber_suspend(L, f, LC_NEVER, yield_forget_credit, k,
                          (lua_KContext)r, yield_again);
}
