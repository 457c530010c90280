/*
** api_future.c: tasks submitted from C, and their futures.
*/
#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"
#include "../value/object.h"
#include "api.h"

/* --- tickets ------------------------------------------------------------- */

static void ticket_free (Shared *s) {
  lacus_future *t = (lacus_future *)(void *)s;
  lc_future_release(t->f);
  lc_mem_free(t->mem, t, sizeof(lacus_future));
}

static const SharedKind ticket_kind = { "lacus.ticket", ticket_free };

/*
** The future has ended; under its lock. Who ends it holds it, so the future
** outlives the ticket that may be freed here. One that goes into the inbox is
** not ours any more.
*/
static void ticket_wake (Waiter *w) {
  lacus_future *t = (lacus_future *)(void *)((char *)w
                      - offsetof(lacus_future, waiter));
  if (t->done != NULL) lc_inbox_leave(t->pool, t);
  else {
    lc_inbox_leave(t->pool, NULL);
    lacus_future_free(t);
  }
}

int lc_api_send (lacus_pool *p, Worker *on, Batch *b, lacus_done_fn done,
                 void *ud, lacus_future **future) {
  lacus_future *t = (lacus_future *)lc_mem_zalloc(p->mem,
                                                  sizeof(lacus_future));
  Future *f = t != NULL ? lc_pool_submit(p->pool, on, b, 0) : NULL;
  if (f == NULL) {
    lc_mem_free(p->mem, t, sizeof(lacus_future));
    lc_inbox_leave(p, NULL);
    return lc_pool_stopping(p->pool) ? LACUS_CLOSED : LACUS_NOMEM;
  }
  lc_shared_init(&t->head, &ticket_kind);
  t->mem = p->mem;
  t->f = f;
  t->pool = p;
  t->done = done;
  t->ud = ud;
  t->waiter.wake = ticket_wake;
  lc_wait_init(&t->node, &t->waiter);
  if (future != NULL) *future = lacus_future_hold(t);
  if (!lc_future_listen(f, &t->node, 0)) ticket_wake(&t->waiter);
  return LACUS_OK;
}

/* --- submit -------------------------------------------------------------- */

typedef struct Submit {
  lacus_pool *p;
  Batch *b;                 /* ours until sent */
  lacus_done_fn done;
  void *ud;
  lacus_future **future;
  int room;                 /* there is */
  int status;
} Submit;

static int submit_check (lua_State *L, int idx) {
  if (!lua_isfunction(L, idx)
      && (lua_type(L, idx) != LUA_TSTRING
          || strchr(lua_tostring(L, idx), '.') == NULL))
    return luaL_error(L, "lacus_submit: function or \"module.function\" "
                         "expected, got %s", luaL_tolstring(L, idx, NULL));
  return 0;
}

/* Protected: (submit, function, arguments...). */
static int submit_encode (lua_State *L) {
  Submit *s = (Submit *)lua_touserdata(L, 1);
  Home *home = lc_api_home(L);
  int n = lua_gettop(L) - 1;
  submit_check(L, 2);
  luaL_checkstack(L, 8, NULL);
  s->b = lc_batch_new(home->mem);
  lc_codec_begin(L, home->codec);
  if (s->b == NULL || lc_batch_add(s->b, 0, ENTRY_ITEM, 0) == NULL
      || !lc_lib_encode_task(L, home, s->b, 2, n)) {
    s->status = LACUS_NOMEM;
    return luaL_error(L, "not enough memory");
  }
  s->room = 0;                        /* lc_api_send has it */
  s->status = lc_api_send(s->p, home->worker, s->b, s->done, s->ud,
                          s->future);
  if (s->status == LACUS_OK) {
    s->b = NULL;
    return 0;
  }
  return luaL_error(L, s->status == LACUS_CLOSED ? "the pool is closed"
                                                 : "not enough memory");
}

/* Protected: (status): no room. */
static int submit_refuse (lua_State *L) {
  lua_pushstring(L, lua_tointeger(L, 1) == LACUS_FULL ? "the pool is full"
                                                      : "the pool is closed");
  return lua_error(L);
}

