/*
** yield.h: `coroutine.yield` at the level of a task. Stands on answer and stop.
*/
#ifndef lc_yield_h
#define lc_yield_h

#include "kit.h"

/*
** The values on `L`'s stack, from 1 on, are a result. Returns what a C function
** returns; waits (by suspending) while too many results of the stream wait. Only
** where lc_fiber_here.
*/
int lc_yield (lua_State *L, Fiber *f);

#endif
