/*
** lib_results.c: the results of a map, handed over one by one, and how it ends.
** Stands on results.h and lib_wait; every function in here runs on the thread of
** the state that called map.
*/
#include <lauxlib.h>

#include "../base/clock.h"
#include "../pool/fault.h"
#include "lib_wait.h"
#include "results.h"
#include "source.h"

const char lc_results_mark = 0;

/* The handle at 1, known by its size and its mark, or NULL: `for` loops come this way
** for each result, and luaL_checkudata would look a name up and compare metatables. */
static Results *res_test (lua_State *L) {
  Results *r = (Results *)lua_touserdata(L, 1);
  return r != NULL && lua_rawlen(L, 1) == sizeof(Results)
         && r->mark == &lc_results_mark ? r : NULL;
}

static Results *res_check (lua_State *L) {
  Results *r = res_test(L);
  return r != NULL ? r : (Results *)luaL_checkudata(L, 1, LC_RESULTS);
}

/* --- results ------------------------------------------------------------ */

/* What values do when they are received (__transfer) must not come back here. */
static int res_decode_protected (lua_State *L) {
  Results *r = (Results *)lua_touserdata(L, 1);
  const Batch *b = (const Batch *)lua_touserdata(L, 2);
  const Entry *e = (const Entry *)lua_touserdata(L, 3);
  lua_settop(L, 0);
  if (e->kind == ENTRY_VALUES)
    return lc_entry_push(L, r->home->codec, &b->msg, e);
  lc_lib_push_error(L, r->home->codec, e, &b->msg);
  return 1;
}

/* Protected: (what a decode has raised, index of the item). */
static int res_unreceived (lua_State *L) {
  lua_Integer index = lua_tointeger(L, 2);
  lua_pushfstring(L, "map: result of item %I cannot be received: %s",
                  (LUAI_UACINT)index, lua_tostring(L, 1));
  lc_lib_make_error(L, LC_FAULT_TRANSFER, (uint64_t)index);
  return 1;
}

/*
** Pushes what a task gave: values, or (0) an error object. A decode that raises (a
** module is missing on this side) is a failure of that item alone.
*/
static int res_push (lua_State *L, Results *r, const Entry *e, const Batch *b) {
  int received, status;
  if (e->kind == ENTRY_VALUES && e->form != FORM_RECORD) {
    lc_entry_value(L, e);
    return 1;
  }
  lua_pushcfunction(L, res_decode_protected);
  lua_pushlightuserdata(L, r);
  lua_pushlightuserdata(L, (void *)b);
  lua_pushlightuserdata(L, (void *)e);
  r->inside = INSIDE_RESULT;
  status = lua_pcall(L, 3, LUA_MULTRET, 0);
  received = status == LUA_OK;
  if (!received) {
    lua_pushcfunction(L, res_unreceived);
    lua_insert(L, -2);
    lua_pushinteger(L, (lua_Integer)e->index);
    status = lua_pcall(L, 2, 1, 0);
  }
  r->inside = INSIDE_NOTHING;
  if (status != LUA_OK) lua_error(L);
  return received && e->kind == ENTRY_VALUES;
}

/*
** Takes one entry and pushes what the loop is to see of it; gives the number
** of values, 0 for nothing (an end without values, or a skipped failure).
*/
static int res_take (lua_State *L, Results *r) {
  int top = lua_gettop(L);
  Batch *b;
  const Entry *e = lc_stream_take(r->s, &b);
  if (e->kind == ENTRY_END) return 0;
  lua_pushinteger(L, (lua_Integer)e->index);
  if (r->on_error == ONERROR_RETURN) lua_pushboolean(L, 1);
  if (!res_push(L, r, e, b)) {
    if (r->on_error == ONERROR_RAISE) lc_lib_raise(L, 1);
    if (r->on_error == ONERROR_SKIP) {
      lua_settop(L, top);
      return 0;
    }
    lua_pushboolean(L, 0);
    lua_replace(L, top + 2);
  }
  return lua_gettop(L) - top;
}

static int res_end (lua_State *L, Results *r) {
  r->ended = 1;
  r->pulled = r->s->pulled;
  if (r->failed) {
    r->failed = 0;
    lua_getiuservalue(L, 1, UV_ERROR);
    lua_pushnil(L);
    lua_setiuservalue(L, 1, UV_ERROR);
    return lua_error(L);
  }
  return 0;
}

static int res_broken (lua_State *L, Results *r) {
  uint64_t index = r->s->handed + 1;
  r->ended = 1;
  if (lc_pool_alive(r->pool, L)) lua_pushliteral(L, "the pool is closed");
  lc_lib_make_error(L, LC_FAULT_ERROR, index);
  return lc_lib_raise(L, 1);
}

static void res_close_source (lua_State *L);
static size_t res_drop (Results *r);

