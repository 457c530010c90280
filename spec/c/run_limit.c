/* The allocator of one state: what it counts, and what a limit does. */
#include "check.h"

#include <stdlib.h>

#include <lauxlib.h>
#include <lualib.h>

#include "base/thread.h"
#include "run/heap.h"

enum { KB = 1024, LUA_OBJECT = LUA_TSTRING };

typedef struct Rig {
  Mem mem;
  Heap heap;
} Rig;

/* What the system gave; the heap does not count it in its Mem. */
static size_t given;

static void *counting (void *ud, void *p, size_t osize, size_t nsize) {
  (void)ud;
  given += nsize - (p != NULL ? osize : 0);
  if (nsize == 0) {
    free(p);
    return NULL;
  }
  return realloc(p, nsize);
}

static void rig_open (Rig *r, size_t limit) {
  given = 0;
  lc_mem_init(&r->mem, counting, NULL);
  lc_heap_init(&r->heap, &r->mem);
  lc_heap_limit(&r->heap, limit);
}

static void *take (Rig *r, size_t n) { return lc_heap_alloc(&r->heap, NULL, 0, n); }

static void used_is_exact (void) {
  Rig r;
  void *p;
  rig_open(&r, 64 * KB);
  CHECK(take(&r, 64 * KB + 1) == NULL);
  CHECK_INT(lc_heap_used(&r.heap), 0);
  p = take(&r, 64 * KB);
  CHECK(p != NULL);
  CHECK(take(&r, 1) == NULL);
  CHECK(lc_heap_alloc(&r.heap, p, 64 * KB, 64 * KB + 1) == NULL);
  p = lc_heap_alloc(&r.heap, p, 64 * KB, 10);
  CHECK(p != NULL);
  CHECK_INT(lc_heap_used(&r.heap), 10);
  CHECK_INT(r.heap.refused, 3);
  lc_heap_alloc(&r.heap, p, 10, 0);
  CHECK_INT(lc_heap_used(&r.heap), 0);
  lc_heap_clear(&r.heap);
  CHECK_INT(given, 0);
  CHECK_INT(r.heap.limit, 0);
}

/* Past the middle an object is refused once: Lua collects, and asks again. */
static void half_of_the_room_makes_lua_collect (void) {
  Rig r;
  void *p, *q;
  rig_open(&r, 64 * KB);
  p = take(&r, 31 * KB);
  CHECK(lc_heap_alloc(&r.heap, NULL, LUA_OBJECT, 2 * KB) == NULL);
  CHECK_INT(r.heap.refused, 0);
  q = lc_heap_alloc(&r.heap, NULL, LUA_OBJECT, 2 * KB);
  CHECK(q != NULL);
  lc_heap_alloc(&r.heap, q, 2 * KB, 0);
  q = take(&r, 2 * KB);                       /* a buffer is not */
  CHECK(q != NULL);
  lc_heap_alloc(&r.heap, q, 2 * KB, 0);
  lc_heap_alloc(&r.heap, p, 31 * KB, 0);
  lc_heap_clear(&r.heap);
  CHECK_INT(given, 0);
}

enum { LIMIT = 256 * KB, MOST = LIMIT / 16 };

/* As many of this size as there are, which are free again afterwards. */
static size_t fill (Rig *r, size_t size) {
  static void *p[MOST];
  size_t i, n = 0;
  while (n < MOST && (p[n] = take(r, size)) != NULL) n++;
  for (i = 0; i < n; i++) lc_heap_alloc(&r->heap, p[i], size, 0);
  return n;
}

static void what_is_free_is_cut_for_smaller_ones (void) {
  Rig r;
  size_t size;
  rig_open(&r, LIMIT);
  for (size = HEAP_SMALL; size > 0; size -= 16) CHECK(fill(&r, size) > 100);
  CHECK(given <= 2 * LIMIT);
  CHECK_INT(lc_heap_used(&r.heap), 0);
  lc_heap_clear(&r.heap);
  CHECK_INT(given, 0);
}

static void chunks_are_bounded (void) {
  Rig r;
  size_t size;
  rig_open(&r, LIMIT);
  for (size = 16; size <= HEAP_SMALL; size += 16) fill(&r, size);
  CHECK(given <= 2 * LIMIT);
  CHECK(r.heap.cramped || r.heap.chunks == NULL);   /* built plain */
  lc_heap_clear(&r.heap);
  CHECK(!r.heap.cramped);
  CHECK_INT(given, 0);
}

