/*
** api_generator.c: generators of C functions, and generators stepped from C;
** userdata types of the host.
*/
#include <lauxlib.h>

#include "../lib/generator.h"
#include "../lib/source.h"
#include "../value/hosted.h"
#include "api.h"

/* --- from C to Lua ------------------------------------------------------- */

typedef struct HostGen {
  Generator head;               /* first */
  lacus_next_fn next;
  void (*close) (void *ud);     /* NULL: none, or it has been called */
  void *ud;
} HostGen;

static void hgen_close (lua_State *L, int idx, Generator *gen) {
  HostGen *g = (HostGen *)(void *)gen;
  void (*close_) (void *) = g->close;
  (void)L; (void)idx;
  gen->state = GEN_DEAD;
  g->close = NULL;
  if (close_ != NULL) close_(g->ud);
}

/* Protected: (generator). The item's values, and their number on top. */
static int hgen_next (lua_State *L) {
  HostGen *g = (HostGen *)lua_touserdata(L, 1);
  int n, i;
  lua_settop(L, 0);
  n = g->next(L, g->ud);
  if (n < 0) n = LC_GEN_END;
  if (n > lua_gettop(L))
    return luaL_error(L, "a generator of the host gave %d values, and pushed "
                         "%d", n, lua_gettop(L));
  luaL_checkstack(L, 1, NULL);
  lua_pushinteger(L, n);
  i = n > 0 ? n : 0;
  return i + 1;
}

static int hgen_step (lua_State *L, int idx, Generator *gen, int nsend) {
  int n = LC_GEN_FAILED;
  lua_pop(L, nsend);
  gen->state = GEN_RUNNING;
  lua_pushcfunction(L, hgen_next);
  lua_pushlightuserdata(L, gen);
  if (lua_pcall(L, 1, LUA_MULTRET, 0) == LUA_OK) {
    n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  gen->state = GEN_SUSPENDED;
  if (n < 0) hgen_close(L, idx, gen);
  return n;
}

static const GeneratorKind hgen_kind = {
  hgen_step, hgen_close, NULL, "a generator of the host, which has no body",
  NULL, NULL
};

void lacus_generator_push (lua_State *L, lacus_next_fn next,
                           void (*close_) (void *ud), void *ud) {
  HostGen *g;
  lc_api_home(L);
  g = (HostGen *)(void *)lc_generator_new(L, &hgen_kind, sizeof(HostGen), 2);
  g->next = next;
  g->close = close_;
  g->ud = ud;
}

/* --- from Lua to C ------------------------------------------------------- */

/* Protected: (value). */
static int hgen_source (lua_State *L) {
  lc_api_home(L);
  if (!lc_source_new(L, 1)) return lua_error(L);
  return 1;
}

/* Protected: (generator). */
static int hgen_advance (lua_State *L) {
  int n = lc_generator_step(L, 1, 0);
  luaL_checkstack(L, 1, NULL);
  lua_pushinteger(L, n);
  return (n > 0 ? n : 0) + 1;
}

/* Protected: (generator). */
static int hgen_end (lua_State *L) {
  lc_generator_close(L, 1);
  return 0;
}

/* Calls f with the value at `idx`. */
static int hgen_call (lua_State *L, int idx, lua_CFunction f, int nresults) {
  idx = lua_absindex(L, idx);
  if (!lua_checkstack(L, 3)) return LACUS_NOMEM;
  lua_pushcfunction(L, f);
  lua_pushvalue(L, idx);
  return lua_pcall(L, 1, nresults, 0) == LUA_OK ? LACUS_OK : LACUS_ERROR;
}

int lacus_generator_new (lua_State *L, int idx) {
  return hgen_call(L, idx, hgen_source, 1);
}

int lacus_generator_next (lua_State *L, int idx) {
  int n;
  if (lc_generator_test(L, idx) == NULL) return LACUS_MISUSE;
  n = hgen_call(L, idx, hgen_advance, LUA_MULTRET);
  if (n != LACUS_OK) return n;
  n = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return n >= 0 ? n : LACUS_END;
}

int lacus_generator_close (lua_State *L, int idx) {
  if (lc_generator_test(L, idx) == NULL) return LACUS_MISUSE;
  return hgen_call(L, idx, hgen_end, 0);
}

/* --- userdata of the host ------------------------------------------------ */

/* The public struct is the one of value/hosted.h, field by field. */
typedef char same_type[sizeof(lacus_type) == sizeof(HostType)
  && offsetof(lacus_type, hold) == offsetof(HostType, hold)
  && offsetof(lacus_type, release) == offsetof(HostType, release)
  && offsetof(lacus_type, pack) == offsetof(HostType, pack)
  && offsetof(lacus_type, unpack) == offsetof(HostType, unpack) ? 1 : -1];

void lacus_type_register (lua_State *L, const lacus_type *t) {
  int shared = t->hold != NULL && t->release != NULL;
  int copied = t->pack != NULL && t->unpack != NULL;
  if (shared + copied != 1 || (t->hold != NULL) != shared
      || (t->release != NULL) != shared || (t->pack != NULL) != copied
      || (t->unpack != NULL) != copied)
    luaL_error(L, "type '%s' needs hold and release, or pack and unpack",
               t->name);
  lc_hosted_register(L, (const HostType *)(const void *)t);
}
