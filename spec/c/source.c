/* Sources and generators as C steps them: no pool, one Lua state. */
#include "check.h"

#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "lib/body.h"
#include "lib/generator.h"
#include "lib/range.h"
#include "lib/source.h"

/* The error of the next step, which none may raise. */
static const char *try_error (lua_State *L) {
  int n = lc_source_try(L, 2);
  return n == LC_GEN_FAILED ? lua_tostring(L, -1) : NULL;
}

/* An allocator that refuses the request after `left` others (never, when
** left < 0), and from then on every one, or only that one. */
typedef struct Budget {
  long left;
  int once;
} Budget;

static void *budget_alloc (void *ud, void *p, size_t osize, size_t nsize) {
  Budget *b = (Budget *)ud;
  if (nsize == 0) {
    free(p);
    return NULL;
  }
  if (p != NULL && nsize <= osize) return realloc(p, nsize);
  if (b->left == 0) {
    if (b->once) b->left = -1;
    return NULL;
  }
  if (b->left > 0) b->left--;
  return realloc(p, nsize);
}

static void open_lacus (lua_State *L) {
  luaL_openlibs(L);
  lua_newtable(L);
  lc_generator_open(L);
  lc_body_open(L);
  lc_range_open(L);
  lua_setglobal(L, "lacus");
}

static lua_State *new_state (void) {
  lua_State *L = luaL_newstate();
  if (L != NULL) open_lacus(L);
  return L;
}

/* Pushes the value of an expression, and the source made of it at index 2. */
static int source_of (lua_State *L, const char *code) {
  lua_settop(L, 0);
  if (luaL_loadstring(L, code) != LUA_OK || lua_pcall(L, 0, 1, 0) != LUA_OK) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    return 0;
  }
  return lc_source_new(L, 1);
}

/* Pulls the source at 2 to its end: "a b,c" is two items of 1 and 2 values. */
static const char *pulled (lua_State *L) {
  int n;
  lua_pushliteral(L, "");   /* [3] */
  while ((n = lc_source_pull(L, 2)) != LC_SOURCE_END) {
    int i, first = lua_gettop(L) - n + 1;
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (i = first; i < first + n; i++) {
      if (i > first) luaL_addchar(&b, ',');
      luaL_tolstring(L, i, NULL);
      luaL_addvalue(&b);
    }
    luaL_addchar(&b, ' ');
    luaL_pushresult(&b);
    lua_pushvalue(L, 3);
    lua_insert(L, -2);
    lua_concat(L, 2);
    lua_replace(L, 3);
    lua_settop(L, 3);
  }
  CHECK_INT(lua_gettop(L), 3);
  return lua_tostring(L, 3);
}

static void gives (lua_State *L, const char *code, const char *want) {
  REQUIRE(source_of(L, code));
  CHECK_STR(pulled(L), want);
  CHECK_INT(lc_source_pull(L, 2), LC_SOURCE_END);   /* and for ever after */
}

static int l_pull (lua_State *L) {
  return lc_source_pull(L, 2) < 0 ? 0 : lua_gettop(L) - 2;
}

/* The error of the next pull, as a string. */
static const char *pull_error (lua_State *L) {
  lua_settop(L, 2);
  lua_pushcfunction(L, l_pull);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  return lua_pcall(L, 2, 0, 0) == LUA_OK ? NULL : luaL_tolstring(L, -1, NULL);
}

static void test_a_generator_is_its_own_source (void) {
  lua_State *L = new_state();
  REQUIRE(L != NULL);
  CHECK(source_of(L, "return (lacus.range(1, 3))"));
  CHECK(lua_rawequal(L, 1, 2));
  CHECK_STR(pulled(L), "1 2 3 ");
  gives(L, "return (lacus.generator(function(n) coroutine.yield(nil)"
           " coroutine.yield() coroutine.yield(n, 2) return 3 end)(1))",
        "nil  1,2 ");
  gives(L, "return (lacus.iter(ipairs{'a', 'b'}))", "1,a 2,b ");
  lua_close(L);
}

