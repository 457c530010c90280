/*
** sandbox.c: a state of few libraries. What is not asked for is not there, and
** what is there takes no bytecode: `load`, `loadfile`, `dofile` and the
** searcher of `require` read text alone; `string.dump`, `package.loadlib` and
** the searchers for C modules are gone. What such a state sends is data: see
** lc_codec_seal. Functions that come to it are loaded as ever: the script that
** sends them is trusted.
**
** `lacus` is there all the same. Where `package` is not, `require` gives what is
** loaded, what the opener's package.preload has, and lacus.
*/
#include "sandbox.h"

#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "../value/object.h"

/* Keeps apart {} and no option at all. */
#define BOX_GIVEN 1u

typedef struct BoxLib {
  const char *name;
  lua_CFunction open;
} BoxLib;

static const BoxLib box_libs[] = {
  {LUA_LOADLIBNAME, luaopen_package},
  {LUA_COLIBNAME, luaopen_coroutine},
  {LUA_TABLIBNAME, luaopen_table},
  {LUA_IOLIBNAME, luaopen_io},
  {LUA_OSLIBNAME, luaopen_os},
  {LUA_STRLIBNAME, luaopen_string},
  {LUA_MATHLIBNAME, luaopen_math},
  {LUA_UTF8LIBNAME, luaopen_utf8},
  {LUA_DBLIBNAME, luaopen_debug},
  {NULL, NULL}
};

enum { BOX_PACKAGE };           /* its place in the list */

static unsigned box_bit (int i) { return 2u << i; }

/* The library's place, -1 for what is always there, -2 for what there is not. */
static int box_find (const char *name) {
  int i;
  if (strcmp(name, "base") == 0 || strcmp(name, LUA_GNAME) == 0) return -1;
  for (i = 0; box_libs[i].name != NULL; i++)
    if (strcmp(name, box_libs[i].name) == 0) return i;
  return -2;
}

unsigned lc_sandbox_libs (lua_State *L, int idx) {
  unsigned libs = BOX_GIVEN;
  lua_Integer k, n;
  idx = lua_absindex(L, idx);
  if (!lua_istable(L, idx))
    luaL_argerror(L, 1, "option 'libs' must be an array of names of libraries");
  n = (lua_Integer)lua_rawlen(L, idx);
  for (k = 1; k <= n; k++) {
    int i;
    lua_rawgeti(L, idx, k);
    i = lua_type(L, -1) == LUA_TSTRING ? box_find(lua_tostring(L, -1)) : -2;
    if (i == -2)
      luaL_argerror(L, 1, lua_pushfstring(L,
        "option 'libs': there is no standard library '%s'",
        luaL_tolstring(L, -1, NULL)));
    if (i >= 0) libs |= box_bit(i);
    lua_pop(L, 1);
  }
  return libs;
}

/* --- text, and no bytecode ------------------------------------------------- */

static int box_refuse_bytecode (lua_State *L) {
  lua_pushnil(L);
  lua_pushliteral(L, "bytecode is refused in a pool with 'libs'");
  return 2;
}

/* Calls the standard function (upvalue 1) with argument `arg`, the mode, "t". */
static int box_load_text (lua_State *L, int arg) {
  int n = lua_gettop(L) > arg ? lua_gettop(L) : arg;
  lua_settop(L, n);
  lua_pushliteral(L, "t");
  lua_replace(L, arg);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, n, LUA_MULTRET);
  return lua_gettop(L);
}

static int l_box_load (lua_State *L) {
  const char *mode = luaL_optstring(L, 3, "t");
  if (strchr(mode, 't') == NULL
      || (lua_type(L, 1) == LUA_TSTRING
          && lua_tostring(L, 1)[0] == LUA_SIGNATURE[0]))
    return box_refuse_bytecode(L);
  return box_load_text(L, 3);
}

static int l_box_loadfile (lua_State *L) {
  if (strchr(luaL_optstring(L, 2, "t"), 't') == NULL)
    return box_refuse_bytecode(L);
  return box_load_text(L, 2);
}

static int box_did_file (lua_State *L, int status, lua_KContext ctx) {
  (void)status; (void)ctx;
  return lua_gettop(L) - 1;
}

static int l_box_dofile (lua_State *L) {
  const char *name = luaL_optstring(L, 1, NULL);
  lua_settop(L, 1);
  if (luaL_loadfilex(L, name, "t") != LUA_OK) return lua_error(L);
  lua_callk(L, 0, LUA_MULTRET, 0, box_did_file);
  return box_did_file(L, 0, 0);
}

/* The table on top: its `name` becomes `f`, with the old one as its upvalue. */
static void box_wrap (lua_State *L, const char *name, lua_CFunction f) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, f, 1);
  lua_setfield(L, -2, name);
}

static void box_forget (lua_State *L, const char *name) {
  lua_pushnil(L);
  lua_setfield(L, -2, name);
}

static void box_open_base (lua_State *L) {
  luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
  box_wrap(L, "load", l_box_load);
  box_wrap(L, "loadfile", l_box_loadfile);
  lua_pushcfunction(L, l_box_dofile);
  lua_setfield(L, -2, "dofile");
  lua_pop(L, 1);
}

/* --- modules ----------------------------------------------------------------- */

