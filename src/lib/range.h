/*
** range.h: generators that count (lacus.range, lacus.chunks), without a
** coroutine. Stands on generator.h. Knows nothing of threads or pools.
*/
#ifndef lc_range_h
#define lc_range_h

#include <lua.h>

#include "generator.h"

/* Adds `range` and `chunks` to the table on top of the stack, after
** lc_generator_open. */
void lc_range_open (lua_State *L);

/* Whether it is a range of integers that has not ended. */
int lc_range_is (const Generator *g);

/*
** Takes up to `max` items of a range of integers at once: *first, *first +
** *step, and so on. Gives how many were taken; 0 when it is no range of
** integers, has ended, or max < 1. No Lua state is needed, nothing is raised.
*/
lua_Integer lc_range_take (Generator *g, lua_Integer *first,
                           lua_Integer *step, lua_Integer max);

#endif
