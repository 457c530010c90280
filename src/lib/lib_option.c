#include "lib_option.h"

#include <lauxlib.h>

const char *lc_option_name (lua_State *L) {
  return lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
}

int lc_option_integer (lua_State *L, int idx, lua_Integer *n) {
  int isint = 0;
  *n = 0;
  if (lua_type(L, idx) == LUA_TNUMBER) *n = lua_tointegerx(L, idx, &isint);
  return isint;
}

int lc_option_number (lua_State *L, int idx, lua_Number *x) {
  *x = 0;
  if (lua_type(L, idx) != LUA_TNUMBER) return 0;
  *x = lua_tonumber(L, idx);
  return *x == *x;
}

uint64_t lc_option_seconds (lua_State *L, int arg, const char *name) {
  lua_Number s;
  if (!lc_option_number(L, -1, &s) || !(s > 0))
    luaL_argerror(L, arg, lua_pushfstring(L,
      "option '%s' must be a number of seconds above 0, got %s", name,
      luaL_tolstring(L, -1, NULL)));
  return (uint64_t)((s < 3e9 ? s : 3e9) * 1e9);
}

int lc_option_refuse (lua_State *L, int arg, const char *what) {
  return luaL_argerror(L, arg, lua_pushfstring(L, "%s '%s'", what,
                                               luaL_tolstring(L, -2, NULL)));
}
