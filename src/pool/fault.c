#include "fault.h"

#include <string.h>

#include <lauxlib.h>

/* In the registry: what the handler has seen last. Not in the error value: `load`
** runs the handler too, and gives the value to its caller. */
static const char fault_seen = 0;

/*
** The last line of a task's traceback is lacus's own frame, which says
** nothing to anybody.
*/
void lc_fault_trace (lua_State *L, lua_State *co, int level) {
  const char *text, *cut;
  luaL_traceback(L, co, NULL, level);
  text = lua_tostring(L, -1);
  cut = strrchr(text, '\n');
  if (cut != NULL && strcmp(cut, "\n\t[C]: in ?") == 0) {
    lua_pushlstring(L, text, (size_t)(cut - text));
    lua_remove(L, -2);
  }
}

static void fault_message (lua_State *L, int idx) {
  if (lua_type(L, idx) == LUA_TSTRING || lua_type(L, idx) == LUA_TNUMBER) {
    lua_pushvalue(L, idx);
    lua_tostring(L, -1);
  }
  else if (luaL_getmetafield(L, idx, "__tostring") != LUA_TNIL) {
    lua_pop(L, 1);
    luaL_tolstring(L, idx, NULL);
  }
  else
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, idx));
}

int lc_fault_handler (lua_State *L) {
  lua_settop(L, 1);
  lua_createtable(L, 3, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, 2, 1);
  lc_fault_trace(L, L, 2);
  lua_rawseti(L, 2, 2);
  fault_message(L, 1);
  lua_rawseti(L, 2, 3);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &fault_seen);
  return 1;
}

/* Pushes what the handler has seen, if that is the value at `idx`. */
static int fault_recall (lua_State *L, int idx) {
  int same = 0;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &fault_seen) == LUA_TTABLE) {
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &fault_seen);
    lua_rawgeti(L, -1, 1);
    same = lua_rawequal(L, -1, idx);
    lua_pop(L, 1);
  }
  if (!same) lua_pop(L, 1);
  return same;
}

void lc_fault_open (lua_State *L, int status) {
  int at = lua_gettop(L);
  luaL_checkstack(L, 6, NULL);
  if (status == LUA_ERRRUN && fault_recall(L, at)) {
    lua_rawgeti(L, at + 1, 3);
    lua_rawgeti(L, at + 1, 2);
    lua_rotate(L, at, -2);              /* message, traceback, value, table */
    lua_pop(L, 1);
    return;
  }
  if (status == LUA_ERRERR)          /* the error's own __tostring failed */
    lua_pushfstring(L, "error in error handling (%s)",
                    lua_type(L, at) == LUA_TSTRING ? lua_tostring(L, at)
                                                   : luaL_typename(L, at));
  else if (lua_type(L, at) == LUA_TSTRING) lua_pushvalue(L, at);
  else
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, at));
  lua_pushnil(L);
  lua_pushvalue(L, at);
  lua_remove(L, at);
}

/* One value that may be refused, with room for what the refusal pushes. */
static int fault_write_head (lua_State *L, Codec *c, Message *m,
                             const char *kind, int at) {
  int head = lua_gettop(L) + 1;
  EncodeResult result;
  lua_pushstring(L, kind);
  lua_pushvalue(L, at);
  lua_pushvalue(L, at + 1);
  lua_pushvalue(L, at + 2);
  result = lc_encode(L, c, m, head, 4);
  if (result == LC_REFUSED) {
    lua_pushfstring(L, "%s (the error value cannot be sent: value%s: %s)",
                    lua_tostring(L, at), lua_tostring(L, -2),
                    lua_tostring(L, -1));
    lua_replace(L, head + 1);
    lua_settop(L, head + 2);
    lua_pushnil(L);
    result = lc_encode(L, c, m, head, 4);
  }
  lua_settop(L, head - 1);
  return result == LC_ENCODED;
}

int lc_fault_write (lua_State *L, Codec *c, Message *m, const char *kind,
                    int at, int items, int n) {
  int top = lua_gettop(L);
  EncodeResult result;
  luaL_checkstack(L, 10, NULL);
  if (!fault_write_head(L, c, m, kind, at)) return 0;
  result = lc_encode(L, c, m, items, n);
  if (result == LC_REFUSED) result = lc_encode(L, c, m, items, 0);
  lua_settop(L, top);
  return result == LC_ENCODED;
}
