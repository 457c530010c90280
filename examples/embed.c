/* A host in one page: stock Lua, the module, a pool that the host owns, and a
** function of the host's that every worker has.
**   cc embed.c $(pkg-config --cflags --libs lacus) -o embed */
#include <math.h>
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <lacus.h>

/* What this program adds to Lua: here, and in every worker. */
static int l_crater_depth (lua_State *L) {
  lua_Number km = luaL_checknumber(L, 1);
  lua_pushnumber(L, 0.196 * pow(km, 1.01));
  return 1;
}

static void register_api (lua_State *L, void *ud) {
  (void)ud;
  lua_register(L, "crater_depth", l_crater_depth);
}

static const char script[] =
  "local craters = {\n"
  "  { name = 'Tycho', km = 85 }, { name = 'Copernicus', km = 93 },\n"
  "  { name = 'Plato', km = 101 }, { name = 'Grimaldi', km = 173 },\n"
  "}\n"
  "local function survey(c) return c.name, crater_depth(c.km) end\n"
  "for i, name, depth in pool:map(craters, survey, { ordered = true }) do\n"
  "  print(('%d  %-12s %5.1f km deep'):format(i, name, depth))\n"
  "end\n";
/* --> 1 Tycho 17.4 km deep */
/* --> 2 Copernicus 19.1 km deep */
/* --> 3 Plato 20.7 km deep */
/* --> 4 Grimaldi 35.7 km deep */

int main (void) {
  lacus_pool_options o = lacus_pool_defaults();
  lacus_error err;
  lacus_pool *pool;
  lua_State *L = luaL_newstate();
  int failed;
  o.on_open = register_api;
  pool = lacus_pool_new(&o, &err);
  if (L == NULL || pool == NULL) {
    fprintf(stderr, "embed: %s\n", err.text);
    return 1;
  }
  luaL_openlibs(L);
  register_api(L, NULL);
  luaL_requiref(L, "lacus", luaopen_lacus, 0);   /* scripts may require it */
  lacus_pool_push(L, pool);
  lua_setglobal(L, "pool");
  failed = luaL_dostring(L, script);
  if (failed) fprintf(stderr, "embed: %s\n", luaL_tolstring(L, -1, NULL));
  lua_close(L);
  lacus_pool_close(pool);
  return failed;
}
