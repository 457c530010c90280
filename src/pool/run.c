#include "run.h"

#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"
#include "fault.h"
#include "sink.h"

/* Finished results wait at most this long for the task after them. */
#define FLUSH_US 100

enum { PHASE_DECODE, PHASE_CALL, PHASE_ENCODE, PHASE_FAULT };

/* Why it is to stop. */
enum { STOP_NOT, STOP_TIMEOUT, STOP_CANCEL, STOP_CLOSE };

/* A fiber that runs items of a batch. Its Lua stack: handler, function, call. */
typedef struct Run {
  Fiber fiber;            /* first */
  RunKit *kit;
  Batch *in;              /* shared with other runs: see `users` */
  size_t at, end;         /* items at .. end - 1 are its to run */
  size_t answered;        /* guarded: items before it are handed over */
  int stop;
  int trace;              /* where it was stopped: in the registry */
  uint64_t left;          /* of its time, while it waits for its reader */
  Batch *out;             /* results not sent yet; has room for end - at more */
  Call *call;             /* whose function is in FUNCTION; or NULL */
  int phase;
  int yielded;            /* the item has yielded */
  int attempt;            /* at the item, from 1 */
  int again;              /* it waits for that; how long, is not settled... */
  uint64_t until;         /* ...or is: until then; 0: it need not */
  const char *refused;    /* why its last yield could not be sent: a kind */
  Random random;          /* the item's, if the pool has a seed... */
  uint64_t started;       /* ...and how many things it has started */
  uint64_t sent_ticks;    /* when `out` was last sent... */
  uint64_t sent_ns;       /* ...likewise, in lc_now's time */
} Run;

enum { HANDLER = 1, FUNCTION = 2, FIRST = 3 };

size_t lc_run_fiber_size (void) { return sizeof(Run); }

static Codec *run_codec (Run *r) { return r->kit->w->codec; }
static Interrupt *run_interrupt (Run *r) { return &r->kit->w->interrupt; }

/* --- batches ------------------------------------------------------------- */

/* An empty batch with room for `n` entries; NULL without memory. */
static Batch *run_empty (RunKit *kit, Mem *mem, size_t n) {
  Batch *b = kit->spare != NULL ? kit->spare : lc_batch_new(mem);
  kit->spare = NULL;
  if (b != NULL && !lc_batch_reserve(b, n)) {
    lc_batch_free(b);
    b = NULL;
  }
  return b;
}

static void run_keep_spare (RunKit *kit, Batch *b) {
  if (b == NULL) return;
  if (kit->spare != NULL) lc_batch_free(b);
  else {
    lc_batch_clear(b);
    kit->spare = b;
  }
}

/* One fiber less needs the items; the last one lets go of the sink too. */
static void run_leave (RunKit *kit, Batch *in) {
  if (--in->users > 0) return;
  lc_shared_release(&in->sink->head);
  run_keep_spare(kit, in);
}

/* --- results ------------------------------------------------------------- */

/* Only what takes much longer than FLUSH_US is looked at from outside, and such
** an item is the first one after something was sent. Relaxed: for people. */
static void run_began (Run *r) {
  atomic_store_explicit(&r->kit->began, r->sent_ns, memory_order_relaxed);
}

static void run_mark_sent (Run *r) {
  r->sent_ns = lc_now();
  r->sent_ticks = lc_ticks();
  run_began(r);
}

/* Under the guard: who was abandoned answers no more. */
static void run_hand_over (RunKit *kit, Sink *k, Batch *b) {
  if (kit->abandoned) {
    lc_batch_free(b);
    lc_shared_release(&k->head);
  }
  else lc_sink_kind(k)->deliver(k, b);
}

static void run_deliver (Run *r, Batch *b) {
  Sink *k = r->in->sink;
  uint64_t since = r->sent_ns;
  run_mark_sent(r);
  b->busy_ns = r->sent_ns - since;
  b->sink = k;
  lc_shared_hold(&k->head);
  lc_mutex_lock(&r->kit->guard);
  r->answered = r->at;
  run_hand_over(r->kit, k, b);
  lc_mutex_unlock(&r->kit->guard);
}

