#include "call.h"

#include <string.h>

#include <lauxlib.h>

static void call_free (Shared *s) {
  Call *call = (Call *)s;
  lc_message_drop(&call->msg);
  lc_mem_free(call->mem, call, sizeof(Call));
}

static const SharedKind call_shared_kind = { "lacus.call", call_free };

EncodeResult lc_call_new (lua_State *L, Codec *c, Mem *mem, int idx,
                          Call **made) {
  EncodeResult result;
  Call *call = (Call *)lc_mem_zalloc(mem, sizeof(Call));
  *made = call;
  if (call == NULL) return LC_NOMEM;
  lc_shared_init(&call->head, &call_shared_kind);
  call->mem = mem;
  lc_message_init(&call->msg, mem);
  /* The caller has *made by now: should this raise, it releases it. */
  result = lc_encode(L, c, &call->msg, lua_absindex(L, idx), 1);
  if (result != LC_ENCODED) {
    lc_call_release(call);
    *made = NULL;
  }
  return result;
}

/* A function that is sent names its ident, then its code; what has a name, only that
** (FNV-1a, Fowler, Noll and Vo). */
uint64_t lc_call_key (const Call *call) {
  const Message *m = &call->msg;
  uint64_t key = UINT64_C(0xcbf29ce484222325);
  size_t i;
  if (m->nrefs >= 2) return (uint64_t)(uintptr_t)m->refs[1];
  for (i = 0; i < m->len; i++) key = (key ^ m->bytes[i]) * UINT64_C(0x100000001b3);
  return key | 1;
}

/* Relaxed: a hint to let go of memory; it orders nothing. */
void lc_call_retire (Call *call) {
  atomic_store_explicit(&call->retired, 1, memory_order_relaxed);
}

void lc_call_release (Call *call) {
  if (call != NULL) lc_shared_release(&call->head);
}

/* --- those that repeat ----------------------------------------------------- */

/* The message holds the identity, so no other one has its address. */
static int call_is_of (const Call *call, const Shared *ident) {
  return call != NULL && call->msg.nrefs > 0 && call->msg.refs[0] == ident;
}

static void memo_put (Call **place, Call *call) {
  if (*place != NULL) {
    lc_call_retire(*place);
    lc_call_release(*place);
  }
  if (call != NULL) lc_shared_hold(&call->head);
  *place = call;
}

void lc_call_forget (CallMemo *memo) {
  int i;
  for (i = 0; i < LC_CALLS_REPEATED; i++) memo_put(&memo->kept[i], NULL);
}

static Call **memo_place (CallMemo *memo, const Shared *ident) {
  return &memo->kept[((uintptr_t)ident >> 6) % LC_CALLS_REPEATED];
}

/* The one that is kept for `ident`, held. */
static Call *memo_find (CallMemo *memo, const Shared *ident) {
  Call *call = *memo_place(memo, ident);
  if (!call_is_of(call, ident)) return NULL;
  lc_shared_hold(&call->head);
  return call;
}

Call *lc_call_kept (CallMemo *memo, lua_State *L, const Codec *c, int idx) {
  const Shared *ident = lc_codec_repeats(L, c, idx);
  return ident != NULL ? memo_find(memo, ident) : NULL;
}

void lc_call_repeat (CallMemo *memo, lua_State *L, Codec *c, Mem *mem, int idx,
                     Call **made) {
  const Shared *ident = lc_codec_repeats(L, c, idx);
  int top = lua_gettop(L);
  *made = ident != NULL ? memo_find(memo, ident) : NULL;
  if (ident == NULL || *made != NULL) return;
  lc_call_new(L, c, mem, idx, made);
  lua_settop(L, top);
  if (call_is_of(*made, ident)) memo_put(memo_place(memo, ident), *made);
  else {                          /* no memory; or it has got a name meanwhile */
    lc_call_release(*made);
    *made = NULL;
  }
}

/* --- in a worker ----------------------------------------------------------- */

/*
** "module.function" on the stack top becomes what the worker's own `require`
** finds: what stands before the last dot is the module.
*/
void lc_call_resolve (lua_State *L) {
  const char *name, *dot;
  if (lua_type(L, -1) != LUA_TSTRING) return;
  name = lua_tostring(L, -1);
  dot = strrchr(name, '.');
  if (dot == NULL) luaL_error(L, "'%s' names no module.function", name);
  lua_pushlstring(L, name, (size_t)(dot - name));
  lua_getglobal(L, "require");
  lua_pushvalue(L, -2);
  lua_call(L, 1, 1);
  if (lua_getfield(L, -1, dot + 1) == LUA_TNIL)
    luaL_error(L, "module '%s' has no function '%s'", lua_tostring(L, -3),
               dot + 1);
  lua_replace(L, -4);
  lua_pop(L, 2);
}

static void call_evict (CallCache *cache, lua_State *L, int i) {
  Call *call = cache->kept[i];
  lua_pushnil(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, call);
  cache->kept[i] = cache->kept[--cache->n];
  lc_call_release(call);
}

void lc_call_sweep (CallCache *cache, lua_State *L, int all) {
  int i = 0;
  while (i < cache->n) {
    if (all || atomic_load_explicit(&cache->kept[i]->retired,
                                    memory_order_relaxed))
      call_evict(cache, L, i);
    else i++;
  }
}

/* The function is on top: keep it, and leave it there. */
static void call_keep (CallCache *cache, lua_State *L, Call *call) {
  lc_call_sweep(cache, L, 0);
  if (cache->n == LC_CALLS_KEPT) call_evict(cache, L, 0);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, call);      /* may raise: nothing kept */
  lc_shared_hold(&call->head);
  cache->kept[cache->n++] = call;
}

void lc_call_push (CallCache *cache, lua_State *L, Codec *c, Call *call) {
  size_t at = 0;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, call) != LUA_TNIL) return;
  lua_pop(L, 1);
  lc_decode(L, c, &call->msg, &at);
  lc_call_resolve(L);
  call_keep(cache, L, call);
}
