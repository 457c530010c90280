/*
** retry.h: what a map says about attempts that fail: how often an item is tried
** again, after which kinds of failure, and how long after. Stands on call.h; items.c
** does what it says. Workers only read it.
**
** The worker that had the failure tries again, from the same record: so the map
** sees one late result, and its order and window need know nothing of it. The
** pause is a wait like any other: it holds no worker. An item that has
** already yielded is not tried again, since its values have been handed over.
*/
#ifndef lc_retry_h
#define lc_retry_h

#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "../base/mem.h"
#include "call.h"

typedef struct Retry {
  /* set before its first batch is sent */
  Mem *mem;
  int retries;                /* attempts after the first */
  unsigned kinds;             /* of failure: see lc_retry_kind */
  Call *ask;                  /* gives the pause, from the attempt; or NULL */
  size_t n;                   /* pauses, in ns: after the first attempt, after
                              ** the second...; the last one holds for all
                              ** that follow */
  uint64_t pause[1];
} Retry;

/* With room for `n` pauses (1 at least), all 0, and every kind that may be; NULL
** without memory. */
Retry *lc_retry_new (Mem *mem, size_t n);
/* `t` may be NULL; `ask` is its user's. */
void lc_retry_free (Retry *t);

/* The bit of the kind of this name; 0 if nothing of it is ever tried again:
** "cancelled" and "transfer" would fail again, and others do not exist. */
unsigned lc_retry_kind (const char *kind);

/* Whether there is another attempt after number `attempt` (from 1) failed. */
int lc_retry_wants (const Retry *t, int attempt, const char *kind);
/* The pause after it, unless there is `ask`; ns. */
uint64_t lc_retry_pause (const Retry *t, int attempt);

/* Seconds as a pause; 0 if nobody would wait so long, or less than nothing. */
int lc_retry_seconds (lua_Number seconds, uint64_t *pause);

#endif
