/*
** decode.c: bytes to plain values and tables, and the frame of a record.
** Stands on message.h and wire.h; knows nothing of what functions, classes
** and handles are (decode_ident.c does).
**
** The bytes may be hostile: every length is checked against what is left,
** and no room is made ahead that the bytes could not fill.
*/
#include "decode.h"

#include <limits.h>

#define DEC_FAST 40u                     /* slots on the Lua stack */

/* The most numbers that go over Lua's stack: half a megabyte of it. */
enum { DEC_DEPTH = WIRE_DEPTH_MAX + 20, DEC_PACK = 16 * 1024 };

int lc_dec_fail (Dec *d) {
  return luaL_error(d->L, "these bytes are not a message");
}

/* ---- what is met again ---- */

/* The list is read one ahead, so that most ids cost one comparison. */
static void dec_nextid (Dec *d) {
  if (d->nleft == 0) d->nextid = 0;
  else memcpy(&d->nextid, d->shared, 4);
}

uint32_t lc_dec_slot (Dec *d) {
  uint32_t slot;
  memcpy(&slot, d->shared + 4, 4);
  d->shared += 8;
  d->nleft--;
  dec_nextid(d);
  if (slot == 0 || slot > d->nshared) lc_dec_fail(d);
  return slot;
}

void lc_dec_store (Dec *d, uint32_t slot) {
  if (slot == 0) return;
  if (slot <= d->nfast) lua_copy(d->L, -1, d->fast + (int)slot);
  else {
    lua_pushvalue(d->L, -1);
    lua_rawseti(d->L, d->refs, (lua_Integer)(slot - d->nfast));
  }
}

void lc_dec_load (Dec *d, uint32_t slot) {
  if (slot == 0 || slot > d->nshared) lc_dec_fail(d);
  if (slot <= d->nfast) lua_pushvalue(d->L, d->fast + (int)slot);
  else lua_rawgeti(d->L, d->refs, (lua_Integer)(slot - d->nfast));
}

void lc_dec_later (Dec *d) {
  if (d->work == 0) lc_dec_fail(d);
  if (lua_isnil(d->L, d->work)) {
    lua_newtable(d->L);
    lua_replace(d->L, d->work);
  }
  lua_pushvalue(d->L, -1);
  lua_rawseti(d->L, d->work, (lua_Integer)++d->nwork);
}

/* ---- strings ---- */

static void dec_string (Dec *d, uint64_t len) {
  if (len > (size_t)(d->end - d->p)) lc_dec_fail(d);
  lua_pushlstring(d->L, (const char *)d->p, (size_t)len);
  d->p += len;
  lc_dec_made(d);
}

/* ---- tables ---- */

/* Pushes the value whose tag was just read; the stack has `top` slots in
** use. */
static void dec_tagged (Dec *d, unsigned tag, int top, int depth);

/* Pushes one value: what there is most of, at once. */
static inline void dec_any (Dec *d, int top, int depth) {
  unsigned tag = lc_dec_byte(d);
  if (tag >= WIRE_INT0) lua_pushinteger(d->L, (int)tag - WIRE_INT0 - 16);
  else if (tag >= WIRE_STR0) dec_string(d, tag - WIRE_STR0);
  else if (tag > WIRE_REF0 && tag - WIRE_REF0 <= d->nfast)
    lua_pushvalue(d->L, d->fast + (int)(tag - WIRE_REF0));
  else dec_tagged(d, tag, top, depth);
}

/* How much of `want` may be made ahead. All claims of a record together
** are never more than its bytes, so hostile hints gain nothing. */
static int dec_claim (Dec *d, lua_Unsigned want) {
  if (want > d->budget) want = d->budget;
  if (want > INT_MAX / 2) want = INT_MAX / 2;
  d->budget -= (size_t)want;
  return (int)want;
}

static int dec_isrun (unsigned tag) {
  return tag >= WIRE_RUNF && tag <= WIRE_RUN8;
}

static size_t dec_width (unsigned kind) {
  switch (kind) {
    case WIRE_RUN1: return 1;
    case WIRE_RUN2: return 2;
    case WIRE_RUN4: return 4;
    default: return 8;
  }
}

/* The head of a run, of at most `most` numbers, which are there. */
static size_t dec_runhead (Dec *d, unsigned *kind, lua_Unsigned most) {
  size_t n;
  *kind = lc_dec_byte(d);
  n = lc_dec_u32(d);
  if (n > most || n > (size_t)(d->end - d->p) / dec_width(*kind))
    lc_dec_fail(d);
  return n;
}

