#include "generator.h"

#include <string.h>

#include <lauxlib.h>

/* ---- what C sees -------------------------------------------------------- */

Generator *lc_generator_new (lua_State *L, const GeneratorKind *kind,
                             size_t size, int nuv) {
  Generator *g = (Generator *)lua_newuserdatauv(L, size, nuv);
  memset(g, 0, size);
  g->kind = kind;
  luaL_setmetatable(L, LC_GENERATOR);
  return g;
}

int lc_generator_for (lua_State *L) {
  luaL_checkstack(L, 3, NULL);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushvalue(L, -3);
  return 4;
}

Generator *lc_generator_test (lua_State *L, int idx) {
  return (Generator *)luaL_testudata(L, idx, LC_GENERATOR);
}

static int gen_step (lua_State *L, int idx, Generator *g, int nsend) {
  int n;
  if (g->state == GEN_DEAD) {
    lua_pop(L, nsend);
    return LC_GEN_END;
  }
  if (g->state == GEN_RUNNING)
    return luaL_error(L, "generator is already running");
  n = g->kind->step(L, idx, g, nsend);
  if (n == LC_GEN_FAILED) return lua_error(L);
  return n;
}

int lc_generator_step (lua_State *L, int idx, int nsend) {
  Generator *g = (Generator *)lua_touserdata(L, idx);
  luaL_checkstack(L, GEN_ROOM, NULL);
  return gen_step(L, lua_absindex(L, idx), g, nsend);
}

void lc_generator_close (lua_State *L, int idx) {
  Generator *g = (Generator *)lua_touserdata(L, idx);
  if (g->state == GEN_RUNNING)
    luaL_error(L, "cannot close a running generator");
  luaL_checkstack(L, GEN_ROOM, NULL);
  if (g->kind->close != NULL) g->kind->close(L, lua_absindex(L, idx), g);
  g->state = GEN_DEAD;
}

lua_Integer lc_generator_left (const Generator *g) {
  if (g->state == GEN_DEAD) return 0;
  return g->kind->left != NULL ? g->kind->left(g) : -1;
}

/* A body that has not begun, or is done, stands nowhere. */
void lc_generator_traceback (lua_State *L, int idx) {
  Generator *g = (Generator *)lua_touserdata(L, idx);
  lua_Debug ar;
  if (g->state == GEN_DEAD)
    lua_getiuservalue(L, idx, GEN_UV_TRACE);
  else if (g->co != NULL && lua_getstack(g->co, 0, &ar))
    luaL_traceback(L, g->co, NULL, 0);
  else
    lua_pushnil(L);
}

/* ---- what Lua sees ------------------------------------------------------ */

/*
** Upvalue 1 of every function below is the metatable: comparing with it is
** several times faster than luaL_checkudata, which looks the name up in the
** registry (and lua_rawequal is slower than this), and all items of `for`
** loops come this way. For the same reason the metatable is left pushed.
*/
static Generator *gen_check (lua_State *L) {
  Generator *g = (Generator *)lua_touserdata(L, 1);
  if (g == NULL || !lua_getmetatable(L, 1)
      || lua_topointer(L, -1) != lua_topointer(L, lua_upvalueindex(1)))
    luaL_typeerror(L, 1, "generator");
  return g;
}

static int gen_call_again (lua_State *L, int status, lua_KContext ctx);
static int gen_next_again (lua_State *L, int status, lua_KContext ctx);

/* A `for` loop passes nil and the last item; neither is for the body. */
static int l_gen_call (lua_State *L) {
  Generator *g = gen_check(L);
  int n;
  lc_generator_await(L, g, NULL, 0, gen_call_again);
  n = gen_step(L, 1, g, 0);
  if (n != LC_GEN_END) return n;
  lua_pushnil(L);
  return 1;
}

/* [...] true, and `nsend` values on top of it */
static int gen_next (lua_State *L, Generator *g, int nsend) {
  int n = gen_step(L, 1, g, nsend);
  if (n != LC_GEN_END) return n + 1;
  lua_pushboolean(L, 0);
  return 1;
}

static int l_gen_next (lua_State *L) {
  Generator *g;
  lua_settop(L, 1);   /* else many arguments could fill the stack */
  g = gen_check(L);
  lc_generator_await(L, g, NULL, 0, gen_next_again);
  lua_pushboolean(L, 1);
  return gen_next(L, g, 0);
}

/* The task was suspended before the step, and looks again. */
static int gen_call_again (lua_State *L, int status, lua_KContext ctx) {
  (void)status; (void)ctx;
  lua_settop(L, 1);
  return l_gen_call(L);
}

static int gen_next_again (lua_State *L, int status, lua_KContext ctx) {
  (void)status; (void)ctx;
  return l_gen_next(L);
}

static int l_gen_send (lua_State *L) {
  int nsend = lua_gettop(L) - 1;
  Generator *g = gen_check(L);
  if (g->state == GEN_FRESH && g->kind->unsendable == NULL)
    return luaL_error(L, "cannot send to a generator that has not started "
                         "(call next first)");
  if (g->state != GEN_DEAD && g->kind->unsendable != NULL)
    return luaL_error(L, "cannot send to %s", g->kind->unsendable);
  luaL_checkstack(L, GEN_ROOM, NULL);
  lua_pop(L, 1);
  if (g->kind->send != NULL && g->state == GEN_SUSPENDED) {
    g->kind->send(L, g, 2);
    return l_gen_next(L);
  }
  lua_pushboolean(L, 1);
  lua_insert(L, 2);
  return gen_next(L, g, nsend);
}

/* Also __close, whose error value does not matter here. */
static int l_gen_close (lua_State *L) {
  gen_check(L);
  lc_generator_close(L, 1);
  lua_pushboolean(L, 1);
  return 1;
}

/*
** A generator that is running is collected only when its body closes the
** whole state (os.exit(code, true)): its coroutine is then not to be touched.
*/
static int l_gen_gc (lua_State *L) {
  Generator *g = gen_check(L);
  if (g->state != GEN_RUNNING) lc_generator_close(L, 1);
  return 0;
}

/* The words of coroutine.status. */
static int l_gen_status (lua_State *L) {
  Generator *g = gen_check(L);
  const char *s = "suspended";
  if (g->state == GEN_DEAD) s = "dead";
  else if (g->state == GEN_RUNNING) s = g->co == L ? "running" : "normal";
  lua_pushstring(L, s);
  return 1;
}

static int l_gen_traceback (lua_State *L) {
  gen_check(L);
  lc_generator_traceback(L, 1);
  return 1;
}

static const luaL_Reg gen_methods[] = {
  {"next", l_gen_next},
  {"send", l_gen_send},
  {"close", l_gen_close},
  {"status", l_gen_status},
  {"traceback", l_gen_traceback},
  {NULL, NULL}
};

static const luaL_Reg gen_meta[] = {
  {"__call", l_gen_call},
  {"__close", l_gen_close},
  {"__gc", l_gen_gc},
  {NULL, NULL}
};

void lc_generator_open (lua_State *L) {
  if (luaL_newmetatable(L, LC_GENERATOR)) {
    lua_pushvalue(L, -1);
    luaL_setfuncs(L, gen_meta, 1);
    luaL_newlibtable(L, gen_methods);
    lua_pushvalue(L, -2);
    luaL_setfuncs(L, gen_methods, 1);
    lua_setfield(L, -2, "__index");
  }
  lua_pop(L, 1);
}
