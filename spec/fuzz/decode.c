/*
** decode.c: hostile bytes before the decoder (libFuzzer; `make fuzz`). It may
** refuse them or give values; it must not crash, leak, or take memory that
** the bytes do not justify.
**
** The first byte chooses: bytes from elsewhere (lc_decode_plain), or a
** message of ours that has gone bad (lc_decode, with no refs, in a state that
** has nothing dangerous to name); and whether what came in goes out again.
**
** It begins with what the encoder itself writes of the values in `seeds`: into the
** folder that $SEEDS names.
*/
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/mem.h"
#include "value/codec.h"
#include "value/message.h"

int LLVMFuzzerInitialize (int *argc, char ***argv);
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Lua's memory, counted: `most` is the limit for one input. */
typedef struct Meter { size_t used, most; } Meter;

static void *meter_alloc (void *ud, void *p, size_t osize, size_t nsize) {
  Meter *m = (Meter *)ud;
  size_t old = p != NULL ? osize : 0;
  if (nsize == 0) {
    free(p);
    m->used -= old;
    return NULL;
  }
  p = realloc(p, nsize);
  if (p != NULL) m->used += nsize - old;
  if (m->used > m->most) abort();        /* more than the bytes justify */
  return p;
}

typedef struct Fuzz {
  const uint8_t *data;
  size_t size;
  Codec *c;
  Mem *mem;
} Fuzz;

static int decode (lua_State *L) {
  Fuzz *f = (Fuzz *)lua_touserdata(L, 1);
  Message m;
  size_t pos = 0;
  lc_message_init(&m, f->mem);
  m.bytes = (unsigned char *)f->data + 1;
  m.len = m.cap = f->size - 1;
  while (pos < m.len) {
    int n, top = lua_gettop(L);
    if (f->data[0] & 1) n = lc_decode_plain(L, f->c, &m, &pos);
    else n = lc_decode(L, f->c, &m, &pos);
    if (lua_gettop(L) != top + n || pos > m.len) abort();
    if (f->data[0] & 2) {                /* what came in may go out again */
      Message out;
      EncodeResult r;
      lc_message_init(&out, f->mem);
      r = lc_encode(L, f->c, &out, top + 1, n);
      if (r == LC_ENCODED) {
        size_t at = 0;
        int k;
        lua_settop(L, top + n);
        k = lc_decode(L, f->c, &out, &at);
        if (k != n || at != out.len) abort();
      }
      lc_message_drop(&out);
    }
    lua_settop(L, top);
  }
  return 0;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size) {
  Meter meter = {0, (size_t)-1};
  Mem mem;
  Fuzz f;
  lua_State *L;
  if (size < 1) return 0;
  lc_mem_init(&mem, NULL, NULL);
  L = lua_newstate(meter_alloc, &meter);
  luaL_requiref(L, "string", luaopen_string, 0);   /* one module to name */
  lua_pushnil(L);
  lua_setfield(L, -2, "rep");        /* takes what memory it is told to */
  lua_settop(L, 0);
  f.data = data;
  f.size = size;
  f.mem = &mem;
  f.c = lc_codec_open(L, &mem);
  if ((data[0] & 2) == 0) meter.most = meter.used + 200 * size + 100000;
  lua_pushcfunction(L, decode);
  lua_pushlightuserdata(L, &f);
  lua_pcall(L, 1, 0, 0);
  meter.most = (size_t)-1;
  lua_close(L);
  if (lc_mem_used(&mem) != 0) abort();
  return 0;
}

/* ---- what it begins with ---- */

/* A chunk gives values, each of which is a record: of what random bytes are late to
** come to. */
static const char seeds[] =
"local function numbers(n, step, t)\n"
"  t = t or {}\n"
"  for k = 1, n do t[k] = k * step end\n"
"  return t\n"
"end\n"
"local mixed, same, chain, byte = numbers(100, 1), {}, {}, {}\n"
"mixed[50], mixed[70], mixed[80] = 'x', 0.5, nil\n"
"for k = 1, 50 do same[k], same[k + 50] = { k }, 'a text' .. k end\n"
"for k = 51, 100 do same[50 + k], same[100 + k] = same[k - 50], same[k] end\n"
"for _ = 1, 150 do chain = { chain, [7] = true } end\n"
"for k = 1, 16385 do byte[k] = k % 100 end\n"
"local cycle = { 1, { 2 } }\n"
"cycle[2][1], cycle.key = cycle, cycle[2]\n"
"return { 1, 'text' }, numbers(47, 1), numbers(48, 1), numbers(64, 1),\n"
"  numbers(65, 1), numbers(300, 1 << 40), numbers(300, 0.5), mixed,\n"
"  numbers(70, 1000, { x = 1, y = 'z' }), byte, same, chain, cycle,\n"
"  { a = 1, b = 2.5, [3.5] = true, [true] = { { {} } } }\n";

static void write_seed (const char *folder, int i, int how, const Message *m) {
  char name[1000];
  FILE *f;
  snprintf(name, sizeof name, "%s/seed-%d-%d", folder, i, how);
  f = fopen(name, "wb");
  if (f == NULL) abort();
  fputc(how, f);
  fwrite(m->bytes, 1, m->len, f);
  fclose(f);
}

int LLVMFuzzerInitialize (int *argc, char ***argv) {
  const char *folder = getenv("SEEDS");
  Mem mem;
  lua_State *L;
  Codec *c;
  int i, how;
  (void)argc;
  (void)argv;
  if (folder == NULL) return 0;
  lc_mem_init(&mem, NULL, NULL);
  L = luaL_newstate();
  if (luaL_dostring(L, seeds) != LUA_OK) abort();
  c = lc_codec_open(L, &mem);
  for (i = 1; i <= lua_gettop(L); i++) {
    Message m;
    lc_message_init(&m, &mem);
    if (lc_encode(L, c, &m, i, 1) != LC_ENCODED) abort();
    for (how = 2; how <= 3; how++) write_seed(folder, i, how, &m);
    lc_message_drop(&m);
  }
  lua_close(L);
  return 0;
}
