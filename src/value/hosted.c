#include "hosted.h"

#include <lauxlib.h>

/* Keys: in a metatable (its type), in the registry. */
static const char hosted_type = 0;     /* in a metatable: its HostType */
static const char hosted_types = 0;    /* name -> HostType */
static const char hosted_things = 0;   /* weak values: thing -> userdata */

static void hosted_free (Shared *s) {
  Hosted *h = (Hosted *)s;
  h->type->release(h->thing);
  lc_mem_free(h->mem, h, sizeof(Hosted));
}

const SharedKind lc_hosted_kind = {"lacus.hosted", hosted_free};

void lc_hosted_register (lua_State *L, const HostType *type) {
  int top = lua_gettop(L);
  luaL_checkstack(L, 8, "host type");
  if (luaL_getmetatable(L, type->name) != LUA_TTABLE)
    luaL_error(L, "there is no metatable '%s'", type->name);
  lua_pushlightuserdata(L, (void *)type);
  lua_rawsetp(L, -2, &hosted_type);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hosted_things) != LUA_TTABLE) {
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &hosted_things);
  }
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hosted_types) != LUA_TTABLE) {
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &hosted_types);
  }
  lua_pushstring(L, type->name);
  lua_pushlightuserdata(L, (void *)type);
  lua_rawset(L, -3);
  lua_settop(L, top);
}

const HostType *lc_hosted_type (lua_State *L, int idx) {
  const HostType *t;
  if (lua_type(L, idx) != LUA_TUSERDATA || !lua_getmetatable(L, idx))
    return NULL;
  t = (lua_rawgetp(L, -1, &hosted_type) == LUA_TLIGHTUSERDATA)
      ? (const HostType *)lua_touserdata(L, -1) : NULL;
  lua_pop(L, 2);
  return t;
}

const HostType *lc_hosted_named (lua_State *L, int idx) {
  const HostType *t = NULL;
  lua_pushvalue(L, idx);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hosted_types) == LUA_TTABLE) {
    lua_pushvalue(L, -2);
    lua_rawget(L, -2);
    t = (const HostType *)lua_touserdata(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 2);
  return t;
}

Hosted *lc_hosted_new (Mem *mem, lua_State *L, int idx,
                       const HostType *type) {
  Hosted *h = (Hosted *)lc_mem_alloc(mem, sizeof(Hosted));
  if (h == NULL) return NULL;
  lc_shared_init(&h->head, &lc_hosted_kind);
  h->mem = mem;
  h->type = type;
  h->thing = *(void **)lua_touserdata(L, idx);
  type->hold(h->thing);
  return h;
}

void lc_hosted_note (lua_State *L, int idx) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hosted_things) == LUA_TTABLE) {
    lua_pushvalue(L, idx);
    lua_rawsetp(L, -2, *(void **)lua_touserdata(L, idx));
  }
  lua_pop(L, 1);
}

/* Two types may share one address (a thing and its first member). */
static int hosted_found (lua_State *L, const Hosted *h) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &hosted_things) == LUA_TTABLE) {
    lua_rawgetp(L, -1, h->thing);
    lua_remove(L, -2);
    if (lc_hosted_type(L, -1) == h->type
        && *(void **)lua_touserdata(L, -1) == h->thing)
      return 1;
  }
  lua_pop(L, 1);
  return 0;
}

void lc_hosted_push (lua_State *L, Hosted *h) {
  void **p;
  luaL_checkstack(L, 8, "host type");
  if (hosted_found(L, h)) return;
  lua_pushstring(L, h->type->name);
  if (lc_hosted_named(L, -1) != h->type)
    luaL_error(L, "this state does not know what a %s is", h->type->name);
  lua_pop(L, 1);
  p = (void **)lua_newuserdatauv(L, sizeof(void *), 0);
  *p = NULL;
  luaL_getmetatable(L, h->type->name);  /* pushes a string: before the hold */
  h->type->hold(h->thing);
  *p = h->thing;
  lua_setmetatable(L, -2);
  lc_hosted_note(L, lua_gettop(L));
}
