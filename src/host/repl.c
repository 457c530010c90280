#define _POSIX_C_SOURCE 200809L

#include "repl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "../lib/lib.h"
#include "call.h"
#include "line.h"
#include "script.h"

#define HISTORY_NAME ".lacus_history"

/* Where no terminal says how wide it is. */
#define COLUMNS 80

/* ---- the Lua part ---- */

static const char show_key = 0, complete_key = 0, candidates_key = 0,
  history_key = 0;

/* Runs src/host/NAME.lua and keeps the function it gives under `key`. */
static void open_script (lua_State *L, const char *name, const char *key) {
  const LcSugar *s = lc_host_scripts;
  while (strcmp(s->name, name) != 0) s++;
  lua_pushfstring(L, "@lacus/%s.lua", name);
  if (luaL_loadbufferx(L, (const char *)s->data, s->len, lua_tostring(L, -1),
                       "b") != LUA_OK) lua_error(L);
  lua_call(L, 0, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
  lua_pop(L, 1);
}

/* (word): the candidates, as a list, go into the registry. */
static int run_complete (lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &complete_key);
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &candidates_key);
  return 0;
}

/* The list in the registry keeps the words alive until the next. */
static const char *next_candidate (void *ud, const char *word, int i) {
  lua_State *L = (lua_State *)ud;
  const char *text = NULL;
  if (!lua_checkstack(L, 4)) return NULL;
  if (i == 0) {
    lua_pushcfunction(L, run_complete);
    lua_pushstring(L, word);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
      lua_pop(L, 1);
      return NULL;
    }
  }
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &candidates_key) == LUA_TTABLE) {
    lua_rawgeti(L, -1, i + 1);
    text = lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return text;
}

/* ---- reading ---- */

/* (name, usual): the global of that name as a string, or the usual prompt. */
static int run_prompt (lua_State *L) {
  if (lua_getglobal(L, lua_tostring(L, 1)) == LUA_TNIL) lua_pop(L, 1);
  luaL_tolstring(L, -1, NULL);
  return 1;
}

/* Pushes the prompt; a global that cannot be had, or shown, counts for nothing. */
static const char *push_prompt (lua_State *L, const char *global,
                                const char *usual) {
  lua_pushcfunction(L, run_prompt);
  lua_pushstring(L, global);
  lua_pushstring(L, usual);
  if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
    lua_pop(L, 1);
    lua_pushstring(L, usual);
  }
  return lua_tostring(L, -1);
}

/* Pushes the next line. */
static LineEnd push_line (lua_State *L, const char *global,
                          const char *usual) {
  char *line;
  int top = lua_gettop(L);
  LineEnd end = lc_line_read(push_prompt(L, global, usual), &line);
  lua_settop(L, top);
  if (end == LINE_READ) {
    lua_pushstring(L, line);
    free(line);
  }
  return end;
}

static int load_text (lua_State *L, const char *text, size_t len) {
  return luaL_loadbuffer(L, text, len, "=stdin");
}

/* The text at 1 may be an expression: its function is pushed, or nothing. */
static int load_expression (lua_State *L) {
  const char *text = lua_pushfstring(L, "return %s", lua_tostring(L, 1));
  int status = load_text(L, text, strlen(text));
  if (status == LUA_OK) lua_remove(L, -2);
  else lua_settop(L, 1);
  return status;
}

/* Pops the message of a syntax error if it says that the text ends too early:
** more lines may mend that. */
static int is_incomplete (lua_State *L, int status) {
  static const char mark[] = "<eof>";
  size_t len, n = sizeof(mark) - 1;
  const char *message = lua_tolstring(L, -1, &len);
  if (status != LUA_ERRSYNTAX || message == NULL || len < n
      || strcmp(message + len - n, mark) != 0) return 0;
  lua_pop(L, 1);
  return 1;
}

/* The text at 1 is a statement; lines are added until it is whole. */
static LineEnd load_statement (lua_State *L, int *status) {
  for (;;) {
    LineEnd end;
    size_t len;
    const char *text = lua_tolstring(L, 1, &len);
    *status = load_text(L, text, len);
    if (!is_incomplete(L, *status)) return LINE_READ;
    end = push_line(L, "_PROMPT2", ">> ");
    if (end == LINE_INTERRUPTED) return end;
    if (end == LINE_OVER) {     /* the message, again */
      *status = load_text(L, text, len);
      return LINE_READ;
    }
    lua_pushliteral(L, "\n");
    lua_insert(L, -2);
    lua_concat(L, 3);
  }
}