#define DEC_RUN(T, push)  \
  for (; n > 0; n--) {  \
    T x;  \
    memcpy(&x, p, sizeof x);  \
    p += sizeof x;  \
    push(L, x);  \
    if (t != 0) lua_rawseti(L, t, ++i);  \
  }

/* The `n` numbers of a run, into the table at `t` from `i` + 1 on, or, if `t`
** is 0, on the stack. */
static void dec_run (Dec *d, int t, lua_Integer i, unsigned kind, size_t n) {
  lua_State *L = d->L;
  const unsigned char *p = d->p;
  switch (kind) {
    case WIRE_RUNF: DEC_RUN(lua_Number, lua_pushnumber) break;
    case WIRE_RUN1: DEC_RUN(int8_t, lua_pushinteger) break;
    case WIRE_RUN2: DEC_RUN(int16_t, lua_pushinteger) break;
    case WIRE_RUN4: DEC_RUN(int32_t, lua_pushinteger) break;
    default: DEC_RUN(lua_Integer, lua_pushinteger)
  }
  d->p = p;
}

/* Are all `n` items in runs? */
static int dec_allruns (const Dec *d, lua_Unsigned n) {
  const unsigned char *p = d->p;
  while (n > 0) {
    uint32_t k;
    size_t size;
    if (d->end - p < 5 || !dec_isrun(*p)) return 0;
    memcpy(&k, p + 1, 4);
    size = k * dec_width(*p);
    p += 5;
    if (k == 0 || k > n || size > (size_t)(d->end - p)) return 0;
    p += size;
    n -= k;
  }
  return 1;
}

/*
** Pushes an array of `n` numbers, all in runs. `{...}` takes them all from the
** stack at once: a third of the time that setting one after the other takes.
** Gives 0 and pushes nothing if the stack has no room (the virtual machine
** copies them once): then they are to be set one by one.
*/
static int dec_pack (Dec *d, lua_Unsigned n) {
  lua_State *L = d->L;
  lua_Unsigned i = 0;
  if (!lua_checkstack(L, (int)n * 2 + DEC_STACK)) return 0;
  lc_state_push(L, STATE_PACK);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    if (luaL_loadbufferx(L, "return {...}", 12, "=lacus", "t") != LUA_OK)
      lua_error(L);
    lua_pushvalue(L, -1);
    lc_state_set(L, STATE_PACK);
  }
  while (i < n) {
    unsigned kind;
    size_t k = dec_runhead(d, &kind, n - i);
    dec_run(d, 0, 0, kind, k);
    i += k;
  }
  lua_call(L, (int)n, 1);
  return 1;
}

static void dec_items (Dec *d, int t, lua_Unsigned n, int depth) {
  lua_Integer i = 0;
  while ((lua_Unsigned)i < n) {
    lc_dec_need(d, 1);
    if (dec_isrun(*d->p)) {
      unsigned kind;
      size_t k = dec_runhead(d, &kind, n - (lua_Unsigned)i);
      dec_run(d, t, i, kind, k);
      i += (lua_Integer)k;
    }
    else {
      dec_any(d, t, depth + 1);
      lua_rawseti(d->L, t, ++i);
    }
  }
}

static void dec_pairs (Dec *d, int t, int depth) {
  for (;;) {
    lc_dec_need(d, 1);
    if (*d->p == WIRE_END) break;
    dec_any(d, t, depth + 1);
    dec_any(d, t + 1, depth + 1);
    lua_rawset(d->L, t);
  }
  d->p++;
}

/* The body whose tag was just read, for the table at `t`, which is the top of
** the stack. If `fresh`, it is to be made first; else the caller has made it
** (and given it an id). */
static void dec_body (Dec *d, unsigned tag, int t, int fresh, int depth) {
  lua_State *L = d->L;
  unsigned hint = lc_dec_byte(d);
  lua_Unsigned n = 0;
  if (hint > 32) lc_dec_fail(d);
  if (tag & WIRE_T_BIG) n = lc_dec_u64(d);
  else if (tag & WIRE_T_SMALL) n = lc_dec_byte(d);
  if (depth % DEC_LEVELS == 0) lc_state_room(L, DEC_STACK);
  if (fresh) {
    int narr = dec_claim(d, n);
    if ((tag & WIRE_T_BIG) && hint == 0 && narr <= DEC_PACK
        && (lua_Unsigned)narr == n && dec_allruns(d, n) && dec_pack(d, n))
      n = 0;
    else lua_createtable(L, narr,
           hint == 0 ? 0 : dec_claim(d, (lua_Unsigned)1 << (hint - 1)));
    lc_dec_made(d);
  }
  dec_items(d, t, n, depth);
  if (tag & WIRE_T_HASH) dec_pairs(d, t, depth);
  if (tag & WIRE_T_META) {
    if (d->plain) lc_dec_fail(d);
    dec_any(d, t, depth + 1);
    if (!lua_istable(L, -1)) lc_dec_fail(d);
    lua_setmetatable(L, t);
  }
}

