#include "watch.h"

#include "../base/clock.h"
#include "schedule.h"

#define FIRST_PAUSE_NS 1000000u
#define MOST_PAUSE_NS 50000000u
#define STACK (64 * 1024)

/* --- one look ------------------------------------------------------------ */

/* It is asked: whether it has been for too long. */
static int watch_is_stuck (Pool *p, PoolWorker *pw, uint64_t now) {
  int heard = atomic_load_explicit(&pw->w.interrupt.heard,
                                   memory_order_relaxed);
  if (heard && !pw->heard) {
    pw->heard = 1;
    pw->since = now;
  }
  return !p->inlined
         && now - pw->since > (pw->heard ? p->grace_ns : 10 * p->grace_ns);
}

/* When to look again; *stuck is set if it is to be abandoned. Lock held. */
static uint64_t watch_worker (Pool *p, PoolWorker *pw, uint64_t now,
                              PoolWorker **stuck) {
  Interrupt *it = &pw->w.interrupt;
  unsigned turn = lc_interrupt_late(it, now);
  unsigned asked = atomic_load_explicit(&it->asked, memory_order_seq_cst);
  if (turn != 0 && asked != turn) lc_interrupt_ask(it, asked = turn);
  if (!lc_interrupt_tell(it, &pw->w.thread)) {
    pw->seen = 0;
    return atomic_load_explicit(&it->limit, memory_order_seq_cst);
  }
  if (pw->seen != asked) {
    pw->seen = asked;
    pw->since = now;
    pw->heard = 0;
    pw->pause = FIRST_PAUSE_NS;
  }
  else if (pw->pause < MOST_PAUSE_NS) pw->pause *= 2;
  lc_unpark(&pw->w.parker);
  if (watch_is_stuck(p, pw, now)) *stuck = pw;
  return now + pw->pause;
}

/* When to look again. Lock held. */
static uint64_t watch_look (Pool *p, PoolWorker **stuck) {
  uint64_t now = lc_now(), next = LC_NEVER;
  int i;
  *stuck = NULL;
  for (i = 0; i < p->nworkers; i++) {
    PoolWorker *pw = p->workers[i];
    uint64_t when;
    if (pw == NULL || pw->gone) continue;
    when = watch_worker(p, pw, now, stuck);
    if (when < next) next = when;
  }
  return next;
}

/* --- abandoning ---------------------------------------------------------- */

/* What others can do goes to them, and *heir is for who takes its place; its
** fibers stay. Lock held. */
static void watch_inherit (Pool *p, PoolWorker *pw, TaskList *heir) {
  TaskList ready = pw->ready;
  Task *t;
  pw->ready.first = pw->ready.last = NULL;
  while ((t = lc_tasks_pop_last(&pw->mine)) != NULL) {
    p->nmine--;
    lc_tasks_push_last(&p->queue, t);
  }
  while ((t = lc_tasks_pop_first(&ready)) != NULL)
    lc_tasks_push_last(t->drop != NULL ? heir : &pw->ready, t);
}

/* 1 if it is no worker any more from here on; *hire: another is needed. */
static int watch_dismiss (Pool *p, PoolWorker *pw, TaskList *heir, int *hire) {
  lc_mutex_lock(&p->lock);
  if (pw->abandoned || pw->gone) {
    lc_mutex_unlock(&p->lock);
    return 0;
  }
  pw->abandoned = 1;
  p->workers[pw->w.id - 1] = NULL;
  p->strays++;
  p->lost++;
  lc_thread_detach(&pw->w.thread);
  watch_inherit(p, pw, heir);
  *hire = !p->stopping;
  if (p->stopping) p->gone++;
  lc_cond_broadcast(&p->changed);
  lc_mutex_unlock(&p->lock);
  return 1;
}

static void watch_hire (Pool *p, int id, TaskList *heir) {
  int err, i, left = 0;
  PoolWorker *pw = lc_crew_hire(p, id, &err);
  TaskList *to = pw != NULL ? &pw->ready : &p->queue;
  Task *t;
  lc_mutex_lock(&p->lock);
  p->workers[id - 1] = pw;
  while (!p->stopping && (t = lc_tasks_pop_first(heir)) != NULL)
    lc_tasks_push_last(to, t);
  if (pw == NULL) p->gone++;
  else if (p->stopping)
    atomic_store_explicit(&pw->kit.halt, 1, memory_order_seq_cst);
  for (i = 0; i < p->nworkers; i++) left += p->workers[i] != NULL;
  lc_cond_broadcast(&p->changed);
  lc_mutex_unlock(&p->lock);
  if (pw != NULL) lc_unpark(&pw->w.parker);
  while ((t = lc_tasks_pop_first(heir)) != NULL) t->drop(t);
  if (left == 0)
    lc_schedule_stop(p, "all workers were lost, and the system gives no "
                        "thread for another");
}

