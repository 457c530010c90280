/*
** lib_pool.c: lacus.pool and the pool's methods. Stands on pool/pool.
*/
#include <limits.h>
#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"
#include "../pool/env.h"
#include "../run/state.h"
#include "../value/object.h"
#include "lib.h"
#include "lib_option.h"
#include "lib_wait.h"
#include "sandbox.h"

/* What is stopped has so long to end. (Sanitizers make it ten times slower.) */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GRACE_NS 20000000000u
#else
#define GRACE_NS 2000000000u
#endif

/* Any state that has a handle may use the pool; `closed` is for all. */
static Pool *pl_check (lua_State *L) {
  Shared *s = lc_object_test(L, 1, &lc_pool_kind);
  while (s == NULL) luaL_typeerror(L, 1, "pool");   /* compilers do not know
                                                  ** that this is the end */
  return lc_pool_from(s);
}

/* --- lacus.pool ---------------------------------------------------------- */

static int pl_workers (lua_State *L, int idx) {
  lua_Integer n;
  if (!lc_option_integer(L, idx, &n) || n < 0 || n > LC_WORKERS_MOST)
    luaL_argerror(L, 1, lua_pushfstring(L,
      "workers must be an integer from 0 to %d, got %s", LC_WORKERS_MOST,
      luaL_tolstring(L, idx, NULL)));
  return (int)n;
}

/* A seed: any integer, or a float that is one. */
static uint64_t pl_seed (lua_State *L, int idx, const char *name) {
  lua_Integer n;
  if (!lc_option_integer(L, idx, &n))
    luaL_argerror(L, 1, lua_pushfstring(L,
      "option '%s' must be an integer, got %s", name,
      luaL_tolstring(L, idx, NULL)));
  return (uint64_t)n;
}

/* In nanoseconds; 0 may be, and what is too long is for ever. */
static uint64_t pl_linger (lua_State *L, int idx, const char *name) {
  lua_Number s;
  if (!lc_option_number(L, idx, &s) || s < 0)
    luaL_argerror(L, 1, lua_pushfstring(L,
      "option '%s' must be a number of seconds, not negative, got %s", name,
      luaL_tolstring(L, idx, NULL)));
  return s > 9.0e9 ? LC_NEVER : (uint64_t)(s * 1e9);
}

static size_t pl_memory (lua_State *L, int idx) {
  lua_Integer n;
  if (!lc_option_integer(L, idx, &n) || n < 1
      || (lua_Unsigned)n > (size_t)-1 / 8)
    luaL_argerror(L, 1, lua_pushfstring(L,
      "option 'memory' must be a number of bytes, got %s",
      luaL_tolstring(L, idx, NULL)));
  return (size_t)n;
}

static size_t pl_stack (lua_State *L, int idx) {
  lua_Integer n;
  if (!lc_option_integer(L, idx, &n) || n < (lua_Integer)LC_STACK_LEAST
      || (lua_Unsigned)n > (size_t)-1 / 8)
    luaL_argerror(L, 1, lua_pushfstring(L,
      "option 'stack' must be a number of bytes, at least %d, got %s",
      (int)LC_STACK_LEAST, luaL_tolstring(L, idx, NULL)));
  return (size_t)n;
}

/* Where the init's stack index is, if there is one: a nil otherwise. */
#define PL_INIT 2

