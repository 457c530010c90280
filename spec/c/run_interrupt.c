/*
** A fake worker and those who ask it to stop, thousands of times, each at its own
** pace: whatever is cancelled is stopped, and nothing else is. Also under
** ThreadSanitizer, which holds signals back until a system call: so what runs
** here makes them.
*/
#include "check.h"

#include <stdlib.h>

#include <lauxlib.h>
#include <lualib.h>

#include "base/clock.h"
#include "run/interrupt.h"

enum { ROUNDS = 1000, PATIENCE_S = 60 };

/* What runs in one round. It goes on until it is stopped, or, if `ends`, for so many steps. */
typedef struct Work {
  int ends;
  int begun, steps, stopped;  /* the owner's */
  _Atomic(int) cancelled;
} Work;

typedef struct Rig {
  /* first: what the functions of the host are given */
  Interrupt it;
  Thread owner;
  Mutex lock;                 /* as the pool's: one asker at a time */
  lua_State *L;
  Work works[ROUNDS];
  Work *now;                  /* the owner's, as RunKit's */
  int wrong;                  /* stopped, and not cancelled */
  _Atomic(int) round;         /* that has begun */
  _Atomic(int) lates;         /* how often the watch was called */
} Rig;

static Rig *rig_of (Interrupt *it) { return (Rig *)(void *)it; }

/* Slow: what it says may be old by then. */
static int rig_stops (Interrupt *it) {
  Work *w = rig_of(it)->now;
  int stops = w != NULL && atomic_load(&w->cancelled);
  lc_thread_yield();
  return stops;
}
static void rig_stopping (Interrupt *it, lua_State *L) {
  (void)L;
  rig_of(it)->wrong += !rig_stops(it);
}
static int rig_yields (Interrupt *it, lua_State *L) {
  (void)it;
  return lua_isyieldable(L);
}
static void rig_probed (Interrupt *it, lua_State *L) { (void)it; (void)L; }
static void rig_late (Interrupt *it, uint64_t when) {
  (void)when;
  atomic_fetch_add(&rig_of(it)->lates, 1);
}

static const InterruptHost rig_host = {
  rig_stops, rig_stopping, rig_yields, rig_probed, rig_late
};

static void rig_open (Rig *r) {
  memset(r, 0, sizeof *r);
  lc_interrupt_init(&r->it, &rig_host);
  lc_mutex_init(&r->lock);
  r->L = luaL_newstate();
  luaL_openlibs(r->L);
}

static void rig_close (Rig *r) {
  lua_close(r->L);
  lc_mutex_free(&r->lock);
  free(r);
}

static void rig_round (Rig *r, int i);

/* A system call, and whether to go on. The first step of each third runs another
** on top, and may be cancelled or not meanwhile. */
static int rig_step (lua_State *L) {
  Rig *r = (Rig *)lua_touserdata(L, lua_upvalueindex(1));
  Work *w = r->now;
  int i = (int)(w - r->works);
  (void)lc_now();
  if (w->steps++ == 0 && i % 3 == 0 && i + 1 < ROUNDS) rig_round(r, i + 1);
  lua_pushboolean(L, w->ends == 0 || w->steps < w->ends);
  return 1;
}

/* The coroutine in which one is to run; it stays on the stack. */
static lua_State *rig_code (Rig *r) {
  lua_State *co = lua_newthread(r->L);
  luaL_loadstring(co, "local step = ... while step() do end");
  lua_pushlightuserdata(co, r);
  lua_pushcclosure(co, rig_step, 1);
  return co;
}

static void rig_go (Rig *r, Work *w, lua_State *co) {
  int n;
  w->stopped = lua_resume(co, r->L, 1, &n) == LUA_YIELD;
  if (w->stopped) lc_interrupt_close(&r->it, r->L, co);
}

/* As run_go. */
static void rig_round (Rig *r, int i) {
  Work *w = &r->works[i], *below = r->now;
  Turn outer;
  lua_State *co = rig_code(r);
  r->now = w;
  w->begun = 1;
  lc_interrupt_begin(&r->it, &outer, w, co);
  atomic_store(&r->round, i + 1);
  if (i % 5 == 0) lc_interrupt_next(&r->it, LC_NEVER);
  if (!rig_stops(&r->it)) rig_go(r, w, co);
  else w->stopped = 1;
  r->now = below;
  lc_interrupt_end(&r->it, &outer);
  lua_pop(r->L, 1);
}

static void rig_main (void *ud) {
  Rig *r = (Rig *)ud;
  int i;
  lc_interrupt_enter(&r->it);
  r->it.deepest = r->L;
  for (i = 0; i < ROUNDS; i++)
    if (!r->works[i].begun) rig_round(r, i);
  lc_interrupt_leave(NULL);
  atomic_store(&r->round, ROUNDS + 1);
}

/* As lc_watch_cancel. */
static void ask_for (Rig *r, Work *w) {
  unsigned turn;
  atomic_store(&w->cancelled, 1);
  lc_mutex_lock(&r->lock);
  turn = lc_interrupt_turn(&r->it, w);
  if (turn != 0) {
    lc_interrupt_ask(&r->it, turn);
    lc_interrupt_tell(&r->it, &r->owner);
  }
  lc_mutex_unlock(&r->lock);
}

