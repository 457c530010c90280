/*
** source.h: whatever pool:map and its kin accept as a source, as one thing
** to pull: a generator, an array table, an iterator function, or a function
** that yields. Stands on generator.h, body.h and range.h; knows nothing of
** threads or pools.
**
** A source is a generator, so all of generator.h holds for it, and a
** generator is its own source: it is stepped and closed with the map that
** was given it. For other values a new one is made; Lua code in it runs in a
** coroutine of its own, so that no yield reaches whoever pulls.
*/
#ifndef lc_source_h
#define lc_source_h

#include <lua.h>

#include "generator.h"

#define LC_SOURCE_END LC_GEN_END

/*
** Pushes the source for the value at `idx`: 1. When the value is none: 0,
** and a message is pushed that says what was expected, for luaL_argerror. May
** raise (memory; __len of an array).
**   generator           itself;
**   generator function  called without arguments, as a plain body would be;
**   callable, function  lc_body_function: its first step settles what it is;
**   table               items 1 .. #t, as many as it has now, nil included;
**                       a metatable's __len and __index are heeded.
*/
int lc_source_new (lua_State *L, int idx);

/* Pushes the next item's values and gives their number, or LC_SOURCE_END.
** Raises the source's error, after which there are no more items. */
int lc_source_pull (lua_State *L, int idx);

/*
** As pull, but lets no error of the source through: LC_GEN_FAILED, and the
** error value is pushed. LC_GEN_LATE: see `until` of Generator. (Lua may still raise that memory is out.)
*/
int lc_source_try (lua_State *L, int idx);

/* The same, where one such call has given an item and made the room; `g` is the
** source at `idx`, which is absolute. */
static inline int lc_source_again (lua_State *L, int idx, Generator *g) {
  return g->state == GEN_SUSPENDED ? g->kind->step(L, idx, g, 0)
                                   : lc_source_try(L, idx);
}

/* Ends it now; raises what its <close> variables raise. */
void lc_source_close (lua_State *L, int idx);

/* How many items are still to come, or -1 when nobody can know. */
lua_Integer lc_source_left (lua_State *L, int idx);

/* lc_range_take for the source at `idx`. */
lua_Integer lc_source_take (lua_State *L, int idx, lua_Integer *first,
                            lua_Integer *step, lua_Integer max);

#endif
