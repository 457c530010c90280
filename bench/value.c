/*
** value.c: what a value costs on its way from one state to another (encode,
** then decode, on one thread), against lua-cjson's encode and decode, and
** against memcpy for a long string. They take turns, one after the other (small ones:
** some hundred times each); medians.
**
**   value [rounds [part of a name]]      the one part: without cjson
**
** How near the public API comes to LuaJIT's string.buffer, which reads and
** makes tables from the inside and takes about 0.12 of cjson's time for the
** records and 0.015 for the floats: to about a third, and to 0.06.
** Two thirds of the time of the records pass in Lua itself (callgrind:
** lua_next, lua_rawset, new tables, the collector); a float is six calls on
** its way out and one on its way in.
*/
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/mem.h"
#include "run/state.h"
#include "value/codec.h"
#include "value/message.h"

enum { ROUNDS = 201, MAX_ROUNDS = 10000 };

typedef struct Payload {
  const char *name;
  int times;               /* in one sample */
  const char *chunk;       /* gives it */
} Payload;

static const Payload payloads[] = {
  {"10,000 floats", 1,
   "local t = {} for i = 1, 10000 do t[i] = math.random() end return t"},
  {"10,000 floats (constructed)", 1,
   "local t = {} for i = 1, 10000 do t[i] = math.random() end"
   " return { table.unpack(t) }"},
  {"10,000 integers", 1,
   "local t = {} for i = 1, 10000 do t[i] = i * 7 end return t"},
  {"1,000 records", 1,
   "local t = {} for i = 1, 1000 do t[i] = { id = i, name = 'user' .. i,"
   " tags = { 'tag' .. i % 7, 'kind' .. i % 11, 'more' .. i % 13 },"
   " pos = { x = i / 3, y = i / 7 } } end return t"},
  {"1,000 records, all strings new", 1,
   "local t = {} for i = 1, 1000 do t[i] = { id = i, name = 'user' .. i,"
   " tags = { 'tag' .. i, 'kind' .. i, 'more' .. i },"
   " pos = { x = i / 3, y = i / 7 } } end return t"},
  {"1 MiB string", 1, "return ('0123456789abcdef'):rep(65536)"},
  {"10,000 short strings", 1,
   "local t = {} for i = 1, 10000 do t[i] = 'string' .. i end return t"},
  {"one integer", 1000, "return 12345"},
  {"one small record", 300,
   "return { id = 7, name = 'seven', pos = { x = 1.5, y = 2.5 } }"},
  {"1,000 instances of a class", 1,
   "local C = {} C.__index = C function C.f() return C end"
   " local t = {} for i = 1, 1000 do"
   " t[i] = setmetatable({ x = i / 2, y = i }, C) end return t"},
};

