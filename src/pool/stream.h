/*
** stream.h: one map in progress: a bounded exchange of batches between its
** consumer, who pulls the source and hands results over, and the workers.
** Stands on batch; knows neither the source nor what the results are for.
**
** Who may do what.
**   Consumer: the thread that runs the state which called `map`. It alone
**     puts items in and sends (supply.h), waits, takes results, and closes.
**   Workers: read `cancelled`, deliver batches. A worker never waits here.
**
** Who owns a batch: the consumer while it is filled; the pool's queue; the
** worker that runs it (which may keep it and deliver another); the stream's
** `home` list; the consumer while it is read.
**
** Who wakes whom.
**   A worker that delivers wakes the consumer if `waiter` is set. The consumer
**   sets `waiter` under `lock` after it saw `home` empty, so no delivery can
**   fall in between. Woken, it looks again.
**   A task that yields a value asks for credit first; without it, its fiber
**   is on `parked`, and the consumer wakes it when it takes a value. The
**   fiber goes on the list before it looks at `yielded` for the last time,
**   the consumer counts `yielded` down before it looks at the list: one of
**   them sees the other. Ordered: what belongs to the turn goes first, and
**   one credit is kept for it, so it can never wait for those behind it.
**
** Starving. Results go home a batch at a time, and the task after them may take
** long. A consumer that has had nothing for a while, though batches of several items
** are with the workers, fetches what is ready there (`fetch`), and does so again, less
** often.
**
** Shuffled is ordered, but for the order: a turn may be of an index that is
** pulled no further than a block later. So one that is not pulled yet may be,
** whatever the lookahead says; turns of indexes that the source does not reach
** are skipped at its end.
**
** Counts, all of the consumer's:   handed <= finished <= pulled
**   pulled - handed   <= window      items whose results are not handed over
**                                    (not given: four times the lookahead)
**   pulled - finished <= lookahead   items that workers have, or will
** `finished` goes up when a last entry comes home; `handed` when it is taken.
** yielded <= credits: yielded values on their way or here, not handed over.
**
** Lock order: stream.lock before pool.lock (waking a parked consumer queues
** it); neither while Lua runs.
*/
#ifndef lc_stream_h
#define lc_stream_h

#include <stddef.h>
#include <stdint.h>

#include "../base/clock.h"
#include "../base/thread.h"
#include "batch.h"
#include "sink.h"

typedef struct Stream Stream;

/* Where a stream sends its batches; the pool, as a stream sees it. */
typedef struct StreamLink {
  /* Queues `b`, or drops it when closing. Takes it over. */
  void (*send) (void *pool, void *self, Batch *b);
  void *pool;
  void *self;                 /* the worker the consumer runs on, or NULL */
  Shelf *shelf;               /* of the consumer's state, or NULL */
  int foreign;                /* the pool does not end with the consumer's
                              ** state: no worker may wake it late */
  void (*run) (Task *t, struct Worker *w);     /* what batches do there */
  /* `k` is cancelled: what runs or waits for it stops. No lock held. */
  void (*stop) (void *pool, Sink *k);
  /* Delivers what is ready for `k` and waits behind a task that runs, and has others run
  ** what waits there: see offer.h. No lock held. NULL: there is never any. */
  void (*fetch) (void *pool, Sink *k);
  Glance *glance;             /* the consumer's, if it is nobody's worker and there are
                              ** processors besides its own; else NULL: see lc_stream_glance */
  int workers;
  int busy;                   /* of them, that the processors can keep busy with tasks
                              ** that are quick */
} StreamLink;

typedef struct StreamOptions {
  int ordered;
  size_t window;      /* items; 0: as many as keep the workers busy */
  size_t batch;       /* items; 0: from the measured time of tasks */
  uint64_t timeout;   /* nanoseconds for each item; 0: no limit */
  int single;         /* one item, which is a task by itself: see pool.c */
  int dialogue;       /* its yields are answered: see sink.dialogue */
  int shuffled;       /* with `ordered`: the turns are at random... */
  uint64_t shuffle;   /* ...as this seed has it */
} StreamOptions;

