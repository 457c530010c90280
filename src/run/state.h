/*
** state.h: birth and death of a worker's Lua state. Stands on heap and on
** value/codec; does not know our module: it is given the function that opens
** its libraries.
*/
#ifndef lc_state_h
#define lc_state_h

#include <lua.h>

#include "../value/codec.h"
#include "heap.h"

/* A state over `h` with nothing in it but `warn`'s usual behaviour (what
** luaL_newstate gives, but for the panic). NULL without memory. */
lua_State *lc_state_bare (Heap *h);

/* Whether warnings are on in the state of `L`, if it is a bare one; in any other,
** nobody can tell: 0. */
int lc_state_warns (lua_State *L);

/*
** Opens a state over `h`, calls `libraries` in it (protected) and makes its
** codec. `extra` goes into lua_getextraspace of every coroutine of the state.
** NULL on failure, and *error then says why, in memory of `mem` that the
** caller frees (strlen + 1 bytes), or is NULL when not even that was left.
*/
lua_State *lc_state_open (Heap *h, Mem *mem, lua_CFunction libraries,
                          void *extra, Codec **codec, char **error);
void lc_state_close (lua_State *L);

/* A copy of `s` in memory of `mem`; NULL without memory. */
char *lc_state_copy_error (Mem *mem, const char *s);

#endif
