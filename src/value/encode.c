/*
** encode.c: plain values and tables to bytes. Stands on message.h and
** wire.h; knows nothing of what functions, classes and handles are
** (encode_ident.c does), nor of the frame of a record (record.c).
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

/* ---- scalars and strings; all have room for 16 bytes ---- */

static void enc_integer (Enc *e, lua_Integer x) {
  if (x >= -16 && x <= 111) lc_enc_byte(e, (unsigned)(WIRE_INT0 + 16 + x));
  else if (x >= INT16_MIN && x <= INT16_MAX) {
    int16_t v = (int16_t)x;
    lc_enc_byte(e, WIRE_INT2);
    memcpy(e->p, &v, 2);
    e->p += 2;
  }
  else if (x >= INT32_MIN && x <= INT32_MAX) {
    int32_t v = (int32_t)x;
    lc_enc_byte(e, WIRE_INT4);
    memcpy(e->p, &v, 4);
    e->p += 4;
  }
  else {
    lc_enc_byte(e, WIRE_INT8);
    lc_enc_u64(e, (uint64_t)x);
  }
}

static void enc_float (Enc *e, lua_Number x) {
  lc_enc_byte(e, WIRE_FLT);
  memcpy(e->p, &x, 8);
  e->p += 8;
}

/*
** A number that has a fraction is a float, whatever lua_isinteger says:
** one call less for most, where floats are to be expected.
*/
static inline int enc_isfloat (lua_State *L, int idx, lua_Number *x) {
  *x = lua_tonumberx(L, idx, NULL);
  if (*x > -9.0e15 && *x < 9.0e15 && (lua_Number)(int64_t)*x != *x) return 1;
  return !lua_isinteger(L, idx);
}

static void enc_number (Enc *e, int idx) {
  lua_Number x;
  if (enc_isfloat(e->L, idx, &x)) enc_float(e, x);
  else enc_integer(e, lua_tointegerx(e->L, idx, NULL));
}

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

/* As lc_enc_value, for who knows where the top of the stack is. */
static inline EncStatus enc_any (Enc *e, int idx, int top, int type,
                                 int depth) {
  if (!lc_enc_room(e, 16)) return ENC_NOMEM;
  if (type == LUA_TNUMBER) {
    enc_number(e, idx);
    return ENC_OK;
  }
  if (type == LUA_TSTRING) return enc_text(e, idx);
  if (type == LUA_TTABLE) return enc_table(e, idx, top, depth);
  return enc_other(e, idx, type, depth);
}

EncStatus lc_enc_value (Enc *e, int idx, int type, int depth) {
  return enc_any(e, idx, lua_gettop(e->L), type, depth);
}

/* ---- long arrays: runs of numbers ---- */

/*
** What the item before was. A number stands alone until a second one of its
** kind follows: then both are written again as the beginning of a run.
*/
typedef struct EncRun {
  int kind;            /* WIRE_RUNF ..., or 0: no run is open */
  int last;            /* WIRE_FLT, WIRE_INT8, or 0 */
  size_t at;           /* of the open run's count, or of the lone number */
  uint32_t n;
  lua_Integer lone;    /* that number, if it is an integer */
} EncRun;

static void encrun_end (Enc *e, EncRun *r) {
  if (r->kind != 0) memcpy(e->m->bytes + r->at, &r->n, 4);
  r->kind = r->last = 0;
}

static void encrun_begin (Enc *e, EncRun *r, int kind) {
  r->kind = kind;
  lc_enc_byte(e, (unsigned)kind);
  r->at = lc_enc_at(e);
  r->n = 0;
  e->p += 4;
}

static void encrun_float (Enc *e, EncRun *r, lua_Number x) {
  if (r->kind != WIRE_RUNF || r->n == UINT32_MAX) {
    lua_Number lone;
    if (r->kind != 0 || r->last != WIRE_FLT) {
      encrun_end(e, r);
      r->last = WIRE_FLT;
      r->at = lc_enc_at(e);
      enc_float(e, x);
      return;
    }
    memcpy(&lone, e->p - 8, 8);
    e->p = e->m->bytes + r->at;
    encrun_begin(e, r, WIRE_RUNF);
    memcpy(e->p, &lone, 8);
    e->p += 8;
    r->n = 1;
  }
  memcpy(e->p, &x, 8);
  e->p += 8;
  r->n++;
}

static int encrun_width (lua_Integer x) {
  if (x >= INT8_MIN && x <= INT8_MAX) return WIRE_RUN1;
  if (x >= INT16_MIN && x <= INT16_MAX) return WIRE_RUN2;
  if (x >= INT32_MIN && x <= INT32_MAX) return WIRE_RUN4;
  return WIRE_RUN8;
}

static void encrun_put (Enc *e, EncRun *r, lua_Integer x) {
  switch (r->kind) {
    case WIRE_RUN1: { int8_t v = (int8_t)x; memcpy(e->p++, &v, 1); break; }
    case WIRE_RUN2: {
      int16_t v = (int16_t)x;
      memcpy(e->p, &v, 2);
      e->p += 2;
      break;
    }
    case WIRE_RUN4: {
      int32_t v = (int32_t)x;
      memcpy(e->p, &v, 4);
      e->p += 4;
      break;
    }
    default: memcpy(e->p, &x, 8); e->p += 8;
  }
  r->n++;
}