static int dec_istable (unsigned tag) {
  return (tag & 0xF0) == WIRE_TABLE;
}

void lc_dec_drain (Dec *d, uint32_t mark, int depth) {
  lua_State *L = d->L;
  lc_state_room(L, DEC_STACK);
  while (d->nwork > mark) {
    int t = lua_gettop(L) + 1;
    lua_rawgeti(L, d->work, (lua_Integer)d->nwork);
    lua_pushnil(L);
    lua_rawseti(L, d->work, (lua_Integer)d->nwork--);
    if (lua_istable(L, t)) {
      unsigned tag = lc_dec_byte(d);
      if (!dec_istable(tag)) lc_dec_fail(d);
      dec_body(d, tag, t, 0, depth);
    }
    else lc_dec_upvalues(d, t, 0, -1, depth);
    lua_settop(L, t - 1);
  }
}

/* ---- values ---- */

static void dec_number (Dec *d, unsigned tag) {
  int16_t i2;
  int32_t i4;
  lua_Number x;
  uint64_t u;
  switch (tag) {
    case WIRE_INT2:
      lc_dec_need(d, 2);
      memcpy(&i2, d->p, 2);
      d->p += 2;
      lua_pushinteger(d->L, i2);
      return;
    case WIRE_INT4:
      lc_dec_need(d, 4);
      memcpy(&i4, d->p, 4);
      d->p += 4;
      lua_pushinteger(d->L, i4);
      return;
    case WIRE_INT8:
      lua_pushinteger(d->L, (lua_Integer)lc_dec_u64(d));
      return;
    default:
      u = lc_dec_u64(d);
      memcpy(&x, &u, 8);
      lua_pushnumber(d->L, x);
  }
}

static void dec_light (Dec *d) {
  uint64_t p = lc_dec_u64(d);
  lua_pushlightuserdata(d->L, (void *)(uintptr_t)p);
}

