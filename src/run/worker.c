#include "worker.h"

#include <stdio.h>
#include <string.h>

#include "state.h"
#include "timer.h"

int lc_worker_init (Worker *w, int id, const char *name) {
  w->id = id;
  snprintf(w->name, sizeof w->name, "%s", name);
  lc_heap_init(&w->heap, w->mem);
  lc_interrupt_init(&w->interrupt, &w->host->interrupt);
  w->fibers.interrupt = &w->interrupt;
  return lc_parker_init(&w->parker);
}

void lc_worker_free (Worker *w) {
  lc_parker_free(&w->parker);
}

/* A worker's address is even: its lowest bit is the mark. */
static uintptr_t *worker_space (lua_State *L) {
  return (uintptr_t *)lua_getextraspace(L);
}

Worker *lc_worker_of (lua_State *L) {
  return (Worker *)(*worker_space(L) & ~(uintptr_t)1);
}

int lc_worker_owns (lua_State *co) {
  return (int)(*worker_space(co) & 1);
}

void lc_worker_own (lua_State *co, int owned) {
  uintptr_t *space = worker_space(co);
  *space = (*space & ~(uintptr_t)1) | (uintptr_t)(owned != 0);
}

int lc_worker_open (Worker *w) {
  char *error;
  w->L = lc_state_open(&w->heap, w->mem, w->host->libraries, w, &w->codec,
                       &error);
  w->fibers.L = w->interrupt.deepest = w->L;
  w->settled = 0;
  w->host->opened(w, w->L != NULL ? NULL
                     : error != NULL ? error : "not enough memory");
  if (error != NULL) lc_mem_free(w->mem, error, strlen(error) + 1);
  if (w->L == NULL) lc_heap_clear(&w->heap);
  return w->L != NULL;
}

void lc_worker_close (Worker *w) {
  if (w->L == NULL) return;
  w->host->closing(w);
  lc_fiber_clear(&w->fibers);
  lc_timer_clear(&w->fibers);
  w->interrupt.deepest = NULL;         /* it has finalizers to run: no hooks */
  lc_state_close(w->L);
  w->L = NULL;
  lc_heap_clear(&w->heap);
}

static void worker_main (void *ud) {
  Worker *w = (Worker *)ud;
  lc_interrupt_enter(&w->interrupt);
  if (lc_worker_open(w)) {
    Task *t;
    while ((t = w->host->next(w)) != NULL) t->run(t, w);
    lc_worker_close(w);
  }
  lc_interrupt_leave(NULL);
  w->host->gone(w);
}

int lc_worker_start (Worker *w) {
  return lc_thread_start(&w->thread, worker_main, w, w->stack);
}

void lc_worker_join (Worker *w) {
  lc_thread_join(&w->thread);
}

/* Below this growth a collection is not worth the cycles. */
#define TIDY_GROWTH (256 * 1024)

void lc_worker_tidy (Worker *w) {
  if (lc_heap_used(&w->heap) < w->settled + TIDY_GROWTH) return;
  while (!lc_parker_has_token(&w->parker)) {
    if (lua_gc(w->L, LUA_GCSTEP, 64)) {      /* a cycle is complete */
      w->settled = lc_heap_used(&w->heap);
      return;
    }
  }
}
