/*
** sink.h: where the results of a batch go: a stream (many items, one
** consumer) or a future (one). Workers know no more than this. Stands on
** batch.h and base/park.h.
*/
#ifndef lc_sink_h
#define lc_sink_h

#include <stdint.h>

#include "../base/park.h"
#include "../base/shared.h"
#include "dialogue.h"

typedef struct Sink Sink;
struct Batch;

/* What a worker asks of a sink. On the worker's thread; never waits. */
typedef struct SinkKind {
  SharedKind shared;            /* first */
  /* Hands `b` over, or frees it. Takes the batch and its hold. */
  void (*deliver) (Sink *k, struct Batch *b);
  /* A worker begins with the batch. May be NULL. */
  void (*started) (Sink *k);
  /* What a worker had of the batch is dropped undelivered. May be NULL. */
  void (*lost) (Sink *k);
  /*
  ** NULL, with the two below, where tasks may not yield.
  ** Asks for room for one more yielded value under `index`. 1: there was,
  ** and it is taken. 0: not now; `n` is on a list, and its waiter is woken
  ** when it is worth asking again (and when the sink is cancelled; if it is
  ** already, `n` is on no list: so look at `cancelled` before waiting).
  */
  int (*credit) (Sink *k, uint64_t index, WaitNode *n);
  /* The credit was not used. */
  void (*refund) (Sink *k);
  /* Takes `n` off that list: its waiter will not be woken any more. */
  void (*forget) (Sink *k, WaitNode *n);
} SinkKind;

struct Sink {
  Shared head;                  /* first; its kind is a SinkKind */
  /* set at birth */
  Dialogue *dialogue;           /* who takes yielded values answers; or NULL */
  /* atomic */
  _Atomic(int) cancelled;       /* skip what has not started */
};

static inline const SinkKind *lc_sink_kind (const Sink *k) {
  return (const SinkKind *)(const void *)k->head.kind;
}

/* A hint to skip work: the sink's lock decides what is dropped. seq_cst on both
** sides: who cancels and who begins, one sees the other (run/interrupt.h). */
static inline int lc_sink_cancelled (Sink *k) {
  return atomic_load_explicit(&k->cancelled, memory_order_seq_cst);
}

static inline void lc_sink_cancel (Sink *k) {
  atomic_store_explicit(&k->cancelled, 1, memory_order_seq_cst);
}

#endif
