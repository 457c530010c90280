#include "pool.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"
#include "../run/state.h"
#include "../run/timer.h"
#include "../value/object.h"
#include "env.h"
#include "fault.h"

/* Every so often a worker takes from the queue first. */
#define LOOKS_FAIR 61

static PoolWorker *pool_worker (Worker *w) { return (PoolWorker *)(void *)w; }

/* --- stopping ----------------------------------------------------------- */

static size_t pool_drop_tasks (TaskList *l) {
  size_t n = 0;
  Task *t;
  while ((t = lc_tasks_pop_first(l)) != NULL) {
    n += t->items;
    t->drop(t);
  }
  return n;
}

/* All queued tasks become the caller's; lock held. Fibers that are ready stay
** with their worker, which may free them from here on. */
static void pool_take_all (Pool *p, TaskList *all) {
  Task *t;
  int i;
  *all = p->queue;
  p->queue.first = p->queue.last = NULL;
  for (i = 0; i < p->nworkers; i++) {
    while ((t = lc_tasks_pop_last(&p->workers[i].mine)) != NULL)
      lc_tasks_push_last(all, t);
    while ((t = lc_tasks_pop_first(&p->workers[i].ready)) != NULL)
      if (t->drop != NULL) lc_tasks_push_last(all, t);
  }
  p->nmine = 0;
}

/*
** No task is taken or queued from here on. The first `why` (may be NULL)
** stays. Gives the number of tasks dropped. Any thread.
*/
static size_t pool_stop (Pool *p, const char *why) {
  TaskList all;
  Stream *s;
  PoolWorker *idle;
  lc_mutex_lock(&p->lock);
  if (p->why == NULL && why != NULL && !p->stopping)
    p->why = lc_state_copy_error(p->mem, why);
  p->stopping = 1;
  pool_take_all(p, &all);
  for (idle = p->idle; idle != NULL; idle = idle->next_idle) {
    idle->idle = 0;
    lc_unpark(&idle->w.parker);
  }
  p->idle = NULL;
  lc_mutex_unlock(&p->lock);
  lc_mutex_lock(&p->streams_lock);
  for (s = p->streams; s != NULL; s = s->next) lc_stream_break(s);
  lc_mutex_unlock(&p->streams_lock);
  return pool_drop_tasks(&all);
}

size_t lc_pool_stop (Pool *p) { return pool_stop(p, NULL); }

void lc_pool_join (Pool *p) {
  int i;
  if (p->joined) return;
  p->joined = 1;
  if (p->inlined) {
    lc_worker_close(&p->workers[0].w);
    return;
  }
  for (i = 0; i < p->nworkers; i++) lc_worker_join(&p->workers[i].w);
}

size_t lc_pool_close (Pool *p) {
  size_t dropped = pool_stop(p, NULL);
  lc_pool_join(p);
  return dropped;
}

int lc_pool_alive (Pool *p, lua_State *L) {
  int stopping;
  const char *why;
  lc_mutex_lock(&p->lock);
  stopping = p->stopping;
  why = p->why;                    /* once set, it stays */
  lc_mutex_unlock(&p->lock);
  if (stopping) lua_pushstring(L, why != NULL ? why : "the pool is closed");
  return !stopping;
}

/* --- a worker's life ---------------------------------------------------- */

/* The libraries, then what the pool's opener passed on. Protected. */
static int pool_libraries (lua_State *L) {
  PoolWorker *pw = pool_worker(lc_worker_of(L));
  size_t at = 0;
  pw->life = WORKER_OPENS;
  lc_object_lend(L, &pw->pool->head);
  pw->kit.kept = 0;
  lc_random_seed(&pw->kit.random, pw->pool->seed, 0);
  lua_pushcfunction(L, pw->pool->libraries);
  lua_call(L, 0, 0);
  lc_env_apply(L, pw->w.codec, &pw->pool->env, &at);
  pw->init_at = at;
  return 0;
}

/* Also for a state that replaces another: then it only counts up. */
static void pool_opened (Worker *w, const char *error) {
  Pool *p = pool_worker(w)->pool;
  lc_mutex_lock(&p->lock);
  if (error == NULL) p->opened++;
  else {
    p->unopened++;
    if (p->why == NULL) p->why = lc_state_copy_error(p->mem, error);
  }
  lc_cond_broadcast(&p->changed);
  lc_mutex_unlock(&p->lock);
}

