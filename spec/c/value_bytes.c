/*
** value_bytes.c: bytes that are no record, or more than plain data, are refused by
** an error, and nothing else happens. (What libFuzzer tries by chance, spec/fuzz, by
** hand; on machines whose integers begin with their low byte.)
*/
#include "value.h"
#include "value/wire.h"

typedef int (*Decoder) (lua_State *L, Codec *c, const Message *m, size_t *pos);

typedef struct Reading {
  Border *b;
  Decoder decode;
} Reading;

static int reading_decode (lua_State *L) {
  Reading *r = (Reading *)lua_touserdata(L, 1);
  size_t pos = 0;
  lua_settop(L, 0);
  return r->decode(L, r->b->ac, &r->b->m, &pos);
}

/* The values of the message are on the away state's stack: how many; or -1, and
** the error is. */
static int read_message (Border *b, Decoder decode) {
  Reading r;
  r.b = b;
  r.decode = decode;
  lua_settop(b->away, 0);
  lua_pushcfunction(b->away, reading_decode);
  lua_pushlightuserdata(b->away, &r);
  if (lua_pcall(b->away, 1, LUA_MULTRET, 0) == LUA_OK)
    return lua_gettop(b->away);
  return -1;
}

/* The values that the chunk returns, sent. */
static void write_message (Border *b, const char *chunk) {
  lc_message_clear(&b->m, 0);
  lua_settop(b->home, 0);
  if (luaL_dostring(b->home, chunk) != LUA_OK
      || lc_encode(b->home, b->hc, &b->m, 1, lua_gettop(b->home)) != LC_ENCODED)
    CHECK(!"sent");
}

static void write_bytes (Border *b, const unsigned char *bytes, size_t n) {
  lc_message_clear(&b->m, 0);
  CHECK(lc_message_room(&b->m, n));
  memcpy(b->m.bytes, bytes, n);
  b->m.len = n;
}

#define BYTES(b, ...) do {  \
    static const unsigned char bytes_[] = {__VA_ARGS__};  \
    write_bytes(b, bytes_, sizeof bytes_);  \
  } while (0)

/* Refused, in these words. */
static void check_refused (Border *b, Decoder decode, const char *why) {
  CHECK_INT(read_message(b, decode), -1);
  CHECK(strstr(lua_tostring(b->away, -1), why) != NULL);
  lua_settop(b->away, 0);
}

#define NO_RECORD "these bytes are not a message"
#define NOT_PLAIN "these bytes hold more than plain data"

static void plain_data_is_welcome_from_anywhere (void) {
  Border b;
  border_open(&b);
  write_message(&b, "return 1, 'two', { 3, { four = 4.5 }, true }, nil");
  CHECK_INT(read_message(&b, lc_decode_plain), 4);
  CHECK_INT(lua_tointeger(b.away, 1), 1);
  CHECK_STR(lua_tostring(b.away, 2), "two");
  CHECK_INT(lua_rawlen(b.away, 3), 3);
  write_message(&b, "local t = {} for i = 1, 500 do t = { t } end return t");
  CHECK_INT(read_message(&b, lc_decode_plain), 1);
  border_close(&b);
}

static void whatever_runs_or_points_is_not (void) {
  static const char *const more[] = {
    "return print", "return function() end", "return string", "return _G",
    "return io.stdout", "local C = {} C.__index = C return C",
    "return setmetatable({}, { __transfer = function() return type, 1 end })",
    "return { 1, 2, print }",
  };
  Border b;
  size_t i;
  border_open(&b);
  for (i = 0; i < sizeof more / sizeof *more; i++) {
    write_message(&b, more[i]);
    check_refused(&b, lc_decode_plain, NOT_PLAIN);
    CHECK_INT(read_message(&b, lc_decode), 1);
  }
  write_message(&b, "return setmetatable({}, { __name = 'x' })");
  check_refused(&b, lc_decode_plain, NO_RECORD);
  BYTES(&b, 1, WIRE_LIGHT, 1, 2, 3, 4, 5, 6, 7, 8);
  check_refused(&b, lc_decode_plain, NOT_PLAIN);
  CHECK_INT(read_message(&b, lc_decode), 1);
  border_close(&b);
}

