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

/* Calls `f`, which runs no Lua, for each thing of `kind` that has a handle in this
** state. */
void lc_object_each (lua_State *L, const SharedKind *kind,
                     void (*f) (Shared *s));

/* It was a handle once, but its thing has been dropped. Raises nothing. */
int lc_object_isdead (lua_State *L, int idx);

#endif
