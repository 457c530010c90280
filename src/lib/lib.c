/*
** lib.c: the module `lacus`: opens every noun and the sugar. Stands on the
** other files of this folder.
*/
#include "lib.h"

#include <lauxlib.h>
#include <lualib.h>

#include "../base/clock.h"
#include "../value/object.h"
#include "body.h"
#include "generator.h"
#include "range.h"
#include "sandbox.h"
#include "sugar.h"

static int l_lacus_cpus (lua_State *L) {
  lua_pushinteger(L, lc_cpus());
  return 1;
}

static int l_lacus_now (lua_State *L) {
  lua_pushnumber(L, (lua_Number)lc_now() / 1e9);
  return 1;
}

static const luaL_Reg lacus_functions[] = {
  {"cpus", l_lacus_cpus},
  {"now", l_lacus_now},
  {NULL, NULL}
};

#if defined(LACUS_EMBED)
/* The loader of one embedded file; upvalue 1 is its LcSugar. */
static int lacus_load_sugar (lua_State *L) {
  const LcSugar *s =
    (const LcSugar *)lua_touserdata(L, lua_upvalueindex(1));
  const char *chunk = lua_pushfstring(L, "@lacus/%s.lua", s->name);
  if (luaL_loadbufferx(L, (const char *)s->data, s->len, chunk, NULL)
      != LUA_OK) return lua_error(L);
  if (lc_sandbox_push_env(L)) lua_setupvalue(L, -2, 1);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

/* package.preload is on top. */
static void lacus_preload_sugar (lua_State *L) {
  const LcSugar *s;
  for (s = lc_sugar; s->name != NULL; s++) {
    lua_pushfstring(L, "lacus.%s", s->name);
    if (lua_rawget(L, -2) == LUA_TNIL) {
      lua_pushfstring(L, "lacus.%s", s->name);
      lua_pushlightuserdata(L, (void *)s);
      lua_pushcclosure(L, lacus_load_sugar, 1);
      lua_rawset(L, -4);
    }
    lua_pop(L, 1);
  }
}
#else
static void lacus_preload_sugar (lua_State *L) { (void)L; }
#endif

void lc_lib_preload (lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_lacus);
  lua_setfield(L, -2, "lacus");
  lacus_preload_sugar(L);
  lua_pop(L, 1);
}

/* lacus.sugar is a function of the module and its classes. */
static void lacus_sweeten (lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lacus_preload_sugar(L);
  lua_pop(L, 1);
  if (lc_sandbox_push_env(L)) {
    lua_getfield(L, -1, "require");
    lua_replace(L, -2);
  }
  else lua_getglobal(L, "require");
  lua_pushliteral(L, "lacus.sugar");
  lua_call(L, 1, 1);
  lua_pushvalue(L, -2);
  luaL_getmetatable(L, LC_POOL);
  lua_getfield(L, -1, "__index");
  lua_replace(L, -2);
  luaL_getmetatable(L, LC_RESULTS);
  lua_getfield(L, -1, "__index");
  lua_replace(L, -2);
  lua_newtable(L);
  lc_lib_error_private(L);
  lc_lib_results_private(L);
  lc_lib_pool_private(L);
  lua_call(L, 4, 0);
}

void lc_lib_hurry (lua_State *L) {
  lc_home_hurry(L, 1);
}

void lc_lib_linger (lua_State *L, LingerFn fn, void *ud) {
  Home *h = lc_home_find(L);
  if (h == NULL) return;            /* there is nothing to wait for */
  h->hurry = 0;
  h->linger = fn;
  h->linger_ud = ud;
}

void lc_lib_cancel (lua_State *L) {
  Home *h = lc_home_find(L);
  if (h != NULL) lc_home_cancel(h);
}

void lc_lib_set_workers (lua_State *L, int n) {
  lc_home_set_workers(L, n);
}

/* One module for each state, however often its loader is called (busted
** unloads modules): so what has been captured is still known by its name. */
static const char lacus_module = 0;

int luaopen_lacus (lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &lacus_module) == LUA_TTABLE) return 1;
  lc_lib_script(L, lc_home_open(L, NULL));
  luaL_newlib(L, lacus_functions);
  lc_generator_open(L);
  lc_body_open(L);
  lc_range_open(L);
  lc_lib_error(L);
  lc_lib_results(L);
  lc_lib_future(L);
  lc_lib_pool(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "lacus.worker");
  lua_setfield(L, -2, "worker");
  lua_pushliteral(L, LACUS_VERSION);
  lua_setfield(L, -2, "_VERSION");
  lacus_sweeten(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &lacus_module);
  return 1;
}