static int pool_init (lua_State *L) {
  PoolWorker *pw = pool_worker(lc_worker_of(L));
  lc_env_init(L, pw->w.codec, &pw->pool->env, pw->init_at);
  return 0;
}

/* Protected: (error value) becomes the whole text of what went wrong. */
static int pool_init_failed (lua_State *L) {
  Worker *w = lc_worker_of(L);
  lc_fault_open(L, LUA_ERRRUN);
  lua_pushfstring(L, "init of %s failed: %s%s%s", w->name,
                  lua_tostring(L, -3), lua_isnil(L, -2) ? "" : "\n",
                  lua_isnil(L, -2) ? "" : lua_tostring(L, -2));
  return 1;
}

static int pool_boot (PoolWorker *pw) {
  lua_State *L = pw->w.L;
  int ok;
  pw->booted = 1;
  lua_pushcfunction(L, lc_fault_handler);
  lua_pushcfunction(L, pool_init);
  ok = lua_pcall(L, 0, 0, 1) == LUA_OK;
  if (!ok) {
    const char *why = "init failed: not enough memory";
    lua_pushcfunction(L, pool_init_failed);
    lua_insert(L, -2);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING)
      why = lua_tostring(L, -1);
    pool_stop(pw->pool, why);
  }
  else pw->life = WORKER_SERVES;
  lua_settop(L, 0);
  return ok;
}

/* Whether the state is to be replaced, and can: no task of it waits. */
static int pool_is_worn (Pool *p, PoolWorker *pw) {
  /* Relaxed: the epoch orders nothing. */
  unsigned epoch = atomic_load_explicit(&p->epoch, memory_order_relaxed);
  int worn = pw->epoch != epoch
             || (p->recycle != 0 && pw->kit.ran >= p->recycle);
  if (!worn || pw->w.fibers.live != NULL || pw->kit.kept > 0 || pw->helping)
    return 0;
  pw->epoch = epoch;
  return 1;
}

static int pool_renew (Pool *p, PoolWorker *pw) {
  lc_worker_close(&pw->w);
  pw->kit.ran = 0;
  pw->booted = 0;
  if (lc_worker_open(&pw->w)) return 1;
  pool_stop(p, "a worker could not open a new state");
  return 0;
}

/* Before the next task: a new state if it is time, and its init. */
static int pool_prepare (PoolWorker *pw) {
  Pool *p = pw->pool;
  if (pool_is_worn(p, pw) && !pool_renew(p, pw)) return 0;
  return pw->booted || pool_boot(pw);
}

static void pool_unlist_idle (Pool *p, PoolWorker *pw) {
  PoolWorker **at = &p->idle;
  while (*at != pw) at = &(*at)->next_idle;
  *at = pw->next_idle;
  pw->idle = 0;
}

/* Takes an idle worker off the list, to be woken; lock held. */
static PoolWorker *pool_take_idle (Pool *p) {
  PoolWorker *idle = p->idle;
  if (idle != NULL) {
    p->idle = idle->next_idle;
    idle->idle = 0;
  }
  return idle;
}

/* The oldest task that another worker's tasks have started; lock held. */
static Task *pool_steal (Pool *p, PoolWorker *pw) {
  int i;
  if (p->nmine == 0) return NULL;
  for (i = 1; i < p->nworkers; i++) {
    PoolWorker *other = &p->workers[(pw->w.id - 1 + i) % p->nworkers];
    Task *t = lc_tasks_pop_last(&other->mine);
    if (t != NULL) {
      p->nmine--;
      return t;
    }
  }
  return NULL;
}

/* The next task by the order in pool.h, or NULL; lock held. */
static Task *pool_pick (Pool *p, PoolWorker *pw) {
  Task *t = NULL;
  if (++pw->looks % LOOKS_FAIR == 0) t = lc_tasks_pop_first(&p->queue);
  if (t == NULL) t = lc_tasks_pop_first(&pw->ready);
  if (t != NULL) return t;
  t = lc_tasks_pop_first(&pw->mine);
  if (t != NULL) {
    p->nmine--;
    return t;
  }
  t = lc_tasks_pop_first(&p->queue);
  return t != NULL ? t : pool_steal(p, pw);
}