/*
** Sends what is ready before the run is through; keeps it if there is no
** memory for another batch with the room that is still needed.
*/
static void run_flush (Run *r) {
  Batch *b = r->out, *next;
  if (b->n == 0) return;
  next = run_empty(r->kit, r->kit->w->mem, r->end - r->at);
  if (next == NULL) return;
  r->out = next;
  run_deliver(r, b);
}

/* Room was reserved: never fails. */
static void run_add (Run *r, size_t record, EntryKind kind) {
  Entry *e = lc_batch_add(r->out, r->in->entries[r->at].index, kind, 1);
  e->at = record;
  e->worker = (short)r->kit->w->id;
  e->attempt = r->attempt;
  r->out->ran++;
  r->kit->ran++;
}

/* Cuts off what a failed attempt left behind the last whole record. */
static void run_cut (Run *r, size_t record) {
  r->out->msg.len = record;
}

/*
** The item failed: message, traceback and value are the top three of `L`
** (the fiber's coroutine, or the worker's main one).
*/
static void run_add_fault (lua_State *L, Run *r, const char *kind) {
  Message *m = &r->out->msg;
  Entry *item = &r->in->entries[r->at];
  size_t record = m->len, pos = item->at;
  int at = lua_gettop(L) - 2, n = 0, given;
  int decodes = r->phase != PHASE_DECODE;
  r->phase = PHASE_FAULT;
  if (decodes) n = lc_decode(L, run_codec(r), &r->in->msg, &pos);
  given = n > 0 && item->call == NULL;               /* its function */
  if (lc_fault_write(L, run_codec(r), m, kind, at, at + 3 + given, n - given))
    run_add(r, record, ENTRY_FAULT);
  else {
    run_cut(r, record);
    run_add(r, record, ENTRY_NOMEM);
  }
}

/* What lc_encode pushed about a refused result becomes one sentence. */
static void run_refusal (lua_State *L) {
  int at = lua_gettop(L) - 2;
  lua_pushfstring(L, "cannot send result[%I]%s: %s",
                  (LUAI_UACINT)lua_tointeger(L, at),
                  lua_tostring(L, at + 1), lua_tostring(L, at + 2));
  lua_replace(L, at);
  lua_settop(L, at);
}

/* A task's return is a result, unless it has yielded and returns nothing. */
static void run_add_results (lua_State *co, Run *r) {
  Message *m = &r->out->msg;
  size_t record = m->len;
  int n = lua_gettop(co) - FUNCTION;
  r->phase = PHASE_ENCODE;
  if (n == 0 && r->yielded) {
    run_add(r, record, ENTRY_END);
    return;
  }
  switch (lc_encode(co, run_codec(r), m, FIRST, n)) {
    case LC_ENCODED:
      run_add(r, record, ENTRY_VALUES);
      break;
    case LC_REFUSED:
      run_refusal(co);
      lua_pushnil(co);
      lua_pushvalue(co, -2);
      run_add_fault(co, r, LC_FAULT_TRANSFER);
      break;
    case LC_NOMEM:
      run_add(r, record, ENTRY_NOMEM);
      break;
  }
}

/* --- inside the fiber ---------------------------------------------------- */

static const char run_nomem[] = "not enough memory";

/*
** A failure for lack of memory. Lua's own buffers, and whoever passes the error
** on, raise it as an ordinary one; the heap knows that there was something.
*/
static int run_is_nomem (Run *r, int status, const char *text) {
  Worker *w = r->kit->w;
  size_t n = text != NULL ? strlen(text) : 0, k = sizeof run_nomem - 1;
  int is = status == LUA_ERRMEM || (w->heap.refused > 0 && n >= k
                                    && strcmp(text + n - k, run_nomem) == 0);
  if (is) w->strained = 1;
  return is;
}
static const char run_refused[] = "cannot send result[";

