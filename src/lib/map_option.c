#include "map_option.h"

#include <limits.h>
#include <string.h>

#include <lauxlib.h>

#include "lib_option.h"

static const char *const mo_on_error[] = { "raise", "return", "skip" };

const char *lc_map_on_error (OnError how) { return mo_on_error[how]; }

/* --- one option: its value is on top -------------------------------------- */

static lua_Integer mo_integer (lua_State *L, int arg, const char *name,
                               lua_Integer least, lua_Integer most) {
  lua_Integer n;
  int is = lc_option_integer(L, -1, &n);
  if (is && n > most)
    luaL_argerror(L, arg, lua_pushfstring(L,
      "option '%s' must be an integer of at most %I, got %I", name,
      (LUAI_UACINT)most, (LUAI_UACINT)n));
  if (!is || n < least)
    luaL_argerror(L, arg, lua_pushfstring(L,
      "option '%s' must be an integer of at least %I, got %s", name,
      (LUAI_UACINT)least, luaL_tolstring(L, -1, NULL)));
  return n;
}

static size_t mo_positive (lua_State *L, int arg, const char *name) {
  return (size_t)mo_integer(L, arg, name, 1, LUA_MAXINTEGER);
}

static OnError mo_read_on_error (lua_State *L, int arg) {
  int i;
  for (i = 0; i < 3; i++) {
    lua_pushstring(L, mo_on_error[i]);
    if (lua_rawequal(L, -1, -2)) {
      lua_pop(L, 1);
      return (OnError)i;
    }
    lua_pop(L, 1);
  }
  return (OnError)luaL_argerror(L, arg, lua_pushfstring(L,
    "option 'on_error' must be \"raise\", \"return\" or \"skip\", got %s",
    luaL_tolstring(L, -1, NULL)));
}

static lua_Number mo_deadline (lua_State *L, int arg) {
  lua_Number s;
  if (!lc_option_number(L, -1, &s) || s < 0)
    luaL_argerror(L, arg, lua_pushfstring(L,
      "option 'deadline' must be a number of seconds, not negative, got %s",
      luaL_tolstring(L, -1, NULL)));
  return s;
}

/* --- retries --------------------------------------------------------------- */

/* A list of kinds of failure. */
static unsigned mo_kinds (lua_State *L, int arg) {
  unsigned kinds = 0;
  lua_Integer i, n;
  if (!lua_istable(L, -1))
    luaL_argerror(L, arg, lua_pushfstring(L,
      "option 'retry_on' must be a list of kinds, got %s",
      luaL_tolstring(L, -1, NULL)));
  n = (lua_Integer)lua_rawlen(L, -1);
  for (i = 1; i <= n; i++) {
    unsigned kind = lua_rawgeti(L, -1, i) == LUA_TSTRING
                      ? lc_retry_kind(lua_tostring(L, -1)) : 0;
    if (kind == 0)
      luaL_argerror(L, arg, lua_pushfstring(L,
        "option 'retry_on': \"error\", \"timeout\", \"memory\" and \"lost\" are "
        "tried again, not %s", luaL_tolstring(L, -1, NULL)));
    kinds |= kind;
    lua_pop(L, 1);
  }
  return kinds;
}

/* The pause on top, in ns. */
static uint64_t mo_pause (lua_State *L, int arg) {
  uint64_t pause = 0;
  lua_Number s;
  if (!lc_option_number(L, -1, &s) || !lc_retry_seconds(s, &pause))
    luaL_argerror(L, arg, lua_pushfstring(L,
      "option 'retry_delay': a number of seconds expected, got %s",
      luaL_tolstring(L, -1, NULL)));
  return pause;
}

