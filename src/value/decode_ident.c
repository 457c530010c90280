/*
** decode_ident.c: named objects, functions, classes, handles, and what a
** __transfer function makes. Stands on recall.h, names.h, object.h,
** hosted.h; knows nothing of how plain values are read (decode.c does).
*/
#include "decode.h"

#include "hosted.h"
#include "names.h"
#include "object.h"
#include "recall.h"

static Shared *dec_shared (Dec *d, uint32_t at, const SharedKind *kind) {
  if (at >= d->m->nrefs || (kind != NULL && d->m->refs[at]->kind != kind))
    lc_dec_fail(d);
  return d->m->refs[at];
}

void lc_dec_name (Dec *d, int depth) {
  lua_State *L = d->L;
  uint32_t slot = lc_dec_begun(d);
  unsigned i, n = lc_dec_byte(d);
  int top = lua_gettop(L);
  if (n < 1 || n > 3) lc_dec_fail(d);
  lc_state_room(L, DEC_STACK);
  for (i = 0; i < n; i++) {
    lc_dec_value(d, depth + 1);
    if (lua_type(L, -1) != LUA_TSTRING) lc_dec_fail(d);
  }
  lc_names_resolve(L, top + 1, (int)n);
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
  lc_dec_store(d, slot);
}

/* ---- functions ---- */

/* The function on top of the stack was loaded earlier, and its only upvalue
** was the globals; but it may have given itself another _ENV. */
static int dec_isintact (lua_State *L) {
  int same;
  if (lua_getupvalue(L, -1, 1) == NULL) return 1;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

static void dec_load (Dec *d, Ident *ident, Code *code, unsigned bits) {
  lua_State *L = d->L;
  int f;
  if (luaL_loadbufferx(L, lc_code_bytes(code), code->len, "=?", "b")
      != LUA_OK)
    lua_error(L);
  f = lua_gettop(L);
  lc_recall_new(L, f, ident, &code->head);
  if (bits & WIRE_F_KEPT) {
    lc_recall_name(L, f, ident);
    lc_state_keep(L, d->c);
  }
}

void lc_dec_function (Dec *d, int depth) {
  lua_State *L = d->L;
  unsigned bits = lc_dec_byte(d), n;
  Ident *ident = (Ident *)dec_shared(d, lc_dec_u32(d), &lc_ident_kind);
  Code *code = (Code *)dec_shared(d, lc_dec_u32(d), &lc_code_kind);
  Box *b;
  int set = 0;
  n = lc_dec_byte(d);
  lc_state_room(L, DEC_STACK);
  b = lc_recall_byident(L, ident);
  if (b != NULL && !b->origin
      && !((bits & WIRE_F_KEPT) && lua_isfunction(L, -1)
           && dec_isintact(L))) {
    lua_pop(L, 1);
    b = NULL;
  }
  if (b == NULL) {
    dec_load(d, ident, code, bits);
    set = 1;
  }
  if (!lua_isfunction(L, -1)) lc_dec_fail(d);
  lc_dec_made(d);
  if (bits & WIRE_F_LATER) lc_dec_later(d);
  else lc_dec_upvalues(d, lua_gettop(L), n, set, depth);
}

static unsigned dec_countups (lua_State *L, int f) {
  lua_Debug ar;
  lua_pushvalue(L, f);
  lua_getinfo(L, ">u", &ar);
  return ar.nups;
}

static void dec_join (Dec *d, int f, int i, int set) {
  lua_State *L = d->L;
  uint32_t slot = lc_dec_u32(d);
  int k = (int)lc_dec_byte(d), g = lua_gettop(L) + 1;
  lc_dec_load(d, slot);
  if (!lua_isfunction(L, g) || lua_iscfunction(L, g)
      || lua_upvalueid(L, g, k) == NULL) lc_dec_fail(d);
  if (set && lua_upvalueid(L, f, i) != NULL) lua_upvaluejoin(L, f, i, g, k);
  lua_pop(L, 1);
}

/*
** The upvalues of the function at `f`. They are read in any case, so that
** the ids keep in step; what is the original already is not written over.
** `set` below 0: the body had been put off, and we ask the box.
*/
void lc_dec_upvalues (Dec *d, int f, unsigned n, int set, int depth) {
  lua_State *L = d->L;
  unsigned i;
  if (!lua_isfunction(L, f) || lua_iscfunction(L, f)) lc_dec_fail(d);
  if (set < 0) {
    Box *b = lc_recall_find(L, f);
    set = b == NULL || !b->origin;
    n = dec_countups(L, f);
  }
  for (i = 1; i <= n; i++) {
    unsigned tag = lc_dec_byte(d);
    if (tag == WIRE_JOIN) {
      dec_join(d, f, (int)i, set);
      continue;
    }
    if (tag != WIRE_CELL) lc_dec_fail(d);
    if (++d->id == d->nextid) {
      lua_pushvalue(L, f);
      lc_dec_store(d, lc_dec_slot(d));
      lua_pop(L, 1);
    }
    lc_dec_value(d, depth + 1);
    if (!set || lua_setupvalue(L, f, (int)i) == NULL) lua_pop(L, 1);
  }
}

/* ---- classes ---- */

void lc_dec_class (Dec *d) {
  Ident *ident = (Ident *)dec_shared(d, lc_dec_u32(d), &lc_ident_kind);
  if (lc_recall_byident(d->L, ident) == NULL || !lua_istable(d->L, -1))
    lc_dec_fail(d);
  lc_dec_made(d);
}

static Image *dec_image (Dec *d, const unsigned char *list, uint32_t k) {
  uint32_t at;
  memcpy(&at, list + (size_t)k * 4, 4);
  return (Image *)dec_shared(d, at, &lc_image_kind);
}

/* Pushes the table of the image's class, new if need be. */
static void dec_classtable (Dec *d, Image *image) {
  lua_State *L = d->L;
  int t;
  if (lc_recall_byident(L, image->ident) != NULL) return;
  lua_newtable(L);
  t = lua_gettop(L);
  if (!lc_names_addclass(d->c, lua_topointer(L, t)))
    luaL_error(L, "not enough memory");
  lc_recall_new(L, t, image->ident, NULL);
  lc_recall_name(L, t, image->ident);
  lc_state_keep(L, d->c);
}

/* Whether the class on top of the stack is to be filled. */
static int dec_isstale (Dec *d, Image *image) {
  Box *b = lc_recall_find(d->L, lua_gettop(d->L));
  if (b == NULL) lc_dec_fail(d);
  if (b->origin) return 0;
  return b->what == NULL || (b->what != &image->head
         && ((Image *)b->what)->version < image->version);
}

static void dec_empty (lua_State *L, int t) {
  lua_pushnil(L);
  lua_setmetatable(L, t);
  lua_pushnil(L);
  while (lua_next(L, t)) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, t);
  }
}

