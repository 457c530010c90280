/*
** encode.c: plain values and tables to bytes. Stands on message.h and
** wire.h; knows nothing of what functions, classes and handles are
** (encode_ident.c does), nor of the frame of a record (encode_record.c).
*/
#include "encode.h"

int lc_enc_grow (Enc *e, size_t n) {
  Message *m = e->m;
  size_t at = lc_enc_at(e);
  if (!lc_message_room(m, at - m->len + n)) return 0;
  e->p = m->bytes + at;
  e->lim = m->bytes + m->cap;
  return 1;
}

/* ---- strings; all have room for 16 bytes ---- */

EncStatus lc_enc_bytes (Enc *e, const char *str, size_t len) {
  if (len < 32) lc_enc_byte(e, (unsigned)(WIRE_STR0 + len));
  else if (len < 256) {
    lc_enc_byte(e, WIRE_STR1);
    lc_enc_byte(e, (unsigned)len);
  }
  else if (len <= 0xFFFFFFFFu) {
    lc_enc_byte(e, WIRE_STR4);
    lc_enc_u32(e, (uint32_t)len);
  }
  else {
    lc_enc_byte(e, WIRE_STR8);
    lc_enc_u64(e, len);
  }
  if (!lc_enc_room(e, len)) return ENC_NOMEM;
  memcpy(e->p, str, len);
  e->p += len;
  return ENC_OK;
}

EncStatus lc_enc_ref (Enc *e, Seen *s) {
  if (s->slot == 0) {
    s->slot = lc_scratch_share(e->s, s->id);
    if (s->slot == 0) return ENC_NOMEM;
  }
  if (s->slot < 32) lc_enc_byte(e, WIRE_REF0 + s->slot);
  else {
    lc_enc_byte(e, WIRE_REF);
    lc_enc_u32(e, s->slot);
  }
  return ENC_OK;
}

/* The same, for what has most likely been met more than once before. */
static inline EncStatus enc_refagain (Enc *e, Seen *s) {
  if (s->slot - 1 >= 31) return lc_enc_ref(e, s);
  lc_enc_byte(e, WIRE_REF0 + s->slot);
  return ENC_OK;
}

EncStatus lc_enc_string (Enc *e, const char *str, size_t len) {
  Seen *s = lc_scratch_put(e->s, str);
  if (s == NULL) return ENC_NOMEM;
  if (s->id != 0) return enc_refagain(e, s);
  s->id = ++e->id;
  s->aux = SEEN_STRING;
  return lc_enc_bytes(e, str, len);
}

static void enc_light (Enc *e, int idx) {
  void *p = lua_touserdata(e->L, idx);
  lc_enc_byte(e, WIRE_LIGHT);
  lc_enc_u64(e, (uint64_t)(uintptr_t)p);
}

static EncStatus enc_table (Enc *e, int idx, int top, int depth);

static EncStatus enc_text (Enc *e, int idx) {
  size_t len;
  const char *str = lua_tolstring(e->L, idx, &len);
  return lc_enc_string(e, str, len);
}

static EncStatus enc_other (Enc *e, int idx, int type, int depth) {
  switch (type) {
    case LUA_TNIL: lc_enc_byte(e, WIRE_NIL); return ENC_OK;
    case LUA_TBOOLEAN:
      lc_enc_byte(e, lua_toboolean(e->L, idx) ? WIRE_TRUE : WIRE_FALSE);
      return ENC_OK;
    case LUA_TFUNCTION: return lc_enc_function(e, idx, depth);
    case LUA_TUSERDATA: return lc_enc_userdata(e, idx, depth);
    case LUA_TLIGHTUSERDATA: enc_light(e, idx); return ENC_OK;
    default: return lc_enc_refuse(e, idx, NULL);
  }
}

/* There is room for 16 bytes. */
static inline EncStatus enc_put (Enc *e, int idx, int top, int type,
                                 int depth) {
  if (type == LUA_TNUMBER) {
    lc_enc_number(e, idx);
    return ENC_OK;
  }
  if (type == LUA_TSTRING) return enc_text(e, idx);
  if (type == LUA_TTABLE) return enc_table(e, idx, top, depth);
  return enc_other(e, idx, type, depth);
}

