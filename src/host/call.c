#define _POSIX_C_SOURCE 200809L

#include "call.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "../run/interrupt.h"

static const char *program = "lacus";
static lua_State *running;      /* what a SIGINT stops; set before its handler */
static volatile sig_atomic_t interrupted;

void lc_host_name (const char *name) {
  program = name;
}

const char *lc_host_program (void) {
  return program;
}

void lc_host_message (const char *message) {
  fflush(stdout);
  if (program != NULL) fprintf(stderr, "%s: ", program);
  fprintf(stderr, "%s\n", message);
  fflush(stderr);
}

/* ---- Ctrl-C ---- */

static void on_signal (int number, void (*handler) (int)) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, NULL);
}

static void stop (lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "interrupted!");
}

static void stop_soon (lua_State *L) {
  lua_sethook(L, stop,
    LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/*
** A handler may do no more than set a hook: Lua is in an unknown state. The
** default action is back at once, so that a Lua that never comes to its hook
** still dies of a second Ctrl-C. Of the script's other coroutines, one that waits
** looks at this hook too (lc_wait_poke). A task of a pool without threads runs in
** a state of its own.
*/
static void interrupt (int number) {
  lua_State *task = lc_interrupt_running();
  on_signal(number, SIG_DFL);
  interrupted = 1;
  stop_soon(running);
  if (task != NULL) stop_soon(task);
}

/* ---- calls ---- */

/* Makes an error value into a message with a traceback; strings keep theirs. */
static int add_traceback (lua_State *L) {
  const char *message = lua_tostring(L, 1);
  if (message == NULL) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
      return 1;
    message = lua_pushfstring(L, "(error object is a %s value)",
                              luaL_typename(L, 1));
  }
  luaL_traceback(L, L, message, 1);
  return 1;
}

int lc_host_call (lua_State *L, int n, int results) {
  int base = lua_gettop(L) - n;
  int status;
  lua_pushcfunction(L, add_traceback);
  lua_insert(L, base);
  running = L;
  interrupted = 0;
  on_signal(SIGINT, interrupt);
  status = lua_pcall(L, n, results, base);
  on_signal(SIGINT, SIG_DFL);
  lua_remove(L, base);
  return status;
}

int lc_host_interrupted (void) {
  return interrupted;
}

int lc_host_report (lua_State *L, int status) {
  if (status != LUA_OK) {
    const char *message = lua_tostring(L, -1);
    lc_host_message(message ? message : "(error message not a string)");
    lua_pop(L, 1);
  }
  return status;
}

static int run_chunk (lua_State *L, int status) {
  if (status == LUA_OK)
    status = lc_host_call(L, 0, 0);
  return lc_host_report(L, status);
}

int lc_host_run_file (lua_State *L, const char *name) {
  return run_chunk(L, luaL_loadfile(L, name));
}

int lc_host_run_string (lua_State *L, const char *code, const char *chunk) {
  return run_chunk(L, luaL_loadbuffer(L, code, strlen(code), chunk));
}
