/* Generators both ways: a C function that Lua loops over and maps, and a Lua
** generator that C steps. */
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <lacus.h>

/* Each step is an item: here, two values. */
typedef struct Moons {
  int next;
} Moons;

static int next_moon (lua_State *L, void *ud) {
  static const char *const names[] = { "Io", "Europa", "Ganymede", "Callisto" };
  static const int km[] = { 3643, 3122, 5268, 4821 };
  Moons *m = (Moons *)ud;
  if (m->next == 4) return LACUS_END;
  lua_pushstring(L, names[m->next]);
  lua_pushinteger(L, km[m->next++]);
  return 2;
}

static void close_moons (void *ud) {
  printf("closed after %d moons\n", ((Moons *)ud)->next);
}

static const char from_c[] =
  "local moons, pool = ...\n"
  "for i, line in pool:map(moons, function(name, km)\n"
  "  return ('%s is %.1f times as wide as a lake'):format(name, km / 560)\n"
  "end, { ordered = true }) do print(line) end\n";
/* --> closed after 4 moons */
/* --> Callisto is 8.6 times as wide as a lake */

static const char to_c[] =
  "return require 'lacus'.generator(function()\n"
  "  local a, b = 0, 1\n"
  "  while true do coroutine.yield(a); a, b = b, a + b end\n"
  "end)()\n";
/* --> 0 1 1 2 3 5 8 13 21 34 */

static int fail (lua_State *L, const char *what) {
  fprintf(stderr, "generator: %s: %s\n", what, luaL_tolstring(L, -1, NULL));
  return 1;
}

int main (void) {
  lacus_pool_options o = lacus_pool_defaults();
  Moons moons = { 0 };
  lua_State *L = luaL_newstate();
  lacus_pool *pool = lacus_pool_new(&o, NULL);
  int i;
  if (L == NULL || pool == NULL) return 1;
  luaL_openlibs(L);
  luaL_requiref(L, "lacus", luaopen_lacus, 0);

  luaL_loadstring(L, from_c);
  lacus_generator_push(L, next_moon, close_moons, &moons);
  lacus_pool_push(L, pool);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) return fail(L, "from C");

  lua_settop(L, 0);
  luaL_loadstring(L, to_c);
  if (lua_pcall(L, 0, 1, 0) != LUA_OK) return fail(L, "to C");
  for (i = 0; i < 10; i++) {
    if (lacus_generator_next(L, 1) < 1) return fail(L, "next");
    printf("%d ", (int)lua_tointeger(L, -1));
    lua_settop(L, 1);
  }
  printf("\n");
  lacus_generator_close(L, 1);          /* it would never end by itself */
  lua_close(L);
  lacus_pool_close(pool);
  return 0;
}
