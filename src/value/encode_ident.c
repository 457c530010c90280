/*
** encode_ident.c: what has an identity besides its content: named objects,
** functions, classes, handles, and what a __transfer metamethod stands in
** for. Stands on recall.h, names.h, object.h, hosted.h; knows nothing of how
** plain values are written (encode.c does).
*/
#include "encode.h"

#include <lauxlib.h>

#include "hosted.h"
#include "names.h"
#include "object.h"
#include "recall.h"

enum { META_TRANSFER = 1, META_GC = 2 };

/* Only a protected record can say why and where. */
EncStatus lc_enc_refuse (Enc *e, int idx, const char *why) {
  if (!lc_enc_in(e, ENC_SAFE)) return ENC_AGAIN;
  lua_pushvalue(e->L, idx);
  lua_replace(e->L, e->bad);
  for (; e != NULL; e = e->outer) e->why = why;
  return ENC_REFUSED;
}

/* The number of a shared thing in the message; each goes in once for each
** record, and seldom more often. */
EncStatus lc_enc_shared (Enc *e, Shared *sh, uint32_t *at) {
  Message *m = e->m;
  size_t i;
  Seen *s = lc_scratch_put(e->s, sh);
  if (s == NULL) return ENC_NOMEM;
  if (s->aux == 0) {
    size_t near = e->nrefs > 8 ? e->nrefs - 8 : 0;
    for (i = e->nrefs; i > near; i--)
      if (m->refs[i - 1] == sh) break;
    if (i > near) i--;
    else if (!lc_message_ref(m, sh, &i)) return ENC_NOMEM;
    s->aux = (uint32_t)i + 1;
  }
  *at = s->aux - 1;
  return ENC_OK;
}

static EncStatus enc_withref (Enc *e, unsigned tag, Shared *sh) {
  uint32_t at;
  EncStatus st = lc_enc_shared(e, sh, &at);
  if (st != ENC_OK) return st;
  if (!lc_enc_room(e, 16)) return ENC_NOMEM;
  lc_enc_byte(e, tag);
  lc_enc_u32(e, at);
  return ENC_OK;
}

/* ---- names ---- */

/* The names of the state are looked through afresh; a raise is noticed by
** the outermost record. */
static void enc_index (Enc *e) {
  Enc *top = e;
  while (top->outer != NULL) top = top->outer;
  top->builds = 1;
  lc_names_build(e->L, e->c);
  top->builds = 0;
}

static EncStatus enc_name (Enc *e, const Known *k) {
  uint32_t part[3];
  int i, n;
  memcpy(part, k->part, sizeof part);
  n = part[1] == 0 ? 1 : part[2] == 0 ? 2 : 3;
  if (!lc_enc_room(e, 16)) return ENC_NOMEM;
  lc_enc_byte(e, WIRE_NAME);
  lc_enc_byte(e, (unsigned)n);
  for (i = 0; i < n; i++) {
    EncStatus st;
    size_t len;
    const char *str;
    lc_names_text(e->L, part[i]);
    str = lua_tolstring(e->L, -1, &len);
    st = lc_enc_room(e, 16) ? lc_enc_string(e, str, len) : ENC_NOMEM;
    lua_pop(e->L, 1);
    if (st != ENC_OK) return st;
  }
  return ENC_OK;
}

