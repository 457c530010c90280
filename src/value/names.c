#include "names.h"

#include <string.h>

#include <lauxlib.h>

enum { NAMES_INDEX = 1 };         /* string 1 is "__index" */
#define NAMES_ISGLOBALS 0xFFFFFFFFu

/* ---- the index: address -> numbers of strings ---- */

static size_t names_place (const Names *x, const void *key) {
  return (size_t)(((uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u)
                  >> x->shift);
}

static Known *names_slot (const Names *x, const void *key) {
  size_t at = names_place(x, key);
  while (x->slot[at].key != NULL && x->slot[at].key != key)
    at = (at + 1) & (x->cap - 1);
  return &x->slot[at];
}

static int names_room (Codec *c) {
  Names old = c->names, *x = &c->names;
  size_t i, cap = old.cap == 0 ? 256 : old.cap * 2;
  Known *slot;
  if (old.cap > 0 && old.n * 2 < old.cap) return 1;
  slot = (Known *)lc_mem_zalloc(c->mem, cap * sizeof(Known));
  if (slot == NULL) return 0;
  x->slot = slot;
  x->cap = cap;
  x->shift = old.cap == 0 ? 64 - 8 : old.shift - 1;
  for (i = 0; i < old.cap; i++)
    if (old.slot[i].key != NULL) *names_slot(x, old.slot[i].key) = old.slot[i];
  lc_mem_free(c->mem, old.slot, old.cap * sizeof(Known));
  return 1;
}

/* A new key goes into an empty slot. */
static void names_fill (Names *x, Known *k, const void *key) {
  unsigned bit = lc_names_bit(key);
  k->key = key;
  x->n++;
  x->filter[bit / 64] |= (uint64_t)1 << (bit % 64);
}

const Known *lc_names_guess (const Codec *c, const void *key) {
  const Known *k;
  if (c->names.cap == 0) return NULL;
  k = names_slot(&c->names, key);
  return k->key != NULL ? k : NULL;
}

int lc_names_addclass (Codec *c, const void *key) {
  Known *k;
  if (!names_room(c)) return 0;
  k = names_slot(&c->names, key);
  if (k->key == NULL) names_fill(&c->names, k, key);
  k->part[0] = k->part[1] = k->part[2] = 0;
  return 1;
}

/* ---- which of two names is the better one ---- */

static int names_isone (const char *list, const char *s) {
  size_t n = strlen(s);
  const char *p = list;
  while (n > 0 && (p = strstr(p, s)) != NULL) {
    if (p[-1] == ' ' && p[n] == ' ') return 1;
    p += n;
  }
  return 0;
}

/* What the script itself has put into _G must not hide `string.format`. */
static int names_isstd (const Names *x, const uint32_t *part) {
  const char *mod = x->text[part[0] - 1];
  if (strcmp(mod, "_G") == 0)
    return part[1] != 0 && names_isone(" assert collectgarbage dofile error "
      "getmetatable ipairs load loadfile next pairs pcall print rawequal "
      "rawget rawlen rawset require select setmetatable tonumber tostring "
      "type warn xpcall ", x->text[part[1] - 1]) ? 3 : 0;
  return names_isone(" coroutine debug io math os package string table utf8 ",
                     mod) ? 2 : 1;
}

int lc_names_isours (const Codec *c, const Known *k) {
  const char *mod = c->names.text[k->part[0] - 1];
  return strcmp(mod, "_G") == 0 || strcmp(mod, "lacus") == 0
      || strncmp(mod, "lacus.", 6) == 0
      || names_isone(" coroutine debug io math os package string table utf8 ",
                     mod);
}

/* Short ways first, then the standard libraries, then by the alphabet. */
static int names_better (const Names *x, const uint32_t *a,
                         const uint32_t *b) {
  int i, d;
  for (i = 1; i < 3; i++)
    if ((a[i] == 0) != (b[i] == 0)) return a[i] == 0;
  d = names_isstd(x, a) - names_isstd(x, b);
  if (d != 0) return d > 0;
  for (i = 0; i < 3 && a[i] != 0; i++) {
    d = strcmp(x->text[a[i] - 1], x->text[b[i] - 1]);
    if (d != 0) return d < 0;
  }
  return 0;
}

static void names_put (lua_State *L, Codec *c, const void *key, uint32_t p0,
                       uint32_t p1, uint32_t p2) {
  Known *k;
  uint32_t part[3];
  part[0] = p0; part[1] = p1; part[2] = p2;
  if (key == NULL) return;
  if (!names_room(c)) luaL_error(L, "not enough memory");
  k = names_slot(&c->names, key);
  if (k->key == NULL) names_fill(&c->names, k, key);
  else if (k->part[0] == NAMES_ISGLOBALS || (k->part[0] != 0
           && !names_better(&c->names, part, k->part)))
    return;
  memcpy(k->part, part, sizeof part);
}

/* ---- building it ---- */

/* The string at `idx` gets a number; the table of strings is at `names`. */
static uint32_t names_string (lua_State *L, Codec *c, int names, int idx) {
  Names *x = &c->names;
  if (x->ntext == x->captext) {
    uint32_t cap = x->captext == 0 ? 256 : x->captext * 2;
    const char **p = (const char **)lc_mem_resize(c->mem, (void *)x->text,
      x->captext * sizeof(char *), cap * sizeof(char *));
    if (p == NULL) luaL_error(L, "not enough memory");
    x->text = p;
    x->captext = cap;
  }
  lua_pushvalue(L, idx);
  lua_rawseti(L, names, (lua_Integer)x->ntext + 1);
  x->text[x->ntext++] = lua_tostring(L, idx);
  return x->ntext;
}

static int names_canname (lua_State *L, int idx) {
  int t = lua_type(L, idx);
  return t == LUA_TTABLE || t == LUA_TFUNCTION || t == LUA_TUSERDATA;
}

/*
** Methods: the functions in the table on top of the stack, and its __index;
** pops it.
*/
static void names_methods (lua_State *L, Codec *c, int names, uint32_t mod,
                           uint32_t field) {
  int t = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, t)) {
    if (lua_type(L, -2) == LUA_TSTRING
        && (lua_isfunction(L, -1) || (lua_istable(L, -1)
            && strcmp(lua_tostring(L, -2), "__index") == 0)))
      names_put(L, c, lua_topointer(L, -1), mod, field,
                names_string(L, c, names, t + 1));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* Pushes the raw __index of the table on top if it is a table. */
static int names_index (lua_State *L) {
  lua_pushliteral(L, "__index");
  lua_rawget(L, -2);
  if (lua_istable(L, -1)) return 1;
  lua_pop(L, 1);
  return 0;
}

/* What hangs on a field: the value is on top of the stack and stays. */
static void names_below (lua_State *L, Codec *c, int names, uint32_t mod,
                         uint32_t field) {
  if (lua_istable(L, -1)) {
    if (names_index(L)) {
      lua_pop(L, 1);
      lua_pushvalue(L, -1);
      names_methods(L, c, names, mod, field);
    }
  }
  else if (lua_type(L, -1) == LUA_TUSERDATA && lua_getmetatable(L, -1)) {
    if (names_index(L)) names_methods(L, c, names, mod, field);
    names_methods(L, c, names, mod, field);
  }
}

/* The module on top of the stack (stays), its name at `top - 1`. */
static void names_module (lua_State *L, Codec *c, int names, int globals) {
  int m = lua_gettop(L), isg = lua_rawequal(L, m, globals);
  uint32_t mod, field;
  if (!names_canname(L, m)) return;
  mod = names_string(L, c, names, m - 1);
  if (!isg) names_put(L, c, lua_topointer(L, m), mod, 0, 0);
  if (!lua_istable(L, m)) return;
  lua_pushnil(L);
  while (lua_next(L, m)) {
    if (lua_type(L, m + 1) == LUA_TSTRING && names_canname(L, m + 2)
        && (!isg || lua_iscfunction(L, m + 2))) {
      field = names_string(L, c, names, m + 1);
      names_put(L, c, lua_topointer(L, m + 2), mod, field, 0);
      if (!isg) names_below(L, c, names, mod, field);
    }
    lua_pop(L, 1);
  }
}

static void names_classes (lua_State *L, Codec *c) {
  int t;
  lc_state_push(L, STATE_BYOBJECT);
  t = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, t)) {
    const void *key = lua_topointer(L, -2);
    if (lua_istable(L, -2) && lc_names_guess(c, key) == NULL
        && !lc_names_addclass(c, key))
      luaL_error(L, "not enough memory");
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/*
** The addresses of the modules, in the table's own order. That changes
** with every module that is loaded, unloaded or replaced.
*/
static uint64_t names_stamp (lua_State *L) {
  uint64_t h = 1;
  int t;
  lc_state_push(L, STATE_LOADED);
  t = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, t)) {
    h = (h ^ (uint64_t)(uintptr_t)lua_topointer(L, -1)) * 0xFF51AFD7ED558CCDu;
    h ^= h >> 29;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return h;
}