/* A run of integers never gets narrower, so there are at most four in one
** stretch of integers. */
static void encrun_integer (Enc *e, EncRun *r, lua_Integer x) {
  int w = encrun_width(x);
  if (r->last != WIRE_INT8) {
    encrun_end(e, r);
    r->last = WIRE_INT8;
    r->at = lc_enc_at(e);
    r->lone = x;
    enc_integer(e, x);
    return;
  }
  if (r->kind == 0) {
    int first = encrun_width(r->lone);
    e->p = e->m->bytes + r->at;
    encrun_begin(e, r, first > w ? first : w);
    encrun_put(e, r, r->lone);
  }
  else if (r->kind < w || r->n == UINT32_MAX) {
    encrun_end(e, r);
    r->last = WIRE_INT8;
    encrun_begin(e, r, w);
  }
  encrun_put(e, r, x);
}

static inline void encrun_number (Enc *e, EncRun *r, int idx) {
  lua_Number x;
  if (r->kind == WIRE_RUNF && r->n < UINT32_MAX && enc_isfloat(e->L, idx, &x)) {
    memcpy(e->p, &x, 8);
    e->p += 8;
    r->n++;
  }
  else if (r->last == WIRE_INT8 && lua_isinteger(e->L, idx))
    encrun_integer(e, r, lua_tointegerx(e->L, idx, NULL));
  else if (enc_isfloat(e->L, idx, &x)) encrun_float(e, r, x);
  else encrun_integer(e, r, lua_tointegerx(e->L, idx, NULL));
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

/* A key that was met before is known by its address, whatever it is: most
** keys of a table in a list of alike tables cost one call. */
static inline EncStatus enc_pair (Enc *e, int t, int at, int depth) {
  EncStatus st;
  const char *p = (const char *)lua_topointer(e->L, at);
  Seen *s = p != NULL ? lc_scratch_find(e->s, p + e->c->strgap) : NULL;
  if (!lc_enc_room(e, 16)) return ENC_NOMEM;
  if (s != NULL && s->aux == SEEN_STRING && e->c->strgap != 0
      && p + e->c->strgap != e->c->names.text[0])
    st = enc_refagain(e, s);
  else st = enc_key(e, t, at, depth);
  if (st != ENC_OK) return st;
  st = enc_any(e, at + 1, at + 1, lua_type(e->L, at + 1), depth + 1);
  lua_settop(e->L, at);
  return st;
}

/*
** The key is a number: is it that of the next item, behind item `done`? Then
** gives its number, else 0. Holes go as nil, as long as there are no more of
** them than items (Lua itself asks that of an array): so the border of a table
** with holes stays where it is.
*/
static lua_Integer enc_isitem (Enc *e, int at, lua_Integer done,
                               lua_Integer most, lua_Integer *holes) {
  lua_Integer gap, k = lua_tointegerx(e->L, at, NULL);
  if (k <= done || k > most) return 0;
  gap = k - done - 1;
  if (gap > k / 2 - *holes || !lc_enc_room(e, (size_t)gap)) return 0;
  *holes += gap;
  memset(e->p, WIRE_NIL, (size_t)gap);
  e->p += gap;
  return k;
}

/*
** Items, then pairs, in one walk, which has begun: the first key and its value
** are on the stack. lua_next gives the array part first and in order. What is
** out of order goes as a pair, which is as good: the reader sets it later.
*/
static EncStatus enc_walk (Enc *e, int t, int at, lua_Integer most, int depth,
                           lua_Integer *items, uint32_t *pairs) {
  lua_State *L = e->L;
  int more = 1;
  lua_Integer done = 0, holes = 0;
  EncRun r = {0, 0, 0, 0, 0};
  while (more && lua_type(L, at) == LUA_TNUMBER) {
    int type = lua_type(L, at + 1);
    if (lua_tointegerx(L, at, NULL) == done + 1 && done < most) done++;
    else {
      lua_Integer k;
      encrun_end(e, &r);
      k = enc_isitem(e, at, done, most, &holes);
      if (k == 0) break;
      done = k;
    }
    if (type == LUA_TNUMBER && most > WIRE_SMALL) {
      if (!lc_enc_room(e, 32)) return ENC_NOMEM;
      encrun_number(e, &r, at + 1);
    }
    else {
      EncStatus st;
      encrun_end(e, &r);
      st = enc_any(e, at + 1, at + 1, type, depth + 1);
      if (st != ENC_OK) return st;
    }
    lua_settop(L, at);
    more = lua_next(L, t);
  }
  encrun_end(e, &r);
  *items = done;
  for (; more; more = lua_next(L, t)) {
    EncStatus st = enc_pair(e, t, at, depth);
    if (st != ENC_OK) return st;
    ++*pairs;
  }
  return ENC_OK;
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
** are on the stack, at `at`. Where that key is no number, items there may be
** (in the hash part) go as pairs. (lua_rawlen is not asked about what is surely
** long: Lua would remember the border, and walk more slowly ever after.)
*/
static EncStatus enc_content (Enc *e, int t, int at, int depth, unsigned *bits,
                              uint32_t *pairs) {
  lua_State *L = e->L;
  lua_Integer done = 0, most = 0;
  size_t count = lc_enc_at(e);
  EncStatus st;
  if (lua_type(L, at) == LUA_TNUMBER) {
    most = lua_rawgeti(L, t, WIRE_SMALL + 1) != LUA_TNIL
           || lua_rawlen(L, t) > WIRE_SMALL ? LUA_MAXINTEGER : WIRE_SMALL;
    lua_settop(L, at + 1);
    *bits |= most > WIRE_SMALL ? WIRE_T_BIG : WIRE_T_SMALL;
    e->p += most > WIRE_SMALL ? 8 : 1;
  }
  st = enc_walk(e, t, at, most, depth, &done, pairs);
  if (most > WIRE_SMALL) memcpy(e->m->bytes + count, &done, 8);
  else if (most > 0) e->m->bytes[count] = (unsigned char)done;
  return st;
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