/* A program whose garbage alone would fill the limit many times. */
static const char churn[] =
  "local keep, n = ('k'):rep(300000), 0\n"
  "for i = 1, 300 do\n"
  "  for j = 1, i * 20 do n = n + #{} end\n"
  "  n = n + #(('a'):rep(200000 + i * 17))\n"
  "end\n"
  "return n + #keep\n";

static void a_state_lives_within (void) {
  Rig r;
  lua_State *L;
  rig_open(&r, 0);
  L = lua_newstate(lc_heap_alloc, &r.heap);
  luaL_openlibs(L);
  lc_heap_limit(&r.heap, 900 * KB);
  CHECK_INT(luaL_dostring(L, churn), LUA_OK);
  CHECK(atomic_load(&r.heap.peak) <= 900 * KB);
  CHECK(luaL_dostring(L, "local t = {} while true do t[#t + 1] = {} end"));
  CHECK_STR(lua_tostring(L, -1), "not enough memory");
  CHECK(atomic_load(&r.heap.peak) <= 900 * KB);
  CHECK_INT(luaL_dostring(L, churn), LUA_OK);
  lua_close(L);
  CHECK_INT(lc_heap_used(&r.heap), 0);
  lc_heap_clear(&r.heap);
  CHECK_INT(given, 0);
}

/* --- several states ------------------------------------------------------- */

static const char busy[] =
  "local all = {}\n"
  "for i = 1, 20000 do all[i % 500] = { i, tostring(i), ('x'):rep(i % 700) } end\n"
  "local threads = {}\n"
  "for i = 1, 300 do threads[i] = coroutine.create(load) end\n";

static void run_busy (void *L) {
  if (luaL_dostring((lua_State *)L, busy) != LUA_OK) lua_pushboolean((lua_State *)L, 0);
}

static lua_State *begin_state (Rig *r) {
  lua_State *L = lua_newstate(lc_heap_alloc, &r->heap);
  if (L != NULL) luaL_openlibs(L);
  return L;
}

static void coroutines_do_not_share (void) {
  Rig r;
  lua_State *L;
  rig_open(&r, 0);
  L = begin_state(&r);
  REQUIRE(L != NULL);
  run_busy(L);
  CHECK_INT(lua_gettop(L), 0);
  CHECK(!r.heap.shared);
  lua_close(L);
  lc_heap_clear(&r.heap);
  CHECK_INT(given, 0);
}

/* A module may make states with what lua_getallocf gives it, and run them elsewhere. */
static void states_on_other_threads_share (void) {
  enum { STATES = 4 };
  Rig r;
  lua_State *L[STATES];
  Thread t[STATES];
  int i, round;
  rig_open(&r, 0);
  for (round = 0; round < 3; round++) {
    for (i = 0; i < STATES; i++) REQUIRE((L[i] = begin_state(&r)) != NULL);
    CHECK(r.heap.shared);
    for (i = 1; i < STATES; i++)
      REQUIRE(lc_thread_start(&t[i], run_busy, L[i], 0) == 0);
    run_busy(L[0]);
    for (i = 1; i < STATES; i++) lc_thread_join(&t[i]);
    for (i = 0; i < STATES; i++) CHECK_INT(lua_gettop(L[i]), 0);
    lua_close(L[0]);                   /* whose heap it is */
    lc_heap_clear(&r.heap);
    for (i = 1; i < STATES; i++) {     /* they have theirs still */
      run_busy(L[i]);
      CHECK_INT(lua_gettop(L[i]), 0);
      lua_close(L[i]);
    }
    CHECK_INT(lc_heap_used(&r.heap), 0);
    lc_heap_clear(&r.heap);
    CHECK_INT(given, 0);
    CHECK(!r.heap.shared);
  }
}

int main (void) {
  RUN(used_is_exact);
  RUN(half_of_the_room_makes_lua_collect);
  RUN(what_is_free_is_cut_for_smaller_ones);
  RUN(chunks_are_bounded);
  RUN(a_state_lives_within);
  RUN(coroutines_do_not_share);
  RUN(states_on_other_threads_share);
  return check_end();
}
