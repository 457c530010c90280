/*
** sandbox.h: the state of a worker whose pool has the option `libs`: only
** some standard libraries, no bytecode, no C modules. Stands on pool/.
*/
#ifndef lc_sandbox_h
#define lc_sandbox_h

#include <lua.h>

#include "../pool/pool.h"

/* The libraries that the array at `idx` names, for PoolOptions.libs, or an
** argument error about argument 1. */
unsigned lc_sandbox_libs (lua_State *L, int idx);

/* In a new worker's state, instead of luaL_openlibs. */
void lc_sandbox_open (lua_State *L, unsigned libs);

/*
** Pushes the globals of lacus's own Lua files, which need libraries that tasks
** may not have (and which tasks must not change); or nothing, and gives 0: they
** are those of the state.
*/
int lc_sandbox_push_env (lua_State *L);

/* Whether the state is a worker's of a pool with `libs`. */
int lc_sandbox_holds (Home *home);

/* A task of a pool with `libs` calls on pool `p`: an error unless it is its own,
** to which functions may be sent. Before each lc_encode of the call. */
void lc_sandbox_address (lua_State *L, Home *home, Pool *p);

#endif
