/*
** api_work.c: C work. It travels as a handle that can be called: the record of
** every such task is the same but for the handle, so it is written once, with a
** stand-in, when the pool opens, and submitting it needs no Lua state.
*/
#include <string.h>

#include <lauxlib.h>

#include "../value/object.h"
#include "api.h"

typedef struct Work {
  Shared head;                  /* first */
  /* set at birth */
  Mem *mem;
  lacus_work_fn fn;
  void *data;
} Work;

static void work_free (Shared *s) {
  Work *w = (Work *)(void *)s;
  lc_mem_free(w->mem, w, sizeof(Work));
}

static const SharedKind work_kind = { "lacus.work", work_free };

static Work *work_new (lacus_pool *p, lacus_work_fn fn, void *data) {
  Work *w = (Work *)lc_mem_alloc(p->mem, sizeof(Work));
  if (w == NULL) return NULL;
  lc_shared_init(&w->head, &work_kind);
  w->mem = p->mem;
  w->fn = fn;
  w->data = data;
  return w;
}

/* The task's message holds the work while it runs. */
static int l_work_call (lua_State *L) {
  Work *w = (Work *)(void *)lc_object_test(L, 1, &work_kind);
  if (w == NULL) return luaL_typeerror(L, 1, work_kind.name);
  lua_settop(L, 0);
  return w->fn(L, w->data);
}

void lc_work_register (lua_State *L) {
  lua_createtable(L, 0, 4);
  lua_pushcfunction(L, l_work_call);
  lua_setfield(L, -2, "__call");
  lc_object_register(L, &work_kind);
}

void lc_work_write (lua_State *L, Codec *c, lacus_pool *p) {
  Work *w;
  lc_work_register(L);
  w = work_new(p, NULL, NULL);
  if (w == NULL) luaL_error(L, "not enough memory");
  lc_object_push(L, &w->head);
  if (lc_encode(L, c, &p->work, lua_gettop(L), 1) != LC_ENCODED
      || p->work.nrefs != 1)
    luaL_error(L, "not enough memory");
}

/* As p->work, with `w`. 0 without memory. */
static int work_copy (lacus_pool *p, Message *m, Work *w) {
  size_t at;
  if (!lc_message_room(m, p->work.len) || !lc_message_ref(m, &w->head, &at))
    return 0;
  memcpy(m->bytes, p->work.bytes, p->work.len);
  m->len = p->work.len;
  return 1;
}

static Batch *work_batch (lacus_pool *p, lacus_work_fn fn, void *data) {
  Batch *b = lc_batch_new(p->mem);
  Work *w = work_new(p, fn, data);
  int ok = b != NULL && w != NULL
           && lc_batch_add(b, 0, ENTRY_ITEM, 0) != NULL
           && work_copy(p, &b->msg, w);
  if (w != NULL) lc_shared_release(&w->head);
  if (ok) return b;
  lc_batch_free(b);
  return NULL;
}

static int work_submit (lacus_pool *p, lacus_work_fn fn, void *data, int wait,
                        lacus_done_fn done, void *ud, lacus_future **future) {
  int status = lc_inbox_enter(p, wait);
  Batch *b;
  if (status != LACUS_OK) return status;
  b = work_batch(p, fn, data);
  if (b == NULL) {
    lc_inbox_leave(p, NULL);
    return LACUS_NOMEM;
  }
  status = lc_api_send(p, NULL, b, done, ud, future);
  if (status != LACUS_OK) lc_batch_free(b);
  return status;
}

int lacus_submit_work (lacus_pool *p, lacus_work_fn work, void *data,
                       lacus_done_fn done, void *ud, lacus_future **future) {
  return work_submit(p, work, data, 1, done, ud, future);
}

int lacus_try_submit_work (lacus_pool *p, lacus_work_fn work, void *data,
                           lacus_done_fn done, void *ud,
                           lacus_future **future) {
  return work_submit(p, work, data, 0, done, ud, future);
}
