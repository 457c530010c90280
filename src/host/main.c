/*
** main.c: the `lacus` command: stock Lua's command line, with `lacus` built in.
**
** It stands on options.h (what was asked for), call.h (running it), repl.h
** (the prompt) and lib.h (what is built in), and knows the order in which things happen: version,
** libraries, `arg`, LUA_INIT, the options from left to right, the script.
** Statuses and messages are those of the `lua` 5.4 command; spec/host_spec.lua
** compares the two.
*/

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>

#include "../lib/lib.h"
#include "../run/state.h"
#include "call.h"
#include "options.h"
#include "repl.h"

#define INIT_NAME       "LUA_INIT"
#define INIT_VERSIONED  "LUA_INIT_" LUA_VERSION_MAJOR "_" LUA_VERSION_MINOR

static void print_version (void) {
  printf("lacus %s\n%s\n", LACUS_VERSION, LUA_COPYRIGHT);
  fflush(stdout);
}

/* `require "lacus"` finds the copy in this binary before any file. A script that
** calls os.exit has not ended well: main calms lacus down when one has. */
static void open_libraries (lua_State *L) {
  luaL_openlibs(L);
  lc_lib_preload(L);
  lc_lib_hurry(L);
}

/* The library functions look for this field and then ask no environment. */
static void ignore_environment (lua_State *L) {
  lua_pushboolean(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
}

/* arg[0] is the script; what stood before it lies at negative indices. */
static void make_arg (lua_State *L, char **argv, int argc, int script) {
  int i;
  if (script == argc) script = 0;
  lua_createtable(L, argc - (script + 1), script + 1);
  for (i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

static int run_init (lua_State *L) {
  const char *chunk = "=" INIT_VERSIONED;
  const char *init = getenv(INIT_VERSIONED);
  if (init == NULL) {
    chunk = "=" INIT_NAME;
    init = getenv(INIT_NAME);
  }
  if (init == NULL) return LUA_OK;
  if (init[0] == '@') return lc_host_run_file(L, init + 1);
  return lc_host_run_string(L, init, chunk);
}

/* -l mod, -l g=mod */
static int run_library (lua_State *L, const char *argument) {
  const char *equals = strchr(argument, '=');
  const char *module = equals ? equals + 1 : argument;
  int status;
  if (equals) lua_pushlstring(L, argument, (size_t)(equals - argument));
  else lua_pushstring(L, argument);
  lua_getglobal(L, "require");
  lua_pushstring(L, module);
  status = lc_host_call(L, 1, 1);
  if (status == LUA_OK) {
    lua_pushglobaltable(L);
    lua_insert(L, -3);          /* globals, name, module */
    lua_settable(L, -3);
  }
  status = lc_host_report(L, status);
  lua_pop(L, 1);
  return status;
}

static int run_option (lua_State *L, char **argv, int *i) {
  switch (argv[*i][1]) {
    case 'e':
      return lc_host_run_string(L, lc_option_argument(argv, i),
                                "=(command line)");
    case 'l':
      return run_library(L, lc_option_argument(argv, i));
    case 'j':
      lc_option_argument(argv, i);
      return LUA_OK;
    case 'W':
      lua_warning(L, "@on", 0);
      return LUA_OK;
    default:
      return LUA_OK;
  }
}

static int run_options (lua_State *L, char **argv, int script) {
  int i;
  for (i = 1; i < script; i++)
    if (run_option(L, argv, &i) != LUA_OK) return 0;
  return 1;
}

/* A script gets what `arg` holds by now: an -e may have changed it. */
static int push_arguments (lua_State *L) {
  int i, n;
  if (lua_getglobal(L, "arg") != LUA_TTABLE)
    luaL_error(L, "'arg' is not a table");
  n = (int)luaL_len(L, -1);
  luaL_checkstack(L, n + 3, "too many arguments to script");
  for (i = 1; i <= n; i++)
    lua_rawgeti(L, -i, i);
  lua_remove(L, -i);
  return n;
}

/* After "--", a script called "-" is a file; else it is the standard input. */
static int run_script (lua_State *L, char **argv) {
  const char *name = argv[0];
  int status;
  if (strcmp(name, "-") == 0 && strcmp(argv[-1], "--") != 0) name = NULL;
  status = luaL_loadfile(L, name);
  if (status == LUA_OK) {
    int n = push_arguments(L);
    status = lc_host_call(L, n, LUA_MULTRET);
  }
  return lc_host_report(L, status);
}

/* With nothing to do, somebody may want to type; else stdin is the script. */
static void run_stdin (lua_State *L, const Options *o) {
  if (isatty(STDIN_FILENO)) {
    print_version();
    lc_host_repl(L, !(o->flags & OPT_NO_ENV));
  }
  else lc_host_run_file(L, NULL);
}

/* -j N, else LACUS_WORKERS, else nothing. 0 if that is no number of workers. */
static int set_workers (lua_State *L, const Options *o) {
  const char *asked = getenv("LACUS_WORKERS");
  int n = o->workers;
  if (n < 0 && asked != NULL && !(o->flags & OPT_NO_ENV)) {
    n = lc_options_workers(asked);
    if (n < 0) {
      lc_host_message(lua_pushfstring(L, "LACUS_WORKERS must be a number of "
        "workers from 0 to %d, got '%s'", LC_WORKERS_MOST, asked));
      return 0;
    }
  }
  if (n >= 0) lc_lib_set_workers(L, n);
  return 1;
}

/* Gives true if all went well; what did not has been reported by then. */
static int run (lua_State *L) {
  int argc = (int)lua_tointeger(L, 1);
  char **argv = (char **)lua_touserdata(L, 2);
  Options o = lc_options_read(argv);
  luaL_checkversion(L);
  if (o.flags & OPT_ERROR) {
    lc_options_usage(lc_host_program(), argv, o.first);
    return 0;
  }
  if (o.flags & OPT_HELP) {
    lc_options_help(lc_host_program());
    lua_pushboolean(L, 1);
    return 1;
  }
  if (o.flags & OPT_VERSION) print_version();
  if (o.flags & OPT_NO_ENV) ignore_environment(L);
  if (!set_workers(L, &o)) return 0;
  open_libraries(L);
  make_arg(L, argv, argc, o.first);
  lua_gc(L, LUA_GCGEN, 0, 0);   /* as `lua` does */
  if (!(o.flags & OPT_NO_ENV) && run_init(L) != LUA_OK) return 0;
  if (!run_options(L, argv, o.first)) return 0;
  if (o.first < argc) {
    if (run_script(L, argv + o.first) != LUA_OK) return 0;
  }
  if (o.flags & OPT_INTERACTIVE) lc_host_repl(L, !(o.flags & OPT_NO_ENV));
  else if (o.first == argc && !(o.flags & (OPT_EXECUTE | OPT_VERSION)))
    run_stdin(L, &o);
  lua_pushboolean(L, 1);
  return 1;
}

/* The state closes, and lacus waits for tasks: after a while, says so. (Ctrl-C
** has its default action by now.) */
#define SILENT_SECONDS 5

static int linger (void *ud, double seconds, const char *pool, size_t tasks) {
  int *told = (int *)ud;
  char text[128];
  if (seconds < SILENT_SECONDS || *told) return 1;
  *told = 1;
  snprintf(text, sizeof(text), "waiting for %lu task%s of pool '%s' to end "
           "(Ctrl-C stops them)", (unsigned long)tasks, tasks == 1 ? "" : "s",
           pool);
  lc_host_message(text);
  return 1;
}

static int run_linger (lua_State *L) {
  lc_lib_linger(L, linger, lua_touserdata(L, 1));
  return 0;
}

int main (int argc, char **argv) {
  static Mem mem;               /* static: a C module's state on another thread may */
  static Heap heap;             /* outlive this function: see heap.h */
  lua_State *L;
  int status, good, told = 0;
  lc_mem_init(&mem, NULL, NULL);
  lc_heap_init(&heap, &mem);
  L = lc_state_bare(&heap);
  if (argc > 0 && argv[0][0] != '\0') lc_host_name(argv[0]);
  if (L == NULL) {
    lc_host_message("cannot create state: not enough memory");
    return EXIT_FAILURE;
  }
  lua_pushcfunction(L, run);    /* so that making `arg` may fail too */
  lua_pushinteger(L, argc);
  lua_pushlightuserdata(L, argv);
  status = lua_pcall(L, 2, 1, 0);
  good = lua_toboolean(L, -1);
  lc_host_report(L, status);
  if (good && status == LUA_OK) {
    lua_pushcfunction(L, run_linger);
    lua_pushlightuserdata(L, &told);
    lua_pcall(L, 1, 0, 0);
  }
  lua_close(L);
  lc_heap_clear(&heap);
  return good && status == LUA_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