/* 0 when there is nothing to do and the worker is idle; else *t is a task,
** or NULL when the pool is stopping. */
static int pool_look (Pool *p, PoolWorker *pw, Task **t) {
  int decided;
  *t = NULL;
  if (pw->w.fibers.ntimers > 0) lc_timer_expire(&pw->w.fibers, lc_now());
  lc_mutex_lock(&p->lock);
  if (pw->idle) pool_unlist_idle(p, pw);
  if (!p->stopping) *t = pool_pick(p, pw);
  decided = p->stopping || *t != NULL;
  if (!decided) {
    pw->next_idle = p->idle;
    p->idle = pw;
    pw->idle = 1;
  }
  lc_mutex_unlock(&p->lock);
  return decided;
}

/*
** Pools without threads that tasks have opened run where their state does: one
** task of such a pool, off the idle list meanwhile, or a wake would go to a
** worker that is busy. 0: there was none, and it is not on the list.
*/
static int pool_help_home (PoolWorker *pw, Home *home, uint64_t *until) {
  Pool *p = pw->pool;
  lc_mutex_lock(&p->lock);
  if (pw->idle) pool_unlist_idle(p, pw);
  lc_mutex_unlock(&p->lock);
  return lc_home_help(home, until);
}

/* Nothing to do: waits for a token, spinning first. */
static int pool_rest (Pool *p, Worker *w, uint64_t deadline) {
  uint64_t timer = lc_timer_next(&w->fibers), spun;
  if (timer < deadline) deadline = timer;
  if (p->spin_ns > 0) {
    spun = lc_now() + p->spin_ns;
    if (spun > deadline) spun = deadline;
    if (lc_park(&w->parker, spun, p->spin_ns)) return 1;
  }
  return lc_park(&w->parker, deadline, 0);
}

static Task *pool_next (Worker *w) {
  PoolWorker *pw = pool_worker(w);
  Pool *p = pw->pool;
  uint64_t until;
  Home *home;
  Task *t;
  for (;;) {
    if (!pool_prepare(pw)) return NULL;
    if (pool_look(p, pw, &t)) return t;
    until = lc_timer_next(&w->fibers);
    home = lc_home_open(w->L, w);
    if (lc_home_helps(home)) {
      if (pool_help_home(pw, home, &until)) continue;
      if (pool_look(p, pw, &t)) return t;
    }
    if (p->spin_ns > 0
        && lc_park(&w->parker, lc_now() + p->spin_ns, p->spin_ns)) continue;
    lc_run_idle(&pw->kit);
    lc_worker_tidy(w);
    lc_park(&w->parker, until, 0);
  }
}

void lc_pool_recycle (Pool *p) {
  atomic_fetch_add_explicit(&p->epoch, 1, memory_order_relaxed);
  lc_pool_nudge(p);
}

void lc_pool_nudge (Pool *p) {
  PoolWorker *idle;
  lc_mutex_lock(&p->lock);
  for (idle = p->idle; idle != NULL; idle = idle->next_idle)
    lc_unpark(&idle->w.parker);
  lc_mutex_unlock(&p->lock);
}

/* An inlined pool has news for the thread it runs on, wherever that waits; lock
** held. */
static void pool_tell_home (Pool *p) {
  if (!p->inlined) return;
  lc_unpark(&p->home->parker);
  if (p->home->worker != NULL) lc_unpark(&p->home->worker->parker);
}

/* For this worker alone. 0 when the pool is stopping. */
static int pool_queue_for (PoolWorker *pw, Task *t) {
  Pool *p = pw->pool;
  int wake, taken;
  lc_mutex_lock(&p->lock);
  taken = !p->stopping;
  if (taken) lc_tasks_push_last(&pw->ready, t);
  wake = pw->idle;
  if (wake) pool_unlist_idle(p, pw);
  if (taken) pool_tell_home(p);
  lc_mutex_unlock(&p->lock);
  if (wake) lc_unpark(&pw->w.parker);
  return taken;
}

