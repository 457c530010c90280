#include "offer.h"

int lc_offer_replaced (Run *r, int offered) {
  if (offered == OFFER_NOTHING) return 0;    /* only who abandons takes that */
  lc_mutex_lock(&r->kit->guard);
  r->out = r->instead;
  r->instead = NULL;
  lc_mutex_unlock(&r->kit->guard);
  return r->out != NULL;
}

/* seq_cst: see the store. Guard held. */
static Batch *offer_swap (Run *r) {
  return atomic_exchange_explicit(&r->offer, NULL, memory_order_seq_cst);
}

int lc_offer_seize (Run *r, Batch **b) {
  Batch *offer = offer_swap(r);
  *b = offer != lc_offer_nothing(r) ? offer : NULL;
  return offer != NULL;
}

size_t lc_offer_count (const Batch *b) {
  size_t i, n = 0;
  for (i = 0; i < b->n; i++) n += b->entries[i].last;
  return n;
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

/* Guard held. Relaxed: what is offered now is a hint, and an item's first look at
** `instead` is under the guard. */
static void offer_fetch (Run *r) {
  Batch *b = atomic_load_explicit(&r->offer, memory_order_relaxed), *another;
  if (b == NULL || b == lc_offer_nothing(r)) return;
  another = offer_another(r);
  if (another == NULL) return;
  /* Not an offer of nothing that was made since. */
  if (!atomic_compare_exchange_strong_explicit(&r->offer, &b, NULL,
         memory_order_seq_cst, memory_order_relaxed)) {
    lc_batch_free(another);
    return;
  }
  r->instead = another;
  r->answered += lc_offer_count(b);
  b->ran = 0;                            /* nobody knows how long they took */
  lc_offer_deliver(r, b);
}

void lc_offer_fetch (RunKit *kit, Sink *k) {
  Fiber *f;
  lc_mutex_lock(&kit->guard);
  for (f = kit->abandoned ? NULL : kit->w->fibers.live; f != NULL; f = f->live) {
    Run *r = (Run *)(void *)f;
    if (r->in->sink == k) offer_fetch(r);
  }
  lc_mutex_unlock(&kit->guard);
}
