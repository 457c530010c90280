/*
** pool.h: workers, the queue they take tasks from, and their beginning and
** end together. Stands on run/ and stream; knows no kinds of work but
** batches, whose fibers its workers provide.
**
** Who gets what. Tasks from outside wait in `queue`, first in, first out. What
** a task of the pool starts goes to the `mine` list of its own worker, which
** takes the newest first, so that recursion grows deep and not wide; another
** worker that has nothing takes the oldest (as work-stealing schedulers do:
** Blumofe and Leiserson 1999, Cilk). A fiber that may go on is on the `ready`
** list of its worker, since nobody else can resume it. A worker takes from
** `ready`, `mine`, `queue`, others' `mine`, in this order; every LOOKS_FAIR-th
** time from `queue` first, so that nothing starves (as Go's scheduler does).
** All lists are under one lock: batches keep it rare.
**
** Who wakes whom. A worker that finds nothing puts itself on the idle list,
** under `lock`, spins a little, then sleeps. Who queues a task takes one
** worker off the idle list and wakes it, after unlocking; no list, no wake. A
** woken worker looks for itself, so a task may go to another worker that was
** faster: then it is idle again. Who makes a fiber ready wakes its worker.
**
** Opening waits until every worker's state is open, or failed to: then the
** pool does not come to be. `init` runs in each worker before its first
** task; if it raises, the pool is broken: it stops, and says why.
**
** Stopping (close, failure, or nobody holds the pool): queued tasks are
** dropped, open streams broken, all workers woken; each ends when it has
** finished the task it runs, and drops those that wait. close() joins them. A
** pool that is only let go is joined by its home, later, since a garbage
** collector must not wait.
**
** Lock order: streams_lock, then a stream's lock, then pool.lock. No Lua, no
** user code under any of them.
*/
#ifndef lc_pool_h
#define lc_pool_h

#include <stddef.h>

#include <lua.h>

#include "../base/shared.h"
#include "../base/thread.h"
#include "../run/worker.h"
#include "future.h"
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
  int homeless;               /* its home has ended: the last holder frees it */
  int opened, unopened, gone; /* workers */
  char *why;                  /* what went wrong first; or NULL */
};

typedef struct PoolOptions {
  int workers;                /* 0: none but the home's own thread */
  uint64_t recycle;           /* tasks; 0: never */
  int seeded, shuffled;       /* whether there is a: */
  uint64_t seed, shuffle;
  const char *name;           /* of the pool, for its workers' names */
  lua_CFunction libraries;    /* opens what a worker's state is to have */
} PoolOptions;

/*
** Opens a pool; takes over the content of `env`, which is left empty. The
** caller holds it. NULL on failure: then *error says why, in at most `size`
** bytes. On the thread of `home`'s state.
*/
Pool *lc_pool_open (Home *home, const PoolOptions *options, Message *env,
                    char *error, size_t size);

/*
** Stops and waits for the workers: until the tasks that run now have ended.
** Gives the number of scripts' tasks dropped. Idempotent. On the thread of
** the state that opened it.
*/
size_t lc_pool_close (Pool *p);
/* The halves of it. */
size_t lc_pool_stop (Pool *p);
void lc_pool_join (Pool *p);

/* A pool is a Shared of this kind. The last release stops it, on any thread,
** without waiting; its home frees it. */
extern const SharedKind lc_pool_kind;
static inline Pool *lc_pool_from (Shared *s) {
  return (Pool *)(void *)((char *)s - offsetof(Pool, head));
}
void lc_pool_hold (Pool *p);
void lc_pool_release (Pool *p);

/* Every worker gets a new state before it begins with its next task, once no
** task of the old one waits. Any thread. */
void lc_pool_recycle (Pool *p);

/* Idle workers look up and let go of functions that nobody will send again
** (which may hold the pool). Any thread. */
void lc_pool_nudge (Pool *p);

/*
** A stream over this pool's workers, which the caller holds and closes with
** lc_pool_end. `home`: of the consumer's state.
** NULL without memory.
*/
Stream *lc_pool_begin (Pool *p, Home *home, const StreamOptions *options);
/* Closes it (see lc_stream_close) and lets it go. */
size_t lc_pool_end (Pool *p, Stream *s);

/*
** A future of the one item in `b` (which it takes over), whose task any worker
** runs, or only worker `to` (from 1; 0: any). `on`: the worker whose task submits, or NULL. NULL without
** memory, or when the pool is stopping: then `b` is still the caller's.
*/
Future *lc_pool_submit (Pool *p, Worker *on, Batch *b, int to);

/* Waits until no task of a future is pending; 0 when `deadline` came first.
** Not from a worker of the pool. */
int lc_pool_finish (Pool *p, uint64_t deadline);

/* Whether it takes tasks; if not, pushes a message that says why not. */
int lc_pool_alive (Pool *p, lua_State *L);

/* The random numbers of what runs on `w` now; NULL: its pool has no seed.
** Owner thread. */
Random *lc_pool_random (Worker *w);

/* The running task leaves something in its state, or (-1) has fetched it: while
** there is any, the state is not replaced. Owner thread. */
void lc_pool_keep (Worker *w, int by);

/*
** For a task that has to wait where its fiber cannot be suspended: runs
** another task of worker `w` on top of it, or waits for one, or for a wake of
** w's parker, until `deadline`. 0 when the pool is stopping. Owner thread.
*/
int lc_pool_help (Worker *w, uint64_t deadline);
/* Owner thread. */
WorkerLife lc_pool_life (Worker *w);
/* Brackets around such a wait: only one at a time on a worker, since one on
** top of another could wait for what is below it. 0: there is one. */
int lc_pool_help_begin (Worker *w);
void lc_pool_help_end (Worker *w);

#endif
