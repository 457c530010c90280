#include "watch.h"

#include <stdio.h>
#include <string.h>

#include "../base/clock.h"
#include "schedule.h"
#include "stop.h"

#define FIRST_PAUSE_NS 1000000u
#define MOST_PAUSE_NS 50000000u
#define STACK (64 * 1024)

/* --- where workers stand ------------------------------------------------- */

/* How long a worker has to say it. */
#define ANSWER_NS 100000000u

static int watch_answered (const PoolWorker *pw) {
  return pw->answers == pw->probes;
}

static uint64_t watch_began (PoolWorker *pw) {
  return atomic_load_explicit(&pw->kit.began, memory_order_relaxed);
}

/* Lock held. */
static void watch_probe (PoolWorker *pw) {
  if (watch_answered(pw)) pw->probes++;
  lc_interrupt_probe(&pw->w.interrupt, &pw->w.thread);
}

void lc_watch_answer (PoolWorker *pw, const char *trace, size_t len,
                      uint64_t index) {
  Pool *p = pw->pool;
  char *copy = (char *)lc_mem_alloc(p->mem, len + 1), *old;
  size_t old_size;
  if (copy == NULL) return;
  memcpy(copy, trace, len + 1);
  lc_mutex_lock(&p->lock);
  old = pw->trace;
  old_size = pw->trace_size;
  pw->trace = copy;
  pw->trace_size = len + 1;
  pw->index = index;
  pw->answers = pw->probes;
  lc_cond_broadcast(&p->changed);
  lc_mutex_unlock(&p->lock);
  lc_mem_free(p->mem, old, old_size);
}

/* It runs something, and is not the one who asks. Lock held. */
static int watch_is_busy (PoolWorker *pw, const PoolWorker *self) {
  return pw != NULL && pw != self && !pw->gone && watch_began(pw) != 0;
}

/* Waits until those that were asked have answered. Lock held. */
static void watch_await (Pool *p, const PoolWorker *self, uint64_t deadline)
  LC_HOLDS(&p->lock);
static void watch_await (Pool *p, const PoolWorker *self, uint64_t deadline) {
  int i, open;
  do {
    open = 0;
    for (i = 0; i < p->nworkers; i++)
      open |= watch_is_busy(p->workers[i], self)
              && !watch_answered(p->workers[i]);
  } while (open && lc_cond_wait_until(&p->changed, &p->lock, deadline));
}

/* The trace goes to the caller. Lock held. */
static void watch_fill (PoolWorker *pw, WatchTask *t) {
  uint64_t now = lc_now(), began = watch_began(pw);
  memset(t, 0, sizeof(WatchTask));
  t->worker = pw->w.id;
  t->ns = began != 0 && now > began ? now - began : 0;
  if (!watch_answered(pw)) return;
  t->index = pw->index;
  t->trace = pw->trace;
  t->trace_size = pw->trace_size;
  pw->trace = NULL;
  pw->trace_size = 0;
}

int lc_watch_tasks (Pool *p, const PoolWorker *self, WatchTask *tasks, int n) {
  int i, found = 0;
  lc_mutex_lock(&p->lock);
  for (i = 0; i < p->nworkers; i++)
    if (watch_is_busy(p->workers[i], self)) watch_probe(p->workers[i]);
  watch_await(p, self, lc_now() + ANSWER_NS);
  for (i = 0; i < p->nworkers && found < n; i++)
    if (watch_is_busy(p->workers[i], NULL))
      watch_fill(p->workers[i], &tasks[found++]);
  lc_mutex_unlock(&p->lock);
  return found;
}

/* --- the watchdog -------------------------------------------------------- */

static void watch_bark (Pool *p, PoolWorker *pw, uint64_t ns) {
  char text[2000];
  int knows = watch_answered(pw) && pw->trace != NULL;
  snprintf(text, sizeof text, "lacus: a task has run for %.3g seconds on "
           "worker %s%s%s", (double)ns / 1e9, pw->w.name,
           knows ? "\n" : ", in a call of C", knows ? pw->trace : "");
  lc_home_report(p->home, text);
}

/* When to look again. Lock held. */
static uint64_t watch_guard (Pool *p, PoolWorker *pw, uint64_t now) {
  uint64_t began = watch_began(pw), late = began + p->watchdog_ns;
  if (began == 0 || began == pw->barked || now < late)
    return now + p->watchdog_ns / 2;
  if (pw->suspect != began) {
    pw->suspect = began;
    pw->answers = pw->probes;             /* an older one is not waited for */
    watch_probe(pw);
  }
  else if (watch_answered(pw) || now >= late + ANSWER_NS) {
    watch_bark(p, pw, now - began);
    pw->barked = began;
  }
  return now + ANSWER_NS / 10;
}

/* --- one look ------------------------------------------------------------ */

/* It is asked: whether it has been for too long. */
static int watch_is_stuck (Pool *p, PoolWorker *pw, uint64_t now) {
  int heard = atomic_load_explicit(&pw->w.interrupt.heard,
                                   memory_order_relaxed);
  if (heard && !pw->heard) {
    pw->heard = 1;
    pw->since = now;
  }
  return !p->inlined && !p->stepped
         && now - pw->since > (pw->heard ? p->grace_ns : 10 * p->grace_ns);
}

