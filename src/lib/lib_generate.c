/*
** lib_generate.c: pool:generate: a generator whose body runs in a worker: a
** stream with one item, and a dialogue between reader and body. The reader's
** second demand settles how the body goes on: see pool/dialogue.h. Stands on
** pool/stream, generator and lib_wait.
*/
#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"
#include "../pool/supply.h"
#include "generator.h"
#include "lib.h"
#include "lib_wait.h"
#include "sandbox.h"

/* Items that the body may be ahead. */
#define GENERATE_AHEAD 64

typedef struct Remote {
  Generator head;           /* first */
  Home *home;
  Pool *pool;               /* held, until closed */
  Stream *s;                /* NULL when closed */
  int *held;                /* of the `await` that waits; or NULL */
  int begun;                /* an item has been asked for... */
  int asked;                /* ...and the last one asked for not taken yet */
  int stepping;             /* the body waits for an answer to each yield... */
  int ahead;                /* ...or not any more; or neither is settled */
} Remote;

static void rem_drop (Remote *g) {
  if (g->s == NULL) return;
  lc_pool_end(g->pool, g->s);
  g->s = NULL;
  lc_pool_release(g->pool);
  g->pool = NULL;
}

static void rem_close (lua_State *L, int idx, Generator *g) {
  (void)L; (void)idx;
  g->state = GEN_DEAD;
  rem_drop((Remote *)(void *)g);
}

/*
** One more item is wanted. Nobody has answered the yield of the item before: if
** it was settled that the body waits, it gets nothing; else it may run from now on.
*/
static void rem_ask (Remote *g) {
  Dialogue *d = g->s->sink.dialogue;
  if (g->asked || g->ahead) return;
  g->asked = 1;
  if (g->stepping) {
    lc_dialogue_words(d);
    lc_dialogue_answer(d);
  }
  else if (g->begun) {
    g->ahead = 1;
    lc_dialogue_let_run(d);
  }
  g->begun = 1;
}

/* What lc_encode pushed about a value that cannot be sent: raises it. */
static void rem_refuse (lua_State *L) {
  const char *way = lua_tostring(L, -2);
  luaL_error(L, "send: argument %I%s%s: cannot send %s",
             (LUAI_UACINT)lua_tointeger(L, -3),
             *way == '.' || *way == '[' ? ", field " : "", way,
             lua_tostring(L, -1));
}

/* Protected: (remote, values): the result of lc_encode, and what it pushed. */
static int rem_encode (lua_State *L) {
  Remote *g = (Remote *)lua_touserdata(L, 1);
  Message *words = lc_dialogue_words(g->s->sink.dialogue);
  int n = lua_gettop(L) - 1;
  EncodeResult result = lc_encode(L, g->home->codec, words, 2, n);
  lua_pushinteger(L, result);
  lua_replace(L, n + 1);
  return lua_gettop(L) - n;
}

/* It answers the pending yield. What values do when they are sent (__transfer, __gc)
** must not come back here, so it is running meanwhile. */
static void rem_send (lua_State *L, Generator *gen, int first) {
  Remote *g = (Remote *)(void *)gen;
  int n = lua_gettop(L) - first + 1, status;
  if (g->ahead)
    luaL_error(L, "cannot send to a worker's generator that runs ahead: after "
                  "its first item it was asked with next, or by a loop (send "
                  "from the second item on)");
  if (g->asked)
    luaL_error(L, "cannot send: the item asked for before has not been taken");
  lc_codec_begin(L, g->home->codec);
  lc_sandbox_address(L, g->home, g->pool);
  lua_pushcfunction(L, rem_encode);
  lua_pushlightuserdata(L, g);
  lua_rotate(L, first, 2);
  gen->state = GEN_RUNNING;
  status = lua_pcall(L, n + 1, LUA_MULTRET, 0);
  gen->state = GEN_SUSPENDED;
  if (status != LUA_OK) lua_error(L);
  switch ((EncodeResult)lua_tointeger(L, first)) {
    case LC_ENCODED: break;
    case LC_REFUSED: rem_refuse(L); return;
    case LC_NOMEM: luaL_error(L, "not enough memory"); return;
  }
  g->stepping = g->asked = 1;
  lc_dialogue_answer(g->s->sink.dialogue);
}

/* What a body returns is no item. */
static int rem_take (lua_State *L, Remote *g) {
  Batch *b;
  const Entry *e = lc_stream_take(g->s, &b);
  g->asked = 0;
  if (e->kind == ENTRY_FAULT || e->kind == ENTRY_NOMEM
      || e->kind == ENTRY_LOST) {
    lc_lib_push_error(L, g->home->codec, e, &b->msg);
    return LC_GEN_FAILED;
  }
  if (e->last) return LC_GEN_END;
  return lc_entry_push(L, g->home->codec, &b->msg, e);
}

