#include "range.h"

#include <lauxlib.h>

/*
** Counts as a numeric `for` in Lua 5.4 does: an integer loop knows how many
** items it has before it begins, so nothing overflows near the ends of the
** integers. While the state is not GEN_DEAD, `next` is the next item and
** `more` the number of items behind it.
*/
typedef struct Range {
  Generator head;
  lua_Integer next, step;
  lua_Unsigned more;
} Range;

typedef struct FloatRange {
  Generator head;
  lua_Number next, step, limit;
} FloatRange;

/* As Range, `next` being the first number of the next chunk. */
typedef struct Chunks {
  Generator head;
  lua_Integer next, last, size;
} Chunks;

/* More than an integer can say is as many as it can say. */
static lua_Integer range_count (lua_Unsigned more) {
  return more < (lua_Unsigned)LUA_MAXINTEGER ? (lua_Integer)more + 1
                                             : LUA_MAXINTEGER;
}

/* Unsigned, so that it wraps and is defined. */
static lua_Integer range_add (lua_Integer a, lua_Unsigned b) {
  return (lua_Integer)((lua_Unsigned)a + b);
}

/* ---- integers ----------------------------------------------------------- */

/* The last item ends it: whoever counts knows that nothing follows. */
static int range_step (lua_State *L, int idx, Generator *g, int nsend) {
  Range *r = (Range *)g;
  (void)idx;
  lua_pop(L, nsend);
  lua_pushinteger(L, r->next);
  if (r->more == 0) g->state = GEN_DEAD;
  else {
    r->next = range_add(r->next, (lua_Unsigned)r->step);
    r->more--;
    g->state = GEN_SUSPENDED;
  }
  return 1;
}

static lua_Integer range_left (const Generator *g) {
  return range_count(((const Range *)g)->more);
}

static const GeneratorKind range_kind = {range_step, NULL, range_left,
  "a range", NULL, NULL};

int lc_range_is (const Generator *g) {
  return g->kind == &range_kind && g->state != GEN_DEAD;
}

lua_Integer lc_range_take (Generator *g, lua_Integer *first,
                           lua_Integer *step, lua_Integer max) {
  Range *r = (Range *)g;
  lua_Integer n;
  if (!lc_range_is(g) || max < 1) return 0;
  *first = r->next;
  *step = r->step;
  n = range_left(g);
  if (n > max) n = max;
  if ((lua_Unsigned)n > r->more) g->state = GEN_DEAD;
  else {
    r->next = range_add(r->next, (lua_Unsigned)n * (lua_Unsigned)r->step);
    r->more -= (lua_Unsigned)n;
    g->state = GEN_SUSPENDED;
  }
  return n;
}

/* ---- floats ------------------------------------------------------------- */

static int range_fstep (lua_State *L, int idx, Generator *g, int nsend) {
  FloatRange *r = (FloatRange *)g;
  (void)idx;
  lua_pop(L, nsend);
  if (!(r->step > 0 ? r->next <= r->limit : r->next >= r->limit)) {
    g->state = GEN_DEAD;
    return LC_GEN_END;
  }
  lua_pushnumber(L, r->next);
  r->next += r->step;
  g->state = GEN_SUSPENDED;
  return 1;
}

static const GeneratorKind range_fkind = {range_fstep, NULL, NULL, "a range",
  NULL, NULL};

/* ---- chunks ------------------------------------------------------------- */

static lua_Unsigned chunks_span (const Chunks *c) {
  return (lua_Unsigned)c->last - (lua_Unsigned)c->next;
}

static int chunks_step (lua_State *L, int idx, Generator *g, int nsend) {
  Chunks *c = (Chunks *)g;
  (void)idx;
  lua_pop(L, nsend);
  lua_pushinteger(L, c->next);
  if (chunks_span(c) < (lua_Unsigned)c->size) {
    lua_pushinteger(L, c->last);
    g->state = GEN_DEAD;
  }
  else {
    c->next = range_add(c->next, (lua_Unsigned)c->size);
    lua_pushinteger(L, c->next - 1);
    g->state = GEN_SUSPENDED;
  }
  return 2;
}

