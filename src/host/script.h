/*
** script.h: the Lua part of the REPL, as data: every src/host/NAME.lua, compiled
** by tools/embed.c when lacus is built. Stands on lib/sugar.h.
*/

#ifndef LC_HOST_SCRIPT_H
#define LC_HOST_SCRIPT_H

#include "../lib/sugar.h"

extern const LcSugar lc_host_scripts[];

#endif
