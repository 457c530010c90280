/*
** A refusal is rare, so the encoder keeps no path; when it has happened, the
** values are searched a second time, breadth first: that gives the shortest
** way to the object, and takes no stack.
*/
#include "refuse.h"

#include <ctype.h>

#include <lauxlib.h>

#include "names.h"
#include "object.h"

enum { REFUSE_ROOT, REFUSE_FIELD, REFUSE_KEY, REFUSE_UPVALUE,
       REFUSE_META, REFUSE_TRANSFER };

enum { REFUSE_ENDS = 12 };   /* segments shown at either end of a long way */

/* Tables on the stack, all by the number of a node. */
typedef struct Hunt {
  lua_State *L;
  Enc *e;
  int object, parent, how, key;
  int seen;                  /* object -> true */
  lua_Integer n;
} Hunt;

/* ---- the search ---- */

static int hunt_wanted (Hunt *h, int idx) {
  return lua_rawequal(h->L, idx, h->e->bad);
}

/* The object at `idx` by way of the key at `key` (0: none). Gives 1 if it
** is the one; its node is the last then. */
static int hunt_add (Hunt *h, int idx, lua_Integer parent, int how, int key) {
  lua_State *L = h->L;
  int type = lua_type(L, idx), found = hunt_wanted(h, idx);
  if (type != LUA_TTABLE && type != LUA_TFUNCTION && type != LUA_TUSERDATA
      && !found)
    return 0;
  lua_pushvalue(L, idx);
  if (lua_rawget(L, h->seen) != LUA_TNIL && !found) {
    lua_pop(L, 1);
    return 0;
  }
  lua_pop(L, 1);
  lua_pushvalue(L, idx);
  lua_pushboolean(L, 1);
  lua_rawset(L, h->seen);
  h->n++;
  lua_pushvalue(L, idx);
  lua_rawseti(L, h->object, h->n);
  lua_pushinteger(L, parent);
  lua_rawseti(L, h->parent, h->n);
  lua_pushinteger(L, how);
  lua_rawseti(L, h->how, h->n);
  if (key != 0) {
    lua_pushvalue(L, key);
    lua_rawseti(L, h->key, h->n);
  }
  return found;
}

static int hunt_table (Hunt *h, int t, lua_Integer i) {
  lua_State *L = h->L;
  lua_pushnil(L);
  while (lua_next(L, t)) {
    if (hunt_add(h, t + 2, i, REFUSE_FIELD, t + 1)) return 1;
    if (hunt_add(h, t + 1, i, REFUSE_KEY, 0)) return 1;
    lua_pop(L, 1);
  }
  if (!lua_getmetatable(L, t)) return 0;
  return hunt_add(h, t + 1, i, REFUSE_META, 0);
}

static int hunt_function (Hunt *h, int f, lua_Integer i) {
  lua_State *L = h->L;
  const char *name;
  int k;
  for (k = 1; (name = lua_getupvalue(L, f, k)) != NULL; k++) {
    if (*name == '(') lua_pushinteger(L, k);      /* "(no name)" */
    else lua_pushstring(L, name);
    if (hunt_add(h, f + 1, i, REFUSE_UPVALUE, f + 2)) return 1;
    lua_pop(L, 2);
  }
  return 0;
}

/* What its __transfer gave, if it got so far. */
static int hunt_transfer (Hunt *h, int o, lua_Integer i, int *found) {
  lua_State *L = h->L;
  lua_Integer k, n;
  if (!lua_istable(L, h->e->anchors)) return 0;
  lua_pushvalue(L, o);
  if (lua_rawget(L, h->e->anchors) != LUA_TTABLE) {
    lua_pop(L, 1);
    return 0;
  }
  lua_getfield(L, o + 1, "n");
  n = lua_tointeger(L, -1);
  lua_pop(L, 1);
  for (k = 1; k <= n && !*found; k++) {
    lua_rawgeti(L, o + 1, k);
    lua_pushinteger(L, k - 1);
    *found = hunt_add(h, o + 2, i, REFUSE_TRANSFER, o + 3);
    lua_pop(L, 2);
  }
  return 1;
}

static int hunt_hasname (Hunt *h, int o) {
  const Known *k = lc_names_guess(h->e->c, lua_topointer(h->L, o));
  NamesKind kind = k != NULL ? lc_names_check(h->L, k, o) : NAMES_NONE;
  return kind == NAMES_NAMED || kind == NAMES_GLOBALS;
}