static void watch_abandon (Pool *p, PoolWorker *pw) {
  TaskList heir = { NULL, NULL };
  int hire, ended, id = pw->w.id;
  if (!watch_dismiss(p, pw, &heir, &hire)) return;
  if (!lc_run_abandon(&pw->kit)) lc_schedule_stop(p, "not enough memory");
  lc_mutex_lock(&p->lock);
  ended = pw->gone;
  pw->abandoned = 2;
  lc_mutex_unlock(&p->lock);
  if (ended) lc_crew_fire(pw);
  if (hire) watch_hire(p, id, &heir);
}

int lc_watch_gone (PoolWorker *pw, int *last) {
  Pool *p = pw->pool;
  int mine;
  lc_mutex_lock(&p->lock);
  pw->gone = 1;
  mine = pw->abandoned == 2;
  *last = 0;
  if (pw->abandoned) *last = --p->strays == 0 && p->orphaned;
  else p->gone++;
  lc_cond_broadcast(&p->changed);
  lc_mutex_unlock(&p->lock);
  return mine;
}

int lc_watch_lost (Pool *p) {
  int lost;
  lc_mutex_lock(&p->lock);
  lost = p->lost;
  p->lost = 0;
  lc_mutex_unlock(&p->lock);
  return lost;
}

/* --- the thread ---------------------------------------------------------- */

static void watch_main (void *ud) {
  Pool *p = (Pool *)ud;
  Watch *w = &p->watch;
  lc_mutex_lock(&p->lock);
  while (!w->ends) {
    PoolWorker *stuck;
    uint64_t next;
    atomic_store_explicit(&w->until, LC_NEVER, memory_order_seq_cst);
    next = watch_look(p, &stuck);
    if (stuck != NULL) {
      lc_mutex_unlock(&p->lock);
      watch_abandon(p, stuck);
      lc_mutex_lock(&p->lock);
      continue;
    }
    atomic_store_explicit(&w->until, next, memory_order_seq_cst);
    if (next == LC_NEVER) lc_cond_wait(&w->news, &p->lock);
    else lc_cond_wait_until(&w->news, &p->lock, next);
  }
  lc_mutex_unlock(&p->lock);
}

/* Without a thread, who waits for the workers looks after them. */
void lc_watch_late (Pool *p, uint64_t when) {
  Watch *w = &p->watch;
  if (atomic_load_explicit(&w->until, memory_order_seq_cst) <= when) return;
  lc_mutex_lock(&p->lock);
  if (!w->runs && !w->ends)
    w->runs = lc_thread_start(&w->thread, watch_main, p, STACK) == 0;
  if (atomic_load_explicit(&w->until, memory_order_seq_cst) > when) {
    atomic_store_explicit(&w->until, when, memory_order_seq_cst);
    lc_cond_signal(&w->news);
  }
  lc_mutex_unlock(&p->lock);
}

void lc_watch_end (Pool *p) {
  Watch *w = &p->watch;
  int runs;
  lc_mutex_lock(&p->lock);
  runs = w->runs;
  w->runs = 0;
  w->ends = 1;
  lc_cond_signal(&w->news);
  lc_mutex_unlock(&p->lock);
  if (runs) lc_thread_join(&w->thread);
}

/* --- asking -------------------------------------------------------------- */

void lc_watch_cancel (Pool *p, const void *what) {
  int i, asked = 0;
  lc_mutex_lock(&p->lock);
  for (i = 0; i < p->nworkers; i++) {
    PoolWorker *pw = p->workers[i];
    unsigned turn;
    if (pw == NULL || pw->gone) continue;
    turn = lc_interrupt_turn(&pw->w.interrupt, what);
    if (turn != 0) {
      lc_crew_stop(pw, turn);
      asked = 1;
    }
    if (atomic_load_explicit(&pw->kit.nlive, memory_order_seq_cst)
        > (turn != 0)) {
      atomic_store_explicit(&pw->sweep, 1, memory_order_seq_cst);
      lc_unpark(p->inlined ? &p->home->parker : &pw->w.parker);
    }
  }
  lc_mutex_unlock(&p->lock);
  if (asked) lc_watch_late(p, lc_now() + FIRST_PAUSE_NS);
}

/* Who has not ended after a while is asked, whatever it does. */
void lc_watch_wait (Pool *p) {
  uint64_t patience = lc_now() + p->grace_ns;
  lc_mutex_lock(&p->lock);
  while (p->gone < p->nworkers) {
    PoolWorker *stuck;
    uint64_t now = lc_now(), next = watch_look(p, &stuck);
    int i;
    if (stuck != NULL) {
      lc_mutex_unlock(&p->lock);
      watch_abandon(p, stuck);
      lc_mutex_lock(&p->lock);
      continue;
    }
    if (now >= patience) {
      for (i = 0; i < p->nworkers; i++)
        if (p->workers[i] != NULL && !p->workers[i]->gone)
          lc_crew_stop(p->workers[i], 0);
      patience = LC_NEVER;
      continue;
    }
    if (patience < next) next = patience;
    if (next == LC_NEVER) lc_cond_wait(&p->changed, &p->lock);
    else lc_cond_wait_until(&p->changed, &p->lock, next);
  }
  lc_mutex_unlock(&p->lock);
}
