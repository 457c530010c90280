/*
** kit.h: what a worker keeps for running batches, and a fiber that runs items of
** one: only data. Who does what with it: items.c (one item after the other), run.c
** (around that), answer.c (what they say), yield.c (what they say on the way), stop.c
** (what ends them). Stands on batch, call and run/worker. Owner thread only, but where it
** says so.
*/
#ifndef lc_kit_h
#define lc_kit_h

#include "../base/random.h"
#include "../run/worker.h"
#include "batch.h"
#include "call.h"

typedef struct Run Run;

/* What a worker keeps for running batches. Owner thread only; zeros, but for
** `w`. */
typedef struct RunKit {
  Worker *w;              /* set at birth */
  int seeded;             /* set at birth: items have random numbers */
  Run *now;        /* that runs on this thread; or NULL */
  CallCache calls;
  Batch *spare;           /* empty, for results; or NULL */
  uint64_t ran;           /* tasks that have ended, in this state */
  size_t kept;            /* things that tasks left in it to be fetched */
  Random random;          /* those of what is no item, such as `init` */
  /* atomic */
  _Atomic(int) halt;      /* the pool stops: so does what runs */
  _Atomic(size_t) cut;    /* tasks that were stopped */
  _Atomic(uint64_t) began;   /* what runs, in lc_now's time; 0: nothing */
  _Atomic(int) nlive;     /* fibers that have begun and not ended */
  /* guarded by guard */
  Mutex guard;            /* before any other lock */
  int abandoned;          /* nobody waits for it: it hands nothing over */
  size_t lost;            /* tasks that others have answered for since */
} RunKit;

enum { PHASE_DECODE, PHASE_CALL, PHASE_ENCODE, PHASE_FAULT };

/* Why it is to stop. */
enum { STOP_NOT, STOP_TIMEOUT, STOP_MEMORY, STOP_CANCEL, STOP_CLOSE };

/* A fiber that runs items of a batch. Its Lua stack: handler, function, call. */
struct Run {
  Fiber fiber;            /* first */
  RunKit *kit;
  Batch *in;              /* shared with other runs: see `users` */
  size_t at, end;         /* items at .. end - 1 are its to run */
  size_t answered, owed;  /* guarded: items from `answered` to before `owed` are
                          ** not handed over; else as `at` and `end` */
  _Atomic(size_t) begun;  /* those before it may have begun: see stop.h */
  _Atomic(Batch *) offer; /* `out`, while the task's own code runs: see offer.h */
  int offered;            /* what was put there, if it was not swapped out since */
  Batch *instead;         /* guarded: for `out`, from who has the offer; or NULL */
  int stop;
  int trace;              /* where it was stopped: in the registry */
  uint64_t left;          /* of its time, while it waits for its reader */
  Batch *out;             /* results not sent yet; has room for end - at more.
                          ** NULL: the worker was abandoned */
  Call *call;             /* whose function is in FUNCTION; or NULL */
  int phase;
  int yielded;            /* the item has yielded */
  int attempt;            /* at the item, from 1 */
  int again;              /* it waits for that; how long, is not settled... */
  uint64_t until;         /* ...or is: until then; 0: it need not */
  const char *refused;    /* why its last yield could not be sent: a kind */
  Random random;          /* the item's, if the pool has a seed... */
  uint64_t started;       /* ...and how many things it has started */
  size_t look;            /* before which item to look whether `out` is to be sent... */
  size_t stride;          /* ...so many after the last look, which was... */
  uint64_t looked;        /* ...then, in lc_ticks */
  uint64_t sent_ticks;    /* when `out` was last sent... */
  uint64_t sent_ns;       /* ...likewise, in lc_now's time */
};

enum { HANDLER = 1, FUNCTION = 2, FIRST = 3 };

static inline Codec *lc_kit_codec (Run *r) { return r->kit->w->codec; }
/* Of the item that is its next: what its random numbers begin with. */
static inline uint64_t lc_kit_number (const Run *r) {
  return r->in->base + lc_batch_index(r->in, r->at);
}
static inline Interrupt *lc_kit_interrupt (Run *r) {
  return &r->kit->w->interrupt;
}

#endif
