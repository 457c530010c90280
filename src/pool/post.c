#include "post.h"

#include <lauxlib.h>

#include "../base/clock.h"
#include "../run/state.h"
#include "../run/timer.h"
#include "../value/object.h"
#include "env.h"
#include "fault.h"
#include "schedule.h"
#include "stop.h"
#include "watch.h"

/* --- threads -------------------------------------------------------------- */

/* Each worker may have a processor of its own. */
static int post_is_roomy (const Pool *p) {
  return p->places <= p->cpus;
}

/* Linux may begin several threads on one processor, though another is idle, and leave
** them there for 4 ms: as long as a short map takes. Where the first one begins differs
** from pool to pool. */
static void post_begin (Worker *w) {
  Pool *p = lc_crew_worker(w)->pool;
  PoolHooks *h = &p->hooks;
  if (p->places > 1 && post_is_roomy(p))
    lc_thread_spread((size_t)((uintptr_t)p / sizeof(Pool)) + (size_t)w->id);
  if (h->start != NULL) h->start(w, h->ud);
}

/* --- opening -------------------------------------------------------------- */

/* The libraries, then what the pool's opener passed on. Protected. */
static int post_libraries (lua_State *L) {
  PoolWorker *pw = lc_crew_worker(lc_worker_of(L));
  size_t at = 0;
  pw->life = WORKER_OPENS;
  pw->full = 0;
  lc_object_lend(L, &pw->pool->head);
  pw->kit.kept = 0;
  lc_random_seed(&pw->kit.random, pw->pool->seed, 0);
  if (pw->pool->warns) lua_warning(L, "@on", 0);
  lua_gc(L, LUA_GCSTOP, 0);            /* nothing of that is garbage */
  lua_pushcfunction(L, pw->pool->libraries);
  lua_call(L, 0, 0);
  lc_env_apply(L, pw->w.codec, &pw->pool->env, &at);
  lua_gc(L, LUA_GCRESTART, 0);
  pw->init_at = at;
  if (pw->pool->hooks.open != NULL && !lc_crew_is_lost(pw))
    pw->pool->hooks.open(L, pw->pool->hooks.ud);
  return 0;
}

/* Also for a state that replaces another, of this worker or of one that was lost: then
** it only counts up, and the pool stops without it. */
static void post_opened (Worker *w, const char *error) {
  PoolWorker *pw = lc_crew_worker(w);
  Pool *p = pw->pool;
  int stop;
  lc_mutex_lock(&p->lock);
  if (error == NULL) p->opened++;
  else {
    p->unopened++;
    if (p->why == NULL) p->why = lc_state_copy_error(p->mem, error);
  }
  if (p->opened + p->unopened >= p->nworkers) lc_cond_broadcast(&p->changed);
  stop = error != NULL && p->opened + p->unopened > p->places && !pw->abandoned;
  lc_mutex_unlock(&p->lock);
  if (stop) lc_schedule_stop(p, "a worker could not open a new state");
}

static int post_init (lua_State *L) {
  PoolWorker *pw = lc_crew_worker(lc_worker_of(L));
  lc_env_init(L, pw->w.codec, &pw->pool->env, pw->init_at);
  return 0;
}

#define LIMIT_HINT " (the pool's option 'memory' is a limit)"

static int post_is_limit (Worker *w) {
  return w->memory != 0 && w->heap.refused > 0;
}

/* Protected: (error value) becomes the whole text of what went wrong. */
static int post_init_failed (lua_State *L) {
  Worker *w = lc_worker_of(L);
  lc_fault_open(L, LUA_ERRRUN);
  lua_pushfstring(L, "init of %s failed: %s%s%s%s", w->name,
                  lua_tostring(L, -3), post_is_limit(w) ? LIMIT_HINT : "",
                  lua_isnil(L, -2) ? "" : "\n",
                  lua_isnil(L, -2) ? "" : lua_tostring(L, -2));
  return 1;
}

static int post_boot (PoolWorker *pw) {
  lua_State *L = pw->w.L;
  int ok;
  pw->booted = 1;
  lua_pushcfunction(L, lc_fault_handler);
  lua_pushcfunction(L, post_init);
  ok = lua_pcall(L, 0, 0, 1) == LUA_OK;
  if (!ok) {
    const char *why = !post_is_limit(&pw->w)
      ? "init failed: not enough memory"
      : "init failed: not enough memory" LIMIT_HINT;
    lua_pushcfunction(L, post_init_failed);
    lua_insert(L, -2);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING)
      why = lua_tostring(L, -1);
    lc_schedule_stop(pw->pool, why);
  }
  else pw->life = WORKER_SERVES;
  lua_settop(L, 0);
  return ok;
}

/* After a task that has met the limit: is the state of any use still? It can
** be asked again while tasks of it wait. */
static void post_relieve (PoolWorker *pw) {
  if (pw->helping || !(pw->w.strained || pw->full)) return;
  lc_schedule_leave(pw);
  pw->full = lc_worker_relieve(&pw->w);
}

