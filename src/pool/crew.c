#include "crew.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

PoolWorker *lc_crew_hire (Pool *p, int id, int *err) {
  PoolWorker *pw = (PoolWorker *)lc_mem_zalloc(p->mem, sizeof(PoolWorker));
  char name[40];
  *err = ENOMEM;
  if (pw == NULL) return NULL;
  pw->pool = p;
  pw->cpu = -1;
  pw->w.host = &p->host;
  pw->w.mem = p->mem;
  pw->w.memory = p->memory;
  pw->w.cpus = p->cpus;
  pw->w.fibers.mem = p->mem;
  pw->w.fibers.size = lc_run_fiber_size();
  pw->w.fibers.ready = p->host.ready;
  pw->w.interrupt.grace_ns = p->grace_ns / 2;
  pw->kit.w = &pw->w;
  pw->kit.seeded = p->seeded;
  pw->w.stack = p->stack;
  pw->epoch = atomic_load_explicit(&p->epoch, memory_order_relaxed);
  snprintf(name, sizeof name, "%s-%d", p->name, id);
  *err = lc_mutex_init(&pw->kit.guard);
  if (*err == 0) {
    *err = lc_worker_init(&pw->w, id, name);
    if (*err != 0) lc_mutex_free(&pw->kit.guard);
  }
  if (*err != 0) {
    lc_mem_free(p->mem, pw, sizeof(PoolWorker));
    return NULL;
  }
  if (p->inlined || p->stepped) {
    lc_thread_self(&pw->w.thread);
    lc_worker_open(&pw->w);
  }
  else *err = lc_worker_start(&pw->w);
  if (*err == 0) return pw;
  lc_crew_fire(pw);
  return NULL;
}

/* It may wait, in C: then it looks when it is woken. */
void lc_crew_stop (PoolWorker *pw, unsigned turn) {
  if (!lc_crew_runs(pw)) return;
  lc_interrupt_ask(&pw->w.interrupt, turn);
  lc_interrupt_tell(&pw->w.interrupt, &pw->w.thread);
  lc_unpark(&pw->w.parker);
}

int lc_crew_enter (PoolWorker *pw) {
  if (pw->stepping) return 0;
  pw->stepping = 1;
  lc_thread_self(&pw->w.thread);
  return 1;
}

PoolWorker *lc_crew_pin (Pool *p, int i, const void *what) {
  PoolWorker *pw;
  lc_mutex_lock(&p->lock);
  pw = p->workers[i];
  if (pw != NULL && lc_interrupt_turn(&pw->w.interrupt, what) != 0) pw->pins++;
  else pw = NULL;
  lc_mutex_unlock(&p->lock);
  return pw;
}

void lc_crew_unpin (PoolWorker *pw) {
  Pool *p = pw->pool;
  lc_mutex_lock(&p->lock);
  if (--pw->pins == 0 && pw->abandoned) lc_cond_broadcast(&p->changed);
  lc_mutex_unlock(&p->lock);
}

/* Only one that was abandoned can have pins still. */
static void crew_await_pins (PoolWorker *pw) {
  Pool *p = pw->pool;
  lc_mutex_lock(&p->lock);
  while (pw->pins > 0) lc_cond_wait(&p->changed, &p->lock);
  lc_mutex_unlock(&p->lock);
}

void lc_crew_fire (PoolWorker *pw) {
  crew_await_pins(pw);
  lc_worker_free(&pw->w);
  lc_mutex_free(&pw->kit.guard);
  lc_mem_free(pw->pool->mem, pw->trace, pw->trace_size);
  lc_mem_free(pw->pool->mem, pw, sizeof(PoolWorker));
}

int lc_crew_is_lost (PoolWorker *pw) {
  int lost;
  lc_mutex_lock(&pw->pool->lock);
  lost = pw->abandoned;
  lc_mutex_unlock(&pw->pool->lock);
  return lost;
}

void lc_crew_dispose (Pool *p) {
  PoolHooks hooks = p->hooks;
  int i;
  for (i = 0; i < p->nworkers; i++)
    if (p->workers[i] != NULL) lc_crew_fire(p->workers[i]);
  lc_mem_free(p->mem, p->workers, (size_t)p->places * sizeof(PoolWorker *));
  if (p->why != NULL) lc_mem_free(p->mem, p->why, strlen(p->why) + 1);
  lc_message_drop(&p->env);
  lc_cond_free(&p->watch.news);
  lc_cond_free(&p->changed);
  lc_mutex_free(&p->streams_lock);
  lc_mutex_free(&p->lock);
  lc_mem_free(p->mem, p, sizeof(Pool));
  if (hooks.release != NULL) hooks.release(hooks.ud);
}
