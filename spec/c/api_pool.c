/* lacus.h: pools: how they begin and end, what their workers have, callbacks. */
#include "api.h"

#include <stddef.h>

static lacus_pool_options blank (void) {
  lacus_pool_options o;
  memset(&o, 0, sizeof o);
  o.size = sizeof o;
  o.workers = 2;
  return o;
}

static void test_a_script_maps_over_a_pool_of_the_host (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(2);
  REQUIRE(p != NULL);
  CHECK_INT(lacus_pool_workers(p), 2);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "sum = 0 for _, r in pool:map(lacus.range(1, 100), "
              "function(x) return x * x end) do sum = sum + r end");
  host_eval(L, "sum");
  CHECK_INT(lua_tointeger(L, -1), 338350);
  lacus_pool_push(L, p);
  host_eval(L, "pool");
  CHECK(lua_rawequal(L, -1, -2));
  lua_close(L);
  CHECK_INT(lacus_pool_close(p), 0);
}

/* A task opens a pool of its own as any script would. */
static void test_tasks_have_the_usual_defaults (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(1);
  REQUIRE(p != NULL);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "assert(pool:submit(function() local lacus = require 'lacus' "
              "local own <close> = lacus.pool() return own:workers() end)"
              ":get() == lacus.cpus())");
  lacus_pool_close(p);
  lua_close(L);
}

static void test_a_script_cannot_close_it (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(1);
  REQUIRE(p != NULL);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "ok, why = pcall(pool.close, pool) assert(not ok)");
  host_eval(L, "why");
  CHECK(strstr(lua_tostring(L, -1), "by the host") != NULL);
  host_run(L, "assert(pool:submit(math.abs, -3):get() == 3)");
  lua_close(L);
  lacus_pool_close(p);
}

static void test_a_script_finds_it_closed (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(1);
  REQUIRE(p != NULL);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "results = pool:map(lacus.range(1, 1000), math.abs)");
  lacus_pool_close(p);
  host_run(L, "ok, why = pcall(pool.submit, pool, math.abs, 1) assert(not ok)");
  host_eval(L, "why");
  CHECK(strstr(lua_tostring(L, -1), "the pool is closed") != NULL);
  host_run(L, "ok = pcall(function() for _ in results do end end) "
              "assert(not ok) assert(tostring(pool):find 'closed')");
  lua_close(L);
}

/* Under a sanitizer every frame is larger. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SMALLEST_STACK (4096 * 1024)
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SMALLEST_STACK (4096 * 1024)
#endif
#if !defined(SMALLEST_STACK)
#define SMALLEST_STACK (512 * 1024)
#endif

static void test_the_smallest_stack_holds_what_lua_allows (void) {
  lua_State *L = host_new();
  lacus_pool_options o = blank();
  lacus_pool *p;
  o.stack = SMALLEST_STACK;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "local function nest(s) return (s:gsub('x', function() "
              "return nest(s) end)) end "
              "ok, why = pcall(function() pool:submit(nest, 'x'):get() end) "
              "assert(why.message:find 'C stack overflow')");
  lacus_pool_close(p);
  lua_close(L);
}

/* What the page for embedders proposes. */
static void sandbox (lua_State *L, void *ud) {
  static const char *const gone[] = { "os", "io", "debug", "dofile",
                                      "loadfile" };
  size_t i;
  (void)ud;
  for (i = 0; i < sizeof gone / sizeof gone[0]; i++) {
    lua_pushnil(L);
    lua_setglobal(L, gone[i]);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushnil(L);
    lua_setfield(L, -2, gone[i]);
    lua_pop(L, 1);
  }
}

static void test_on_open_takes_libraries_away (void) {
  lua_State *L = host_new();
  lacus_pool_options o = blank();
  lacus_pool *p;
  o.on_open = sandbox;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "local pool = pool assert(pool:submit(function() "
              "local inner = pool:submit(function() return io, os, debug end) "
              "return select('#', inner:get()), inner:get() end):get() == 3) "
              "ok, why = pcall(function() pool:submit(os.getenv, 'x'):get() "
              "end) assert(not ok) assert(why.message:find 'os')");
  lacus_pool_close(p);
  lua_close(L);
}

