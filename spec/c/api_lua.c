/* lacus.h: generators both ways, userdata of the host, what workers print. */
#include "api.h"

/* --- generators of C functions ---------------------------------------------------- */

typedef struct Countdown {
  int left, closed, fails_at;
} Countdown;

static int next_down (lua_State *L, void *ud) {
  Countdown *c = (Countdown *)ud;
  if (c->left == 0) return LACUS_END;
  if (c->left == c->fails_at) return luaL_error(L, "abort at %d", c->left);
  lua_pushliteral(L, "not an item");
  lua_pushinteger(L, c->left--);
  lua_pushliteral(L, "left");
  return 2;
}

static void close_down (void *ud) { ((Countdown *)ud)->closed++; }

static void push_down (lua_State *L, Countdown *c, int left) {
  memset(c, 0, sizeof *c);
  c->left = left;
  lacus_generator_push(L, next_down, close_down, c);
  lua_setglobal(L, "down");
}

static void test_a_c_function_is_a_generator (void) {
  lua_State *L = host_new();
  Countdown c;
  push_down(L, &c, 3);
  host_run(L, "s = '' for n, word in down do s = s .. n .. word .. ' ' end");
  host_eval(L, "s");
  CHECK_STR(lua_tostring(L, -1), "3left 2left 1left ");
  CHECK_INT(c.closed, 1);
  host_run(L, "assert(not down:next()) assert(down:status() == 'dead')");
  lua_close(L);
  CHECK_INT(c.closed, 1);
}

static void test_it_is_closed_once_however_it_ends (void) {
  lua_State *L = host_new();
  Countdown broken, failed, left;
  push_down(L, &broken, 3);
  host_run(L, "down() down:close() down:close()");
  CHECK_INT(broken.closed, 1);
  push_down(L, &failed, 3);
  failed.fails_at = 2;
  host_run(L, "down() ok, why = pcall(down) assert(not ok)");
  host_eval(L, "why");
  CHECK_STR(lua_tostring(L, -1), "abort at 2");
  CHECK_INT(failed.closed, 1);
  push_down(L, &left, 3);
  lua_close(L);
  CHECK_INT(left.closed, 1);
}

static void test_it_is_a_source_of_a_map (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(2);
  Countdown c;
  REQUIRE(p != NULL);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  push_down(L, &c, 1000);
  host_run(L, "sum = 0 for _, x in pool:map(down, load 'return ... * 2') do "
              "sum = sum + x end assert(sum == 1001000)");
  CHECK_INT(c.closed, 1);
  lacus_pool_close(p);
  lua_close(L);
}

static int next_liar (lua_State *L, void *ud) {
  (void)L; (void)ud;
  return 3;
}

static void test_more_values_than_it_pushed_are_refused (void) {
  lua_State *L = host_new();
  lacus_generator_push(L, next_liar, NULL, NULL);
  lua_setglobal(L, "liar");
  host_run(L, "ok, why = pcall(liar) assert(why:find 'gave 3 values')");
  lua_close(L);
}

/* --- generators stepped from C -------------------------------------------------------- */

static void test_a_lua_generator_is_stepped_from_c (void) {
  lua_State *L = host_new();
  host_eval(L, "lacus.generator(function(n) for i = 1, n do "
               "coroutine.yield(i, i * i) end end)(3)");
  CHECK_INT(lacus_generator_next(L, 1), 2);
  CHECK_INT(lua_tointeger(L, -1), 1);
  lua_settop(L, 1);
  CHECK_INT(lacus_generator_next(L, -1), 2);
  CHECK_INT(lua_tointeger(L, -1), 4);
  lua_settop(L, 1);
  CHECK_INT(lacus_generator_close(L, 1), LACUS_OK);
  CHECK_INT(lacus_generator_close(L, 1), LACUS_OK);
  CHECK_INT(lacus_generator_next(L, 1), LACUS_END);
  CHECK_INT(lua_gettop(L), 1);
  lua_close(L);
}

static void test_any_source_becomes_a_generator (void) {
  lua_State *L = host_new();
  int i, n = 0;
  host_eval(L, "{ 'a', 'b', 'c' }");
  CHECK_INT(lacus_generator_new(L, 1), LACUS_OK);
  for (i = 0; lacus_generator_next(L, 2) == 1; i++) {
    n += lua_tostring(L, -1)[0];
    lua_pop(L, 1);
  }
  CHECK_INT(i, 3);
  CHECK_INT(n, 'a' + 'b' + 'c');
  lua_settop(L, 0);
  host_eval(L, "function() coroutine.yield(1) error('dry', 0) end");
  CHECK_INT(lacus_generator_new(L, -1), LACUS_OK);
  CHECK_INT(lacus_generator_next(L, 2), 1);
  lua_settop(L, 2);
  CHECK_INT(lacus_generator_next(L, 2), LACUS_ERROR);
  CHECK(strstr(luaL_tolstring(L, -1, NULL), "dry") != NULL);
  lua_settop(L, 2);
  CHECK_INT(lacus_generator_next(L, 2), LACUS_END);
  lua_close(L);
}