/* Shuffled: so many indexes, or `window`, take their turns in random order
** before the next so many do. */
#define LC_SHUFFLE_BLOCK 16

/* A batch should neither take longer than this to run or to fill. */
#define LC_BATCH_US 50
#define LC_BATCH_TICKS ((uint64_t)LC_BATCH_US * LC_TICKS_PER_US)

/* A chain of entries under one index, in order of arrival. */
typedef struct StreamSlot { Entry *first, *last; } StreamSlot;

struct Stream {
  Sink sink;                  /* held by the consumer and by every batch */
  /* set at birth */
  Mem *mem;
  StreamLink link;
  StreamOptions options;
  /* guarded by lock */
  Mutex lock;
  Task *home, **home_end;     /* delivered, not yet collected */
  Waiter *waiter;             /* the consumer, while it waits */
  WaitNode *parked;           /* fibers without credit, by index */
  int closed;                 /* deliveries are dropped */
  /* atomic */
  _Atomic(int) news;          /* `home` is not empty, or `broken` is set */
  _Atomic(int) yielded;       /* see the counts above */
  _Atomic(int) nparked;       /* length of `parked` */
  _Atomic(uint64_t) turn;     /* ordered: the index to hand over now */
  _Atomic(int) broken;        /* the pool is gone: see lc_stream_break */
  /* set at birth */
  int credits;
  uint64_t seed, base;        /* for its batches; set by the pool */
  Retry *retry;               /* likewise, by the consumer; or NULL */
  /* guarded by the pool's streams_lock */
  Stream *next, **link_at;    /* the pool's list of open streams */
  /* consumer only, but for the last release */
  Call *calls;                /* held, for entries on their way name them... */
  Call *repeated;             /* ...and one of a CallMemo, set at birth by the consumer;
                              ** or NULL */
  /* consumer only */
  uint64_t pulled, finished, handed;
  size_t holds;               /* that came home with batches: for the next ones. (The count
                              ** is where workers look for every item; so it should change
                              ** seldom.) */
  uint64_t bundled;           /* no item after this one was sent with others... */
  uint64_t settled;           /* ...and so many up to it have finished */
  int exhausted;              /* the source has no more */
  Batch *open;                /* being filled, not empty; or NULL */
  uint64_t opened;            /* lc_ticks when `open` got its first item */
  uint64_t asked;             /* lc_ticks when it last said PULL, or a put was
                              ** done */
  int slow;                   /* that pull took long: what is ready goes first */
  uint64_t pause;             /* what is on its way may come until then, in
                              ** lc_now's time, before the next pull; 0: no */
  int paused;                 /* somebody was told to wait for that */
  uint64_t fetch_at;          /* when to fetch what waits in workers, in lc_now's
                              ** time; 0: it does not starve... */
  uint64_t patience;          /* ...and how long after that again, ns */
  uint64_t until;             /* of the last STREAM_WAIT */
  uint64_t burst, burst_at;   /* the pulls since a result was asked for: `pulled`
                              ** and lc_ticks when they began */
  size_t size;                /* items that a batch should have now */
  double task_ns;             /* what a task takes, roughly; < 0: unknown... */
  size_t stock;               /* ...and the items that keep the workers busy for a while */
  uint64_t key;               /* of whom that is said: see pace.h; 0: nobody */
  Task *spare;                /* empty batches... */
  int nspare;                 /* ...and how many */
  Task *ready, **ready_end;   /* as they arrive: batches to read... */
  size_t at;                  /* ...from this entry of the first one */
  StreamSlot *slots;          /* ordered: chains by index & mask */
  size_t mask;
  uint64_t place;             /* ordered: turns that are over or skipped */
  unsigned char block[LC_SHUFFLE_BLOCK];   /* shuffled: order of this block */
  Entry made;                 /* of a row, for... */
  const Entry *taken;         /* handed over; its batch not let go yet... */
  Batch *from;                /* ...so that a raising decode loses nothing */
  const Cell *cell, *cell_end;   /* of `from`, if that is a row: the next ones, but for the
                              ** last. What was taken of them is counted when the stream
                              ** is asked for anything else: see stream_settle */
  uint64_t cell_index;        /* of the one at `cell` */
};

