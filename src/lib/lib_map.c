/*
** lib_map.c: pool:map: begins a map, pulls its source and puts the items into
** the stream. Stands on results.h, map_option.h and source.h; every function in
** here runs on the thread of the state that called map.
*/
#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"
#include "../pool/fault.h"
#include "../pool/supply.h"
#include "range.h"
#include "results.h"
#include "sandbox.h"
#include "source.h"

/* Different functions that one map(gen) sends once; more go with the item. */
#define CALLS_MOST 64

/* --- items -------------------------------------------------------------- */

/* As lc_call_new; what raises in between goes with the handle. */
static EncodeResult map_make_call (lua_State *L, Results *r, int idx,
                                   Call **call) {
  EncodeResult result;
  if (r->making != NULL) lc_call_release(r->making);
  r->making = NULL;
  result = lc_call_new(L, r->home->codec, r->home->mem, idx, &r->making);
  *call = r->making;
  r->making = NULL;
  return result;
}

/*
** What lc_encode pushed about a refused value becomes one sentence. `which`
** of the item's values, the way from there, and what it is, are on top.
*/
static void map_refusal (lua_State *L, uint64_t index, int skipped) {
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

/* The item cannot be sent: it fails alone. The message is on top. 0 without memory. */
static int map_fail_item (lua_State *L, Results *r, int first, int n) {
  Batch *b = lc_supply_spare(r->s);
  int at = lua_gettop(L);
  int ok = b != NULL;
  lc_batch_free(r->failing);
  r->failing = b;
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
  r->failing = NULL;
  return ok;
}

/* Pushes the table of calls that were sent. */
static void map_push_calls (lua_State *L) {
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
static Call *map_find_call (lua_State *L, Results *r, int idx) {
  Call *call;
  map_push_calls(L);
  lua_pushvalue(L, idx);
  lua_rawget(L, -2);
  call = (Call *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  lc_sandbox_address(L, r->home, r->pool);
  if (call == NULL && r->ncalls < CALLS_MOST
      && map_make_call(L, r, idx, &call) == LC_ENCODED) {
    lc_supply_keep_call(r->s, call);
    r->ncalls++;
    lua_pushvalue(L, idx);
    lua_pushlightuserdata(L, call);
    lua_rawset(L, -3);
  }
  return call;
}

static int map_is_call (lua_State *L, int idx) {
  return lua_isfunction(L, idx)
         || (lua_type(L, idx) == LUA_TSTRING
             && strchr(lua_tostring(L, idx), '.') != NULL);
}

/* The item's `n` values are on top; leaves the stack anyhow. 0 without memory; -1 if
** `quick`, and that does not do. */
static int map_put (lua_State *L, Results *r, int n, int quick) {
  int first = lua_gettop(L) - n + 1, skipped = 0;
  Call *call = r->call;
  EncodeResult result;
  EntryForm form;
  Batch *b;
  size_t at;
  if (call == NULL) {
    if (n == 0 || !map_is_call(L, first)) {
      lua_pushfstring(L, "map: item %I: a function (or a \"module.function\") "
                         "and its arguments expected, got %s",
                      (LUAI_UACINT)(r->s->pulled + 1),
                      n == 0 ? "nothing" : luaL_typename(L, first));
      return map_fail_item(L, r, first, n);
    }
    call = map_find_call(L, r, first);
    skipped = call != NULL;
    lua_settop(L, first + n - 1);
  }
  b = lc_supply_open_batch(r->s);
  if (b == NULL) return 0;
  if (n - skipped == 1
      && (form = lc_entry_form(L, first + skipped)) != FORM_RECORD)
    return lc_supply_put_value(r->s, L, form, first + skipped, call);
  at = b->msg.len;
  lc_sandbox_address(L, r->home, r->pool);
  if (!quick)
    result = lc_encode(L, r->home->codec, &b->msg, first + skipped, n - skipped);
  else if (!lc_encode_quick(L, r->home->codec, &b->msg, first, n, &result))
    return -1;
  switch (result) {
    case LC_ENCODED:
      if (lc_supply_put(r->s, at, call)) return 1;
      b->msg.len = at;
      return 0;
    case LC_REFUSED:
      map_refusal(L, r->s->pulled + 1, skipped);
      return map_fail_item(L, r, first, n);
    default:
      return 0;
  }
}

/* Protected: (the handle, the item's values). */
static int map_put_protected (lua_State *L) {
  Results *r = (Results *)lua_touserdata(L, 1);
  lua_pushboolean(L, map_put(L, r, lua_gettop(L) - 1, 0));
  return 1;
}

/* Protected: (the handle, the item's values, what a __transfer has raised). */
static int map_fail_protected (lua_State *L) {
  Results *r = (Results *)lua_touserdata(L, 1);
  int n = lua_gettop(L) - 2;
  const char *what = lua_tostring(L, -1);
  if (what == NULL)
    what = lua_pushfstring(L, "(error object is a %s value)",
                           luaL_typename(L, -1));
  lua_pushfstring(L, "map: item %I: cannot send it: %s",
                  (LUAI_UACINT)(r->s->pulled + 1), what);
  lua_pushboolean(L, map_fail_item(L, r, 2, n));
  return 1;
}

/* Calls `f` with the `n` values from `first` on. What they do when they are sent
** (__transfer, __gc) must not come to the batch that they go into, or end the map. */
static int map_guard (lua_State *L, Results *r, lua_CFunction f, int first,
                      int n) {
  int i, status;
  luaL_checkstack(L, n + 2, NULL);
  lua_pushcfunction(L, f);
  lua_pushvalue(L, 1);
  for (i = 0; i < n; i++) lua_pushvalue(L, first + i);
  r->inside = INSIDE_ITEM;
  status = lua_pcall(L, n + 1, 1, 0);
  r->inside = INSIDE_NOTHING;
  return status;
}

static void map_put_item (lua_State *L, Results *r, int n) {
  int first = lua_gettop(L) - n + 1, ok = -1;
  if (r->call != NULL) ok = map_put(L, r, n, 1);
  if (ok < 0) {
    int status;
    lc_sandbox_address(L, r->home, r->pool);      /* raises at the caller's line */
    status = map_guard(L, r, map_put_protected, first, n);
    if (status == LUA_ERRRUN)                     /* a __transfer: so it fails */
      status = map_guard(L, r, map_fail_protected, first, n + 1);
    if (status != LUA_OK) lua_error(L);
    ok = lua_toboolean(L, -1);
  }
  if (!ok) luaL_error(L, "not enough memory");
}

/* A range gives a batch of its items at once: 1; 0: it is none, or has ended. */
static int map_put_range (lua_State *L, Results *r, size_t most) {
  lua_Integer first, step, n;
  size_t room;
  if (r->call == NULL || !lc_range_is(r->source)) return 0;
  room = lc_supply_room(r->s);
  if (room == 0) luaL_error(L, "not enough memory");
  n = lc_range_take(r->source, &first, &step,
                    (lua_Integer)(room < most ? room : most));
  if (n > 0) lc_supply_put_range(r->s, first, step, (size_t)n, r->call);
  return n > 0;
}

/* Pulls from the source at `idx` and puts what it gives; what it gave. Not the
** first time: see lc_source_again. */
static int map_pull (lua_State *L, Results *r, int idx, int first) {
  int n;
  r->inside = INSIDE_SOURCE;
  n = first ? lc_source_try(L, idx) : lc_source_again(L, idx, r->source);
  r->inside = INSIDE_NOTHING;
  if (n >= 0) {
    map_put_item(L, r, n);
    lua_settop(L, idx);
  }
  return n;
}

/* How many pulls may follow each other with no look at anything else: where one
** could wait, or time is up some day, only one. */
static size_t map_burst (Results *r, size_t most) {
  if (most > 1 && (r->limit != LC_NEVER || r->source->kind->await != NULL))
    return 1;
  return most > 1 ? lc_supply_room(r->s) : most;
}

int lc_results_pull (lua_State *L, Results *r, size_t most) {
  int top = lua_gettop(L), n;
  size_t left;
  if (map_put_range(L, r, most)) return 1;
  left = map_burst(r, most);
  lua_getiuservalue(L, 1, UV_SOURCE);
  n = map_pull(L, r, top + 1, 1);
  while (n >= 0 && left-- > 1 && lc_supply_goes_on(r->s))
    n = map_pull(L, r, top + 1, 0);
  r->source->until = 0;
  if (n < 0 && n != LC_GEN_LATE) {
    if (n == LC_GEN_FAILED) {
      r->failed = 1;
      lua_setiuservalue(L, 1, UV_ERROR);
    }
    lc_supply_exhaust(r->s);
  }
  lua_settop(L, top);
  return n != LC_GEN_LATE;
}

/* --- map ---------------------------------------------------------------- */

static int map_start_again (lua_State *L, int status, lua_KContext n);

/* Work starts at the call of map, which this is the end of: one item for each
** worker (of a range, a batch, since nobody sees it pulled), from the n-th on. Only the handle is on the stack. */
static int map_start (lua_State *L, Results *r, int n) {
  for (; n < r->s->link.workers; n++) {
    if (lc_stream_step(r->s, 0) != STREAM_PULL) break;
    r->source->until = r->limit;
    lc_generator_await(L, r->source, &r->waiting, n, map_start_again);
    if (!lc_results_pull(L, r, lc_range_is(r->source) ? (size_t)-1 : 1)) break;
  }
  lc_supply_flush(r->s);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushvalue(L, 1);
  return 4;
}

static int map_start_again (lua_State *L, int status, lua_KContext n) {
  (void)status;
  lua_settop(L, 1);
  return map_start(L, (Results *)lua_touserdata(L, 1), (int)n);
}

void lc_lib_check_function (lua_State *L, int arg) {
  if (lua_isfunction(L, arg)) return;
  if (lua_type(L, arg) != LUA_TSTRING)
    luaL_typeerror(L, arg, "function or \"module.function\"");
  if (strchr(lua_tostring(L, arg), '.') == NULL)
    luaL_argerror(L, arg, lua_pushfstring(L,
      "'%s' does not name a \"module.function\"", lua_tostring(L, arg)));
}

/* A function of the map, encoded once; `what` it is. Raises at the caller's line
** that it cannot be sent. */
static Call *map_new_call (lua_State *L, Results *r, int idx,
                           const char *what) {
  Call *call = NULL;
  EncodeResult result;
  lc_sandbox_address(L, r->home, r->pool);
  result = map_make_call(L, r, idx, &call);
  if (result == LC_NOMEM) luaL_error(L, "not enough memory");
  if (result == LC_REFUSED) {
    const char *way = lua_tostring(L, -2);
    luaL_where(L, 1);
    lua_pushfstring(L, "cannot send %s: %s%s%s", what,
                    *way == ',' ? way + 2 : way, *way != '\0' ? ": " : "",
                    lua_tostring(L, -2));
    lua_concat(L, 2);
    lua_error(L);
  }
  lc_supply_keep_call(r->s, call);
  return call;
}

/* The function that is called with each item, at `idx`. */
static Call *map_function (lua_State *L, Results *r, int idx) {
  Home *home = r->home;
  lc_call_repeat(&home->memo, L, home->codec, home->mem, idx, &r->s->repeated);
  return r->s->repeated != NULL ? r->s->repeated
                                : map_new_call(L, r, idx, "the function");
}

/* The stream has what the options at `arg` say of retries. */
static void map_set_retry (lua_State *L, Results *r, int arg,
                           const MapOptions *o) {
  r->s->retry = lc_map_retry(L, arg, o, r->home->mem);
  if (r->s->retry == NULL) luaL_error(L, "not enough memory");
  lua_pushliteral(L, "retry_delay");
  if (lua_rawget(L, arg) == LUA_TFUNCTION)
    r->s->retry->ask = map_new_call(L, r, lua_gettop(L), "retry_delay");
  lua_pop(L, 1);
}

static Results *map_new (lua_State *L, Home *home) {
  Results *r = (Results *)lua_newuserdatauv(L, sizeof(Results), UV_COUNT);
  memset(r, 0, sizeof(Results));
  r->mark = &lc_results_mark;
  r->home = home;
  luaL_setmetatable(L, LC_RESULTS);
  return r;
}

int lc_lib_map (lua_State *L, Home *home, Pool *p) {
  MapOptions o;
  Results *r;
  lua_settop(L, 4);
  if (!lua_isnoneornil(L, 3)) lc_lib_check_function(L, 3);
  lc_map_options(L, 4, &o);
  if (!lc_source_new(L, 2)) luaL_argerror(L, 2, lua_tostring(L, -1));
  lua_replace(L, 2);
  if (!lc_pool_alive(p, L)) return luaL_error(L, "%s", lua_tostring(L, -1));
  lc_codec_begin(L, home->codec);
  r = map_new(L, home);
  lua_replace(L, 1);
  r->on_error = o.on_error;
  r->seconds = o.deadline;
  r->limit = o.deadline < 0 ? LC_NEVER : lc_deadline(o.deadline);
  if (p->shuffled && !o.stream.ordered) {
    o.stream.ordered = o.stream.shuffled = 1;
    o.stream.shuffle = p->shuffle;
  }
  r->plain = r->limit == LC_NEVER && r->on_error != ONERROR_RETURN
             && !o.stream.ordered;
  r->s = lc_pool_begin(p, home, &o.stream);
  if (r->s == NULL) return luaL_error(L, "not enough memory");
  lc_pool_hold(p);
  r->pool = p;
  r->source = (Generator *)lua_touserdata(L, 2);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, 1, UV_SOURCE);
  if (!lua_isnil(L, 3)) {
    r->call = map_function(L, r, 3);
    lc_pool_expect(p, r->s, r->call);
  }
  if (o.retries > 0) map_set_retry(L, r, 4, &o);
  lua_settop(L, 1);
  return map_start(L, r, 0);
}
