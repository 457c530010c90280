#include "body.h"

#include <string.h>

#include <lauxlib.h>

#include "../run/interrupt.h"

#include "generator.h"

/* User values behind GEN_UV_CO and GEN_UV_TRACE. */
#define BODY_UV_FN      3   /* the function, for kinds that call it again */
#define BODY_UV_STATE   4   /* what a generic `for` passes to it ... */
#define BODY_UV_CONTROL 5   /* ... and the last item's first value */
#define BODY_UV_CLOSING 6   /* closed with the generator */

/*
** How deep generators may close one another: as deep as Lua lets C calls
** nest. Lua's own guard does not count across coroutines before 5.4.6, and a
** long chain of suspended generators would overflow the C stack.
*/
#define BODY_MAXDEPTH 200

static const char body_depth_key = 0;   /* its address is the registry key */

static int *body_depth (lua_State *L) {
  int *depth;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &body_depth_key);
  depth = (int *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  return depth;
}

/* ---- the coroutine ------------------------------------------------------ */

/*
** Nothing that may raise an error is done with `co` as the state outside of
** lua_resume: nobody would catch it there.
*/

static int body_stands (lua_State *co) {
  lua_Debug ar;
  return lua_getstack(co, 0, &ar);
}

/* The one place where lacus resumes Lua code that gives items. */
static int body_resume (lua_State *L, Generator *g, int nargs, int *n) {
  Interrupt *it = lc_interrupt_here();
  lua_State *before = lc_interrupt_switch(it, g->co);
  int status;
  g->state = GEN_RUNNING;
  status = lua_resume(g->co, L, nargs, n);
  g->state = GEN_SUSPENDED;
  lc_interrupt_switch(it, before);
  return status;
}

/* Runs the pending <close> variables of a coroutine that stands at a yield
** or an error. Other than LUA_OK: the error value is on top of `co`. */
static int body_shut (lua_State *L, lua_State *co) {
  int *depth = body_depth(L);
  int status;
  ++*depth;
  status = lc_interrupt_close(lc_interrupt_here(), L, co);
  --*depth;
  return status;
}

/* Lets go of everything but the traceback. */
static void body_release (lua_State *L, int idx, Generator *g) {
  int i;
  g->state = GEN_DEAD;
  g->co = NULL;
  lua_pushnil(L);
  lua_setiuservalue(L, idx, GEN_UV_CO);
  for (i = BODY_UV_FN; i <= BODY_UV_CLOSING; i++) {
    lua_pushnil(L);
    if (!lua_setiuservalue(L, idx, i)) break;   /* has no more */
  }
}

/*
** Pushes the __close handler and the closing value of an iterator, if it has
** one, and forgets it: 1, else 0 and nothing pushed.
*/
static int body_closing (lua_State *L, int idx) {
  if (lua_getiuservalue(L, idx, BODY_UV_CLOSING) <= LUA_TNIL
      || luaL_getmetafield(L, -1, "__close") == LUA_TNIL) {
    lua_pop(L, 1);
    return 0;
  }
  lua_insert(L, -2);
  lua_pushnil(L);
  lua_setiuservalue(L, idx, BODY_UV_CLOSING);
  return 1;
}

/* ---- endings ------------------------------------------------------------ */

/*
** An error, its value on top of `L`, while `co` still stands where it was
** raised: keeps the traceback, closes what is pending, and leaves the value
** that is to be raised. A string gets the traceback appended, so that it
** still begins as the body wrote it; other values pass as they are. An error
** in closing takes the place of the first, as everywhere in Lua.
*/
static int body_fail (lua_State *L, int idx, Generator *g, int status) {
  lua_State *co = g->co;
  int err = lua_gettop(L);
  g->state = GEN_DEAD;   /* should memory run out here, __gc does the rest */
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  if (status != LUA_ERRMEM && body_stands(co)) {
    luaL_traceback(L, co, NULL, 0);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, idx, GEN_UV_TRACE);
  }
  else
    lua_pushnil(L);
  if (*body_depth(L) < BODY_MAXDEPTH) {
    g->co = NULL;
    if (body_shut(L, co) != LUA_OK) {
      lua_xmove(co, L, 1);
      lua_replace(L, err);
    }
    if (body_closing(L, idx)) {
      lua_pushvalue(L, err);
      if (lua_pcall(L, 2, 0, 0) != LUA_OK) lua_replace(L, err);
    }
    body_release(L, idx, g);
  }
  if (lua_type(L, err) == LUA_TSTRING && lua_isstring(L, -1)) {
    const char *trace = lua_tostring(L, -1);
    lua_pushvalue(L, err);
    lua_pushliteral(L, "\ngenerator");
    lua_pushstring(L, trace + strlen("stack"));
    lua_concat(L, 3);
    lua_replace(L, err);
  }
  lua_settop(L, err);
  return LC_GEN_FAILED;
}

