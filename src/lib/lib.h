/*
** lib.h: what Lua sees of lacus, noun by noun, and who opens it. Each
** lc_lib_* adds its functions to the table on top of the stack (the module)
** and makes the metatables it needs. Stands on pool/ and on the generators.
*/
#ifndef lc_lib_h
#define lc_lib_h

#include <lua.h>

#include "../lacus.h"
#include "../pool/fault.h"
#include "../pool/pool.h"

/* Names of metatables in the registry. */
#define LC_POOL "lacus.pool"
#define LC_RESULTS "lacus.results"
#define LC_FUTURE "lacus.future"
#define LC_ERROR LC_FAULT_OBJECT

void lc_lib_error (lua_State *L);
void lc_lib_results (lua_State *L);
void lc_lib_future (lua_State *L);
void lc_lib_pool (lua_State *L);

/* In a worker's state: replaces functions of the library `coroutine`. */
void lc_lib_coroutine (lua_State *L);

/* In a worker's state: programs that io.popen and os.execute start. */
void lc_lib_process (lua_State *L);

/* The libraries of a worker's state (PoolOptions.libraries). */
int lc_lib_worker (lua_State *L);

/* The script of this state has failed: what it submitted is dropped, not
** finished, when the state closes. May raise (memory). */
void lc_lib_hurry (lua_State *L);

/* The script of a stock interpreter runs: should it fail from here on, or call os.exit,
** that counts as said by lc_lib_hurry. For states of which nobody else says it; nothing
** in others. May raise (memory). */
void lc_lib_script (lua_State *L, Home *home);

/* Ctrl-C at a prompt: the futures that this state holds are cancelled, the pools
** live on. May raise (memory). */
void lc_lib_cancel (lua_State *L);

/* Before lacus is required in this state: its pools have `n` workers, not as
** many as there are processors, unless they ask for a number. May raise. */
void lc_lib_set_workers (lua_State *L, int n);

/* It has not, or all is well by now. While the state closes and waits for what was
** submitted, `fn` is told, and may end that: see pool/home.h. May raise (memory). */
void lc_lib_linger (lua_State *L, LingerFn fn, void *ud);

/* Puts luaopen_lacus and the embedded sugar into package.preload. */
void lc_lib_preload (lua_State *L);

/* --- lib_map.c, lib_results.c --------------------------------------------- */

/*
** pool:map. Source, function and options are at stack positions 2 to 4; they
** are checked here. Pushes the four values of a generic `for`; gives 4.
*/
int lc_lib_map (lua_State *L, Home *home, Pool *p);

/* Adds to the table on top what the sugar needs and scripts do not see:
** `entry` (results) gives index, yielded?, values...; at the end nil and the
** number of items. */
void lc_lib_results_private (lua_State *L);

/* Likewise `submit_to` (pool, worker, fn, ...): a future of that worker; and
** `keep` (n), for a task: it leaves so many things more in its state. */
void lc_lib_pool_private (lua_State *L);

/* --- lib_future.c -------------------------------------------------------- */

/* pool:submit: function and arguments from stack position 2 on. Gives 1. */
int lc_lib_submit (lua_State *L, Home *home, Pool *p, int to);

/* --- lib_generate.c ------------------------------------------------------ */

/* pool:generate: likewise. Gives 4. */
int lc_lib_generate (lua_State *L, Home *home, Pool *p);

/* --- both ---------------------------------------------------------------- */

/*
** Encodes the `n` values from `first` on, a function or a name and its
** arguments, as the next record of `b`; 0 without memory. Raises that they cannot
** be sent.
*/
int lc_lib_encode_call (lua_State *L, Home *home, Batch *b, int first, int n);
/* Likewise, for the one entry that `b` has. */
int lc_lib_encode_task (lua_State *L, Home *home, Batch *b, int first, int n);

/* The function or name at `arg`, or an argument error. */
void lc_lib_check_function (lua_State *L, int arg);

/* --- lib_random.c -------------------------------------------------------- */

/* In a worker of a pool with a seed: its math.random and math.randomseed. */
void lc_lib_random (lua_State *L);

/* --- lib_error.c --------------------------------------------------------- */

/* Likewise `raise` (kind, message, level). */
void lc_lib_error_private (lua_State *L);

/*
** Pushes the error object of a failed task: `e` is an ENTRY_FAULT or an
** ENTRY_NOMEM, `m` where its records are. May raise (memory).
*/
void lc_lib_push_error (lua_State *L, Codec *c, const Entry *e,
                        const Message *m);

/* Raises the error object on top, which then knows where it was asked for: the
** stack from `level` on, as luaL_traceback counts. */
int lc_lib_raise (lua_State *L, int level);

/* Pushes an error object that came about on this side: the message is on
** top, and is replaced by the object. */
void lc_lib_make_error (lua_State *L, const char *kind, uint64_t index);

#endif