int lc_enc_lookup (Enc *e, int idx, const void *key, Seen *s, EncStatus *st) {
  Codec *c = e->c;
  const Known *k;
  if (c->names.checked != c->epoch && !lc_names_current(e->L, c)) {
    if (!lc_enc_in(e, ENC_SAFE)) {
      *st = ENC_AGAIN;
      return 1;
    }
    enc_index(e);
  }
  if (!lc_names_maybe(c, key)) return 0;
  k = lc_names_guess(c, key);
  if (k == NULL) return 0;
  switch (lc_names_check(e->L, k, idx)) {
    case NAMES_GLOBALS:
      s->id = ++e->id;
      lc_enc_byte(e, WIRE_GLOBALS);
      *st = ENC_OK;
      return 1;
    case NAMES_NAMED:
      if (e->sealed && !lc_names_isours(c, k)) return 0;
      s->id = ++e->id;
      *st = enc_name(e, k);
      return 1;
    case NAMES_CLASS:
      if (lua_type(e->L, idx) != LUA_TTABLE
          || lc_recall_find(e->L, idx) == NULL)
        return 0;             /* another object at the address of one gone */
      *st = lc_enc_class(e, idx, s);
      return 1;
    default: return 0;
  }
}

/* A C function or userdata without a name: perhaps it is a new one. */
static int enc_found (Enc *e, int idx, const void *key, Seen *s,
                      EncStatus *st) {
  Enc *top = e;
  while (top->outer != NULL) top = top->outer;
  if (!lc_enc_in(e, ENC_SAFE)) {
    *st = ENC_AGAIN;
    return 1;
  }
  if (top->indexed || e->c->names.building) return 0;
  top->indexed = 1;
  enc_index(e);
  return lc_enc_known(e, idx, key, s, st);
}

/* Whether the function or class at `idx` must not leave a sealed state. */
static int enc_isheld (Enc *e, int idx) {
  Box *b;
  if (!e->sealed) return 0;
  b = lc_recall_find(e->L, idx);
  return b == NULL || b->origin;
}

/* ---- functions ---- */

/* Whether the receiver may use one function for all times that it comes:
** there is nothing in it that differs. */
static int enc_iskept (lua_State *L, int idx) {
  int kept;
  if (lua_getupvalue(L, idx, 1) == NULL) return 1;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  kept = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  if (!kept || lua_getupvalue(L, idx, 2) == NULL) return kept;
  lua_pop(L, 1);
  return 0;
}

/* (A state that is sealed must look each time: see enc_isheld.) */
const Shared *lc_codec_repeats (lua_State *L, const Codec *c, int idx) {
  Box *b;
  if (c->sealed || !lua_isfunction(L, idx) || lua_iscfunction(L, idx)) return NULL;
  b = lc_recall_find(L, idx);
  return b != NULL && enc_iskept(L, idx) ? &b->ident->head : NULL;
}

static unsigned enc_countups (lua_State *L, int idx) {
  unsigned n = 0;
  while (lua_getupvalue(L, idx, (int)n + 1) != NULL) {
    lua_pop(L, 1);
    n++;
  }
  return n;
}

EncStatus lc_enc_function (Enc *e, int idx, int depth) {
  lua_State *L = e->L;
  const void *key = lua_topointer(L, idx);
  uint32_t ident, code;
  unsigned bits;
  EncStatus st;
  Box *b;
  Seen *s = lc_scratch_put(e->s, key);
  if (s == NULL) return ENC_NOMEM;
  if (s->id != 0) return lc_enc_ref(e, s);
  if (lc_enc_known(e, idx, key, s, &st)) return st;
  if (lua_iscfunction(L, idx)) {
    if (enc_found(e, idx, key, s, &st)) return st;
    return lc_enc_refuse(e, idx, NULL);
  }
  if (!lc_enc_in(e, ENC_SAFE)) return ENC_AGAIN;
  if (enc_isheld(e, idx))
    return lc_enc_refuse(e, idx, "a function made in a pool with 'libs'");
  s->id = ++e->id;
  b = lc_recall_function(L, e->c, idx);
  if (b == NULL) return ENC_NOMEM;
  st = lc_enc_shared(e, &b->ident->head, &ident);
  if (st == ENC_OK) st = lc_enc_shared(e, b->what, &code);
  if (st != ENC_OK) return st;
  if (!lc_enc_room(e, 16)) return ENC_NOMEM;
  bits = enc_iskept(L, idx) ? WIRE_F_KEPT : 0;
  if (depth >= WIRE_DEPTH) bits |= WIRE_F_LATER;
  lc_enc_byte(e, WIRE_FUNC);
  lc_enc_byte(e, bits);
  lc_enc_u32(e, ident);
  lc_enc_u32(e, code);
  lc_enc_byte(e, enc_countups(L, idx));
  return depth >= WIRE_DEPTH ? lc_enc_later(e, idx)
                             : lc_enc_upvalues(e, idx, depth);
}