/* The map has had its time: cancels what is left. */
static int res_expired (lua_State *L, Results *r) {
  r->ended = 1;
  r->pulled = r->s->pulled;
  res_drop(r);
  res_close_source(L);
  luaL_where(L, 1);
  lua_pushfstring(L, "map: not done within its deadline of %f s", r->seconds);
  lua_concat(L, 2);
  lc_lib_make_error(L, LC_FAULT_TIMEOUT, 0);
  return lc_lib_raise(L, 1);
}

static const char *const res_inside[] = {
  "", "inside their own source", "while one of their items is sent",
  "while one of them is received"
};

static int res_may_step (lua_State *L, Results *r) {
  if (r->inside)
    return luaL_error(L, "results asked for %s", res_inside[r->inside]);
  if (r->waiting)
    return luaL_error(L, "results asked for while a coroutine waits for them");
  if (r->s == NULL && !r->ended)
    return luaL_error(L, "attempt to use closed results");
  return !r->ended;
}

/* How a method gives what it got. */
typedef enum ResMode {
  MODE_CALL, MODE_NEXT, MODE_POLL, MODE_VALUE,
  MODE_ENTRY      /* index, yielded?, values; at the end: nil, items in all */
} ResMode;

/* `n` values are on top: index and result; 0: the end; -1: none in time. */
static int res_give (lua_State *L, Results *r, ResMode mode, int n) {
  if (mode == MODE_VALUE && n > 0) n--;               /* all but the index */
  if (mode == MODE_ENTRY && n > 0) {
    lua_pushboolean(L, !r->s->taken->last);
    lua_insert(L, 3);
    return n + 1;
  }
  if (n > 0) return n;
  lua_pushnil(L);
  if (mode == MODE_ENTRY) {
    lua_pushinteger(L, (lua_Integer)r->pulled);
    return 2;
  }
  if (n == 0) return 1;
  lua_pushstring(L, mode == MODE_POLL ? "pending" : "timeout");
  return 2;
}

static int res_resume (lua_State *L, int status, lua_KContext mode);

static void res_forget (Fiber *f, void *what) {
  Results *r = (Results *)what;
  (void)f;
  r->waiting = 0;
  if (r->s != NULL) lc_stream_unlisten(r->s);
}

/* Other tasks may run on top of a wait: they must not wait for the same, or end it. */
static int res_listen (void *thing, WaitNode *n) {
  Results *r = (Results *)thing;
  r->waiting = lc_stream_listen(r->s, n->waiter);
  return r->waiting;
}

static void res_unlisten (void *thing, WaitNode *n) {
  Results *r = (Results *)thing;
  (void)n;
  r->waiting = 0;
  lc_stream_unlisten(r->s);
}

static const WaitKind res_wait = { res_listen, res_unlisten };

/*
** The next result. Only the handle is on the stack. Does not return where it
** suspends its task: then res_resume comes back to it.
*/
static int res_go (lua_State *L, Results *r, ResMode mode) {
  int pulled = 0, n;
  StreamStep step;
  uint64_t until;
  Fiber *f;
  if (!res_may_step(L, r)) return res_give(L, r, mode, 0);
  for (;;) {
    until = r->deadline < r->limit ? r->deadline : r->limit;
    step = lc_stream_step(r->s, pulled);
    if (step != STREAM_END && r->limit != LC_NEVER && lc_now() >= r->limit)
      return res_expired(L, r);
    switch (step) {
      case STREAM_PULL:
        r->source->until = mode == MODE_POLL ? 1 : until;
        lc_generator_await(L, r->source, &r->waiting, (lua_KContext)mode,
                           res_resume);
        pulled = 1;
        if (!lc_results_pull(L, r, (size_t)-1)
            && (mode == MODE_POLL || lc_now() >= r->deadline)
            && lc_stream_step(r->s, pulled) != STREAM_READY)
          return res_give(L, r, mode, -1);
        break;
      case STREAM_READY:
        if ((n = res_take(L, r)) > 0) return res_give(L, r, mode, n);
        break;
      case STREAM_WAIT:
        if (mode == MODE_POLL || lc_now() >= r->deadline)
          return res_give(L, r, mode, -1);
        if (r->s->until != 0 && r->s->until < until) until = r->s->until;
        f = lc_wait_fiber(r->home, L);
        if (f == NULL) {
          if (!lc_stream_glance(r->s)) lc_wait_block(L, r->home, &res_wait, r, until);
          if (!res_may_step(L, r)) return res_give(L, r, mode, 0);
          pulled = 0;           /* the workers may have run dry: they come first */
        }
        else if (lc_stream_listen(r->s, &f->waiter)) {
          r->waiting = 1;
          return lc_fiber_suspend(L, f, until, res_forget, r,
                                  (lua_KContext)mode, res_resume);
        }
        break;
      case STREAM_END:
        return res_give(L, r, mode, res_end(L, r));
      case STREAM_BROKEN:
        return res_broken(L, r);
    }
  }
}

static int res_resume (lua_State *L, int status, lua_KContext mode) {
  (void)status;
  return res_go(L, (Results *)lua_touserdata(L, 1), (ResMode)mode);
}

