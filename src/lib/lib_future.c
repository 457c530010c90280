/*
** lib_future.c: pool:submit and its futures, lacus.wait, lacus.sleep. Stands
** on pool/future and lib_wait.
*/
#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"
#include "../pool/fault.h"
#include "../value/object.h"
#include "lib.h"
#include "lib_option.h"
#include "lib_wait.h"
#include "sandbox.h"

static Future *fut_check (lua_State *L, int arg) {
  Shared *s = lc_object_test(L, arg, &lc_future_kind.shared);
  if (s == NULL) luaL_typeerror(L, arg, "future");
  return lc_future_from(s);
}

/* --- submit -------------------------------------------------------------- */

/* As lc_lib_encode_call; the values are arguments from number `arg` on, and 0 is the
** function. */
static int fut_encode (lua_State *L, Home *home, Batch *b, int first, int n,
                       int arg) {
  EncodeResult result = lc_encode(L, home->codec, &b->msg, first, n);
  if (result != LC_REFUSED) return result == LC_ENCODED;
  arg += (int)lua_tointeger(L, -3) - 1;
  if (arg == 0)
    return luaL_error(L, "cannot send the function%s: %s",
                      lua_tostring(L, -2), lua_tostring(L, -1));
  return luaL_error(L, "cannot send args[%d]%s: %s", arg,
                    lua_tostring(L, -2), lua_tostring(L, -1));
}

int lc_lib_encode_call (lua_State *L, Home *home, Batch *b, int first,
                        int n) {
  return fut_encode(L, home, b, first, n, 0);
}

/* The form of the one argument behind the function at `first`; else FORM_RECORD. */
static EntryForm fut_form (lua_State *L, int first, int n) {
  return n == 2 ? lc_entry_form(L, first + 1) : FORM_RECORD;
}

/* A function that repeats goes by itself, and is ready in the worker. */
int lc_lib_encode_task (lua_State *L, Home *home, Batch *b, int first,
                        int n) {
  Entry *e = &b->entries[0];
  EntryForm form;
  lc_call_repeat(&home->memo, L, home->codec, home->mem, first, &b->call);
  if (b->call == NULL) return fut_encode(L, home, b, first, n, 0);
  e->call = b->call;
  form = fut_form(L, first, n);
  if (form == FORM_RECORD) return fut_encode(L, home, b, first + 1, n - 1, 1);
  lc_entry_set(L, e, form, first + 1);
  return 1;
}

/* With its one item. Raises nothing; NULL without memory. */
static Batch *fut_new_batch (Home *home) {
  Batch *b = lc_home_batch(home);
  if (b == NULL || lc_batch_add(b, 0, ENTRY_ITEM, 0) != NULL) return b;
  lc_batch_free(b);
  return NULL;
}

/* A function that has been sent before, and one plain value: nothing of that can raise.
** NULL: it is not that, or memory is out. */
static Batch *fut_plain (lua_State *L, Home *home, int first, int n) {
  EntryForm form = fut_form(L, first, n);
  Call *call = form != FORM_RECORD
                 ? lc_call_kept(&home->memo, L, home->codec, first) : NULL;
  Batch *b = call != NULL ? fut_new_batch(home) : NULL;
  if (b == NULL) {
    lc_call_release(call);
    return NULL;
  }
  b->call = b->entries[0].call = call;
  lc_entry_set(L, &b->entries[0], form, first + 1);
  return b;
}

/* A batch on its way to the pool, collected if sending it raises. */
static int l_box_gc (lua_State *L) {
  Batch **box = (Batch **)lua_touserdata(L, 1);
  lc_batch_free(*box);
  *box = NULL;
  return 0;
}