/* lua_resume gave an error. The value stays on `co` too: closing a coroutine
** in Lua 5.4 takes it from there. */
static int body_failed (lua_State *L, int idx, Generator *g, int status) {
  lua_xmove(g->co, L, 1);
  lua_pushvalue(L, -1);
  lua_xmove(L, g->co, 1);
  return body_fail(L, idx, g, status);
}

/* A function that gave items by returning them has yielded `n` values. */
static int body_misused (lua_State *L, int idx, Generator *g, int n) {
  lua_Debug ar;
  lua_pop(g->co, n);
  if (lua_getstack(g->co, 1, &ar) && lua_getinfo(g->co, "Sl", &ar)
      && ar.currentline > 0)
    lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
  else
    lua_pushliteral(L, "");
  lua_pushliteral(L, "an iterator function must return its items, not yield "
                     "them (a body that yields is for lacus.generator)");
  lua_concat(L, 2);
  return body_fail(L, idx, g, LUA_YIELD);
}

/* The `n` values on top of the coroutine are the item. */
static int body_item (lua_State *L, int idx, Generator *g, int n) {
  if (n < GEN_ROOM || lua_checkstack(L, n + 1)) {
    lua_xmove(g->co, L, n);
    return n;
  }
  lua_pop(g->co, n);
  lua_pushfstring(L, "too many values in one item (%d)", n);
  return body_fail(L, idx, g, LUA_YIELD);
}

/* The end, without an error so far: a closing value may bring one. */
static int body_end (lua_State *L, int idx, Generator *g) {
  int closing = body_closing(L, idx);
  body_release(L, idx, g);
  if (!closing) return LC_GEN_END;
  lua_pushnil(L);
  return lua_pcall(L, 2, 0, 0) == LUA_OK ? LC_GEN_END : LC_GEN_FAILED;
}

/* What cannot be done now; the generator stays as it is. */
static int body_refuse (lua_State *L, const char *msg) {
  luaL_where(L, 1);
  lua_pushstring(L, msg);
  lua_concat(L, 2);
  return LC_GEN_FAILED;
}

/* Ends it wherever it stands: LC_GEN_END, or LC_GEN_FAILED and the error. */
static int body_finish (lua_State *L, int idx, Generator *g) {
  lua_State *co = g->co;
  if (co == NULL) return LC_GEN_END;
  if (lua_status(co) != LUA_OK) {   /* else nothing is pending in there */
    if (*body_depth(L) >= BODY_MAXDEPTH)
      return body_refuse(L, "C stack overflow (generators that close "
                            "generators)");
    g->state = GEN_DEAD;
    g->co = NULL;   /* the user value still holds it */
    if (body_shut(L, co) != LUA_OK) {
      int n;
      lua_xmove(co, L, 1);
      n = body_end(L, idx, g);
      if (n == LC_GEN_FAILED) lua_remove(L, -2);   /* the later error wins */
      return LC_GEN_FAILED;
    }
  }
  else if (body_stands(co))   /* somebody else has resumed it */
    return body_refuse(L, "cannot close a running generator");
  return body_end(L, idx, g);
}

static void body_close (lua_State *L, int idx, Generator *g) {
  if (body_finish(L, idx, g) == LC_GEN_FAILED) lua_error(L);
}

/* ---- kinds: bodies ------------------------------------------------------ */

/*
** The body may have got hold of its coroutine (coroutine.running) and given
** it to somebody, who has resumed or closed it: it is not where we left it.
*/
static int body_astray (lua_State *L, int idx, Generator *g, int nsend) {
  lua_pop(L, nsend);
  if (lua_status(g->co) == LUA_OK && body_stands(g->co))
    return body_refuse(L, "generator is already running");
  return body_finish(L, idx, g);
}

