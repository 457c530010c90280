#include "state.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

/*
** Warnings as the stand-alone `lua` has them: off until "@on", one line on
** stderr for each. (lauxlib installs its own only through luaL_newstate.)
*/
typedef struct Warning {
  int on;
  int within;       /* inside a message of several pieces */
} Warning;

static void state_warn (void *ud, const char *msg, int more) {
  Warning *w = (Warning *)ud;
  if (!w->within && !more && msg[0] == '@') {
    if (strcmp(msg, "@on") == 0) w->on = 1;
    else if (strcmp(msg, "@off") == 0) w->on = 0;
    return;
  }
  if (w->on) {
    if (!w->within) fputs("Lua warning: ", stderr);
    fputs(msg, stderr);
    if (!more) fputc('\n', stderr);
  }
  w->within = more;
}

static int state_add_warnings (lua_State *L) {
  Warning *w = (Warning *)lua_newuserdatauv(L, sizeof(Warning), 0);
  w->on = w->within = 0;
  lua_rawsetp(L, LUA_REGISTRYINDEX, (void *)state_add_warnings);
  lua_setwarnf(L, state_warn, w);
  return 0;
}

int lc_state_warns (lua_State *L) {
  const Warning *w;
  lua_rawgetp(L, LUA_REGISTRYINDEX, (void *)state_add_warnings);
  w = (const Warning *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  return w != NULL && w->on;
}

lua_State *lc_state_bare (Heap *h) {
  lua_State *L = lua_newstate(lc_heap_alloc, h);
  if (L == NULL) return NULL;
  lua_pushcfunction(L, state_add_warnings);
  if (lua_pcall(L, 0, 0, 0) == LUA_OK) return L;
  lua_close(L);
  return NULL;
}

static int state_setup (lua_State *L) {
  lua_CFunction libraries = lua_tocfunction(L, 1);
  Mem *mem = (Mem *)lua_touserdata(L, 2);
  Codec **codec = (Codec **)lua_touserdata(L, 3);
  *codec = lc_codec_open(L, mem);
  lua_pushcfunction(L, libraries);
  lua_call(L, 0, 0);
  return 0;
}

char *lc_state_copy_error (Mem *mem, const char *s) {
  size_t size = strlen(s) + 1;
  char *copy = (char *)lc_mem_alloc(mem, size);
  if (copy != NULL) memcpy(copy, s, size);
  return copy;
}

lua_State *lc_state_open (Heap *h, Mem *mem, lua_CFunction libraries,
                          void *extra, Codec **codec, char **error) {
  lua_State *L = lc_state_bare(h);
  *error = NULL;
  if (L == NULL) {
    *error = lc_state_copy_error(mem, "not enough memory");
    return NULL;
  }
  *(void **)lua_getextraspace(L) = extra;
  lua_pushcfunction(L, state_setup);
  lua_pushcfunction(L, libraries);
  lua_pushlightuserdata(L, mem);
  lua_pushlightuserdata(L, codec);
  if (lua_pcall(L, 3, 0, 0) == LUA_OK) return L;
  *error = lc_state_copy_error(mem, lua_type(L, -1) == LUA_TSTRING
                                      ? lua_tostring(L, -1)
                                      : "the libraries raised an error");
  lua_close(L);
  return NULL;
}

void lc_state_close (lua_State *L) {
  lua_close(L);
}
