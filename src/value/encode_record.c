/*
** encode_record.c: the frame of a record that is written: head, lists, protection,
** undoing. Stands on encode.h and refuse.h; knows nothing of how a value
** becomes bytes.
*/
#include "encode.h"

#include <stdlib.h>

#include "refuse.h"

static Scratch *rec_take (Codec *c) {
  Scratch *s = c->idle;
  if (s == NULL) return lc_scratch_new(c->mem);
  c->idle = s->next;
  return s;
}

static void rec_give (Codec *c, Scratch *s) {
  if (s == NULL) return;
  lc_scratch_trim(s);
  s->next = c->idle;
  c->idle = s;
}

static int rec_open (Enc *e, lua_State *L, Codec *c, Message *m) {
  memset((void *)e, 0, sizeof(Enc));
  e->L = L;
  e->c = c;
  e->m = m;
  e->start = m->len;
  e->nrefs = m->nrefs;
  lc_message_init(&e->content, c->mem);
  if (!lc_message_room(m, WIRE_HEAD)) return 0;
  e->s = rec_take(c);
  return e->s != NULL;
}

/* For an image, which is made while the record `outer` is. */
int lc_enc_inner (Enc *e, Enc *outer) {
  Codec *c = outer->c;
  memset((void *)e, 0, sizeof(Enc));
  if (outer->inner == NULL) outer->inner = rec_take(c);
  e->s = outer->inner;
  if (e->s == NULL || !lc_message_room(&outer->content, WIRE_HEAD)) return 0;
  e->L = outer->L;
  e->c = c;
  e->m = &outer->content;
  e->mode = e->need = outer->mode;
  e->anchors = outer->anchors;
  e->bad = outer->bad;
  e->outer = outer;
  e->sealed = outer->sealed;
  return 1;
}

/* Gives everything back; undoes the record's refs if `undo`. */
static void rec_close (Enc *e, int undo) {
  Message *m = e->m;
  if (undo)
    while (m->nrefs > e->nrefs) lc_shared_release(m->refs[--m->nrefs]);
  if (e->builds) e->c->names.building = 0;
  rec_give(e->c, e->s);
  rec_give(e->c, e->inner);
  lc_message_drop(&e->content);
}

void lc_enc_begin (Enc *e) {
  Message *m = e->m;
  while (m->nrefs > e->nrefs) lc_shared_release(m->refs[--m->nrefs]);
  lc_scratch_reset(e->s);
  e->p = m->bytes + e->start;
  e->lim = m->bytes + m->cap;
  e->id = 0;
  e->nwork = e->nclass = 0;
  e->lastmeta = NULL;
  e->again = e->stale = 0;
}

typedef struct RecPair { uint32_t id, slot; } RecPair;

static int rec_byid (const void *a, const void *b) {
  uint32_t x = ((const RecPair *)a)->id, y = ((const RecPair *)b)->id;
  return x < y ? -1 : x > y;
}

/* The shared ids, rising. They mostly are so already. */
static EncStatus rec_shares (Enc *e) {
  uint32_t i, n = e->s->nshared, last = 0;
  int sorted = 1;
  RecPair *pairs;
  size_t size = n * sizeof(RecPair);
  if (!lc_enc_room(e, size + 64)) return ENC_NOMEM;
  for (i = 0; i < n; i++) {
    RecPair p;
    p.id = e->s->shared[i];
    p.slot = i + 1;
    if (p.id < last) sorted = 0;
    last = p.id;
    memcpy(e->p + i * sizeof(RecPair), &p, sizeof p);
  }
  if (!sorted) {                   /* the buffer is not aligned for it */
    pairs = (RecPair *)lc_mem_alloc(e->c->mem, size);
    if (pairs == NULL) return ENC_NOMEM;
    memcpy(pairs, e->p, size);
    qsort(pairs, n, sizeof(RecPair), rec_byid);
    memcpy(e->p, pairs, size);
    lc_mem_free(e->c->mem, pairs, size);
  }
  e->p += size;
  return ENC_OK;
}

static EncStatus rec_classes (Enc *e) {
  uint32_t k, at;
  Image *image;
  for (k = 1; k <= e->nclass; k++) {
    EncStatus st = lc_image_of(e, k, &image);
    if (st == ENC_OK) st = lc_enc_shared(e, &image->head, &at);
    if (st != ENC_OK) return st;
    if (!lc_enc_room(e, 16)) return ENC_NOMEM;
    lc_enc_u32(e, at);
  }
  return ENC_OK;
}

/* From the values on; the head is written when all is known. */
EncStatus lc_enc_finish (Enc *e) {
  size_t body, head = e->start;
  uint32_t n = (uint32_t)e->n, nclass = 0;
  uint64_t size;
  unsigned char *h;
  EncStatus st = lc_enc_drain(e, 0, 0);
  if (st != ENC_OK) return st;
  if (e->again) return ENC_AGAIN;
  body = lc_enc_at(e);
  st = rec_shares(e);
  if (st == ENC_OK && e->outer == NULL) {
    st = rec_classes(e);
    nclass = e->nclass;
  }
  if (st != ENC_OK) return st;
  if (e->again) return ENC_AGAIN;          /* an image has found one */
  h = e->m->bytes + head;
  size = body - head - WIRE_HEAD;
  h[0] = WIRE_FULL;
  memcpy(h + 1, &n, 4);
  memcpy(h + 5, &e->s->nshared, 4);
  memcpy(h + 9, &nclass, 4);
  memcpy(h + 13, &size, 8);
  return ENC_OK;
}