/* A fiber may go on. Any thread; a sink's lock may be held. In a pool that is
** stopping it stays on the list of live fibers, which its worker drops. */
static void pool_ready (Fibers *fs, Task *t) {
  Worker *w = (Worker *)(void *)((char *)fs - offsetof(Worker, fibers));
  pool_queue_for(pool_worker(w), t);
}

/* One task of an inlined pool, on its home's thread. */
static int pool_step_inlined (Pool *p, uint64_t *until) {
  PoolWorker *pw = &p->workers[0];
  uint64_t timer;
  Task *t;
  if (p->joined || !pool_prepare(pw)) return 0;
  if (pool_look(p, pw, &t)) {
    if (t != NULL) t->run(t, &pw->w);
    return t != NULL;
  }
  timer = lc_timer_next(&pw->w.fibers);
  if (timer < *until) *until = timer;
  return 0;
}

WorkerLife lc_pool_life (Worker *w) { return pool_worker(w)->life; }

int lc_pool_help_begin (Worker *w) {
  PoolWorker *pw = pool_worker(w);
  if (pw->helping) return 0;
  pw->helping = 1;
  return 1;
}

/*
** Who took this worker off the idle list meanwhile had a task in mind, which it
** may not have looked for: one token can stand for two wakes. So another idle
** worker is sent to look.
*/
void lc_pool_help_end (Worker *w) {
  PoolWorker *pw = pool_worker(w), *other = NULL;
  Pool *p = pw->pool;
  pw->helping = 0;
  lc_mutex_lock(&p->lock);
  if (pw->idle) pool_unlist_idle(p, pw);
  else if (p->queue.first != NULL || p->nmine > 0) other = pool_take_idle(p);
  lc_mutex_unlock(&p->lock);
  if (other != NULL) lc_unpark(&other->w.parker);
}

int lc_pool_help (Worker *w, uint64_t deadline) {
  PoolWorker *pw = pool_worker(w);
  Task *t;
  if (pool_look(pw->pool, pw, &t)) {
    if (t == NULL) return 0;
    t->run(t, w);
  }
  else {
    Home *home = lc_home_open(w->L, w);
    if (lc_home_helps(home)) {
      if (pool_help_home(pw, home, &deadline)) return 1;
      if (pool_look(pw->pool, pw, &t)) {
        if (t != NULL) t->run(t, w);
        return t != NULL;
      }
    }
    pool_rest(pw->pool, w, deadline);
  }
  return 1;
}

static void pool_closing (Worker *w) {
  PoolWorker *pw = pool_worker(w);
  pw->life = WORKER_CLOSES;
  lc_run_close(&pw->kit);
}

/* The last touch of the pool by this thread is the unlock. */
static void pool_gone (Worker *w) {
  Pool *p = pool_worker(w)->pool;
  lc_mutex_lock(&p->lock);
  p->gone++;
  lc_cond_broadcast(&p->changed);
  lc_mutex_unlock(&p->lock);
}

/* --- tasks -------------------------------------------------------------- */

static void pool_run_batch (Task *t, Worker *w) {
  lc_run_batch(&pool_worker(w)->kit, (Batch *)t);
}

/* 0 when the pool is stopping. */
static int pool_queue (Pool *p, PoolWorker *on, Task *t) {
  PoolWorker *idle = NULL;
  int taken;
  lc_mutex_lock(&p->lock);
  taken = !p->stopping;
  if (taken) {
    if (on == NULL) lc_tasks_push_last(&p->queue, t);
    else {
      lc_tasks_push_first(&on->mine, t);
      p->nmine++;
    }
    idle = pool_take_idle(p);
    pool_tell_home(p);
  }
  lc_mutex_unlock(&p->lock);
  if (idle != NULL) lc_unpark(&idle->w.parker);
  return taken;
}

static void pool_send (void *pool, void *self, Batch *b) {
  if (!pool_queue((Pool *)pool, (PoolWorker *)self, &b->task))
    b->task.drop(&b->task);
}

/* The worker `w`, if it is one of this pool's. */
static PoolWorker *pool_own (Pool *p, Worker *w) {
  PoolWorker *pw = w != NULL ? pool_worker(w) : NULL;
  return pw != NULL && pw->pool == p ? pw : NULL;
}

