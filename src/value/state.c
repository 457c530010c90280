/*
** state.c: birth and death of what a state remembers: codec.h's first half.
*/
#include "state.h"

#include <string.h>

#include <lauxlib.h>

static const char state_keys[STATE_TABLES] = {0};   /* their addresses */

/* The stack's own limit is a million slots; it is memory that ends first. */
void lc_state_room (lua_State *L, int n) {
  if (!lua_checkstack(L, n)) luaL_error(L, "not enough memory");
}

void lc_state_push (lua_State *L, int which) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &state_keys[which]);
}

void lc_state_set (lua_State *L, int which) {
  lua_rawsetp(L, LUA_REGISTRYINDEX, &state_keys[which]);
}

Codec *lc_state_codec (lua_State *L) {
  Codec *c;
  lc_state_push(L, STATE_CODEC);
  c = (Codec *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  return c;
}

void lc_state_keep (lua_State *L, Codec *c) {
  lc_state_push(L, STATE_KEEP);
  lua_pushvalue(L, -2);
  c->kept = c->kept % STATE_KEPT + 1;
  lua_rawseti(L, -2, (lua_Integer)c->kept);
  lua_pop(L, 1);
}

/*
** Runs when the state closes. Finalizers of older objects may still try to
** send something; they find a dead codec.
*/
static int codec_gc (lua_State *L) {
  Codec *c = (Codec *)lua_touserdata(L, 1);
  size_t i, k;
  if (c->dead) return 0;
  c->dead = 1;
  while (c->idle != NULL) {
    Scratch *next = c->idle->next;
    lc_scratch_free(c->idle);
    c->idle = next;
  }
  lc_message_drop(&c->dumped);
  for (i = 0; c->intern != NULL && i < INTERN_SETS; i++)
    for (k = 0; k < INTERN_WAYS; k++)
      if (c->intern[i][k] != NULL) lc_shared_release(&c->intern[i][k]->head);
  lc_mem_free(c->mem, (void *)c->intern, INTERN_SIZE);
  lc_mem_free(c->mem, c->names.slot, c->names.cap * sizeof(Known));
  lc_mem_free(c->mem, c->names.text, c->names.captext * sizeof(char *));
  return 0;
}

/* An empty table, with a weak mode if there is one. */
static void codec_table (lua_State *L, int which, const char *mode) {
  lua_newtable(L);
  if (mode != NULL) {
    lua_createtable(L, 0, 1);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
  }
  lc_state_set(L, which);
}

/* The string on top of the stack: pops it. */
static size_t codec_gap (lua_State *L) {
  size_t gap = (size_t)(lua_tostring(L, -1)
                        - (const char *)lua_topointer(L, -1));
  lua_pop(L, 1);
  return gap < 256 ? gap : 0;
}

/* Lua 5.4 has two sorts of strings, which might be laid out differently. */
static size_t codec_strgap (lua_State *L) {
  char text[200];
  size_t gap;
  lua_pushliteral(L, "short");
  gap = codec_gap(L);
  memset(text, 'l', sizeof text);
  lua_pushlstring(L, text, sizeof text);
  return codec_gap(L) == gap ? gap : 0;
}

/*
** The codec itself goes in last: until then a second try starts afresh. The
** tables are written over by it, the userdata is garbage.
*/
static void codec_new (lua_State *L, Mem *mem) {
  Codec *c = (Codec *)lua_newuserdatauv(L, sizeof(Codec), 0);
  memset((void *)c, 0, sizeof(Codec));
  c->mem = mem;
  c->epoch = 1;
  c->strgap = codec_strgap(L);
  lc_message_init(&c->dumped, mem);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, codec_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  codec_table(L, STATE_BYOBJECT, "k");
  codec_table(L, STATE_BYIDENT, "v");
  codec_table(L, STATE_KEEP, NULL);
  codec_table(L, STATE_NAMES, NULL);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lc_state_set(L, STATE_LOADED);
  lc_state_set(L, STATE_CODEC);
}

Codec *lc_codec_open (lua_State *L, Mem *mem) {
  Codec *c;
  lc_state_room(L, 10);
  c = lc_state_codec(L);
  if (c == NULL) {
    codec_new(L, mem);
    c = lc_state_codec(L);
  }
  if (c->dead) luaL_error(L, "this state is closing");
  return c;
}

void lc_codec_seal (Codec *c) { c->sealed = 1; }
void lc_codec_unseal_next (Codec *c) { c->unsealed = 1; }

/* The rest is done when a record needs it, by names.c and image.c. */
void lc_codec_begin (lua_State *L, Codec *c) {
  (void)L;
  c->unsealed = 0;
  if (++c->epoch == 0) c->epoch = 1;
}
