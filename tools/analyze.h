/*
** analyze.h: what only `make cppcheck`, `make tidy` and `make analyze` include
** ahead of each file: Lua's functions that raise do not return, which its own
** headers do not say; without this every check before a luaL_error looks useless.
** (No #include: feature macros come after.)
*/
#define LC_RAISES __attribute__((noreturn))

struct lua_State;

int lua_error (struct lua_State *L) LC_RAISES;
int luaL_error (struct lua_State *L, const char *fmt, ...) LC_RAISES;
int luaL_argerror (struct lua_State *L, int arg, const char *extramsg) LC_RAISES;
int luaL_typeerror (struct lua_State *L, int arg, const char *tname) LC_RAISES;

/* gcc minds the `return` in its body. */
#if !defined(__GNUC__) || defined(__clang__)
struct Dec;
int lc_dec_fail (struct Dec *d) LC_RAISES;
#endif
