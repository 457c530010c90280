/* api.h: what the tests of lacus.h share: a host with a Lua state, a counting
** allocator, and Lua code run in it. */
#ifndef LC_SPEC_API_H
#define LC_SPEC_API_H

#include "check.h"

#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "lacus.h"

/* --- an allocator that counts, and that can fail ---------------------------- */

typedef struct Counter {
  long bytes;           /* out now; atomic */
  long calls;           /* allocations so far; atomic */
  long fail_from;       /* those from this one on fail; 0: none */
} Counter;

static inline void *counter_alloc (void *ud, void *p, size_t osize,
                                   size_t nsize) {
  Counter *c = (Counter *)ud;
  void *q;
  if (nsize == 0) {
    if (p != NULL) __atomic_sub_fetch(&c->bytes, (long)osize, __ATOMIC_SEQ_CST);
    free(p);
    return NULL;
  }
  if (nsize > osize) {
    long n = __atomic_add_fetch(&c->calls, 1, __ATOMIC_SEQ_CST);
    if (c->fail_from != 0 && n >= c->fail_from) return NULL;
  }
  q = realloc(p, nsize);
  if (q != NULL)
    __atomic_add_fetch(&c->bytes, (long)nsize - (long)osize, __ATOMIC_SEQ_CST);
  return q;
}

static inline long counter_bytes (Counter *c) {
  return __atomic_load_n(&c->bytes, __ATOMIC_SEQ_CST);
}

/* --- a host ------------------------------------------------------------------ */

static inline lua_State *host_new (void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_requiref(L, "lacus", luaopen_lacus, 1);
  lua_settop(L, 0);
  return L;
}

/* Runs Lua code; a failure is the test's. */
static inline int host_run (lua_State *L, const char *code) {
  if (luaL_dostring(L, code) == LUA_OK) return 1;
  fprintf(stderr, "        %s\n", luaL_tolstring(L, -1, NULL));
  return CHECK(!"Lua code failed");
}

/* Pushes what an expression gives. */
static inline void host_eval (lua_State *L, const char *expression) {
  lua_pushfstring(L, "return (%s)", expression);
  if (luaL_dostring(L, lua_tostring(L, -1)) != LUA_OK)
    CHECK(!"expression failed");
  lua_remove(L, -2);
}

static inline lacus_pool *pool_of (int workers) {
  lacus_pool_options o;
  lacus_error err;
  lacus_pool *p;
  memset(&o, 0, sizeof o);
  o.size = sizeof o;
  o.workers = workers;
  p = lacus_pool_new(&o, &err);
  if (p == NULL) fprintf(stderr, "        %s\n", err.text);
  CHECK(p != NULL);
  return p;
}

#endif
