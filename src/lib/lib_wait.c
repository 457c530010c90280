#include "lib_wait.h"

#include <lauxlib.h>

#include "../base/clock.h"

/* A sleeping main thread looks up this often, for a hook that a signal
** handler has set. */
#define SLICE_NS 50000000u

Fiber *lc_wait_fiber (Home *home, lua_State *L) {
  return home->worker != NULL ? lc_fiber_here(&home->worker->fibers, L) : NULL;
}

/* A hook that was set while we slept fires in this call. */
static int wait_nothing (lua_State *L) { (void)L; return 0; }

static void wait_asleep (lua_State *L, Home *home, const WaitKind *kind,
                         void *thing, uint64_t deadline) {
  WaitNode n;
  uint64_t slice = lc_now() + SLICE_NS;
  int woken;
  n.at = NULL;
  n.waiter = &home->parker.waiter;
  if (!kind->listen(thing, &n)) return;
  if (slice > deadline) slice = deadline;
  woken = lc_home_help(home, &slice)
          || lc_park(&home->parker, slice, home->spin_ns);
  kind->unlisten(thing, &n);
  if (woken) return;
  lua_pushcfunction(L, wait_nothing);
  lua_call(L, 0, 0);
}

static void wait_on_top (lua_State *L, Worker *w, const WaitKind *kind,
                         void *thing, uint64_t deadline) {
  WaitNode n;
  int open = 1;
  n.at = NULL;
  n.waiter = &w->parker.waiter;
  if (!lc_pool_help_begin(w))
    luaL_error(L, "cannot wait here: a task below, which cannot be suspended, "
                  "waits already (wait outside of sort, gsub, metamethods "
                  "and coroutines)");
  while (open && lc_now() < deadline && kind->listen(thing, &n))
    open = lc_pool_help(w, deadline);
  kind->unlisten(thing, &n);
  lc_pool_help_end(w);
  if (!open) luaL_error(L, "the pool is closed");
}

void lc_wait_block (lua_State *L, Home *home, const WaitKind *kind,
                    void *thing, uint64_t deadline) {
  if (home->worker != NULL && home->worker->fibers.current != NULL)
    wait_on_top(L, home->worker, kind, thing, deadline);
  else wait_asleep(L, home, kind, thing, deadline);
}
