/*
** decode_record.c: the frame of a record that is read: head, lists, slots, and what
** the collector does meanwhile. Stands on decode.h; knows nothing of how bytes become
** a value.
**
** The bytes may be hostile: every length is checked against what is left.
*/
#include "decode.h"

#include <limits.h>

#define DEC_FAST 40u                     /* slots on the Lua stack */

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
  lc_dec_nextid(d);
  return n;
}

/* Slots on the stack for what comes again: work, refs, the fast ones. */
static void dec_slots (Dec *d) {
  lua_State *L = d->L;
  int top = lua_gettop(L);
  d->nfast = d->nshared < DEC_FAST ? d->nshared : DEC_FAST;
  d->nnear = d->nfast < 31 ? d->nfast : 31;
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

/* How many bytes the record has, or fewer; its first ones are next. */
static size_t dec_size (const Dec *d) {
  uint64_t size;
  size_t left = (size_t)(d->end - d->p);
  if (left < WIRE_HEAD || *d->p != WIRE_FULL) return 0;
  memcpy(&size, d->p + WIRE_HEAD - 8, 8);
  return size < left ? (size_t)size : left;
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

/* ---- the collector ---- */

/* Records with fewer bytes are read as they are. */
#define LOAN_LEAST 2048
/* What the values of a record may take, for each of its bytes; and in all, in KiB. */
#define LOAN_TIMES 10
#define LOAN_MOST (64 * 1024)

/*
** Nothing of what a record becomes is garbage yet, so while it is read a collector
** works in vain: over again through tables that are half full. It gives credit, as
** a step of a negative size, and is told to catch up afterwards, which is the same
** work in fewer steps. After an error the next large record of the state pays.
*/
static void dec_repay (lua_State *L, Codec *c) {
  int kib = c->loan;
  c->loan = 0;
  if (kib > 0) lua_gc(L, LUA_GCSTEP, kib);
}

static void dec_borrow (lua_State *L, Codec *c, size_t bytes) {
  size_t kib = bytes / (1024 / LOAN_TIMES);
  dec_repay(L, c);
  if (!lua_gc(L, LUA_GCISRUNNING)) return;
  c->loan = kib < LOAN_MOST ? (int)kib : LOAN_MOST;
  lua_gc(L, LUA_GCSTEP, -c->loan);
}

int lc_decode (lua_State *L, Codec *c, const Message *m, size_t *pos) {
  Dec d;
  int n;
  size_t bytes;
  dec_begin(&d, L, c, m, *pos);
  bytes = dec_size(&d);
  if (bytes < LOAN_LEAST) return dec_record(&d, pos);
  dec_borrow(L, c, bytes);
  n = dec_record(&d, pos);
  dec_repay(L, c);
  return n;
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
  dec_begin(&d, L, c, m, 0);
  if (lc_dec_byte(&d) != WIRE_FULL
      || dec_open(&d, &classes, &nclass, &end) != 1) lc_dec_fail(&d);
  dec_slots(&d);
  lua_pushvalue(L, t);
  lc_dec_table(&d, lua_gettop(L), 0);
  lc_dec_drain(&d, 0, 0);
  lua_settop(L, top);
}