EncStatus lc_enc_upvalues (Enc *e, int idx, int depth) {
  lua_State *L = e->L;
  unsigned i, n = enc_countups(L, idx);
  EncStatus st;
  if (!lua_checkstack(L, ENC_STACK)) return ENC_NOMEM;
  for (i = 1; i <= n; i++) {
    Seen *s = lc_scratch_put(e->s, lua_upvalueid(L, idx, (int)i));
    if (s == NULL || !lc_enc_room(e, 32)) return ENC_NOMEM;
    if (s->id != 0) {
      if (s->slot == 0) s->slot = lc_scratch_share(e->s, s->id);
      if (s->slot == 0) return ENC_NOMEM;
      lc_enc_byte(e, WIRE_JOIN);
      lc_enc_u32(e, s->slot);
      lc_enc_byte(e, s->aux);
      continue;
    }
    s->id = ++e->id;
    s->aux = i;
    lc_enc_byte(e, WIRE_CELL);
    lua_getupvalue(L, idx, (int)i);
    st = lc_enc_value(e, lua_gettop(L), lua_type(L, -1), depth + 1);
    if (st != ENC_OK) return st;
    lua_pop(L, 1);
  }
  return ENC_OK;
}

/* ---- classes and their instances ---- */

/* Some record around this one has written it out as plain data. */
static int enc_isplain (Enc *e, const void *key) {
  while ((e = e->outer) != NULL) {
    Seen *s = lc_scratch_find(e->s, key);
    if (s != NULL && s->aux == SEEN_PLAIN) return 1;
  }
  return 0;
}

EncStatus lc_enc_class (Enc *e, int idx, Seen *s) {
  const void *key = lua_topointer(e->L, idx);
  Box *b;
  if (!lc_enc_in(e, ENC_SAFE)) return ENC_AGAIN;
  if (enc_isheld(e, idx))
    return lc_enc_refuse(e, idx, "a class or metatable made in a pool with 'libs'");
  b = lc_recall_class(e->L, e->c, idx);
  if (b == NULL) return ENC_NOMEM;
  if (enc_isplain(e, key)) e->stale = 1;
  s->id = ++e->id;
  s->aux = SEEN_CLASS;
  s = lc_scratch_put(e->s, lc_image_listed(b));
  if (s == NULL) return ENC_NOMEM;
  s->aux = 1;
  if (e->nclass == 0) {
    lua_newtable(e->L);
    lua_replace(e->L, e->classes);
  }
  lua_pushvalue(e->L, idx);
  lua_rawseti(e->L, e->classes, (lua_Integer)++e->nclass);
  return enc_withref(e, WIRE_CLASS, &b->ident->head);
}

EncStatus lc_enc_newclass (Enc *e, int idx) {
  if (!lc_enc_in(e, ENC_SAFE)) return ENC_AGAIN;
  e->again = 1;
  return lc_recall_class(e->L, e->c, idx) != NULL ? ENC_OK : ENC_NOMEM;
}

EncStatus lc_enc_metatable (Enc *e, int idx) {
  const void *key = lua_topointer(e->L, idx);
  EncStatus st;
  Seen *s = lc_scratch_put(e->s, key);
  if (s == NULL || !lc_enc_room(e, 16)) return ENC_NOMEM;
  if (s->id == 0) {
    if (lc_enc_known(e, idx, key, s, &st)) return st;
    return lc_enc_class(e, idx, s);
  }
  if (s->aux != SEEN_PLAIN) return lc_enc_ref(e, s);
  st = lc_enc_newclass(e, idx);      /* next time it goes as one */
  return st != ENC_OK ? st : lc_enc_ref(e, s);
}

