/* The Lua module in several states of several threads of one process, which
** require it as any program would: LUA_CPATH says where it is. */
#include <pthread.h>
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { THREADS = 4, STATES = 3 };

static const char squares[] =
  "local lacus = require 'lacus'\n"
  "local pool <close> = lacus.pool(2)\n"
  "local sum = 0\n"
  "for _, r in pool:map(lacus.range(1, 100), function(x) return x * x end) do\n"
  "  sum = sum + r\n"
  "end\n"
  "assert(sum == 338350, sum)\n";

/* A thread has all its states at once, and gives back how many of them failed. */
static void *thread_main (void *failed) {
  lua_State *L[STATES];
  int i;
  for (i = 0; i < STATES; i++) {
    L[i] = luaL_newstate();
    luaL_openlibs(L[i]);
  }
  for (i = 0; i < STATES; i++) {
    if (luaL_dostring(L[i], squares) == LUA_OK) continue;
    puts(luaL_tolstring(L[i], -1, NULL));
    ++*(int *)failed;
  }
  for (i = 0; i < STATES; i++) lua_close(L[i]);
  return NULL;
}

int main (void) {
  pthread_t t[THREADS];
  int failed[THREADS] = { 0 }, all = 0, i;
  for (i = 0; i < THREADS; i++)
    pthread_create(&t[i], NULL, thread_main, &failed[i]);
  for (i = 0; i < THREADS; i++) {
    pthread_join(t[i], NULL);
    all += failed[i];
  }
  return all;
}
