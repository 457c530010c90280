/*
** encode_array.c: the items of a table, which is what stands under 1, 2, 3 ...,
** to bytes: runs of numbers, holes, and the short way through long arrays.
** Stands on encode.h.
*/
#include "encode.h"

/* ---- runs of numbers ---- */

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
      lc_enc_float(e, x);
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
    lc_enc_integer(e, x);
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
  if (r->kind == WIRE_RUNF && r->n < UINT32_MAX && lc_enc_isfloat(e->L, idx, &x)) {
    memcpy(e->p, &x, 8);
    e->p += 8;
    r->n++;
  }
  else if (r->last == WIRE_INT8 && lua_isinteger(e->L, idx))
    encrun_integer(e, r, lua_tointegerx(e->L, idx, NULL));
  else if (lc_enc_isfloat(e->L, idx, &x)) encrun_float(e, r, x);
  else encrun_integer(e, r, lua_tointegerx(e->L, idx, NULL));
}

/* ---- items ---- */

/* So many items at least are worth the short way. */
#define LONG_LEAST 64
/* Items that it takes at once: so many slots on the stack. */
#define LONG_BLOCK 16
/* When an item with this number comes, it is asked whether there are many. */
#define LONG_ASK 4

typedef struct Items {
  lua_Integer done;      /* written */
  lua_Integer holes;     /* of those */
  size_t count;          /* where their number is */
  int big;               /* it has 8 bytes, not 1; numbers go in runs */
  int more;              /* the next key and its value are on the stack */
  EncRun run;
} Items;

/* There are more items than one byte counts. */
static int items_grow (Enc *e, Items *i) {
  unsigned char *p;
  if (!lc_enc_room(e, 7 + 16)) return 0;
  p = e->m->bytes + i->count;
  memmove(p + 8, p + 1, (size_t)(e->p - p) - 1);
  e->p += 7;
  i->big = 1;
  return 1;
}

/*
** The key at `at` is a number: is it that of the next item? Then gives its number,
** else 0. Holes go as nil, as long as there are no more of them than items (Lua
** itself asks that of an array): so the border of a table with holes stays where
** it is.
*/
static lua_Integer items_next (Enc *e, Items *i, int at) {
  lua_Integer gap, k = lua_tointegerx(e->L, at, NULL);
  if (k == i->done + 1) return k;
  if (k <= i->done) return 0;
  gap = k - i->done - 1;
  if (gap > k / 2 - i->holes || !lc_enc_room(e, (size_t)gap + 16)) return 0;
  encrun_end(e, &i->run);
  i->holes += gap;
  memset(e->p, WIRE_NIL, (size_t)gap);
  e->p += gap;
  return k;
}

/* The value at `idx` is the next item; `top` slots of the stack are in use. */
static inline EncStatus items_put (Enc *e, Items *i, int idx, int top,
                                   int type, int depth) {
  if (type == LUA_TNUMBER && i->big) {
    if (!lc_enc_room(e, 32)) return ENC_NOMEM;
    encrun_number(e, &i->run, idx);
    return ENC_OK;
  }
  encrun_end(e, &i->run);
  return lc_enc_any(e, idx, top, type, depth + 1);
}

/* ---- the short way ---- */

/* The border of the table at `t`, above `n`, under which there is something. */
static lua_Integer long_border (lua_State *L, int t, lua_Integer n) {
  lua_Integer above = n * 2;
  int top = lua_gettop(L);
  while (lua_rawgeti(L, t, above) != LUA_TNIL && above < LUA_MAXINTEGER / 4) {
    n = above;
    above *= 2;
    lua_settop(L, top);
  }
  while (above - n > 1) {
    lua_Integer middle = n + (above - n) / 2;
    if (lua_rawgeti(L, t, middle) == LUA_TNIL) above = middle;
    else n = middle;
    lua_settop(L, top);
  }
  lua_settop(L, top);
  return n;
}

/* (table, key): raises where the key is neither in the array part nor there. */
static int long_step (lua_State *L) { return lua_next(L, 1); }

/* Whether `k`, which is no key of the table, lies in its array part: lua_next takes
** it for no other reason. */
static int long_isroom (lua_State *L, int t, lua_Integer k) {
  lua_pushcfunction(L, long_step);
  lua_pushvalue(L, t);
  lua_pushinteger(L, k);
  if (lua_pcall(L, 2, 0, 0) == LUA_OK) return 1;
  lua_pop(L, 1);
  return 0;
}

