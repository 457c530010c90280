/*
** lib_generate.c: pool:generate: a generator whose body runs in a worker, a
** bounded number of items ahead of its reader: a stream with one item.
** Stands on pool/stream, generator and lib_wait.
*/
#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"
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

/* What a body returns is no item. */
static int rem_take (lua_State *L, Remote *g) {
  Batch *b;
  Entry *e = lc_stream_take(g->s, &b);
  size_t at = e->at;
  if (e->kind == ENTRY_FAULT || e->kind == ENTRY_NOMEM
      || e->kind == ENTRY_LOST) {
    lc_lib_push_error(L, g->home->codec, e, b);
    return LC_GEN_FAILED;
  }
  if (e->last) return LC_GEN_END;
  return lc_decode(L, g->home->codec, &b->msg, &at);
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
        if (n == LC_GEN_FAILED) return lua_error(L);
        luaL_checkstack(L, 1, NULL);
        lua_pushinteger(L, n);
        return lua_gettop(L);
      case STREAM_PULL: case STREAM_WAIT:
        lc_wait_block(L, g->home, &lc_wait_stream, g->s, LC_NEVER);
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
  gen->state = GEN_RUNNING;
  lua_pushcfunction(L, rem_step);
  lua_pushlightuserdata(L, g);
  if (lua_pcall(L, 1, LUA_MULTRET, 0) != LUA_OK) n = LC_GEN_FAILED;
  else {
    n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  gen->state = n >= 0 ? GEN_SUSPENDED : GEN_DEAD;
  if (n < 0) rem_drop(g);
  return n;
}

static void rem_forget (Fiber *f, void *what) {
  Remote *g = (Remote *)what;
  (void)f;
  g->head.state = GEN_SUSPENDED;
  if (g->held != NULL) *g->held = 0;
  if (g->s != NULL) lc_stream_unlisten(g->s);
}

static void rem_await (lua_State *L, Generator *gen, int *held,
                       lua_KContext ctx, lua_KFunction k) {
  Remote *g = (Remote *)(void *)gen;
  Fiber *f = lc_wait_fiber(g->home, L);
  if (f == NULL || lc_stream_step(g->s, 1) != STREAM_WAIT
      || !lc_stream_listen(g->s, &f->waiter)) return;
  gen->state = GEN_RUNNING;
  g->held = held;
  if (held != NULL) *held = 1;
  lc_fiber_suspend(L, f, LC_NEVER, rem_forget, g, ctx, k);
}

static const GeneratorKind rem_kind = {
  rem_gen_step, rem_close, NULL, "a worker's generator, which runs ahead",
  rem_await
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
  o.single = 1;
  o.window = GENERATE_AHEAD;
  o.batch = 1;
  g = (Remote *)(void *)lc_generator_new(L, &rem_kind, sizeof(Remote), 2);
  g->home = home;
  g->s = lc_pool_begin(p, home, &o);
  if (g->s == NULL) return luaL_error(L, "not enough memory");
  lc_pool_hold(p);
  g->pool = p;
  lc_codec_begin(L, home->codec);
  b = lc_stream_open_batch(g->s);
  if (b == NULL) return luaL_error(L, "not enough memory");
  lc_sandbox_address(L, home, p);
  lc_lib_encode_call(L, home, b, 2, n);
  if (!lc_stream_put(g->s, 0, NULL)) return luaL_error(L, "not enough memory");
  lc_stream_exhaust(g->s);
  return lc_generator_for(L);
}