/* The task may have caught what a refused yield raised, and failed of something
** else since. The message is third from the top. */
static const char *run_error_kind (lua_State *co, Run *r, int status) {
  const char *text = lua_tostring(co, -3);
  if (run_is_nomem(r, status, text)) return LC_FAULT_MEMORY;
  if (r->refused != NULL && text != NULL
      && (strstr(text, run_refused) != NULL || strstr(text, run_nomem) != NULL))
    return r->refused;
  return LC_FAULT_ERROR;
}

/* What an attempt leaves behind goes. */
static void run_clear (Run *r) {
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

/* It goes to the next item. */
static void run_pass (Run *r) {
  run_clear(r);
  r->attempt = 1;
  r->again = 0;
  r->at++;
}

/* The attempt has failed: whether there is another one. */
static int run_tries_again (Run *r, const char *kind) {
  const Retry *t = r->in->retry;
  if (t == NULL || r->yielded || !lc_retry_wants(t, r->attempt, kind)) return 0;
  r->attempt++;
  r->again = 1;
  return 1;
}

/* Its time is up. Pushes message, traceback and value, and adds them. */
static void run_add_timeout (lua_State *L, Run *r) {
  luaL_checkstack(L, 6, NULL);
  lua_pushfstring(L, "the task did not end within its timeout of %f seconds",
                  (lua_Number)r->in->timeout / 1e9);
  if (r->trace == LUA_NOREF) lua_pushnil(L);
  else lua_rawgeti(L, LUA_REGISTRYINDEX, r->trace);
  lua_pushvalue(L, -2);
  run_add_fault(L, r, LC_FAULT_TIMEOUT);
}

static void run_finish (lua_State *co, Run *r, int status) {
  int again = 0;
  if (r->stop == STOP_CANCEL) return;
  if (r->stop == STOP_TIMEOUT) {
    again = run_tries_again(r, LC_FAULT_TIMEOUT);
    if (!again) run_add_timeout(co, r);
  }
  else if (status == LUA_OK || status == LUA_YIELD) run_add_results(co, r);
  else {
    const char *kind;
    lc_fault_open(co, status);
    kind = run_error_kind(co, r, status);
    again = run_tries_again(r, kind);
    if (!again) run_add_fault(co, r, kind);
  }
  if (again) run_clear(r);
  else run_pass(r);
  if (r->at < r->end
      && lc_ticks() - r->sent_ticks > FLUSH_US * LC_TICKS_PER_US)
    run_flush(r);
}

static int run_items (lua_State *co, Run *r);

static int run_continue (lua_State *co, int status, lua_KContext ctx) {
  Run *r = (Run *)ctx;
  run_finish(co, r, status);
  return run_items(co, r);
}

/* Pushes the function and its arguments; gives the number of arguments. */
static int run_push_call (lua_State *co, Run *r, const Entry *e) {
  size_t pos = e->at;
  if (e->call == NULL) {             /* its first value is the function */
    int n = lc_decode(co, run_codec(r), &r->in->msg, &pos);
    if (lua_type(co, -n) == LUA_TSTRING) {
      lua_pushvalue(co, -n);
      lc_call_resolve(co);
      lua_replace(co, -n - 1);
    }
    return n - 1;
  }
  if (e->call != r->call) {
    lc_call_push(&r->kit->calls, co, run_codec(r), e->call);
    lua_replace(co, FUNCTION);
    r->call = e->call;
  }
  lua_pushvalue(co, FUNCTION);
  return lc_decode(co, run_codec(r), &r->in->msg, &pos);
}

/* --- random numbers ------------------------------------------------------ */

static uint64_t run_number (const Run *r) {
  return r->in->base + r->in->entries[r->at].index;
}

static void run_seed (Run *r) {
  lc_random_seed(&r->random, r->in->seed, run_number(r));
  r->started = 0;
}

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
  *seed = lc_random_split(lc_random_split(r->in->seed, run_number(r)),
                          r->started++);
  return 1;
}

/* --- retries ------------------------------------------------------------- */