static int submit_lua (lacus_pool *p, lua_State *L, int nargs, int wait,
                       lacus_done_fn done, void *ud, lacus_future **future) {
  Submit s;
  int at = lua_gettop(L) - nargs, status;
  memset(&s, 0, sizeof s);
  s.p = p;
  s.done = done;
  s.ud = ud;
  s.future = future;
  if (!lua_checkstack(L, 3)) {
    lua_settop(L, at - 1);
    lua_pushnil(L);
    return LACUS_NOMEM;
  }
  s.status = lc_inbox_enter(p, wait);
  s.room = s.status == LACUS_OK;
  if (!s.room) {
    lua_settop(L, at - 1);
    lua_pushcfunction(L, submit_refuse);
    lua_pushinteger(L, s.status);
    lua_pcall(L, 1, 0, 0);
    return s.status;
  }
  s.status = LACUS_ERROR;
  lua_pushcfunction(L, submit_encode);
  lua_insert(L, at);
  lua_pushlightuserdata(L, &s);
  lua_insert(L, at + 1);
  status = lua_pcall(L, nargs + 2, 0, 0);
  lc_batch_free(s.b);
  if (s.room) lc_inbox_leave(p, NULL);
  return status == LUA_ERRMEM ? LACUS_NOMEM : s.status;
}

int lacus_submit (lacus_pool *p, lua_State *L, int nargs, lacus_done_fn done,
                  void *ud, lacus_future **future) {
  return submit_lua(p, L, nargs, 1, done, ud, future);
}

int lacus_try_submit (lacus_pool *p, lua_State *L, int nargs,
                      lacus_done_fn done, void *ud, lacus_future **future) {
  return submit_lua(p, L, nargs, 0, done, ud, future);
}

/* --- futures ------------------------------------------------------------- */

lacus_future *lacus_future_hold (lacus_future *f) {
  lc_shared_hold(&f->head);
  return f;
}

void lacus_future_free (lacus_future *f) {
  if (f != NULL) lc_shared_release(&f->head);
}

int lacus_future_state (lacus_future *f) {
  switch (lc_future_state(f->f)) {
    case FUTURE_QUEUED: return LACUS_QUEUED;
    case FUTURE_RUNNING: return LACUS_RUNNING;
    case FUTURE_DONE: return LACUS_DONE;
    case FUTURE_FAILED: return LACUS_FAILED;
    default: return LACUS_CANCELLED;
  }
}

int lacus_future_cancel (lacus_future *f) { return lc_future_cancel(f->f); }

/* The parker is on this stack: whoever wakes it does so under the future's lock,
** which unlisten takes. */
int lacus_future_wait (lacus_future *f, double seconds) {
  uint64_t deadline = seconds < 0 ? LC_NEVER : lc_deadline(seconds);
  Parker parker;
  WaitNode n;
  int ended;
  if (lc_parker_init(&parker) != 0) return LACUS_NOMEM;
  lc_wait_init(&n, &parker.waiter);
  do ended = !lc_future_listen(f->f, &n, 0);
  while (!ended && lc_now() < deadline && (lc_park(&parker, deadline, 0), 1));
  lc_future_unlisten(f->f, &n);
  lc_parker_free(&parker);
  return ended;
}

/* Protected: (lacus_future). */
static int future_values (lua_State *L) {
  Future *f = ((lacus_future *)lua_touserdata(L, 1))->f;
  Home *home = lc_api_home(L);
  lua_settop(L, 0);
  switch (lc_future_state(f)) {
    case FUTURE_DONE:
      return lc_entry_push(L, home->codec, f->words, &f->result);
    case FUTURE_FAILED:
      lc_lib_push_error(L, home->codec, &f->result, f->words);
      break;
    default:
      lua_pushliteral(L, "the task was cancelled");
      lc_lib_make_error(L, "cancelled", 0);
  }
  return lua_error(L);
}

int lacus_future_get (lua_State *L, lacus_future *f) {
  int top = lua_gettop(L);
  if (!lc_future_ended(lc_future_state(f->f))) return LACUS_PENDING;
  if (!lua_checkstack(L, 2)) return LACUS_NOMEM;
  lua_pushcfunction(L, future_values);
  lua_pushlightuserdata(L, f);
  if (lua_pcall(L, 1, LUA_MULTRET, 0) != LUA_OK) return LACUS_ERROR;
  return lua_gettop(L) - top;
}

void lacus_future_push (lua_State *L, lacus_future *f) {
  lc_api_home(L);
  lc_future_hold(f->f);
  lc_object_push(L, &f->f->sink.head);
}