int lc_names_current (lua_State *L, Codec *c) {
  Names *x = &c->names;
  if (x->building || (x->ready && x->checked == c->epoch)) return 1;
  if (!x->ready || x->n > 2 * x->built + 256) return 0;
  if (names_stamp(L) != x->stamp) return 0;
  x->checked = c->epoch;
  return 1;
}

void lc_names_build (lua_State *L, Codec *c) {
  Names *x = &c->names;
  int top = lua_gettop(L), t;
  lc_state_room(L, 20);
  x->building = 1;
  x->ready = 0;
  x->n = x->ntext = 0;
  memset((void *)x->filter, 0, sizeof x->filter);
  if (x->cap > 0) memset((void *)x->slot, 0, x->cap * sizeof(Known));
  lc_state_push(L, STATE_NAMES);
  lua_pushliteral(L, "__index");
  names_string(L, c, top + 1, top + 2);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  names_put(L, c, lua_topointer(L, top + 3), NAMES_ISGLOBALS, 0, 0);
  lc_state_push(L, STATE_LOADED);
  t = lua_gettop(L);
  lua_pushnil(L);
  while (lua_next(L, t)) {
    if (lua_type(L, -2) == LUA_TSTRING)
      names_module(L, c, top + 1, top + 3);
    lua_pop(L, 1);
  }
  names_classes(L, c);
  lua_settop(L, top);
  x->built = x->n;
  x->stamp = names_stamp(L);
  x->checked = c->epoch;
  x->ready = 1;
  x->building = 0;
}