/*
** How far items may be fetched by their number, which takes half the time of a
** walk with lua_next; 0: not at all. The walk is to go on behind the last of them,
** so nothing else may come before that: it does not where item n lies in the array
** part. (An array that was made at once has no room behind its last item, so of
** that nothing can be told; to count its keys would take as long as to walk. But the
** arrays that decode.c makes have.)
*/
static lua_Integer long_reach (lua_State *L, int t) {
  lua_Integer n = long_border(L, t, WIRE_SMALL + 1);
  return n >= LONG_LEAST && long_isroom(L, t, n + 1) ? n : 0;
}

/* Fetches the items behind those that are written, up to number `n`, or to the
** first hole, into slot `at` and those above it; the walk goes on behind them. */
static EncStatus long_items (Enc *e, Items *i, int t, int at, lua_Integer n,
                             int depth) {
  lua_State *L = e->L;
  int types[LONG_BLOCK], k, got = LONG_BLOCK;
  lua_settop(L, at - 1);
  while (got == LONG_BLOCK) {
    for (got = 0; got < LONG_BLOCK && i->done + got < n; got++) {
      types[got] = lua_rawgeti(L, t, i->done + 1 + got);
      if (types[got] == LUA_TNIL) {
        lua_pop(L, 1);
        break;
      }
    }
    for (k = 0; k < got; k++) {
      EncStatus st = items_put(e, i, at + k, at + got - 1, types[k], depth);
      if (st != ENC_OK) return st;
    }
    i->done += got;
    lua_settop(L, at - 1);
  }
  lua_pushinteger(L, i->done);
  i->more = lua_next(L, t);
  return ENC_OK;
}

/* Whether there are many is asked once, when it is clear that there are some. */
static EncStatus items_ask (Enc *e, Items *i, int t, int at, int depth) {
  lua_State *L = e->L;
  lua_Integer n;
  int type = lua_rawgeti(L, t, WIRE_SMALL + 1);
  lua_settop(L, at + 1);
  if (type == LUA_TNIL) return ENC_OK;
  if (!items_grow(e, i)) return ENC_NOMEM;
  if (lua_rawgeti(L, t, LONG_LEAST) == LUA_TNIL) n = 0;
  else if (!lc_enc_in(e, ENC_SAFE)) return ENC_AGAIN;
  else if (!lua_checkstack(L, LONG_BLOCK + ENC_STACK)) return ENC_NOMEM;
  else n = long_reach(L, t);
  lua_settop(L, at + 1);
  return n > 0 ? long_items(e, i, t, at, n, depth) : ENC_OK;
}

static EncStatus items_walk (Enc *e, Items *i, int t, int at, int depth) {
  lua_State *L = e->L;
  while (i->more && lua_type(L, at) == LUA_TNUMBER) {
    EncStatus st = ENC_OK;
    lua_Integer k = items_next(e, i, at);
    if (k == 0) break;
    if (!i->big && k > WIRE_SMALL && !items_grow(e, i)) return ENC_NOMEM;
    i->done = k;
    st = items_put(e, i, at + 1, at + 1, lua_type(L, at + 1), depth);
    if (st != ENC_OK) return st;
    lua_settop(L, at);
    i->more = lua_next(L, t);
    if (k == LONG_ASK && i->more && !i->big) {
      st = items_ask(e, i, t, at, depth);
      if (st != ENC_OK) return st;
    }
  }
  return ENC_OK;
}

EncStatus lc_enc_items (Enc *e, int t, int at, int depth, unsigned *bits,
                        int *more) {
  Items i;
  EncStatus st;
  memset(&i, 0, sizeof i);
  i.count = lc_enc_at(e);
  i.more = 1;
  e->p++;
  st = items_walk(e, &i, t, at, depth);
  if (st != ENC_OK) return st;
  encrun_end(e, &i.run);
  if (i.big) memcpy(e->m->bytes + i.count, &i.done, 8);
  else e->m->bytes[i.count] = (unsigned char)i.done;
  *bits |= i.big ? WIRE_T_BIG : WIRE_T_SMALL;
  *more = i.more;
  return ENC_OK;
}