/* What is more than data. */
static void dec_more (Dec *d, unsigned tag, int depth) {
  if (d->plain)
    luaL_error(d->L, "these bytes hold more than plain data");
  switch (tag) {
    case WIRE_LIGHT: dec_light(d); return;
    case WIRE_GLOBALS:
      lua_rawgeti(d->L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
      lc_dec_made(d);
      return;
    case WIRE_NAME: lc_dec_name(d, depth); return;
    case WIRE_FUNC: lc_dec_function(d, depth); return;
    case WIRE_CLASS: lc_dec_class(d); return;
    case WIRE_OBJECT: lc_dec_object(d); return;
    case WIRE_HOSTED: lc_dec_hosted(d); return;
    case WIRE_PACKED: lc_dec_packed(d); return;
    case WIRE_TRANSFER: lc_dec_transfer(d, depth); return;
    default: lc_dec_fail(d);
  }
}

static void dec_tagged (Dec *d, unsigned tag, int top, int depth) {
  if (tag >= WIRE_REF0) lc_dec_load(d, tag - WIRE_REF0);
  else if (tag >= WIRE_TABLE) {
    if (depth > DEC_DEPTH) lc_dec_fail(d);
    dec_body(d, tag, top + 1, 1, depth);
  }
  else switch (tag) {
    case WIRE_NIL: lua_pushnil(d->L); return;
    case WIRE_FALSE: lua_pushboolean(d->L, 0); return;
    case WIRE_TRUE: lua_pushboolean(d->L, 1); return;
    case WIRE_INT2: case WIRE_INT4: case WIRE_INT8: case WIRE_FLT:
      dec_number(d, tag);
      return;
    case WIRE_STR1: dec_string(d, lc_dec_byte(d)); return;
    case WIRE_STR4: dec_string(d, lc_dec_u32(d)); return;
    case WIRE_STR8: dec_string(d, lc_dec_u64(d)); return;
    case WIRE_REF: lc_dec_load(d, lc_dec_u32(d)); return;
    case WIRE_LATER:
      lua_newtable(d->L);
      lc_dec_made(d);
      lc_dec_later(d);
      return;
    default:
      if (depth > DEC_DEPTH) lc_dec_fail(d);
      dec_more(d, tag, depth);
  }
}

void lc_dec_value (Dec *d, int depth) {
  dec_any(d, lua_gettop(d->L), depth);
}

/* ---- records ---- */

/* The head of a full record: `d->p` to `d->end` is the body afterwards.
** Gives the number of values, and where the record ends. */
static uint32_t dec_open (Dec *d, const unsigned char **classes,
                          uint32_t *nclass, const unsigned char **end) {
  uint32_t n = lc_dec_u32(d);
  uint64_t size, left, lists;
  d->nshared = lc_dec_u32(d);
  *nclass = lc_dec_u32(d);
  size = lc_dec_u64(d);
  left = (uint64_t)(d->end - d->p);
  lists = (uint64_t)d->nshared * 8 + (uint64_t)*nclass * 4;
  if (size > left || lists > left - size || n > size) lc_dec_fail(d);
  d->end = d->p + size;
  d->shared = d->end;
  d->nleft = d->nshared;
  *classes = d->end + (size_t)d->nshared * 8;
  *end = d->end + lists;
  d->budget = (size_t)size;
  dec_nextid(d);
  return n;
}

/* Slots on the stack for what comes again: work, refs, the fast ones. */
static void dec_slots (Dec *d) {
  lua_State *L = d->L;
  int top = lua_gettop(L);
  d->nfast = d->nshared < DEC_FAST ? d->nshared : DEC_FAST;
  lc_state_room(L, (int)d->nfast + DEC_STACK);
  d->work = top + 1;
  d->refs = top + 2;
  d->fast = top + 2;
  lua_settop(L, top + 2 + (int)d->nfast);
  if (d->nshared > d->nfast) {
    uint32_t more = d->nshared - d->nfast;
    lua_createtable(L, more < INT_MAX / 2 ? (int)more : INT_MAX / 2, 0);
    lua_replace(L, d->refs);
  }
}

static void dec_begin (Dec *d, lua_State *L, Codec *c, const Message *m,
                       size_t pos) {
  memset((void *)d, 0, sizeof(Dec));
  d->L = L;
  d->c = c;
  d->m = m;
  if (pos >= m->len) lc_dec_fail(d);
  d->p = m->bytes + pos;
  d->end = m->bytes + m->len;
}

static int dec_simple (Dec *d, unsigned n) {
  unsigned i;
  lc_state_room(d->L, (int)n + DEC_STACK);
  d->budget = (size_t)(d->end - d->p);
  for (i = 0; i < n; i++) lc_dec_value(d, 0);
  return (int)n;
}

static int dec_record (Dec *d, size_t *pos) {
  lua_State *L = d->L;
  int top = lua_gettop(L);
  uint32_t n, i, nclass;
  const unsigned char *classes, *end;
  unsigned first = lc_dec_byte(d);
  if (first < WIRE_FULL) {
    n = (uint32_t)dec_simple(d, first);
    end = d->p;
  }
  else {
    if (first != WIRE_FULL) lc_dec_fail(d);
    n = dec_open(d, &classes, &nclass, &end);
    if (n > INT_MAX / 2) lc_dec_fail(d);
    if (nclass > 0) lc_dec_classes(d, classes, nclass);
    dec_slots(d);
    lc_state_room(L, (int)n + DEC_STACK);
    for (i = 0; i < n; i++) lc_dec_value(d, 0);
    lc_dec_drain(d, 0, 0);
    lua_rotate(L, top + 1, (int)n);
    lua_settop(L, top + (int)n);
  }
  *pos = (size_t)(end - d->m->bytes);
  return (int)n;
}

int lc_decode (lua_State *L, Codec *c, const Message *m, size_t *pos) {
  Dec d;
  dec_begin(&d, L, c, m, *pos);
  return dec_record(&d, pos);
}

int lc_decode_plain (lua_State *L, Codec *c, const Message *m, size_t *pos) {
  Dec d;
  dec_begin(&d, L, c, m, *pos);
  d.plain = 1;
  return dec_record(&d, pos);
}

void lc_dec_image (lua_State *L, Codec *c, const Message *m, int t) {
  Dec d;
  int top = lua_gettop(L);
  uint32_t nclass;
  const unsigned char *classes, *end;
  unsigned tag;
  dec_begin(&d, L, c, m, 0);
  if (lc_dec_byte(&d) != WIRE_FULL
      || dec_open(&d, &classes, &nclass, &end) != 1) lc_dec_fail(&d);
  dec_slots(&d);
  tag = lc_dec_byte(&d);
  if (!dec_istable(tag)) lc_dec_fail(&d);
  lua_pushvalue(L, t);
  dec_body(&d, tag, lua_gettop(L), 0, 0);
  lc_dec_drain(&d, 0, 0);
  lua_settop(L, top);
}