/* Leaves a function, or a message, alone on the stack. */
static LineEnd load_next (lua_State *L, int *status) {
  LineEnd end;
  lua_settop(L, 0);
  end = push_line(L, "_PROMPT", "> ");
  if (end != LINE_READ) return end;
  if (lua_tostring(L, 1)[0] == '=') {       /* as in Lua 5.1 */
    lua_pushfstring(L, "return %s", lua_tostring(L, 1) + 1);
    lua_replace(L, 1);
  }
  *status = load_expression(L);
  if (*status != LUA_OK) end = load_statement(L, status);
  if (end == LINE_READ) lc_line_keep(lua_tostring(L, 1));
  lua_remove(L, 1);
  return end;
}

/* ---- printing ---- */

static int columns (void) {
#if defined(TIOCGWINSZ)
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
#endif
  return COLUMNS;
}

/* The `print` of the base library, as no script can have changed it. */
static lua_CFunction find_print (void) {
  lua_State *other = luaL_newstate();
  lua_CFunction print = NULL;
  if (other == NULL) return NULL;
  lua_pushcfunction(other, luaopen_base);
  if (lua_pcall(other, 0, 1, 0) == LUA_OK) {
    lua_pushliteral(other, "print");
    lua_rawget(other, -2);
    print = lua_tocfunction(other, -1);
  }
  lua_close(other);
  return print;
}

static void show_table (lua_State *L, int idx) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &show_key);
  lua_pushvalue(L, idx);
  lua_pushinteger(L, columns());
  lua_call(L, 2, 1);
  lua_replace(L, idx);
}

/* (values...), upvalue 1 the library's `print`: prints them by the global one.
** The library's is given text for tables, one of the user's own the tables. */
static int run_print (lua_State *L) {
  int i, n = lua_gettop(L);
  void *library = lua_touserdata(L, lua_upvalueindex(1));
  lua_getglobal(L, "print");
  if (library != NULL && lua_tocfunction(L, -1) == *(lua_CFunction *)library)
    for (i = 1; i <= n; i++)
      if (lua_istable(L, i)) show_table(L, i);
  lua_insert(L, 1);
  lua_call(L, n, 0);
  return 0;
}

/* Prints all that is on the stack. */
static void print_results (lua_State *L, lua_CFunction *library) {
  int n = lua_gettop(L);
  if (n == 0) return;
  luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
  lua_pushlightuserdata(L, library);
  lua_pushcclosure(L, run_print, 1);
  lua_insert(L, 1);
  if (lua_pcall(L, n, 0, 0) != LUA_OK)
    lc_host_message(lua_pushfstring(L, "error calling 'print' (%s)",
                                    lua_tostring(L, -1)));
}

/* ---- the loop ---- */

static int run_cancel (lua_State *L) {
  lc_lib_cancel(L);
  return 0;
}

/* Ctrl-C stops what runs in workers for this state, too. */
static void cancel_tasks (lua_State *L) {
  lua_pushcfunction(L, run_cancel);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) lua_pop(L, 1);
}

/* The name of the history file, kept in the registry; NULL: there is none. */
static const char *find_history (lua_State *L, int environment) {
  const char *name = environment ? getenv("LACUS_HISTORY") : NULL;
  const char *home = getenv("HOME");
  if (name != NULL) return name[0] != '\0' ? name : NULL;
  if (home == NULL) return NULL;
  name = lua_pushfstring(L, "%s/" HISTORY_NAME, home);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &history_key);
  return name;
}

void lc_host_repl (lua_State *L, int environment) {
  const char *name = lc_host_program();
  lua_CFunction library = find_print();
  LineEnd end;
  int status = LUA_OK;
  open_script(L, "show", &show_key);
  open_script(L, "complete", &complete_key);
  lc_line_open(next_candidate, L,
               isatty(STDIN_FILENO) ? find_history(L, environment) : NULL);
  lc_host_name(NULL);
  while ((end = load_next(L, &status)) != LINE_OVER) {
    if (end == LINE_INTERRUPTED) continue;
    if (status == LUA_OK) status = lc_host_call(L, 0, LUA_MULTRET);
    if (lc_host_interrupted()) cancel_tasks(L);
    if (status == LUA_OK) print_results(L, &library);
    else lc_host_report(L, status);
  }
  lua_settop(L, 0);
  fputc('\n', stdout);           /* the next prompt is not ours */
  fflush(stdout);
  lc_host_name(name);
}
