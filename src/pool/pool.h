/*
** pool.h: how a pool begins and ends, and what is asked of it from outside:
** streams and futures. Stands on crew.h (what a pool is), schedule.h (who gets
** which task) and post.h (a worker at its post).
**
** Opening waits until every worker's state is open, or failed to: then the
** pool does not come to be. `init` runs in each worker before its first
** task; if it raises, the pool is broken: it stops, and says why.
**
** Stopping (close, failure, or nobody holds the pool): queued tasks are
** dropped, open streams broken, all workers woken; each stops the task it
** runs, drops those that wait, and ends. close() joins them. A
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

#include "crew.h"
#include "future.h"
#include "post.h"
#include "schedule.h"
#include "stream.h"
#include "watch.h"

typedef struct PoolOptions {
  int workers;                /* 0: none but the home's own thread */
  uint64_t recycle;           /* tasks; 0: never */
  uint64_t linger;            /* ns; LC_NEVER: no limit. See crew.h */
  int warns;                  /* warnings are on in its workers */
  unsigned libs;              /* for `libraries`; 0: all */
  size_t memory;              /* of a worker's state, bytes; 0: no limit */
  int seeded, shuffled;       /* whether there is a: */
  uint64_t seed, shuffle;
  uint64_t grace_ns;          /* that what is stopped has */
  int stepped;                /* workers have no threads: see lc_post_step */
  size_t stack;               /* of a thread, at least LC_STACK_LEAST; 0: LC_STACK */
  const PoolHooks *hooks;     /* copied; or NULL */
  uint64_t watchdog_ns;       /* what runs longer is reported; 0: no limit */
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
** Stops and waits for the workers: until the tasks that run now were stopped.
** Gives the number of scripts' tasks dropped or cut. Idempotent. On the thread of
** the state that opened it.
*/
size_t lc_pool_close (Pool *p);
/* Before that, when not all that was submitted has ended and nobody waits for it:
** neither do the workers' own states, for pools that tasks have opened. */
void lc_pool_hurry (Pool *p);

/* A pool is a Shared of this kind. The last release stops it, on any thread,
** without waiting; its home frees it. */
extern const SharedKind lc_pool_kind;
static inline Pool *lc_pool_from (Shared *s) {
  return (Pool *)(void *)((char *)s - offsetof(Pool, head));
}
void lc_pool_hold (Pool *p);
void lc_pool_release (Pool *p);

/*
** A stream over this pool's workers, which the caller holds and closes with
** lc_pool_end. `home`: of the consumer's state. NULL without memory.
*/
Stream *lc_pool_begin (Pool *p, Home *home, const StreamOptions *options);
/* All its items are for `call`: it begins with batches as others of that function have
** had. Consumer's thread. */
void lc_pool_expect (Pool *p, Stream *s, const Call *call);
/* Closes it (see lc_stream_close) and lets it go. */
size_t lc_pool_end (Pool *p, Stream *s);

/*
** A future of the one item in `b` (which it takes over), whose task any worker
** runs, or only worker `to` (from 1; 0: any). `on`: the worker whose task
** submits, or NULL. NULL without memory, or when the pool is stopping: then `b`
** is still the caller's.
*/
Future *lc_pool_submit (Pool *p, Worker *on, Batch *b, int to);

/* Waits until no task of a future is pending; 0 when `deadline` came first.
** Not from a worker of the pool. */
int lc_pool_finish (Pool *p, uint64_t deadline);

/* Whether it takes no tasks any more. Any thread. */
int lc_pool_stopping (Pool *p);
/* Whether it takes tasks; if not, pushes a message that says why not. */
int lc_pool_alive (Pool *p, lua_State *L);

/* The worker `w` (or NULL), if it is one of this pool's; else NULL. */
PoolWorker *lc_pool_own (Pool *p, Worker *w);

/* The random numbers of what runs on `w` now; NULL: its pool has no seed.
** Owner thread. */
Random *lc_pool_random (Worker *w);

/* The running task leaves something in its state, or (-1) has fetched it: while
** there is any, the state is not replaced. Owner thread. */
void lc_pool_keep (Worker *w, int by);

#endif
