/*
** api_log.c: what scripts print in workers, as whole lines to the host's hook.
** print and io.write share one line that is being written, as they do on a
** terminal; warnings have their own.
*/
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "api.h"

typedef struct LogLine {
  char *text;
  size_t len, cap;              /* len < cap, for the zero */
} LogLine;

/* A worker's. Owner thread only. Made before any script runs in the state, so
** it is collected after all that scripts have made. */
typedef struct Log {
  lacus_pool *p;
  Worker *w;
  LogLine out, warning;
  int warns;                    /* on */
  int within;                   /* a warning of several pieces */
  int closed;
} Log;

/* --- lines --------------------------------------------------------------- */

static int log_append (Log *g, LogLine *line, const char *s, size_t n) {
  if (line->len + n + 1 > line->cap) {
    size_t cap = (line->len + n + 1) * 2;
    char *text = (char *)lc_mem_resize(g->p->mem, line->text, line->cap, cap);
    if (text == NULL) return 0;
    line->text = text;
    line->cap = cap;
  }
  memcpy(line->text + line->len, s, n);
  line->len += n;
  return 1;
}

static void log_drop (Log *g, LogLine *line) {
  lc_mem_free(g->p->mem, line->text, line->cap);
  memset(line, 0, sizeof *line);
}

/* The line is whole. A long one leaves no memory behind. */
static void log_emit (Log *g, LogLine *line, int kind) {
  const char *text = "";
  if (line->text != NULL) {
    line->text[line->len] = '\0';
    text = line->text;
  }
  if (!lc_crew_is_lost(lc_crew_worker(g->w)))     /* its host may be gone */
    g->p->o.on_log(g->p->o.ud, kind, g->w->name, text, line->len);
  line->len = 0;
  if (line->cap > 1024) log_drop(g, line);
}

/* 0 without memory. */
static int log_add (Log *g, LogLine *line, int kind, const char *s, size_t n) {
  const char *end;
  if (g->closed) return 1;
  while ((end = (const char *)memchr(s, '\n', n)) != NULL) {
    if (!log_append(g, line, s, (size_t)(end - s))) return 0;
    log_emit(g, line, kind);
    n -= (size_t)(end + 1 - s);
    s = end + 1;
  }
  return n == 0 || log_append(g, line, s, n);
}

static void log_out (lua_State *L, Log *g, int kind, const char *s, size_t n) {
  if (!log_add(g, &g->out, kind, s, n)) luaL_error(L, "not enough memory");
}

/* --- what scripts call ------------------------------------------------------ */

static Log *log_here (lua_State *L) {
  return (Log *)lua_touserdata(L, lua_upvalueindex(1));
}

static int l_log_print (lua_State *L) {
  Log *g = log_here(L);
  int n = lua_gettop(L), i;
  for (i = 1; i <= n; i++) {
    size_t len;
    const char *s = luaL_tolstring(L, i, &len);
    if (i > 1) log_out(L, g, LACUS_LOG_PRINT, "\t", 1);
    log_out(L, g, LACUS_LOG_PRINT, s, len);
    lua_pop(L, 1);
  }
  log_out(L, g, LACUS_LOG_PRINT, "\n", 1);
  return 0;
}

/* The strings from `first` on; gives the file, which is io.stdout. */
static int log_strings (lua_State *L, int first, int last) {
  int i;
  for (i = first; i <= last; i++) luaL_checkstring(L, i);
  for (i = first; i <= last; i++) {
    size_t len;
    const char *s = lua_tolstring(L, i, &len);
    log_out(L, log_here(L), LACUS_LOG_WRITE, s, len);
  }
  lua_pushvalue(L, lua_upvalueindex(3));
  return 1;
}

/* As if the function in upvalue 2 had been called. */
static int log_pass_on (lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* Upvalues: log, io.write, io.stdout, io.output. A script may have sent its
** output elsewhere. */
static int l_log_write (lua_State *L) {
  int n = lua_gettop(L), ours;
  luaL_checkstack(L, 2, NULL);
  lua_pushvalue(L, lua_upvalueindex(4));
  lua_call(L, 0, 1);
  ours = lua_rawequal(L, -1, lua_upvalueindex(3));
  lua_settop(L, n);
  return ours ? log_strings(L, 1, n) : log_pass_on(L);
}

/* file:write. Upvalues: log, the method itself, io.stdout. */
static int l_log_file_write (lua_State *L) {
  luaL_checkstack(L, 2, NULL);
  if (!lua_rawequal(L, 1, lua_upvalueindex(3))) return log_pass_on(L);
  return log_strings(L, 2, lua_gettop(L));
}

/* Never raises: without memory, what is lost is a warning. */
static void log_warn (void *ud, const char *msg, int more) {
  Log *g = (Log *)ud;
  if (!g->within && !more && msg[0] == '@') {
    if (strcmp(msg, "@on") == 0) g->warns = 1;
    else if (strcmp(msg, "@off") == 0) g->warns = 0;
    return;
  }
  g->within = more;
  if (!g->warns || g->closed) return;
  log_add(g, &g->warning, LACUS_LOG_WARN, msg, strlen(msg));
  if (!more) log_emit(g, &g->warning, LACUS_LOG_WARN);
}

void lc_log_say (void *ud, const char *text) {
  lacus_pool *p = (lacus_pool *)ud;
  p->o.on_log(p->o.ud, LACUS_LOG_WARN, "lacus", text, strlen(text));
}

/* --- opening ----------------------------------------------------------------- */

static int l_log_gc (lua_State *L) {
  Log *g = (Log *)lua_touserdata(L, 1);
  if (g->out.len > 0) log_emit(g, &g->out, LACUS_LOG_WRITE);
  lua_setwarnf(L, NULL, NULL);
  log_drop(g, &g->out);
  log_drop(g, &g->warning);
  g->closed = 1;
  return 0;
}

/* The library io is at log + 1. */
static void log_open_method (lua_State *L, int log) {
  luaL_getmetatable(L, LUA_FILEHANDLE);
  lua_getfield(L, -1, "__index");
  lua_pushvalue(L, log);
  lua_getfield(L, -2, "write");
  lua_getfield(L, log + 1, "stdout");
  lua_pushcclosure(L, l_log_file_write, 3);
  lua_setfield(L, -2, "write");
}

/* The Log is on top, and stays. */
static void log_open_write (lua_State *L) {
  int log = lua_gettop(L);
  if (lua_getglobal(L, LUA_IOLIBNAME) == LUA_TTABLE) {
    lua_pushvalue(L, log);
    lua_getfield(L, log + 1, "write");
    lua_getfield(L, log + 1, "stdout");
    lua_getfield(L, log + 1, "output");
    lua_pushcclosure(L, l_log_write, 4);
    lua_setfield(L, log + 1, "write");
    log_open_method(L, log);
  }
  lua_settop(L, log);
}

void lc_log_open (lua_State *L, lacus_pool *p, Worker *w) {
  Log *g = (Log *)lua_newuserdatauv(L, sizeof(Log), 0);
  memset(g, 0, sizeof(Log));
  g->p = p;
  g->w = w;
  g->warns = 1;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, l_log_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, (void *)lc_log_open);
  log_open_write(L);
  lua_pushcclosure(L, l_log_print, 1);
  lua_setglobal(L, "print");
  lua_setwarnf(L, log_warn, g);
}
