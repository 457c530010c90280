/*
** value_memory.c: every allocation fails. A rich value crosses the border
** while the k-th allocation fails once, and while all from the k-th on fail,
** for every k, in Lua's allocator and in ours, on either side. There is
** always a clean error, nothing is lost, and the same value crosses
** afterwards.
*/
#include "value.h"

/* The heap of both states and of what lies outside of them. */
typedef struct Fault {
  long count;          /* allocations so far */
  long from, to;       /* those numbers fail */
} Fault;

static Fault fault;

static void *fault_alloc (void *ud, void *p, size_t osize, size_t nsize) {
  (void)ud;
  (void)osize;
  if (nsize == 0) {
    free(p);
    return NULL;
  }
  if (p == NULL || nsize > osize) {
    fault.count++;
    if (fault.count >= fault.from && fault.count <= fault.to) return NULL;
  }
  return realloc(p, nsize);
}

static const char rich[] =
"local Point = { kind = 'point' }\n"
"Point.__index = Point\n"
"local Sub = setmetatable({ parent = Point }, Point)\n"
"Sub.__index = Sub\n"
"function Point:get() return self.x, Sub end\n"
"local up, list = { 1, 2 }, nil\n"
"local function set(v) up = v end\n"
"local function get() return up, set end\n"
"for i = 1, 450 do list = { list } end\n"
"local nums, words, many = {}, {}, {}\n"
"for i = 1, 100 do nums[i] = i / 3; words['key' .. i] = 'w' .. i end\n"
"for i = 1, 60 do many[i] = {}; many[i + 60] = many[i] end\n"
"return { 1, 2.5, 'three', nums = nums, words = words, many = many,\n"
"  list = list, p = setmetatable({ x = 1 }, Point),\n"
"  s = setmetatable({ x = 2 }, Sub), set = set, get = get, out = print,\n"
"  big = ('x'):rep(5000), out2 = io.stdout, fmt = string.format,\n"
"  t = setmetatable({}, { __transfer = function()\n"
"    return function(a) return { a } end, { 'v' } end }) }\n";

typedef struct Rig {
  Mem mem;
  lua_State *L[2];
  Codec *c[2];
  Message m;
} Rig;

static int rig_open (lua_State *L) {
  Rig *r = (Rig *)lua_touserdata(L, 1);
  int k = (int)lua_tointeger(L, 2);
  luaL_openlibs(L);
  lua_settop(L, 0);
  r->c[k] = lc_codec_open(L, &r->mem);
  return 0;
}

/* Sends the value at 2 of state k; gives whether it went. */
static int rig_send (lua_State *L) {
  Rig *r = (Rig *)lua_touserdata(L, 1);
  int k = L == r->L[1];
  size_t len = r->m.len;
  EncodeResult e;
  lc_codec_begin(L, r->c[k]);
  e = lc_encode(L, r->c[k], &r->m, 2, 1);
  if (e != LC_ENCODED && r->m.len != len) abort();
  if (e == LC_REFUSED)
    return luaL_error(L, "refused: %s %s", lua_tostring(L, -2),
                      lua_tostring(L, -1));
  if (e == LC_NOMEM) return luaL_error(L, "not enough memory");
  return 0;
}

static int rig_receive (lua_State *L) {
  Rig *r = (Rig *)lua_touserdata(L, 1);
  size_t pos = 0;
  lua_settop(L, 1);
  return lc_decode(L, r->c[L == r->L[1]], &r->m, &pos);
}

static void clean_error (lua_State *L, const char *where) {
  const char *msg = lua_tostring(L, -1);
  if (msg == NULL || strstr(msg, "not enough memory") == NULL) {
    fprintf(stderr, "%s: %s\n", where, msg != NULL ? msg : "(no string)");
    CHECK(!"a clean error");
  }
}

/* One step on state k in a protected call; the value is at the top. */
static int rig_step (Rig *r, int k, lua_CFunction f, int nargs, int nres) {
  lua_State *L = r->L[k];
  lua_pushcfunction(L, f);
  lua_pushlightuserdata(L, r);
  if (nargs == 1) lua_pushvalue(L, -3);
  if (lua_pcall(L, 1 + nargs, nres, 0) == LUA_OK) return 1;
  clean_error(L, f == rig_send ? "send" : "receive");
  lua_pop(L, 1);
  return 0;
}