static inline EncStatus enc_any (Enc *e, int idx, int top, int type,
                                 int depth) {
  return lc_enc_room(e, 16) ? enc_put(e, idx, top, type, depth) : ENC_NOMEM;
}

EncStatus lc_enc_any (Enc *e, int idx, int top, int type, int depth) {
  return enc_any(e, idx, top, type, depth);
}

EncStatus lc_enc_value (Enc *e, int idx, int type, int depth) {
  return enc_any(e, idx, lua_gettop(e->L), type, depth);
}

/* ---- tables ---- */

/*
** Key and value of the table at `t`, on top of the stack; leaves the key. A
** table that turns out to have a field __index is a class.
*/
static EncStatus enc_key (Enc *e, int t, int at, int depth) {
  size_t len;
  const char *str;
  int type = lua_type(e->L, at);
  if (type != LUA_TSTRING) return enc_any(e, at, at + 1, type, depth + 1);
  str = lua_tolstring(e->L, at, &len);
  if (str == e->c->names.text[0] && lua_topointer(e->L, t) != e->root) {
    EncStatus st = lc_enc_newclass(e, t);
    if (st != ENC_OK) return st;
  }
  return lc_enc_string(e, str, len);
}

/* The key at `at`, whose object is `p`, is not one of the last ones. A string that
** was met before, if its slot is small, is from here on. */
static EncStatus enc_newkey (Enc *e, int t, int at, int depth, const char *p) {
  size_t gap = e->c->strgap;
  Seen *s = p != NULL && gap != 0 ? lc_scratch_find(e->s, p + gap) : NULL;
  Recent *r;
  if (s == NULL || s->aux != SEEN_STRING || p + gap == e->c->names.text[0])
    return enc_key(e, t, at, depth);
  if (s->slot - 1 < 31) {
    r = lc_scratch_recent(e->s, p);
    r->key = p;
    r->stamp = e->s->stamp;
    r->slot = s->slot;
  }
  return lc_enc_ref(e, s);
}

/*
** A key that was met before is known by its address, whatever it is: most keys of a
** table in a list of alike tables cost one call. (Indexes from the top are the
** quicker ones.)
*/
static inline EncStatus enc_pair (Enc *e, int t, int at, int depth) {
  lua_State *L = e->L;
  EncStatus st = ENC_OK;
  const char *p = (const char *)lua_topointer(L, -2);
  const Recent *r = lc_scratch_recent(e->s, p);
  int type;
  if (!lc_enc_room(e, 32)) return ENC_NOMEM;
  if (r->key == p && r->stamp == e->s->stamp)
    lc_enc_byte(e, WIRE_REF0 + r->slot);
  else {
    st = enc_newkey(e, t, at, depth, p);
    if (st != ENC_OK) return st;
    if (!lc_enc_room(e, 16)) return ENC_NOMEM;
  }
  type = lua_type(L, -1);
  if (type == LUA_TNUMBER) {
    lc_enc_number(e, -1);
    lua_pop(L, 1);
  }
  else {
    st = enc_put(e, at + 1, at + 1, type, depth + 1);
    lua_settop(L, at);
  }
  return st;
}

/* Lua rounds the hash part up to a power of two: so does the hint. */
static unsigned enc_hint (uint32_t pairs) {
  unsigned k = 0;
  if (pairs == 0) return 0;
  while (k < 31 && ((uint32_t)1 << k) < pairs) k++;
  return k + 1;
}

/*
** What is in the table at `t`, which is not empty: the first key and its value
** are on the stack, at `at`. Items, then pairs, in one walk: lua_next gives the
** array part first and in order. What is out of order (in the hash part) goes as a
** pair, which is as good: the reader sets it later.
*/
static EncStatus enc_content (Enc *e, int t, int at, int depth, unsigned *bits,
                              uint32_t *pairs) {
  lua_State *L = e->L;
  int more = 1;
  if (lua_type(L, at) == LUA_TNUMBER) {
    EncStatus st = lc_enc_items(e, t, at, depth, bits, &more);
    if (st != ENC_OK) return st;
  }
  for (; more; more = lua_next(L, t)) {
    EncStatus st = enc_pair(e, t, at, depth);
    if (st != ENC_OK) return st;
    ++*pairs;
  }
  return ENC_OK;
}

