/*
** lib_results.c: pool:map and its results: pulls the source, feeds the
** stream, hands results over. Stands on pool/stream and source; every
** function in here runs on the thread of the state that called map.
**
** User values of the handle: the source; the calls that have been sent
** (function or name -> Call), when the items are calls themselves; the
** error that ended the source.
*/
#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"
#include "../pool/fault.h"
#include "lib.h"
#include "lib_option.h"
#include "lib_wait.h"
#include "sandbox.h"
#include "source.h"

enum { UV_SOURCE = 1, UV_CALLS, UV_ERROR, UV_COUNT = UV_ERROR };

/* Different functions that one map(gen) sends once; more go with the item. */
#define CALLS_MOST 64

typedef enum OnError { ONERROR_RAISE, ONERROR_RETURN, ONERROR_SKIP } OnError;

typedef struct Results {
  Home *home;
  Pool *pool;           /* held, until closed */
  Stream *s;            /* NULL when closed */
  Call *making;         /* is being encoded, which may raise; else NULL */
  Call *call;           /* map(source, fn): its fn; the stream holds it */
  Generator *source;    /* in UV_SOURCE */
  OnError on_error;
  int ncalls;
  int pulling;          /* inside the source: no other step, no close */
  int waiting;          /* a task waits in here: likewise */
  uint64_t deadline;    /* of that wait */
  int failed;           /* the source's error is in UV_ERROR */
  int ended;            /* all was handed over... */
  uint64_t pulled;      /* ...of so many items */
} Results;

static Results *res_check (lua_State *L) {
  return (Results *)luaL_checkudata(L, 1, LC_RESULTS);
}

/* --- items -------------------------------------------------------------- */

static void res_drop_making (Results *r) {
  if (r->making != NULL) lc_call_release(r->making);
  r->making = NULL;
}

/* As lc_call_new; what raises in between leaks nothing. */
static EncodeResult res_make_call (lua_State *L, Results *r, int idx,
                                   Call **call) {
  EncodeResult result;
  res_drop_making(r);
  result = lc_call_new(L, r->home->codec, r->home->mem, idx, &r->making);
  *call = r->making;
  r->making = NULL;
  return result;
}

/*
** What lc_encode pushed about a refused value becomes one sentence. `which`
** of the item's values, the way from there, and what it is, are on top.
*/
static void res_refusal (lua_State *L, uint64_t index, int skipped) {
  int at = lua_gettop(L) - 2;
  lua_Integer which = lua_tointeger(L, at) + skipped;
  const char *way = lua_tostring(L, at + 1);
  const char *what = lua_tostring(L, at + 2);
  lua_pushfstring(L, "map: item %I", (LUAI_UACINT)index);
  if (which > 1) lua_pushfstring(L, ", value %I", (LUAI_UACINT)which);
  else lua_pushliteral(L, "");
  lua_pushfstring(L, "%s%s: cannot send %s",
                  *way == '.' || *way == '[' ? ", field " : "", way, what);
  lua_concat(L, 3);
  lua_replace(L, at);
  lua_settop(L, at);
}

/* The item cannot be sent: it fails alone. The message is on top. */
static void res_fail_item (lua_State *L, Results *r, int first, int n) {
  Batch *b = lc_stream_spare(r->s);
  int at = lua_gettop(L);
  int ok = b != NULL;
  lua_pushnil(L);
  lua_pushvalue(L, at);
  if (ok) {
    ok = lc_fault_write(L, r->home->codec, &b->msg, LC_FAULT_TRANSFER, at,
                        first, n)
         && lc_batch_add(b, r->s->pulled + 1, ENTRY_FAULT, 1) != NULL;
    if (ok) b->entries[0].at = 0;
    ok = ok && lc_stream_put_failed(r->s, b);
    if (!ok) lc_batch_free(b);
  }
  if (!ok) luaL_error(L, "not enough memory");
}

/* Pushes the table of calls that were sent. */
static void res_push_calls (lua_State *L) {
  if (lua_getiuservalue(L, 1, UV_CALLS) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, 0, 4);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, UV_CALLS);
}