static uint64_t rem_until (const Remote *g) {
  return g->head.until != 0 ? g->head.until : LC_NEVER;
}

/* Protected: (remote). What it gives lies on the stack, its number on top. */
static int rem_step (lua_State *L) {
  Remote *g = (Remote *)lua_touserdata(L, 1);
  int n;
  lua_settop(L, 0);
  for (;;) {
    switch (lc_stream_step(g->s, 1)) {
      case STREAM_READY:
        n = rem_take(L, g);
        if (n == LC_GEN_FAILED) return lc_lib_raise(L, 2);
        luaL_checkstack(L, 1, NULL);
        lua_pushinteger(L, n);
        return lua_gettop(L);
      case STREAM_PULL: case STREAM_WAIT:
        if (lc_now() >= rem_until(g)) {
          lua_pushinteger(L, LC_GEN_LATE);
          return 1;
        }
        lc_wait_block(L, g->home, &lc_wait_stream, g->s, rem_until(g));
        break;
      case STREAM_END:
        lua_pushinteger(L, LC_GEN_END);
        return 1;
      case STREAM_BROKEN:
        if (lc_pool_alive(g->pool, L)) lua_pushliteral(L, "the pool is closed");
        return lua_error(L);
    }
  }
}

static int rem_gen_step (lua_State *L, int idx, Generator *gen, int nsend) {
  Remote *g = (Remote *)(void *)gen;
  int n;
  (void)idx;
  lua_pop(L, nsend);
  rem_ask(g);
  gen->state = GEN_RUNNING;
  lua_pushcfunction(L, rem_step);
  lua_pushlightuserdata(L, g);
  if (lua_pcall(L, 1, LUA_MULTRET, 0) != LUA_OK) n = LC_GEN_FAILED;
  else {
    n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  gen->state = n >= 0 || n == LC_GEN_LATE ? GEN_SUSPENDED : GEN_DEAD;
  if (gen->state == GEN_DEAD) rem_drop(g);
  return n;
}

static void rem_forget (Fiber *f, void *what) {
  Remote *g = (Remote *)what;
  (void)f;
  g->head.state = GEN_SUSPENDED;
  g->head.until = 0;
  if (g->held != NULL) *g->held = 0;
  if (g->s != NULL) lc_stream_unlisten(g->s);
}

static void rem_await (lua_State *L, Generator *gen, int *held,
                       lua_KContext ctx, lua_KFunction k) {
  Remote *g = (Remote *)(void *)gen;
  Fiber *f = lc_wait_fiber(g->home, L);
  rem_ask(g);
  if (f == NULL || lc_now() >= rem_until(g) || lc_stream_step(g->s, 1) != STREAM_WAIT
      || !lc_stream_listen(g->s, &f->waiter)) return;
  gen->state = GEN_RUNNING;
  g->held = held;
  if (held != NULL) *held = 1;
  lc_fiber_suspend(L, f, rem_until(g), rem_forget, g, ctx, k);
}

static const GeneratorKind rem_kind = {
  rem_gen_step, rem_close, NULL, NULL, rem_await, rem_send
};

int lc_lib_generate (lua_State *L, Home *home, Pool *p) {
  int n = lua_gettop(L) - 1;
  StreamOptions o;
  Remote *g;
  Batch *b;
  lc_lib_check_function(L, 2);
  luaL_checkstack(L, 8, NULL);
  if (!lc_pool_alive(p, L)) return luaL_error(L, "%s", lua_tostring(L, -1));
  memset(&o, 0, sizeof o);
  o.single = o.dialogue = 1;
  o.window = GENERATE_AHEAD;
  o.batch = 1;
  g = (Remote *)(void *)lc_generator_new(L, &rem_kind, sizeof(Remote), 2);
  g->home = home;
  g->s = lc_pool_begin(p, home, &o);
  if (g->s == NULL) return luaL_error(L, "not enough memory");
  lc_pool_hold(p);
  g->pool = p;
  lc_codec_begin(L, home->codec);
  b = lc_supply_open_batch(g->s);
  if (b == NULL) return luaL_error(L, "not enough memory");
  lc_sandbox_address(L, home, p);
  if (!lc_lib_encode_call(L, home, b, 2, n) || !lc_supply_put(g->s, 0, NULL))
    return luaL_error(L, "not enough memory");
  lc_supply_exhaust(g->s);
  return lc_generator_for(L);
}
