/*
** image.c: the content of a class, read at most once in an epoch and sent
** as long as it does not change. Stands on encode.h and recall.h.
**
** An image that arrived from elsewhere is passed on as it is: only the state
** that made a class says what is in it. The classes that an image names must
** travel with it; the box of the class holds their tables, in this state.
*/
#include "encode.h"

/* Under this key a record notes that the class is in its list. */
const void *lc_image_listed (const Box *b) {
  return (const char *)b->ident + 1;
}

static int image_same (const Message *a, const Message *b) {
  return a->len == b->len && a->nrefs == b->nrefs
      && memcmp(a->bytes, b->bytes, a->len) == 0
      && (a->nrefs == 0
          || memcmp(a->refs, b->refs, a->nrefs * sizeof(Shared *)) == 0);
}

/*
** Reads the class at `idx`. Its record is written as often as it takes to
** know all classes in it; leaves their table on the stack, or nil.
*/
static EncStatus image_read (Enc *e, int idx, Enc *in) {
  lua_State *L = e->L;
  int top = lua_gettop(L);
  EncStatus st;
  do {
    lc_message_clear(&e->content, (size_t)-1);
    lua_settop(L, top);
    if (!lua_checkstack(L, 4 + ENC_STACK) || !lc_enc_inner(in, e)) return ENC_NOMEM;
    lua_settop(L, top + 2);
    in->classes = top + 1;
    in->work = top + 2;
    in->n = 1;
    lc_enc_begin(in);
    if (!lc_enc_room(in, WIRE_HEAD)) return ENC_NOMEM;
    in->p += WIRE_HEAD;
    st = lc_enc_image(in, idx);
    if (st == ENC_OK) st = lc_enc_finish(in);
    if (e->need < in->need) e->need = in->need;
    if (in->stale) e->again = 1;     /* goes on, and finds all such */
    if (st == ENC_AGAIN && e->mode < in->need) return st;
  } while (st == ENC_AGAIN);
  if (st != ENC_OK) return st;
  e->content.len = lc_enc_at(in);
  lua_settop(L, top + 1);
  return ENC_OK;
}

/* A new image only if something has changed. The box is below the top. */
static EncStatus image_update (Enc *e, Box *b, int idx) {
  lua_State *L = e->L;
  Image *old, *image;
  Enc in;
  EncStatus st = image_read(e, idx, &in);
  if (st != ENC_OK) return st;
  lua_setiuservalue(L, -2, 1);
  old = (Image *)b->what;
  if (old == NULL || !image_same(&old->content, &e->content)) {
    image = lc_image_new(e->c->mem, b->ident, old ? old->version + 1
                         : (uint64_t)b->origin, &e->content);
    if (image == NULL) return ENC_NOMEM;
    lc_recall_set(b, &image->head);
    lc_shared_release(&image->head);
  }
  b->epoch = e->c->epoch;
  return ENC_OK;
}

/* The tables in the box's list (on top of the stack) join the record's. */
static EncStatus image_join (Enc *e) {
  lua_State *L = e->L;
  lua_Integer i, n = (lua_Integer)lua_rawlen(L, -1);
  for (i = 1; i <= n; i++) {
    Box *b;
    Seen *s;
    lua_rawgeti(L, -1, i);
    b = lc_recall_find(L, lua_gettop(L));
    if (b != NULL) {
      s = lc_scratch_put(e->s, lc_image_listed(b));
      if (s == NULL) return ENC_NOMEM;
      if (s->aux == 0) {
        s->aux = 1;
        lua_pushvalue(L, -1);
        lua_rawseti(L, e->classes, (lua_Integer)++e->nclass);
      }
    }
    lua_pop(L, 1);
  }
  return ENC_OK;
}

EncStatus lc_image_of (Enc *e, uint32_t k, Image **image) {
  lua_State *L = e->L;
  int top = lua_gettop(L);
  EncStatus st = ENC_OK;
  Seen *s;
  Box *b;
  if (!lua_checkstack(L, 8 + ENC_STACK)) return ENC_NOMEM;
  lua_rawgeti(L, e->classes, (lua_Integer)k);
  b = lc_recall_push(L, top + 1);
  s = lc_scratch_put(e->s, lc_image_listed(b));
  if (s == NULL) return ENC_NOMEM;
  s->aux = 1;
  if (b->what == NULL || (b->origin && b->epoch != e->c->epoch))
    st = image_update(e, b, top + 1);
  if (st != ENC_OK) return st;
  *image = (Image *)b->what;
  if (lua_getiuservalue(L, top + 2, 1) == LUA_TTABLE) st = image_join(e);
  lua_settop(L, top);
  return st;
}