/* As the standard searcher for Lua files; upvalue 1 is `package`. */
static int l_box_search (lua_State *L) {
  const char *file;
  lua_settop(L, 1);
  lua_getfield(L, lua_upvalueindex(1), "searchpath");
  lua_pushvalue(L, 1);
  lua_getfield(L, lua_upvalueindex(1), "path");
  lua_call(L, 2, 2);
  file = lua_tostring(L, 2);
  if (file == NULL) return 1;                   /* where it is not */
  if (luaL_loadfilex(L, file, "t") != LUA_OK)
    return luaL_error(L, "error loading module '%s' from file '%s':\n\t%s",
                      lua_tostring(L, 1), file, lua_tostring(L, -1));
  lua_pushvalue(L, 2);
  return 2;
}

static int l_box_search_c (lua_State *L) {
  lua_pushliteral(L, "no C module is loaded in a pool with 'libs'");
  return 1;
}

/* `package` is on top: its searchers are the one for package.preload, and ours. */
static void box_tame_package (lua_State *L) {
  box_forget(L, "loadlib");
  lua_createtable(L, 3, 0);
  lua_getfield(L, -2, "searchers");
  lua_rawgeti(L, -1, 1);
  lua_rawseti(L, -3, 1);
  lua_pop(L, 1);
  lua_pushvalue(L, -2);
  lua_pushcclosure(L, l_box_search, 1);
  lua_rawseti(L, -2, 2);
  lua_pushcfunction(L, l_box_search_c);
  lua_rawseti(L, -2, 3);
  lua_setfield(L, -2, "searchers");
}

static int box_is_ours (const char *name) {
  return strcmp(name, "lacus") == 0 || strncmp(name, "lacus.", 6) == 0;
}

/* Without `package`. Upvalue 1 is the real `require`; 2 the libraries. */
static int l_box_require (lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  unsigned libs = (unsigned)lua_tointeger(L, lua_upvalueindex(2));
  int i = box_find(name), there;
  lua_settop(L, 1);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  there = lua_getfield(L, 2, name) != LUA_TNIL
          || lua_getfield(L, 3, name) != LUA_TNIL || box_is_ours(name);
  if (i >= 0 ? !(libs & box_bit(i)) : !there)
    return luaL_error(L, "module '%s' not found: the option 'libs' of this pool "
                         "has no 'package'", name);
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 2);
  return 2;
}

/* Open in any case, for lacus itself; tasks see it only if they are to. */
static void box_open_package (lua_State *L, unsigned libs) {
  luaL_requiref(L, LUA_LOADLIBNAME, luaopen_package, 0);
  box_tame_package(L);
  if (libs & box_bit(BOX_PACKAGE)) {
    lua_setglobal(L, LUA_LOADLIBNAME);
    return;
  }
  lua_pop(L, 1);
  lua_getglobal(L, "require");
  lua_pushinteger(L, (lua_Integer)libs);
  lua_pushcclosure(L, l_box_require, 2);
  lua_setglobal(L, "require");
}

/* --- lacus's own globals ----------------------------------------------------- */

static const char box_env = 0;

int lc_sandbox_push_env (lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &box_env) == LUA_TTABLE) return 1;
  lua_pop(L, 1);
  return 0;
}

static void box_own_library (lua_State *L, const char *name, lua_CFunction f) {
  lua_pushcfunction(L, f);
  lua_call(L, 0, 1);
  lua_setfield(L, -2, name);
}

/* Base and `require` as they are now, and libraries of its own. */
static void box_make_env (lua_State *L) {
  lua_newtable(L);
  lua_pushglobaltable(L);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -5);
  }
  lua_pop(L, 1);
  box_own_library(L, LUA_STRLIBNAME, luaopen_string);
  box_own_library(L, LUA_TABLIBNAME, luaopen_table);
  box_own_library(L, LUA_MATHLIBNAME, luaopen_math);
  lua_pushliteral(L, "");                    /* strings have no methods yet */
  lua_pushnil(L);
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &box_env);
}

/* --- opening ------------------------------------------------------------------- */

void lc_sandbox_open (lua_State *L, unsigned libs) {
  int i;
  lc_codec_seal(lc_worker_of(L)->codec);
  box_open_base(L);
  box_open_package(L, libs);
  box_make_env(L);
  for (i = 1; box_libs[i].name != NULL; i++) {
    if (!(libs & box_bit(i))) continue;
    luaL_requiref(L, box_libs[i].name, box_libs[i].open, 1);
    if (box_libs[i].open == luaopen_string) box_forget(L, "dump");
    lua_pop(L, 1);
  }
}

/* --- what such a task may call on ---------------------------------------------- */

static Pool *box_pool (Home *home) {
  return home->worker != NULL ? lc_crew_worker(home->worker)->pool : NULL;
}

int lc_sandbox_holds (Home *home) {
  Pool *own = box_pool(home);
  return own != NULL && own->libs != 0;
}

void lc_sandbox_address (lua_State *L, Home *home, Pool *p) {
  if (!lc_sandbox_holds(home)) return;
  if (box_pool(home) != p)
    luaL_error(L, "a task of a pool with 'libs' may use its own pool alone");
  lc_codec_unseal_next(home->codec);
}