static void test_what_is_no_source_is_refused (void) {
  lua_State *L = host_new();
  lua_pushinteger(L, 7);
  CHECK_INT(lacus_generator_new(L, 1), LACUS_ERROR);
  CHECK(lua_isstring(L, -1));
  lua_settop(L, 1);
  CHECK_INT(lacus_generator_next(L, 1), LACUS_MISUSE);
  CHECK_INT(lacus_generator_close(L, 1), LACUS_MISUSE);
  CHECK_INT(lua_gettop(L), 1);
  lua_close(L);
}

/* --- userdata of the host -------------------------------------------------------------- */

typedef struct Mesh {
  int holders;          /* atomic */
  int size;
} Mesh;

static void mesh_hold (void *thing) {
  __atomic_add_fetch(&((Mesh *)thing)->holders, 1, __ATOMIC_SEQ_CST);
}

static void mesh_release (void *thing) {
  __atomic_sub_fetch(&((Mesh *)thing)->holders, 1, __ATOMIC_SEQ_CST);
}

static const lacus_type mesh_type = {
  "game.mesh", mesh_hold, mesh_release, NULL, NULL
};

static void vec_pack (lua_State *L, int idx) {
  lua_pushlstring(L, (const char *)lua_touserdata(L, idx), 2 * sizeof(double));
}

static double *vec_new (lua_State *L) {
  double *v = (double *)lua_newuserdatauv(L, 2 * sizeof(double), 0);
  luaL_setmetatable(L, "game.vec");
  return v;
}

static void vec_unpack (lua_State *L, const char *bytes, size_t len) {
  memcpy(vec_new(L), bytes, len);
}

static const lacus_type vec_type = {
  "game.vec", NULL, NULL, vec_pack, vec_unpack
};

static int l_mesh_gc (lua_State *L) {
  mesh_release(*(void **)lua_touserdata(L, 1));
  return 0;
}

static int l_mesh_size (lua_State *L) {
  lua_pushinteger(L, (*(Mesh **)luaL_checkudata(L, 1, "game.mesh"))->size);
  return 1;
}

static int l_vec_sum (lua_State *L) {
  double *v = (double *)luaL_checkudata(L, 1, "game.vec");
  lua_pushnumber(L, v[0] + v[1]);
  return 1;
}

