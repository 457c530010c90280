#include "lib_wait.h"

#include <lauxlib.h>

#include "../base/clock.h"

/* A sleeping main thread looks up this often, for a hook that a signal
** handler has set. */
#define SLICE_NS 50000000u

Fiber *lc_wait_fiber (Home *home, lua_State *L) {
  return home->worker != NULL ? lc_fiber_here(&home->worker->fibers, L) : NULL;
}

static int wait_stream_listen (void *thing, WaitNode *n) {
  return lc_stream_listen((Stream *)thing, n->waiter);
}

static void wait_stream_unlisten (void *thing, WaitNode *n) {
  (void)n;
  lc_stream_unlisten((Stream *)thing);
}

const WaitKind lc_wait_stream = { wait_stream_listen, wait_stream_unlisten };

static int wait_nothing (lua_State *L) { (void)L; return 0; }

/* The main coroutine, if it is not `L` and has a hook: a signal handler does not know
** which coroutine runs. */
static lua_State *wait_hooked (lua_State *L) {
  int is_main = lua_pushthread(L);
  lua_State *first;
  lua_pop(L, 1);
  if (is_main) return NULL;
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  first = lua_tothread(L, -1);
  lua_pop(L, 1);
  return lua_gethook(first) != NULL ? first : NULL;
}

/* `L` calls, under the hook of `other`. */
static int wait_call_under (lua_State *L, lua_State *other) {
  lua_Hook own = lua_gethook(L);
  int mask = lua_gethookmask(L), count = lua_gethookcount(L), status;
  lua_sethook(L, lua_gethook(other), lua_gethookmask(other),
              lua_gethookcount(other));
  lua_pushcfunction(L, wait_nothing);
  status = lua_pcall(L, 0, 0, 0);
  lua_sethook(L, own, mask, count);
  return status;
}

void lc_wait_poke (lua_State *L) {
  lua_State *hooked = wait_hooked(L);
  if (hooked != NULL && wait_call_under(L, hooked) != LUA_OK) lua_error(L);
  lua_pushcfunction(L, wait_nothing);
  lua_call(L, 0, 0);
}

static void wait_asleep (lua_State *L, Home *home, const WaitKind *kind,
                         void *thing, uint64_t deadline) {
  WaitNode *n = &home->parker.node;
  uint64_t begun = lc_now(), slice = begun + SLICE_NS;
  int woken;
  lc_wait_init(n, &home->parker.waiter);
  if (thing != NULL && !kind->listen(thing, n)) return;
  if (slice > deadline) slice = deadline;
  woken = lc_home_help(home, &slice);
  if (!woken) {
    woken = lc_park(&home->parker, slice, home->patient ? 0 : home->spin_ns);
    home->patient = lc_now() - begun > LC_SPIN_MOST * home->spin_ns;   /* so may the next be */
  }
  if (thing != NULL) kind->unlisten(thing, n);
  if (!woken || wait_hooked(L) != NULL) lc_wait_poke(L);
  lc_interrupt_check(lc_interrupt_here(), L);
  if (lc_home_has_news(home)) lc_home_warn(home, L);
}

/* Within the brackets of lc_pool_help_begin. */
static void wait_on_top (lua_State *L, Worker *w, const WaitKind *kind,
                         void *thing, uint64_t deadline) {
  WaitNode n;
  int open = 1;
  lc_wait_init(&n, &w->parker.waiter);
  while (open && lc_now() < deadline
         && !lc_interrupt_due(&w->interrupt)
         && (thing == NULL || kind->listen(thing, &n)))
    open = lc_pool_help(w, deadline);
  if (thing != NULL) kind->unlisten(thing, &n);
  lc_pool_help_end(w);
  lc_interrupt_check(&w->interrupt, L);
  if (!open) luaL_error(L, "the pool is closed");
}

/*
** In a worker, what waits may wait for what only this worker can do: also
** where no task runs (a finalizer, the <close> of a task that is cancelled).
** While its state closes, nobody is left who would do it; time still passes.
*/
void lc_wait_block (lua_State *L, Home *home, const WaitKind *kind,
                    void *thing, uint64_t deadline) {
  Worker *w = home->worker;
  switch (w != NULL ? lc_pool_life(w) : WORKER_OPENS) {
    case WORKER_SERVES:
      if (lc_pool_help_begin(w))
        wait_on_top(L, w, kind, thing, deadline);
      else if (thing == NULL) wait_asleep(L, home, kind, thing, deadline);
      else
        luaL_error(L, "cannot wait here: a task below, which cannot be "
                      "suspended, waits already (wait outside of sort, gsub, "
                      "metamethods and coroutines)");
      break;
    case WORKER_CLOSES:
      if (thing != NULL)
        luaL_error(L, "cannot wait: the worker is closing its state");
      /* FALLTHROUGH */
    case WORKER_OPENS:
      wait_asleep(L, home, kind, thing, deadline);
      break;
  }
}