/* The children of node `i`. */
static int hunt_expand (Hunt *h, lua_Integer i) {
  lua_State *L = h->L;
  int o = lua_gettop(L) + 1, found = 0;
  lua_rawgeti(L, h->object, i);
  if (!hunt_hasname(h, o) && !hunt_transfer(h, o, i, &found)) {
    if (lua_istable(L, o)) found = hunt_table(h, o, i);
    else if (lua_isfunction(L, o) && !lua_iscfunction(L, o))
      found = hunt_function(h, o, i);
  }
  lua_settop(L, o - 1);
  return found;
}

/* The number of the node, or 0. */
static lua_Integer hunt_run (Hunt *h) {
  lua_Integer i;
  int k;
  for (k = 0; k < h->e->n; k++) {
    lua_pushinteger(h->L, k + 1);
    if (hunt_add(h, h->e->first + k, 0, REFUSE_ROOT, lua_gettop(h->L)))
      return h->n;
    lua_pop(h->L, 1);
  }
  for (i = 1; i <= h->n; i++)
    if (hunt_expand(h, i)) return h->n;
  return 0;
}

/* ---- the way in words ---- */

static int refuse_isname (const char *s, size_t len) {
  size_t i;
  if (len == 0 || len > 60 || isdigit((unsigned char)s[0])) return 0;
  for (i = 0; i < len; i++)
    if (!isalnum((unsigned char)s[i]) && s[i] != '_') return 0;
  return 1;
}

/* A long one is cut, but not within a character of UTF-8. */
static void refuse_quoted (luaL_Buffer *b, const char *s, size_t len) {
  size_t i, end = len < 40 ? len : 40;
  while (end < len && end > 36 && ((unsigned char)s[end] & 0xC0) == 0x80) end--;
  luaL_addstring(b, "[\"");
  for (i = 0; i < end; i++) {
    char esc[8];
    unsigned char ch = (unsigned char)s[i];
    if (ch == '"' || ch == '\\') luaL_addchar(b, '\\');
    if (ch >= 32 && ch != 127) luaL_addchar(b, (char)ch);
    else {
      lua_Integer code = ch;
      snprintf(esc, sizeof esc, "\\%03d", (int)code);
      luaL_addstring(b, esc);
    }
  }
  luaL_addstring(b, i < len ? "...\"]" : "\"]");
}

/* The key at `idx`, a field of what came before. */
static void refuse_field (lua_State *L, luaL_Buffer *b, int idx) {
  size_t len;
  const char *s;
  char num[64];
  switch (lua_type(L, idx)) {
    case LUA_TSTRING:
      s = lua_tolstring(L, idx, &len);
      if (!refuse_isname(s, len)) {
        refuse_quoted(b, s, len);
        return;
      }
      luaL_addchar(b, '.');
      luaL_addlstring(b, s, len);
      return;
    case LUA_TNUMBER:
      if (lua_isinteger(L, idx))
        snprintf(num, sizeof num, "[" LUA_INTEGER_FMT "]",
                 (LUAI_UACINT)lua_tointeger(L, idx));
      else snprintf(num, sizeof num, "[%.14g]", (double)lua_tonumber(L, idx));
      luaL_addstring(b, num);
      return;
    case LUA_TBOOLEAN:
      luaL_addstring(b, lua_toboolean(L, idx) ? "[true]" : "[false]");
      return;
    default:
      snprintf(num, sizeof num, "[a %s]", luaL_typename(L, idx));
      luaL_addstring(b, num);
  }
}

/* The function at `f` and its upvalue, the name or number at `key`. */
static void refuse_upvalue (lua_State *L, luaL_Buffer *b, int f, int key) {
  lua_Debug ar;
  char line[LUA_IDSIZE + 100];
  lua_pushvalue(L, f);
  lua_getinfo(L, ">S", &ar);
  luaL_addstring(b, ", upvalue ");
  if (lua_type(L, key) == LUA_TSTRING) {
    luaL_addchar(b, '\'');
    luaL_addstring(b, lua_tostring(L, key));
    luaL_addchar(b, '\'');
  }
  else {
    snprintf(line, sizeof line, "%d", (int)lua_tointeger(L, key));
    luaL_addstring(b, line);
  }
  if (ar.linedefined > 0)
    snprintf(line, sizeof line, " of function at %s:%d", ar.short_src,
             ar.linedefined);
  else snprintf(line, sizeof line, " of main chunk at %s", ar.short_src);
  luaL_addstring(b, line);
}

