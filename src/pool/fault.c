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

/* "stack traceback:" once, then the lines of both. */
void lc_fault_join (lua_State *L, lua_Integer worker) {
  const char *lines;
  if (lua_isnil(L, -2) || lua_isnil(L, -1)) {
    lua_remove(L, lua_isnil(L, -2) ? -2 : -1);
    return;
  }
  lines = strchr(lua_tostring(L, -1), '\n');
  if (worker != 0)
    lua_pushfstring(L, "%s\n\t(in worker %I, awaited by)%s",
                    lua_tostring(L, -2), (LUAI_UACINT)worker,
                    lines != NULL ? lines : "");
  else
    lua_pushfstring(L, "%s\n\t(awaited by)%s", lua_tostring(L, -2),
                    lines != NULL ? lines : "");
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* An error object that came from another task? */
static int fault_is_object (lua_State *L, int idx) {
  int is = 0;
  if (lua_type(L, idx) == LUA_TTABLE
      && luaL_getmetafield(L, idx, "__name") != LUA_TNIL) {
    is = lua_type(L, -1) == LUA_TSTRING
         && strcmp(lua_tostring(L, -1), LC_FAULT_OBJECT) == 0;
    lua_pop(L, 1);
  }
  return is;
}

/* Pushes a field of it, a string, or nil. */
static void fault_field (lua_State *L, int idx, const char *name) {
  lua_pushstring(L, name);
  if (lua_rawget(L, idx) != LUA_TSTRING) {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
}

/* The traceback on top is of where the error object at `idx` was raised. */
static void fault_traceback_before (lua_State *L, int idx) {
  lua_Integer worker;
  lua_pushliteral(L, "worker");
  lua_rawget(L, idx);
  worker = lua_tointeger(L, -1);
  lua_pop(L, 1);
  fault_field(L, idx, "traceback");
  lua_insert(L, -2);
  lc_fault_join(L, worker);
}

static void fault_message (lua_State *L, int idx) {
  if (fault_is_object(L, idx)) {
    fault_field(L, idx, "message");
    if (lua_isstring(L, -1)) return;
    lua_pop(L, 1);
  }
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
  if (fault_is_object(L, 1)) fault_traceback_before(L, 1);
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
  if (lua_type(L, at) == LUA_TSTRING) lua_pushvalue(L, at);
  else
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, at));
  lua_pushnil(L);
  lua_pushvalue(L, at);
  lua_remove(L, at);
}

/* --- writing --------------------------------------------------------------- */

typedef struct FaultRecord {
  Codec *c;
  Message *m;
  EncodeResult result;
} FaultRecord;

/* Protected: (record, values...). */
static int fault_encode (lua_State *L) {
  FaultRecord *r = (FaultRecord *)lua_touserdata(L, 1);
  r->result = lc_encode(L, r->c, r->m, 2, lua_gettop(L) - 1);
  if (r->result != LC_REFUSED) return 0;
  lua_pushfstring(L, "value%s: %s", lua_tostring(L, -2), lua_tostring(L, -1));
  return 1;
}

/*
** One record of the `n` values on top, which are popped. Refused: pushes why. A
** __transfer that raises refuses too: the failure is told all the same.
*/
static EncodeResult fault_try (lua_State *L, Codec *c, Message *m, int n) {
  FaultRecord r;
  r.c = c;
  r.m = m;
  r.result = LC_REFUSED;
  lua_pushcfunction(L, fault_encode);
  lua_insert(L, -n - 1);
  lua_pushlightuserdata(L, &r);
  lua_insert(L, -n - 1);
  if (lua_pcall(L, n + 1, LUA_MULTRET, 0) != LUA_OK) {
    luaL_tolstring(L, -1, NULL);
    lua_remove(L, -2);
  }
  return r.result;
}

/* The error value may be refused: then the message says so. */
static int fault_write_head (lua_State *L, Codec *c, Message *m,
                             const char *kind, int at) {
  EncodeResult result;
  lua_pushstring(L, kind);
  lua_pushvalue(L, at);
  lua_pushvalue(L, at + 1);
  lua_pushvalue(L, at + 2);
  result = fault_try(L, c, m, 4);
  if (result == LC_REFUSED) {
    lua_pushstring(L, kind);
    lua_pushfstring(L, "%s (the error value cannot be sent: %s)",
                    lua_tostring(L, at), lua_tostring(L, -2));
    lua_pushvalue(L, at + 1);
    lua_pushnil(L);
    result = fault_try(L, c, m, 4);
  }
  return result == LC_ENCODED;
}

int lc_fault_write (lua_State *L, Codec *c, Message *m, const char *kind,
                    int at, int items, int n) {
  int top = lua_gettop(L), i;
  EncodeResult result;
  luaL_checkstack(L, n + 10, NULL);
  if (!fault_write_head(L, c, m, kind, at)) return 0;
  for (i = 0; i < n; i++) lua_pushvalue(L, items + i);
  result = fault_try(L, c, m, n);
  if (result == LC_REFUSED) result = fault_try(L, c, m, 0);
  lua_settop(L, top);
  return result == LC_ENCODED;
}
