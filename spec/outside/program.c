/* A program outside of the tree, as C and as C++: maps over a pool. What it
** prints is compared by tools/outside. */
#include <lacus.h>

#ifdef __cplusplus
#include <lua.hpp>
#else
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#endif

#include <stdio.h>

static int l_double (lua_State *L, void *data) {
  (void)data;
  lua_pushinteger(L, 42);
  return 1;
}

int main (void) {
  lacus_pool_options o = lacus_pool_defaults();
  lacus_error err;
  lacus_future *f = NULL;
  lacus_pool *pool;
  lua_State *L = luaL_newstate();
  o.workers = 2;
  pool = lacus_pool_new(&o, &err);
  if (pool == NULL) {
    puts(err.text);
    return 1;
  }
  luaL_openlibs(L);
  luaL_requiref(L, "lacus", luaopen_lacus, 1);
  lacus_pool_push(L, pool);
  lua_setglobal(L, "pool");
  if (luaL_dostring(L,
        "local sum = 0 for _, r in pool:map(lacus.range(1, 100), "
        "function(x) return x * x end) do sum = sum + r end print(sum)")) {
    puts(luaL_tolstring(L, -1, NULL));
    return 1;
  }
  lacus_submit_work(pool, l_double, NULL, NULL, NULL, &f);
  lacus_future_wait(f, -1);
  if (lacus_future_get(L, f) == 1) printf("%d\n", (int)lua_tointeger(L, -1));
  lacus_future_free(f);
  lua_close(L);
  lacus_pool_close(pool);
  return lacus_abi() != LACUS_ABI;
}