static void test_libs_and_memory_bound_what_tasks_have (void) {
  static const char *const few[] = { "string", "table", NULL };
  static const char *const wrong[] = { "string", "sockets", NULL };
  lua_State *L = host_new();
  lacus_pool_options o = blank();
  lacus_error err;
  lacus_pool *p;
  o.libs = wrong;
  CHECK(lacus_pool_new(&o, &err) == NULL);
  CHECK(strstr(err.text, "'sockets'") != NULL);
  o.libs = few;
  o.memory = 1024 * 1024;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "assert(pool:submit(function() "
              "return io == nil and os == nil and string ~= nil "
              "and load(string.dump and 'x' or 'return 1') ~= nil end):get()) "
              "ok, why = pcall(function() return pool:submit(function() "
              "return #('x'):rep(2000000) end):get() end) "
              "assert(why.kind == 'memory')");
  lacus_pool_close(p);
  lua_close(L);
}

/* --- refusals ------------------------------------------------------------------ */

static void refused (const lacus_pool_options *o, const char *why) {
  lacus_error err;
  CHECK(lacus_pool_new(o, &err) == NULL);
  CHECK_INT(err.code, LACUS_MISUSE);
  if (strstr(err.text, why) == NULL) CHECK_STR(err.text, why);
}

static void test_options_that_make_no_sense_are_refused_by_name (void) {
  double zero = 0;
  lacus_pool_options o = blank();
  refused(NULL, "'size'");
  o.size = 0;
  refused(&o, "'size'");
  o = blank(); o.workers = -1;
  refused(&o, "'workers'");
  o.workers = 1025;
  refused(&o, "'workers'");
  o = blank(); o.slots = 1;
  refused(&o, "'slots'");
  o = blank(); o.workers = 0; o.slots = -1;
  refused(&o, "'slots'");
  o.slots = 1025;
  refused(&o, "'slots'");
  o = blank(); o.name = "a name that is much too long";
  refused(&o, "'name'");
  o = blank(); o.stack = 64 * 1024;
  refused(&o, "'stack'");
  o = blank(); o.linger = -1;
  refused(&o, "'linger'");
  o = blank(); o.grace = -1;
  refused(&o, "'grace'");
  o.grace = 0.0 / zero;
  refused(&o, "'grace'");
  o.grace = 1e9;
  refused(&o, "'grace'");
}

static void test_an_older_header_may_know_fewer_fields (void) {
  lacus_pool_options o = blank();
  lacus_pool *p;
  o.size = offsetof(lacus_pool_options, slots);
  o.slots = 5;          /* it does not know that this is a field */
  p = lacus_pool_new(&o, NULL);
  CHECK(p != NULL);
  lacus_pool_close(p);
}

static void test_a_field_of_a_newer_header_is_refused (void) {
  struct { lacus_pool_options o; long more; } newer;
  lacus_pool *p;
  memset(&newer, 0, sizeof newer);
  newer.o.size = sizeof newer;
  newer.o.workers = 1;
  p = lacus_pool_new(&newer.o, NULL);
  CHECK(p != NULL);
  lacus_pool_close(p);
  newer.more = 1;
  refused(&newer.o, "newer");
}

static int raise_here (lua_State *L) { return luaL_error(L, "no sound card"); }

static void open_badly (lua_State *L, void *ud) {
  (void)ud;
  raise_here(L);
}

static void test_on_open_that_raises_is_why_there_is_no_pool (void) {
  lacus_pool_options o = blank();
  lacus_error err;
  o.on_open = open_badly;
  CHECK(lacus_pool_new(&o, &err) == NULL);
  CHECK_INT(err.code, LACUS_ERROR);
  CHECK(strstr(err.text, "no sound card") != NULL);
}

/* --- what workers have ----------------------------------------------------------- */

typedef struct Calls {
  int opened, closed, started, stopped;     /* atomic */
  char name[32];
} Calls;

#define COUNT(field) __atomic_add_fetch(&((Calls *)ud)->field, 1, \
                                        __ATOMIC_SEQ_CST)

static int l_answer (lua_State *L) {
  lua_pushinteger(L, 42);
  return 1;
}

static void on_open (lua_State *L, void *ud) {
  COUNT(opened);
  lua_register(L, "answer", l_answer);
}

static void on_close (lua_State *L, void *ud) {
  lua_getglobal(L, "answer");
  CHECK(lua_tocfunction(L, -1) == l_answer);
  COUNT(closed);
  luaL_error(L, "dropped");
}

static void on_start (void *ud, int worker, const char *name) {
  if (worker == 1) strcpy(((Calls *)ud)->name, name);
  COUNT(started);
}

