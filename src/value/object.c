#include "object.h"

#include <string.h>

#include <lauxlib.h>

/* Keys in the registry. */
static const char object_handles = 0;  /* weak values: Shared -> handle */
static const char object_lent = 0;     /* Shared -> true: see lc_object_lend */

/* What a handle is known by: one that holds its thing, was lent it, or holds it and is in no
** table yet. */
static const char object_holds = 0;
static const char object_borrows = 0;
static const char object_fresh = 0;

typedef struct Handle {
  const char *mark;      /* one of these */
  Shared *s;             /* NULL: dropped */
} Handle;

/* Known by its size and its mark: each method comes this way, and to look a key up in the
** metatable takes ten times as long. NULL: it is no handle. (rawlen: 0 of a pointer.) */
static Handle *object_handle (lua_State *L, int idx) {
  Handle *p = (Handle *)lua_touserdata(L, idx);
  return p != NULL && lua_rawlen(L, idx) == sizeof(Handle)
         && (p->mark == &object_holds || p->mark == &object_fresh
             || p->mark == &object_borrows) ? p : NULL;
}

static Handle *object_at (lua_State *L, int idx, const SharedKind *kind) {
  Handle *p = object_handle(L, idx);
  return p != NULL && p->s != NULL && (kind == NULL || p->s->kind == kind) ? p : NULL;
}

Shared *lc_object_test (lua_State *L, int idx, const SharedKind *kind) {
  Handle *p = object_at(L, idx, kind);
  return p != NULL ? p->s : NULL;
}

int lc_object_isdead (lua_State *L, int idx) {
  Handle *p = object_handle(L, idx);
  return p != NULL && p->s == NULL;
}

void lc_object_drop (lua_State *L, int idx) {
  Handle *p = object_at(L, idx, NULL);
  Shared *s;
  if (p == NULL) return;
  s = p->s;
  p->s = NULL;                /* first: the release may run anything */
  if (p->mark != &object_borrows) lc_shared_release(s);
}

static int object_gc (lua_State *L) {
  lc_object_drop(L, 1);
  return 0;
}

static void object_default (lua_State *L, int mt, const char *field) {
  lua_pushstring(L, field);
  lua_rawget(L, mt);
  if (!lua_isnil(L, -1)) {            /* there already: drop ours */
    lua_pop(L, 2);
    return;
  }
  lua_pop(L, 1);
  lua_pushstring(L, field);
  lua_insert(L, -2);
  lua_rawset(L, mt);
}

void lc_object_register (lua_State *L, const SharedKind *kind) {
  int mt = lua_gettop(L);
  luaL_checkstack(L, 8, "object");
  lua_pushcfunction(L, object_gc);
  object_default(L, mt, "__gc");
  lua_pushstring(L, kind->name);
  object_default(L, mt, "__name");
  lua_pushboolean(L, 0);
  object_default(L, mt, "__metatable");
  lua_pushvalue(L, mt);
  lua_rawsetp(L, LUA_REGISTRYINDEX, kind);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &object_handles) != LUA_TTABLE) {
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &object_handles);
  }
  lua_settop(L, mt - 1);
}

void lc_object_lend (lua_State *L, Shared *s) {
  luaL_checkstack(L, 3, "object");
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &object_lent) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &object_lent);
  }
  lua_pushboolean(L, 1);
  lua_rawsetp(L, -2, s);
  lua_pop(L, 1);
}

static int object_islent (lua_State *L, Shared *s) {
  int lent = 0, top = lua_gettop(L);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &object_lent) == LUA_TTABLE)
    lent = lua_rawgetp(L, -1, s) != LUA_TNIL;
  lua_settop(L, top);
  return lent;
}

/*
** Pushes the metatable of `kind`. A state may meet a handle before anybody
** there has required the module that knows it: "lacus.pool" is lacus's.
*/
static void object_metatable (lua_State *L, const SharedKind *kind) {
  const char *dot = strchr(kind->name, '.');
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, kind) == LUA_TTABLE) return;
  lua_pop(L, 1);
  if (dot != NULL && lua_getglobal(L, "require") == LUA_TFUNCTION) {
    lua_pushlstring(L, kind->name, (size_t)(dot - kind->name));
    lua_call(L, 1, 0);
  }
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, kind) != LUA_TTABLE)
    luaL_error(L, "this state does not know what a %s is", kind->name);
}

void lc_object_blank (lua_State *L, const SharedKind *kind) {
  Handle *p = (Handle *)lua_newuserdatauv(L, sizeof(Handle), 0);
  p->mark = &object_fresh;
  p->s = NULL;
  object_metatable(L, kind);
  lua_setmetatable(L, -2);
}

/* The handle on top is that of `s`. Raises. */
static void object_list (lua_State *L, Shared *s) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &object_handles);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, s);
  lua_pop(L, 1);
}

void lc_object_fill (lua_State *L, Shared *s) {
  Handle *p = (Handle *)lua_touserdata(L, -1);
  p->s = s;
}

int lc_object_isfresh (lua_State *L, int idx) {
  Handle *p = object_handle(L, idx);
  return p != NULL && p->mark == &object_fresh;
}

void lc_object_list (lua_State *L, int idx) {
  Handle *p = object_handle(L, idx);
  if (p == NULL || p->mark != &object_fresh) return;
  luaL_checkstack(L, 3, "object");
  lua_pushvalue(L, idx);
  object_list(L, p->s);
  lua_pop(L, 1);
  p->mark = &object_holds;
}

/*
** The empty handle is in the table before it holds anything, so what raises
** up to there leaves the hold with lc_object_push, which lets it go.
*/
static int object_new (lua_State *L) {
  Shared *s = (Shared *)lua_touserdata(L, 1);
  Handle *p;
  lc_object_blank(L, s->kind);
  object_list(L, s);
  p = (Handle *)lua_touserdata(L, -1);
  p->s = s;
  p->mark = &object_holds;
  if (object_islent(L, s)) {
    p->mark = &object_borrows;
    lc_shared_release(s);
  }
  return 1;
}

void lc_object_push (lua_State *L, Shared *s) {
  Handle *p;
  if (!lua_checkstack(L, 8)) {
    lc_shared_release(s);
    luaL_error(L, "stack overflow");
  }
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &object_handles) == LUA_TTABLE) {
    lua_rawgetp(L, -1, s);
    lua_remove(L, -2);
    p = (Handle *)lua_touserdata(L, -1);
    if (p != NULL && p->s == s) {
      lc_shared_release(s);           /* the handle has its own hold */
      return;
    }
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, object_new);
  lua_pushlightuserdata(L, s);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
    lc_shared_release(s);
    lua_error(L);
  }
}
