#include "source.h"

#include <lauxlib.h>

#include "body.h"
#include "range.h"

/* ---- kind: array -------------------------------------------------------- */

/* The table lies where other kinds have their coroutine. */
#define SRC_UV_TABLE GEN_UV_CO

typedef struct Array {
  Generator head;
  lua_Integer at, n;   /* item `at` was given last; at < n unless GEN_DEAD */
  int plain;           /* had no metatable at birth */
} Array;

/* table, index: the item; __index may raise */
static int src_geti (lua_State *L) {
  lua_geti(L, 1, lua_tointeger(L, 2));
  return 1;
}

static int src_array_step (lua_State *L, int idx, Generator *g, int nsend) {
  Array *a = (Array *)g;
  lua_pop(L, nsend);
  a->at++;
  g->state = GEN_RUNNING;
  if (a->plain) {
    lua_getiuservalue(L, idx, SRC_UV_TABLE);
    lua_rawgeti(L, -1, a->at);
    lua_replace(L, -2);
  }
  else {
    lua_pushcfunction(L, src_geti);
    lua_getiuservalue(L, idx, SRC_UV_TABLE);
    lua_pushinteger(L, a->at);
    if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
      g->state = GEN_DEAD;
      return LC_GEN_FAILED;
    }
  }
  g->state = a->at < a->n ? GEN_SUSPENDED : GEN_DEAD;
  return 1;
}

static void src_array_close (lua_State *L, int idx, Generator *g) {
  g->state = GEN_DEAD;
  lua_pushnil(L);
  lua_setiuservalue(L, idx, SRC_UV_TABLE);
}

static lua_Integer src_array_left (const Generator *g) {
  const Array *a = (const Array *)g;
  return a->n - a->at;
}

static const GeneratorKind src_array_kind = {src_array_step, src_array_close,
  src_array_left, "an array", NULL, NULL};

static void src_array (lua_State *L, int idx) {
  lua_Integer n = luaL_len(L, idx);
  Array *a = (Array *)lc_generator_new(L, &src_array_kind, sizeof(Array), 1);
  a->n = n;
  a->plain = !lua_getmetatable(L, idx);
  if (!a->plain) lua_pop(L, 1);
  if (n < 1) a->head.state = GEN_DEAD;
  lua_pushvalue(L, idx);
  lua_setiuservalue(L, -2, SRC_UV_TABLE);
}

/* ---- what C sees -------------------------------------------------------- */

int lc_source_new (lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  luaL_checkstack(L, 4, NULL);
  if (lc_generator_test(L, idx) != NULL)
    lua_pushvalue(L, idx);
  else if (lc_body_maker(L, idx)) {
    lua_pushvalue(L, idx);
    lua_call(L, 0, 1);
  }
  else if (lc_body_callable(L, idx))
    lc_body_function(L, idx);
  else if (lua_istable(L, idx))
    src_array(L, idx);
  else {
    lua_pushfstring(L, "source expected (a generator, an array, an iterator "
                       "function or a function that yields), got %s",
                    luaL_typename(L, idx));
    return 0;
  }
  return 1;
}

int lc_source_pull (lua_State *L, int idx) {
  return lc_generator_step(L, idx, 0);
}

int lc_source_try (lua_State *L, int idx) {
  Generator *g = (Generator *)lua_touserdata(L, idx);
  luaL_checkstack(L, GEN_ROOM, NULL);
  if (g->state == GEN_DEAD) return LC_GEN_END;
  if (g->state == GEN_RUNNING) {
    lua_pushliteral(L, "generator is already running");
    return LC_GEN_FAILED;
  }
  return g->kind->step(L, lua_absindex(L, idx), g, 0);
}

void lc_source_close (lua_State *L, int idx) {
  lc_generator_close(L, idx);
}

lua_Integer lc_source_left (lua_State *L, int idx) {
  return lc_generator_left((Generator *)lua_touserdata(L, idx));
}

lua_Integer lc_source_take (lua_State *L, int idx, lua_Integer *first,
                            lua_Integer *step, lua_Integer max) {
  return lc_range_take((Generator *)lua_touserdata(L, idx), first, step, max);
}