static void on_stop (void *ud, int worker, const char *name) {
  (void)worker; (void)name;
  COUNT(stopped);
}

static void test_callbacks_see_every_state_and_thread (void) {
  lua_State *L = host_new();
  lacus_pool_options o = blank();
  Calls calls;
  lacus_pool *p;
  memset(&calls, 0, sizeof calls);
  o.name = "ai";
  o.recycle = 1;
  o.on_open = on_open;
  o.on_close = on_close;
  o.on_start = on_start;
  o.on_stop = on_stop;
  o.ud = &calls;
  o.stack = 512 * 1024;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  CHECK_INT(calls.opened, 2);
  CHECK_INT(calls.started, 2);
  CHECK_STR(calls.name, "ai-1");
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "for i = 1, 20 do "
              "assert(pool:submit(load 'return answer()'):get() == 42) end");
  CHECK_INT(lacus_pool_close(p), 0);
  CHECK(calls.opened > 2);
  CHECK_INT(calls.closed, calls.opened);
  CHECK_INT(calls.stopped, 2);
  lua_close(L);
}

static void test_workers_take_over_the_paths_of_a_state (void) {
  lua_State *L = host_new();
  lacus_pool_options o = blank();
  lacus_pool *p;
  host_run(L, "package.path = 'here/?.lua' "
              "package.preload.level = load 'return { gravity = 9.5 }'");
  o.from = L;
  o.init = "level";
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "path, g = pool:submit(load [[return package.path, "
              "package.loaded.level.gravity]]):get()");
  host_eval(L, "path == 'here/?.lua' and g == 9.5");
  CHECK(lua_toboolean(L, -1));
  lacus_pool_close(p);
  lua_close(L);
}

static void test_an_init_that_fails_stops_the_pool (void) {
  lua_State *L = host_new();
  lacus_pool_options o = blank();
  lacus_pool *p;
  lacus_future *f = NULL;
  o.init = "no.such.module";
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  lua_getglobal(L, "print");
  if (lacus_submit(p, L, 0, NULL, NULL, &f) == LACUS_OK) {
    CHECK_INT(lacus_future_wait(f, -1), 1);
    CHECK_INT(lacus_future_state(f), LACUS_CANCELLED);
  }
  lua_settop(L, 0);
  lua_getglobal(L, "print");
  CHECK_INT(lacus_submit(p, L, 0, NULL, NULL, NULL), LACUS_CLOSED);
  CHECK(lua_isstring(L, -1));
  lacus_future_free(f);
  lacus_pool_close(p);
  lua_close(L);
}


static void test_recycle_gives_each_worker_a_new_state (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(1);
  REQUIRE(p != NULL);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "touch = load 'mark = (mark or 0) + 1 return mark' "
              "assert(pool:submit(touch):get() == 1) "
              "assert(pool:submit(touch):get() == 2)");
  lacus_pool_recycle(p);
  host_run(L, "assert(pool:submit(touch):get() == 1)");
  lacus_pool_close(p);
  lua_close(L);
}

static void open_once (lua_State *L, void *ud) {
  if (++*(int *)ud > 1) raise_here(L);
}

static void test_on_open_that_raises_in_a_new_state_stops_the_pool (void) {
  lua_State *L = host_new();
  lacus_pool_options o = blank();
  int opened = 0;
  lacus_pool *p;
  o.workers = 1;
  o.on_open = open_once;
  o.ud = &opened;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "f = load 'return 42' assert(pool:submit(f):get() == 42)");
  lacus_pool_recycle(p);
  host_run(L, "ok, why = pcall(function() return pool:submit(f):get() end) "
              "assert(not ok) ok, why = pcall(pool.submit, pool, f) "
              "assert(not ok and why:find 'no sound card', why)");
  CHECK_INT(opened, 2);
  lacus_pool_close(p);
  lua_close(L);
}

static void test_what_scripts_submitted_does_not_hold_a_host_up (void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  lacus_open(L, NULL, NULL);
  lua_setglobal(L, "lacus");
  host_run(L, "pool = lacus.pool(1) for i = 1, 10 do "
              "pool:submit(lacus.sleep, 100000) end");
  lua_close(L);                          /* or this test takes a day */
}

/* --- memory --------------------------------------------------------------------- */

