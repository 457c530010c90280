#include "schedule.h"

#include "../base/clock.h"
#include "../run/state.h"
#include "../run/timer.h"
#include "room.h"
#include "stop.h"

/* Every so often a worker takes from the queue first. */
#define LOOKS_FAIR 61

/* --- stopping ------------------------------------------------------------ */

static size_t sched_drop_tasks (TaskList *l) {
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
static void sched_take_all (Pool *p, TaskList *all) {
  Task *t;
  int i;
  *all = p->queue;
  p->queue.first = p->queue.last = NULL;
  for (i = 0; i < p->nworkers; i++) {
    PoolWorker *pw = p->workers[i];
    if (pw == NULL) continue;
    while ((t = lc_tasks_pop_last(&pw->mine)) != NULL)
      lc_tasks_push_last(all, t);
    while ((t = lc_tasks_pop_first(&pw->ready)) != NULL)
      if (t->drop != NULL) lc_tasks_push_last(all, t);
  }
  p->nmine = 0;
}

/* What runs is to stop; lock held. */
static void sched_halt (Pool *p) {
  int i;
  for (i = 0; i < p->nworkers; i++) {
    PoolWorker *pw = p->workers[i];
    if (pw == NULL || pw->gone) continue;
    atomic_store_explicit(&pw->kit.halt, 1, memory_order_seq_cst);
    if (lc_interrupt_turn(&pw->w.interrupt, NULL) == 0) lc_crew_stop(pw, 0);
  }
}

void lc_schedule_vacate (PoolWorker *pw) {
  Pool *p = pw->pool;
  lc_mutex_lock(&p->lock);
  if (p->stopping) {
    lc_mutex_unlock(&p->lock);
    lc_stop_forsake(&pw->kit);
    lc_mutex_lock(&p->lock);
    lc_cond_broadcast(&p->changed);
  }
  pw->stepping = 0;
  lc_mutex_unlock(&p->lock);
}

/* Who waits for a task that waits in a slot would wait for a step that nobody does any
** more. */
static void sched_forsake_slots (Pool *p) {
  int i;
  for (i = 0; p->stepped && i < p->nworkers; i++) {
    PoolWorker *pw = p->workers[i];
    int empty;
    lc_mutex_lock(&p->lock);
    empty = lc_crew_enter(pw);
    lc_mutex_unlock(&p->lock);
    if (empty) lc_schedule_vacate(pw);
  }
}

size_t lc_schedule_stop (Pool *p, const char *why) {
  TaskList all;
  Stream *s;
  PoolWorker *idle;
  lc_mutex_lock(&p->lock);
  if (p->why == NULL && why != NULL && !p->stopping)
    p->why = lc_state_copy_error(p->mem, why);
  if (!p->stopping) lc_schedule_tell_home(p);   /* later, it may have ended */
  p->stopping = 1;
  sched_take_all(p, &all);
  sched_halt(p);                /* who is woken sees that without the lock */
  for (idle = p->idle; idle != NULL; idle = idle->next_idle) {
    idle->idle = 0;
    lc_unpark(&idle->w.parker);
  }
  p->idle = NULL;
  p->nidle = 0;
  lc_cond_broadcast(&p->changed);
  lc_mutex_unlock(&p->lock);
  lc_mutex_lock(&p->streams_lock);
  for (s = p->streams; s != NULL; s = s->next) lc_stream_break(s);
  lc_mutex_unlock(&p->streams_lock);
  sched_forsake_slots(p);
  return sched_drop_tasks(&all);
}

/* --- looking for a task -------------------------------------------------- */

static void sched_unlist_idle (Pool *p, PoolWorker *pw) {
  PoolWorker **at = &p->idle;
  while (*at != pw) at = &(*at)->next_idle;
  *at = pw->next_idle;
  pw->idle = 0;
  p->nidle--;
}

/* How long it takes to wake it: one that is busy may not even see it, a sleeper costs a
** system call, and who needs the processor which the caller goes on with has to wait for
** that. Relaxed: a hint. */
static int sched_distance (PoolWorker *pw) {
  return 4 * pw->busy + 2 * atomic_load_explicit(&pw->asleep, memory_order_relaxed)
         + (pw->cpu == lc_thread_cpu());
}

/* What was decided under the lock is done: wakes `sent`, if it is not NULL. */
static void sched_unlock (Pool *p, PoolWorker *sent) LC_GIVES(&p->lock);
static void sched_unlock (Pool *p, PoolWorker *sent) {
  lc_mutex_unlock(&p->lock);
  if (sent != NULL) lc_unpark(&sent->w.parker);
}

/* Takes an idle worker off the list, to be woken: the nearer of the last two that are not
** busy; lock held. */
static PoolWorker *sched_send (Pool *p) {
  PoolWorker *idle = p->idle;
  if (idle == NULL) return NULL;
  while (idle->busy && idle->next_idle != NULL) idle = idle->next_idle;
  if (idle->next_idle != NULL
      && sched_distance(idle->next_idle) < sched_distance(idle))
    idle = idle->next_idle;
  sched_unlist_idle(p, idle);
  idle->sent = !idle->busy;
  p->nsent += idle->sent;
  return idle;
}

/* Likewise, if somebody is needed for a task that was queued. */
static PoolWorker *sched_send_for_one (Pool *p) {
  return p->nsent > 0 && lc_crew_spare_cpus(p) <= 0 ? NULL : sched_send(p);
}

/* `pw` looks now, or will not. Likewise, if it was the last on its way and there is more
** to do. */
static PoolWorker *sched_arrive (Pool *p, PoolWorker *pw) {
  if (!pw->sent) return NULL;
  pw->sent = 0;
  return --p->nsent > 0 || (p->queue.first == NULL && p->nmine == 0) ? NULL
         : sched_send(p);
}

/* The oldest task that another worker's tasks have started; lock held. */
static Task *sched_steal (Pool *p, PoolWorker *pw) {
  Task *t = NULL;
  int i, n = p->nmine > 0 ? p->nworkers : 0;
  for (i = 1; t == NULL && i < n; i++) {
    PoolWorker *other = p->workers[(pw->w.id - 1 + i) % n];
    if (other != NULL) t = lc_tasks_pop_last(&other->mine);
  }
  if (t != NULL) p->nmine--;
  return t;
}

/* The next task by the order in pool.h, or NULL; lock held. */
static Task *sched_pick (Pool *p, PoolWorker *pw) {
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
  return t != NULL ? t : sched_steal(p, pw);
}

int lc_schedule_look (Pool *p, PoolWorker *pw, Task **t) {
  PoolWorker *next;
  int decided, leaves = 0;
  Room room;
  *t = NULL;
  if (pw->w.fibers.ntimers > 0) lc_timer_expire(&pw->w.fibers, lc_now());
  if (atomic_load_explicit(&pw->sweep, memory_order_seq_cst)) {
    atomic_store_explicit(&pw->sweep, 0, memory_order_seq_cst);
    lc_stop_sweep(&pw->kit);
  }
  lc_mutex_lock(&p->lock);
  if (lc_room_gives_way(p, pw)) {
    lc_mutex_unlock(&p->lock);
    lc_thread_yield();
    lc_mutex_lock(&p->lock);
  }
  if (pw->idle) sched_unlist_idle(p, pw);
  decided = p->stopping || pw->abandoned;
  if (!decided && !lc_crew_is_worn(pw)) decided = (*t = sched_pick(p, pw)) != NULL;
  next = sched_arrive(p, pw);
  pw->cpu = lc_thread_cpu();
  if (*t != NULL) {
    pw->got = lc_ticks();
    leaves = lc_room_look(p, pw, &room);
  }
  if (!decided) {
    atomic_store_explicit(&pw->asleep, 0, memory_order_relaxed);
    pw->next_idle = p->idle;
    p->idle = pw;
    pw->idle = 1;
    p->nidle++;
    lc_parker_room(&pw->w.parker, lc_crew_spare_cpus(p) > 1);    /* the reader has one */
  }
  sched_unlock(p, next);
  if (leaves) lc_room_leave(&room);
  return decided;
}

/* Who has taken it off the list has a task in mind, that it has not looked for. */
int lc_schedule_help_home (PoolWorker *pw, Home *home, uint64_t *until) {
  Pool *p = pw->pool;
  int idle;
  lc_mutex_lock(&p->lock);
  idle = pw->idle;
  if (idle) sched_unlist_idle(p, pw);
  lc_mutex_unlock(&p->lock);
  return !idle || lc_home_help(home, until);
}

/* Nothing to do: waits for a token, spinning first. */
static int sched_rest (Pool *p, Worker *w, uint64_t deadline) {
  uint64_t timer = lc_timer_next(&w->fibers), spun;
  if (timer < deadline) deadline = timer;
  if (p->spin_ns > 0) {
    spun = lc_now() + p->spin_ns;
    if (spun > deadline) spun = deadline;
    if (lc_park(&w->parker, spun, p->spin_ns)) return 1;
  }
  return lc_park(&w->parker, deadline, 0);
}

/* --- queueing ------------------------------------------------------------ */

void lc_schedule_tell_home (Pool *p) {
  if (!p->inlined) return;
  lc_unpark(&p->home->parker);
  if (p->home->worker != NULL) lc_unpark(&p->home->worker->parker);
}

/* Gives the worker, if it is to be woken, after unlocking; lock held. */
static PoolWorker *sched_push_for (PoolWorker *pw, Task *t) {
  Pool *p = pw->pool;
  lc_tasks_push_last(&pw->ready, t);
  lc_schedule_tell_home(p);
  if (!pw->idle) return NULL;
  sched_unlist_idle(p, pw);
  return pw;
}

void lc_schedule_ready (Fibers *fs, Task *t) {
  Worker *w = (Worker *)(void *)((char *)fs - offsetof(Worker, fibers));
  PoolWorker *pw = lc_crew_worker(w), *idle = NULL;
  Pool *p = pw->pool;
  lc_mutex_lock(&p->lock);
  if (!p->stopping) idle = sched_push_for(pw, t);
  sched_unlock(p, idle);
}

/* Likewise, for anybody. */
static PoolWorker *sched_push (Pool *p, PoolWorker *on, Task *t) {
  PoolWorker *idle;
  if (on == NULL) {
    p->fed_at = lc_thread_cpu();
    p->fed = lc_ticks();
  }
  if (on == NULL || on->abandoned) lc_tasks_push_last(&p->queue, t);
  else {
    lc_tasks_push_first(&on->mine, t);
    p->nmine++;
  }
  idle = sched_send_for_one(p);
  lc_parker_room(&p->home->parker, lc_crew_spare_cpus(p) > 0);
  lc_schedule_tell_home(p);
  return idle;
}

int lc_schedule_queue (Pool *p, PoolWorker *on, Task *t) {
  PoolWorker *idle = NULL;
  int taken;
  lc_mutex_lock(&p->lock);
  taken = !p->stopping;
  if (taken) idle = sched_push(p, on, t);
  sched_unlock(p, idle);
  return taken;
}

int lc_schedule_submit (Pool *p, PoolWorker *on, int to, Future *f, Task *t) {
  PoolWorker *idle = NULL;
  int taken;
  lc_mutex_lock(&p->lock);
  taken = !p->stopping && (to == 0 || p->workers[to - 1] != NULL);
  if (taken) {
    p->pending++;
    lc_future_list(&p->futures, f);
    idle = to > 0 ? sched_push_for(p->workers[to - 1], t) : sched_push(p, on, t);
  }
  sched_unlock(p, idle);
  return taken;
}

void lc_pool_nudge (Pool *p) {
  PoolWorker *idle;
  lc_mutex_lock(&p->lock);
  for (idle = p->idle; idle != NULL; idle = idle->next_idle)
    lc_unpark(&idle->w.parker);
  lc_mutex_unlock(&p->lock);
}

/* --- waiting on top of a task --------------------------------------------- */

int lc_pool_help_begin (Worker *w) {
  PoolWorker *pw = lc_crew_worker(w);
  if (pw->helping) return 0;
  pw->helping = 1;
  return 1;
}

/* Who took it off the idle list meanwhile had a task in mind, which it may not have looked
** for: one token can stand for two wakes. */
void lc_schedule_leave (PoolWorker *pw) {
  PoolWorker *other;
  Pool *p = pw->pool;
  lc_mutex_lock(&p->lock);
  if (pw->idle) sched_unlist_idle(p, pw);
  other = sched_arrive(p, pw);
  sched_unlock(p, other);
}

void lc_schedule_busy (PoolWorker *pw, int on) {
  PoolWorker *other;
  Pool *p = pw->pool;
  lc_mutex_lock(&p->lock);
  pw->busy = on;
  other = sched_arrive(p, pw);
  sched_unlock(p, other);
}

void lc_pool_help_end (Worker *w) {
  PoolWorker *pw = lc_crew_worker(w);
  pw->helping = 0;
  lc_schedule_leave(pw);
}

int lc_pool_help (Worker *w, uint64_t deadline) {
  PoolWorker *pw = lc_crew_worker(w);
  Task *t;
  if (lc_schedule_look(pw->pool, pw, &t)) {
    if (t == NULL) return 0;
    t->run(t, w);
  }
  else {
    Home *home = lc_home_open(w->L, w);
    if (lc_home_helps(home)) {
      if (lc_schedule_help_home(pw, home, &deadline)) return 1;
      if (lc_schedule_look(pw->pool, pw, &t)) {
        if (t != NULL) t->run(t, w);
        return t != NULL;
      }
    }
    sched_rest(pw->pool, w, deadline);
  }
  return 1;
}
