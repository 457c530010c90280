/*
** shared.h: the head of whatever several threads or states hold at once:
** a count and a kind. The last `release` frees it, on whichever thread
** that happens. Knows nothing of Lua.
*/
#ifndef lc_shared_h
#define lc_shared_h

#include "atomic.h"

typedef struct Shared Shared;

typedef struct SharedKind {
  const char *name;              /* "lacus.channel": also its name in Lua */
  void (*free_) (Shared *s);     /* count reached zero; any thread */
} SharedKind;

struct Shared {
  _Atomic(int) count;
  const SharedKind *kind;        /* set at birth */
};

/* The creator holds it: count 1. */
void lc_shared_init (Shared *s, const SharedKind *kind);
/* Any thread that already has a held pointer. Returns `s`. */
Shared *lc_shared_hold (Shared *s);
/* Any thread; `s` may be NULL, and is dead to the caller afterwards. */
void lc_shared_release (Shared *s);

#endif
