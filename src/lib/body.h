/*
** body.h: the generators whose items come from Lua code, which runs in a
** coroutine of its own: bodies (lacus.generator), iterators of a generic
** `for` (lacus.iter), and functions of which nobody knows yet what they are
** (sources). Stands on generator.h. Knows nothing of threads or pools.
*/
#ifndef lc_body_h
#define lc_body_h

#include <lua.h>

/* Adds `generator` and `iter`, and `_start`, which is how what `generator` gives
** is known in other states, to the table on top of the stack. Once for
** each Lua state, after lc_generator_open. */
void lc_body_open (lua_State *L);

/* Is the value callable: a function, or has it __call? Pushes nothing. */
int lc_body_callable (lua_State *L, int idx);

/* Is it a generator function: what lacus.generator gives? */
int lc_body_maker (lua_State *L, int idx);

/*
** Pushes a generator of the callable value at `idx`; its first step settles
** what that is. If it yields, it is a body: what it yields are the items. If
** it returns, it is an iterator, called again (without arguments) for each
** item, until what it returns first is nil.
*/
void lc_body_function (lua_State *L, int idx);

#endif