static EncStatus rec_record (Enc *e) {
  int i;
  lc_enc_begin(e);
  if (!lc_enc_room(e, WIRE_HEAD) || !lua_checkstack(e->L, ENC_STACK))
    return ENC_NOMEM;
  e->p += WIRE_HEAD;
  for (i = 0; i < e->n; i++) {
    EncStatus st = lc_enc_value(e, e->first + i,
                                lua_type(e->L, e->first + i), 0);
    if (st != ENC_OK) return st;
  }
  return lc_enc_finish(e);
}

/*
** Slots, then the values' copies: the record is written as often as it takes
** to find out what it needs.
*/
static int rec_protected (lua_State *L) {
  Enc *e = (Enc *)lua_touserdata(L, 1);
  int top = lua_gettop(L);
  EncStatus st;
  e->L = L;
  e->first = 2;
  e->work = top + 1;
  e->classes = top + 2;
  e->anchors = top + 3;
  e->bad = top + 4;
  lua_settop(L, top + 4);
  do {
    lua_settop(L, top + 4);
    lua_pushnil(L);
    lua_copy(L, -1, e->work);
    lua_replace(L, e->classes);
    if (e->mode < e->need) e->mode = e->need;
    st = rec_record(e);
  } while (st == ENC_AGAIN);
  lua_pushinteger(L, st);
  if (st != ENC_REFUSED) return 1;
  lc_refuse_push(L, e);
  return 4;
}

/* Leaves status (and the refusal's three values), or raises. */
static EncStatus rec_safely (Enc *e, lua_State *L, int first) {
  int i, top = lua_gettop(L), status;
  EncStatus st;
  if (!lua_checkstack(L, e->n + 8)) return ENC_NOMEM;
  lua_pushcfunction(L, rec_protected);
  lua_pushlightuserdata(L, e);
  for (i = 0; i < e->n; i++) lua_pushvalue(L, first + i);
  status = lua_pcall(L, e->n + 1, LUA_MULTRET, 0);
  e->L = L;
  if (status != LUA_OK) {
    rec_close(e, 1);
    lua_error(L);
  }
  st = (EncStatus)lua_tointegerx(L, top + 1, NULL);
  lua_remove(L, top + 1);
  return st;
}

/* Only values that nothing can be shared with, or that are cheaper to send
** twice than to look up. */
static EncodeResult rec_simple (lua_State *L, Message *m, int first, int n) {
  Enc e;
  int i;
  if (!lc_message_room(m, 16)) return LC_NOMEM;
  e.L = L;
  e.m = m;
  e.p = m->bytes + m->len;
  e.lim = m->bytes + m->cap;
  lc_enc_byte(&e, (unsigned)n);
  for (i = first; i < first + n; i++) {
    int type = lua_type(L, i);
    if (type == LUA_TSTRING) {
      size_t len;
      const char *str = lua_tolstring(L, i, &len);
      if (!lc_enc_room(&e, 16) || lc_enc_bytes(&e, str, len) != ENC_OK)
        return LC_NOMEM;
    }
    else if (lc_enc_value(&e, i, type, 0) != ENC_OK) return LC_NOMEM;
  }
  m->len = lc_enc_at(&e);
  return LC_ENCODED;
}

static int rec_issimple (lua_State *L, int first, int n) {
  int i;
  if (n > 127) return 0;
  for (i = first; i < first + n; i++) {
    int type = lua_type(L, i);
    if (type == LUA_TTABLE || type >= LUA_TFUNCTION) return 0;
  }
  return 1;
}

static int rec_begin (Enc *e, lua_State *L, Codec *c, Message *m, int n) {
  int unsealed = c->unsealed;
  c->unsealed = 0;
  if (!rec_open(e, L, c, m)) return 0;
  e->n = n;
  e->sealed = c->sealed && !unsealed;
  return 1;
}

static EncodeResult rec_end (Enc *e, EncStatus st) {
  e->c->eager = e->need;
  if (st == ENC_OK) e->m->len = lc_enc_at(e);
  rec_close(e, st != ENC_OK);
  return st == ENC_OK ? LC_ENCODED : st == ENC_REFUSED ? LC_REFUSED : LC_NOMEM;
}

int lc_encode_quick (lua_State *L, Codec *c, Message *m, int first, int n,
                     EncodeResult *result) {
  Enc e;
  EncStatus st;
  int unsealed = c->unsealed, top = lua_gettop(L);
  m->most = c->mem->limit != 0 ? m->len + c->mem->limit : 0;
  if (rec_issimple(L, first, n)) {
    c->unsealed = 0;
    *result = rec_simple(L, m, first, n);
    return 1;
  }
  if (c->eager != ENC_PLAIN) return 0;
  *result = LC_NOMEM;
  if (!rec_begin(&e, L, c, m, n)) return 1;
  e.first = first;
  st = rec_record(&e);
  lua_settop(L, top);
  *result = rec_end(&e, st);
  if (st == ENC_AGAIN) c->unsealed = unsealed;
  return st != ENC_AGAIN;
}

EncodeResult lc_encode (lua_State *L, Codec *c, Message *m, int first, int n) {
  Enc e;
  EncodeResult result;
  if (lc_encode_quick(L, c, m, first, n, &result)) return result;
  if (!rec_begin(&e, L, c, m, n)) return LC_NOMEM;
  e.mode = c->eager;
  return rec_end(&e, rec_safely(&e, L, first));
}