/* The function that was to give a pause has failed, or gave something else: the
** item fails of that. The error value or what it gave is on top. */
static int run_delay_failed (lua_State *co, Run *r, int status) {
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
  run_add_fault(co, r, LC_FAULT_ERROR);
  run_pass(r);
  return 0;
}

/* Settles how long the item waits for its next attempt; 0: it has failed. */
static int run_delay (lua_State *co, Run *r) {
  const Retry *t = r->in->retry;
  uint64_t pause;
  if (t->ask == NULL) pause = lc_retry_pause(t, r->attempt - 1);
  else {
    int status;
    r->phase = PHASE_CALL;
    lc_call_push(&r->kit->calls, co, run_codec(r), t->ask);
    lua_pushinteger(co, r->attempt - 1);
    status = lua_pcall(co, 1, 1, HANDLER);
    if (status != LUA_OK || lua_type(co, -1) != LUA_TNUMBER
        || !lc_retry_seconds(lua_tonumber(co, -1), &pause))
      return run_delay_failed(co, r, status);
  }
  r->again = 0;
  r->until = pause > 0 ? lc_now() + pause : 0;
  return 1;
}

/* --- limits -------------------------------------------------------------- */

/* The item has `ns` more. */
static void run_limit (Run *r, uint64_t ns) {
  r->fiber.limit = lc_now() + ns;
  lc_interrupt_next(run_interrupt(r), r->fiber.limit);
}

static int run_is_late (const Run *r) {
  return r->fiber.limit != LC_NEVER && lc_now() >= r->fiber.limit;
}

static int run_is_cancelled (const Run *r) {
  return lc_sink_cancelled(r->in->sink)
         || atomic_load_explicit(&r->kit->halt, memory_order_seq_cst);
}

/* A cancel that comes while it is stopped for something else counts more. */
int lc_run_stops (RunKit *kit) {
  Run *r = kit->now;
  if (r == NULL)
    return atomic_load_explicit(&kit->halt, memory_order_seq_cst);
  if (run_is_cancelled(r)) r->stop = STOP_CANCEL;
  else if (r->stop == STOP_NOT && run_is_late(r)) r->stop = STOP_TIMEOUT;
  return r->stop != STOP_NOT;
}

/* Protected: (run, the coroutine that was stopped). If that is this one, below
** this function. */
static int run_write_trace (lua_State *L) {
  Run *r = (Run *)lua_touserdata(L, 1);
  lua_State *co = (lua_State *)lua_touserdata(L, 2);
  lc_fault_trace(L, co, co == L);
  r->trace = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static void run_trace (Run *r, lua_State *L, lua_State *co) {
  if (r->trace != LUA_NOREF || !lua_checkstack(L, 4)) return;
  lua_pushcfunction(L, run_write_trace);
  lua_pushlightuserdata(L, r);
  lua_pushlightuserdata(L, co);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) lua_pop(L, 1);
}

void lc_run_stopping (RunKit *kit, lua_State *L) {
  Run *r = kit->now;
  if (r != NULL && r->stop == STOP_TIMEOUT) run_trace(r, L, L);
}

/* --- items --------------------------------------------------------------- */

static int run_go_on (lua_State *co, int status, lua_KContext ctx) {
  (void)status;
  return run_items(co, (Run *)ctx);
}

/*
** One item after the other. A protected call in a coroutine costs no setjmp:
** an error unwinds to the resume below, and `run_continue` goes on.
*/
static int run_items (lua_State *co, Run *r) {
  while (r->at < r->end && !run_is_cancelled(r)) {
    int n, status;
    lua_settop(co, FUNCTION);
    if (r->again && !run_delay(co, r)) continue;
    if (r->until > 0 && r->until > lc_now())
      return lc_fiber_suspend(co, &r->fiber, r->until, NULL, NULL,
                              (lua_KContext)r, run_go_on);
    r->phase = PHASE_DECODE;
    if (r->in->timeout != 0) run_limit(r, r->in->timeout);
    if (r->kit->seeded) run_seed(r);
    n = run_push_call(co, r, &r->in->entries[r->at]);
    r->phase = PHASE_CALL;
    status = lua_pcallk(co, n, LUA_MULTRET, HANDLER, (lua_KContext)r,
                        run_continue);
    run_finish(co, r, status);
  }
  return 0;
}

