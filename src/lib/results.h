/*
** results.h: the handle of a map in progress: only data, no deeds. Who does
** what with it: lib_map.c (begins it, puts items in), lib_results.c (hands results
** over, ends it). Stands on pool/stream and generator.
*/
#ifndef lc_results_h
#define lc_results_h

#include "../pool/stream.h"
#include "generator.h"
#include "lib.h"
#include "map_option.h"

/* User values of the handle: the source; the calls that have been sent (function
** or name -> Call), when the items are calls themselves; the error that ended
** the source. */
enum { UV_SOURCE = 1, UV_CALLS, UV_ERROR, UV_COUNT = UV_ERROR };

/* Where scripts' code runs that must not come to the stream or end it. */
typedef enum Inside {
  INSIDE_NOTHING, INSIDE_SOURCE, INSIDE_ITEM, INSIDE_RESULT
} Inside;

/* Its address is in every handle, and nowhere else. */
extern const char lc_results_mark;

typedef struct Results {
  const void *mark;     /* first; set at birth */
  Home *home;
  Pool *pool;           /* held, until closed */
  Stream *s;            /* NULL when closed */
  Call *making;         /* is being encoded, which may raise; else NULL */
  Batch *failing;       /* likewise, of an item that cannot be sent */
  Call *call;           /* map(source, fn): its fn; the stream holds it */
  Generator *source;    /* in UV_SOURCE */
  OnError on_error;
  int ncalls;
  Inside inside;        /* something: no other step, no close */
  int waiting;          /* a task waits in here: likewise */
  uint64_t deadline;    /* of that wait */
  int plain;            /* a result is its index and its values, as they arrive, and no
                        ** clock is looked at */
  uint64_t limit;       /* of the whole map... */
  lua_Number seconds;   /* ...which had so many */
  int failed;           /* the source's error is in UV_ERROR */
  int ended;            /* all was handed over... */
  uint64_t pulled;      /* ...of so many items */
} Results;

/* One pull: the next item of the source goes into the stream, or up to `most` of
** a range. The handle is at 1. The source's error waits until the results before
** it are out. 0: there was none by r->source->until. */
int lc_results_pull (lua_State *L, Results *r, size_t most);

#endif
