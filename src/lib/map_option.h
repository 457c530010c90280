/*
** map_option.h: the options of a map, read and checked. Stands on pool/stream,
** pool/retry and lib_option.
*/
#ifndef lc_map_option_h
#define lc_map_option_h

#include <lua.h>

#include "../pool/stream.h"

typedef enum OnError { ONERROR_RAISE, ONERROR_RETURN, ONERROR_SKIP } OnError;

/* What the option of this name was called with. */
const char *lc_map_on_error (OnError how);

typedef struct MapOptions {
  StreamOptions stream;
  OnError on_error;
  lua_Number deadline;        /* seconds; < 0: none */
  int retries;
  unsigned kinds;             /* see Retry */
} MapOptions;

/* The table at `arg`, or defaults if it is nil or none. Raises an argument error
** for what is wrong with it. */
void lc_map_options (lua_State *L, int arg, MapOptions *o);

/* What they say of retries, but for `ask`; NULL without memory. */
Retry *lc_map_retry (lua_State *L, int arg, const MapOptions *o, Mem *mem);

#endif
