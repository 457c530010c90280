/*
** decode.c: bytes to plain values and tables. Stands on message.h and wire.h; knows
** nothing of what functions, classes and handles are (decode_ident.c does), nor of
** the frame of a record (decode_record.c).
**
** The bytes may be hostile: every length is checked against what is left,
** and no room is made ahead that the bytes could not fill.
*/
#include "decode.h"

#include <limits.h>

/* The most numbers that go over Lua's stack: half a megabyte of it. */
enum { DEC_DEPTH = WIRE_DEPTH_MAX + 20, DEC_PACK = 16 * 1024 };

int lc_dec_fail (Dec *d) {
  return luaL_error(d->L, "these bytes are not a message");
}

/* ---- what is met again ---- */

uint32_t lc_dec_slot (Dec *d) {
  uint32_t slot;
  memcpy(&slot, d->shared + 4, 4);
  d->shared += 8;
  d->nleft--;
  lc_dec_nextid(d);
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

/* Pushes what comes again, if that is what the tag says and it is near. */
static inline int dec_near (Dec *d, unsigned tag) {
  if (tag - WIRE_REF0 - 1 >= d->nnear) return 0;
  lua_pushvalue(d->L, d->fast + (int)(tag - WIRE_REF0));
  return 1;
}

/* What there is most of, at once. */
static inline void dec_tag (Dec *d, unsigned tag, int top, int depth) {
  if (tag >= WIRE_INT0) lua_pushinteger(d->L, (int)tag - WIRE_INT0 - 16);
  else if (tag >= WIRE_STR0) dec_string(d, tag - WIRE_STR0);
  else if (!dec_near(d, tag)) dec_tagged(d, tag, top, depth);
}

/* Pushes one value. */
static inline void dec_any (Dec *d, int top, int depth) {
  dec_tag(d, lc_dec_byte(d), top, depth);
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

/* The bytes of the number that begins at `p`, its tag included; 0: none does. */
static size_t dec_lone (const unsigned char *p) {
  if (*p >= WIRE_INT0) return 1;
  switch (*p) {
    case WIRE_INT2: return 3;
    case WIRE_INT4: return 5;
    case WIRE_INT8: case WIRE_FLT: return 9;
    default: return 0;
  }
}

/* Are all `n` items numbers, in runs or alone? */
static int dec_allnumbers (const Dec *d, lua_Unsigned n) {
  const unsigned char *p = d->p;
  while (n > 0) {
    uint32_t k = 1;
    size_t size, left = (size_t)(d->end - p);
    if (left == 0) return 0;
    if (dec_isrun(*p)) {
      if (left < 5) return 0;
      memcpy(&k, p + 1, 4);
      size = 5 + k * dec_width(*p);
    }
    else size = dec_lone(p);
    if (size == 0 || k == 0 || k > n || size > left) return 0;
    p += size;
    n -= k;
  }
  return 1;
}

/*
** Pushes an array of `n` numbers, and nothing else. `{...}` takes them all from the
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
    size_t k = 1;
    if (dec_isrun(*d->p)) {
      k = dec_runhead(d, &kind, n - i);
      dec_run(d, 0, 0, kind, k);
    }
    else dec_any(d, 0, 0);
    i += k;
  }
  lua_pushnil(L);            /* room behind the last: see encode_array.c */
  lua_call(L, (int)n + 1, 1);
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

/* Most keys have come before. */
static void dec_pairs (Dec *d, int t, int depth) {
  for (;;) {
    unsigned tag = lc_dec_byte(d);
    if (tag == WIRE_END) break;
    if (!dec_near(d, tag)) dec_tag(d, tag, t, depth + 1);
    dec_any(d, t + 1, depth + 1);
    lua_rawset(d->L, t);
  }
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
    int narr = dec_claim(d, n), spare = (tag & WIRE_T_BIG) != 0;
    if ((tag & WIRE_T_BIG) && hint == 0 && narr <= DEC_PACK
        && (lua_Unsigned)narr == n && dec_allnumbers(d, n) && dec_pack(d, n))
      n = 0;
    else lua_createtable(L, narr + spare,
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

void lc_dec_table (Dec *d, int t, int depth) {
  unsigned tag = lc_dec_byte(d);
  if ((tag & 0xF0) != WIRE_TABLE) lc_dec_fail(d);
  dec_body(d, tag, t, 0, depth);
}

void lc_dec_drain (Dec *d, uint32_t mark, int depth) {
  lua_State *L = d->L;
  lc_state_room(L, DEC_STACK);
  while (d->nwork > mark) {
    int t = lua_gettop(L) + 1;
    lua_rawgeti(L, d->work, (lua_Integer)d->nwork);
    lua_pushnil(L);
    lua_rawseti(L, d->work, (lua_Integer)d->nwork--);
    if (lua_istable(L, t)) lc_dec_table(d, t, depth);
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
