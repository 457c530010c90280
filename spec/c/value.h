/*
** value.h: two Lua states on one thread with a border between them, for the
** value_*.c programs. Lua chunks run in the home state, where they find
**
**   copy(...)           there and back: what the other state sends back
**   there(f, ...)       f, sent over, called there; its results come back
**   refused(...)        number, way, what; or nothing if it can be sent
**   begin()             a new map or submit
**   bytes(...)          length of the record
**   memory()            bytes used by home, away, and outside of both
**   check(ok, what)     as CHECK
*/
#ifndef value_h
#define value_h

#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/mem.h"
#include "value/codec.h"
#include "value/message.h"
#include "value/object.h"

#include "check.h"

typedef struct Border {
  Mem mem;
  lua_State *home, *away;
  Codec *hc, *ac;
  Message m;
} Border;

static Border *border_of (lua_State *L) {
  return (Border *)lua_touserdata(L, lua_upvalueindex(1));
}

/* The values first .. top, or an error that reads like the real one. */
static void border_send (lua_State *L, Codec *c, Message *m, int first) {
  int n = lua_gettop(L) - first + 1;
  EncodeResult r = lc_encode(L, c, m, first, n);
  if (r == LC_NOMEM) luaL_error(L, "not enough memory");
  if (r == LC_REFUSED)
    luaL_error(L, "cannot send args[%d]%s: %s",
               (int)lua_tointeger(L, -3), lua_tostring(L, -2),
               lua_tostring(L, -1));
  lua_settop(L, first + n - 1);
}

static int border_receive (lua_State *L, Codec *c, Message *m) {
  size_t pos = 0;
  int n = lc_decode(L, c, m, &pos);
  if (pos != m->len) luaL_error(L, "%d bytes left over", (int)(m->len - pos));
  return n;
}

typedef struct Trip {
  Border *b;
  Message m;         /* its own: values may start another while they are sent */
  int call;
} Trip;

/* In the away state: receives, calls, sends. */
static int border_serve (lua_State *L) {
  Trip *t = (Trip *)lua_touserdata(L, 1);
  lua_settop(L, 0);
  border_receive(L, t->b->ac, &t->m);
  lc_message_clear(&t->m, 1 << 20);
  if (t->call) lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  border_send(L, t->b->ac, &t->m, 1);
  return 0;
}

static int border_there (lua_State *L) {
  Trip *t = (Trip *)lua_touserdata(L, 1);
  lua_State *A = t->b->away;
  lua_remove(L, 1);
  border_send(L, t->b->hc, &t->m, 1);
  lua_pushcfunction(A, border_serve);
  lua_pushlightuserdata(A, t);
  if (lua_pcall(A, 1, 0, 0) != LUA_OK) {
    lua_pushfstring(L, "there: %s", luaL_tolstring(A, -1, NULL));
    lua_pop(A, 2);
    return lua_error(L);
  }
  lua_settop(L, 0);
  return border_receive(L, t->b->hc, &t->m);
}

static int border_trip (lua_State *L, int call) {
  Trip t;
  int status;
  t.b = border_of(L);
  t.call = call;
  lc_message_init(&t.m, &t.b->mem);
  lua_pushcfunction(L, border_there);
  lua_pushlightuserdata(L, &t);
  lua_rotate(L, 1, 2);
  status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  lc_message_drop(&t.m);
  if (status != LUA_OK) return lua_error(L);
  return lua_gettop(L);
}

static int l_border_copy (lua_State *L) { return border_trip(L, 0); }
static int l_border_there (lua_State *L) { return border_trip(L, 1); }

static int l_border_refused (lua_State *L) {
  Border *b = border_of(L);
  EncodeResult r;
  lc_message_clear(&b->m, 1 << 20);
  r = lc_encode(L, b->hc, &b->m, 1, lua_gettop(L));
  check_(b->m.len == 0 || r == LC_ENCODED, __FILE__, __LINE__, "m as it was");
  return r == LC_REFUSED ? 3 : 0;
}

static int l_border_bytes (lua_State *L) {
  Border *b = border_of(L);
  lc_message_clear(&b->m, 1 << 20);
  border_send(L, b->hc, &b->m, 1);
  lua_pushinteger(L, (lua_Integer)b->m.len);
  return 1;
}

static int l_border_begin (lua_State *L) {
  Border *b = border_of(L);
  lc_codec_begin(L, b->hc);
  lc_codec_begin(b->away, b->ac);
  return 0;
}

static int l_border_check (lua_State *L) {
  lua_Debug ar;
  memset(&ar, 0, sizeof ar);
  if (lua_getstack(L, 1, &ar)) lua_getinfo(L, "Sl", &ar);
  check_(lua_toboolean(L, 1), ar.short_src, ar.currentline,
         luaL_optstring(L, 2, "check"));
  return 0;
}

/* Bytes in use: home, away, ours. */
static int l_border_memory (lua_State *L) {
  Border *b = border_of(L);
  lua_State *state[2];
  int i;
  state[0] = b->home;
  state[1] = b->away;
  for (i = 0; i < 2; i++)
    lua_pushinteger(L, (lua_Integer)lua_gc(state[i], LUA_GCCOUNT, 0) * 1024
                       + lua_gc(state[i], LUA_GCCOUNTB, 0));
  lua_pushinteger(L, (lua_Integer)lc_mem_used(&b->mem));
  return 3;
}

static void border_function (Border *b, const char *name, lua_CFunction f) {
  lua_pushlightuserdata(b->home, b);
  lua_pushcclosure(b->home, f, 1);
  lua_setglobal(b->home, name);
}

static void border_open (Border *b) {
  lc_mem_init(&b->mem, NULL, NULL);
  b->home = luaL_newstate();
  b->away = luaL_newstate();
  luaL_openlibs(b->home);
  luaL_openlibs(b->away);
  b->hc = lc_codec_open(b->home, &b->mem);
  b->ac = lc_codec_open(b->away, &b->mem);
  lc_message_init(&b->m, &b->mem);
  border_function(b, "copy", l_border_copy);
  border_function(b, "there", l_border_there);
  border_function(b, "refused", l_border_refused);
  border_function(b, "bytes", l_border_bytes);
  border_function(b, "begin", l_border_begin);
  border_function(b, "check", l_border_check);
  border_function(b, "memory", l_border_memory);
}

/* Closes both states; nothing may be left. */
static void border_close (Border *b) {
  lc_message_drop(&b->m);
  lua_close(b->home);
  lua_close(b->away);
  lc_message_drop(&b->m);         /* finalizers may have written to it */
  CHECK_INT(lc_mem_used(&b->mem), 0);
}

static void border_do (Border *b, const char *name, const char *chunk) {
  lua_State *L = b->home;
  if (luaL_loadbuffer(L, chunk, strlen(chunk), name) != LUA_OK
      || lua_pcall(L, 0, 0, 0) != LUA_OK) {
    check_(0, __FILE__, __LINE__, lua_tostring(L, -1));
    lua_pop(L, 1);
  }
}

/* One chunk in two fresh states. */
static inline void border_run (const char *name, const char *chunk) {
  Border b;
  border_open(&b);
  border_do(&b, name, chunk);
  border_close(&b);
}

#endif
