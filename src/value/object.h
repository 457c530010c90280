/*
** object.h: shared C things as Lua values. A handle is a full userdata that
** holds one `Shared`; it crosses between states by holding the same thing
** once more, and one thing has one handle in each state, so `==` works.
*/
#ifndef lc_object_h
#define lc_object_h

#include <lua.h>

#include "../base/shared.h"

/*
** Says that handles of `kind` are sendable and have the metatable on top of
** the stack in this state (pops it; sets __gc, __name and __metatable there
** if absent). Once for each kind and state, when the library opens.
*/
void lc_object_register (lua_State *L, const SharedKind *kind);

/*
** Pushes the state's handle of `s` (the same userdata as long as it lives).
** Takes over the caller's hold, also when it raises (memory, or a kind that
** this state has not registered).
*/
void lc_object_push (lua_State *L, Shared *s);

/*
** For a thing that is about to be made, and cannot be unmade: pushes an empty handle of
** `kind`. May raise; the handle is none until it is filled.
*/
void lc_object_blank (lua_State *L, const SharedKind *kind);
/* The empty handle on top is that of the new thing `s`, which nobody lends. Takes over the
** hold; raises nothing. It is fresh: lc_object_push does not find it before it is listed,
** which must be before `s` goes where it may come back from. */
void lc_object_fill (lua_State *L, Shared *s);
int lc_object_isfresh (lua_State *L, int idx);
/* Lists the handle at `idx` if it is fresh. May raise (memory). */
void lc_object_list (lua_State *L, int idx);

/*
** Handles of `s` in this state hold nothing from now on: `s` is known to
** outlive the state (a worker's own pool, which could never end otherwise).
*/
void lc_object_lend (lua_State *L, Shared *s);

/* The thing behind the handle at `idx`, or NULL if it is no handle of `kind`
** (`kind == NULL`: of any kind). The handle keeps its hold. */
Shared *lc_object_test (lua_State *L, int idx, const SharedKind *kind);

/*
** Lets the thing go before the collector does (close), also from a `__gc` of
** the metatable's own. The handle is none afterwards; does nothing to what
** is no handle. Raises nothing.
*/
void lc_object_drop (lua_State *L, int idx);

/* It was a handle once, but its thing has been dropped. Raises nothing. */
int lc_object_isdead (lua_State *L, int idx);

#endif