/* NULL without memory (or a lock). The caller holds it. */
Stream *lc_stream_new (Mem *mem, const StreamLink *link,
                       const StreamOptions *options);
void lc_stream_hold (Stream *s);
void lc_stream_release (Stream *s);

/* --- the consumer's side ------------------------------------------------ */

typedef enum StreamStep {
  STREAM_PULL,        /* pull: then put or exhaust, and step again */
  STREAM_READY,       /* take one entry */
  STREAM_WAIT,        /* wait, until `until` if that is not 0, and step again */
  STREAM_END,         /* all is handed over */
  STREAM_BROKEN       /* the pool is closed or failed: ask it why */
} StreamStep;

/*
** What the consumer should do next. `pulled`: it has pulled since it was
** last asked for a result. Sends what was put before it says WAIT. May send,
** so: no lock held. As many items as a batch has now are pulled in a row, but
** not for long when a result is ready: so pulling and taking change seldom.
*/
StreamStep lc_stream_step (Stream *s, int pulled);

/* The next item, which is a failure already: `b`, of lc_supply_spare, holds its one
** entry. 0 without memory: then `b` is still the caller's. */
int lc_stream_put_failed (Stream *s, Batch *b);

/* Says that `w` is to be woken when there is news: 1; or 0: there is. */
int lc_stream_listen (Stream *s, Waiter *w);
/* The consumer looks elsewhere: it will not be woken any more. */
void lc_stream_unlisten (Stream *s);
/*
** Before a wait: 1 if there is news, which quick tasks have soon when the source has ended,
** or when one item is out: looks for it for a few microseconds, and keeps the processor
** meanwhile. (To give it to another thread and have it back takes longer, and a map of some
** hundred items is over by then.) What may not be quick, it looks for ever more rarely while
** that is in vain.
*/
int lc_stream_glance (Stream *s);

/*
** After READY: the entry and its batch. It counts as handed over from here;
** both stay valid until the next step or close.
*/
const Entry *lc_stream_take (Stream *s, Batch **from);

/*
** Instead of a step and a take: the next cell of the row that is being read, and its index;
** or NULL, and nothing has happened.
*/
static inline const Cell *lc_stream_cell (Stream *s, uint64_t *index) {
  if (s->cell == s->cell_end
      || atomic_load_explicit(&s->nparked, memory_order_seq_cst) > 0)
    return NULL;
  *index = s->cell_index++;
  return s->cell++;
}

/*
** Likewise: the next entry of the batch that is being read, if that is no row, it holds a
** value and is the last of its index. (Not of a stream that is read in order.) What else
** there is to do is done once for each batch.
*/
static inline const Entry *lc_stream_next (Stream *s) {
  Batch *b = s->from;
  const Entry *e;
  if (b == NULL || b->shape != SHAPE_ENTRIES || b->unread < 2) return NULL;
  e = &b->entries[s->at];
  if (e->form == FORM_RECORD || e->kind != ENTRY_VALUES || !e->last
      || atomic_load_explicit(&s->nparked, memory_order_seq_cst) > 0)
    return NULL;
  b->unread--;
  s->at++;
  s->handed++;
  s->taken = e;
  return e;
}

/*
** The consumer wants no more: drops what is here and what will come, tells
** the workers to skip what has not started. Gives the number of items whose
** results were not handed over. Idempotent.
*/
size_t lc_stream_close (Stream *s);

/* --- the workers' and the pool's side ----------------------------------- */

/* Workers deliver through the sink's kind. */
/* There will be no workers any more. Any thread. */
void lc_stream_break (Stream *s);

#endif