/*
** The seed of what is started on `on`, and what is added to its indexes. In a
** task of the pool: its own, whatever other tasks do. Else: the pool's; `counted`
** tasks, which have no index, get the next number.
*/
static void pool_sow (Pool *p, PoolWorker *on, int counted, uint64_t *seed,
                      uint64_t *base) {
  *base = 0;
  *seed = p->seed;
  if (!p->seeded || (on != NULL && lc_run_sow(&on->kit, seed)) || !counted)
    return;
  lc_mutex_lock(&p->lock);
  *base = p->submits++;
  lc_mutex_unlock(&p->lock);
}

Random *lc_pool_random (Worker *w) {
  PoolWorker *pw = pool_worker(w);
  return pw->pool->seeded ? lc_run_random(&pw->kit) : NULL;
}

void lc_pool_keep (Worker *w, int by) {
  pool_worker(w)->kit.kept += (size_t)(ptrdiff_t)by;
}

Stream *lc_pool_begin (Pool *p, Home *home, const StreamOptions *options) {
  StreamLink link;
  Stream *s;
  int stopping;
  link.send = pool_send;
  link.pool = p;
  link.self = pool_own(p, home->worker);
  link.foreign = p->home != home;
  link.run = pool_run_batch;
  link.workers = p->nworkers;
  s = lc_stream_new(p->mem, &link, options);
  if (s == NULL) return NULL;
  pool_sow(p, pool_own(p, home->worker), options->single, &s->seed, &s->base);
  lc_mutex_lock(&p->streams_lock);
  s->next = p->streams;
  s->link_at = &p->streams;
  if (s->next != NULL) s->next->link_at = &s->next;
  p->streams = s;
  lc_mutex_unlock(&p->streams_lock);
  lc_mutex_lock(&p->lock);
  stopping = p->stopping;
  lc_mutex_unlock(&p->lock);
  if (stopping) lc_stream_break(s);
  return s;
}

size_t lc_pool_end (Pool *p, Stream *s) {
  size_t left;
  lc_mutex_lock(&p->streams_lock);
  *s->link_at = s->next;
  if (s->next != NULL) s->next->link_at = s->link_at;
  lc_mutex_unlock(&p->streams_lock);
  left = lc_stream_close(s);
  lc_stream_release(s);
  return left;
}

/* --- futures ------------------------------------------------------------- */

/* The last touch of the pool is the unlock: whoever frees it waits for that. */
static void pool_future_ended (void *pool) {
  Pool *p = (Pool *)pool;
  lc_mutex_lock(&p->lock);
  if (p->draining && p->pending == 1) {
    lc_mutex_unlock(&p->lock);
    pool_stop(p, NULL);
    lc_mutex_lock(&p->lock);
  }
  if (--p->pending == 0) lc_cond_broadcast(&p->changed);
  lc_mutex_unlock(&p->lock);
}

/* 0 when the pool is stopping. */
static int pool_expect (Pool *p) {
  int open;
  lc_mutex_lock(&p->lock);
  open = !p->stopping;
  if (open) p->pending++;
  lc_mutex_unlock(&p->lock);
  return open;
}

Future *lc_pool_submit (Pool *p, Worker *on, Batch *b, int to) {
  FutureLink link;
  Future *f;
  int taken;
  link.ended = pool_future_ended;
  link.pool = p;
  if (!pool_expect(p)) return NULL;
  if (to > 0) {
    b->seed = p->seed;
    b->base = (uint64_t)to;
  }
  else {
    pool_sow(p, pool_own(p, on), 1, &b->seed, &b->base);
    b->base++;                  /* its index is 0 */
  }
  f = lc_future_new(p->mem, &link, b, pool_run_batch);
  if (f == NULL) {
    pool_future_ended(p);
    return NULL;
  }
  if (to > 0) taken = pool_queue_for(&p->workers[to - 1], &b->task);
  else taken = pool_queue(p, pool_own(p, on), &b->task);
  if (!taken) b->task.drop(&b->task);
  return f;
}

