/*
** fault.h: the failure of one task, on its way from where it happened to the
** loop: two records in a message. Stands on value/.
**
**   record 1: kind, message, traceback (or nil), the error value
**   record 2: the values that were sent to the task
*/
#ifndef lc_fault_h
#define lc_fault_h

#include <lua.h>

#include "../value/codec.h"

/* Kinds, as scripts see them. */
#define LC_FAULT_ERROR "error"
#define LC_FAULT_MEMORY "memory"
#define LC_FAULT_TRANSFER "transfer"
#define LC_FAULT_TIMEOUT "timeout"
#define LC_FAULT_CANCELLED "cancelled"
#define LC_FAULT_LOST "lost"

/* The name of the metatable of error objects (see lib/lib_error.c). One that a
** task gets from another and raises again keeps its message, and its traceback
** goes before the task's own. */
#define LC_FAULT_OBJECT "lacus.error"

/*
** Two tracebacks, or nils, on top become one: of worker number `worker` (0: not
** known), and of whoever waited there for it.
*/
void lc_fault_join (lua_State *L, lua_Integer worker);

/*
** Message handler for the protected calls of tasks: leaves the value as it is,
** and notes message and traceback for lc_fault_open.
*/
int lc_fault_handler (lua_State *L);

/* Pushes the traceback of `co`, from `level` on. May raise (memory). */
void lc_fault_trace (lua_State *L, lua_State *co, int level);

/*
** The value on top is what a protected call left. Replaces it by three:
** message, traceback or nil, value. `status` is the call's.
*/
void lc_fault_open (lua_State *L, int status);

/*
** Appends both records: message, traceback and value at `at`, `at`+1, `at`+2,
** and the `n` values from `items` on. A value that cannot be sent becomes
** nil, and the message says so. 0 without memory; may raise a Lua error
** (memory). What was appended before a failure is the caller's to cut off.
*/
int lc_fault_write (lua_State *L, Codec *c, Message *m, const char *kind,
                    int at, int items, int n);

#endif