/* There and back; the stacks are as before. Stops at the first failure. */
static int rig_trip (Rig *r) {
  int ok;
  lc_message_clear(&r->m, 0);
  ok = rig_step(r, 0, rig_send, 1, 0) && rig_step(r, 1, rig_receive, 0, 1);
  if (ok) {
    lc_message_clear(&r->m, 0);
    ok = rig_step(r, 1, rig_send, 1, 0) && rig_step(r, 0, rig_receive, 0, 1);
    if (ok) lua_pop(r->L[0], 1);
    lua_settop(r->L[1], 0);
  }
  lc_message_clear(&r->m, 0);
  return ok;
}

static void rig_new (Rig *r) {
  int k;
  fault.from = fault.to = -1;
  lc_mem_init(&r->mem, fault_alloc, NULL);
  lc_message_init(&r->m, &r->mem);
  for (k = 0; k < 2; k++) {
    lua_State *L = r->L[k] = lua_newstate(fault_alloc, NULL);
    lua_pushcfunction(L, rig_open);
    lua_pushlightuserdata(L, r);
    lua_pushinteger(L, k);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) abort();
  }
  if (luaL_dostring(r->L[0], rich) != LUA_OK) abort();
}

static void rig_free (Rig *r) {
  lc_message_drop(&r->m);
  lua_close(r->L[0]);
  lua_close(r->L[1]);
  CHECK_INT(lc_mem_used(&r->mem), 0);
}

/* Collecting all now makes the count of allocations the same each time. */
static void rig_settle (Rig *r) {
  int i;
  for (i = 0; i < 2; i++) {
    lua_gc(r->L[0], LUA_GCCOLLECT, 0);
    lua_gc(r->L[1], LUA_GCCOLLECT, 0);
  }
}

/* Each k in the same two states, which live on; `span` allocations fail. */
static void one_pair_of_states (long span) {
  Rig r;
  long k, failed = 0;
  rig_new(&r);
  REQUIRE(rig_trip(&r));
  for (k = 1; ; k++) {
    int ok;
    rig_settle(&r);
    fault.count = 0;
    fault.from = k;
    fault.to = k + span - 1;
    ok = rig_trip(&r);
    fault.from = fault.to = -1;
    failed += !ok;
    if (fault.count < k) break;            /* there were none that late */
  }
  CHECK(failed > (span == 1 ? 0 : 50));    /* Lua tries twice */
  CHECK(rig_trip(&r));
  rig_free(&r);
}

/* Each k in two new states, so that first times fail, too. */
static void new_states (long span) {
  long k, failed = 0;
  for (k = 1; ; k++) {
    Rig r;
    int ok;
    long count;
    rig_new(&r);
    fault.count = 0;
    fault.from = k;
    fault.to = k + span - 1;
    ok = rig_trip(&r);
    fault.from = fault.to = -1;
    count = fault.count;
    failed += !ok;
    CHECK(rig_trip(&r));
    rig_free(&r);
    if (count < k || check_errors_ > 0) break;
  }
  CHECK(failed > (span == 1 ? 5 : 50));
}

static void the_kth_fails_in_living_states (void) { one_pair_of_states(1); }
static void three_fail_in_living_states (void) { one_pair_of_states(3); }
static void all_from_the_kth_in_living_states (void) {
  one_pair_of_states(1L << 40);
}
static void the_kth_fails_in_new_states (void) { new_states(1); }
static void all_from_the_kth_in_new_states (void) { new_states(1L << 40); }

static void opening_fails (void) {
  long k;
  int ok = 0;
  for (k = 1; !ok; k++) {
    Rig r;
    fault.from = fault.to = -1;
    lc_mem_init(&r.mem, fault_alloc, NULL);
    r.L[0] = lua_newstate(fault_alloc, NULL);
    r.L[1] = NULL;
    lua_pushcfunction(r.L[0], rig_open);
    lua_pushlightuserdata(r.L[0], &r);
    lua_pushinteger(r.L[0], 0);
    fault.count = 0;
    fault.from = k;
    fault.to = 1L << 40;
    ok = lua_pcall(r.L[0], 2, 0, 0) == LUA_OK;
    fault.from = fault.to = -1;
    if (!ok) {
      lua_settop(r.L[0], 0);
      CHECK(lc_codec_open(r.L[0], &r.mem) != NULL);
    }
    lua_close(r.L[0]);
    CHECK_INT(lc_mem_used(&r.mem), 0);
  }
  CHECK(k > 10);
}

int main (void) {
  RUN(opening_fails);
  RUN(the_kth_fails_in_living_states);
  RUN(three_fail_in_living_states);
  RUN(all_from_the_kth_in_living_states);
  RUN(the_kth_fails_in_new_states);
  RUN(all_from_the_kth_in_new_states);
  return check_end();
}