static int body_step (lua_State *L, int idx, Generator *g, int nsend) {
  lua_State *co = g->co;
  int status, n;
  if (g->state == GEN_FRESH) {   /* function and arguments are on `co` */
    lua_pop(L, nsend);
    nsend = lua_gettop(co) - 1;
    if (lua_status(co) != LUA_OK || nsend < 0 || body_stands(co))
      return body_astray(L, idx, g, 0);
  }
  else if (lua_status(co) != LUA_YIELD)
    return body_astray(L, idx, g, nsend);
  else if (nsend > 0) {
    if (!lua_checkstack(co, nsend))
      return luaL_error(L, "too many values to send (%d)", nsend);
    lua_xmove(L, co, nsend);
  }
  status = body_resume(L, g, nsend, &n);
  if (status == LUA_YIELD) return body_item(L, idx, g, n);
  if (status != LUA_OK) return body_failed(L, idx, g, status);
  body_release(L, idx, g);
  return LC_GEN_END;
}

static const GeneratorKind body_kind = {body_step, body_close, NULL, NULL,
  NULL, NULL};

/* Gives the generator on top of the stack its coroutine. */
static lua_State *body_coroutine (lua_State *L, Generator *g) {
  lua_State *co = lua_newthread(L);
  lua_setiuservalue(L, -2, GEN_UV_CO);
  g->co = co;
  return co;
}

/* ---- kinds: functions that are called again for each item ---------------- */

/*
** They run in a coroutine too, one that is empty between two items: a yield
** in there cannot escape to whoever asks for the item, and an error leaves
** its traceback.
*/
static int body_callitem (lua_State *L, int idx, Generator *g, int nargs) {
  lua_State *co = g->co;
  int i, n, status;
  for (i = 0; i <= nargs; i++) lua_getiuservalue(L, idx, BODY_UV_FN + i);
  lua_xmove(L, co, nargs + 1);
  status = body_resume(L, g, nargs, &n);
  if (status == LUA_YIELD) return body_misused(L, idx, g, n);
  if (status != LUA_OK) return body_failed(L, idx, g, status);
  if (n > 0 && !lua_isnil(co, -n)) return body_item(L, idx, g, n);
  lua_pop(co, n);
  return body_end(L, idx, g);
}

static int iter_step (lua_State *L, int idx, Generator *g, int nsend) {
  int n;
  lua_pop(L, nsend);
  n = body_callitem(L, idx, g, 2);
  if (n > 0) {
    lua_pushvalue(L, -n);
    lua_setiuservalue(L, idx, BODY_UV_CONTROL);
  }
  return n;
}

static int call_step (lua_State *L, int idx, Generator *g, int nsend) {
  lua_pop(L, nsend);
  return body_callitem(L, idx, g, 0);
}

static const GeneratorKind iter_kind = {iter_step, body_close, NULL,
  "a generator that lacus.iter made", NULL, NULL};
static const GeneratorKind call_kind = {call_step, body_close, NULL,
  "an iterator function", NULL, NULL};

/* The first step settles it. */
static int function_step (lua_State *L, int idx, Generator *g, int nsend) {
  lua_State *co = g->co;
  int n, status;
  lua_pop(L, nsend);
  lua_getiuservalue(L, idx, BODY_UV_FN);
  lua_xmove(L, co, 1);
  status = body_resume(L, g, 0, &n);
  if (status == LUA_YIELD) {
    g->kind = &body_kind;
    return body_item(L, idx, g, n);
  }
  if (status != LUA_OK) return body_failed(L, idx, g, status);
  g->kind = &call_kind;
  if (n > 0 && !lua_isnil(co, -n)) return body_item(L, idx, g, n);
  lua_pop(co, n);
  return body_end(L, idx, g);
}

static const GeneratorKind function_kind = {function_step, body_close, NULL,
  NULL, NULL, NULL};

void lc_body_function (lua_State *L, int idx) {
  Generator *g;
  idx = lua_absindex(L, idx);
  luaL_checkstack(L, 3, NULL);
  g = lc_generator_new(L, &function_kind, sizeof(Generator), BODY_UV_FN);
  lua_pushvalue(L, idx);
  lua_setiuservalue(L, -2, BODY_UV_FN);
  body_coroutine(L, g);
}

