/*
** api_pool.c: how a pool of a C host begins and ends; the module; versions.
*/
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"
#include "../lib/sandbox.h"
#include "../pool/env.h"
#include "../run/state.h"
#include "../value/object.h"
#include "api.h"

#define WORKERS_AT_MOST 1024
#define GRACE_NS 2000000000u

const char *lacus_version (void) { return LACUS_VERSION; }
int lacus_abi (void) { return LACUS_ABI; }

/* --- the module ---------------------------------------------------------- */

Home *lc_api_home (lua_State *L) {
  luaL_checkstack(L, 8, NULL);
  if (lua_getglobal(L, "require") != LUA_TFUNCTION)
    luaL_error(L, "lacus needs the library 'package' in this state "
                  "(luaL_openlibs)");
  lua_pop(L, 1);
  luaopen_lacus(L);
  lua_pop(L, 1);
  return lc_home_open(L, NULL);
}

void lacus_open (lua_State *L, lacus_alloc_fn alloc, void *ud) {
  lc_home_set_memory(L, alloc, ud);
  lc_home_open(L, NULL)->pools_linger = 0;
  luaL_requiref(L, "lacus", luaopen_lacus, 0);
}

/* --- options ------------------------------------------------------------- */

/* Fields that only a newer header knows must say nothing. */
static const char *opt_copy (lacus_pool_options *o,
                             const lacus_pool_options *given) {
  const char *bytes = (const char *)given;
  size_t i;
  memset(o, 0, sizeof *o);
  if (given == NULL || given->size < sizeof(size_t))
    return "options: the field 'size' is not set";
  for (i = sizeof *o; i < given->size; i++)
    if (bytes[i] != 0) return "options: a field of a newer lacus is set";
  memcpy(o, given, given->size < sizeof *o ? given->size : sizeof *o);
  return NULL;
}

static const char *opt_wrong (const lacus_pool_options *o) {
  if (o->workers < 0 || o->workers > WORKERS_AT_MOST)
    return "options: 'workers' must be from 0 to 1024";
  if (o->slots < 0 || o->slots > WORKERS_AT_MOST)
    return "options: 'slots' must be from 0 to 1024";
  if (o->slots > 0 && o->workers > 0)
    return "options: a pool with 'slots' has no 'workers'";
  if (o->stack != 0 && o->stack < LC_STACK_LEAST)
    return "options: 'stack' must be 524288 bytes at least";
  if (o->name != NULL && strlen(o->name) > LC_POOL_NAME)
    return "options: 'name' must have at most 23 bytes";
  if (!(o->grace >= 0 && o->grace < 1e9))
    return "options: 'grace' must be a number of seconds, not negative";
  if (!(o->linger >= 0)) return "options: 'linger' must not be negative";
  return NULL;
}

/* --- what workers begin with ----------------------------------------------- */

typedef struct Opening {
  lacus_pool *p;
  const char *init;
  unsigned libs;
  Message env;
} Opening;

static void open_env (lua_State *L, Codec *c, Opening *o) {
  int init = 0;
  if (o->init != NULL) {
    lua_pushstring(L, o->init);
    init = lua_gettop(L);
  }
  if (lc_env_write(L, c, &o->env, init) != LC_ENCODED)
    luaL_error(L, "not enough memory");
}

static unsigned open_libs (lua_State *L, const char *const *names) {
  lua_Integer n = 0;
  if (names == NULL) return 0;
  lua_newtable(L);
  for (; *names != NULL; names++) {
    lua_pushstring(L, *names);
    lua_rawseti(L, -2, ++n);
  }
  return lc_sandbox_libs(L, -1);
}

/* Protected: (opening), in a state that is made for it. */
static int open_write (lua_State *L) {
  Opening *o = (Opening *)lua_touserdata(L, 1);
  Codec *c = lc_codec_open(L, o->p->mem);
  o->libs = open_libs(L, o->p->o.libs);
  lc_work_write(L, c, o->p);
  if (o->p->o.from == NULL) open_env(L, c, o);
  return 0;
}

/* Protected: (opening), in the host's state. */
static int open_write_from (lua_State *L) {
  Home *home = lc_api_home(L);
  lc_codec_begin(L, home->codec);
  open_env(L, home->codec, (Opening *)lua_touserdata(L, 1));
  return 0;
}