/* The metatable is on top of the stack. */
static int enc_metaflags (Enc *e) {
  lua_State *L = e->L;
  const void *key = lua_topointer(L, -1);
  if (e->lastmeta == key) return e->lastflags;
  e->lastmeta = key;
  e->lastflags = 0;
  lua_pushliteral(L, "__transfer");
  if (lua_rawget(L, -2) != LUA_TNIL) e->lastflags |= META_TRANSFER;
  lua_pushliteral(L, "__gc");
  if (lua_rawget(L, -3) != LUA_TNIL) e->lastflags |= META_GC;
  lua_pop(L, 2);
  return e->lastflags;
}

/*
** What __transfer gave for the object at `idx` is kept until the record is
** done: the encoder knows objects by their addresses, and a record that is
** begun again must not find other ones. Pushes it, if there is any.
*/
static int enc_transferred (Enc *e, int idx) {
  lua_State *L = e->L;
  int i, n, top = lua_gettop(L);
  if (lua_isnil(L, e->anchors)) return 0;
  lua_pushvalue(L, idx);
  if (lua_rawget(L, e->anchors) != LUA_TTABLE) {
    lua_pop(L, 1);
    return 0;
  }
  lua_getfield(L, top + 1, "n");
  n = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  lc_state_room(L, n + 4 + ENC_STACK);
  for (i = 1; i <= n; i++) lua_rawgeti(L, top + 1, i);
  lua_remove(L, top + 1);
  return 1;
}

/* Calls __transfer (metatable on top of the stack), and leaves what it gave
** in the place of the metatable. */
static void enc_calltransfer (Enc *e, int idx) {
  lua_State *L = e->L;
  int i, n, top = lua_gettop(L);
  lua_pushliteral(L, "__transfer");
  lua_rawget(L, top);
  lua_pushvalue(L, idx);
  lua_call(L, 1, LUA_MULTRET);
  n = lua_gettop(L) - top;
  lc_state_room(L, n + 4 + ENC_STACK);
  if (n == 0 || !lua_isfunction(L, top + 1))
    luaL_error(L, "__transfer must return a function and its arguments, "
      "not %s", n == 0 ? "nothing" : luaL_typename(L, top + 1));
  if (lua_isnil(L, e->anchors)) {
    lua_newtable(L);
    lua_copy(L, -1, e->anchors);
    lua_pop(L, 1);
  }
  lua_pushvalue(L, idx);
  lua_createtable(L, n, 1);
  for (i = 1; i <= n; i++) {
    lua_pushvalue(L, top + i);
    lua_rawseti(L, -2, i);
  }
  lua_pushinteger(L, n);
  lua_setfield(L, -2, "n");
  lua_rawset(L, e->anchors);
  lua_remove(L, top);
}

/* The metatable is on top of the stack; it is popped. */
static EncStatus enc_transfer (Enc *e, int idx, Seen *s, int depth) {
  lua_State *L = e->L;
  const void *key = s->key;
  uint32_t mark = e->nwork;
  int i, n, top = lua_gettop(L);
  EncStatus st;
  if (!lc_enc_in(e, ENC_ANCHORED)) return ENC_AGAIN;
  if (depth >= WIRE_DEPTH_MAX)
    return lc_enc_refuse(e, idx, "a __transfer too deep inside of others");
  s->id = ++e->id;
  s->aux = SEEN_BUSY;
  if (enc_transferred(e, idx)) lua_remove(L, top);
  else enc_calltransfer(e, idx);
  e->lastmeta = NULL;
  n = lua_gettop(L) - top + 1;
  if (!lc_enc_room(e, 16)) return ENC_NOMEM;
  lc_enc_byte(e, WIRE_TRANSFER);
  lc_enc_u32(e, (uint32_t)n - 1);
  for (i = 0; i < n; i++) {
    st = lc_enc_value(e, top + i, lua_type(L, top + i), depth + 1);
    if (st != ENC_OK) return st;
  }
  st = lc_enc_drain(e, mark, depth);
  if (st != ENC_OK) return st;
  lua_settop(L, top - 1);
  s = lc_scratch_find(e->s, key);
  if (s != NULL) s->aux = 0;
  return ENC_OK;
}