static void a_length_may_be_wider_than_it_need_be (void) {
  Border b;
  border_open(&b);
  BYTES(&b, 1, WIRE_STR8, 3, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c');
  CHECK_INT(read_message(&b, lc_decode), 1);
  CHECK_STR(lua_tostring(b.away, 1), "abc");
  border_close(&b);
}

static void a_length_beyond_the_end_is_refused (void) {
  Border b;
  border_open(&b);
  BYTES(&b, 1, WIRE_STR8, 4, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c');
  check_refused(&b, lc_decode, NO_RECORD);
  BYTES(&b, 1, WIRE_STR8, 3, 0, 0, 0, 0, 0, 0, 0x80, 'a', 'b', 'c');
  check_refused(&b, lc_decode, NO_RECORD);
  BYTES(&b, 1, WIRE_INT8, 1, 2, 3);
  check_refused(&b, lc_decode, NO_RECORD);
  BYTES(&b, 2, WIRE_NIL);
  check_refused(&b, lc_decode, NO_RECORD);
  border_close(&b);
}

/* An array that says how many numbers it has, and a run of more of them. */
static void a_run_longer_than_its_array_is_refused (void) {
  Border b;
  border_open(&b);
  BYTES(&b, 1, WIRE_TABLE | WIRE_T_BIG, 0, 3, 0, 0, 0, 0, 0, 0, 0,
        WIRE_RUN1, 3, 0, 0, 0, 7, 8, 9);
  CHECK_INT(read_message(&b, lc_decode), 1);
  CHECK_INT(lua_rawlen(b.away, 1), 3);
  BYTES(&b, 1, WIRE_TABLE | WIRE_T_BIG, 0, 2, 0, 0, 0, 0, 0, 0, 0,
        WIRE_RUN1, 3, 0, 0, 0, 7, 8, 9);
  check_refused(&b, lc_decode, NO_RECORD);
  BYTES(&b, 1, WIRE_TABLE | WIRE_T_BIG, 0, 3, 0, 0, 0, 0, 0, 0, 0,
        WIRE_RUN8, 3, 0, 0, 0, 7, 8, 9);
  check_refused(&b, lc_decode, NO_RECORD);
  border_close(&b);
}

static void a_byte_that_begins_no_value_is_refused (void) {
  static const unsigned char none[] = {
    WIRE_END, WIRE_RUN1, WIRE_CELL, WIRE_JOIN, WIRE_JOIN + 1, WIRE_TABLE - 1
  };
  Border b;
  size_t i;
  border_open(&b);
  for (i = 0; i < sizeof none; i++) {
    unsigned char bytes[] = {1, 0, 0, 0, 0, 0, 0, 0, 0};
    bytes[1] = none[i];
    write_bytes(&b, bytes, sizeof bytes);
    check_refused(&b, lc_decode, NO_RECORD);
  }
  border_close(&b);
}

/* The head of a record says how many classes come behind it. */
static void a_class_that_is_not_listed_is_refused (void) {
  Border b;
  border_open(&b);
  write_message(&b, "local C = { n = 1 } C.__index = C return setmetatable({}, C)");
  CHECK_INT(b.m.bytes[0], WIRE_FULL);
  CHECK_INT(b.m.bytes[9], 1);
  b.m.bytes[9] = 0;
  check_refused(&b, lc_decode, NO_RECORD);
  b.m.bytes[9] = 1;
  CHECK_INT(read_message(&b, lc_decode), 1);
  border_close(&b);
}

int main (void) {
  RUN(plain_data_is_welcome_from_anywhere);
  RUN(whatever_runs_or_points_is_not);
  RUN(a_length_may_be_wider_than_it_need_be);
  RUN(a_length_beyond_the_end_is_refused);
  RUN(a_run_longer_than_its_array_is_refused);
  RUN(a_byte_that_begins_no_value_is_refused);
  RUN(a_class_that_is_not_listed_is_refused);
  return check_end();
}
