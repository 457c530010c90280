/*
** future.h: the result of one task, whenever it comes: a sink that keeps it.
** Stands on batch and sink; knows nothing of Lua values or of handles.
**
** Who may do what. Anybody who holds it: look, wait, cancel. The worker that
** runs its task: deliver, once. The result is written before `state` leaves
** RUNNING and never again, so whoever has seen DONE or FAILED may read it.
**
** States:  QUEUED -> RUNNING -> DONE | FAILED;  QUEUED or RUNNING ->
** CANCELLED (by somebody, or its worker dropped it). Each change is made
** under `lock`, by whoever makes it first; every waiter is woken by the last.
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
typedef struct FutureLink {
  void (*ended) (void *pool);
  /* It was cancelled while its task ran or waited: that is to stop. */
  void (*stop) (void *pool, Sink *k);
  void *pool;
} FutureLink;

typedef struct Future {
  Sink sink;                  /* first */
  /* set at birth */
  Mem *mem;
  FutureLink link;            /* told by whoever ends it */
  /* atomic */
  _Atomic(int) state;         /* written under lock */
  /* guarded by lock */
  Mutex lock;
  WaitNode *waiters;
  /* written once, before state says so */
  Entry result;               /* if DONE or FAILED... */
  Message *words;             /* ...and where its record is; NULL: it has none.
                              ** The batch is not kept: it is three times that */
} Future;

extern const SinkKind lc_future_kind;
static inline Future *lc_future_from (Shared *s) {
  return (Future *)(void *)s;
}

/* Its task is `b`, with one item; the future is its sink, held by it. The
** caller holds the future too. NULL without memory: `b` is untouched. */
Future *lc_future_new (Mem *mem, const FutureLink *link, Batch *b,
                       void (*run)(Task *, struct Worker *));
void lc_future_hold (Future *f);
void lc_future_release (Future *f);

FutureState lc_future_state (Future *f);
static inline int lc_future_ended (FutureState s) {
  return s >= FUTURE_DONE;
}

/* 1: `n` is listed, and its waiter woken when the future ends; 0: it has.
** A node that is listed already stays so. */
int lc_future_listen (Future *f, WaitNode *n);
void lc_future_unlisten (Future *f, WaitNode *n);

/* Its task does not run, or is stopped: 1; 0 if it has ended already. No result
** is handed out from here on. */
int lc_future_cancel (Future *f);

#endif
