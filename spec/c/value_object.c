/*
** value_object.c: C things as values: handles of ours, userdata of a host.
*/
#include "value.h"
#include "value/hosted.h"
#include "value/scratch.h"

/* ---- a handle ---- */

typedef struct Lamp { Shared head; int *freed; } Lamp;

static void lamp_free (Shared *s) {
  ++*((Lamp *)s)->freed;
  free(s);
}

static const SharedKind lamp_kind = {"test.lamp", lamp_free};

static Lamp *lamp_new (int *freed) {
  Lamp *l = (Lamp *)malloc(sizeof(Lamp));
  lc_shared_init(&l->head, &lamp_kind);
  l->freed = freed;
  return l;
}

static int l_lamp_drop (lua_State *L) {
  lc_object_drop(L, 1);
  return 0;
}

static void lamp_register (lua_State *L) {
  lua_newtable(L);
  lc_object_register(L, &lamp_kind);
  lua_register(L, "drop", l_lamp_drop);
}

static void a_handle_is_shared (void) {
  Border b;
  int freed = 0;
  border_open(&b);
  lamp_register(b.home);
  lamp_register(b.away);
  lc_object_push(b.home, &lamp_new(&freed)->head);
  lua_setglobal(b.home, "lamp");
  border_do(&b, "=handle",
    "check(copy(lamp) == lamp and copy({ x = lamp }).x == lamp)\n"
    "local a, b = copy(lamp, { [lamp] = lamp })\n"
    "check(b[a] == a)\n"
    "check(there(function(l) mine = mine or l return mine == l end, lamp))\n"
    "check(there(function(l) return mine == l end, lamp))\n"
    "check(tostring(lamp):find 'test.lamp')\n"
    "check(getmetatable(lamp) == false)\n"
    "there(function() mine = nil collectgarbage() end)\n");
  CHECK_INT(freed, 0);
  CHECK(lua_getglobal(b.home, "lamp") == LUA_TUSERDATA);
  CHECK(lc_object_test(b.home, -1, &lamp_kind) != NULL);
  CHECK(lc_object_test(b.home, -1, NULL) != NULL);
  CHECK(lc_object_test(b.home, -1, &lc_hosted_kind) == NULL);
  lua_pop(b.home, 1);
  border_do(&b, "=dropped",
    "drop(lamp)\n"
    "local n, way, what = refused({ l = lamp })\n"
    "check(way == '.l' and what == 'a closed test.lamp', what)\n"
    "drop(lamp) drop(io.stdout)\n"
    "check(select(3, refused(string.gmatch('a', 'a'))) == 'a C function')\n"
    "check(copy({ 1 })[1] == 1)\n"
    "check(select(3, refused(string.gmatch('a', 'a'))) == 'a C function')\n");
  CHECK_INT(freed, 1);
  border_close(&b);
  CHECK_INT(freed, 1);
}

/* Not before it has been sent is it in the table in which lc_object_push looks. */
static void a_handle_is_fresh (void) {
  Border b;
  Lamp *l;
  int freed = 0;
  border_open(&b);
  lamp_register(b.home);
  lamp_register(b.away);
  lc_object_blank(b.home, &lamp_kind);
  CHECK(lc_object_test(b.home, -1, &lamp_kind) == NULL);
  l = lamp_new(&freed);
  lc_object_fill(b.home, &l->head);
  CHECK(lc_object_test(b.home, -1, &lamp_kind) == &l->head);
  CHECK(lc_object_isfresh(b.home, -1));
  lua_setglobal(b.home, "lamp");
  border_do(&b, "=fresh", "check(copy({ x = lamp }).x == lamp)\n");
  lua_getglobal(b.home, "lamp");
  CHECK(!lc_object_isfresh(b.home, -1));
  lc_object_push(b.home, lc_shared_hold(&l->head));
  CHECK(lua_rawequal(b.home, -1, -2));
  lua_pop(b.home, 2);
  border_do(&b, "=fresh", "drop(lamp)\n");
  border_do(&b, "=fresh", "there(function() collectgarbage() end)\n");
  CHECK_INT(freed, 1);
  lc_object_blank(b.home, &lamp_kind);        /* what was to be made was not */
  lua_pop(b.home, 1);
  lc_object_blank(b.home, &lamp_kind);
  lc_object_fill(b.home, &lamp_new(&freed)->head);
  lua_pop(b.home, 1);
  lua_gc(b.home, LUA_GCCOLLECT, 0);
  CHECK_INT(freed, 2);
  border_close(&b);
}

