#include "env.h"

#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

/* Pushes package.<name> of the state, or nil. */
static int env_package (lua_State *L, const char *name) {
  int type = LUA_TNIL;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, LUA_LOADLIBNAME) == LUA_TTABLE) {
    lua_pushstring(L, name);
    type = lua_rawget(L, -2);
  }
  else lua_pushnil(L);
  lua_replace(L, -3);
  lua_settop(L, -2);
  return type;
}

static int env_is_own (const char *name) {
  return strcmp(name, "lacus") == 0 || strncmp(name, "lacus.", 6) == 0;
}

/* One record: name and loader at the top two places, which it pops. */
static EncodeResult env_write_loader (lua_State *L, Codec *c, Message *m) {
  int at = lua_gettop(L) - 1;
  EncodeResult result = lc_encode(L, c, m, at, 2);
  if (result == LC_REFUSED) {
    lua_pushfstring(L, "the loader of '%s' cannot be sent to a worker%s: %s",
                    lua_tostring(L, at), lua_tostring(L, -2),
                    lua_tostring(L, -1));
    lua_replace(L, at + 1);
    lua_settop(L, at + 1);
    result = lc_encode(L, c, m, at, 2);
  }
  lua_settop(L, at - 1);
  return result;
}

static EncodeResult env_write_loaders (lua_State *L, Codec *c, Message *m) {
  EncodeResult result = LC_ENCODED;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushnil(L);
  while (result == LC_ENCODED && lua_next(L, -2)) {
    if (lua_type(L, -2) == LUA_TSTRING && lua_isfunction(L, -1)
        && !lua_iscfunction(L, -1) && !env_is_own(lua_tostring(L, -2))) {
      lua_pushvalue(L, -2);
      lua_pushvalue(L, -2);
      result = env_write_loader(L, c, m);
    }
    lua_pop(L, 1);
  }
  return result;
}

EncodeResult lc_env_write (lua_State *L, Codec *c, Message *m, int init) {
  int top = lua_gettop(L);
  EncodeResult result;
  luaL_checkstack(L, 12, NULL);
  env_package(L, "path");
  env_package(L, "cpath");
  result = lc_encode(L, c, m, top + 1, 2);
  if (result == LC_ENCODED) result = env_write_loaders(L, c, m);
  lua_settop(L, top);
  if (result == LC_ENCODED) result = lc_encode(L, c, m, 1, 0);
  if (result != LC_ENCODED) return LC_NOMEM;
  return lc_encode(L, c, m, init, init != 0);
}

static int env_no_loader (lua_State *L) {
  return luaL_error(L, "%s", lua_tostring(L, lua_upvalueindex(1)));
}

/* The opener may have none: then the worker's own stays. */
static void env_set_path (lua_State *L, int idx, const char *name) {
  if (lua_isnil(L, idx)) return;
  lua_pushvalue(L, idx);
  lua_setfield(L, -2, name);
}

static void env_set_paths (lua_State *L, int at) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, LUA_LOADLIBNAME) == LUA_TTABLE) {
    env_set_path(L, at, "path");
    env_set_path(L, at + 1, "cpath");
  }
  lua_pop(L, 2);
}

void lc_env_apply (lua_State *L, Codec *c, const Message *m, size_t *at) {
  int top = lua_gettop(L);
  lc_decode(L, c, m, at);
  env_set_paths(L, top + 1);
  lua_settop(L, top);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  while (lc_decode(L, c, m, at) == 2) {
    if (lua_type(L, -1) == LUA_TSTRING)
      lua_pushcclosure(L, env_no_loader, 1);
    lua_rawset(L, top + 1);
  }
  lua_settop(L, top);
}

void lc_env_init (lua_State *L, Codec *c, const Message *m, size_t at) {
  int top = lua_gettop(L);
  if (lc_decode(L, c, m, &at) == 1) {
    if (lua_type(L, -1) == LUA_TSTRING) {
      lua_getglobal(L, "require");
      lua_insert(L, -2);
      lua_call(L, 1, 0);
    }
    else lua_call(L, 0, 0);
  }
  lua_settop(L, top);
}
