#include "recall.h"

#include <string.h>

#include "names.h"

static int box_gc (lua_State *L) {
  Box *b = (Box *)lua_touserdata(L, 1);
  if (b->what != NULL) lc_shared_release(b->what);
  if (b->ident != NULL) lc_shared_release(&b->ident->head);
  b->what = NULL;
  b->ident = NULL;
  return 0;
}

static void box_pushmeta (lua_State *L) {
  lc_state_push(L, STATE_BOXMETA);
  if (lua_istable(L, -1)) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, box_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushvalue(L, -1);
  lc_state_set(L, STATE_BOXMETA);
}

Box *lc_recall_push (lua_State *L, int idx) {
  Box *b;
  lc_state_push(L, STATE_BYOBJECT);
  lua_pushvalue(L, idx);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  b = (Box *)lua_touserdata(L, -1);
  if (b == NULL || !b->ready) {
    lua_pop(L, 1);
    return NULL;
  }
  return b;
}

Box *lc_recall_find (lua_State *L, int idx) {
  Box *b = lc_recall_push(L, idx);
  if (b != NULL) lua_pop(L, 1);
  return b;
}

/* A box on the object at `idx` that holds nothing yet. Raises. */
static Box *box_blank (lua_State *L, int idx, int isclass) {
  Box *b;
  lc_state_push(L, STATE_BYOBJECT);
  lua_pushvalue(L, idx);
  b = (Box *)lua_newuserdatauv(L, sizeof(Box), isclass ? 1 : 0);
  memset((void *)b, 0, sizeof(Box));
  box_pushmeta(L);
  lua_setmetatable(L, -2);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  return b;
}

Box *lc_recall_new (lua_State *L, int idx, Ident *ident, Shared *what) {
  Box *b = box_blank(L, idx, ident->isclass);
  b->ident = ident;
  lc_shared_hold(&ident->head);
  b->what = what;
  if (what != NULL) lc_shared_hold(what);
  b->ready = 1;
  return b;
}

void lc_recall_name (lua_State *L, int idx, Ident *ident) {
  lc_state_push(L, STATE_BYIDENT);
  lua_pushvalue(L, idx);
  lua_rawsetp(L, -2, ident);
  lua_pop(L, 1);
}

Box *lc_recall_byident (lua_State *L, Ident *ident) {
  Box *b;
  lc_state_push(L, STATE_BYIDENT);
  lua_rawgetp(L, -1, ident);
  lua_remove(L, -2);
  b = lua_isnil(L, -1) ? NULL : lc_recall_find(L, lua_gettop(L));
  if (b == NULL || b->ident != ident) {
    lua_pop(L, 1);
    return NULL;
  }
  return b;
}

void lc_recall_set (Box *b, Shared *s) {
  Shared *old = b->what;
  b->what = lc_shared_hold(s);
  lc_shared_release(old);
}

/*
** lua_dump gives small pieces; they gather in the codec's buffer. A writer
** that gives 1 ends the dump.
*/
static int code_write (lua_State *L, const void *p, size_t n, void *ud) {
  Message *m = (Message *)ud;
  (void)L;
  if (!lc_message_room(m, n)) return 1;
  memcpy(m->bytes + m->len, p, n);
  m->len += n;
  return 0;
}

/*
** The same code under one address: closures of one prototype are many.
** The table is small and forgets the oldest, so it does not grow for ever.
** Gives a held code.
*/
static Code *code_intern (Codec *c, const Message *m) {
  uint64_t hash = lc_code_hash(m->bytes, m->len);
  Code **set, *code;
  int i;
  if (c->intern == NULL)
    c->intern = (Code *(*)[INTERN_WAYS])lc_mem_zalloc(c->mem, INTERN_SIZE);
  if (c->intern == NULL) return NULL;
  set = c->intern[hash % INTERN_SETS];
  for (i = 0; i < INTERN_WAYS - 1 && set[i] != NULL; i++)
    /* cppcheck-suppress nullPointerRedundantCheck ; it ends where it is NULL */
    if (set[i]->hash == hash) break;
  code = set[i];
  if (code == NULL || code->hash != hash || code->len != m->len
      || memcmp(lc_code_bytes(code), m->bytes, m->len) != 0) {
    code = lc_code_new(c->mem, m->bytes, m->len, hash);
    if (code == NULL) return NULL;
    lc_shared_release(set[i] != NULL ? &set[i]->head : NULL);
  }
  for (; i > 0; i--) set[i] = set[i - 1];
  set[0] = code;
  lc_shared_hold(&code->head);
  return code;
}

static Code *code_of (lua_State *L, Codec *c, int idx) {
  Code *code = NULL;
  lua_pushvalue(L, idx);
  c->dumped.len = 0;
  if (lua_dump(L, code_write, &c->dumped, 0) == 0)
    code = code_intern(c, &c->dumped);
  lua_pop(L, 1);
  lc_message_clear(&c->dumped, 64 * 1024);
  return code;
}

/*
** The box first, then what it holds, then the name: whatever raises in
** between leaves a box that is not ready, and the next try makes another.
*/
static Box *box_finish (lua_State *L, Codec *c, Box *b, int idx, int isclass) {
  b->ident = lc_ident_new(c->mem, isclass);
  if (b->ident == NULL) return NULL;
  lc_recall_name(L, idx, b->ident);
  b->origin = 1;
  b->ready = 1;
  return b;
}

Box *lc_recall_function (lua_State *L, Codec *c, int idx) {
  Code *code;
  Box *b = lc_recall_find(L, idx);
  if (b != NULL) return b;
  b = box_blank(L, idx, 0);
  code = code_of(L, c, idx);
  if (code == NULL) return NULL;
  b->what = &code->head;
  return box_finish(L, c, b, idx, 0);
}

Box *lc_recall_class (lua_State *L, Codec *c, int idx) {
  Box *b = lc_recall_find(L, idx);
  if (b != NULL) return b;
  if (!lc_names_addclass(c, lua_topointer(L, idx))) return NULL;
  return box_finish(L, c, box_blank(L, idx, 1), idx, 1);
}
