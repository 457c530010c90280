#include "offer.h"

int lc_offer_replaced (Run *r, int offered) {
  int on;
  lc_mutex_lock(&r->kit->guard);
  on = !r->kit->abandoned;
  if (offered == OFFER_RESULTS) {
    r->out = r->instead;
    r->instead = NULL;
  }
  if (on) r->end = r->owed;
  lc_mutex_unlock(&r->kit->guard);
  return on;
}

/* seq_cst: see the store. */
int lc_offer_seize (Run *r, Batch **b) {
  Batch *offer = atomic_exchange_explicit(&r->offer, NULL, memory_order_seq_cst);
  *b = NULL;
  if (offer == lc_offer_fetched(r)) {
    lc_batch_free(r->instead);
    r->instead = NULL;
  }
  else if (offer != lc_offer_nothing(r)) *b = offer;
  return offer != NULL;
}

/* Not by lc_answer_hand_over: that is for the worker itself. */
void lc_offer_deliver (Run *r, Batch *b) {
  Sink *k = r->in->sink;
  b->sink = k;
  lc_shared_hold(&k->head);
  lc_sink_kind(k)->deliver(k, b);
}

/* An empty one with room for all that `r` has still to say; NULL without memory.
** Guard held. */
static Batch *offer_another (const Run *r) {
  Batch *b = lc_batch_new(r->kit->w->mem);
  if (b != NULL && !lc_batch_reserve(b, r->owed - r->answered)) {
    lc_batch_free(b);
    b = NULL;
  }
  return b;
}

/* Items that wait behind the one that runs go to *again, in equal shares for the idle
** workers and this one. Without memory they stay. Guard held. */
static void offer_spread (Run *r, int *idle, TaskList *again) {
  size_t first = r->answered + 1, waiting = r->owed - first;
  size_t share = waiting / ((size_t)*idle + 1) + 1;
  while (*idle > 0 && r->owed > first) {
    size_t from = r->owed - first > share ? r->owed - share : first;
    Batch *b = lc_batch_again(r->in, from, r->owed);
    if (b == NULL) return;
    b->sink = r->in->sink;
    lc_shared_hold(&b->sink->head);
    lc_tasks_push_last(again, &b->task);
    r->owed = from;
    --*idle;
  }
}

/* Puts the mark in the place of `b`, which is there. 0: it is not there any more. */
static int offer_mark (Run *r, Batch *b) {
  return atomic_compare_exchange_strong_explicit(&r->offer, &b, lc_offer_fetched(r),
           memory_order_seq_cst, memory_order_relaxed);
}

/* The results that are on offer, `b`, go. 0: they are not any more. Guard held. */
static int offer_deliver (Run *r, Batch *b) {
  Batch *another = offer_another(r);
  if (another == NULL) return 0;
  if (!offer_mark(r, b)) {
    lc_batch_free(another);
    return 0;
  }
  r->instead = another;
  r->answered += lc_batch_lasts(b);
  b->ran = 0;                            /* nobody knows how long they took */
  lc_offer_deliver(r, b);
  return 1;
}

/* Guard held. Relaxed: a hint, but for the mark, which stays until the worker has the
** guard. */
static void offer_fetch (Run *r, int *idle, TaskList *again) {
  Batch *b = atomic_load_explicit(&r->offer, memory_order_relaxed);
  int here;
  if (b == NULL) return;
  if (b == lc_offer_fetched(r)) here = 1;
  else if (b == lc_offer_nothing(r)) here = *idle > 0 && offer_mark(r, b);
  else here = offer_deliver(r, b);
  if (here) offer_spread(r, idle, again);
}

void lc_offer_fetch (RunKit *kit, Sink *k, int *idle, TaskList *again) {
  Fiber *f;
  lc_mutex_lock(&kit->guard);
  for (f = kit->abandoned ? NULL : kit->w->fibers.live; f != NULL; f = f->live) {
    Run *r = (Run *)(void *)f;
    if (r->in->sink == k) offer_fetch(r, idle, again);
  }
  lc_mutex_unlock(&kit->guard);
}