/* The tables of the classes that an image names, for its box to hold. */
static void dec_classdeps (lua_State *L, const Message *m) {
  size_t i;
  lua_Integer n = 0;
  lua_newtable(L);
  for (i = 0; i < m->nrefs; i++) {
    Ident *ident = (Ident *)m->refs[i];
    if (m->refs[i]->kind != &lc_ident_kind || !ident->isclass) continue;
    if (lc_recall_byident(L, ident) != NULL) lua_rawseti(L, -2, ++n);
  }
}

/* The class on top of the stack; its box may be gone only if a debugger
** took it away. */
static void dec_fillclass (Dec *d, Image *image) {
  lua_State *L = d->L;
  int t = lua_gettop(L);
  Box *b = lc_recall_push(L, t);
  if (b == NULL) lc_dec_fail(d);
  dec_empty(L, t);
  lc_dec_image(L, d->c, &image->content, t);
  dec_classdeps(L, &image->content);
  lua_setiuservalue(L, t + 1, 1);
  lc_recall_set(b, &image->head);
}

/*
** First all tables, then their contents, since they may name each other. A
** class counts as brought up to date only when all of it is there. The
** tables stay on the stack, in one table: the values will ask for them, and
** nothing else may hold them.
*/
void lc_dec_classes (Dec *d, const unsigned char *list, uint32_t n) {
  lua_State *L = d->L;
  int all = lua_gettop(L) + 1, stale = 0;
  uint32_t k;
  lc_state_room(L, 20);
  lua_createtable(L, (int)n, 0);
  for (k = 0; k < n; k++) {
    Image *image = dec_image(d, list, k);
    dec_classtable(d, image);
    stale |= dec_isstale(d, image);
    lua_rawseti(L, all, (lua_Integer)k + 1);
  }
  for (k = 0; stale && k < n; k++) {
    Image *image = dec_image(d, list, k);
    lua_rawgeti(L, all, (lua_Integer)k + 1);
    if (dec_isstale(d, image)) dec_fillclass(d, image);
    lua_settop(L, all);
  }
}

/* ---- handles and transfers ---- */

void lc_dec_object (Dec *d) {
  Shared *s = dec_shared(d, lc_dec_u32(d), NULL);
  lc_object_push(d->L, lc_shared_hold(s));
  lc_dec_made(d);
}

void lc_dec_hosted (Dec *d) {
  lc_hosted_push(d->L, (Hosted *)dec_shared(d, lc_dec_u32(d),
                                            &lc_hosted_kind));
  lc_dec_made(d);
}

void lc_dec_packed (Dec *d) {
  lua_State *L = d->L;
  const HostType *type;
  const char *bytes;
  int top = lua_gettop(L);
  uint64_t len = lc_dec_u32(d);
  lc_state_room(L, DEC_STACK);
  lc_dec_need(d, (size_t)len);
  lua_pushlstring(L, (const char *)d->p, (size_t)len);
  d->p += len;
  len = lc_dec_u64(d);
  if (len > (size_t)(d->end - d->p)) lc_dec_fail(d);
  bytes = (const char *)d->p;
  d->p += len;
  type = lc_hosted_named(L, top + 1);
  if (type == NULL || type->unpack == NULL)
    luaL_error(L, "this state does not know what a %s is",
               lua_tostring(L, top + 1));
  type->unpack(L, bytes, (size_t)len);
  lua_replace(L, top + 1);
  lua_settop(L, top + 1);
  lc_dec_made(d);
}

void lc_dec_transfer (Dec *d, int depth) {
  lua_State *L = d->L;
  uint32_t slot = lc_dec_begun(d), n = lc_dec_u32(d), i, mark = d->nwork;
  if (n > (size_t)(d->end - d->p) || n > 1000000) lc_dec_fail(d);
  lc_state_room(L, (int)n + DEC_STACK);
  for (i = 0; i <= n; i++) {
    lc_dec_value(d, depth + 1);
    if (i == 0 && !lua_isfunction(L, -1)) lc_dec_fail(d);
  }
  lc_dec_drain(d, mark, depth);
  lua_call(L, (int)n, 1);
  lc_dec_store(d, slot);
}
