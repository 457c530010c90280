/*
** lib_wait.h: waiting, from wherever Lua is: the main thread sleeps; a task
** is suspended, or, where Lua cannot yield, other tasks run on top of it.
** Stands on pool/pool.h.
*/
#ifndef lc_lib_wait_h
#define lc_lib_wait_h

#include <stdint.h>

#include <lua.h>

#include "../pool/pool.h"

/* How to wait for a thing. Thing and kind are NULL where time alone is waited
** for. */
typedef struct WaitKind {
  /* 1: `n`'s waiter will be woken when there is news; 0: there is already.
  ** May be called again while it listens. */
  int (*listen) (void *thing, WaitNode *n);
  void (*unlisten) (void *thing, WaitNode *n);
} WaitKind;

/* The thing is a Stream; its consumer waits. */
extern const WaitKind lc_wait_stream;

/* A hook that was set while we slept (a signal handler's, Ctrl-C), on L or the main
** coroutine, fires in here: raises what it raises. */
void lc_wait_poke (lua_State *L);

/* The fiber to suspend for a wait here; NULL: use lc_wait_block. */
Fiber *lc_wait_fiber (Home *home, lua_State *L);

/*
** Waits until there is news of `thing`, or until `deadline`; may come back
** early, so the caller looks again. Raises where waiting is impossible, when
** the worker's pool is closing, and what a hook raises (Ctrl-C).
*/
void lc_wait_block (lua_State *L, Home *home, const WaitKind *kind,
                    void *thing, uint64_t deadline);

#endif
