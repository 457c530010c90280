#include "fiber.h"

#include <lauxlib.h>

#include "../base/clock.h"
#include "timer.h"

#define FIBERS_KEPT 64

enum { FIBER_RUNNING, FIBER_PARKED, FIBER_WOKEN };

/* --- birth and death ---------------------------------------------------- */

/*
** release/acquire: what the waker wrote before is seen by who resumes. From
** PARKED only one waker gets to queue it: the one that saw PARKED.
*/
static void fiber_wake (Waiter *waiter) {
  Fiber *f = (Fiber *)(void *)((char *)waiter - offsetof(Fiber, waiter));
  if (atomic_exchange_explicit(&f->state, FIBER_WOKEN, memory_order_acq_rel)
      == FIBER_PARKED)
    f->fs->ready(f->fs, &f->task);
}

static int fiber_make (lua_State *L) {
  Fiber *f = (Fiber *)lua_touserdata(L, 1);
  f->co = lua_newthread(L);
  f->anchor = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static Fiber *fiber_new (Fibers *fs) {
  Fiber *f = (Fiber *)lc_mem_zalloc(fs->mem, fs->size);
  if (f == NULL) return NULL;
  f->fs = fs;
  f->waiter.wake = fiber_wake;
  lc_wait_init(&f->node, &f->waiter);
  lua_pushcfunction(fs->L, fiber_make);
  lua_pushlightuserdata(fs->L, f);
  if (lua_pcall(fs->L, 1, 0, 0) != LUA_OK) {
    lua_pop(fs->L, 1);
    lc_mem_free(fs->mem, f, fs->size);
    return NULL;
  }
  return f;
}

Fiber *lc_fiber_take (Fibers *fs) {
  Fiber *f = fs->spare;
  if (f != NULL) {
    fs->spare = f->next;
    fs->nspare--;
  }
  else if ((f = fiber_new(fs)) == NULL) return NULL;
  f->deadline = f->limit = LC_NEVER;
  return f;
}

void lc_fiber_list (Fiber *f) {
  f->live = f->fs->live;
  f->live_at = &f->fs->live;
  if (f->live != NULL) f->live->live_at = &f->live;
  f->fs->live = f;
}

void lc_fiber_unlist (Fiber *f) {
  *f->live_at = f->live;
  if (f->live != NULL) f->live->live_at = f->live_at;
}

static void fiber_free (Fibers *fs, Fiber *f) {
  luaL_unref(fs->L, LUA_REGISTRYINDEX, f->anchor);
  lc_mem_free(fs->mem, f, fs->size);
}

void lc_fiber_reset (Fiber *f) {
  lc_interrupt_close(f->fs->interrupt, f->fs->L, f->co);
  lua_settop(f->co, 0);
}

void lc_fiber_give (Fibers *fs, Fiber *f) {
  lc_fiber_unpark(f);
  lua_settop(f->co, 0);
  lua_sethook(f->co, NULL, 0, 0);       /* one may have come late */
  if (fs->nspare >= FIBERS_KEPT) {
    fiber_free(fs, f);
    return;
  }
  f->next = fs->spare;
  fs->spare = f;
  fs->nspare++;
}

void lc_fiber_clear (Fibers *fs) {
  while (fs->spare != NULL) {
    Fiber *f = fs->spare;
    fs->spare = f->next;
    fiber_free(fs, f);
  }
  fs->nspare = 0;
}

/* --- waiting ------------------------------------------------------------ */

Fiber *lc_fiber_here (Fibers *fs, lua_State *L) {
  Fiber *f = fs->current;
  return f != NULL && fs->running == L && lua_isyieldable(L) ? f : NULL;
}

int lc_fiber_ends (Fibers *fs, lua_State *L) {
  if (fs->current == NULL || fs->running != L || !lua_isyieldable(L)) return 0;
  fs->ending = 1;
  return 1;
}

int lc_fiber_suspend (lua_State *L, Fiber *f, uint64_t deadline,
                      void (*forget)(Fiber *, void *), void *what,
                      lua_KContext ctx, lua_KFunction k) {
  if (f->limit < deadline) deadline = f->limit;
  if (deadline != LC_NEVER && !lc_timer_reserve(f->fs)) {
    if (forget != NULL) forget(f, what);
    return luaL_error(L, "not enough memory");
  }
  f->deadline = deadline;
  f->forget = forget;
  f->what = what;
  f->fs->parking = 1;
  return lua_yieldk(L, 0, ctx, k);
}

/* acq_rel: pairs with fiber_wake in both directions. */
int lc_fiber_park (Fiber *f) {
  int expected = FIBER_RUNNING;
  if (f->deadline != LC_NEVER) lc_timer_add(f->fs, f);
  return atomic_compare_exchange_strong_explicit(&f->state, &expected,
           FIBER_PARKED, memory_order_acq_rel, memory_order_acquire);
}

void lc_fiber_unpark (Fiber *f) {
  if (f->forget != NULL) f->forget(f, f->what);
  f->forget = NULL;
  f->what = NULL;
  if (f->timer != 0) lc_timer_remove(f->fs, f);
  f->deadline = LC_NEVER;
  atomic_exchange_explicit(&f->state, FIBER_RUNNING, memory_order_acq_rel);
}