/*
** map(gen): the Call of the function or name at `idx`; NULL when it is to
** travel with the item (there have been too many), or cannot be sent: then
** the item's own encoding will say so.
*/
static Call *res_find_call (lua_State *L, Results *r, int idx) {
  Call *call;
  res_push_calls(L);
  lua_pushvalue(L, idx);
  lua_rawget(L, -2);
  call = (Call *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  lc_sandbox_address(L, r->home, r->pool);
  if (call == NULL && r->ncalls < CALLS_MOST
      && res_make_call(L, r, idx, &call) == LC_ENCODED) {
    lc_stream_keep_call(r->s, call);
    r->ncalls++;
    lua_pushvalue(L, idx);
    lua_pushlightuserdata(L, call);
    lua_rawset(L, -3);
  }
  return call;
}

static int res_is_call (lua_State *L, int idx) {
  return lua_isfunction(L, idx)
         || (lua_type(L, idx) == LUA_TSTRING
             && strchr(lua_tostring(L, idx), '.') != NULL);
}

/* The item's `n` values are on top; leaves the stack anyhow. */
static void res_put (lua_State *L, Results *r, int n) {
  int first = lua_gettop(L) - n + 1, skipped = 0;
  Call *call = r->call;
  Batch *b;
  size_t at;
  if (call == NULL) {
    if (n == 0 || !res_is_call(L, first)) {
      lua_pushfstring(L, "map: item %I: a function (or a \"module.function\") "
                         "and its arguments expected, got %s",
                      (LUAI_UACINT)(r->s->pulled + 1),
                      n == 0 ? "nothing" : luaL_typename(L, first));
      res_fail_item(L, r, first, n);
      return;
    }
    call = res_find_call(L, r, first);
    skipped = call != NULL;
    lua_settop(L, first + n - 1);
  }
  b = lc_stream_open_batch(r->s);
  if (b == NULL) luaL_error(L, "not enough memory");
  at = b->msg.len;
  lc_sandbox_address(L, r->home, r->pool);
  switch (lc_encode(L, r->home->codec, &b->msg, first + skipped,
                    n - skipped)) {
    case LC_ENCODED:
      if (!lc_stream_put(r->s, at, call)) {
        b->msg.len = at;
        luaL_error(L, "not enough memory");
      }
      break;
    case LC_REFUSED:
      res_refusal(L, r->s->pulled + 1, skipped);
      res_fail_item(L, r, first, n);
      break;
    case LC_NOMEM:
      luaL_error(L, "not enough memory");
      break;
  }
}

/* One pull. The source's error waits until the results before it are out. */
static void res_pull (lua_State *L, Results *r) {
  int top = lua_gettop(L), n;
  lua_getiuservalue(L, 1, UV_SOURCE);
  r->pulling = 1;
  n = lc_source_try(L, -1);
  r->pulling = 0;
  if (n >= 0) res_put(L, r, n);
  else {
    if (n == LC_GEN_FAILED) {
      r->failed = 1;
      lua_setiuservalue(L, 1, UV_ERROR);
    }
    lc_stream_exhaust(r->s);
  }
  lua_settop(L, top);
}

/* --- results ------------------------------------------------------------ */

static int res_decode_protected (lua_State *L) {
  Results *r = (Results *)lua_touserdata(L, 1);
  const Batch *b = (const Batch *)lua_touserdata(L, 2);
  size_t at = (size_t)lua_tointeger(L, 3);
  lua_settop(L, 0);
  return lc_decode(L, r->home->codec, &b->msg, &at);
}

/*
** Pushes what a task gave. A decode that raises (a module is missing on this
** side) is a failure of that item alone: 0, and the error object is pushed.
*/
static int res_push_values (lua_State *L, Results *r, const Entry *e,
                            const Batch *b) {
  lua_pushcfunction(L, res_decode_protected);
  lua_pushlightuserdata(L, r);
  lua_pushlightuserdata(L, (void *)b);
  lua_pushinteger(L, (lua_Integer)e->at);
  if (lua_pcall(L, 3, LUA_MULTRET, 0) == LUA_OK) return 1;
  lua_pushfstring(L, "map: result of item %I cannot be received: %s",
                  (LUAI_UACINT)e->index, lua_tostring(L, -1));
  lua_remove(L, -2);
  lc_lib_make_error(L, LC_FAULT_TRANSFER, e->index);
  return 0;
}

/*
** Takes one entry and pushes what the loop is to see of it; gives the number
** of values, 0 for nothing (an end without values, or a skipped failure).
*/
static int res_take (lua_State *L, Results *r) {
  int top = lua_gettop(L), ok = 1;
  Batch *b;
  Entry *e = lc_stream_take(r->s, &b);
  if (e->kind == ENTRY_END) return 0;
  lua_pushinteger(L, (lua_Integer)e->index);
  if (r->on_error == ONERROR_RETURN) lua_pushboolean(L, 1);
  if (e->kind == ENTRY_VALUES) ok = res_push_values(L, r, e, b);
  else {
    ok = 0;
    lc_lib_push_error(L, r->home->codec, e, b);
  }
  if (!ok) {
    if (r->on_error == ONERROR_RAISE) lua_error(L);
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
  if (lc_pool_alive(r->pool, L)) lua_pushliteral(L, "the pool is closed");
  lc_lib_make_error(L, LC_FAULT_ERROR, r->s->handed + 1);
  r->ended = 1;
  return lua_error(L);
}

static int res_may_step (lua_State *L, Results *r) {
  if (r->pulling)
    return luaL_error(L, "results asked for inside their own source");
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

/*
** The next result. Only the handle is on the stack. Does not return where it
** suspends its task: then res_resume comes back to it.
*/
static int res_go (lua_State *L, Results *r, ResMode mode) {
  int pulled = 0, n;
  Fiber *f;
  if (!res_may_step(L, r)) return res_give(L, r, mode, 0);
  for (;;) {
    switch (lc_stream_step(r->s, pulled)) {
      case STREAM_PULL:
        lc_generator_await(L, r->source, &r->waiting, (lua_KContext)mode,
                           res_resume);
        res_pull(L, r);
        pulled = 1;
        break;
      case STREAM_READY:
        if ((n = res_take(L, r)) > 0) return res_give(L, r, mode, n);
        break;
      case STREAM_WAIT:
        if (mode == MODE_POLL || lc_now() >= r->deadline)
          return res_give(L, r, mode, -1);
        f = lc_wait_fiber(r->home, L);
        if (f == NULL)
          lc_wait_block(L, r->home, &lc_wait_stream, r->s, r->deadline);
        else if (lc_stream_listen(r->s, &f->waiter)) {
          r->waiting = 1;
          return lc_fiber_suspend(L, f, r->deadline, res_forget, r,
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

static int res_start_again (lua_State *L, int status, lua_KContext n);

/* Work starts at the call of map, which this is the end of: one item for each
** worker, from the n-th on. Only the handle is on the stack. */
static int res_start (lua_State *L, Results *r, int n) {
  for (; n < r->s->link.workers; n++) {
    if (lc_stream_step(r->s, 0) != STREAM_PULL) break;
    lc_generator_await(L, r->source, &r->waiting, n, res_start_again);
    res_pull(L, r);
  }
  lc_stream_flush(r->s);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushvalue(L, 1);
  return 4;
}

static int res_start_again (lua_State *L, int status, lua_KContext n) {
  (void)status;
  lua_settop(L, 1);
  return res_start(L, (Results *)lua_touserdata(L, 1), (int)n);
}

/* --- what Lua sees ------------------------------------------------------- */

static int res_method (lua_State *L, ResMode mode, uint64_t deadline) {
  Results *r = res_check(L);
  lua_settop(L, 1);
  r->deadline = deadline;
  return res_go(L, r, mode);
}

static int l_res_call (lua_State *L) {
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
  lua_settop(L, 0);
  lua_pushvalue(L, lua_upvalueindex(1));
  return res_method(L, MODE_VALUE, LC_NEVER);
}

static const char *const on_error_names[] = { "raise", "return", "skip" };

/* What was asked for with the option of this name. */
static int l_res_on_error (lua_State *L) {
  lua_pushstring(L, on_error_names[res_check(L)->on_error]);
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
  res_drop_making(r);
  if (r->s != NULL) {
    left = lc_pool_end(r->pool, r->s);
    r->s = NULL;
    lc_pool_release(r->pool);
    r->pool = NULL;
  }
  return left;
}

static int l_res_close (lua_State *L) {
  Results *r = res_check(L);
  size_t left;
  if (r->pulling)
    return luaL_error(L, "results closed inside their own source");
  if (r->waiting)
    return luaL_error(L, "results closed while a coroutine waits for them");
  left = res_drop(r);
  lua_settop(L, 1);
  if (lua_getiuservalue(L, 1, UV_SOURCE) == LUA_TUSERDATA) {
    lua_pushnil(L);
    lua_setiuservalue(L, 1, UV_SOURCE);
    lc_source_close(L, 2);       /* may raise what its <close> raises */
  }
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

/* --- map ---------------------------------------------------------------- */

typedef struct MapOptions {
  StreamOptions stream;
  OnError on_error;
} MapOptions;

static size_t res_positive (lua_State *L, int arg, const char *name) {
  lua_Integer n;
  if (!lc_option_integer(L, -1, &n) || n < 1)
    luaL_argerror(L, arg, lua_pushfstring(L,
      "option '%s' must be an integer of at least 1, got %s", name,
      luaL_tolstring(L, -1, NULL)));
  return (size_t)n;
}

static OnError res_on_error (lua_State *L, int arg) {
  int i;
  for (i = 0; i < 3; i++) {
    lua_pushstring(L, on_error_names[i]);
    if (lua_rawequal(L, -1, -2)) {
      lua_pop(L, 1);
      return (OnError)i;
    }
    lua_pop(L, 1);
  }
  luaL_argerror(L, arg, lua_pushfstring(L,
    "option 'on_error' must be \"raise\", \"return\" or \"skip\", got %s",
    luaL_tolstring(L, -1, NULL)));
  return ONERROR_RAISE;
}

/* The option whose name is second from the top, and its value on top. */
/* In nanoseconds; above 0, at most a hundred years. */
static uint64_t res_seconds (lua_State *L, int arg, const char *name) {
  lua_Number s = lua_tonumber(L, -1);
  if (lua_type(L, -1) != LUA_TNUMBER || !(s > 0))
    luaL_argerror(L, arg, lua_pushfstring(L,
      "option '%s' must be a number of seconds above 0, got %s", name,
      luaL_tolstring(L, -1, NULL)));
  return (uint64_t)((s < 3e9 ? s : 3e9) * 1e9);
}

static void res_option (lua_State *L, int arg, MapOptions *o) {
  const char *name = lc_option_name(L);
  if (strcmp(name, "ordered") == 0) o->stream.ordered = lua_toboolean(L, -1);
  else if (strcmp(name, "window") == 0)
    o->stream.window = res_positive(L, arg, name);
  else if (strcmp(name, "batch") == 0) {
    if (lua_type(L, -1) == LUA_TSTRING
        && strcmp(lua_tostring(L, -1), "auto") == 0) o->stream.batch = 0;
    else o->stream.batch = res_positive(L, arg, name);
  }
  else if (strcmp(name, "timeout") == 0)
    o->stream.timeout = res_seconds(L, arg, name);
  else if (strcmp(name, "on_error") == 0) o->on_error = res_on_error(L, arg);
  else lc_option_refuse(L, arg, "unknown option");
}

static void res_options (lua_State *L, int arg, MapOptions *o) {
  memset(o, 0, sizeof(MapOptions));
  if (lua_isnoneornil(L, arg)) return;
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, arg)) {
    res_option(L, arg, o);
    lua_pop(L, 1);
  }
}

void lc_lib_check_function (lua_State *L, int arg) {
  if (lua_isfunction(L, arg)) return;
  if (lua_type(L, arg) != LUA_TSTRING)
    luaL_typeerror(L, arg, "function or \"module.function\"");
  if (strchr(lua_tostring(L, arg), '.') == NULL)
    luaL_argerror(L, arg, lua_pushfstring(L,
      "'%s' does not name a \"module.function\"", lua_tostring(L, arg)));
}

/* The function of the map, encoded once. The handle is at 1. */
static void res_set_call (lua_State *L, Results *r, int idx) {
  Call *call = NULL;
  EncodeResult result;
  lc_sandbox_address(L, r->home, r->pool);
  result = res_make_call(L, r, idx, &call);
  if (result == LC_NOMEM) luaL_error(L, "not enough memory");
  if (result == LC_REFUSED) {
    const char *way = lua_tostring(L, -2);
    lua_pushfstring(L, "cannot send the function: %s%s%s",
                    *way == ',' ? way + 2 : way, *way != '\0' ? ": " : "",
                    lua_tostring(L, -1));
    lua_insert(L, 1);
    lua_settop(L, 1);
    luaL_where(L, 1);
    lua_insert(L, 1);
    lua_concat(L, 2);
    lua_error(L);
  }
  lc_stream_keep_call(r->s, call);
  r->call = call;
}

static Results *res_new (lua_State *L, Home *home) {
  Results *r = (Results *)lua_newuserdatauv(L, sizeof(Results), UV_COUNT);
  memset(r, 0, sizeof(Results));
  r->home = home;
  luaL_setmetatable(L, LC_RESULTS);
  return r;
}

int lc_lib_map (lua_State *L, Home *home, Pool *p) {
  MapOptions o;
  Results *r;
  lua_settop(L, 4);
  if (!lua_isnoneornil(L, 3)) lc_lib_check_function(L, 3);
  res_options(L, 4, &o);
  if (!lc_source_new(L, 2)) luaL_argerror(L, 2, lua_tostring(L, -1));
  lua_replace(L, 2);
  if (!lc_pool_alive(p, L)) return luaL_error(L, "%s", lua_tostring(L, -1));
  lc_codec_begin(L, home->codec);
  r = res_new(L, home);
  lua_replace(L, 1);
  lua_settop(L, 3);
  r->on_error = o.on_error;
  if (p->shuffled && !o.stream.ordered) {
    o.stream.ordered = o.stream.shuffled = 1;
    o.stream.shuffle = p->shuffle;
  }
  r->s = lc_pool_begin(p, home, &o.stream);
  if (r->s == NULL) return luaL_error(L, "not enough memory");
  lc_pool_hold(p);
  r->pool = p;
  r->source = (Generator *)lua_touserdata(L, 2);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 1, UV_SOURCE);
  if (!lua_isnil(L, 3)) res_set_call(L, r, 3);
  lua_settop(L, 1);
  return res_start(L, r, 0);
}