/* The epoch is read first: a later one has this state replaced again. */
static int post_renew (PoolWorker *pw) {
  pw->epoch = lc_crew_epoch(pw->pool);
  lc_schedule_leave(pw);
  lc_worker_close(&pw->w);
  pw->kit.ran = 0;
  pw->booted = 0;
  return lc_worker_open(&pw->w);
}

/* Before the next task: a new state if it is time, and its init. 0 also where there is no
** state: another could not be opened, so the pool stops. */
static int post_prepare (PoolWorker *pw) {
  if (pw->w.L == NULL) return 0;
  post_relieve(pw);
  if (lc_crew_is_worn(pw) && !post_renew(pw)) return 0;
  return pw->booted || post_boot(pw);
}

/* --- one task after the other ---------------------------------------------- */

/* Before it sleeps. (Finalizers may run, and take long.) */
static void post_tidy (PoolWorker *pw) {
  lc_run_idle(&pw->kit);
  if (!lc_worker_is_untidy(&pw->w)) return;
  lc_schedule_busy(pw, 1);
  lc_worker_tidy(&pw->w);
  lc_schedule_busy(pw, 0);
}

static Task *post_next (Worker *w) {
  PoolWorker *pw = lc_crew_worker(w);
  Pool *p = pw->pool;
  uint64_t until, spun = 0;
  uint64_t spin_ns = pw->served || post_is_roomy(p) ? p->spin_ns : 0;
  Home *home;
  Task *t;
  pw->served = 1;
  for (;;) {
    if (lc_stop_is_halted(&pw->kit) || !post_prepare(pw)) return NULL;
    if (lc_schedule_look(p, pw, &t)) return t;
    until = lc_timer_next(&w->fibers);
    home = lc_home_open(w->L, w);
    if (lc_home_helps(home)) {
      if (lc_schedule_help_home(pw, home, &until)) continue;
      if (lc_schedule_look(p, pw, &t)) return t;
    }
    if (lc_crew_is_worn(pw)) continue;
    if (spin_ns > 0) {          /* no longer if it is woken in vain meanwhile */
      if (spun == 0) spun = lc_now() + spin_ns;
      if (lc_park(&w->parker, spun, spin_ns)) continue;
      spin_ns = 0;              /* there has been no traffic lately */
    }
    post_tidy(pw);
    atomic_store_explicit(&pw->asleep, 1, memory_order_relaxed);
    lc_park(&w->parker, until, 0);
  }
}

/* It was collected and all its futures have ended, but a task that was cancelled may
** wait yet: nobody would step it again. */
static int post_let_go (Pool *p, PoolWorker *pw) {
  int drained;
  lc_mutex_lock(&p->lock);
  drained = p->draining;
  lc_mutex_unlock(&p->lock);
  if (!drained || pw->w.fibers.current != NULL) return 0;
  lc_post_join(p);
  return 1;
}

int lc_post_step_inlined (Pool *p, uint64_t *until) {
  PoolWorker *pw = p->workers[0];
  Interrupt *before;
  uint64_t timer;
  Task *t;
  int ready, found = 0;
  if (p->joined) return 0;
  before = lc_interrupt_enter(&pw->w.interrupt);
  do {
    ready = post_prepare(pw);
    if (ready) found = lc_schedule_look(p, pw, &t);
  } while (ready && !found && lc_crew_is_worn(pw));
  if (found && t != NULL) t->run(t, &pw->w);
  lc_interrupt_leave(before);
  if (found) return t != NULL || post_let_go(p, pw);
  if (!ready) return 0;
  timer = lc_timer_next(&pw->w.fibers);
  if (timer < *until) *until = timer;
  return 0;
}

/* --- a task at a time, on anybody's threads --------------------------------- */

/* POST_RAN: the caller owns the worker now. */
static PostStep post_enter (Pool *p, PoolWorker *pw) {
  PostStep step = POST_RAN;
  lc_mutex_lock(&p->lock);
  if (p->stopping) step = POST_CLOSED;
  else if (!lc_crew_enter(pw)) step = POST_BUSY;
  lc_mutex_unlock(&p->lock);
  return step;
}

/* The worker is on the idle list while it parks, so it is woken by who queues
** a task and by who stops the pool; and not any more when nobody steps it. */
static PostStep post_serve (Pool *p, PoolWorker *pw, uint64_t deadline) {
  Task *t;
  for (;;) {
    uint64_t until;
    if (!post_prepare(pw)) return POST_CLOSED;
    if (lc_schedule_look(p, pw, &t)) break;
    if (lc_crew_is_worn(pw)) continue;
    if (lc_now() >= deadline) {
      lc_schedule_leave(pw);
      return POST_NOTHING;
    }
    post_tidy(pw);
    until = lc_timer_next(&pw->w.fibers);
    lc_park(&pw->w.parker, until < deadline ? until : deadline, p->spin_ns);
  }
  if (t == NULL) return POST_CLOSED;
  t->run(t, &pw->w);
  return POST_RAN;
}

