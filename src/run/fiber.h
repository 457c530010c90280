/*
** fiber.h: coroutines that tasks run in, and how they wait. A fiber is used
** again after its task ended, so that a task costs no new coroutine. Stands
** on task.h and base/park.h. The floor above puts its own fields behind the
** Fiber (Fibers.size).
**
** Waiting. A C function that Lua called in the fiber's coroutine (or in one that
** the resumes of lib/lib_coroutine.c have led to from there) puts `node` on the list of what it waits for, says in `forget` how to take it off
** again, and returns lc_fiber_suspend(...). The worker then does other work.
** Whoever has news wakes `waiter`: the fiber becomes a task of its own worker
** (only that one may resume it) and goes on in the continuation, which looks
** again, for a wake carries no news.
**
** The states, and who changes them. A wake between the decision to wait and
** the suspension, or after the fiber went on for another reason, leaves a
** token, which costs one look too many and nothing else:
**   owner:   RUNNING -> PARKED when suspended; RUNNING when it goes on
**   waker:   PARKED -> WOKEN, and queues it; RUNNING -> WOKEN: the token
*/
#ifndef lc_fiber_h
#define lc_fiber_h

#include <stdint.h>

#include <lua.h>

#include "../base/atomic.h"
#include "../base/mem.h"
#include "../base/park.h"
#include "interrupt.h"
#include "task.h"

typedef struct Fiber Fiber;
typedef struct Fibers Fibers;

/* The fibers of one state. */
struct Fibers {
  /* set at birth */
  Mem *mem;
  size_t size;           /* bytes of the host's fibers */
  /* A parked fiber may go on: queues it for the owner. Any thread. */
  void (*ready) (Fibers *fs, Task *t);
  /* owner thread only */
  lua_State *L;          /* main coroutine of the state; set when it opens */
  Fiber *current;        /* what runs now, or NULL */
  lua_State *running;    /* the coroutine in it that may wait, or NULL */
  int parking;           /* it has decided to wait */
  int ending;            /* it was stopped: it will not be resumed */
  Interrupt *interrupt;  /* of this thread; set at birth */
  Fiber *live;           /* those that have begun and not ended; changed
                         ** under a lock of the host, who may have readers */
  Fiber *spare;          /* finished ones, for the next task */
  int nspare;
  Fiber **timers;        /* see timer.h */
  size_t ntimers, captimers;
};

struct Fiber {
  Task task;             /* first: to go on; `run` is the host's */
  /* set at birth */
  Fibers *fs;
  Waiter waiter;
  /* atomic */
  _Atomic(int) state;
  /* owner thread only */
  lua_State *co;         /* its stack is empty when it is taken */
  int anchor;            /* its place in the registry */
  Fiber *next;           /* spare list */
  Fiber *live, **live_at;   /* list of those that have begun */
  uint64_t deadline;     /* when to wake it at the latest; LC_NEVER: not */
  uint64_t limit;        /* how long its task may take: likewise */
  size_t timer;          /* its place among the timers, from 1; 0: none */
  void (*forget) (Fiber *f, void *what);
  void *what;            /* what it waits for, while it does; or NULL */
  /* guarded by what it waits for */
  WaitNode node;
};

/* A fiber with an empty stack; NULL when there is no memory.
** Never raises. Its host fields are as its last user left them, or zero. */
Fiber *lc_fiber_take (Fibers *fs);

/* Back for reuse. The coroutine has ended, or was reset. Never raises. */
void lc_fiber_give (Fibers *fs, Fiber *f);

/* On and off the list of the live ones. */
void lc_fiber_list (Fiber *f);
void lc_fiber_unlist (Fiber *f);

/* Its coroutine has failed, or is to: closes what is pending and empties it. */
void lc_fiber_reset (Fiber *f);

/* Frees the spare ones, before the state closes. */
void lc_fiber_clear (Fibers *fs);

/*
** The fiber that runs, if it may wait here; else NULL (there is a C call in
** between, or nothing runs).
*/
Fiber *lc_fiber_here (Fibers *fs, lua_State *L);

/* Whether `L`, in which code is stopped, may yield for good: then it is said
** to (Fibers.ending), and every resume on the way yields on. */
int lc_fiber_ends (Fibers *fs, lua_State *L);

/*
** What a C function returns to wait: until woken, or until `deadline` or the fiber's limit. Then
** `k` goes on. `forget(f, what)` is called before that, and when the fiber is
** dropped: it takes `f->node` off its list under the list's lock.
*/
int lc_fiber_suspend (lua_State *L, Fiber *f, uint64_t deadline,
                      void (*forget)(Fiber *, void *), void *what,
                      lua_KContext ctx, lua_KFunction k);

/* The host's, after a resume that suspended: 1 if it stays parked; 0 if it
** was woken meanwhile and goes on at once. */
int lc_fiber_park (Fiber *f);
/* The host's, before it resumes: it waits for nothing any more. */
void lc_fiber_unpark (Fiber *f);

#endif
