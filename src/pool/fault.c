#include "fault.h"

#include <string.h>

#include <lauxlib.h>

/* Marks the table that the handler makes, so that a table which user code
** raised is never taken for it. */
static const char fault_mark = 0;

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

static int fault_is_marked (lua_State *L, int idx) {
  int marked;
  if (lua_type(L, idx) != LUA_TTABLE) return 0;
  lua_rawgeti(L, idx, 1);
  marked = lua_touserdata(L, -1) == (const void *)&fault_mark;
  lua_pop(L, 1);
  return marked;
}

/* `load` runs the handler too, for an overflow in the parser, and gives what it
** made to its caller, who may raise it. */
int lc_fault_handler (lua_State *L) {
  lua_settop(L, 1);
  if (fault_is_marked(L, 1)) return 1;
  lua_createtable(L, 4, 0);
  lua_pushlightuserdata(L, (void *)&fault_mark);
  lua_rawseti(L, 2, 1);
  lua_pushvalue(L, 1);
  lua_rawseti(L, 2, 2);
  lc_fault_trace(L, L, 2);
  lua_rawseti(L, 2, 3);
  fault_message(L, 1);
  lua_rawseti(L, 2, 4);
  return 1;
}

void lc_fault_open (lua_State *L, int status) {
  int at = lua_gettop(L);
  luaL_checkstack(L, 6, NULL);
  if (fault_is_marked(L, at)) {
    lua_rawgeti(L, at, 4);
    lua_rawgeti(L, at, 3);
    lua_rawgeti(L, at, 2);
    lua_remove(L, at);
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