static void test_a_generator_function_is_called_first (void) {
  lua_State *L = new_state();
  REQUIRE(L != NULL);
  gives(L, "return lacus.generator(function(...) coroutine.yield(1)"
           " coroutine.yield(select('#', ...)) end)", "1 0 ");
  lua_close(L);
}

static void test_an_array_gives_its_items_holes_included (void) {
  lua_State *L = new_state();
  REQUIRE(L != NULL);
  gives(L, "return {'a', false, 'c'}", "a false c ");
  gives(L, "return {}", "");
  gives(L, "return {1, nil, 3}", "1 nil 3 ");
  gives(L, "return setmetatable({}, {__len = function() return 3 end,"
           " __index = function(_, i) return i * i end})", "1 4 9 ");
  CHECK(source_of(L, "return setmetatable({}, {__len = function() return 2 end,"
                     " __index = function() error('no', 0) end})"));
  CHECK_STR(pull_error(L), "no");
  CHECK_INT(lc_source_pull(L, 2), LC_SOURCE_END);
  lua_close(L);
}

static void test_an_iterator_function_is_called_until_nil (void) {
  lua_State *L = new_state();
  REQUIRE(L != NULL);
  gives(L, "local i = 0 return function(...) i = i + 1"
           " if i <= 3 then return i, select('#', ...) end end",
        "1,0 2,0 3,0 ");
  gives(L, "return function() end", "");
  gives(L, "return function() return nil, 'no more' end", "");
  gives(L, "return function() error_free = true end", "");
  gives(L, "local i = 0 return setmetatable({}, {__call = function()"
           " i = i + 1 if i <= 2 then return i end end})", "1 2 ");
  gives(L, "return coroutine.wrap(function() coroutine.yield(1)"
           " coroutine.yield(2) end)", "1 2 ");
  lua_close(L);
}

static void test_a_function_that_yields_is_a_body (void) {
  lua_State *L = new_state();
  REQUIRE(L != NULL);
  gives(L, "return function() coroutine.yield(1) coroutine.yield(nil, 2)"
           " return 'not an item' end", "1 nil,2 ");
  CHECK(source_of(L, "local n = 0 return function() n = n + 1"
                     " if n > 1 then coroutine.yield(n) end return n end"));
  CHECK_INT(lc_source_pull(L, 2), 1);   /* it returned: an iterator */
  CHECK(strstr(pull_error(L), "must return its items, not yield") != NULL);
  CHECK_INT(lc_source_pull(L, 2), LC_SOURCE_END);
  lua_close(L);
}

static void test_other_values_are_refused_by_name (void) {
  lua_State *L = new_state();
  static const char *const bad[] = {"number", "string", "boolean", "nil",
    "thread"};
  static const char *const code[] = {"return 42", "return 'x'", "return true",
    "return nil", "return coroutine.create(print)"};
  int i;
  REQUIRE(L != NULL);
  for (i = 0; i < 5; i++) {
    char want[200];
    CHECK(!source_of(L, code[i]));
    snprintf(want, sizeof(want), "source expected (a generator, an array, an "
      "iterator function or a function that yields), got %s", bad[i]);
    CHECK_STR(lua_tostring(L, -1), want);
  }
  lua_close(L);
}

static void test_errors_have_a_traceback_and_end_the_source (void) {
  lua_State *L = new_state();
  const char *err;
  REQUIRE(L != NULL);
  CHECK(source_of(L, "return function() error('boom', 0) end"));
  err = pull_error(L);
  CHECK(strncmp(err, "boom\ngenerator traceback:\n", 26) == 0);
  lua_settop(L, 2);
  CHECK_INT(lc_source_pull(L, 2), LC_SOURCE_END);
  lc_generator_traceback(L, 2);
  CHECK(strncmp(lua_tostring(L, -1), "stack traceback:\n", 17) == 0);
  lua_close(L);
}

