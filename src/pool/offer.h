/*
** offer.h: results that are ready while a task's own code runs. That may take
** long, and they need not wait for it: they are on offer, and whoever needs them
** takes them: a consumer that starves, or who abandons the worker. Stands on kit
** and sink.
**
** Protocol. Before the code begins the worker puts its batch of results into
** `offer`; before it writes the next result it swaps it out again. Another thread
** may swap it out first, holding the worker's guard: then the batch is that
** thread's, which leaves another in `instead`, or none where it abandons the worker.
** Whoever finds NULL has come second. So a result has one owner, and the worker
** pays for it with one swap for each task, and only if something is ready.
**
** Who swaps an offer out knows also where the worker is: in the code of the item
** behind the results that were on offer. So an item with a timeout, whose worker may
** be abandoned, runs with an offer in any case: of nothing, if nothing is ready.
*/
#ifndef lc_offer_h
#define lc_offer_h

#include "kit.h"
#include "sink.h"

/* Run.offered */
enum { OFFER_NOT, OFFER_NOTHING, OFFER_RESULTS };

/* For lc_offer_regain: others have what was offered, which was `offered`. */
int lc_offer_replaced (Run *r, int offered);

/* The offer of nothing: no batch has this address. */
static inline Batch *lc_offer_nothing (Run *r) {
  return (Batch *)(void *)r;
}

/* The task's own code is about to run. Owner thread. */
static inline void lc_offer (Run *r) {
  if (r->out->n > 0) r->offered = OFFER_RESULTS;
  else if (r->in->timeout != 0) r->offered = OFFER_NOTHING;
  else return;
  if (r->in->timeout != 0)         /* seq_cst: see lc_stop_may_begin */
    atomic_store_explicit(&r->offer, r->offered == OFFER_RESULTS ? r->out
                          : lc_offer_nothing(r), memory_order_seq_cst);
  else                             /* release: the results come before */
    atomic_store_explicit(&r->offer, r->out, memory_order_release);
}

/* It has come back: `out` may be written to. 0: the worker was abandoned meanwhile.
** Owner thread. */
static inline int lc_offer_regain (Run *r) {
  int offered = r->offered;
  if (offered == OFFER_NOT) return r->out != NULL;
  r->offered = OFFER_NOT;
  /* seq_cst: see the store. */
  return atomic_exchange_explicit(&r->offer, NULL, memory_order_seq_cst) != NULL
         || lc_offer_replaced(r, offered);
}

/* The worker of `r` is abandoned: 1 if it is in the code of an item, and *b is what
** was ready before that (NULL: nothing), the caller's. Guard held. */
int lc_offer_seize (Run *r, Batch **b);

/* Hands `b` over to the sink of `r`. Guard held. */
void lc_offer_deliver (Run *r, Batch *b);

/* The items that `b` answers. */
size_t lc_offer_count (const Batch *b);

/* Delivers what is on offer for `k` on this worker. Any thread. */
void lc_offer_fetch (RunKit *kit, Sink *k);

#endif
