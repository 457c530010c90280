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

/* What the codec keeps for a state is a small multiple of what the state has,
** since it is of the same values. */
#define OUTER_TIMES 4

/* From here on the limit holds. 0 if it cannot, and *error says why. */
static int worker_arm (Worker *w, char **error) {
  char why[120];
  w->born = lc_heap_used(&w->heap);
  w->strained = 0;
  if (w->memory == 0) return 1;
  lua_gc(w->L, LUA_GCCOLLECT, 0);
  w->born = lc_heap_used(&w->heap);
  lc_heap_limit(&w->heap, w->memory);
  if (w->born < w->memory) return 1;
  snprintf(why, sizeof why, "option 'memory' is %zu bytes, but a new state "
           "takes %zu", w->memory, w->born);
  *error = lc_state_copy_error(w->outer, why);
  return 0;
}

static void worker_shut (Worker *w) {
  w->interrupt.deepest = NULL;         /* it has finalizers to run: no hooks */
  if (w->L != NULL) lc_state_close(w->L);
  w->L = NULL;
  lc_heap_clear(&w->heap);
  if (w->memory != 0) lc_mem_retire(w->outer);
  w->outer = NULL;
}

int lc_worker_open (Worker *w) {
  char *error = NULL;
  int ok = 0;
  w->L = NULL;
  w->outer = w->memory == 0 ? w->mem
               : lc_mem_within(w->mem, w->memory * OUTER_TIMES);
  if (w->outer != NULL)
    w->L = lc_state_open(&w->heap, w->outer, w->host->libraries, w, &w->codec,
                         &error);
  if (w->L != NULL) ok = worker_arm(w, &error);
  w->fibers.L = w->L;
  w->interrupt.deepest = w->L;
  w->settled = 0;
  w->host->opened(w, ok ? NULL
                     : error != NULL ? error : "not enough memory");
  if (error != NULL) lc_mem_free(w->outer, error, strlen(error) + 1);
  if (!ok) worker_shut(w);
  return ok;
}

void lc_worker_close (Worker *w) {
  if (w->L == NULL) return;
  w->host->closing(w);
  lc_fiber_clear(&w->fibers);
  lc_timer_clear(&w->fibers);
  worker_shut(w);
}

static void worker_main (void *ud) {
  Worker *w = (Worker *)ud;
  w->host->begin(w);
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

int lc_worker_relieve (Worker *w) {
  w->strained = 0;
  if (w->memory == 0) return 0;
  lua_gc(w->L, LUA_GCCOLLECT, 0);
  return w->heap.cramped
         || w->memory - lc_heap_used(&w->heap) < (w->memory - w->born) / 2;
}

#define TIDY_GROWTH (256 * 1024)

int lc_worker_is_untidy (Worker *w) {
  return lc_heap_used(&w->heap) >= w->settled + TIDY_GROWTH;
}

/* In generational mode each step is a collection, and none says that a cycle is complete. In
** the other, a tenth of so many are enough. */
#define TIDY_STEPS(used) ((used) / TIDY_GROWTH + 16)

void lc_worker_tidy (Worker *w) {
  size_t steps = TIDY_STEPS(lc_heap_used(&w->heap));
  while (!lc_parker_has_token(&w->parker)) {
    if (lua_gc(w->L, LUA_GCSTEP, 64) || --steps == 0) {
      w->settled = lc_heap_used(&w->heap);
      return;
    }
  }
}
