/*
** crew.h: what a pool is: its workers, its lists, and who may touch them.
** Stands on run/, home and stream.
*/
#ifndef lc_crew_h
#define lc_crew_h

#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "../base/shared.h"
#include "../base/thread.h"
#include "../run/worker.h"
#include "future.h"
#include "home.h"
#include "pace.h"
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
  /* atomic */
  _Atomic(int) sweep;         /* what was cancelled may wait in here */
  _Atomic(int) asleep;        /* idle for so long that it does not spin; a hint */
  /* guarded by the pool's lock */
  int gone;                   /* its thread has nothing more to do here */
  int abandoned;              /* it is no worker of the pool any more; 2: and
                              ** frees itself */
  unsigned seen;              /* the turn that was last found asked... */
  uint64_t since;             /* ...since when, or since it heard of it */
  uint64_t pause;             /* until it is told again */
  int heard;
  uint64_t suspect, barked;   /* the `began` that the watchdog asks about, and
                              ** has reported */
  unsigned probes;            /* how often it was asked where it stands... */
  unsigned answers;           /* ...and up to which one it has said so: */
  char *trace;                /* of `trace_size` bytes; or NULL */
  size_t trace_size;
  uint64_t index;             /* of the item that ran then */
  PoolWorker *next_idle;
  int idle;                   /* on the list */
  int cpu;                    /* where it ran lately; < 0: unknown */
  int busy;                   /* on the list, but it tidies up: it may look late */
  int sent;                   /* taken off the list for a task, and has not looked */
  int pins;                   /* who looks at it, and it is not freed meanwhile */
  TaskList ready;             /* fibers of this worker that may go on */
  TaskList mine;              /* started by its tasks; the newest first */
  /* owner thread only */
  int booted;                 /* init has run */
  int served;                 /* it has run a task */
  WorkerLife life;
  unsigned epoch;             /* the pool's, when the state was opened */
  int full;                   /* the state keeps too much: see `memory` */
  unsigned looks;             /* for tasks, so far */
  uint64_t got, gave;         /* when it last got a task, and when it gave its processor
                              ** away (room.h), in lc_ticks */
  int helping;                /* runs tasks on top of one that waits */
  /* guarded by the pool's lock */
  int stepping;               /* stepped: a thread is in it, and owns it */
  size_t init_at;             /* where env has the init */
  RunKit kit;
};

/* What a C host wants to be told, on the worker's thread; each may be NULL. Not
** for a worker that was abandoned: its host may be gone. */
typedef struct PoolHooks {
  void *ud;
  void (*hold) (void *ud);                   /* the pool has come to be */
  void (*release) (void *ud);                /* it is no more, with all of its
                                             ** threads; any thread */
  void (*open) (lua_State *L, void *ud);     /* a new state; may raise */
  void (*close) (lua_State *L, void *ud);    /* its end; may raise */
  void (*start) (Worker *w, void *ud);       /* first thing of a thread */
  void (*stop) (Worker *w, void *ud);        /* the last one */
} PoolHooks;

/* Bytes of a thread's stack. Lua allows 200 nested calls of C (LUAI_MAXCCALLS), which take
** 410 KiB where they are of string.gsub: so the least. The other is what glibc takes where
** nobody sets a limit; its 8 MiB otherwise cost 18 us more for each of 8 threads, since it
** keeps no more than 40 MiB of old ones. */
#define LC_STACK_LEAST ((size_t)512 * 1024)
#define LC_STACK ((size_t)2 * 1024 * 1024)

/* The longest name of a pool, in bytes. */
#define LC_POOL_NAME 23

/* The thread that looks after the others, once there is need: see watch.h. */
typedef struct Watch {
  Cond news;
  Thread thread;
  int runs, ends;
  /* atomic; goes up under the pool's lock */
  _Atomic(uint64_t) until;    /* when it looks next */
} Watch;