/* 0 on failure, with the message in *err. */
static int open_call (lua_State *L, lua_CFunction f, Opening *o,
                      lacus_error *err) {
  int top = lua_gettop(L), ok;
  lua_checkstack(L, 2);
  lua_pushcfunction(L, f);
  lua_pushlightuserdata(L, o);
  ok = lua_pcall(L, 1, 0, 0) == LUA_OK;
  if (!ok && lua_type(L, -1) == LUA_TSTRING)
    snprintf(err->text, sizeof err->text, "%s", lua_tostring(L, -1));
  lua_settop(L, top);
  return ok;
}

static int open_prepare (Opening *o, lacus_error *err) {
  Heap heap;
  lua_State *L, *from = o->p->o.from;
  int ok;
  lc_heap_init(&heap, o->p->mem);
  L = lc_state_bare(&heap);
  ok = L != NULL && open_call(L, open_write, o, err)
       && (from == NULL || open_call(from, open_write_from, o, err));
  if (L != NULL) lua_close(L);
  lc_heap_clear(&heap);
  return ok;
}

/* --- hooks of workers ------------------------------------------------------ */

/* The libraries of a worker's state. */
static int open_libraries (lua_State *L) {
  Worker *w = lc_worker_of(L);
  lacus_pool *p = (lacus_pool *)lc_crew_worker(w)->pool->hooks.ud;
  lc_lib_worker(L);
  lc_work_register(L);
  if (p->o.on_log != NULL) lc_log_open(L, p, w);
  return 0;
}

static void hook_open (lua_State *L, void *ud) {
  lacus_pool *p = (lacus_pool *)ud;
  p->o.on_open(L, p->o.ud);
}

static void hook_close (lua_State *L, void *ud) {
  lacus_pool *p = (lacus_pool *)ud;
  p->o.on_close(L, p->o.ud);
}

static void hook_start (Worker *w, void *ud) {
  lacus_pool *p = (lacus_pool *)ud;
  p->o.on_start(p->o.ud, w->id, w->name);
}

static void hook_stop (Worker *w, void *ud) {
  lacus_pool *p = (lacus_pool *)ud;
  p->o.on_stop(p->o.ud, w->id, w->name);
}

static void hook_hold (void *ud) {
  lc_shared_hold(&((lacus_pool *)ud)->head);
}

static void hook_release (void *ud) {
  lc_shared_release(&((lacus_pool *)ud)->head);
}

static void open_hooks (lacus_pool *p, PoolHooks *h) {
  h->ud = p;
  h->hold = hook_hold;
  h->release = hook_release;
  h->open = p->o.on_open != NULL ? hook_open : NULL;
  h->close = p->o.on_close != NULL ? hook_close : NULL;
  h->start = p->o.on_start != NULL ? hook_start : NULL;
  h->stop = p->o.on_stop != NULL ? hook_stop : NULL;
}

/* --- birth ----------------------------------------------------------------- */

static void open_pool (Opening *o, lacus_error *err) {
  lacus_pool *p = o->p;
  PoolOptions options;
  PoolHooks hooks;
  memset(&options, 0, sizeof options);
  open_hooks(p, &hooks);
  options.workers = p->o.slots > 0 ? p->o.slots
                    : p->o.workers > 0 ? p->o.workers : p->home.cpus;
  options.stepped = p->o.slots > 0;
  options.name = p->o.name != NULL ? p->o.name : "worker";
  options.recycle = p->o.recycle;
  options.memory = p->o.memory;
  options.libs = o->libs;
  options.seeded = p->o.seeded;
  options.seed = p->o.seed;
  options.stack = p->o.stack;
  options.grace_ns = p->o.grace > 0 ? (uint64_t)(p->o.grace * 1e9) : GRACE_NS;
  options.libraries = open_libraries;
  options.hooks = &hooks;
  p->pool = lc_pool_open(&p->home, &options, &o->env, err->text,
                         sizeof err->text);
}

static void pool_free (Shared *s) {
  lacus_pool *p = (lacus_pool *)(void *)s;
  Mem *mem = p->mem;
  lc_message_drop(&p->work);
  lc_inbox_free(&p->inbox);
  lc_mem_free(mem, p, sizeof(lacus_pool));
  lc_mem_retire(mem);
}

static const SharedKind api_pool_kind = { "lacus.host_pool", pool_free };