/* An inlined pool's tasks run here; a timer may be all there is to wait for. */
static void pool_finish_inlined (Pool *p, uint64_t deadline) {
  for (;;) {
    uint64_t until = deadline;
    int left;
    lc_mutex_lock(&p->lock);
    left = p->pending > 0 && !p->stopping;
    lc_mutex_unlock(&p->lock);
    if (!left || lc_now() >= deadline) return;
    if (!pool_step_inlined(p, &until)) lc_park(&p->home->parker, until, 0);
  }
}

int lc_pool_finish (Pool *p, uint64_t deadline) {
  int done;
  if (p->inlined) pool_finish_inlined(p, deadline);
  lc_mutex_lock(&p->lock);
  while (p->pending > 0 && !p->stopping) {
    if (deadline == LC_NEVER) lc_cond_wait(&p->changed, &p->lock);
    else if (!lc_cond_wait_until(&p->changed, &p->lock, deadline)) break;
  }
  done = p->pending == 0 || p->stopping;
  lc_mutex_unlock(&p->lock);
  return done;
}

/* --- birth and death ---------------------------------------------------- */

static void pool_dispose (Pool *p, int workers, int of) {
  int i;
  for (i = 0; i < workers; i++) lc_worker_free(&p->workers[i].w);
  lc_mem_free(p->mem, p->workers, (size_t)of * sizeof(PoolWorker));
  if (p->why != NULL) lc_mem_free(p->mem, p->why, strlen(p->why) + 1);
  lc_message_drop(&p->env);
  lc_cond_free(&p->changed);
  lc_mutex_free(&p->streams_lock);
  lc_mutex_free(&p->lock);
  lc_mem_free(p->mem, p, sizeof(Pool));
}

/* release: orders this holder's last use before the home frees it. */
static void pool_forget (Shared *s) {
  Pool *p = lc_pool_from(s);
  int stop, dispose;
  lc_mutex_lock(&p->lock);
  p->draining = 1;
  stop = p->pending == 0;
  lc_mutex_unlock(&p->lock);
  if (stop) pool_stop(p, NULL);
  lc_mutex_lock(&p->lock);
  atomic_store_explicit(&p->forgotten, 1, memory_order_release);
  dispose = p->homeless;
  lc_mutex_unlock(&p->lock);
  if (dispose) pool_dispose(p, p->nworkers, p->nworkers);
}

const SharedKind lc_pool_kind = { "lacus.pool", pool_forget };

void lc_pool_hold (Pool *p) { lc_shared_hold(&p->head); }
void lc_pool_release (Pool *p) { if (p != NULL) lc_shared_release(&p->head); }

static int pool_is_gone (Pool *p) {
  int gone;
  if (!atomic_load_explicit(&p->forgotten, memory_order_acquire)) return 0;
  lc_mutex_lock(&p->lock);
  gone = p->inlined ? p->stopping : p->gone == p->nworkers;
  lc_mutex_unlock(&p->lock);
  return gone;
}

/* --- what the home sees -------------------------------------------------- */

/* What was submitted is finished first, unless the script has failed. */
static void pool_resident_stop (Resident *r) {
  Pool *p = (Pool *)(void *)r;
  if (!p->home->hurry) lc_pool_finish(p, LC_NEVER);
  pool_stop(p, NULL);
}

static void pool_resident_join (Resident *r) { lc_pool_join((Pool *)(void *)r); }
static int pool_resident_gone (Resident *r) {
  return pool_is_gone((Pool *)(void *)r);
}

/* Another state may hold it still: then the last holder disposes of it. */
static void pool_resident_free (Resident *r) {
  Pool *p = (Pool *)(void *)r;
  if (p->inlined) p->home->helpers--;
  int dispose;
  lc_pool_join(p);
  lc_mutex_lock(&p->lock);
  while (p->pending > 0)        /* somebody cancels, and is about to say so */
    lc_cond_wait(&p->changed, &p->lock);
  p->homeless = 1;
  dispose = atomic_load_explicit(&p->forgotten, memory_order_acquire);
  lc_mutex_unlock(&p->lock);
  if (dispose) pool_dispose(p, p->nworkers, p->nworkers);
}

static int pool_resident_help (Resident *r, uint64_t *until) {
  Pool *p = (Pool *)(void *)r;
  return p->inlined && pool_step_inlined(p, until);
}

static const ResidentKind pool_resident = {
  pool_resident_stop, pool_resident_join, pool_resident_gone,
  pool_resident_free, pool_resident_help
};


