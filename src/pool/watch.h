/*
** watch.h: looks after workers that are to stop, or that have a limit: asks,
** tells them again, and at last abandons who does not answer. Stands on crew.h
** and schedule.h.
**
** Who looks. The thread that cancels asks at once (lc_watch_cancel). For what comes
** later a pool has a thread of its own, made when it is needed first: it looks
** when the next limit passes, and every few milliseconds while somebody is asked. Whoever
** waits for the workers to end (lc_watch_wait) looks too. The thread ends after the last
** worker: a pool that nobody holds may be joined much later.
**
** Sleeping. `until` says when the watch looks next. A worker that sets an earlier limit
** wakes it. Before it looks it puts LC_NEVER there, so either it sees the limit or
** the worker sees LC_NEVER (both seq_cst), takes the lock, and puts it right.
**
** Abandoning. A worker that was told and has not come to a new turn for `grace`
** (ten times that if its thread has not even heard) is in a call of C, or in
** a finalizer: nothing can be done to it. It gets no tasks any more, a new worker
** takes its place, and what it had in hand is answered as lost
** (lc_stop_abandon). Should it come back, it ends and frees itself; what it still needs,
** the pool and the code of lacus, lives as long.
**
** The watchdog. In a pool with one the watch looks every half of its time, asks
** a worker whose task has run longer where it stands (by the same hook), and
** reports it.
**
** Lock order: a worker's guard, then the locks of streams, then pool.lock. The
** watch holds pool.lock while it looks, and none while it abandons.
*/
#ifndef lc_watch_h
#define lc_watch_h

#include "crew.h"

/* Code of `what` is to stop, wherever it runs or waits in the pool: `what` is
** cancelled already. Any thread, no lock held. */
void lc_watch_cancel (Pool *p, const void *what);

/* A worker is to be looked at then. Any thread, no lock held. */
void lc_watch_late (Pool *p, uint64_t when);

/* The pool is stopping: waits until all workers are gone, or abandoned. */
void lc_watch_wait (Pool *p);
/* The watch's own thread ends. */
void lc_watch_end (Pool *p);

/* A worker's thread ends: 1 if it has to free the worker, and all that is left of
** the pool if *last. */
int lc_watch_gone (PoolWorker *pw, int *last);

/* What runs on a worker, as pool:tasks() says it. */
typedef struct WatchTask {
  int worker;                 /* its number */
  uint64_t ns;                /* since when */
  uint64_t index;             /* of the item; 0: none, or unknown */
  char *trace;                /* where; NULL: in a call of C */
  size_t trace_size;
} WatchTask;

/*
** What runs now: fills at most `n`, gives how many; the traces are the
** caller's, in memory of the pool. Waits a little for the workers to say where
** they stand, but not for `self` (the caller's; or NULL). Any thread.
*/
int lc_watch_tasks (Pool *p, const PoolWorker *self, WatchTask *tasks, int n);
/* A worker says where it stands: `len` bytes; no memory, no answer. */
void lc_watch_answer (PoolWorker *pw, const char *trace, size_t len,
                      uint64_t index);

#endif
