/*
** lib_coroutine.c: the coroutine functions of a worker's state. To a script
** they are the standard ones, but for two things: `coroutine.yield` at the
** level of a task is a result of it; and when code in a coroutine of the
** task's own waits (for a future, a map, a timer), the whole task is
** suspended, however many coroutines deep, and its worker does other work.
** And code that runs in them can be stopped: see run/interrupt.h.
**
** How. A wait suspends the innermost coroutine with Fibers.parking set; each
** resume on the way sees that, and suspends its own coroutine in turn, down
** to the fiber's; when the fiber goes on, each resumes the next one again.
** `Fibers.running` is the coroutine that got here in this manner alone: in
** any other (behind sort, gsub, a metamethod, a C module's own resume) a wait
** cannot be suspended, and lib_wait.c does what it can.
** With Fibers.ending set it is for good: each coroutine on the way is closed,
** the innermost first, since nobody will come back to it.
*/
#include <lauxlib.h>
#include <lualib.h>

#include "../pool/yield.h"
#include "lib.h"

static Fibers *co_fibers (lua_State *L) {
  return &lc_worker_of(L)->fibers;
}

static int l_co_yield (lua_State *L) {
  Fibers *fs = co_fibers(L);
  Fiber *f = fs->current;
  if (f != NULL && f->co == L && lua_isyieldable(L)) return lc_yield(L, f);
  return lua_yield(L, lua_gettop(L));
}

/* How what a coroutine gave is handed to its resumer. */
enum { CO_RESUME, CO_WRAP };

/* The coroutine of a call: an argument of resume, an upvalue of wrap. */
static lua_State *co_of (lua_State *L, lua_KContext mode) {
  return lua_tothread(L, mode == CO_WRAP ? lua_upvalueindex(1) : 1);
}

/* Failed: the error value is on top of L. (As lcorolib.c's auxwrap.) */
static int co_failed (lua_State *L, lua_State *co, lua_KContext mode,
                      int status) {
  if (mode == CO_RESUME) {
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
  }
  /* An error inside it: one that runs was only refused. */
  if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD) {
    lc_interrupt_close(lc_interrupt_here(), L, co);
    lua_pop(L, 1);
    lua_xmove(co, L, 1);
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int co_gave (lua_State *L, lua_State *co, lua_KContext mode, int n) {
  if (!lua_checkstack(L, n + 1)) {
    lua_pop(co, n);
    lua_pushliteral(L, "too many results to resume");
    return co_failed(L, co, mode, LUA_OK);
  }
  if (mode == CO_RESUME) lua_pushboolean(L, 1);
  lua_xmove(co, L, n);
  return n + (mode == CO_RESUME);
}

/* What runs in `co` was stopped there: its <close> variables, then on. What
** they leave is lost with the task. */
static int co_end (lua_State *L, Fibers *fs, lua_State *co) {
  lua_State *running = fs->running;
  fs->ending = 0;
  fs->running = NULL;
  lc_interrupt_closing(fs->interrupt);
  lc_interrupt_close(fs->interrupt, L, co);
  fs->running = running;
  fs->ending = 1;
  return lua_yield(L, 0);
}

static int co_again (lua_State *L, int status, lua_KContext mode);

/* `n` values for the coroutine are on its stack. */
static int co_go (lua_State *L, lua_State *co, int n, lua_KContext mode) {
  Fibers *fs = co_fibers(L);
  lua_State *outer = fs->running;
  lua_State *before = lc_interrupt_switch(fs->interrupt, co);
  int status, given = 0;
  fs->running = outer == L && lua_isyieldable(L) ? co : NULL;
  status = lua_resume(co, L, n, &given);
  fs->running = outer;
  lc_interrupt_switch(fs->interrupt, before);
  if (status == LUA_YIELD && fs->ending) return co_end(L, fs, co);
  if (status == LUA_YIELD && fs->parking) {
    lc_worker_own(co, 1);
    return lua_yieldk(L, 0, mode, co_again);
  }
  if (status == LUA_OK || status == LUA_YIELD)
    return co_gave(L, co, mode, given);
  if (mode == CO_RESUME) lua_xmove(co, L, 1);
  else {
    lua_pushvalue(co, -1);
    lua_xmove(co, L, 1);
  }
  return co_failed(L, co, mode, status);
}

static int co_again (lua_State *L, int status, lua_KContext mode) {
  lua_State *co = co_of(L, mode);
  (void)status;
  lc_worker_own(co, 0);
  return co_go(L, co, 0, mode);
}

static int co_start (lua_State *L, lua_State *co, int n, lua_KContext mode) {
  if (!lua_checkstack(co, n)) {
    lua_pushliteral(L, "too many arguments to resume");
    return co_failed(L, co, mode, LUA_OK);
  }
  if (lc_worker_owns(co)) {                 /* a task's, or it waits */
    lua_pushliteral(L, "cannot resume non-suspended coroutine");
    return co_failed(L, co, mode, LUA_OK);
  }
  lua_xmove(L, co, n);
  return co_go(L, co, n, mode);
}

static int l_co_resume (lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  if (co == NULL) return luaL_typeerror(L, 1, "coroutine");
  return co_start(L, co, lua_gettop(L) - 1, CO_RESUME);
}

static int l_co_wrapped (lua_State *L) {
  return co_start(L, co_of(L, CO_WRAP), lua_gettop(L), CO_WRAP);
}

static int l_co_wrap (lua_State *L) {
  lua_State *co;
  luaL_checktype(L, 1, LUA_TFUNCTION);
  co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, l_co_wrapped, 1);
  return 1;
}

/* What it is that cannot be closed; NULL if it can. */
static const char *co_stands (lua_State *L, lua_State *co) {
  lua_Debug ar;
  Fiber *f = co_fibers(L)->current;
  if (co != L && f != NULL && f->co == co) return "normal";   /* the task's own */
  if (lc_worker_owns(co) || co == L) return "running";
  return lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar) ? "normal" : NULL;
}

/* (As lcorolib.c's auxclose, but tracked.) */
static int l_co_close (lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  const char *stands;
  if (co == NULL) return luaL_typeerror(L, 1, "coroutine");
  stands = co_stands(L, co);
  if (stands != NULL)
    return luaL_error(L, "cannot close a %s coroutine", stands);
  if (lc_interrupt_close(lc_interrupt_here(), L, co) == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  return 2;
}

static const luaL_Reg co_functions[] = {
  {"yield", l_co_yield},
  {"resume", l_co_resume},
  {"wrap", l_co_wrap},
  {"close", l_co_close},
  {NULL, NULL}
};

void lc_lib_coroutine (lua_State *L) {
  if (lua_getglobal(L, LUA_COLIBNAME) == LUA_TTABLE) {
    luaL_setfuncs(L, co_functions, 0);
  }
  lua_pop(L, 1);
}
