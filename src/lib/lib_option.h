/*
** lib_option.h: reading a table of options: what its loop over lua_next finds
** on top, the name below the value. Stands on Lua alone.
*/
#ifndef lc_lib_option_h
#define lc_lib_option_h

#include <stdint.h>

#include <lua.h>

/* The name of the option, "" when it is no string. */
const char *lc_option_name (lua_State *L);

/* 1 if the value at `idx` is an integer, or a float that is one, and no
** string that reads like one; then it is in *n, else 0 is. */
int lc_option_integer (lua_State *L, int idx, lua_Integer *n);

/* 1 if the value at `idx` is a number, not a string and not NaN; then it is in
** *x. */
int lc_option_number (lua_State *L, int idx, lua_Number *x);

/* The option on top, a time, in nanoseconds: above 0, at most a hundred years. Else
** an argument error. */
uint64_t lc_option_seconds (lua_State *L, int arg, const char *name);

/* Raises an argument error: `what` and the option's name in quotes. */
int lc_option_refuse (lua_State *L, int arg, const char *what);

#endif