static lacus_pool *pool_create (const lacus_pool_options *o) {
  Mem *mem = lc_mem_new(o->alloc, o->alloc_ud);
  lacus_pool *p;
  if (mem == NULL) return NULL;
  p = (lacus_pool *)lc_mem_zalloc(mem, sizeof(lacus_pool));
  if (p == NULL || lc_inbox_init(&p->inbox) != 0) {
    lc_mem_free(mem, p, sizeof(lacus_pool));
    lc_mem_retire(mem);
    return NULL;
  }
  lc_shared_init(&p->head, &api_pool_kind);
  p->mem = mem;
  p->o = *o;
  lc_message_init(&p->work, mem);
  return p;
}

static int pool_open (lacus_pool *p, lacus_error *err) {
  Opening o;
  memset(&o, 0, sizeof o);
  o.p = p;
  o.init = p->o.init;
  lc_message_init(&o.env, p->mem);
  if (lc_home_init(&p->home, p->mem, 0) && open_prepare(&o, err)) {
    snprintf(err->text, sizeof err->text, "not enough memory");
    open_pool(&o, err);
  }
  lc_message_drop(&o.env);
  p->o.from = NULL;
  p->o.name = p->o.init = NULL;
  p->o.libs = NULL;
  return p->pool != NULL;
}

lacus_pool *lacus_pool_new (const lacus_pool_options *options,
                            lacus_error *err) {
  static const char nomem[] = "not enough memory";
  lacus_pool_options o;
  lacus_error unwanted;
  lacus_pool *p;
  const char *wrong = opt_copy(&o, options);
  if (err == NULL) err = &unwanted;
  err->code = LACUS_OK;
  err->text[0] = '\0';
  if (wrong == NULL) wrong = opt_wrong(&o);
  if (wrong != NULL) {
    err->code = LACUS_MISUSE;
    snprintf(err->text, sizeof err->text, "%s", wrong);
    return NULL;
  }
  snprintf(err->text, sizeof err->text, nomem);
  p = pool_create(&o);
  if (p != NULL && pool_open(p, err)) {
    err->text[0] = '\0';
    return p;
  }
  err->code = strcmp(err->text, nomem) == 0 ? LACUS_NOMEM : LACUS_ERROR;
  if (p != NULL) {
    lc_home_end(&p->home, NULL, NULL);
    lc_shared_release(&p->head);
  }
  return NULL;
}

/* --- death ----------------------------------------------------------------- */

long lacus_pool_stop (lacus_pool *p) {
  long dropped = (long)lc_schedule_stop(p->pool, NULL);
  lc_inbox_stop(&p->inbox);
  return dropped;
}

static int pool_polled (lacus_pool *p) {
  int polled;
  lc_mutex_lock(&p->inbox.lock);
  polled = p->inbox.polling > 0;
  lc_mutex_unlock(&p->inbox.lock);
  return polled;
}

/*
** Scripts may hold the pool still: the last of them frees it. All its futures
** have ended when its home is gone, so every ticket is in the inbox by then.
*/
long lacus_pool_close (lacus_pool *p) {
  long dropped;
  if (p == NULL) return 0;
  if (pool_polled(p)) return LACUS_BUSY;
  if (p->o.linger > 0) lc_pool_finish(p->pool, lc_deadline(p->o.linger));
  dropped = (long)lc_pool_close(p->pool);
  lc_inbox_stop(&p->inbox);
  p->home.hurry = 1;
  lc_pool_release(p->pool);
  lc_home_end(&p->home, p->o.on_log != NULL ? lc_log_say : NULL, p);
  lacus_poll(p, 0, 0);
  lc_shared_release(&p->head);
  return dropped;
}

/* --- the rest --------------------------------------------------------------- */

void lacus_pool_push (lua_State *L, lacus_pool *p) {
  lc_api_home(L);
  lc_pool_hold(p->pool);
  lc_object_push(L, &p->pool->head);
}

int lacus_pool_workers (const lacus_pool *p) { return p->pool->nworkers; }

void lacus_pool_recycle (lacus_pool *p) { lc_pool_recycle(p->pool); }

int lacus_step_wait (lacus_pool *p, int slot, double seconds) {
  uint64_t deadline = seconds < 0 ? LC_NEVER
                      : seconds > 0 ? lc_deadline(seconds) : 0;
  if (!p->pool->stepped || slot < 1 || slot > p->pool->nworkers)
    return LACUS_MISUSE;
  switch (lc_post_step(p->pool, slot, deadline)) {
    case POST_RAN: return 1;
    case POST_NOTHING: return 0;
    case POST_BUSY: return LACUS_BUSY;
    default: return LACUS_CLOSED;
  }
}

int lacus_step (lacus_pool *p, int slot) {
  return lacus_step_wait(p, slot, 0);
}