static void mo_check_delay (lua_State *L, int arg) {
  lua_Integer i, n;
  if (lua_isfunction(L, -1)) return;
  if (!lua_istable(L, -1)) {
    mo_pause(L, arg);
    return;
  }
  n = (lua_Integer)lua_rawlen(L, -1);
  if (n == 0) luaL_argerror(L, arg, "option 'retry_delay' is an empty list");
  for (i = 1; i <= n; i++) {
    lua_rawgeti(L, -1, i);
    mo_pause(L, arg);
    lua_pop(L, 1);
  }
}

Retry *lc_map_retry (lua_State *L, int arg, const MapOptions *o, Mem *mem) {
  int top = lua_gettop(L), list;
  size_t n, i;
  Retry *t;
  lua_pushliteral(L, "retry_delay");
  list = lua_rawget(L, arg) == LUA_TTABLE;
  n = list ? (size_t)lua_rawlen(L, -1) : 1;
  t = lc_retry_new(mem, n);
  if (t != NULL) {
    t->retries = o->retries;
    if (o->kinds != 0) t->kinds = o->kinds;
    for (i = 0; list && i < n; i++) {
      lua_rawgeti(L, top + 1, (lua_Integer)i + 1);
      lc_retry_seconds(lua_tonumber(L, -1), &t->pause[i]);
      lua_pop(L, 1);
    }
    if (lua_type(L, -1) == LUA_TNUMBER)
      lc_retry_seconds(lua_tonumber(L, -1), &t->pause[0]);
  }
  lua_settop(L, top);
  return t;
}

/* --- all of them ----------------------------------------------------------- */

typedef struct MapSeen { int retries, delay, on; } MapSeen;

static int mo_retry (lua_State *L, int arg, const char *name, MapOptions *o,
                     MapSeen *seen) {
  if (strcmp(name, "retries") == 0) {
    o->retries = (int)mo_integer(L, arg, name, 0, INT_MAX - 1);
    seen->retries = 1;
  }
  else if (strcmp(name, "retry_delay") == 0) {
    mo_check_delay(L, arg);
    seen->delay = 1;
  }
  else if (strcmp(name, "retry_on") == 0) {
    o->kinds = mo_kinds(L, arg);
    seen->on = 1;
  }
  else return 0;
  return 1;
}

/* The option whose name is second from the top, and its value on top. */
static void mo_option (lua_State *L, int arg, MapOptions *o, MapSeen *seen) {
  const char *name = lc_option_name(L);
  if (strcmp(name, "ordered") == 0) o->stream.ordered = lua_toboolean(L, -1);
  else if (strcmp(name, "window") == 0)
    o->stream.window = mo_positive(L, arg, name);
  else if (strcmp(name, "batch") == 0) {
    if (lua_type(L, -1) == LUA_TSTRING
        && strcmp(lua_tostring(L, -1), "auto") == 0) o->stream.batch = 0;
    else o->stream.batch = mo_positive(L, arg, name);
  }
  else if (strcmp(name, "timeout") == 0)
    o->stream.timeout = lc_option_seconds(L, arg, name);
  else if (strcmp(name, "on_error") == 0)
    o->on_error = mo_read_on_error(L, arg);
  else if (strcmp(name, "deadline") == 0) o->deadline = mo_deadline(L, arg);
  else if (!mo_retry(L, arg, name, o, seen))
    lc_option_refuse(L, arg, "unknown option");
}

void lc_map_options (lua_State *L, int arg, MapOptions *o) {
  MapSeen seen;
  memset(o, 0, sizeof(MapOptions));
  memset(&seen, 0, sizeof seen);
  o->deadline = -1;
  if (lua_isnoneornil(L, arg)) return;
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, arg)) {
    mo_option(L, arg, o, &seen);
    lua_pop(L, 1);
  }
  if (!seen.retries && (seen.delay || seen.on))
    luaL_argerror(L, arg, seen.delay ? "option 'retry_delay' without 'retries'"
                                     : "option 'retry_on' without 'retries'");
  if (seen.on && o->kinds == 0) o->retries = 0;         /* an empty list */
}