static int run_body (lua_State *co) {
  Run *r = (Run *)lua_touserdata(co, 1);
  lua_settop(co, 0);
  lua_pushcfunction(co, lc_fault_handler);
  lua_pushnil(co);
  return run_items(co, r);
}

/* --- yields -------------------------------------------------------------- */

static void run_forget_credit (Fiber *f, void *what) {
  Sink *k = (Sink *)what;
  lc_sink_kind(k)->forget(k, &f->node);
}

/* The yield cannot be sent: the credit goes back, and the task is told. */
static int run_yield_failed (lua_State *L, Run *r, const char *kind,
                             const char *what) {
  Sink *k = r->in->sink;
  r->refused = kind;
  lc_sink_kind(k)->refund(k);
  return luaL_error(L, "%s", what);
}

/* It waits for its reader: that is not its own time. */
static void run_pause (Run *r) {
  uint64_t now = lc_now(), limit = r->fiber.limit;
  r->left = limit == LC_NEVER ? LC_NEVER : limit > now ? limit - now : 0;
  r->fiber.limit = LC_NEVER;
}

static void run_forget_answer (Fiber *f, void *what) {
  lc_dialogue_forget((Dialogue *)what, &f->node);
}

/* The yield returns what its reader answers: waits for that. */
static int run_answered (lua_State *L, int status, lua_KContext ctx) {
  Run *r = (Run *)ctx;
  Sink *k = r->in->sink;
  const Message *words;
  size_t at = 0;
  if (status == LUA_YIELD && r->left != LC_NEVER) run_limit(r, r->left);
  if (lc_sink_cancelled(k)
      || !lc_dialogue_hear(k->dialogue, &r->fiber.node, &words)) {
    run_pause(r);
    return lc_fiber_suspend(L, &r->fiber, LC_NEVER, run_forget_answer,
                            k->dialogue, ctx, run_answered);
  }
  lua_settop(L, 0);
  return words->len > 0 ? lc_decode(L, run_codec(r), words, &at) : 0;
}

/* There is credit: the values on the stack go, at once. */
static int run_yield_now (lua_State *L, Run *r) {
  Batch *out = r->out;
  size_t record = out->msg.len;
  EncodeResult result = LC_NOMEM;
  Entry *e;
  if (lc_batch_reserve(out, out->n + 1 + (r->end - r->at)))
    result = lc_encode(L, run_codec(r), &out->msg, 1, lua_gettop(L));
  if (result == LC_NOMEM) return run_yield_failed(L, r, LC_FAULT_MEMORY, run_nomem);
  if (result == LC_REFUSED) {
    run_refusal(L);
    return run_yield_failed(L, r, LC_FAULT_TRANSFER, lua_tostring(L, -1));
  }
  e = lc_batch_add(out, r->in->entries[r->at].index, ENTRY_VALUES, 0);
  e->at = record;
  e->worker = (short)r->kit->w->id;
  r->yielded = 1;
  r->refused = NULL;
  run_flush(r);
  if (r->in->sink->dialogue == NULL) return 0;
  return run_answered(L, LUA_OK, (lua_KContext)r);
}

static int run_yield_again (lua_State *L, int status, lua_KContext ctx) {
  Run *r = (Run *)ctx;
  (void)status;
  if (r->left != LC_NEVER) run_limit(r, r->left);
  return lc_run_yield(L, &r->fiber);
}

/* Where nobody wants the value any more, the task is suspended for good. */
int lc_run_yield (lua_State *L, Fiber *f) {
  Run *r = (Run *)(void *)f;
  Sink *k = r->in->sink;
  if (lc_sink_kind(k)->credit == NULL)
    return luaL_error(L, "a submitted task has one result: it cannot yield "
                         "(use map or generate)");
  if (!lc_sink_cancelled(k) && lc_sink_kind(k)->credit(k, r->in->entries[r->at].index, &f->node))
    return run_yield_now(L, r);
  run_pause(r);
  return lc_fiber_suspend(L, f, LC_NEVER, run_forget_credit, k,
                          (lua_KContext)r, run_yield_again);
}

