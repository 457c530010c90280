/*
** crew.h: what a pool is: its workers, its lists, and who may touch them.
** Stands on run/, home and stream; only data, no deeds.
*/
#ifndef lc_crew_h
#define lc_crew_h

#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "../base/shared.h"
#include "../base/thread.h"
#include "../run/worker.h"
#include "home.h"
#include "run.h"
#include "stream.h"

typedef struct Pool Pool;
typedef struct PoolWorker PoolWorker;

/* What can be asked of a worker: nothing before its init is done, and nothing
** once its state closes. */
typedef enum WorkerLife { WORKER_OPENS, WORKER_SERVES, WORKER_CLOSES } WorkerLife;

struct PoolWorker {
  Worker w;                   /* first */
  /* set at birth */
  Pool *pool;
  /* guarded by the pool's lock */
  PoolWorker *next_idle;
  int idle;                   /* on the list */
  TaskList ready;             /* fibers of this worker that may go on */
  TaskList mine;              /* started by its tasks; the newest first */
  /* owner thread only */
  int booted;                 /* init has run */
  WorkerLife life;
  unsigned epoch;             /* the pool's, when the state was opened */
  unsigned looks;             /* for tasks, so far */
  int helping;                /* runs tasks on top of one that waits */
  size_t init_at;             /* where env has the init */
  RunKit kit;
};

/* The longest name of a pool, in bytes. */
#define LC_POOL_NAME 23

struct Pool {
  Resident resident;          /* first */
  Shared head;                /* Lua handles, and consumers of streams */
  /* set at birth */
  Mem *mem;
  Home *home;
  char name[LC_POOL_NAME + 1];
  lua_CFunction libraries;
  WorkerHost host;
  Message env;                /* read by all workers; nobody writes */
  uint64_t spin_ns;
  PoolWorker *workers;
  int inlined;                /* one worker, without a thread: its tasks run
                              ** on the home's thread while that waits */
  uint64_t recycle;           /* tasks after which a state is replaced; 0 */
  uint64_t linger;            /* ns that what was submitted has when the home's
                              ** state closes; LC_NEVER: as long as it takes */
  int warns;                  /* warnings are on in its states */
  int seeded;                 /* its tasks have random numbers... */
  uint64_t seed;              /* ...that begin with this: see run.h */
  int shuffled;               /* its maps' results come in random order... */
  uint64_t shuffle;           /* ...that begins with this */
  int nworkers;               /* goes up under lock: the first ones run by then */
  /* the thread of the state that opened it */
  int joined;
  /* guarded by streams_lock */
  Mutex streams_lock;
  Stream *streams;            /* not closed by their consumers */
  /* atomic */
  _Atomic(int) forgotten;     /* nobody holds it */
  _Atomic(unsigned) epoch;    /* how often all states were to be replaced */
  /* guarded by lock */
  Mutex lock;
  Cond changed;               /* opened, unopened or gone went up */
  TaskList queue;
  int nmine;                  /* tasks on all `mine` lists */
  PoolWorker *idle;
  int stopping;               /* no task is taken or queued any more */
  size_t pending;             /* tasks of futures that have not ended */
  uint64_t submits;           /* seeded: tasks submitted from outside */
  int draining;               /* nobody holds it: stop when none is pending */
  int hurry;                  /* it ends by being cancelled: what its tasks have
                              ** started elsewhere is not waited for either */
  int homeless;               /* its home has ended: the last holder frees it */
  int opened, unopened, gone; /* workers */
  char *why;                  /* what went wrong first; or NULL */
};

static inline PoolWorker *lc_crew_worker (Worker *w) {
  return (PoolWorker *)(void *)w;
}

#endif