/* Nor is a userdata of somebody else with the metatable of one, whatever its size. */
static void what_is_no_handle (void) {
  Border b;
  int freed = 0;
  size_t size;
  border_open(&b);
  lamp_register(b.home);
  lc_object_push(b.home, &lamp_new(&freed)->head);
  for (size = 0; size <= 64; size += 8) {
    void *p = lua_newuserdatauv(b.home, size, 0);
    memset(p, 0, size);
    CHECK(lua_getmetatable(b.home, -2));
    lua_setmetatable(b.home, -2);
    CHECK(lc_object_test(b.home, -1, NULL) == NULL);
    lua_pop(b.home, 1);
  }
  lua_pushlightuserdata(b.home, &b);
  lua_pushliteral(b.home, "24 characters, no handle");
  lua_newtable(b.home);
  lua_pushnil(b.home);
  for (; lua_gettop(b.home) > 1; lua_pop(b.home, 1)) {
    CHECK(lc_object_test(b.home, -1, NULL) == NULL);
    CHECK(!lc_object_isdead(b.home, -1));
  }
  CHECK(lc_object_test(b.home, -1, &lamp_kind) != NULL);
  border_close(&b);
  CHECK_INT(freed, 1);
}

static void a_message_holds_its_handles (void) {
  Border b;
  int freed = 0;
  border_open(&b);
  lamp_register(b.home);
  lc_object_push(b.home, &lamp_new(&freed)->head);
  lua_setglobal(b.home, "lamp");
  border_do(&b, "=held", "bytes({ lamp }) lamp = nil collectgarbage()");
  CHECK_INT(freed, 0);
  lc_message_clear(&b.m, 0);
  CHECK_INT(freed, 1);
  border_close(&b);
}

static void a_state_that_does_not_know_it (void) {
  Border b;
  int freed = 0;
  border_open(&b);
  lamp_register(b.home);
  lc_object_push(b.home, &lamp_new(&freed)->head);
  lua_setglobal(b.home, "lamp");
  border_do(&b, "=unknown",
    "local ok, err = pcall(copy, lamp)\n"
    "check(not ok and err:find 'test', err)\n"
    "check(copy(1) == 1)\n");
  border_close(&b);
  CHECK_INT(freed, 1);
}

/* It has a module of that name, but one that knows nothing of it. */
static void a_module_that_does_not_know_it_either (void) {
  Border b;
  int freed = 0;
  border_open(&b);
  lamp_register(b.home);
  lc_object_push(b.home, &lamp_new(&freed)->head);
  lua_setglobal(b.home, "lamp");
  border_do(&b, "=unknown",
    "there(load 'package.preload.test = function() return {} end')\n"
    "local ok, err = pcall(copy, lamp)\n"
    "check(not ok and err:find 'this state does not know what a test.lamp is', err)\n");
  border_close(&b);
  CHECK_INT(freed, 1);
}

/* ---- a host's types ---- */

typedef struct Thing { int count; } Thing;

static void thing_hold (void *p) { ((Thing *)p)->count++; }

static void thing_release (void *p) {
  Thing *t = (Thing *)p;
  if (--t->count == 0) free(t);
}

static int thing_gc (lua_State *L) {
  thing_release(*(void **)lua_touserdata(L, 1));
  return 0;
}

static const HostType thing_type = {
  "Thing", thing_hold, thing_release, NULL, NULL
};

static void vector_pack (lua_State *L, int idx) {
  lua_pushlstring(L, (const char *)lua_touserdata(L, idx),
                  2 * sizeof(double));
}

static void vector_unpack (lua_State *L, const char *bytes, size_t len) {
  void *p;
  if (len != 2 * sizeof(double)) luaL_error(L, "not a vector");
  p = lua_newuserdatauv(L, len, 0);
  memcpy(p, bytes, len);
  luaL_setmetatable(L, "Vector");
}

static const HostType vector_type = {
  "Vector", NULL, NULL, vector_pack, vector_unpack
};

static int l_vector (lua_State *L) {
  double *v = (double *)lua_newuserdatauv(L, 2 * sizeof(double), 0);
  v[0] = luaL_checknumber(L, 1);
  v[1] = luaL_checknumber(L, 2);
  luaL_setmetatable(L, "Vector");
  return 1;
}

static int l_vector_xy (lua_State *L) {
  double *v = (double *)luaL_checkudata(L, 1, "Vector");
  lua_pushnumber(L, v[0]);
  lua_pushnumber(L, v[1]);
  return 2;
}

/* Its pack gives no bytes. */
static void broken_pack (lua_State *L, int idx) { lua_pushnil(L); (void)idx; }

static const HostType broken_type = {
  "Broken", NULL, NULL, broken_pack, vector_unpack
};

static int l_broken (lua_State *L) {
  lua_newuserdatauv(L, 1, 0);
  luaL_setmetatable(L, "Broken");
  return 1;
}