/* When to look again; *stuck is set if it is to be abandoned. Lock held. */
static uint64_t watch_worker (Pool *p, PoolWorker *pw, uint64_t now,
                              PoolWorker **stuck) {
  Interrupt *it = &pw->w.interrupt;
  unsigned turn = lc_interrupt_late(it, now), asked;
  if (turn != 0
      && atomic_load_explicit(&it->asked, memory_order_seq_cst) != turn)
    lc_interrupt_ask(it, turn);
  asked = lc_crew_runs(pw) ? lc_interrupt_tell(it, &pw->w.thread) : 0;
  if (asked == 0) {
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
    if (p->watchdog_ns == 0) continue;
    when = watch_guard(p, pw, now);
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

/* It is no worker any more from here on, and does not free itself before watch_abandon
** is through with it. 1: another is needed. Lock held since it was seen in its place. */
static int watch_dismiss (Pool *p, PoolWorker *pw, TaskList *heir) {
  pw->abandoned = 1;
  p->workers[pw->w.id - 1] = NULL;
  p->strays++;
  p->cut += atomic_load_explicit(&pw->kit.cut, memory_order_relaxed);
  lc_thread_detach(&pw->w.thread);
  watch_inherit(p, pw, heir);
  if (p->stopping) p->gone++;
  lc_cond_broadcast(&p->changed);
  return !p->stopping;
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
  else lc_pool_nudge(p);
  while ((t = lc_tasks_pop_first(heir)) != NULL) t->drop(t);
  if (left == 0)
    lc_schedule_stop(p, "all workers were lost, and the system gives no "
                        "thread for another");
}

static void watch_report_lost (Pool *p, PoolWorker *pw) {
  char text[200];
  snprintf(text, sizeof text, "lacus: worker %s did not stop within its grace "
           "of %g seconds: it was abandoned", pw->w.name,
           (double)p->grace_ns / 1e9);
  lc_home_report(p->home, text);
}

/* After watch_dismiss. No lock held. */
static void watch_abandon (Pool *p, PoolWorker *pw, TaskList *heir, int hire) {
  TaskList again = { NULL, NULL };
  Task *t;
  int ended, id = pw->w.id;
  lc_schedule_leave(pw);
  watch_report_lost(p, pw);
  if (!lc_stop_abandon(&pw->kit, &again)) lc_schedule_stop(p, "not enough memory");
  while ((t = lc_tasks_pop_first(&again)) != NULL)
    if (!lc_schedule_queue(p, NULL, t)) t->drop(t);
  lc_mutex_lock(&p->lock);
  ended = pw->gone;
  p->cut += pw->kit.lost;
  pw->abandoned = 2;
  lc_mutex_unlock(&p->lock);
  if (ended) lc_crew_fire(pw);
  if (hire) watch_hire(p, id, heir);
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
  if (pw->abandoned || p->gone >= p->nworkers) lc_cond_broadcast(&p->changed);
  lc_cond_signal(&p->watch.news);
  lc_mutex_unlock(&p->lock);
  return mine;
}

/* When to look again; 0: at once, for the lock was let go and somebody was abandoned
** meanwhile. Lock held. */
static uint64_t watch_round (Pool *p) LC_HOLDS(&p->lock);
static uint64_t watch_round (Pool *p) {
  TaskList heir = { NULL, NULL };
  PoolWorker *stuck;
  uint64_t next = watch_look(p, &stuck);
  int hire;
  if (stuck == NULL) return next;
  hire = watch_dismiss(p, stuck, &heir);
  lc_mutex_unlock(&p->lock);
  watch_abandon(p, stuck, &heir, hire);
  lc_mutex_lock(&p->lock);
  return 0;
}

/* --- the thread ---------------------------------------------------------- */

static void watch_main (void *ud) {
  Pool *p = (Pool *)ud;
  Watch *w = &p->watch;
  lc_mutex_lock(&p->lock);
  while (!w->ends && !(p->stopping && p->gone >= p->nworkers)) {
    uint64_t next;
    atomic_store_explicit(&w->until, LC_NEVER, memory_order_seq_cst);
    next = watch_round(p);
    if (next == 0) continue;
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

/* Its own fiber may be about to wait: so the worker looks at all that wait, even if
** there is no other. */
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
    if (atomic_load_explicit(&pw->kit.nlive, memory_order_seq_cst) > 0) {
      atomic_store_explicit(&pw->sweep, 1, memory_order_seq_cst);
      lc_unpark(&pw->w.parker);
      lc_schedule_tell_home(p);
    }
  }
  lc_mutex_unlock(&p->lock);
  if (asked) lc_watch_late(p, lc_now() + FIRST_PAUSE_NS);
}

/* Lock held. */
static int watch_is_through (Pool *p) {
  int i;
  for (i = 0; p->stepped && i < p->nworkers; i++)
    if (p->workers[i]->stepping) return 0;
  return p->stepped || p->gone == p->nworkers;
}

/* Who has not ended after a while is asked, whatever it does, and again after that: it
** may do something else by then. */
void lc_watch_wait (Pool *p) {
  uint64_t patience = lc_now() + p->grace_ns;
  lc_mutex_lock(&p->lock);
  while (!watch_is_through(p)) {
    uint64_t now = lc_now(), next = watch_round(p);
    int i;
    if (next == 0) continue;
    if (now >= patience) {
      for (i = 0; i < p->nworkers; i++)
        if (p->workers[i] != NULL && !p->workers[i]->gone)
          lc_crew_stop(p->workers[i], 0);
      patience = now + p->grace_ns;
      continue;
    }
    if (patience < next) next = patience;
    if (next == LC_NEVER) lc_cond_wait(&p->changed, &p->lock);
    else lc_cond_wait_until(&p->changed, &p->lock, next);
  }
  lc_mutex_unlock(&p->lock);
}