struct Pool {
  Resident resident;          /* first */
  Shared head;                /* Lua handles, and consumers of streams */
  /* set at birth */
  Mem *mem;
  Home *home;
  char name[LC_POOL_NAME + 1];
  lua_CFunction libraries;
  int default_workers;        /* of pools that its tasks open */
  WorkerHost host;
  Message env;                /* read by all workers; nobody writes */
  uint64_t spin_ns;
  int cpus;                   /* that the process may use */
  int inlined;                /* one worker, without a thread: its tasks run
                              ** on the home's thread while that waits */
  size_t stack;               /* of a worker's thread */
  int stepped;                /* workers without threads, which anybody's
                              ** threads step: see lc_post_step */
  PoolHooks hooks;
  uint64_t recycle;           /* tasks after which a state is replaced; 0 */
  uint64_t linger;            /* ns that what was submitted has when the home's
                              ** state closes; LC_NEVER: as long as it takes */
  int warns;                  /* warnings are on in its states */
  unsigned libs;              /* for `libraries`; 0: all */
  size_t memory;              /* that a worker's state may hold; 0: all */
  int seeded;                 /* its tasks have random numbers... */
  uint64_t seed;              /* ...that begin with this: see run.h */
  int shuffled;               /* its maps' results come in random order... */
  uint64_t shuffle;           /* ...that begins with this */
  uint64_t grace_ns;          /* for what is stopped */
  uint64_t watchdog_ns;       /* what runs longer is reported; 0: nothing is */
  int places;                 /* room in `workers` */
  int nworkers;               /* goes up under lock: the first ones run by then */
  /* the thread of the state that opened it */
  int joined;
  /* guarded by streams_lock */
  Mutex streams_lock;
  Stream *streams;            /* not closed by their consumers */
  /* atomic */
  _Atomic(int) forgotten;     /* nobody holds it */
  _Atomic(unsigned) epoch;    /* how often all states were to be replaced */
  _Atomic(int) hurry;         /* it ends by being cancelled: what its tasks have
                              ** started elsewhere is not waited for either */
  /* guarded by lock */
  Mutex lock;
  Cond changed;               /* opened, unopened or gone went up */
  PoolWorker **workers;       /* a place changes when one is abandoned */
  int strays;                 /* abandoned workers whose threads go on */
  int orphaned;               /* they free the pool */
  size_t cut;                 /* tasks that they have stopped, or lost */
  Watch watch;
  TaskList queue;
  int nmine;                  /* tasks on all `mine` lists */
  PoolWorker *idle;
  int nidle, nsent;           /* workers on that list; those that are `sent` */
  int fed_at;                 /* the processor on which something was queued lately, but not by a
                              ** worker: mostly its reader's; < 0: unknown... */
  uint64_t fed;               /* ...and when, in lc_ticks */
  uint64_t moved;             /* when a worker last went to another processor (room.h),
                              ** in lc_now's time */
  int stopping;               /* no task is taken or queued any more */
  Paces paces;
  size_t pending;             /* tasks of futures that have not ended... */
  Future *futures;            /* ...and these, but for what lc_home_cancel has
                              ** taken off */
  uint64_t submits;           /* seeded: tasks submitted from outside */
  int draining;               /* nobody holds it: stop when none is pending */
  int homeless;               /* its home has ended: the last holder frees it */
  int opened, unopened, gone; /* workers */
  char *why;                  /* what went wrong first; or NULL */
};

static inline PoolWorker *lc_crew_worker (Worker *w) {
  return (PoolWorker *)(void *)w;
}

/* The worker in place `i`, if it runs code of `what`: it stays until it is unpinned. No
** lock held. */
PoolWorker *lc_crew_pin (Pool *p, int i, const void *what);
void lc_crew_unpin (PoolWorker *pw);

/* It has been abandoned. No lock held. */
int lc_crew_is_lost (PoolWorker *pw);

/* Whether a thread is in it; lock held. */
static inline int lc_crew_runs (const PoolWorker *pw) {
  return !pw->pool->stepped || pw->stepping;
}

/* How often all states were to be replaced. Relaxed: whoever gets a task that was queued after
** that, gets it by the pool's lock. */
static inline unsigned lc_crew_epoch (Pool *p) {
  return atomic_load_explicit(&p->epoch, memory_order_relaxed);
}

/* Whether its state is to be replaced before the next task, and can: no task of it waits.
** Owner thread. */
static inline int lc_crew_is_worn (const PoolWorker *pw) {
  Pool *p = pw->pool;
  int worn = pw->epoch != lc_crew_epoch(p) || pw->full
             || (p->recycle != 0 && pw->kit.ran >= p->recycle);
  return worn && pw->w.fibers.live == NULL && pw->kit.kept == 0 && !pw->helping;
}

/* The processors that are left if each worker that is not idle has one; below 0: there are
** more of those. Lock held. */
static inline int lc_crew_spare_cpus (const Pool *p) {
  return p->cpus - (p->nworkers - p->nidle);
}

/* This thread owns it from here on; 0: another one is in it. Lock held. */
int lc_crew_enter (PoolWorker *pw);

/*
** A worker of the pool with this number (from 1), with its thread; not in its
** place yet. NULL: *err is an errno. No lock held.
*/
PoolWorker *lc_crew_hire (Pool *p, int id, int *err);
/* Who runs in `turn` (0: now) of it is to look whether to stop. The pool's lock
** is held. */
void lc_crew_stop (PoolWorker *pw, unsigned turn);
/* Its thread has ended, or never was. */
void lc_crew_fire (PoolWorker *pw);
/* Workers, and all that a pool has. The pool is nobody's any more. */
void lc_crew_dispose (Pool *p);

#endif
