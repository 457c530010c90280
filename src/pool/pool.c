#include "pool.h"

#include <stdio.h>
#include <string.h>

#include "../base/clock.h"
#include "../run/state.h"
#include "offer.h"
#include "supply.h"

/* --- stopping ----------------------------------------------------------- */

/* Tasks that were stopped so far. */
static size_t pool_cut (Pool *p) {
  size_t cut;
  int i;
  lc_mutex_lock(&p->lock);
  cut = p->cut;
  for (i = 0; i < p->nworkers; i++)
    if (p->workers[i] != NULL)
      cut += atomic_load_explicit(&p->workers[i]->kit.cut,
                                  memory_order_relaxed);
  lc_mutex_unlock(&p->lock);
  return cut;
}

void lc_pool_hurry (Pool *p) {
  atomic_store_explicit(&p->hurry, 1, memory_order_relaxed);   /* then it stops */
}

size_t lc_pool_close (Pool *p) {
  size_t before = pool_cut(p), dropped;
  if (p->joined) return 0;
  dropped = lc_schedule_stop(p, NULL);
  lc_post_join(p);
  return dropped + (pool_cut(p) - before);
}

int lc_pool_stopping (Pool *p) {
  int stopping;
  lc_mutex_lock(&p->lock);
  stopping = p->stopping;
  lc_mutex_unlock(&p->lock);
  return stopping;
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

/* --- tasks -------------------------------------------------------------- */

static void pool_run_batch (Task *t, Worker *w) {
  lc_run_batch(&lc_crew_worker(w)->kit, (Batch *)t);
}

static void pool_send (void *pool, void *self, Batch *b) {
  if (!lc_schedule_queue((Pool *)pool, (PoolWorker *)self, &b->task))
    b->task.drop(&b->task);
}

static void pool_stop_tasks (void *pool, Sink *k) {
  lc_watch_cancel((Pool *)pool, k);
}

static int pool_idle (Pool *p) {
  int n;
  lc_mutex_lock(&p->lock);
  n = p->nidle;
  lc_mutex_unlock(&p->lock);
  return n;
}

/* Only from workers that run a task of `k` now. */
static void pool_fetch (void *pool, Sink *k) {
  Pool *p = (Pool *)pool;
  TaskList again = { NULL, NULL };
  int i, idle = pool_idle(p);
  Task *t;
  for (i = 0; i < p->nworkers; i++) {
    PoolWorker *pw = lc_crew_pin(p, i, k);
    if (pw == NULL) continue;
    lc_offer_fetch(&pw->kit, k, &idle, &again);
    lc_crew_unpin(pw);
  }
  while ((t = lc_tasks_pop_first(&again)) != NULL)
    if (!lc_schedule_queue(p, NULL, t)) t->drop(t);
}

PoolWorker *lc_pool_own (Pool *p, Worker *w) {
  PoolWorker *pw = w != NULL ? lc_crew_worker(w) : NULL;
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
  PoolWorker *pw = lc_crew_worker(w);
  return pw->pool->seeded ? lc_run_random(&pw->kit) : NULL;
}

void lc_pool_keep (Worker *w, int by) {
  lc_crew_worker(w)->kit.kept += (size_t)(ptrdiff_t)by;
}

/* How long a worker without a task spins before it sleeps. Less than a reader does (home.c):
** it may have the processor that the reader needs. */
#define POOL_SPIN_NS 50000

/* More than there are processors: some are on their way to sleep or back. */
#define BUSY_PER_CPU 4

static int pool_busy (const Pool *p) {
  return p->nworkers / BUSY_PER_CPU < p->cpus ? p->nworkers : BUSY_PER_CPU * p->cpus;
}

Stream *lc_pool_begin (Pool *p, Home *home, const StreamOptions *options) {
  StreamLink link;
  Stream *s;
  int stopping;
  link.send = pool_send;
  link.pool = p;
  link.self = lc_pool_own(p, home->worker);
  link.foreign = p->home != home;
  link.shelf = p->mem == home->mem ? &home->shelf : NULL;
  link.run = pool_run_batch;
  link.stop = pool_stop_tasks;
  link.fetch = p->inlined || options->single ? NULL : pool_fetch;
  link.glance = p->inlined || home->worker != NULL || home->spin_ns == 0 ? NULL
               : &home->glance;
  link.workers = p->nworkers;
  link.busy = pool_busy(p);
  s = lc_stream_new(p->mem, &link, options);
  if (s == NULL) return NULL;
  pool_sow(p, lc_pool_own(p, home->worker), options->single, &s->seed, &s->base);
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

void lc_pool_expect (Pool *p, Stream *s, const Call *call) {
  double ns;
  s->key = lc_call_key(call);
  lc_mutex_lock(&p->lock);
  ns = lc_pace_find(&p->paces, s->key);
  lc_mutex_unlock(&p->lock);
  if (ns >= 0) lc_supply_expect(s, ns);
}

static void pool_note_pace (Pool *p, const Stream *s) {
  if (s->key == 0 || s->task_ns < 0) return;
  lc_mutex_lock(&p->lock);
  lc_pace_note(&p->paces, s->key, s->task_ns);
  lc_mutex_unlock(&p->lock);
}

size_t lc_pool_end (Pool *p, Stream *s) {
  size_t left;
  pool_note_pace(p, s);
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
static void pool_future_ended (void *pool, Future *f) {
  Pool *p = (Pool *)pool;
  lc_mutex_lock(&p->lock);
  lc_future_unlist(f);
  if (p->draining && p->pending == 1) {
    lc_mutex_unlock(&p->lock);
    lc_schedule_stop(p, NULL);
    lc_mutex_lock(&p->lock);
  }
  if (--p->pending == 0) lc_cond_broadcast(&p->changed);
  lc_mutex_unlock(&p->lock);
}

Future *lc_pool_submit (Pool *p, Worker *on, Batch *b, int to) {
  static const FutureLink link = { pool_future_ended, pool_stop_tasks };
  PoolWorker *own = lc_pool_own(p, on);
  Future *f = lc_future_new(p->mem, &link, p, b, pool_run_batch);
  if (f == NULL) return NULL;
  f->home = &p->home->parker.waiter;
  if (to > 0) {
    b->seed = p->seed;
    b->base = (uint64_t)to;
  }
  else {
    pool_sow(p, own, 1, &b->seed, &b->base);
    b->base++;                  /* its index is 0 */
  }
  if (lc_schedule_submit(p, own, to, f, &b->task)) return f;
  lc_future_release(f);         /* the batch has it no more */
  lc_future_release(f);
  b->sink = NULL;
  return NULL;
}

static size_t pool_pending (Pool *p) {
  size_t n;
  lc_mutex_lock(&p->lock);
  n = p->pending;
  lc_mutex_unlock(&p->lock);
  return n;
}

/* Takes one off the list, and holds it; NULL: there is none. (Who ends it holds it until
** it is off the list.) */
static Future *pool_take_future (Pool *p) {
  Future *f;
  lc_mutex_lock(&p->lock);
  f = p->futures;
  if (f != NULL) {
    lc_future_unlist(f);
    lc_future_hold(f);
  }
  lc_mutex_unlock(&p->lock);
  return f;
}

/* Not those that come meanwhile. */
static void pool_resident_cancel (Resident *r) {
  Pool *p = (Pool *)(void *)r;
  size_t n = pool_pending(p);
  Future *f;
  while (n-- > 0 && (f = pool_take_future(p)) != NULL) {
    lc_future_cancel(f);
    lc_future_release(f);
  }
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
    if (!lc_post_step_inlined(p, &until)) lc_park(&p->home->parker, until, 0);
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

/* Nobody holds it, and its home has ended: now, or when the last abandoned
** worker comes back. */
static void pool_dispose (Pool *p) {
  int now;
  lc_mutex_lock(&p->lock);
  now = p->strays == 0;
  p->orphaned = 1;
  lc_mutex_unlock(&p->lock);
  if (now) lc_crew_dispose(p);
}

/* release: orders this holder's last use before the home frees it. */
static void pool_forget (Shared *s) {
  Pool *p = lc_pool_from(s);
  int stop, dispose;
  lc_mutex_lock(&p->lock);
  p->draining = 1;
  stop = p->pending == 0;
  lc_mutex_unlock(&p->lock);
  if (stop) lc_schedule_stop(p, NULL);
  lc_mutex_lock(&p->lock);
  atomic_store_explicit(&p->forgotten, 1, memory_order_release);
  dispose = p->homeless;
  lc_mutex_unlock(&p->lock);
  if (dispose) pool_dispose(p);
}

const SharedKind lc_pool_kind = { "lacus.pool", pool_forget };

void lc_pool_hold (Pool *p) { lc_shared_hold(&p->head); }
void lc_pool_release (Pool *p) { if (p != NULL) lc_shared_release(&p->head); }

static int pool_is_gone (Pool *p) {
  int gone;
  if (!atomic_load_explicit(&p->forgotten, memory_order_acquire)) return 0;
  lc_mutex_lock(&p->lock);
  gone = p->inlined || p->stepped ? p->stopping : p->gone == p->nworkers;
  lc_mutex_unlock(&p->lock);
  return gone;
}

/* --- what the home sees -------------------------------------------------- */

/* While the state closes, its host is asked this often. */
#define LINGER_NS 50000000u

/* The state closes: waits for what was submitted, as long as it may. All pools
** count from the same moment. */
static void pool_linger (Pool *p) {
  Home *h = p->home;
  uint64_t end = p->linger < LC_NEVER - h->ends ? h->ends + p->linger
                                                : LC_NEVER;
  while (!h->hurry) {
    uint64_t now = lc_now();
    uint64_t slice = h->linger != NULL ? now + LINGER_NS : LC_NEVER;
    if (lc_pool_finish(p, slice < end ? slice : end) || now >= end) return;
    if (h->linger != NULL
        && !h->linger(h->linger_ud, (double)(lc_now() - h->ends) / 1e9,
                      p->name, pool_pending(p))) h->hurry = 1;
  }
}

/* What was submitted is finished first, unless the script has failed. */
static void pool_resident_stop (Resident *r) {
  Pool *p = (Pool *)(void *)r;
  pool_linger(p);
  if (p->home->hurry || pool_pending(p) > 0) lc_pool_hurry(p);
  lc_schedule_stop(p, NULL);
}

static void pool_resident_join (Resident *r) { lc_post_join((Pool *)(void *)r); }
static int pool_resident_gone (Resident *r) {
  return pool_is_gone((Pool *)(void *)r);
}

/* Another state may hold it still: then the last holder disposes of it. */
static void pool_resident_free (Resident *r) {
  Pool *p = (Pool *)(void *)r;
  if (p->inlined) p->home->helpers--;
  int dispose;
  lc_post_join(p);
  lc_mutex_lock(&p->lock);
  while (p->pending > 0)        /* somebody cancels, and is about to say so */
    lc_cond_wait(&p->changed, &p->lock);
  p->homeless = 1;
  dispose = atomic_load_explicit(&p->forgotten, memory_order_acquire);
  lc_mutex_unlock(&p->lock);
  if (dispose) pool_dispose(p);
}

static int pool_resident_help (Resident *r, uint64_t *until) {
  Pool *p = (Pool *)(void *)r;
  return p->inlined && lc_post_step_inlined(p, until);
}

static const ResidentKind pool_resident = {
  pool_resident_stop, pool_resident_join, pool_resident_gone,
  pool_resident_free, pool_resident_cancel, pool_resident_help
};


/* Workers to make room for: one at least. */
static int pool_places (const PoolOptions *options) {
  return options->workers > 0 ? options->workers : 1;
}

static Pool *pool_new (Home *home, const PoolOptions *options) {
  Pool *p = (Pool *)lc_mem_zalloc(home->mem, sizeof(Pool));
  size_t size = (size_t)pool_places(options) * sizeof(PoolWorker *);
  if (p == NULL) return NULL;
  p->workers = (PoolWorker **)lc_mem_zalloc(home->mem, size);
  if (p->workers == NULL || lc_mutex_init(&p->lock) != 0) {
    lc_mem_free(home->mem, p->workers, size);
    lc_mem_free(home->mem, p, sizeof(Pool));
    return NULL;
  }
  lc_mutex_init(&p->streams_lock);
  lc_cond_init(&p->changed);
  lc_cond_init(&p->watch.news);
  atomic_store_explicit(&p->watch.until, LC_NEVER, memory_order_relaxed);
  lc_shared_init(&p->head, &lc_pool_kind);
  p->mem = home->mem;
  p->home = home;
  p->resident.kind = &pool_resident;
  snprintf(p->name, sizeof p->name, "%s", options->name);
  p->libraries = options->libraries;
  p->places = pool_places(options);
  p->inlined = options->workers == 0;
  p->grace_ns = options->grace_ns;
  p->stepped = options->stepped;
  p->stack = options->stack != 0 ? options->stack : LC_STACK;
  if (options->hooks != NULL) p->hooks = *options->hooks;
  p->watchdog_ns = options->watchdog_ns;
  p->recycle = options->recycle;
  p->linger = options->linger;
  p->warns = options->warns;
  p->memory = options->memory;
  p->libs = options->libs;
  p->seeded = options->seeded;
  p->seed = options->seed;
  p->shuffled = options->shuffled;
  p->shuffle = options->shuffle;
  lc_post_host(&p->host);
  p->spin_ns = home->spin_ns > 0 ? POOL_SPIN_NS : 0;
  p->default_workers = home->workers;
  p->cpus = home->cpus;
  p->fed_at = -1;
  lc_message_init(&p->env, home->mem);
  if (p->hooks.hold != NULL) p->hooks.hold(p->hooks.ud);
  return p;
}

/* Starts as many as the system gives; an errno if that is not all. */
static int pool_start (Pool *p, int workers) {
  int err = 0;
  while (p->nworkers < workers) {
    PoolWorker *pw = lc_crew_hire(p, p->nworkers + 1, &err);
    if (pw == NULL) break;
    lc_mutex_lock(&p->lock);         /* those before run: an init may fail */
    p->workers[p->nworkers++] = pw;
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
    if (p->watchdog_ns != 0) lc_watch_late(p, lc_now() + p->watchdog_ns);
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
  lc_schedule_stop(p, NULL);
  lc_post_join(p);
  pool_dispose(p);
  return NULL;
}