/* The step to node `i`: pushes a string. `words`: the step before it ended
** with words, not with a field. */
static int refuse_step (Hunt *h, lua_Integer i, int words) {
  lua_State *L = h->L;
  int at = lua_gettop(L), how;
  luaL_Buffer b;
  char text[64];
  lua_rawgeti(L, h->how, i);
  lua_rawgeti(L, h->key, i);
  lua_rawgeti(L, h->parent, i);
  lua_rawgeti(L, h->object, lua_tointeger(L, at + 3));
  how = (int)lua_tointeger(L, at + 1);
  luaL_buffinit(L, &b);
  if (how == REFUSE_FIELD) {
    if (words) luaL_addstring(&b, ", field ");
    refuse_field(L, &b, at + 2);
  }
  else if (how == REFUSE_KEY) luaL_addstring(&b, ", a key");
  else if (how == REFUSE_META) luaL_addstring(&b, ", metatable");
  else if (how == REFUSE_UPVALUE) refuse_upvalue(L, &b, at + 4, at + 2);
  else if (how == REFUSE_TRANSFER) {
    int k = (int)lua_tointeger(L, at + 2);
    if (k == 0) snprintf(text, sizeof text, ", function of its __transfer");
    else snprintf(text, sizeof text, ", value %d of its __transfer", k);
    luaL_addstring(&b, text);
  }
  luaL_pushresult(&b);
  lua_replace(L, at + 1);
  lua_settop(L, at + 1);
  return how != REFUSE_FIELD;
}

static lua_Integer refuse_at (lua_State *L, int t, lua_Integer i) {
  lua_Integer x;
  lua_rawgeti(L, t, i);
  x = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return x;
}

/* Pushes which root, and the way from there to node `i`. */
static void refuse_way (Hunt *h, lua_Integer i) {
  lua_State *L = h->L;
  int chain, out, words = 0;
  lua_Integer n = 0, k, nout = 0;
  lua_newtable(L);
  chain = lua_gettop(L);
  for (; refuse_at(L, h->parent, i) != 0; i = refuse_at(L, h->parent, i)) {
    lua_pushinteger(L, i);
    lua_rawseti(L, chain, ++n);
  }
  lua_newtable(L);
  out = lua_gettop(L);
  for (k = n; k >= 1; k--) {
    if (n > 2 * REFUSE_ENDS && k == n - REFUSE_ENDS) {
      k = REFUSE_ENDS;
      lua_pushliteral(L, "...");
      lua_rawseti(L, out, ++nout);
    }
    words = refuse_step(h, refuse_at(L, chain, k), words);
    lua_rawseti(L, out, ++nout);
  }
  lua_pushinteger(L, refuse_at(L, h->key, i));
  {
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (k = 1; k <= nout; k++) {
      lua_rawgeti(L, out, k);
      luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
  }
}

/* ---- the thing in words ---- */

static void refuse_userdata (lua_State *L, Enc *e) {
  const char *name = "userdata";     /* a name that is no string is none */
  int top = lua_gettop(L);
  if (luaL_getmetafield(L, e->bad, "__name") == LUA_TSTRING)
    name = lua_tostring(L, -1);
  if (lc_object_isdead(L, e->bad)) lua_pushfstring(L, "a closed %s", name);
  else if (strcmp(name, "FILE*") == 0) lua_pushliteral(L, "a FILE* handle");
  else lua_pushfstring(L, "%s %s", strchr("aeioAEIO", *name) != NULL
                       && *name != '\0' ? "an" : "a", name);
  lua_insert(L, top + 1);
  lua_settop(L, top + 1);
}

/* Other types are refused with a reason of their own. */
static void refuse_what (lua_State *L, Enc *e) {
  switch (lua_type(L, e->bad)) {
    case LUA_TTHREAD: lua_pushliteral(L, "a coroutine"); break;
    case LUA_TFUNCTION: lua_pushliteral(L, "a C function"); break;
    default: refuse_userdata(L, e);
  }
}

void lc_refuse_push (lua_State *L, Enc *e) {
  int top = lua_gettop(L), k;
  lua_Integer node;
  Hunt h;
  lc_state_room(L, 40);
  h.L = L;
  h.e = e;
  h.n = 0;
  h.object = top + 1;
  h.parent = top + 2;
  h.how = top + 3;
  h.key = top + 4;
  h.seen = top + 5;
  for (k = 0; k < 5; k++) lua_newtable(L);
  node = hunt_run(&h);
  lua_settop(L, top + 5);
  if (node != 0) refuse_way(&h, node);
  else {                             /* a __transfer has changed the values */
    lua_pushinteger(L, 1);
    lua_pushliteral(L, "");
  }
  if (e->why != NULL) lua_pushstring(L, e->why);
  else refuse_what(L, e);
  lua_rotate(L, top + 1, 3);
  lua_settop(L, top + 3);
}