/* ---- going the way of a name ---- */

/*
** Parent and key are on top; puts the child in their place, or nil. The
** string "__index" is taken from STATE_NAMES if `anchored`, so that nothing
** is allocated.
*/
static void names_child (lua_State *L, int anchored) {
  if (lua_type(L, -2) == LUA_TUSERDATA && lua_getmetatable(L, -2)) {
    lua_replace(L, -3);                        /* metatable, key */
    if (anchored) lc_names_text(L, NAMES_INDEX);
    else lua_pushliteral(L, "__index");
    lua_rawget(L, -3);                         /* metatable, key, index */
    if (lua_istable(L, -1)) {
      lua_pushvalue(L, -2);
      lua_rawget(L, -2);
      if (!lua_isnil(L, -1)) {
        lua_replace(L, -4);
        lua_pop(L, 2);
        return;
      }
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  if (lua_istable(L, -2)) lua_rawget(L, -2);
  else {
    lua_pop(L, 1);
    lua_pushnil(L);
  }
  lua_remove(L, -2);
}

void lc_names_text (lua_State *L, uint32_t number) {
  lc_state_push(L, STATE_NAMES);
  lua_rawgeti(L, -1, (lua_Integer)number);
  lua_remove(L, -2);
}

NamesKind lc_names_check (lua_State *L, const Known *k, int idx) {
  int i, same;
  uint32_t part[3];
  memcpy(part, k->part, sizeof part);
  if (part[0] == 0) return NAMES_CLASS;
  if (part[0] == NAMES_ISGLOBALS) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    same = lua_rawequal(L, -1, idx);
    lua_pop(L, 1);
    return same ? NAMES_GLOBALS : NAMES_NONE;
  }
  lc_state_push(L, STATE_LOADED);
  for (i = 0; i < 3 && part[i] != 0; i++) {
    lc_names_text(L, part[i]);
    names_child(L, 1);
  }
  same = lua_rawequal(L, -1, idx);
  lua_pop(L, 1);
  return same ? NAMES_NAMED : NAMES_NONE;
}

/* Pushes what `require` gives for the name at `idx`. */
static void names_require (lua_State *L, int idx) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  lua_pushliteral(L, "require");
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (!lua_isfunction(L, -1))
    luaL_error(L, "module '%s' is not found in this state: "
               "there is no 'require' in it", lua_tostring(L, idx));
  lua_pushvalue(L, idx);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
    const char *msg = lua_tostring(L, -1);
    if (lua_type(L, -1) != LUA_TSTRING || strstr(msg, "not found") == NULL)
      lua_error(L);               /* found, but does not load */
    luaL_error(L, "module '%s' is not found in this state: %s",
               lua_tostring(L, idx), msg);
  }
}

void lc_names_resolve (lua_State *L, int first, int n) {
  int i;
  lc_state_room(L, 10);
  lc_state_push(L, STATE_LOADED);
  lua_pushvalue(L, first);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    names_require(L, first);
  }
  for (i = 1; i < n; i++) {
    lua_pushvalue(L, first + i);
    names_child(L, 0);
    if (lua_isnil(L, -1)) {
      if (n == 3)
        luaL_error(L, "module '%s' has no '%s.%s' in this state",
          lua_tostring(L, first), lua_tostring(L, first + 1),
          lua_tostring(L, first + 2));
      luaL_error(L, "module '%s' has no '%s' in this state",
        lua_tostring(L, first), lua_tostring(L, first + 1));
    }
  }
}
