/*
** call.h: the function of a map, encoded once when the map starts and
** decoded once by each worker that meets it: never for each item. Stands on
** value/; the worker's side keeps the decoded functions, a bounded number.
*/
#ifndef lc_call_h
#define lc_call_h

#include <lua.h>

#include "../base/shared.h"
#include "../value/codec.h"

typedef struct Call Call;

struct Call {
  Shared head;
  Call *next;              /* its stream's */
  /* set at birth */
  Mem *mem;
  Message msg;             /* one record: a function or a name */
  /* atomic */
  _Atomic(int) retired;    /* nobody will send it again: caches may let go */
};

/*
** The function or name at `idx` of `L` as a Call in *made, which the caller holds. The
** results of lc_encode, and what it leaves on the stack; may raise as it may.
*/
EncodeResult lc_call_new (lua_State *L, Codec *c, Mem *mem, int idx,
                          Call **made);
/* Functions of the same code have the same one, and seldom others: for hints. Not 0. */
uint64_t lc_call_key (const Call *call);
void lc_call_retire (Call *call);
void lc_call_release (Call *call);

/*
** Calls of functions whose record is the same each time: they are encoded once, and
** decoded once by each worker, for all maps and submits. Each has one place, by its
** function's identity, until another one takes it. Of one state, that state's thread
** only; starts as zeros. It retires them; who else has one does not.
*/
#define LC_CALLS_REPEATED 16

typedef struct CallMemo { Call *kept[LC_CALLS_REPEATED]; } CallMemo;

/*
** The Call of the function at `idx` (absolute) in *made, which the caller holds; NULL if
** it does not repeat, or has never been sent: then it is to go as any other. Raises as
** lc_encode may; leaves the stack as it was.
*/
void lc_call_repeat (CallMemo *memo, lua_State *L, Codec *c, Mem *mem, int idx,
                     Call **made);
/* Likewise, but only what has been sent before, or NULL. Raises nothing. */
Call *lc_call_kept (CallMemo *memo, lua_State *L, const Codec *c, int idx);
/* Lets go of all. */
void lc_call_forget (CallMemo *memo);

#define LC_CALLS_KEPT 32

/* A worker's calls. Owner thread only; starts as zeros. */
typedef struct CallCache {
  Call *kept[LC_CALLS_KEPT];     /* held; their functions are in the registry */
  int n;
} CallCache;

/*
** Pushes the function of `call` onto `L`. Raises a Lua error when it cannot
** be decoded here, or its name leads to no function.
*/
void lc_call_push (CallCache *cache, lua_State *L, Codec *c, Call *call);

/* A name on top of the stack becomes the function it leads to; anything else
** stays. Raises when there is no such module or function. */
void lc_call_resolve (lua_State *L);

/* Lets go of the retired ones; of all, if `all`. Never raises. */
void lc_call_sweep (CallCache *cache, lua_State *L, int all);

#endif