/* The table at `t`, with `bits` and no regard to what else it may be. Room on
** the stack is made for some levels at a time. */
static EncStatus enc_body (Enc *e, int t, int top, int depth,
                           unsigned bits) {
  lua_State *L = e->L;
  size_t head;
  uint32_t pairs = 0;
  EncStatus st = ENC_OK;
  if (depth % ENC_LEVELS == 0 && !lua_checkstack(L, ENC_STACK))
    return ENC_NOMEM;
  if (!lc_enc_room(e, 16)) return ENC_NOMEM;
  head = lc_enc_at(e);
  e->p += 2;
  lua_pushnil(L);
  if (lua_next(L, t))
    st = enc_content(e, t, top + 1, depth, &bits, &pairs);
  if (st != ENC_OK) return st;
  if (!lc_enc_room(e, 16)) return ENC_NOMEM;
  if (pairs > 0) {
    bits |= WIRE_T_HASH;
    lc_enc_byte(e, WIRE_END);
  }
  e->m->bytes[head] = (unsigned char)(WIRE_TABLE | bits);
  e->m->bytes[head + 1] = (unsigned char)enc_hint(pairs);
  if (!(bits & WIRE_T_META)) return ENC_OK;
  lua_getmetatable(L, t);
  st = lc_enc_metatable(e, lua_gettop(L));
  lua_pop(L, 1);
  return st;
}

static EncStatus enc_table (Enc *e, int idx, int top, int depth) {
  lua_State *L = e->L;
  const void *key = lua_topointer(L, idx);
  EncStatus st;
  unsigned bits = 0;
  Seen *s = lc_scratch_put(e->s, key);
  if (s == NULL) return ENC_NOMEM;
  if (s->id != 0) {
    if (s->aux & SEEN_BUSY)
      return lc_enc_refuse(e, idx, "a table that its own __transfer leads to");
    return lc_enc_ref(e, s);
  }
  if (lc_enc_known(e, idx, key, s, &st)) return st;
  if (lua_getmetatable(L, idx)) {
    lua_pop(L, 1);
    if (lc_enc_instance(e, idx, s, depth, &st)) return st;
    bits = WIRE_T_META;
  }
  s->id = ++e->id;
  s->aux = SEEN_PLAIN;
  if (depth >= WIRE_DEPTH) {
    lc_enc_byte(e, WIRE_LATER);
    return lc_enc_later(e, idx);
  }
  return enc_body(e, idx, top, depth, bits);
}

EncStatus lc_enc_later (Enc *e, int idx) {
  if (!lc_enc_in(e, ENC_SAFE)) return ENC_AGAIN;
  if (lua_isnil(e->L, e->work)) {
    lua_newtable(e->L);
    lua_replace(e->L, e->work);
  }
  lua_pushvalue(e->L, idx);
  lua_rawseti(e->L, e->work, (lua_Integer)++e->nwork);
  return ENC_OK;
}

EncStatus lc_enc_drain (Enc *e, uint32_t mark, int depth) {
  lua_State *L = e->L;
  while (e->nwork > mark) {
    EncStatus st;
    int t;
    if (!lua_checkstack(L, ENC_STACK)) return ENC_NOMEM;
    lua_rawgeti(L, e->work, (lua_Integer)e->nwork);
    lua_pushnil(L);
    lua_rawseti(L, e->work, (lua_Integer)e->nwork--);
    t = lua_gettop(L);
    if (!lua_istable(L, t)) st = lc_enc_upvalues(e, t, depth);
    else if (lua_getmetatable(L, t)) {
      lua_pop(L, 1);
      st = enc_body(e, t, t, depth, WIRE_T_META);
    }
    else st = enc_body(e, t, t, depth, 0);
    if (st != ENC_OK) return st;
    lua_settop(L, t - 1);
  }
  return ENC_OK;
}

/* An image is the body of one table, whatever that is known as. */
EncStatus lc_enc_image (Enc *e, int idx) {
  unsigned bits = 0;
  e->root = lua_topointer(e->L, idx);
  if (lua_getmetatable(e->L, idx)) {
    lua_pop(e->L, 1);
    bits = WIRE_T_META;
  }
  return enc_body(e, idx, lua_gettop(e->L), 0, bits);
}