static void test_nothing_is_left_in_the_allocator_after_close (void) {
  Counter mine = {0, 0, 0}, theirs = {0, 0, 0};
  lua_State *L = luaL_newstate();
  lacus_pool_options o = blank();
  lacus_pool *p;
  o.alloc = counter_alloc;
  o.alloc_ud = &mine;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  luaL_openlibs(L);
  lacus_open(L, counter_alloc, &theirs);
  lua_setglobal(L, "lacus");
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "for _ in pool:map(lacus.range(1, 1000), function(x) "
              "coroutine.yield(('x'):rep(x)) return { x } end) do end "
              "futures = {} for i = 1, 50 do "
              "futures[i] = pool:submit(lacus.sleep, 1000) end "
              "own = lacus.pool(1) own:submit(load 'x = {}'):get()");
  CHECK(counter_bytes(&mine) > 0 && counter_bytes(&theirs) > 0);
  CHECK(lacus_pool_close(p) >= 0);
  lua_close(L);
  CHECK_INT(mine.bytes, 0);
  CHECK_INT(theirs.bytes, 0);
}

/* From each allocation on, all fail: no pool comes to be, and nothing is left. */
static void test_opening_can_fail_at_every_allocation (void) {
  long from;
  int opened = 0;
  for (from = 1; !opened && from < 5000; from++) {
    Counter c = {0, 0, 0};
    lacus_pool_options o = blank();
    lacus_error err;
    lacus_pool *p;
    o.workers = 1;
    o.slots = 0;
    o.alloc = counter_alloc;
    o.alloc_ud = &c;
    c.fail_from = from;
    p = lacus_pool_new(&o, &err);
    opened = p != NULL;
    if (opened) lacus_pool_close(p);
    else if (err.text[0] == '\0') CHECK(!"no reason given");
    if (c.bytes != 0) CHECK_INT(c.bytes, 0);
  }
  CHECK(opened);
  CHECK(from > 20);
}

/* As counter_alloc, up to 32 MiB. */
static void *limited_alloc (void *ud, void *p, size_t osize, size_t nsize) {
  if (nsize > osize && counter_bytes((Counter *)ud) + (long)(nsize - osize)
                         > 32L * 1024 * 1024) return NULL;
  return counter_alloc(ud, p, osize, nsize);
}

static void test_a_task_that_the_allocator_stops_fails_alone (void) {
  lua_State *L = host_new();
  lacus_pool_options o = blank();
  Counter c = {0, 0, 0};
  lacus_pool *p;
  o.alloc = limited_alloc;
  o.alloc_ud = &c;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "ok, why = pcall(function() return pool:submit(function() "
              "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t "
              "end end):get() end) assert(not ok) "
              "assert(why.kind == 'memory', why.kind) "
              "assert(pool:submit(load 'return #(\"x\"):rep(1000)'):get() "
              "== 1000)");
  lacus_pool_close(p);
  lua_close(L);
  CHECK_INT(c.bytes, 0);
}

static void test_versions (void) {
  lua_State *L = host_new();
  CHECK_STR(lacus_version(), LACUS_VERSION);
  CHECK_INT(lacus_abi(), LACUS_ABI);
  host_eval(L, "lacus._VERSION");
  CHECK_STR(lua_tostring(L, -1), LACUS_VERSION);
  lua_close(L);
}

int main (void) {
  RUN(test_a_script_maps_over_a_pool_of_the_host);
  RUN(test_tasks_have_the_usual_defaults);
  RUN(test_a_script_cannot_close_it);
  RUN(test_a_script_finds_it_closed);
  RUN(test_options_that_make_no_sense_are_refused_by_name);
  RUN(test_an_older_header_may_know_fewer_fields);
  RUN(test_a_field_of_a_newer_header_is_refused);
  RUN(test_on_open_that_raises_is_why_there_is_no_pool);
  RUN(test_callbacks_see_every_state_and_thread);
  RUN(test_workers_take_over_the_paths_of_a_state);
  RUN(test_an_init_that_fails_stops_the_pool);
  RUN(test_recycle_gives_each_worker_a_new_state);
  RUN(test_on_open_that_raises_in_a_new_state_stops_the_pool);
  RUN(test_what_scripts_submitted_does_not_hold_a_host_up);
  RUN(test_nothing_is_left_in_the_allocator_after_close);
  RUN(test_opening_can_fail_at_every_allocation);
  RUN(test_the_smallest_stack_holds_what_lua_allows);
  RUN(test_on_open_takes_libraries_away);
  RUN(test_libs_and_memory_bound_what_tasks_have);
  RUN(test_a_task_that_the_allocator_stops_fails_alone);
  RUN(test_versions);
  return check_end();
}