int lc_enc_instance (Enc *e, int idx, Seen *s, int depth, EncStatus *st) {
  int flags;
  *st = ENC_AGAIN;
  if (!lc_enc_in(e, ENC_SAFE)) return 1;
  lua_getmetatable(e->L, idx);
  flags = enc_metaflags(e);
  if (flags & META_TRANSFER) *st = enc_transfer(e, idx, s, depth);
  else {
    lua_pop(e->L, 1);
    if (!(flags & META_GC)) return 0;
    *st = lc_enc_refuse(e, idx, "a table with a __gc metamethod");
  }
  return 1;
}

/* ---- userdata ---- */

static EncStatus enc_hosted (Enc *e, int idx, const HostType *type) {
  lua_State *L = e->L;
  EncStatus st;
  const char *str;
  size_t len;
  if (type->hold != NULL) {
    Hosted *h;
    lc_hosted_note(L, idx);
    h = lc_hosted_new(e->c->mem, L, idx, type);
    if (h == NULL) return ENC_NOMEM;
    st = enc_withref(e, WIRE_HOSTED, &h->head);
    lc_shared_release(&h->head);
    return st;
  }
  type->pack(L, idx);
  str = lua_tolstring(L, -1, &len);
  if (str == NULL)
    luaL_error(L, "packing a %s gave no string", type->name);
  if (!lc_enc_room(e, 32)) return ENC_NOMEM;
  lc_enc_byte(e, WIRE_PACKED);
  lc_enc_u32(e, (uint32_t)strlen(type->name));
  if (!lc_enc_room(e, strlen(type->name) + len + 16)) return ENC_NOMEM;
  memcpy(e->p, type->name, strlen(type->name));
  e->p += strlen(type->name);
  lc_enc_u64(e, len);
  memcpy(e->p, str, len);
  e->p += len;
  lua_pop(L, 1);
  return ENC_OK;
}

EncStatus lc_enc_userdata (Enc *e, int idx, int depth) {
  lua_State *L = e->L;
  const void *key = lua_topointer(L, idx);
  const HostType *type;
  Shared *sh;
  EncStatus st;
  Seen *s = lc_scratch_put(e->s, key);
  if (s == NULL) return ENC_NOMEM;
  if (s->id != 0) {
    if (s->aux & SEEN_BUSY)
      return lc_enc_refuse(e, idx, "a userdata that its own __transfer leads "
                                   "to");
    return lc_enc_ref(e, s);
  }
  sh = lc_object_test(L, idx, NULL);
  if (sh != NULL) {
    if (lc_object_isfresh(L, idx)) {
      if (!lc_enc_in(e, ENC_SAFE)) return ENC_AGAIN;
      lc_object_list(L, idx);
    }
    s->id = ++e->id;
    return enc_withref(e, WIRE_OBJECT, sh);
  }
  if (lc_enc_known(e, idx, key, s, &st)) return st;
  if (!lc_enc_in(e, ENC_SAFE)) return ENC_AGAIN;
  type = lc_hosted_type(L, idx);
  if (type != NULL) {
    s->id = ++e->id;
    return enc_hosted(e, idx, type);
  }
  if (lua_getmetatable(L, idx)) {
    if (enc_metaflags(e) & META_TRANSFER)
      return enc_transfer(e, idx, s, depth);
    lua_pop(L, 1);
  }
  if (enc_found(e, idx, key, s, &st)) return st;
  return lc_enc_refuse(e, idx, NULL);
}