static int l_thing (lua_State *L) {
  Thing **p = (Thing **)lua_newuserdatauv(L, sizeof(Thing *), 0);
  *p = (Thing *)malloc(sizeof(Thing));
  (*p)->count = 1;
  luaL_setmetatable(L, "Thing");
  return 1;
}

static void host_register (lua_State *L) {
  luaL_newmetatable(L, "Thing");
  lua_pushcfunction(L, thing_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newmetatable(L, "Vector");
  luaL_newmetatable(L, "Broken");
  lua_settop(L, 0);
  lc_hosted_register(L, &thing_type);
  lc_hosted_register(L, &vector_type);
  lc_hosted_register(L, &broken_type);
  lua_register(L, "thing", l_thing);
  lua_register(L, "vector", l_vector);
  lua_register(L, "broken", l_broken);
  lua_register(L, "xy", l_vector_xy);
}

static void types_of_a_host (void) {
  Border b;
  border_open(&b);
  host_register(b.home);
  host_register(b.away);
  border_do(&b, "=hosted",
    "local t, v = thing(), vector(1.5, -2)\n"
    "check(copy(t) == t and copy({ t, t })[2] == t)\n"
    "check(there(function(t) mine = mine or t return mine == t end, t))\n"
    "check(there(function(t) return mine == t end, t))\n"
    "there(function() mine = nil end)\n"
    "local x, y = xy(copy(v))\n"
    "check(x == 1.5 and y == -2)\n"
    "local a = copy({ v, v })\n"
    "check(a[1] == a[2] and a[1] ~= v)\n"
    "check(there(function(v) return xy(v) end, v) == 1.5)\n"
    "check(copy(xy) == xy, 'a C function of the host, by its global name')\n");
  border_close(&b);
}

static void a_host_type_that_packs_nothing_is_refused (void) {
  Border b;
  border_open(&b);
  host_register(b.home);
  border_do(&b, "=hosted",
    "local ok, err = pcall(copy, { broken() })\n"
    "check(not ok and err:find 'packing a Broken gave no string', err)\n"
    "check(copy(1) == 1)\n");
  border_close(&b);
}

/* ---- userdata that say themselves how they travel ---- */

static int l_counter (lua_State *L) {
  lua_Integer *n = (lua_Integer *)lua_newuserdatauv(L, sizeof *n, 0);
  *n = luaL_checkinteger(L, 1);
  luaL_setmetatable(L, "Counter");
  return 1;
}

static int l_counter_get (lua_State *L) {
  lua_pushinteger(L, *(lua_Integer *)luaL_checkudata(L, 1, "Counter"));
  return 1;
}

/* The function that makes it again, and its number. */
static int l_counter_transfer (lua_State *L) {
  lua_getglobal(L, "counter");
  l_counter_get(L);
  return 2;
}

static void counter_register (lua_State *L) {
  luaL_newmetatable(L, "Counter");
  lua_pushcfunction(L, l_counter_transfer);
  lua_setfield(L, -2, "__transfer");
  lua_pop(L, 1);
  lua_register(L, "counter", l_counter);
  lua_register(L, "get", l_counter_get);
}

static void a_userdata_may_have_a_transfer (void) {
  Border b;
  border_open(&b);
  counter_register(b.home);
  counter_register(b.away);
  border_do(&b, "=transfer",
    "local c = counter(42)\n"
    "check(get(copy(c)) == 42 and copy(c) ~= c)\n"
    "check(there(function(c) return get(c) end, c) == 42)\n"
    "local t = copy({ c, c, [c] = true })\n"
    "check(t[1] == t[2] and t[t[1]] and get(t[1]) == 42)\n"
    "check(copy(1, c, 'x') == 1)\n"
    "debug.getmetatable(c).__transfer = function(c) return counter, { c } end\n"
    "local n, way, what = refused({ c })\n"
    "check(what == 'a userdata that its own __transfer leads to', what)\n");
  border_close(&b);
}

static void a_host_type_that_is_not_known_there (void) {
  Border b;
  border_open(&b);
  host_register(b.home);
  border_do(&b, "=hosted",
    "local ok, err = pcall(copy, thing())\n"
    "check(not ok and err:find 'Thing', err)\n"
    "local ok, err = pcall(copy, vector(1, 2))\n"
    "check(not ok and err:find 'Vector', err)\n"
    "local n, way, what = refused({ io.tmpfile() })\n"
    "check(what == 'a FILE* handle')\n");
  border_close(&b);
}

/* ---- messages ---- */

static void records_follow_each_other (void) {
  Border b;
  int i;
  size_t pos = 0, len;
  border_open(&b);
  for (i = 0; i < 100; i++) {
    lua_State *L = b.home;
    lua_settop(L, 0);
    lua_pushinteger(L, i);
    if (i % 3 == 0) {
      lua_newtable(L);
      lua_pushinteger(L, i);
      lua_rawseti(L, -2, 1);
      lua_getglobal(L, "print");
    }
    else lua_pushliteral(L, "x");
    len = b.m.len;
    CHECK(lc_encode(L, b.hc, &b.m, 1, lua_gettop(L)) == LC_ENCODED);
    CHECK(b.m.len > len);
    len = b.m.len;
    lua_pushthread(L);                      /* in between, a refusal */
    CHECK(lc_encode(L, b.hc, &b.m, lua_gettop(L), 1) == LC_REFUSED);
    CHECK_INT(b.m.len, len);
  }
  for (i = 0; i < 100; i++) {
    lua_State *L = b.away;
    lua_settop(L, 0);
    CHECK_INT(lc_decode(L, b.ac, &b.m, &pos), i % 3 == 0 ? 3 : 2);
    CHECK_INT(lua_tointeger(L, 1), i);
    if (i % 3 == 0) {
      lua_rawgeti(L, 2, 1);
      CHECK_INT(lua_tointeger(L, -1), i);
    }
  }
  CHECK_INT(pos, b.m.len);
  lua_settop(b.home, 0);
  lua_settop(b.away, 0);
  border_close(&b);
}

/* After 2^32 records: what the first ones have left is not met again. */
static void the_numbers_of_records_go_round (void) {
  Mem mem;
  Scratch *s;
  int first, last;
  lc_mem_init(&mem, NULL, NULL);
  s = lc_scratch_new(&mem);
  REQUIRE(s != NULL);
  lc_scratch_put(s, &first)->id = 1;
  lc_scratch_recent(s, &first)->stamp = s->stamp;
  s->stamp = UINT32_MAX;                /* as it is then */
  lc_scratch_put(s, &last)->id = 2;
  lc_scratch_reset(s);
  CHECK(lc_scratch_find(s, &first) == NULL);
  CHECK(lc_scratch_find(s, &last) == NULL);
  CHECK_INT(lc_scratch_put(s, &first)->id, 0);
  CHECK(lc_scratch_find(s, &first) != NULL);
  CHECK(lc_scratch_recent(s, &first)->stamp != s->stamp);
  lc_scratch_free(s);
  CHECK_INT(lc_mem_used(&mem), 0);
}

static void a_message_is_used_again (void) {
  Mem mem;
  Message m;
  unsigned char *bytes;
  lc_mem_init(&mem, NULL, NULL);
  lc_message_init(&m, &mem);
  CHECK_INT(lc_mem_used(&mem), 0);
  CHECK(lc_message_room(&m, 1000));
  bytes = m.bytes;
  lc_message_clear(&m, 4096);
  CHECK(lc_message_room(&m, 1000) && m.bytes == bytes);
  lc_message_clear(&m, 10);
  CHECK_INT(lc_mem_used(&mem), 0);
  CHECK(!lc_message_room(&m, (size_t)-1));
  CHECK(!lc_message_room(&m, (size_t)-1 - 100));
  lc_message_drop(&m);
  CHECK_INT(lc_mem_used(&mem), 0);
}

static void a_large_record_leaves_little (void) {
  Border b;
  size_t before;
  border_open(&b);
  border_do(&b, "=small", "copy({ 1, 'x' })");
  lc_message_clear(&b.m, 0);
  before = lc_mem_used(&b.mem);
  border_do(&b, "=large",
    "local t = {} for i = 1, 300000 do t[i] = { 'k' .. i } end copy(t)");
  lc_message_clear(&b.m, 0);
  CHECK(lc_mem_used(&b.mem) < before + 65536);
  border_close(&b);
}

static void a_state_that_is_closing (void) {
  Border b;
  border_open(&b);
  border_do(&b, "=closing",
    "setmetatable({}, { __gc = function() pcall(bytes, { print, {} }) end })\n"
    "local t = setmetatable({}, { __gc = function() end, __index = {} })\n"
    "last = function() return t end");
  border_close(&b);
}

int main (void) {
  RUN(a_handle_is_shared);
  RUN(a_handle_is_fresh);
  RUN(what_is_no_handle);
  RUN(a_message_holds_its_handles);
  RUN(a_state_that_does_not_know_it);
  RUN(a_module_that_does_not_know_it_either);
  RUN(types_of_a_host);
  RUN(a_host_type_that_packs_nothing_is_refused);
  RUN(a_userdata_may_have_a_transfer);
  RUN(a_host_type_that_is_not_known_there);
  RUN(records_follow_each_other);
  RUN(the_numbers_of_records_go_round);
  RUN(a_message_is_used_again);
  RUN(a_large_record_leaves_little);
  RUN(a_state_that_is_closing);
  return check_end();
}