static Batch **fut_new_box (lua_State *L) {
  Batch **box = (Batch **)lua_newuserdatauv(L, sizeof(Batch *), 0);
  *box = NULL;
  if (luaL_newmetatable(L, "lacus.batch")) {
    lua_pushcfunction(L, l_box_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return box;
}

/* Anything, or an error about it. The caller's from here on. */
static Batch *fut_record (lua_State *L, Home *home, int first, int n) {
  Batch **box = fut_new_box(L), *b = *box = fut_new_batch(home);
  if (b == NULL || !lc_lib_encode_task(L, home, b, first, n))
    luaL_error(L, "not enough memory");
  *box = NULL;
  return b;
}

/* The future's handle is there before the future: once that is made, it is on its way. */
int lc_lib_submit (lua_State *L, Home *home, Pool *p, int to) {
  int n = lua_gettop(L) - 1, handle = n + 2;
  Batch *b;
  Future *f;
  lc_lib_check_function(L, 2);
  luaL_checkstack(L, 9, NULL);
  if (!lc_pool_alive(p, L)) return luaL_error(L, "%s", lua_tostring(L, -1));
  lc_codec_begin(L, home->codec);
  lc_sandbox_address(L, home, p);
  lc_object_blank(L, &lc_future_kind.shared);
  b = fut_plain(L, home, 2, n);
  if (b == NULL) b = fut_record(L, home, 2, n);
  f = lc_pool_submit(p, home->worker, b, to);
  if (f == NULL) {
    lc_batch_free(b);
    return luaL_error(L, "the pool is closed, or memory is out");
  }
  lua_settop(L, handle);
  lc_object_fill(L, &f->sink.head);
  return 1;
}

/* --- waiting for one ----------------------------------------------------- */

static int fut_listen (void *thing, WaitNode *n) {
  return lc_future_listen((Future *)thing, n, 1);
}

static void fut_unlisten (void *thing, WaitNode *n) {
  lc_future_unlisten((Future *)thing, n);
}

static const WaitKind fut_wait_kind = { fut_listen, fut_unlisten };

static void fut_forget (Fiber *fiber, void *what) {
  lc_future_unlisten((Future *)what, &fiber->node);
}

enum { FUT_GET, FUT_WAIT };

static int fut_raise (lua_State *L, const char *kind, const char *message) {
  luaL_where(L, 1);
  lua_pushstring(L, message);
  lua_concat(L, 2);
  lc_lib_make_error(L, kind, 0);
  return lc_lib_raise(L, 1);
}

static int fut_values (lua_State *L, Home *home, Future *f) {
  lc_home_spare(home, lc_future_take_spare(f));
  switch (lc_future_state(f)) {
    case FUTURE_DONE:
      lua_settop(L, 1);
      return lc_entry_push(L, home->codec, f->words, &f->result);
    case FUTURE_FAILED:
      lc_lib_push_error(L, home->codec, &f->result, f->words);
      return lc_lib_raise(L, 1);
    default:
      return fut_raise(L, "cancelled", "the task was cancelled");
  }
}

/* Stack: the future, the deadline as an integer. `mode` is the context. */
static int fut_go (lua_State *L, int status, lua_KContext mode) {
  Home *home = lc_home_open(L, NULL);
  Future *f = fut_check(L, 1);
  uint64_t deadline = (uint64_t)lua_tointeger(L, 2);
  (void)status;
  while (!lc_future_ended(lc_future_state(f))) {
    Fiber *fiber;
    if (deadline != LC_NEVER && lc_now() >= deadline) {
      if (mode == FUT_GET)
        return fut_raise(L, "timeout", "no result within the timeout");
      lua_pushboolean(L, 0);
      return 1;
    }
    fiber = lc_wait_fiber(home, L);
    if (fiber == NULL) {
      lc_home_stock(home);
      lc_wait_block(L, home, &fut_wait_kind, f, deadline);
    }
    else if (lc_future_listen(f, &fiber->node, 1))
      return lc_fiber_suspend(L, fiber, deadline, fut_forget, f, mode, fut_go);
  }
  if (mode == FUT_GET) return fut_values(L, home, f);
  lua_pushboolean(L, 1);
  return 1;
}

static int fut_start (lua_State *L, lua_KContext mode) {
  uint64_t deadline = LC_NEVER;
  fut_check(L, 1);
  if (!lua_isnoneornil(L, 2)) deadline = lc_deadline(luaL_checknumber(L, 2));
  lua_settop(L, 1);
  lua_pushinteger(L, (lua_Integer)deadline);
  return fut_go(L, LUA_OK, mode);
}

static int l_future_get (lua_State *L) { return fut_start(L, FUT_GET); }
static int l_future_wait (lua_State *L) { return fut_start(L, FUT_WAIT); }

static int l_future_cancel (lua_State *L) {
  lua_pushboolean(L, lc_future_cancel(fut_check(L, 1)));
  return 1;
}

static int l_future_state (lua_State *L) {
  static const char *const names[] = {
    "queued", "running", "done", "failed", "cancelled"
  };
  lua_pushstring(L, names[lc_future_state(fut_check(L, 1))]);
  return 1;
}

static int l_future_tostring (lua_State *L) {
  l_future_state(L);
  lua_pushfstring(L, "lacus.future (%s)", lua_tostring(L, -1));
  return 1;
}

/* --- waiting for several ------------------------------------------------- */

typedef struct FutureSet {
  size_t n;
  int any, first_error;
  Future **f;                /* held */
  WaitNode *nodes;
} FutureSet;

static void set_unlisten (void *thing, WaitNode *n) {
  FutureSet *set = (FutureSet *)thing;
  size_t i;
  (void)n;
  for (i = 0; i < set->n; i++) lc_future_unlisten(set->f[i], &set->nodes[i]);
}

/* Whether nobody has to wait for it any more. */
static int set_is_done (const FutureSet *set) {
  size_t i, ended = 0, bad = 0;
  for (i = 0; i < set->n; i++) {
    FutureState state = lc_future_state(set->f[i]);
    ended += lc_future_ended(state) != 0;
    bad += lc_future_ended(state) && state != FUTURE_DONE;
  }
  return ended == set->n || (set->any && ended > 0)
         || (set->first_error && bad > 0);
}

/* On the lists of all first: what ends from then on wakes the waiter. Only `n`'s
** waiter is used; each future has a node of its own. */
static int set_listen (void *thing, WaitNode *n) {
  FutureSet *set = (FutureSet *)thing;
  size_t i;
  for (i = 0; i < set->n; i++) {
    set->nodes[i].waiter = n->waiter;
    lc_future_listen(set->f[i], &set->nodes[i], 0);
  }
  if (!set_is_done(set)) return 1;
  set_unlisten(set, n);
  return 0;
}

static const WaitKind set_wait_kind = { set_listen, set_unlisten };

static void set_forget (Fiber *fiber, void *what) {
  (void)fiber;
  set_unlisten(what, NULL);
}

static int l_set_gc (lua_State *L) {
  FutureSet *set = (FutureSet *)lua_touserdata(L, 1);
  size_t i;
  for (i = 0; i < set->n; i++) lc_future_release(set->f[i]);
  set->n = 0;
  return 0;
}

/* Pushes the set of the futures in the array at `idx`. */
static FutureSet *set_new (lua_State *L, int idx) {
  size_t n = (size_t)lua_rawlen(L, idx), i;
  FutureSet *set = (FutureSet *)lua_newuserdatauv(L, sizeof(FutureSet)
                     + n * (sizeof(Future *) + sizeof(WaitNode)), 0);
  memset(set, 0, sizeof(FutureSet));
  set->nodes = (WaitNode *)(void *)(set + 1);
  set->f = (Future **)(void *)(set->nodes + n);
  if (luaL_newmetatable(L, "lacus.futures")) {
    lua_pushcfunction(L, l_set_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  for (i = 0; i < n; i++) {
    Shared *s;
    lua_rawgeti(L, idx, (lua_Integer)i + 1);
    s = lc_object_test(L, -1, &lc_future_kind.shared);
    if (s == NULL)
      luaL_argerror(L, idx, lua_pushfstring(L, "[%I] is no future but a %s",
                      (LUAI_UACINT)(i + 1), luaL_typename(L, -1)));
    lc_object_list(L, -1);            /* it is pushed again: set_lists */
    lua_pop(L, 1);
    lc_wait_init(&set->nodes[i], NULL);
    set->f[set->n++] = lc_future_from(lc_shared_hold(s));
  }
  return set;
}

/* The list of those that have ended, and the list of the others. */
static int set_lists (lua_State *L, FutureSet *set) {
  lua_Integer n[2] = { 0, 0 };
  size_t i;
  lua_settop(L, 3);
  lua_newtable(L);
  lua_newtable(L);
  for (i = 0; i < set->n; i++) {
    int rest = !lc_future_ended(lc_future_state(set->f[i]));
    lc_future_hold(set->f[i]);
    lc_object_push(L, &set->f[i]->sink.head);
    lua_rawseti(L, 4 + rest, ++n[rest]);
  }
  return 2;
}

/* Stack: list, deadline, set. */
static int set_go (lua_State *L, int status, lua_KContext ctx) {
  Home *home = lc_home_open(L, NULL);
  FutureSet *set = (FutureSet *)lua_touserdata(L, 3);
  uint64_t deadline = (uint64_t)lua_tointeger(L, 2);
  (void)status;
  while (!set_is_done(set) && lc_now() < deadline) {
    Fiber *fiber = lc_wait_fiber(home, L);
    if (fiber == NULL) lc_wait_block(L, home, &set_wait_kind, set, deadline);
    else if (set_listen(set, &fiber->node))
      return lc_fiber_suspend(L, fiber, deadline, set_forget, set, ctx,
                              set_go);
  }
  return set_lists(L, set);
}

static int l_lacus_wait (lua_State *L) {
  uint64_t deadline = LC_NEVER;
  FutureSet *set;
  lua_Number s;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  set = set_new(L, 1);
  if (!lua_isnil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, 2)) {
      const char *name = lc_option_name(L);
      if (strcmp(name, "any") == 0) set->any = lua_toboolean(L, -1);
      else if (strcmp(name, "first_error") == 0)
        set->first_error = lua_toboolean(L, -1);
      else if (strcmp(name, "timeout") == 0
               && lc_option_number(L, -1, &s)) deadline = lc_deadline(s);
      else
        lc_option_refuse(L, 2, "unknown option or wrong value:");
      lua_pop(L, 1);
    }
  }
  lua_pushinteger(L, (lua_Integer)deadline);
  lua_replace(L, 2);
  return set_go(L, LUA_OK, 0);
}

/* --- sleep --------------------------------------------------------------- */

static int sleep_go (lua_State *L, int status, lua_KContext ctx) {
  Home *home = lc_home_open(L, NULL);
  uint64_t deadline = (uint64_t)lua_tointeger(L, 1);
  (void)status;
  while (lc_now() < deadline) {
    Fiber *fiber = lc_wait_fiber(home, L);
    if (fiber != NULL)
      return lc_fiber_suspend(L, fiber, deadline, NULL, NULL, ctx, sleep_go);
    lc_wait_block(L, home, NULL, NULL, deadline);
  }
  return 0;
}

static int l_lacus_sleep (lua_State *L) {
  lua_Number s = luaL_checknumber(L, 1);
  luaL_argcheck(L, s >= 0, 1, "seconds must not be negative");
  lua_settop(L, 0);
  lua_pushinteger(L, (lua_Integer)lc_deadline(s));
  return sleep_go(L, LUA_OK, 0);
}

/* --- opening ------------------------------------------------------------- */

static const luaL_Reg future_methods[] = {
  {"get", l_future_get},
  {"wait", l_future_wait},
  {"cancel", l_future_cancel},
  {"state", l_future_state},
  {NULL, NULL}
};

static const luaL_Reg future_functions[] = {
  {"wait", l_lacus_wait},
  {"sleep", l_lacus_sleep},
  {NULL, NULL}
};

void lc_lib_future (lua_State *L) {
  luaL_newmetatable(L, LC_FUTURE);
  lua_pushcfunction(L, l_future_tostring);
  lua_setfield(L, -2, "__tostring");
  luaL_newlib(L, future_methods);
  lua_setfield(L, -2, "__index");
  lc_object_register(L, &lc_future_kind.shared);
  luaL_setfuncs(L, future_functions, 0);
}
