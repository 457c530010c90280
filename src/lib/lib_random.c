/*
** lib_random.c: math.random and math.randomseed in the workers of a pool with
** a seed. Their interface, argument errors and numbers are those of lmathlib.c
** in Lua 5.4 (R. Ierusalimschy and others, MIT), but the state belongs to the
** task that runs, so that tasks which take turns on a worker leave each other's
** numbers alone. Stands on base/random and pool/pool.
*/
#include <float.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "lib.h"

/* Bits of a float's mantissa that a word fills. */
#define RANDOM_BITS (sizeof(lua_Number) < sizeof(double) ? FLT_MANT_DIG \
                                                         : DBL_MANT_DIG)

static Random *rnd_state (lua_State *L) {
  return lc_pool_random(lc_worker_of(L));
}

/* From 0 (included) to 1 (excluded): the highest bits, scaled. */
static lua_Number rnd_float (uint64_t word) {
  return (lua_Number)(word >> (64 - RANDOM_BITS))
         * ((lua_Number)0.5 / (lua_Number)((uint64_t)1 << (RANDOM_BITS - 1)));
}

/* `word` cut down to 0 .. n: bits from above the highest of `n` are dropped,
** and words still too large thrown away, so that all are equally likely. */
static uint64_t rnd_project (Random *r, uint64_t word, uint64_t n) {
  uint64_t most = n;
  int shift;
  for (shift = 1; shift < 64; shift *= 2) most |= most >> shift;
  while ((word &= most) > n) word = lc_random_next(r);
  return word;
}

static int l_random (lua_State *L) {
  lua_Integer low, up;
  Random *r = rnd_state(L);
  uint64_t word = lc_random_next(r);
  switch (lua_gettop(L)) {
    case 0:
      lua_pushnumber(L, rnd_float(word));
      return 1;
    case 1:
      low = 1;
      up = luaL_checkinteger(L, 1);
      if (up == 0) {                    /* a whole word */
        lua_pushinteger(L, (lua_Integer)word);
        return 1;
      }
      break;
    case 2:
      low = luaL_checkinteger(L, 1);
      up = luaL_checkinteger(L, 2);
      break;
    default:
      return luaL_error(L, "wrong number of arguments");
  }
  luaL_argcheck(L, low <= up, 1, "interval is empty");
  lua_pushinteger(L, (lua_Integer)(rnd_project(r, word,
                       (uint64_t)up - (uint64_t)low) + (uint64_t)low));
  return 1;
}

/* A float that is no integer is one by its bits, where Lua 5.4 before 5.4.7
** refuses it: what seeds itself from os.clock() at home can do so here. */
static lua_Integer rnd_seed_number (lua_State *L, int arg) {
  lua_Integer n = 0;
  lua_Number f;
  int isint;
  n = lua_tointegerx(L, arg, &isint);
  if (isint) return n;
  f = luaL_checknumber(L, arg);
  memcpy(&n, &f, sizeof f < sizeof n ? sizeof f : sizeof n);
  return n;
}

/*
** Without arguments, where stock Lua looks at the clock, the seed is drawn from
** the task's own numbers: they are new, and still the same in every run.
*/
static int l_randomseed (lua_State *L) {
  Random *r = rnd_state(L);
  lua_Integer n1, n2;
  if (lua_isnone(L, 1)) {
    n1 = (lua_Integer)lc_random_next(r);
    n2 = (lua_Integer)lc_random_next(r);
  }
  else {
    n1 = rnd_seed_number(L, 1);
    n2 = luaL_optinteger(L, 2, 0);
  }
  lc_random_seed(r, (uint64_t)n1, (uint64_t)n2);
  lua_pushinteger(L, n1);
  lua_pushinteger(L, n2);
  return 2;
}

static const luaL_Reg random_functions[] = {
  {"random", l_random},
  {"randomseed", l_randomseed},
  {NULL, NULL}
};

void lc_lib_random (lua_State *L) {
  if (rnd_state(L) == NULL) return;
  if (lua_getglobal(L, LUA_MATHLIBNAME) == LUA_TTABLE)
    luaL_setfuncs(L, random_functions, 0);
  lua_pop(L, 1);
}
