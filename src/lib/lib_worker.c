/*
** lib_worker.c: what a worker's state has: the standard libraries, without
** what would end the process, and lacus itself. Stands on run/worker.
*/
#include <lauxlib.h>
#include <lualib.h>

#include "lib.h"
#include "sandbox.h"

/* A task must not end the host: it fails instead. */
static int l_worker_exit (lua_State *L) {
  return luaL_error(L, "os.exit called in a worker");
}

static void worker_guard_os (lua_State *L) {
  if (lua_getglobal(L, LUA_OSLIBNAME) == LUA_TTABLE) {
    lua_pushcfunction(L, l_worker_exit);
    lua_setfield(L, -2, "exit");
  }
  lua_pop(L, 1);
}

/* What stops a task is a hook: it must not take it off. */
static void worker_guard_hooks (lua_State *L) {
  if (lua_getglobal(L, LUA_DBLIBNAME) == LUA_TTABLE) {
    lua_pushnil(L);
    lua_setfield(L, -2, "sethook");
  }
  lua_pop(L, 1);
}

/* lacus.worker, for luaopen_lacus in this state. */
static void worker_describe (lua_State *L) {
  Worker *w = lc_worker_of(L);
  lua_createtable(L, 0, 2);
  lua_pushinteger(L, w->id);
  lua_setfield(L, -2, "id");
  lua_pushstring(L, w->name);
  lua_setfield(L, -2, "name");
  lua_setfield(L, LUA_REGISTRYINDEX, "lacus.worker");
}

int lc_lib_worker (lua_State *L) {
  Worker *w = lc_worker_of(L);
  Pool *p = lc_crew_worker(w)->pool;
  lc_home_set_workers(L, p->default_workers);
  lc_home_open(L, w);
  if (p->libs == 0) luaL_openlibs(L);
  else lc_sandbox_open(L, p->libs);
  lc_lib_random(L);
  lc_lib_coroutine(L);
  worker_guard_os(L);
  worker_guard_hooks(L);
  lc_lib_process(L);
  worker_describe(L);
  lc_lib_preload(L);
  return 0;
}