/* --- what Lua sees ------------------------------------------------------- */

static int res_method (lua_State *L, ResMode mode, uint64_t deadline) {
  Results *r = res_check(L);
  lua_settop(L, 1);
  r->deadline = deadline;
  return res_go(L, r, mode);
}

/*
** What is left of a batch of plain results is handed over from here, without
** asking the stream what else there is to do: it is asked once for each batch.
** Both push index and result; 0: not that.
*/
static inline int res_cell (lua_State *L, Results *r) {
  uint64_t index;
  const Cell *c;
  if (!r->plain || r->s == NULL || (c = lc_stream_cell(r->s, &index)) == NULL)
    return 0;
  lua_pushinteger(L, (lua_Integer)index);
  lc_cell_value(L, c);
  return 1;
}

static int res_entry (lua_State *L, Results *r) {
  const Entry *e;
  if (!r->plain || r->s == NULL || r->inside || r->waiting || r->ended
      || (e = lc_stream_next(r->s)) == NULL) return 0;
  lua_pushinteger(L, (lua_Integer)e->index);
  lc_entry_value(L, e);
  return 1;
}

static int l_res_call (lua_State *L) {
  Results *r = res_test(L);
  if (r != NULL && (res_cell(L, r) || res_entry(L, r))) return 2;
  return res_method(L, MODE_CALL, LC_NEVER);
}

static int l_res_next (lua_State *L) {
  res_check(L);
  return res_method(L, MODE_NEXT, lua_isnoneornil(L, 2) ? LC_NEVER
                                  : lc_deadline(luaL_checknumber(L, 2)));
}

static int l_res_poll (lua_State *L) {
  return res_method(L, MODE_POLL, LC_NEVER);
}

/* The iterator of results:values(); upvalue: the results. It may be a source
** too, so it asks nothing of its arguments. */
static int l_res_value (lua_State *L) {
  Results *r = (Results *)lua_touserdata(L, lua_upvalueindex(1));
  if (res_cell(L, r) || res_entry(L, r)) return 1;
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  return res_method(L, MODE_VALUE, LC_NEVER);
}

/* What was asked for with the option of this name. */
static int l_res_on_error (lua_State *L) {
  lua_pushstring(L, lc_map_on_error(res_check(L)->on_error));
  return 1;
}

/* For the sugar: results:collect. */
static int l_res_entry (lua_State *L) {
  return res_method(L, MODE_ENTRY, LC_NEVER);
}

static int l_res_values (lua_State *L) {
  res_check(L);
  lua_settop(L, 1);
  lua_pushvalue(L, 1);
  lua_pushcclosure(L, l_res_value, 1);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushvalue(L, 1);
  return 4;
}

/* Lets go of stream and pool; gives the number of items dropped. */
static size_t res_drop (Results *r) {
  size_t left = 0;
  if (r->making != NULL) lc_call_release(r->making);
  lc_batch_free(r->failing);
  r->making = NULL;
  r->failing = NULL;
  if (r->s != NULL) {
    left = lc_pool_end(r->pool, r->s);
    r->s = NULL;
    lc_pool_release(r->pool);
    r->pool = NULL;
  }
  return left;
}

/* The handle is at 1. May raise what the source's <close> raises. */
static void res_close_source (lua_State *L) {
  if (lua_getiuservalue(L, 1, UV_SOURCE) == LUA_TUSERDATA) {
    lua_pushnil(L);
    lua_setiuservalue(L, 1, UV_SOURCE);
    lc_source_close(L, lua_gettop(L));
  }
  lua_pop(L, 1);
}

static int l_res_close (lua_State *L) {
  Results *r = res_check(L);
  size_t left;
  if (r->inside)
    return luaL_error(L, "results closed %s", res_inside[r->inside]);
  if (r->waiting)
    return luaL_error(L, "results closed while a coroutine waits for them");
  left = res_drop(r);
  lua_settop(L, 1);
  res_close_source(L);
  lua_pushinteger(L, (lua_Integer)left);
  return 1;
}

/* The source is a generator, with a __gc of its own. */
static int l_res_gc (lua_State *L) {
  res_drop(res_check(L));
  return 0;
}

static const luaL_Reg res_methods[] = {
  {"next", l_res_next},
  {"poll", l_res_poll},
  {"values", l_res_values},
  {"on_error", l_res_on_error},
  {"close", l_res_close},
  {NULL, NULL}
};

static const luaL_Reg res_meta[] = {
  {"__call", l_res_call},
  {"__close", l_res_close},
  {"__gc", l_res_gc},
  {NULL, NULL}
};

void lc_lib_results_private (lua_State *L) {
  lua_pushcfunction(L, l_res_entry);
  lua_setfield(L, -2, "entry");
}

void lc_lib_results (lua_State *L) {
  luaL_newmetatable(L, LC_RESULTS);
  luaL_setfuncs(L, res_meta, 0);
  luaL_newlib(L, res_methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