/* Tells again and again, as the watch; and reads a limit. */
static void look_after (void *ud) {
  Rig *r = (Rig *)ud;
  while (atomic_load(&r->round) <= ROUNDS) {
    lc_mutex_lock(&r->lock);
    if (atomic_load(&r->round) <= ROUNDS) {
      CHECK_INT(lc_interrupt_late(&r->it, lc_now()), 0);
      lc_interrupt_tell(&r->it, &r->owner);
    }
    lc_mutex_unlock(&r->lock);
    lc_thread_yield();
  }
}

/* Asks once in each round, for nothing, and again when that is over: neither
** must take away what was asked for something. */
static void ask_for_nothing (void *ud) {
  Rig *r = (Rig *)ud;
  unsigned old = 0;
  int i, before = 0;
  while ((i = atomic_load(&r->round)) <= ROUNDS) {
    if (i == before) lc_thread_yield();
    else {
      unsigned turn = lc_interrupt_turn(&r->it, &r->works[i - 1]);
      if (turn != 0) lc_interrupt_ask(&r->it, turn);
      if (old != 0) lc_interrupt_ask(&r->it, old);
      old = turn;
      before = i;
    }
  }
}

/* When to cancel the i-th: early, once it has begun, or once another runs on top. */
static void await (Rig *r, int i) {
  uint64_t until = lc_now() + (uint64_t)PATIENCE_S * 1000000000u;
  int round = i % 7 == 0 ? 0 : i % 6 == 0 && i + 1 < ROUNDS ? i + 2 : i + 1;
  while (atomic_load(&r->round) < round && lc_now() < until) lc_thread_yield();
  for (i %= 64; i > 0; i--) lc_thread_yield();
}

static void all_that_is_cancelled_stops (void) {
  Rig *r = (Rig *)malloc(sizeof(Rig));
  Thread watch, slow;
  int i, missed = 0;
  REQUIRE(r != NULL);
  rig_open(r);
  for (i = 0; i < ROUNDS; i++)        /* those that end may be cancelled too late */
    r->works[i].ends = i % 4 == 0 ? i % 50 + 1 : 0;
  lc_mutex_lock(&r->lock);
  CHECK_INT(lc_thread_start(&r->owner, rig_main, r, 0), 0);
  lc_mutex_unlock(&r->lock);
  lc_thread_start(&watch, look_after, r, 0);
  lc_thread_start(&slow, ask_for_nothing, r, 0);
  for (i = 0; i < ROUNDS; i++) {
    await(r, i);
    if (r->works[i].ends == 0 || i % 8 == 0) ask_for(r, &r->works[i]);
  }
  lc_thread_join(&watch);
  lc_thread_join(&slow);
  lc_thread_join(&r->owner);
  CHECK_INT(r->wrong, 0);
  for (i = 0; i < ROUNDS; i++) missed += r->works[i].ends == 0 && !r->works[i].stopped;
  CHECK_INT(missed, 0);
  rig_close(r);
}

/* The owner has asked itself in a newer turn: nobody else would. */
static void a_slow_asker_takes_no_other_ask_away (void) {
  Rig *r = (Rig *)malloc(sizeof(Rig));
  Turn outer;
  unsigned old;
  REQUIRE(r != NULL);
  rig_open(r);
  lc_interrupt_begin(&r->it, &outer, &r->works[0], r->L);
  old = lc_interrupt_turn(&r->it, &r->works[0]);
  lc_interrupt_next(&r->it, LC_NEVER);
  lc_interrupt_closing(&r->it);
  lc_interrupt_ask(&r->it, old);
  CHECK_INT(atomic_load(&r->it.asked), atomic_load(&r->it.turn));
  lc_interrupt_end(&r->it, &outer);
  rig_close(r);
}

static void turns_go_round (void) {
  Rig *r = (Rig *)malloc(sizeof(Rig));
  Turn outer;
  unsigned old;
  REQUIRE(r != NULL);
  rig_open(r);
  atomic_store(&r->it.turn, (unsigned)-1);
  lc_interrupt_ask(&r->it, 0);
  old = atomic_load(&r->it.asked);
  lc_interrupt_begin(&r->it, &outer, &r->works[0], r->L);
  CHECK_INT(lc_interrupt_turn(&r->it, &r->works[0]), 1);
  CHECK_INT(lc_interrupt_turn(&r->it, &r->works[1]), 0);
  lc_interrupt_ask(&r->it, old);
  lc_interrupt_ask(&r->it, 1);
  CHECK_INT(atomic_load(&r->it.asked), 1);
  lc_interrupt_ask(&r->it, old);
  CHECK_INT(atomic_load(&r->it.asked), 1);
  lc_interrupt_end(&r->it, &outer);
  rig_close(r);
}

int main (void) {
  RUN(all_that_is_cancelled_stops);
  RUN(a_slow_asker_takes_no_other_ask_away);
  RUN(turns_go_round);
  return check_end();
}
