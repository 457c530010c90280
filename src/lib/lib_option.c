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
  if (lua_type(L, idx) != LUA_TNUMBER) return 0;
  *x = lua_tonumber(L, idx);
  return *x == *x;
}

int lc_option_refuse (lua_State *L, int arg, const char *what) {
  return luaL_argerror(L, arg, lua_pushfstring(L, "%s '%s'", what,
                                               luaL_tolstring(L, -2, NULL)));
}
