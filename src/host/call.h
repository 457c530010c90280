/*
** call.h: running Lua as the stand-alone command does: protected, with a
** traceback, stoppable by Ctrl-C, its failure told on stderr.
** Stands on Lua's API alone. One process has one of these: a signal handler can
** find its state through nothing but a global.
*/

#ifndef LC_HOST_CALL_H
#define LC_HOST_CALL_H

#include <lua.h>

/* The name before every message: argv[0]; NULL: none. It is kept, not copied. */
void lc_host_name (const char *name);
const char *lc_host_program (void);

/* Writes "name: message" to stderr. */
void lc_host_message (const char *message);

/*
** Calls the function under its n arguments on the stack, as lua_pcall does,
** with a traceback added to an error. A SIGINT while it runs becomes an error
** in it; a second one, which the error has not yet answered, ends the process.
*/
int lc_host_call (lua_State *L, int n, int results);

/* Whether a SIGINT came during the last call, whatever became of it. */
int lc_host_interrupted (void);

/* Says what failed, if anything: pops the error. Gives the status back. */
int lc_host_report (lua_State *L, int status);

/* Loads and calls; failures are reported. They give the status. */
int lc_host_run_file (lua_State *L, const char *name);
int lc_host_run_string (lua_State *L, const char *code, const char *chunk);

#endif
