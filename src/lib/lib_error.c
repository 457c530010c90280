/*
** lib_error.c: the error object: a table with the metatable "lacus.error".
** Stands on pool/fault (what comes from a worker).
*/
#include <lauxlib.h>

#include "../pool/fault.h"
#include "lib.h"

/* The field at `idx`, or nil. Pushes it. */
static int err_field (lua_State *L, const char *name) {
  lua_pushstring(L, name);
  return lua_rawget(L, 1);
}

/* Likewise, if it is a string. */
static void err_text (lua_State *L, const char *name) {
  if (err_field(L, name) != LUA_TSTRING) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}

/* Reads like an uncaught error of `lua`: message, then the tracebacks: of the
** worker, and of who waited for it. */
static int l_err_tostring (lua_State *L) {
  lua_Integer worker;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  err_field(L, "worker");
  worker = lua_tointeger(L, 2);
  err_text(L, "message");
  if (lua_isnil(L, -1)) {
    lua_pushliteral(L, "lacus error");
    lua_replace(L, -2);
  }
  err_text(L, "traceback");
  err_text(L, "caller");
  lc_fault_join(L, worker);
  if (lua_isnil(L, -1)) lua_pop(L, 1);
  else {
    lua_pushliteral(L, "\n");
    lua_insert(L, -2);
    lua_concat(L, 3);
  }
  return 1;
}

/* As text with text: scripts join messages. */
static int l_err_concat (lua_State *L) {
  lua_settop(L, 2);
  luaL_tolstring(L, 1, NULL);
  luaL_tolstring(L, 2, NULL);
  lua_concat(L, 2);
  return 1;
}

int lc_lib_raise (lua_State *L, int level) {
  luaL_checkstack(L, 4, NULL);
  luaL_traceback(L, L, NULL, level);
  lua_setfield(L, -2, "caller");
  return lua_error(L);
}

/* (kind, message, level): raises an error object, where `error` would. */
static int l_err_raise (lua_State *L) {
  luaL_where(L, (int)luaL_checkinteger(L, 3));
  lua_pushvalue(L, 2);
  lua_concat(L, 2);
  lc_lib_make_error(L, luaL_checkstring(L, 1), 0);
  return lc_lib_raise(L, (int)lua_tointeger(L, 3));
}

void lc_lib_error_private (lua_State *L) {
  lua_pushcfunction(L, l_err_raise);
  lua_setfield(L, -2, "raise");
}

/* The module has the metatable, so that an error object that passes through
** several states goes by that name: lacus.Error. */
void lc_lib_error (lua_State *L) {
  luaL_newmetatable(L, LC_ERROR);
  lua_pushcfunction(L, l_err_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushcfunction(L, l_err_concat);
  lua_setfield(L, -2, "__concat");
  lua_setfield(L, -2, "Error");
}

static void err_new (lua_State *L, const char *kind, uint64_t index) {
  lua_createtable(L, 0, 8);
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  if (index != 0) {                   /* 0: it has no source */
    lua_pushinteger(L, (lua_Integer)index);
    lua_setfield(L, -2, "index");
  }
  lua_pushinteger(L, 1);
  lua_setfield(L, -2, "attempt");
  luaL_setmetatable(L, LC_ERROR);
}

void lc_lib_make_error (lua_State *L, const char *kind, uint64_t index) {
  err_new(L, kind, index);
  lua_insert(L, -2);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "value");
  lua_setfield(L, -2, "message");
}

/* The second record: what was sent. */
static void err_items (lua_State *L, Codec *c, const Message *m, size_t *at,
                       int object) {
  int first = lua_gettop(L) + 1, i;
  int n = lc_decode(L, c, m, at);
  if (n == 0) return;
  luaL_checkstack(L, 3, NULL);
  lua_createtable(L, n, 1);
  for (i = 1; i <= n; i++) {
    lua_pushvalue(L, first + i - 1);
    lua_rawseti(L, -2, i);
  }
  lua_pushinteger(L, n);
  lua_setfield(L, -2, "n");
  lua_setfield(L, object, "items");
  lua_pushvalue(L, first);
  lua_setfield(L, object, "item");
}

void lc_lib_push_error (lua_State *L, Codec *c, const Entry *e,
                        const Message *m) {
  size_t at = e->at;
  int object, first;
  luaL_checkstack(L, 8, NULL);
  if (e->kind == ENTRY_NOMEM) {
    lua_pushliteral(L, "not enough memory");
    lc_lib_make_error(L, LC_FAULT_MEMORY, e->index);
    object = lua_gettop(L);
  }
  else if (e->kind == ENTRY_LOST) {
    lua_pushfstring(L, "worker %d did not stop when it was told to, and was "
                    "abandoned", (int)e->worker);
    lc_lib_make_error(L, LC_FAULT_LOST, e->index);
    object = lua_gettop(L);
  }
  else {
    err_new(L, "", e->index);
    object = lua_gettop(L);
    first = object + 1;
    lc_decode(L, c, m, &at);
    lua_setfield(L, object, "value");
    lua_settop(L, first + 2);
    lua_setfield(L, object, "traceback");
    lua_setfield(L, object, "message");
    lua_setfield(L, object, "kind");
    err_items(L, c, m, &at, object);
    lua_settop(L, object);
  }
  if (e->attempt > 1) {
    lua_pushinteger(L, e->attempt);
    lua_setfield(L, object, "attempt");
  }
  if (e->worker != 0) {
    lua_pushinteger(L, e->worker);
    lua_setfield(L, object, "worker");
  }
}