static lua_Integer chunks_left (const Generator *g) {
  const Chunks *c = (const Chunks *)g;
  return range_count(chunks_span(c) / (lua_Unsigned)c->size);
}

static const GeneratorKind chunks_kind = {chunks_step, NULL, chunks_left,
  "a generator that lacus.chunks made", NULL, NULL};

/* ---- what Lua sees ------------------------------------------------------ */

/*
** The limit of an integer loop, rounded towards the start and clipped to the
** integers; 0 when the loop has no item, as with NaN.
*/
static int range_limit (lua_State *L, int arg, lua_Integer start,
                        lua_Integer step, lua_Integer *limit) {
  if (lua_isinteger(L, arg))
    *limit = lua_tointeger(L, arg);
  else {
    lua_Number n = lua_tonumber(L, arg);
    if (lua_numbertointeger(n, limit)) {   /* cuts the fraction off */
      if (step > 0 && (lua_Number)*limit > n) --*limit;
      else if (step < 0 && (lua_Number)*limit < n) ++*limit;
    }
    else if (n > 0 && step > 0) *limit = LUA_MAXINTEGER;
    else if (n < 0 && step < 0) *limit = LUA_MININTEGER;
    else return 0;
  }
  return step > 0 ? start <= *limit : start >= *limit;
}

static void range_integers (lua_State *L) {
  lua_Integer limit, start = lua_tointeger(L, 1), step = lua_tointeger(L, 3);
  Range *r;
  if (step == 0) luaL_argerror(L, 3, "'step' is zero");
  r = (Range *)lc_generator_new(L, &range_kind, sizeof(Range), 0);
  if (!range_limit(L, 2, start, step, &limit)) {
    r->head.state = GEN_DEAD;
    return;
  }
  r->next = start;
  r->step = step;
  if (step > 0)
    r->more = ((lua_Unsigned)limit - (lua_Unsigned)start) / (lua_Unsigned)step;
  else   /* -(step + 1) + 1 is |step|, also for the least integer */
    r->more = ((lua_Unsigned)start - (lua_Unsigned)limit)
              / ((lua_Unsigned)(-(step + 1)) + 1u);
}

static void range_floats (lua_State *L) {
  FloatRange *r;
  if (lua_tonumber(L, 3) == 0) luaL_argerror(L, 3, "'step' is zero");
  r = (FloatRange *)lc_generator_new(L, &range_fkind, sizeof(FloatRange), 0);
  r->next = lua_tonumber(L, 1);
  r->limit = lua_tonumber(L, 2);
  r->step = lua_tonumber(L, 3);
}

/* As `for`, it takes numbers only: no strings that look like numbers. */
static int l_range (lua_State *L) {
  luaL_checktype(L, 1, LUA_TNUMBER);
  luaL_checktype(L, 2, LUA_TNUMBER);
  lua_settop(L, 3);
  if (lua_isnil(L, 3)) {
    lua_pushinteger(L, 1);
    lua_replace(L, 3);
  }
  luaL_checktype(L, 3, LUA_TNUMBER);
  if (lua_isinteger(L, 1) && lua_isinteger(L, 3)) range_integers(L);
  else range_floats(L);
  return lc_generator_for(L);
}

static int l_chunks (lua_State *L) {
  lua_Integer n[3];
  Chunks *c;
  int i;
  for (i = 0; i < 3; i++) {
    luaL_checktype(L, i + 1, LUA_TNUMBER);
    n[i] = luaL_checkinteger(L, i + 1);
  }
  luaL_argcheck(L, n[2] > 0, 3, "size of a chunk must be at least 1");
  c = (Chunks *)lc_generator_new(L, &chunks_kind, sizeof(Chunks), 0);
  c->next = n[0];
  c->last = n[1];
  c->size = n[2];
  if (n[0] > n[1]) c->head.state = GEN_DEAD;
  return lc_generator_for(L);
}

static const luaL_Reg range_functions[] = {
  {"range", l_range},
  {"chunks", l_chunks},
  {NULL, NULL}
};

void lc_range_open (lua_State *L) {
  luaL_setfuncs(L, range_functions, 0);
}
