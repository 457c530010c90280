/*
** worker.h: one thread with one Lua state that runs tasks until it is told
** to stop. Stands on state, fiber and task; knows nothing of pools: where
** tasks come from is a function it is given.
**
** Life. start() makes the thread; the thread opens the state and reports
** through `opened`; then it asks `next` for a task (which waits), runs it,
** and asks again, until `next` gives NULL; it closes the state, reports
** through `gone` and ends. join() may be called once, after start() succeeded.
*/
#ifndef lc_worker_h
#define lc_worker_h

#include <lua.h>

#include "../base/mem.h"
#include "../base/park.h"
#include "../base/thread.h"
#include "../value/codec.h"
#include "fiber.h"
#include "heap.h"
#include "interrupt.h"
#include "task.h"

typedef struct Worker Worker;

/* What a worker asks of the floor above. Called on the worker's thread. */
typedef struct WorkerHost {
  /* The thread begins; not for a worker without one of its own. */
  void (*begin) (Worker *w);
  lua_CFunction libraries;     /* opens what the state is to have */
  /* The state is open (error == NULL), or could not be: a C string. */
  void (*opened) (Worker *w, const char *error);
  /* Waits for the next task; NULL ends the worker. */
  Task *(*next) (Worker *w);
  /* Just before the state closes, so that what is held in it can go. */
  void (*closing) (Worker *w);
  /* The last thing: only join() may follow. */
  void (*gone) (Worker *w);
  /* A parked fiber may go on: see Fibers. Any thread. */
  void (*ready) (Fibers *fs, Task *t);
  InterruptHost interrupt;
} WorkerHost;

struct Worker {
  /* set at birth */
  int id;                      /* from 1 */
  char name[40];
  const WorkerHost *host;
  void *owner;                 /* the host's */
  Mem *mem;
  size_t stack;                /* of the thread, bytes; 0: the system's */
  size_t memory;               /* that its state may hold, bytes; 0: all */
  int cpus;                    /* that the process may use, as its opener knows */
  Thread thread;
  Parker parker;
  Interrupt interrupt;
  /* owner thread only */
  lua_State *L;
  Codec *codec;
  Heap heap;
  Mem *outer;                  /* of what is kept for the state, outside of
                               ** it: `mem`, or one within that has a limit */
  Fibers fibers;               /* mem, size and ready given by the host */
  size_t settled;              /* heap in use after the last idle collection */
  size_t born;                 /* heap in use when the state was new */
  int strained;                /* a task has met the limit since */
};

/* Sets up a zeroed worker (host, owner, mem, fibers given by then);
** 0 on success, else an errno. */
int lc_worker_init (Worker *w, int id, const char *name);
/* 0 on success, else an errno: then no thread was made. */
int lc_worker_start (Worker *w);
/* Waits for the thread to end. */
void lc_worker_join (Worker *w);

/*
** For a worker without a thread of its own (and within one that has one): its
** state opens on the caller's thread, which is its owner then; 0 on failure,
** reported through `opened`.
*/
int lc_worker_open (Worker *w);
/* Closes the state, if it is open. */
void lc_worker_close (Worker *w);
void lc_worker_free (Worker *w);

/* The worker whose state `L` belongs to. Only in a worker's state. */
Worker *lc_worker_of (lua_State *L);

/*
** Coroutines that scripts must leave alone: those of fibers, and those that
** wait for something within a task. A mark beside the worker's address, in
** the extra space of the coroutine. 1 if it is marked.
*/
int lc_worker_owns (lua_State *co);
void lc_worker_own (lua_State *co, int owned);

/*
** A task has met the limit on memory: collects all garbage. 1 if less than half
** of a new state's room is left, or it is scattered: then the state should be
** replaced. Owner thread,
** outside of tasks.
*/
int lc_worker_relieve (Worker *w);

/* Whether so much was allocated since it was last tidied that it is worth the cycles. */
int lc_worker_is_untidy (Worker *w);
/*
** Collects garbage in small steps while there is nothing else to do; stops
** early when the worker's parker has a token. Owner thread, outside of tasks.
*/
void lc_worker_tidy (Worker *w);

#endif