/* --- deaths -------------------------------------------------------------- */

static const char *run_death_kind (Run *r, int status, const char *text) {
  if (run_is_nomem(r, status, text)) return LC_FAULT_MEMORY;
  return status == LUA_YIELD ? LC_FAULT_ERROR : LC_FAULT_TRANSFER;
}

/* Protected, on the worker's main coroutine: (run, status, error value). */
static int run_write_death (lua_State *L) {
  Run *r = (Run *)lua_touserdata(L, 1);
  int status = (int)lua_tointeger(L, 2);
  const char *kind;
  if (r->stop == STOP_TIMEOUT) {
    run_add_timeout(L, r);
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
  run_add_fault(L, r, kind);
  return 0;
}

/* The error value, if there is one, is on top of the coroutine's stack. */
static const char *run_buried_kind (Run *r, int status) {
  lua_State *co = r->fiber.co;
  if (r->stop == STOP_TIMEOUT) return LC_FAULT_TIMEOUT;
  return run_death_kind(r, status,
           status != LUA_YIELD && lua_type(co, -1) == LUA_TSTRING
             ? lua_tostring(co, -1) : NULL);
}

/* Runs its pending <close> variables, for a while. */
static void run_close (Run *r, int why) {
  r->stop = why;
  lc_interrupt_closing(run_interrupt(r));
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
      && run_tries_again(r, run_buried_kind(r, status))) {
    run_close(r, why);
    run_clear(r);
    return;
  }
  if (r->again) r->attempt--;        /* it has not come to that one */
  if (r->phase != PHASE_FAULT && lua_checkstack(L, 4)) {
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
    run_cut(r, record);
    run_add(r, record, ENTRY_NOMEM);
  }
  run_close(r, why);
  run_pass(r);
}

/* --- around the fiber ---------------------------------------------------- */

static void run_go (Task *t, Worker *w);

/* A fiber for items at .. end - 1 of `in`, on no list; NULL without memory. */
static Run *run_new (RunKit *kit, Batch *in, size_t at, size_t end) {
  Batch *out = run_empty(kit, kit->w->mem, end - at);
  Run *r = out != NULL ? (Run *)(void *)lc_fiber_take(&kit->w->fibers) : NULL;
  if (r == NULL) {
    run_keep_spare(kit, out);
    return NULL;
  }
  r->fiber.task.run = run_go;
  r->fiber.task.drop = NULL;      /* lc_run_close ends it */
  r->kit = kit;
  r->in = in;
  r->at = r->answered = at;
  r->end = end;
  r->out = out;
  r->call = NULL;
  r->stop = STOP_NOT;
  r->trace = LUA_NOREF;
  r->left = LC_NEVER;
  r->yielded = r->again = 0;
  r->refused = NULL;
  r->attempt = 1;
  r->until = 0;
  in->users++;
  return r;
}

/* From here on it answers for its items; `before`, if any, no more. */
static void run_list (Run *r, Run *before) {
  lc_mutex_lock(&r->kit->guard);
  lc_fiber_list(&r->fiber);
  atomic_fetch_add_explicit(&r->kit->nlive, 1, memory_order_relaxed);
  if (before != NULL) before->end = r->at;
  lc_mutex_unlock(&r->kit->guard);
}

/* It answers for nothing any more. */
static void run_retire (Run *r) {
  RunKit *kit = r->kit;
  Batch *in = r->in;
  lc_mutex_lock(&kit->guard);
  lc_fiber_unlist(&r->fiber);
  atomic_fetch_sub_explicit(&kit->nlive, 1, memory_order_relaxed);
  lc_mutex_unlock(&kit->guard);
  lc_fiber_give(r->fiber.fs, &r->fiber);
  run_leave(kit, in);
}