PostStep lc_post_step (Pool *p, int slot, uint64_t deadline) {
  PoolWorker *pw = p->workers[slot - 1];
  PostStep step = post_enter(p, pw);
  Interrupt *before;
  if (step != POST_RAN) return step;
  before = lc_interrupt_enter(&pw->w.interrupt);
  step = post_serve(p, pw, deadline);
  lc_interrupt_leave(before);
  lc_schedule_vacate(pw);
  return step;
}

void lc_pool_recycle (Pool *p) {
  atomic_fetch_add_explicit(&p->epoch, 1, memory_order_relaxed);
  lc_pool_nudge(p);
}

WorkerLife lc_pool_life (Worker *w) { return lc_crew_worker(w)->life; }

/* --- closing --------------------------------------------------------------- */

static int post_call_close (lua_State *L) {
  PoolHooks *h = &lc_crew_worker(lc_worker_of(L))->pool->hooks;
  h->close(L, h->ud);
  return 0;
}

static void post_closing (Worker *w) {
  PoolWorker *pw = lc_crew_worker(w);
  Pool *p = pw->pool;
  Home *home = lc_home_find(w->L);
  pw->life = WORKER_CLOSES;
  lc_run_close(&pw->kit);
  if (home != NULL && atomic_load_explicit(&p->hurry, memory_order_relaxed))
    home->hurry = 1;
  if (p->hooks.close == NULL || lc_crew_is_lost(pw)) return;
  lua_pushcfunction(w->L, post_call_close);
  if (lua_pcall(w->L, 0, 0, 0) != LUA_OK) lua_pop(w->L, 1);
}

/* The last touch of the pool by this thread, unless it was abandoned. */
static void post_gone (Worker *w) {
  PoolWorker *pw = lc_crew_worker(w);
  Pool *p = pw->pool;
  int last;
  if (p->hooks.stop != NULL && !lc_crew_is_lost(pw))
    p->hooks.stop(w, p->hooks.ud);
  if (lc_watch_gone(pw, &last)) lc_crew_fire(pw);
  if (last) lc_crew_dispose(p);
}

/* Of a worker without a thread: this one is its. */
static void post_close_here (Pool *p, PoolWorker *pw) {
  Interrupt *before;
  lc_mutex_lock(&p->lock);
  lc_crew_enter(pw);
  lc_mutex_unlock(&p->lock);
  before = lc_interrupt_enter(&pw->w.interrupt);
  lc_worker_close(&pw->w);
  lc_interrupt_leave(before);
}

void lc_post_join (Pool *p) {
  int i, here = p->inlined || p->stepped;
  if (p->joined) return;
  p->joined = 1;
  if (!p->inlined) lc_watch_wait(p);
  if (here)             /* an inlined one may never have begun */
    for (i = 0; i < p->nworkers; i++) post_close_here(p, p->workers[i]);
  lc_watch_end(p);
  if (here) return;
  for (i = 0; i < p->nworkers; i++)
    if (p->workers[i] != NULL) lc_worker_join(&p->workers[i]->w);
}

/* --- stopping what runs ------------------------------------------------------ */

static PoolWorker *post_interrupted (Interrupt *it) {
  return (PoolWorker *)(void *)((char *)it - offsetof(PoolWorker, w)
                                - offsetof(Worker, interrupt));
}

static int post_stops (Interrupt *it) {
  return lc_stop_wanted(&post_interrupted(it)->kit);
}

static void post_stopping (Interrupt *it, lua_State *L) {
  lc_stop_keep(&post_interrupted(it)->kit, L);
}

/* Protected: (worker). Below this function, what was interrupted. */
static int post_trace (lua_State *L) {
  PoolWorker *pw = (PoolWorker *)lua_touserdata(L, 1);
  size_t len;
  const char *text;
  lc_fault_trace(L, L, 1);
  text = lua_tolstring(L, -1, &len);
  lc_watch_answer(pw, text, len, lc_run_index(&pw->kit));
  return 0;
}

static void post_probed (Interrupt *it, lua_State *L) {
  if (!lua_checkstack(L, 4)) return;
  lua_pushcfunction(L, post_trace);
  lua_pushlightuserdata(L, post_interrupted(it));
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) lua_pop(L, 1);
}

static int post_yields (Interrupt *it, lua_State *L) {
  return lc_fiber_ends(&post_interrupted(it)->w.fibers, L);
}

static void post_late (Interrupt *it, uint64_t when) {
  lc_watch_late(post_interrupted(it)->pool, when);
}

void lc_post_host (WorkerHost *host) {
  host->begin = post_begin;
  host->libraries = post_libraries;
  host->opened = post_opened;
  host->next = post_next;
  host->closing = post_closing;
  host->gone = post_gone;
  host->ready = lc_schedule_ready;
  host->interrupt.stops = post_stops;
  host->interrupt.stopping = post_stopping;
  host->interrupt.yields = post_yields;
  host->interrupt.probed = post_probed;
  host->interrupt.late = post_late;
}
