/*
** repl.h: the interactive mode: reads a statement or an expression, runs it,
** prints what it gives, until the input ends. Stands on call.h (running it)
** and on line.h (reading it).
*/

#ifndef LC_HOST_REPL_H
#define LC_HOST_REPL_H

#include <lua.h>

/* `environment`: whether variables of the environment may be asked. Raises
** without memory; all other failures are told, and the next prompt comes. */
void lc_host_repl (lua_State *L, int environment);

#endif