static void register_types (lua_State *L, void *ud) {
  (void)ud;
  luaL_newmetatable(L, "game.mesh");
  lua_pushcfunction(L, l_mesh_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newmetatable(L, "game.vec");
  lua_pop(L, 2);
  lacus_type_register(L, &mesh_type);
  lacus_type_register(L, &vec_type);
  lua_register(L, "mesh_size", l_mesh_size);
  lua_register(L, "vec_sum", l_vec_sum);
}

static void test_userdata_of_the_host_are_shared_or_copied (void) {
  Mesh mesh = { 1, 500 };
  lua_State *L = host_new();
  lacus_pool_options o;
  lacus_pool *p;
  memset(&o, 0, sizeof o);
  o.size = sizeof o;
  o.workers = 2;
  o.on_open = register_types;
  register_types(L, NULL);
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  *(Mesh **)lua_newuserdatauv(L, sizeof(Mesh *), 0) = &mesh;
  luaL_setmetatable(L, "game.mesh");
  lua_setglobal(L, "mesh");
  vec_new(L)[0] = 1.5;
  ((double *)lua_touserdata(L, -1))[1] = 2.25;
  lua_setglobal(L, "vec");
  host_run(L, "size, sum, same, v = pool:submit(function(m, v) "
              "return mesh_size(m), vec_sum(v), m, v end, mesh, vec):get() "
              "assert(size == 500 and sum == 3.75) "
              "assert(same == mesh) assert(v ~= vec and vec_sum(v) == 3.75)");
  lacus_pool_close(p);
  lua_close(L);
  CHECK_INT(mesh.holders, 0);
}

static int register_bad (lua_State *L) {
  lacus_type_register(L, (const lacus_type *)lua_touserdata(L, 1));
  return 0;
}

static void test_a_type_that_says_too_little_is_refused (void) {
  static const lacus_type half = { "x", mesh_hold, NULL, NULL, NULL };
  static const lacus_type none = { "x", NULL, NULL, NULL, NULL };
  static const lacus_type both = { "x", mesh_hold, mesh_release, vec_pack,
                                   vec_unpack };
  static const lacus_type back = { "x", NULL, mesh_release, NULL, NULL };
  static const lacus_type packs = { "x", NULL, NULL, vec_pack, NULL };
  static const lacus_type unpacks = { "x", NULL, NULL, NULL, vec_unpack };
  static const lacus_type more = { "x", mesh_hold, mesh_release, vec_pack, NULL };
  static const lacus_type odd = { "x", mesh_hold, NULL, vec_pack, vec_unpack };
  static const lacus_type unknown = { "y", mesh_hold, mesh_release, NULL, NULL };
  const lacus_type *bad[9];
  lua_State *L = host_new();
  int i;
  bad[0] = &half; bad[1] = &none; bad[2] = &both; bad[3] = &back;
  bad[4] = &packs; bad[5] = &unpacks; bad[6] = &more; bad[7] = &odd;
  bad[8] = &unknown;
  luaL_newmetatable(L, "x");
  for (i = 0; i < 9; i++) {
    lua_pushcfunction(L, register_bad);
    lua_pushlightuserdata(L, (void *)bad[i]);
    CHECK_INT(lua_pcall(L, 1, 0, 0), LUA_ERRRUN);
    CHECK(strstr(lua_tostring(L, -1), i < 8 ? "hold and release" : "'y'")
          != NULL);
  }
  lua_close(L);
}

/* --- what workers print ------------------------------------------------------------------- */

typedef struct Lines {
  char text[1024];
  int n;
} Lines;

/* One worker, and the test reads when that has ended a task. */
static void keep_line (void *ud, int kind, const char *worker,
                       const char *line, size_t len) {
  static const char *const kinds[] = { "p", "w", "W" };
  Lines *l = (Lines *)ud;
  CHECK_INT(strlen(line), len);
  CHECK_STR(worker, "npc-1");
  strcat(l->text, kinds[kind]);
  strcat(l->text, ":");
  strcat(l->text, line);
  strcat(l->text, "|");
  l->n++;
}

static void logged (const char *code, const char *wanted) {
  lua_State *L = host_new();
  lacus_pool_options o;
  lacus_future *f;
  lacus_pool *p;
  Lines lines;
  memset(&lines, 0, sizeof lines);
  memset(&o, 0, sizeof o);
  o.size = sizeof o;
  o.workers = 1;
  o.name = "npc";
  o.on_log = keep_line;
  o.ud = &lines;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  if (luaL_loadstring(L, code) != LUA_OK) CHECK(!"syntax");
  CHECK_INT(lacus_submit(p, L, 0, NULL, NULL, &f), LACUS_OK);
  lacus_future_wait(f, -1);
  CHECK_INT(lacus_future_state(f), LACUS_DONE);
  lacus_pool_close(p);
  CHECK_STR(lines.text, wanted);
  lacus_future_free(f);
  lua_close(L);
}

#define Y10 "yyyyyyyyyy"
#define Y100 Y10 Y10 Y10 Y10 Y10 Y10 Y10 Y10 Y10 Y10

static void test_lines_come_whole (void) {
  logged("print('a', 1, nil) print('b\\nc')", "p:a\t1\tnil|p:b|p:c|");
  logged("io.write('x', 1) io.write('y\\nz') print 'end'", "w:x1y|p:zend|");
  logged("print() io.write('left open')", "p:|w:left open|");
  logged("io.write('\\n') print(#('x'):rep(2000), ('y'):rep(600)) print 'z'",
         "w:|p:2000\t"
         Y100 Y100 Y100 Y100 Y100 Y100 "|p:z|");
  logged("io.write('a'):write('b', 1, '\\n') io.stdout:write('c\\n')",
         "w:ab1|w:c|");
  logged("local f = io.tmpfile() f:write('quiet') f:seek 'set' "
         "print(f:read 'a', pcall(io.write, {}))", "p:quiet\tfalse\tbad "
         "argument #1 to 'io.write' (string expected, got table)|");
}

static void test_warnings_come_too (void) {
  logged("warn 'low on ' warn('two ', 'pieces') warn '@off' warn 'no' "
         "warn '@odd' warn 'nor' "
         "warn '@on' warn 'yes'", "W:low on |W:two pieces|W:yes|");
}

static void test_output_that_a_script_sends_elsewhere_stays_there (void) {
  logged("local f = io.tmpfile() io.output(f) io.write 'quiet' "
         "f:seek 'set' local s = f:read 'a' io.output(io.stdout) f:close() "
         "io.write(s, '\\n')", "w:quiet|");
}

static void test_a_new_state_logs_too (void) {
  lua_State *L = host_new();
  lacus_pool_options o;
  lacus_pool *p;
  Lines lines;
  memset(&lines, 0, sizeof lines);
  memset(&o, 0, sizeof o);
  o.size = sizeof o;
  o.workers = 1;
  o.recycle = 1;
  o.name = "npc";
  o.on_log = keep_line;
  o.ud = &lines;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "for i = 1, 3 do pool:submit(print, i):get() end");
  lacus_pool_close(p);
  CHECK_STR(lines.text, "p:1|p:2|p:3|");
  lua_close(L);
}

int main (void) {
  RUN(test_a_c_function_is_a_generator);
  RUN(test_it_is_closed_once_however_it_ends);
  RUN(test_it_is_a_source_of_a_map);
  RUN(test_more_values_than_it_pushed_are_refused);
  RUN(test_a_lua_generator_is_stepped_from_c);
  RUN(test_any_source_becomes_a_generator);
  RUN(test_what_is_no_source_is_refused);
  RUN(test_userdata_of_the_host_are_shared_or_copied);
  RUN(test_a_type_that_says_too_little_is_refused);
  RUN(test_lines_come_whole);
  RUN(test_warnings_come_too);
  RUN(test_output_that_a_script_sends_elsewhere_stays_there);
  RUN(test_a_new_state_logs_too);
  return check_end();
}