static void test_closing_runs_pending_variables (void) {
  lua_State *L = new_state();
  REQUIRE(L != NULL);
  CHECK(source_of(L, "closed = 0 return function() local _ <close> ="
    " setmetatable({}, {__close = function() closed = closed + 1 end})"
    " while true do coroutine.yield(1) end end"));
  CHECK_INT(lc_source_pull(L, 2), 1);
  lc_source_close(L, 2);
  lc_source_close(L, 2);
  lua_getglobal(L, "closed");
  CHECK_INT(lua_tointeger(L, -1), 1);
  lua_settop(L, 2);
  CHECK_INT(lc_source_pull(L, 2), LC_SOURCE_END);
  lua_close(L);
}

static void test_values_are_sent_from_c (void) {
  lua_State *L = new_state();
  REQUIRE(L != NULL);
  CHECK(source_of(L, "return function() local v = 1"
    " while v do v = coroutine.yield(v) end end"));
  CHECK_INT(lc_generator_step(L, 2, 0), 1);
  lua_pushliteral(L, "x");
  CHECK_INT(lc_generator_step(L, 2, 1), 1);
  CHECK_STR(lua_tostring(L, -1), "x");
  CHECK_INT(lua_gettop(L), 4);
  lua_pushboolean(L, 0);
  CHECK_INT(lc_generator_step(L, -4, 1), LC_GEN_END);
  CHECK_INT(lua_gettop(L), 4);
  lua_close(L);
}

static void test_it_knows_how_many_are_left (void) {
  lua_State *L = new_state();
  REQUIRE(L != NULL);
  CHECK(source_of(L, "return {1, 2, 3}"));
  CHECK_INT(lc_source_left(L, 2), 3);
  CHECK_INT(lc_source_pull(L, 2), 1);
  CHECK_INT(lc_source_left(L, 2), 2);
  CHECK(source_of(L, "return (lacus.range(10, 1, -3))"));
  CHECK_INT(lc_source_left(L, 2), 4);
  CHECK(source_of(L, "return (lacus.chunks(1, 10, 3))"));
  CHECK_INT(lc_source_left(L, 2), 4);
  CHECK(source_of(L, "return (lacus.range(math.mininteger, math.maxinteger))"));
  CHECK_INT(lc_source_left(L, 2), LUA_MAXINTEGER);
  CHECK(source_of(L, "return (lacus.range(2, 1))"));
  CHECK_INT(lc_source_left(L, 2), 0);
  CHECK(source_of(L, "return print"));
  CHECK_INT(lc_source_left(L, 2), -1);
  lua_close(L);
}

static void test_a_range_is_taken_in_runs (void) {
  lua_State *L = new_state();
  lua_Integer first = 0, step = 0;
  REQUIRE(L != NULL);
  CHECK(source_of(L, "return (lacus.range(10, 1, -2))"));
  CHECK_INT(lc_source_take(L, 2, &first, &step, 3), 3);
  CHECK_INT(first, 10);
  CHECK_INT(step, -2);
  CHECK_INT(lc_source_pull(L, 2), 1);
  CHECK_INT(lua_tointeger(L, -1), 4);
  CHECK_INT(lc_source_take(L, 2, &first, &step, 100), 1);
  CHECK_INT(first, 2);
  CHECK_INT(lc_source_take(L, 2, &first, &step, 100), 0);
  CHECK_INT(lc_source_pull(L, 2), LC_SOURCE_END);
  CHECK(source_of(L, "return (lacus.range(math.mininteger, math.maxinteger))"));
  CHECK_INT(lc_source_take(L, 2, &first, &step, LUA_MAXINTEGER),
            LUA_MAXINTEGER);
  CHECK_INT(lc_source_take(L, 2, &first, &step, LUA_MAXINTEGER),
            LUA_MAXINTEGER);
  CHECK_INT(first, -1);
  CHECK_INT(lc_source_take(L, 2, &first, &step, LUA_MAXINTEGER), 2);
  CHECK_INT(first, LUA_MAXINTEGER - 1);
  CHECK_INT(lc_source_take(L, 2, &first, &step, 1), 0);
  CHECK(source_of(L, "return {1, 2}"));
  CHECK_INT(lc_source_take(L, 2, &first, &step, 1), 0);
  lua_close(L);
}