/* Workers to make room for: one at least. */
static int pool_places (const PoolOptions *options) {
  return options->workers > 0 ? options->workers : 1;
}

static Pool *pool_new (Home *home, const PoolOptions *options) {
  Pool *p = (Pool *)lc_mem_zalloc(home->mem, sizeof(Pool));
  size_t size = (size_t)pool_places(options) * sizeof(PoolWorker);
  if (p == NULL) return NULL;
  p->workers = (PoolWorker *)lc_mem_zalloc(home->mem, size);
  if (p->workers == NULL || lc_mutex_init(&p->lock) != 0) {
    lc_mem_free(home->mem, p->workers, size);
    lc_mem_free(home->mem, p, sizeof(Pool));
    return NULL;
  }
  lc_mutex_init(&p->streams_lock);
  lc_cond_init(&p->changed);
  lc_shared_init(&p->head, &lc_pool_kind);
  p->mem = home->mem;
  p->home = home;
  p->resident.kind = &pool_resident;
  snprintf(p->name, sizeof p->name, "%s", options->name);
  p->libraries = options->libraries;
  p->inlined = options->workers == 0;
  p->recycle = options->recycle;
  p->seeded = options->seeded;
  p->seed = options->seed;
  p->shuffled = options->shuffled;
  p->shuffle = options->shuffle;
  p->host.libraries = pool_libraries;
  p->host.opened = pool_opened;
  p->host.next = pool_next;
  p->host.closing = pool_closing;
  p->host.gone = pool_gone;
  p->spin_ns = home->spin_ns;
  lc_message_init(&p->env, home->mem);
  return p;
}

static int pool_start_worker (Pool *p, int i) {
  PoolWorker *pw = &p->workers[i];
  char name[40];
  int err;
  pw->pool = p;
  pw->w.host = &p->host;
  pw->w.mem = p->mem;
  pw->w.fibers.mem = p->mem;
  pw->w.fibers.size = lc_run_fiber_size();
  pw->w.fibers.ready = pool_ready;
  pw->kit.w = &pw->w;
  pw->kit.seeded = p->seeded;
  snprintf(name, sizeof name, "%s-%d", p->name, i + 1);
  err = lc_worker_init(&pw->w, i + 1, name);
  if (err != 0) return err;
  if (p->inlined) lc_worker_open(&pw->w);
  else err = lc_worker_start(&pw->w);
  if (err != 0) lc_worker_free(&pw->w);
  return err;
}

/* Starts as many as the system gives; an errno if that is not all. */
static int pool_start (Pool *p, int workers) {
  int err = 0;
  while (p->nworkers < workers) {
    err = pool_start_worker(p, p->nworkers);
    if (err != 0) break;
    lc_mutex_lock(&p->lock);         /* those before run: an init may fail */
    p->nworkers++;
    lc_mutex_unlock(&p->lock);
  }
  lc_mutex_lock(&p->lock);
  while (p->opened + p->unopened < p->nworkers)
    lc_cond_wait(&p->changed, &p->lock);
  lc_mutex_unlock(&p->lock);
  return err;
}

Pool *lc_pool_open (Home *home, const PoolOptions *options, Message *env,
                    char *error, size_t size) {
  int err;
  Pool *p;
  lc_home_sweep(home);
  p = pool_new(home, options);
  if (p == NULL) {
    snprintf(error, size, "not enough memory");
    return NULL;
  }
  p->env = *env;
  lc_message_init(env, env->mem);
  err = pool_start(p, pool_places(options));
  if (err == 0 && p->unopened == 0) {
    lc_home_add(home, &p->resident);
    if (p->inlined) home->helpers++;
    return p;
  }
  if (err != 0)
    snprintf(error, size, "worker %d of %d: the system gives no thread: %s",
             p->nworkers + 1, pool_places(options), strerror(err));
  else
    snprintf(error, size, "%d of %d workers could not open a state: %s",
             p->unopened, pool_places(options),
             p->why != NULL ? p->why : "not enough memory");
  pool_stop(p, NULL);
  lc_pool_join(p);
  pool_dispose(p, p->nworkers, pool_places(options));
  return NULL;
}
