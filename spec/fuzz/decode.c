/*
** decode.c: hostile bytes before the decoder (libFuzzer; `make fuzz`). It may
** refuse them or give values; it must not crash, leak, or take memory that
** the bytes do not justify.
**
** The first byte chooses: bytes from elsewhere (lc_decode_plain), or a
** message of ours that has gone bad (lc_decode, with no refs, in a state that
** has nothing dangerous to name).
*/
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "base/mem.h"
#include "value/codec.h"
#include "value/message.h"

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