static void test_try_gives_every_error_as_a_value (void) {
  lua_State *L = new_state();
  REQUIRE(L != NULL);
  CHECK(source_of(L, "return setmetatable({}, {__len = function() return 2 end,"
                     " __index = function() error('index', 0) end})"));
  CHECK_STR(try_error(L), "index");
  CHECK(source_of(L, "return setmetatable({}, {__len = function() return 2 end,"
                     " __index = function() coroutine.yield() end})"));
  CHECK(strstr(try_error(L), "attempt to yield") != NULL);
  CHECK(source_of(L, "return (lacus.iter(next, {}, nil, setmetatable({},"
                     " {__close = function() error('closing', 0) end})))"));
  CHECK_STR(try_error(L), "closing");
  CHECK(source_of(L, "return function() error('body', 0) end"));
  CHECK(strncmp(try_error(L), "body\n", 5) == 0);
  CHECK(source_of(L, "local co local g = lacus.generator(function()"
    " co = coroutine.running() coroutine.yield(1) error('late', 0) end)()"
    " g() coroutine.resume(co) return g"));
  CHECK_STR(try_error(L), "late");   /* though somebody else had resumed it */
  lua_settop(L, 2);
  CHECK_INT(lc_source_try(L, 2), LC_SOURCE_END);
  lua_close(L);
}

/* Everything, with less and less want of memory: an error or the result,
** never a crash, and the state closes. */
static int l_everything (lua_State *L) {
  if (luaL_dostring(L,
    "local g = lacus.generator(function(n)\n"
    "  local _ <close> = setmetatable({}, {__close = function() end})\n"
    "  for i = 1, n do coroutine.yield(i, {}) end error 'boom' end)\n"
    "local n = 0\n"
    "pcall(function() for i in g(3) do n = n + i end end)\n"
    "for i in g(5) do n = n + i break end\n"
    "for i in lacus.range(1, 3) do n = n + i end\n"
    "for k, v in lacus.iter(pairs{1, 2}) do n = n + v end\n"
    "return n") != LUA_OK)
    return lua_error(L);
  return 1;
}

static int everything_after (long k, int once) {
  Budget b = {-1, 0};
  lua_State *L = lua_newstate(budget_alloc, &b);
  int done;
  if (!CHECK(L != NULL)) return 1;
  open_lacus(L);
  lua_pushcfunction(L, l_everything);
  b.left = k;
  b.once = once;
  done = lua_pcall(L, 0, 1, 0) == LUA_OK && lua_tointeger(L, -1) == 16
         && b.left > 0;
  b.left = -1;
  lua_close(L);
  return done;
}

static void test_running_out_of_memory_is_an_error (void) {
  int once;
  for (once = 0; once <= 1; once++) {
    long k = 0;
    while (k < 5000 && !everything_after(k, once)) k++;
    CHECK(k > 50 && k < 5000);
  }
}

int main (void) {
  RUN(test_a_generator_is_its_own_source);
  RUN(test_a_generator_function_is_called_first);
  RUN(test_an_array_gives_its_items_holes_included);
  RUN(test_an_iterator_function_is_called_until_nil);
  RUN(test_a_function_that_yields_is_a_body);
  RUN(test_other_values_are_refused_by_name);
  RUN(test_errors_have_a_traceback_and_end_the_source);
  RUN(test_try_gives_every_error_as_a_value);
  RUN(test_closing_runs_pending_variables);
  RUN(test_values_are_sent_from_c);
  RUN(test_it_knows_how_many_are_left);
  RUN(test_a_range_is_taken_in_runs);
  RUN(test_running_out_of_memory_is_an_error);
  return check_end();
}