/* Leaves on the stack what the options point to. */
static void pl_options (lua_State *L, PoolOptions *o) {
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    const char *name = lc_option_name(L);
    if (strcmp(name, "workers") == 0) o->workers = pl_workers(L, -1);
    else if (strcmp(name, "recycle") == 0) {
      lua_Integer n;
      if (!lc_option_integer(L, -1, &n) || n < 1)
        luaL_argerror(L, 1,
          "option 'recycle' must be an integer of at least 1");
      o->recycle = (uint64_t)n;
    }
    else if (strcmp(name, "linger") == 0) o->linger = pl_linger(L, -1, name);
    else if (strcmp(name, "libs") == 0) o->libs = lc_sandbox_libs(L, -1);
    else if (strcmp(name, "memory") == 0) o->memory = pl_memory(L, -1);
    else if (strcmp(name, "stack") == 0) o->stack = pl_stack(L, -1);
    else if (strcmp(name, "seed") == 0) {
      o->seed = pl_seed(L, -1, name);
      o->seeded = 1;
    }
    else if (strcmp(name, "shuffle") == 0) {
      o->shuffle = pl_seed(L, -1, name);
      o->shuffled = 1;
    }
    else if (strcmp(name, "grace") == 0) o->grace_ns = lc_option_seconds(L, 1, name);
    else if (strcmp(name, "watchdog") == 0)
      o->watchdog_ns = lc_option_seconds(L, 1, name);
    else if (strcmp(name, "name") == 0) {
      if (lua_type(L, -1) != LUA_TSTRING)
        luaL_argerror(L, 1, "option 'name' must be a string");
      if (lua_rawlen(L, -1) > LC_POOL_NAME)
        luaL_argerror(L, 1, "option 'name' must have at most 23 bytes");
      o->name = lua_tostring(L, -1);
    }
    else if (strcmp(name, "init") == 0) {
      if (!lua_isfunction(L, -1) && lua_type(L, -1) != LUA_TSTRING)
        luaL_argerror(L, 1,
          "option 'init' must be a function or a module's name");
      lua_pushvalue(L, -1);
      lua_replace(L, PL_INIT);
    }
    else
      lc_option_refuse(L, 1, "unknown option");
    lua_pop(L, 1);
  }
}

/* Leaves the options at 1 and the init at PL_INIT. */
static void pl_args (lua_State *L, Home *home, PoolOptions *o) {
  memset(o, 0, sizeof(PoolOptions));
  o->workers = home->workers;
  o->name = "worker";
  o->linger = home->pools_linger;
  o->memory = home->worker != NULL ? home->worker->memory : 0;
  o->grace_ns = GRACE_NS;
  o->warns = lc_state_warns(L);
  o->libraries = lc_lib_worker;
  lua_settop(L, 1);
  lua_pushnil(L);
  if (lua_istable(L, 1)) pl_options(L, o);
  else if (lua_type(L, 1) == LUA_TNUMBER) o->workers = pl_workers(L, 1);
  else if (!lua_isnoneornil(L, 1))
    luaL_typeerror(L, 1, "number of workers or table of options");
}

/* What is being sent to new workers, collected if opening the pool raises. */
typedef struct EnvBox { Message m; } EnvBox;

static int l_env_gc (lua_State *L) {
  lc_message_drop(&((EnvBox *)lua_touserdata(L, 1))->m);
  return 0;
}

