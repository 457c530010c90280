/*
** env.h: what a worker's state takes over from the state that opens the
** pool: package.path, package.cpath, the Lua loaders of package.preload, and
** the `init` of the pool. One message, read by every worker.
** Stands on value/.
*/
#ifndef lc_env_h
#define lc_env_h

#include <lua.h>

#include "../value/codec.h"

/*
** Writes it into `m`. `init` is the stack index of a function or a module
** name, or 0. The results of lc_encode for `init`, with what it pushes on
** LC_REFUSED; may raise a Lua error. A loader that cannot be sent becomes
** one that says so when it is called.
*/
EncodeResult lc_env_write (lua_State *L, Codec *c, Message *m, int init);

/* In a new worker's state: all but the init. *at is where that stands. Raises
** Lua errors. */
void lc_env_apply (lua_State *L, Codec *c, const Message *m, size_t *at);

/* Calls the init, or requires the module it names. Raises what it raises. */
void lc_env_init (lua_State *L, Codec *c, const Message *m, size_t at);

#endif
