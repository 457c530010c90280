/* A C module that makes states with the allocator of its caller's (lua_getallocf), and
** runs them on threads of their own, as LuaLanes does:
**   local join = require("borrows")(code)      join() --> what code returned */
#include <pthread.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

typedef struct Borrower {
  lua_State *L;
  pthread_t thread;
} Borrower;

/* The code is on top: what it returns takes its place. */
static void *thread_main (void *L) {
  lua_pcall((lua_State *)L, 0, 1, 0);
  return NULL;
}

static int join (lua_State *L) {
  Borrower *b = (Borrower *)lua_touserdata(L, lua_upvalueindex(1));
  pthread_join(b->thread, NULL);
  lua_pushstring(L, lua_tostring(b->L, -1));
  lua_close(b->L);
  return 1;
}

static int borrows (lua_State *L) {
  const char *code = luaL_checkstring(L, 1);
  Borrower *b = (Borrower *)lua_newuserdatauv(L, sizeof(Borrower), 0);
  void *ud;
  lua_Alloc alloc = lua_getallocf(L, &ud);
  b->L = lua_newstate(alloc, ud);
  if (b->L == NULL) return luaL_error(L, "no state");
  luaL_openlibs(b->L);
  luaL_loadstring(b->L, code);
  if (pthread_create(&b->thread, NULL, thread_main, b->L) != 0)
    return luaL_error(L, "no thread");
  lua_pushcclosure(L, join, 1);
  return 1;
}

int luaopen_borrows (lua_State *L);
int luaopen_borrows (lua_State *L) {
  lua_pushcfunction(L, borrows);
  return 1;
}