static Message *pl_new_env (lua_State *L, Home *home) {
  EnvBox *box = (EnvBox *)lua_newuserdatauv(L, sizeof(EnvBox), 0);
  lc_message_init(&box->m, home->mem);
  if (luaL_newmetatable(L, "lacus.env")) {
    lua_pushcfunction(L, l_env_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return &box->m;
}

static void pl_write_env (lua_State *L, Home *home, Message *env, int init) {
  EncodeResult result;
  lc_codec_begin(L, home->codec);
  result = lc_env_write(L, home->codec, env, lua_isnil(L, init) ? 0 : init);
  if (result == LC_REFUSED)
    luaL_error(L, "cannot send init%s: %s", lua_tostring(L, -2),
               lua_tostring(L, -1));
  if (result == LC_NOMEM) luaL_error(L, "not enough memory");
}

static int l_pool_new (lua_State *L) {
  Home *home = lc_home_open(L, NULL);
  PoolOptions o;
  Message *env;
  Pool *p;
  char error[256];
  if (lc_sandbox_holds(home))
    return luaL_error(L, "a task of a pool with 'libs' cannot open a pool");
  lc_lib_script(L, home);
  pl_args(L, home, &o);
  env = pl_new_env(L, home);
  pl_write_env(L, home, env, PL_INIT);
  p = lc_pool_open(home, &o, env, error, sizeof error);
  if (p == NULL) return luaL_error(L, "cannot open a pool: %s", error);
  lc_object_push(L, &p->head);
  return 1;
}

/* --- methods ------------------------------------------------------------- */

static int l_pool_map (lua_State *L) {
  return lc_lib_map(L, lc_home_open(L, NULL), pl_check(L));
}

static int l_pool_submit (lua_State *L) {
  return lc_lib_submit(L, lc_home_open(L, NULL), pl_check(L), 0);
}

static int l_pool_submit_to (lua_State *L) {
  Pool *p = pl_check(L);
  int to = (int)luaL_checkinteger(L, 2);
  luaL_argcheck(L, to >= 1 && to <= p->nworkers, 2, "no such worker");
  lua_remove(L, 2);
  return lc_lib_submit(L, lc_home_open(L, NULL), p, to);
}

/* (n): nothing outside of workers. */
static int l_pool_keep (lua_State *L) {
  Home *home = lc_home_open(L, NULL);
  int by = (int)luaL_checkinteger(L, 1);
  if (home->worker != NULL) lc_pool_keep(home->worker, by);
  return 0;
}

/* New states for all workers: what they have loaded is loaded again. */
static int l_pool_recycle (lua_State *L) {
  lc_pool_recycle(pl_check(L));
  return 0;
}

static int l_pool_generate (lua_State *L) {
  return lc_lib_generate(L, lc_home_open(L, NULL), pl_check(L));
}

static int l_pool_workers (lua_State *L) {
  Pool *p = pl_check(L);
  lua_pushinteger(L, p->inlined ? 0 : p->nworkers);
  return 1;
}

/* --- tasks --------------------------------------------------------------- */

/* Owned until the values are pushed, whatever raises. */
typedef struct TaskBox {
  Mem *mem;
  int n;
  WatchTask tasks[1];
} TaskBox;

static int l_tasks_gc (lua_State *L) {
  TaskBox *box = (TaskBox *)lua_touserdata(L, 1);
  int i;
  for (i = 0; i < box->n; i++)
    lc_mem_free(box->mem, box->tasks[i].trace, box->tasks[i].trace_size);
  box->n = 0;
  return 0;
}

static TaskBox *pl_new_tasks (lua_State *L, Pool *p) {
  TaskBox *box = (TaskBox *)lua_newuserdatauv(L,
    sizeof(TaskBox) + (size_t)p->nworkers * sizeof(WatchTask), 0);
  box->mem = p->mem;
  box->n = 0;
  if (luaL_newmetatable(L, "lacus.tasks")) {
    lua_pushcfunction(L, l_tasks_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return box;
}

static void pl_push_task (lua_State *L, const WatchTask *t) {
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, t->worker);
  lua_setfield(L, -2, "worker");
  lua_pushnumber(L, (lua_Number)t->ns / 1e9);
  lua_setfield(L, -2, "seconds");
  if (t->index != 0) {
    lua_pushinteger(L, (lua_Integer)t->index);
    lua_setfield(L, -2, "index");
  }
  if (t->trace != NULL) {
    lua_pushstring(L, t->trace);
    lua_setfield(L, -2, "traceback");
  }
}

/* What runs now. */
static int l_pool_tasks (lua_State *L) {
  Pool *p = pl_check(L);
  Home *home = lc_home_open(L, NULL);
  TaskBox *box = pl_new_tasks(L, p);
  int i;
  box->n = lc_watch_tasks(p, lc_pool_own(p, home->worker), box->tasks,
                          p->nworkers);
  lua_createtable(L, box->n, 0);
  for (i = 0; i < box->n; i++) {
    pl_push_task(L, &box->tasks[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* --- close --------------------------------------------------------------- */

/* Looks up this often: in a task, and elsewhere. */
#define TASK_SLICE_NS 1000000u
#define SLICE_NS 50000000u

static uint64_t pl_slice (uint64_t ns, uint64_t deadline) {
  uint64_t slice = lc_now() + ns;
  return slice < deadline ? slice : deadline;
}

static int pl_close_again (lua_State *L, int status, lua_KContext cancel);

/*
** Waits for what was submitted, unless `cancel`, and closes. In a task, others
** go on meanwhile, for they may be what is waited for. Stack: pool, deadline.
*/
static int pl_close_go (lua_State *L, Home *home, Pool *p, int cancel) {
  uint64_t deadline = (uint64_t)lua_tointeger(L, 2);
  int task = home->worker != NULL, done = 0;
  while (!cancel && !(done = lc_pool_finish(p, pl_slice(!task ? SLICE_NS
                        : p->inlined ? TASK_SLICE_NS : 0, deadline)))
         && lc_now() < deadline) {
    uint64_t slice = pl_slice(TASK_SLICE_NS, deadline);
    Fiber *f = lc_wait_fiber(home, L);
    if (f != NULL)
      return lc_fiber_suspend(L, f, slice, NULL, NULL, 0, pl_close_again);
    if (task) lc_wait_block(L, home, NULL, NULL, slice);
    else lc_wait_poke(L);
  }
  if (!done) lc_pool_hurry(p);
  lua_pushinteger(L, (lua_Integer)lc_pool_close(p));
  return 1;
}

static int pl_close_again (lua_State *L, int status, lua_KContext cancel) {
  (void)status;
  return pl_close_go(L, lc_home_open(L, NULL), pl_check(L), (int)cancel);
}

static int pl_close (lua_State *L, Pool *p, int cancel, uint64_t deadline) {
  Home *home = lc_home_open(L, NULL);
  if (p->home != home)
    return luaL_error(L, "a pool is closed where it was opened, %s",
                      home->worker != NULL ? "not in a worker"
                                           : "which is by the host");
  lc_home_warn(home, L);
  lua_settop(L, 1);
  lua_pushinteger(L, (lua_Integer)deadline);
  return pl_close_go(L, home, p, cancel);
}

/* Open results of the pool end with it: whoever asks them is told. */
static int l_pool_close (lua_State *L) {
  Pool *p = pl_check(L);
  int cancel = 0;
  uint64_t deadline = LC_NEVER;
  lua_Number s;
  lua_settop(L, 2);
  if (!lua_isnil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, 2)) {
      const char *name = lc_option_name(L);
      if (strcmp(name, "cancel") == 0) cancel = lua_toboolean(L, -1);
      else if (strcmp(name, "timeout") == 0
               && lc_option_number(L, -1, &s)) deadline = lc_deadline(s);
      else
        lc_option_refuse(L, 2, "unknown option or wrong value:");
      lua_pop(L, 1);
    }
  }
  return pl_close(L, p, cancel, deadline);
}

/* Leaving the block by an error does not wait for what was submitted. */
static int l_pool_leave (lua_State *L) {
  return pl_close(L, pl_check(L), !lua_isnoneornil(L, 2), LC_NEVER);
}

/*
** Lets go, and does not wait. Functions that were sent may hold the pool in its
** own workers, which are asleep: they are told to look.
*/
static int l_pool_gc (lua_State *L) {
  Shared *s = lc_object_test(L, 1, &lc_pool_kind);
  if (s != NULL && lc_home_open(L, NULL)->worker == NULL)
    lc_pool_nudge(lc_pool_from(s));
  lc_object_drop(L, 1);
  return 0;
}

static int l_pool_tostring (lua_State *L) {
  Pool *p = pl_check(L);
  if (!lc_pool_alive(p, L)) lua_pushliteral(L, "lacus.pool (closed)");
  else lua_pushfstring(L, "lacus.pool (%d workers)",
                       p->inlined ? 0 : p->nworkers);
  return 1;
}

static const luaL_Reg pool_methods[] = {
  {"map", l_pool_map},
  {"submit", l_pool_submit},
  {"generate", l_pool_generate},
  {"recycle", l_pool_recycle},
  {"tasks", l_pool_tasks},
  {"workers", l_pool_workers},
  {"close", l_pool_close},
  {NULL, NULL}
};

static const luaL_Reg pool_meta[] = {
  {"__close", l_pool_leave},
  {"__gc", l_pool_gc},
  {"__tostring", l_pool_tostring},
  {NULL, NULL}
};

void lc_lib_pool_private (lua_State *L) {
  lua_pushcfunction(L, l_pool_submit_to);
  lua_setfield(L, -2, "submit_to");
  lua_pushcfunction(L, l_pool_keep);
  lua_setfield(L, -2, "keep");
}

void lc_lib_pool (lua_State *L) {
  luaL_newmetatable(L, LC_POOL);
  luaL_setfuncs(L, pool_meta, 0);
  luaL_newlib(L, pool_methods);
  lua_setfield(L, -2, "__index");
  lc_object_register(L, &lc_pool_kind);
  lua_pushcfunction(L, l_pool_new);
  lua_setfield(L, -2, "pool");
}
