/*
** lib_script.c: how the script of a stock interpreter ends, for a module that nobody
** tells. A script that fails, or calls os.exit, is not to wait for what it has
** submitted (Home.hurry). Stands on pool/home; for states that neither the host nor
** lacus_open has made, which know for themselves.
**
** Failing. `lua` runs a script by lua_pcall, with a message handler of its own, from a C
** function that has three values on its stack then: argc, argv and that handler.
** What stands on the stack of a function can be seen and set (lua_getlocal,
** lua_setlocal), so a handler of ours takes the place of that one: it takes note, and calls
** it. It is called for errors that nobody else catches, and after those `lua` ends.
** An interpreter that is made in another way is left alone.
*/
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "lib.h"

static void script_hurry (lua_State *L) {
  Home *h = lc_home_find(L);
  if (h != NULL) h->hurry = 1;
}

/* ---- the handler ---- */

/* The head of a traceback, and what the first line of this one begins with: ours. (How
** it goes on depends on the instruction that failed.) */
#define HEAD "\nstack traceback:"
#define OURS HEAD "\n\t[C]: in "

/* The handler's answer is at 2, the error value at 1: as if we were not there. */
static void script_leave_out (lua_State *L) {
  size_t len, at = 0;
  const char *text = lua_tolstring(L, 2, &len), *found, *line;
  if (lua_type(L, 1) == LUA_TSTRING) at = lua_rawlen(L, 1);
  else if ((found = strstr(text, HEAD)) != NULL) at = (size_t)(found - text);
  if (len < at + sizeof OURS - 1 || memcmp(text + at, OURS, sizeof OURS - 1) != 0)
    return;
  at += sizeof HEAD - 1;
  lua_pushlstring(L, text, at);
  line = strchr(text + at + 1, '\n');
  lua_pushstring(L, line != NULL ? line : "");
  lua_concat(L, 2);
  lua_replace(L, 2);
}

/* Upvalue 1 is the interpreter's handler. */
static int script_failed (lua_State *L) {
  script_hurry(L);
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  if (lua_type(L, 2) == LUA_TSTRING) script_leave_out(L);
  return 1;
}

/* ---- where it is ---- */

/* The lowest function on the stack of `M`. (As luaL_traceback finds it.) */
static int script_lowest (lua_State *M, lua_Debug *ar) {
  int low = 0, high = 1;
  if (!lua_getstack(M, 0, ar)) return 0;
  while (lua_getstack(M, high, ar)) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    int middle = low + (high - low) / 2;
    if (lua_getstack(M, middle, ar)) low = middle;
    else high = middle;
  }
  return lua_getstack(M, low, ar);
}

/* The type of value `n` of that function, which is pushed; LUA_TNONE: there is none. */
static int script_value (lua_State *M, lua_Debug *ar, int n) {
  return lua_getlocal(M, ar, n) != NULL ? lua_type(M, -1) : LUA_TNONE;
}

enum { SCRIPT_ARGC = 1, SCRIPT_ARGV, SCRIPT_HANDLER };

/* Pushes the handler and gives 1, if that is how a script is run here. (Behind it
** is the script itself, a function with `...`, whose frame is further up.) */
static int script_find (lua_State *M, lua_Debug *ar) {
  int top = lua_gettop(M), behind;
  if (lua_getinfo(M, "S", ar) && *ar->what == 'C'
      && script_value(M, ar, SCRIPT_ARGC) == LUA_TNUMBER
      && script_value(M, ar, SCRIPT_ARGV) == LUA_TLIGHTUSERDATA
      && ((behind = script_value(M, ar, SCRIPT_HANDLER + 1)) == LUA_TNONE
          || behind == LUA_TFUNCTION)
      && script_value(M, ar, SCRIPT_HANDLER) == LUA_TFUNCTION
      && lua_iscfunction(M, -1) && lua_tocfunction(M, -1) != script_failed) {
    lua_replace(M, top + 1);
    lua_settop(M, top + 1);
    return 1;
  }
  lua_settop(M, top);
  return 0;
}

/* `M` may be another coroutine than the one that runs: nothing is made there, which
** could fail. */
static void script_watch (lua_State *L) {
  lua_State *M;
  lua_Debug ar;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  M = lua_tothread(L, -1);
  lua_pop(L, 1);
  if (M == NULL || !lua_checkstack(M, 8) || !script_lowest(M, &ar)
      || !script_find(M, &ar)) return;
  if (M != L) lua_xmove(M, L, 1);
  lua_pushcclosure(L, script_failed, 1);
  if (M != L) lua_xmove(L, M, 1);
  lua_setlocal(M, &ar, SCRIPT_HANDLER);
}

/* ---- os.exit ---- */

/* Upvalue 1 is the library's. */
static int l_script_exit (lua_State *L) {
  int n = lua_gettop(L);
  script_hurry(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, n, 0);
  return 0;
}

static void script_guard_exit (lua_State *L) {
  int top = lua_gettop(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, LUA_OSLIBNAME) == LUA_TTABLE
      && lua_getfield(L, -1, "exit") == LUA_TFUNCTION
      && lua_iscfunction(L, -1) && lua_tocfunction(L, -1) != l_script_exit) {
    lua_pushcclosure(L, l_script_exit, 1);
    lua_setfield(L, -2, "exit");
  }
  lua_settop(L, top);
}

void lc_lib_script (lua_State *L, Home *home) {
  if (home->worker != NULL || home->hurry || home->pools_linger != LC_NEVER) return;
  luaL_checkstack(L, 8, NULL);
  script_guard_exit(L);
  script_watch(L);
}