static double now (void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int by_value (const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median (double *v, int n) {
  qsort(v, (size_t)n, sizeof(double), by_value);
  return v[n / 2];
}

typedef struct Bench {
  lua_State *A, *B;
  Codec *ac, *bc;
  Message m;
  double enc, dec;
} Bench;

static void ours (Bench *b, int times) {
  int i;
  double t0, t1, t2;
  b->enc = b->dec = 0;
  for (i = 0; i < times; i++) {
    size_t pos = 0;
    t0 = now();
    if (lc_encode(b->A, b->ac, &b->m, 1, 1) != LC_ENCODED) abort();
    t1 = now();
    lc_decode(b->B, b->bc, &b->m, &pos);
    lua_settop(b->B, 0);
    lc_message_clear(&b->m, (size_t)16 << 20);
    t2 = now();
    b->enc += t1 - t0;
    b->dec += t2 - t1;
  }
}

/* cjson's functions are at 2 and 3, the payload at 1. */
static double theirs (lua_State *L, int times) {
  int i;
  double t0 = now();
  for (i = 0; i < times; i++) {
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK || lua_pcall(L, 1, 1, 0) != LUA_OK)
      abort();
    lua_settop(L, 3);
  }
  return now() - t0;
}

/* Both have been written before: pages that never were are all one page of
** zeros, which lies in the nearest cache. */
static double copied (int times) {
  static char from[1 << 20], to[1 << 20];
  int i;
  double t0;
  if (to[0] == 0) {
    memset(from, 'x', sizeof from);
    memset(to, 'y', sizeof to);
  }
  t0 = now();
  for (i = 0; i < times; i++) {
    memcpy(to, from, sizeof to);
    __asm__ volatile("" : : "r"(to) : "memory");
  }
  return now() - t0;
}

/* The clock itself, which stands between encode and decode. */
static double clock_cost (void) {
  double t0 = now();
  int i;
  for (i = 0; i < 10000; i++) now();
  return (now() - t0) / 10000;
}

static void measure (Bench *b, const Payload *p, int rounds, int cjson) {
  static double e[MAX_ROUNDS], d[MAX_ROUNDS], c[MAX_ROUNDS], m[MAX_ROUNDS];
  double enc, dec, tick = clock_cost();
  int i, isclass = strstr(p->name, "class") != NULL;
  size_t len;
  lua_settop(b->A, 0);
  if (luaL_dostring(b->A, p->chunk) != LUA_OK) abort();
  lua_settop(b->A, 1);
  if (cjson) {
    lua_getglobal(b->A, "cjson");
    lua_getfield(b->A, 2, "encode");
    lua_getfield(b->A, 2, "decode");
    lua_remove(b->A, 2);
  }
  for (i = 0; i < rounds; i++) {
    ours(b, p->times);
    e[i] = b->enc / p->times;
    d[i] = b->dec / p->times;
    c[i] = cjson && !isclass ? theirs(b->A, p->times) / p->times : 0;
    m[i] = strstr(p->name, "MiB") ? copied(p->times) / p->times : 0;
  }
  enc = median(e, rounds) - tick;
  dec = median(d, rounds) - tick;
  lua_settop(b->A, 1);
  lc_encode(b->A, b->ac, &b->m, 1, 1);
  len = b->m.len;
  lc_message_clear(&b->m, (size_t)16 << 20);
  printf("%-32s %10.0f %10.0f %10.0f", p->name, enc, dec, enc + dec);
  if (cjson && !isclass) {
    double x = median(c, rounds);
    printf(" %11.0f %8.3f", x, (enc + dec) / x);
  }
  else printf(" %11s %8s", "", "");
  if (strstr(p->name, "MiB")) printf("   memcpy %.0f: x %.2f",
    median(m, rounds), (enc + dec) / median(m, rounds));
  else printf("   %zu bytes", len);
  printf("\n");
}

int main (int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS, cjson;
  size_t i;
  Mem mem;
  Heap ha, hb;
  Bench b;
  if (rounds < 1 || rounds > MAX_ROUNDS) rounds = ROUNDS;
  lc_mem_init(&mem, NULL, NULL);
  lc_heap_init(&ha, &mem);
  lc_heap_init(&hb, &mem);
  b.A = lc_state_bare(&ha);       /* as lacus opens its states */
  b.B = lc_state_bare(&hb);
  luaL_openlibs(b.A);
  luaL_openlibs(b.B);
  b.ac = lc_codec_open(b.A, &mem);
  b.bc = lc_codec_open(b.B, &mem);
  lc_message_init(&b.m, &mem);
  cjson = argc <= 2 && luaL_dostring(b.A, "cjson = require 'cjson'") == LUA_OK;
  printf("%-32s %10s %10s %10s %11s %8s\n", "ns (median)", "encode", "decode",
         "both", "cjson both", "ratio");
  for (i = 0; i < sizeof payloads / sizeof payloads[0]; i++)
    if (argc <= 2 || strstr(payloads[i].name, argv[2]) != NULL)
      measure(&b, &payloads[i], rounds, cjson);
  lc_message_drop(&b.m);
  lua_close(b.A);
  lua_close(b.B);
  return 0;
}