/* ---- what Lua sees ------------------------------------------------------ */

/*
** A generator function is a Lua function, so that it can be sent to a worker as
** any other: its upvalues are l_body_start, which goes by its name in the module,
** and the body. By the first one it is known.
*/
static const char body_maker[] =
  "local start = ... "
  "return function(body) return function(...) return start(body, ...) end end";

/* The body and its arguments. */
static int l_body_start (lua_State *L) {
  int nargs = lua_gettop(L) - 1;
  Generator *g;
  lua_State *co;
  if (!lc_body_callable(L, 1)) return luaL_typeerror(L, 1, "function");
  luaL_checkstack(L, 4, NULL);
  g = lc_generator_new(L, &body_kind, sizeof(Generator), GEN_UV_TRACE);
  co = body_coroutine(L, g);
  if (!lua_checkstack(co, nargs + 1))
    return luaL_error(L, "too many arguments (%d)", nargs);
  lua_insert(L, 1);
  lua_xmove(L, co, nargs + 1);
  return lc_generator_for(L);
}

int lc_body_maker (lua_State *L, int idx) {
  int is;
  if (!lua_isfunction(L, idx) || lua_iscfunction(L, idx)
      || lua_getupvalue(L, idx, 1) == NULL) return 0;
  is = lua_tocfunction(L, -1) == l_body_start;
  lua_pop(L, 1);
  return is;
}

int lc_body_callable (lua_State *L, int idx) {
  if (lua_isfunction(L, idx)) return 1;
  if (luaL_getmetafield(L, idx, "__call") == LUA_TNIL) return 0;
  lua_pop(L, 1);
  return 1;
}

/* Upvalue 1 makes them. */
static int l_generator (lua_State *L) {
  if (!lc_body_callable(L, 1)) return luaL_typeerror(L, 1, "function");
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

static void iter_check (lua_State *L) {
  if (!lc_body_callable(L, 1)) {
    if (lua_istable(L, 1))
      luaL_argerror(L, 1, "iterator function expected, got table "
                          "(use pairs or ipairs)");
    luaL_typeerror(L, 1, "iterator function");
  }
  if (lc_body_maker(L, 1))
    luaL_argerror(L, 1, "iterator function expected, got generator function "
                        "(call it first)");
  if (lua_toboolean(L, 4)) {
    if (luaL_getmetafield(L, 4, "__close") == LUA_TNIL)
      luaL_argerror(L, 4, "closing value has no __close metamethod");
    lua_pop(L, 1);
  }
}

static int l_iter (lua_State *L) {
  Generator *g;
  int i;
  iter_check(L);
  lua_settop(L, 4);
  if (lc_generator_test(L, 1) != NULL && lua_isnil(L, 2) && lua_isnil(L, 3)
      && (!lua_toboolean(L, 4) || lua_rawequal(L, 1, 4))) {
    lua_settop(L, 1);   /* it is one already, nil items and all */
    return lc_generator_for(L);
  }
  g = lc_generator_new(L, &iter_kind, sizeof(Generator), BODY_UV_CLOSING);
  for (i = 1; i <= 4; i++) {
    if (i == 4 && !lua_toboolean(L, 4)) break;
    lua_pushvalue(L, i);
    lua_setiuservalue(L, 5, BODY_UV_FN + i - 1);
  }
  body_coroutine(L, g);
  return lc_generator_for(L);
}

static const luaL_Reg body_functions[] = {
  {"iter", l_iter},
  {"_start", l_body_start},
  {NULL, NULL}
};

void lc_body_open (lua_State *L) {
  int *depth = (int *)lua_newuserdatauv(L, sizeof(int), 0);
  *depth = 0;
  lua_rawsetp(L, LUA_REGISTRYINDEX, &body_depth_key);
  luaL_setfuncs(L, body_functions, 0);
  if (luaL_loadbufferx(L, body_maker, sizeof body_maker - 1, "=lacus", "t")
      != LUA_OK) lua_error(L);
  lua_pushcfunction(L, l_body_start);
  lua_call(L, 1, 1);
  lua_pushcclosure(L, l_generator, 1);
  lua_setfield(L, -2, "generator");
}
