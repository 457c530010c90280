/*
** lib_process.c: io.popen and os.execute of a worker's state. A worker's thread
** blocks signals, and a program that it starts would inherit that: neither
** Ctrl-C nor kill would end it. So the thread blocks none while it starts one.
*/
#include <lauxlib.h>
#include <lualib.h>

#include "../base/thread.h"
#include "lib.h"

/* Upvalue 1 is the standard function. */
static int process_start (lua_State *L) {
  SignalMask before;
  int status;
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lc_thread_unblock(&before);
  status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  lc_thread_block(&before);
  return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

static int l_process_popen (lua_State *L) {
  luaL_checkstring(L, 1);
  return process_start(L);
}

static int l_process_execute (lua_State *L) {
  luaL_optstring(L, 1, NULL);
  return process_start(L);
}

static void process_wrap (lua_State *L, const char *library,
                          const char *name, lua_CFunction start) {
  int top = lua_gettop(L);
  if (lua_getglobal(L, library) == LUA_TTABLE
      && lua_getfield(L, -1, name) == LUA_TFUNCTION) {
    lua_pushcclosure(L, start, 1);
    lua_setfield(L, -2, name);
  }
  lua_settop(L, top);
}

void lc_lib_process (lua_State *L) {
  process_wrap(L, LUA_IOLIBNAME, "popen", l_process_popen);
  process_wrap(L, LUA_OSLIBNAME, "execute", l_process_execute);
}