/* Through: everything it has to say is in `out`. */
static void run_end (Run *r) {
  if (r->out->n > 0) run_deliver(r, r->out);
  else run_keep_spare(r->kit, r->out);
  run_retire(r);
}

/* Its sink is cancelled or its worker ends. */
static void run_kill (Run *r) {
  RunKit *kit = r->kit;
  Sink *k = r->in->sink;
  lc_fiber_unpark(&r->fiber);
  run_close(r, STOP_CANCEL);
  luaL_unref(kit->w->L, LUA_REGISTRYINDEX, r->trace);
  run_keep_spare(kit, r->out);
  atomic_fetch_add_explicit(&kit->cut, r->end - r->at, memory_order_relaxed);
  if (lc_sink_kind(k)->lost != NULL) lc_sink_kind(k)->lost(k);
  run_retire(r);
}

/*
** The task at `at` waits: another fiber goes on with those behind it, and
** what is finished goes. Without memory they fail, in the room they have.
*/
static void run_split (Run *r) {
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
        run_add(r, r->out->msg.len, ENTRY_NOMEM);
      r->at = at;
      r->end = from;
    }
  }
  run_flush(r);
}

static int run_resume (Run *r) {
  Fibers *fs = r->fiber.fs;
  Fiber *outer = fs->current;
  lua_State *running = fs->running;
  lua_State *co = r->fiber.co;
  int status, n = 0;
  lc_fiber_unpark(&r->fiber);
  if (lua_status(co) != LUA_YIELD) {      /* to be started */
    lua_pushcfunction(co, run_body);
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
  if (run_is_cancelled(r)) {
    run_kill(r);
    return 1;
  }
  if (run_is_late(r)) {
    r->stop = STOP_TIMEOUT;
    lc_fiber_unpark(&r->fiber);
    run_trace(r, r->kit->w->L, r->fiber.co);
    run_bury(r, LUA_YIELD);
  }
  return 0;
}

/* Starts or goes on, until its items are done or it waits. */
static void run_on (Run *r) {
  Fibers *fs = r->fiber.fs;
  while (!run_ends_parked(r)) {
    int status = run_resume(r), parking = fs->parking;
    fs->parking = fs->ending = 0;
    if (status == LUA_OK && r->at == r->end) {
      run_end(r);
      return;
    }
    if (status == LUA_OK || r->stop == STOP_CANCEL) {
      run_kill(r);
      return;
    }
    if (status == LUA_YIELD && parking) {
      run_split(r);
      if (!run_is_cancelled(r) && lc_fiber_park(&r->fiber)) return;
    }
    else run_bury(r, status);
  }
}

static void run_go (Task *t, Worker *w) {
  Run *r = (Run *)(void *)t, *below = r->kit->now;
  RunKit *kit = r->kit;
  Turn outer;
  kit->now = r;
  run_mark_sent(r);
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
  return r != NULL && r->at < r->end ? r->in->entries[r->at].index : 0;
}

/* Not even the first item can run: every one fails, in the batch itself. */
static void run_bounce (RunKit *kit, Batch *b) {
  Sink *k = b->sink;
  size_t i;
  for (i = 0; i < b->n; i++) {
    b->entries[i].kind = ENTRY_NOMEM;
    b->entries[i].last = 1;
  }
  lc_mutex_lock(&kit->guard);
  run_hand_over(kit, k, b);
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

void lc_run_sweep (RunKit *kit) {
  Fiber *f;
  for (f = kit->w->fibers.live; f != NULL; f = f->live)
    if (run_is_cancelled((Run *)(void *)f)) f->waiter.wake(&f->waiter);
}

/* --- an abandoned worker ------------------------------------------------- */

/* What `r` has not answered is lost. Guarded. */
static int run_lose (Run *r) {
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

int lc_run_abandon (RunKit *kit) {
  Fiber *f;
  int all = 1;
  lc_mutex_lock(&kit->guard);
  kit->abandoned = 1;
  for (f = kit->w->fibers.live; f != NULL; f = f->live)
    all &= run_lose((Run *)(void *)f);
  lc_mutex_unlock(&kit->guard);
  return all;
}
