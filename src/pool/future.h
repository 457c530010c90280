/*
** future.h: the result of one task, whenever it comes: a sink that keeps it.
** Stands on batch and sink; knows nothing of Lua values or of handles.
**
** Who may do what. Anybody who holds it: look, wait, cancel. The worker that
** runs its task: deliver, once. The result is written before `state` leaves
** RUNNING and never again, so whoever has seen DONE or FAILED may read it.
**
** States:  QUEUED -> RUNNING -> DONE | FAILED;  QUEUED or RUNNING ->
** CANCELLED (by somebody, or its worker dropped it). The last change is made
** under `lock`, by whoever makes it first, and wakes every waiter; the one to
** RUNNING without, if it is QUEUED still.
**
** The state that opened the pool ends after the pool's workers. So its thread, woken by one,
** may go on before that has let go of `lock`: its node is off the list first, and not
** touched any more. (It is what most waits are, and would find the lock taken.) Who cancels
** may be any thread, so then the node stays on the list until the lock is all there is to
** come.
**
** Lock order: future.lock before pool.lock (waking a parked task queues it).
*/
#ifndef lc_future_h
#define lc_future_h

#include <stdint.h>

#include "../base/park.h"
#include "../base/thread.h"
#include "batch.h"
#include "sink.h"

typedef enum FutureState {
  FUTURE_QUEUED, FUTURE_RUNNING, FUTURE_DONE, FUTURE_FAILED, FUTURE_CANCELLED
} FutureState;

/* Who is told, once, that the task of a future has ended or will not run. */
typedef struct Future Future;
typedef struct FutureLink {
  void (*ended) (void *pool, Future *f);
  /* It was cancelled while its task ran or waited: that is to stop. */
  void (*stop) (void *pool, Sink *k);
} FutureLink;

struct Future {
  Sink sink;                  /* first */
  /* set at birth */
  Mem *mem;
  const FutureLink *link;     /* told by whoever ends it... */
  void *pool;                 /* ...about this */
  const Waiter *home;         /* of the state that opened it */
  /* guarded by the pool's lock */
  Future *next, **at;         /* among those that have not ended; at == NULL: it is not */
  /* atomic */
  _Atomic(int) state;         /* a FutureState */
  /* guarded by lock */
  Mutex lock;
  WaitNode *waiters;
  _Atomic(Batch *) spare;     /* in which the result came, if who waited for it first takes
                              ** that, to send it again; or NULL */
  /* written once, before state says so */
  Entry result;               /* if DONE or FAILED... */
  Message *words;             /* ...and where its record is; NULL: it has none.
                              ** The batch is not kept: it is three times that */
};

extern const SinkKind lc_future_kind;
static inline Future *lc_future_from (Shared *s) {
  return (Future *)(void *)s;
}

/* Its task is `b`, with one item; the future is its sink, held by it. The
** caller holds the future too, and sets `home`. NULL without memory: `b` is untouched. */
Future *lc_future_new (Mem *mem, const FutureLink *link, void *pool, Batch *b,
                       void (*run)(Task *, struct Worker *));

/* The list of a pool, under its lock. */
static inline void lc_future_list (Future **list, Future *f) {
  f->next = *list;
  f->at = list;
  if (f->next != NULL) f->next->at = &f->next;
  *list = f;
}
static inline void lc_future_unlist (Future *f) {
  if (f->at == NULL) return;
  *f->at = f->next;
  if (f->next != NULL) f->next->at = f->at;
  f->at = NULL;
}

void lc_future_hold (Future *f);
void lc_future_release (Future *f);

FutureState lc_future_state (Future *f);
static inline int lc_future_ended (FutureState s) {
  return s >= FUTURE_DONE;
}

/* The batch in which its result came, not cleared, if that is here and nobody has taken it:
** the caller's. */
Batch *lc_future_take_spare (Future *f);

/* 1: `n` is listed, and its waiter woken when the future ends; 0: it has.
** A node that is listed already stays so. `takes`: the waiter will take the spare, if it
** is `home`. */
int lc_future_listen (Future *f, WaitNode *n, int takes);
void lc_future_unlisten (Future *f, WaitNode *n);

/* Its task does not run, or is stopped: 1; 0 if it has ended already. No result
** is handed out from here on. */
int lc_future_cancel (Future *f);

#endif
