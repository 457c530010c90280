/*
** home.h: what lacus keeps for one Lua state: its memory, its codec, the
** place where its thread waits, and the pools that were let go and are not
** joined yet. Lives in the registry, ends with the state. There is nothing
** global: two states in one process are strangers.
**
** Order of the end: the home is made before every other object of lacus in
** its state, so its __gc comes after theirs. It stops all its pools, joins
** all, and only then frees them, for their tasks may hold each other's pools.
*/
#ifndef lc_home_h
#define lc_home_h

#include <lua.h>

#include "../base/park.h"
#include "../value/codec.h"
#include "batch.h"

struct Worker;

/* What lives in a home and ends with it: a pool, as the home sees it. */
typedef struct Resident Resident;

typedef struct ResidentKind {
  void (*stop) (Resident *r);      /* finishes its work, begins to end */
  void (*join) (Resident *r);      /* after stop: waits for its threads */
  int (*gone) (Resident *r);       /* nobody holds it, its threads ended */
  void (*free_) (Resident *r);     /* joins and frees it */
  void (*cancel) (Resident *r);    /* what was submitted to it */
  /* For one that runs on the home's own thread, else NULL: runs one task; or
  ** gives 0 and puts the time of its next timer into *until, if earlier. */
  int (*help) (Resident *r, uint64_t *until);
} ResidentKind;

struct Resident {
  const ResidentKind *kind;        /* set at birth */
  Resident *next;                  /* guarded by the home's lock */
};

/*
** What the state's thread calls, some times in a second, while the state closes
** and waits for submitted tasks: `seconds` so far, for `tasks` of the pool of this
** name. 0: they are cancelled, and those of other pools too.
*/
typedef int (*LingerFn) (void *ud, double seconds, const char *pool,
                         size_t tasks);

/* What is to be said about what went wrong in the background. */
typedef struct Report Report;

typedef struct Home {
  /* set at birth */
  Mem *mem;
  int owns_mem;           /* it made `mem`, and retires it */
  Codec *codec;
  struct Worker *worker;  /* whose state this is; NULL: not a worker's */
  int cpus;               /* that this process may use */
  int workers;            /* of a pool that asks for no number */
  uint64_t spin_ns;       /* how long a wait may spin before it sleeps */
  /* the state's own thread */
  int patient;            /* its last wait was long, so the next does not spin */
  int helpers;            /* residents that run on it */
  Shelf shelf;
  Batch *fresh, *used;    /* for the next submits, the one cleared; or NULL */
  CallMemo memo;          /* of what it has sent */
  int hurry;              /* at the end, what was submitted is not finished */
  uint64_t pools_linger;  /* of pools that say nothing of it, ns */
  uint64_t ends;          /* when the state began to close */
  LingerFn linger;        /* or NULL... */
  void *linger_ud;        /* ...and what it is given */
  /* where the state's own thread waits */
  Glance glance;          /* how its waits for the last results go: see lc_stream_glance */
  Parker parker;
  int has_parker;
  /* guarded by lock */
  Mutex lock;
  int has_lock;
  Resident *residents;    /* opened here, not freed yet */
  /* atomic; a hint */
  _Atomic(int) reported;
  /* guarded by reports_lock, which is the last of all locks */
  Mutex reports_lock;
  int has_reports_lock;
  Report *reports;        /* to be warned of */
  int nreports;
} Home;

/*
** The state's home, made at the first call: with the memory of `worker`, when
** it is a worker's state, or with one of its own if that is NULL. Raises a Lua
** error without memory.
*/
Home *lc_home_open (lua_State *L, struct Worker *worker);

/* Before the home is made: where its memory is to come from. May raise. */
void lc_home_set_memory (lua_State *L, MemFn fn, void *ud);

/*
** A home without a Lua state: that of a pool which a C host opens. `mem`
** outlives it. `cpus` are known to be so many; 0: they are not. 0 when the system
** gives no lock. It must be ended in either case.
*/
int lc_home_init (Home *h, Mem *mem, int cpus);
/* Stops, joins and frees its pools, and says what was reported (unless `say` is
** NULL). The caller's thread stands for its own. */
void lc_home_end (Home *h, void (*say) (void *ud, const char *text), void *ud);

/* Before the home is made: what its `workers` is to be, not the processors.
** May raise (memory). */
void lc_home_set_workers (lua_State *L, int n);
/* The state's home if there is one, else NULL. */
Home *lc_home_find (lua_State *L);
/* What `hurry` is to be, from now on or once there is a home. May raise (memory). */
void lc_home_hurry (lua_State *L, int hurry);

/* `r` has been opened here. */
void lc_home_add (Home *h, Resident *r);
/* The home's thread has to wait: runs one task that nobody else would, or
** gives 0 and cuts *until to when there may be one. */
int lc_home_help (Home *h, uint64_t *until);
/* Whether that can be worth asking. */
static inline int lc_home_helps (const Home *h) { return h->helpers > 0; }
/*
** Batches of submits go to the worker and come back with the future, so neither thread
** frees what the other one allocates. The memory of one that comes back takes a while to
** be here: so it is cleared while the thread waits for another. The state's own thread:
** an empty one (NULL without memory); one that has come back (or NULL), which it keeps or
** frees; there is time to clear it.
*/
Batch *lc_home_batch (Home *h);
void lc_home_spare (Home *h, Batch *b);
void lc_home_stock (Home *h);

/* Cancels what was submitted to its pools and has not ended. The state's own thread. */
void lc_home_cancel (Home *h);
/* Frees those that are gone. */
void lc_home_sweep (Home *h);

/* The state warns of it (Lua's `warn`) when it looks next. Any thread. */
void lc_home_report (Home *h, const char *text);
/* Whether there may be something. Any thread. */
static inline int lc_home_has_news (Home *h) {
  return atomic_load_explicit(&h->reported, memory_order_relaxed);
}
/* Says what was reported. The home's own thread, or one that stands for it. */
void lc_home_tell (Home *h, void (*say) (void *ud, const char *text), void *ud);
/* ...by Lua's warnings. */
void lc_home_warn (Home *h, lua_State *L);

#endif
