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
static int enc_isfloat (lua_State *L, int idx, lua_Number *x) {
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

EncStatus lc_enc_string (Enc *e, const char *str, size_t len) {
  Seen *s = lc_scratch_put(e->s, str);
  if (s == NULL) return ENC_NOMEM;
  if (s->id != 0) return lc_enc_ref(e, s);
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

/* As lc_enc_value, for who knows where the top of the stack is. */
static inline EncStatus enc_any (Enc *e, int idx, int top, int type,
                                 int depth) {
  if (!lc_enc_room(e, 16)) return ENC_NOMEM;
  switch (type) {
    case LUA_TNIL: lc_enc_byte(e, WIRE_NIL); return ENC_OK;
    case LUA_TBOOLEAN:
      lc_enc_byte(e, lua_toboolean(e->L, idx) ? WIRE_TRUE : WIRE_FALSE);
      return ENC_OK;
    case LUA_TNUMBER: enc_number(e, idx); return ENC_OK;
    case LUA_TSTRING: {
      size_t len;
      const char *str = lua_tolstring(e->L, idx, &len);
      return lc_enc_string(e, str, len);
    }
    case LUA_TTABLE: return enc_table(e, idx, top, depth);
    case LUA_TFUNCTION: return lc_enc_function(e, idx, depth);
    case LUA_TUSERDATA: return lc_enc_userdata(e, idx, depth);
    case LUA_TLIGHTUSERDATA: enc_light(e, idx); return ENC_OK;
    default: return lc_enc_refuse(e, idx, NULL);
  }
}

EncStatus lc_enc_value (Enc *e, int idx, int type, int depth) {
  return enc_any(e, idx, lua_gettop(e->L), type, depth);
}

/* ---- long arrays: runs of numbers ---- */

/* What the item before was: two numbers of one kind begin a run. */
typedef struct EncRun {
  int kind;            /* WIRE_RUNF ..., or 0: no run is open */
  int last;            /* WIRE_FLT, WIRE_INT8, or 0 */
  size_t at;           /* of the open run's count */
  uint32_t n;
} EncRun;

static void encrun_end (Enc *e, EncRun *r) {
  if (r->kind != 0) memcpy(e->m->bytes + r->at, &r->n, 4);
  r->kind = 0;
}

static void encrun_begin (Enc *e, EncRun *r, int kind) {
  encrun_end(e, r);
  r->kind = kind;
  lc_enc_byte(e, (unsigned)kind);
  r->at = lc_enc_at(e);
  r->n = 0;
  e->p += 4;
}

static void encrun_float (Enc *e, EncRun *r, lua_Number x) {
  if (r->kind != WIRE_RUNF || r->n == UINT32_MAX) {
    if (r->last != WIRE_FLT) {
      encrun_end(e, r);
      r->last = WIRE_FLT;
      enc_float(e, x);
      return;
    }
    encrun_begin(e, r, WIRE_RUNF);
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

/* A run of integers never gets narrower, so there are at most four in one
** stretch of integers. */
static void encrun_integer (Enc *e, EncRun *r, lua_Integer x) {
  int w = encrun_width(x);
  if (r->last != WIRE_INT8) {
    encrun_end(e, r);
    r->last = WIRE_INT8;
    enc_integer(e, x);
    return;
  }
  if (r->kind == 0 || r->kind < w || r->n == UINT32_MAX)
    encrun_begin(e, r, w);
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

/*
** The items 1 .. n, as many as make sense: a border found by lua_rawlen may
** lie behind a desert of holes (t[2^k] = true for all k). Gives their number,
** and how many are not nil.
*/
static EncStatus enc_items (Enc *e, int t, int base, lua_Unsigned n,
                            lua_Unsigned *done, lua_Unsigned *live,
                            int depth) {
  lua_State *L = e->L;
  int types[ENC_CHUNK], i, k;
  lua_Unsigned at = 0, holes = 0;
  EncRun r = {0, 0, 0, 0};
  while (at < n && (holes < 64 || holes < at / 2)) {
    k = n - at < ENC_CHUNK ? (int)(n - at) : ENC_CHUNK;
    for (i = 0; i < k; i++)
      types[i] = lua_rawgeti(L, t, (lua_Integer)at + i + 1);
    if (!lc_enc_room(e, ENC_CHUNK * 16)) return ENC_NOMEM;
    for (i = 0; i < k; i++) {
      if (types[i] == LUA_TNUMBER) {
        lua_Number x;
        if (r.last == WIRE_INT8 && lua_isinteger(L, base + 1 + i))
          encrun_integer(e, &r, lua_tointegerx(L, base + 1 + i, NULL));
        else if (enc_isfloat(L, base + 1 + i, &x)) encrun_float(e, &r, x);
        else encrun_integer(e, &r, lua_tointegerx(L, base + 1 + i, NULL));
      }
      else {
        EncStatus st;
        encrun_end(e, &r);
        r.last = 0;
        holes += types[i] == LUA_TNIL;
        st = enc_any(e, base + 1 + i, base + k, types[i], depth + 1);
        if (st != ENC_OK) return st;
        if (!lc_enc_room(e, ENC_CHUNK * 16)) return ENC_NOMEM;
      }
    }
    lua_settop(L, base);
    at += (unsigned)k;
  }
  encrun_end(e, &r);
  if (at < n) lc_enc_byte(e, WIRE_STOP);
  *done = at;
  *live = at - holes;
  return ENC_OK;
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
    st = lc_enc_ref(e, s);
  else st = enc_key(e, t, at, depth);
  if (st != ENC_OK) return st;
  st = enc_any(e, at + 1, at + 1, lua_type(e->L, at + 1), depth + 1);
  lua_settop(e->L, at);
  return st;
}

static int enc_isitem (lua_State *L, int at, lua_Unsigned done) {
  lua_Integer k;
  if (!lua_isinteger(L, at)) return 0;
  k = lua_tointegerx(L, at, NULL);
  return k >= 1 && (lua_Unsigned)k <= done;
}

/*
** All pairs but the items 1 .. done, which have gone already; `live` of them
** are not nil. lua_next gives the array part first, so the first `live`
** steps are most likely just those: they are walked through without a look.
** If one of the items comes up later after all, something else was passed
** over: a second walk, with a look at each key, finds it. (If none comes up,
** all were among the first.)
*/
static EncStatus enc_rest (Enc *e, int t, int at, lua_Unsigned done,
                           lua_Unsigned live, int depth, uint32_t *pairs) {
  lua_State *L = e->L;
  int missed = 0, more;
  lua_Unsigned i;
  EncStatus st;
  lua_pushnil(L);
  for (i = 0, more = 1; i < live; i++) {
    more = lua_next(L, t);
    if (!more) break;
    lua_settop(L, at);
  }
  if (more) more = lua_next(L, t);
  for (; more; more = lua_next(L, t)) {
    if (enc_isitem(L, at, done)) {
      missed = 1;
      lua_settop(L, at);
      continue;
    }
    st = enc_pair(e, t, at, depth);
    if (st != ENC_OK) return st;
    ++*pairs;
  }
  if (!missed) return ENC_OK;
  lua_pushnil(L);
  for (i = 0; i < live && lua_next(L, t); i++) {
    if (enc_isitem(L, at, done)) {
      lua_settop(L, at);
      continue;
    }
    st = enc_pair(e, t, at, depth);
    if (st != ENC_OK) return st;
    ++*pairs;
  }
  lua_settop(L, at - 1);
  return ENC_OK;
}

/* A table of few items: one walk with lua_next for items and pairs. */
static EncStatus enc_small (Enc *e, int t, int at, lua_Unsigned n, int depth,
                            uint32_t *pairs) {
  lua_State *L = e->L;
  int more;
  size_t count = lc_enc_at(e);
  lua_Unsigned done = 0;
  EncStatus st;
  if (n > 0) lc_enc_byte(e, 0);
  lua_pushnil(L);
  more = lua_next(L, t);
  while (more && done < n && lua_type(L, at) == LUA_TNUMBER
         && lua_tointegerx(L, at, NULL) == (lua_Integer)done + 1) {
    st = enc_any(e, at + 1, at + 1, lua_type(L, at + 1), depth + 1);
    if (st != ENC_OK) return st;
    done++;
    lua_settop(L, at);
    more = lua_next(L, t);
  }
  if (n > 0) e->m->bytes[count] = (unsigned char)done;
  for (; more; more = lua_next(L, t)) {
    st = enc_pair(e, t, at, depth);
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

/* The table at `t`, with `bits` and no regard to what else it may be. Room on
** the stack is made for some levels at a time. */
static EncStatus enc_body (Enc *e, int t, int top, int depth,
                           unsigned bits) {
  lua_State *L = e->L;
  lua_Unsigned n = lua_rawlen(L, t), done = 0, live = 0;
  size_t head;
  uint32_t pairs = 0;
  EncStatus st;
  if (depth % ENC_LEVELS == 0 && !lua_checkstack(L, ENC_STACK))
    return ENC_NOMEM;
  if (!lc_enc_room(e, 16)) return ENC_NOMEM;
  head = lc_enc_at(e);
  e->p += 2;
  if (n > WIRE_SMALL) {
    bits |= WIRE_T_BIG;
    lc_enc_u64(e, n);
    st = enc_items(e, t, top, n, &done, &live, depth);
    if (st == ENC_OK) st = enc_rest(e, t, top + 1, done, live, depth,
                                   &pairs);
  }
  else {
    if (n > 0) bits |= WIRE_T_SMALL;
    st = enc_small(e, t, top + 1, n, depth, &pairs);
  }
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
