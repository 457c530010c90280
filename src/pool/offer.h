/*
** offer.h: what a worker has in hand while a task's own code runs: results that are
** ready, and items that wait behind that task. It may take long, and they need not
** wait for it: they are on offer, and whoever needs them takes them: a consumer that
** starves, or who abandons the worker. Stands on kit and sink.
**
** Protocol. Before the code begins the worker puts its batch of results into
** `offer`; before it writes the next result it swaps NULL in. Another thread may have
** been there first, holding the worker's guard:
**   who fetches puts a mark there: the batch is that thread's, and another is in
**     `instead`;
**   who abandons the worker puts NULL there: what was there is that thread's, and
**     there is no other.
** So a result has one owner, and the worker pays for it with one swap for each task.
**
** Who finds an offer, or the mark, knows also where the worker is: in the code of the
** item behind the results that were on offer. What follows has not begun, and may go
** to workers that have nothing to do: then `owed`, which is the end of what the worker
** has to answer for, becomes less, and the worker, who finds the mark, looks at it. Where
** there are no results an offer of nothing says the same.
*/
#ifndef lc_offer_h
#define lc_offer_h

#include "kit.h"
#include "sink.h"

/* Run.offered */
enum { OFFER_NOT, OFFER_NOTHING, OFFER_RESULTS };

/* For lc_offer_regain: others have been at what was offered, which was `offered`. */
int lc_offer_replaced (Run *r, int offered);

/* The offer of nothing, and the mark of who fetches: no batch has these addresses. */
static inline Batch *lc_offer_nothing (Run *r) {
  return (Batch *)(void *)r;
}
static inline Batch *lc_offer_fetched (Run *r) {
  return (Batch *)(void *)&r->offer;
}

/* The task's own code is about to run. (Not where `out` speaks for items behind this
** one, too: see run_split.) Owner thread. */
static inline void lc_offer (Run *r) {
  Batch *offer = r->out;
  if (r->end != r->owed) return;
  if (offer->n > 0) r->offered = OFFER_RESULTS;
  else {
    if (r->in->timeout == 0 && r->at + 1 >= r->end) return;
    r->offered = OFFER_NOTHING;
    offer = lc_offer_nothing(r);
  }
  if (r->in->timeout != 0)         /* seq_cst: see lc_stop_may_begin */
    atomic_store_explicit(&r->offer, offer, memory_order_seq_cst);
  else                             /* release: the results come before */
    atomic_store_explicit(&r->offer, offer, memory_order_release);
}

/* It has come back: `out` may be written to. 0: the worker was abandoned meanwhile.
** Owner thread. */
static inline int lc_offer_regain (Run *r) {
  int offered = r->offered;
  Batch *b;
  if (offered == OFFER_NOT) return r->out != NULL;
  r->offered = OFFER_NOT;
  /* seq_cst: see the store. */
  b = atomic_exchange_explicit(&r->offer, NULL, memory_order_seq_cst);
  if (b != NULL && b != lc_offer_fetched(r)) return 1;
  return lc_offer_replaced(r, offered);
}

/* The worker of `r` is abandoned: 1 if it is in the code of an item, and *b is what
** was ready before that (NULL: nothing), the caller's. Guard held. */
int lc_offer_seize (Run *r, Batch **b);

/* Hands `b` over to the sink of `r`. Guard held. */
void lc_offer_deliver (Run *r, Batch *b);

/*
** Delivers what is on offer for `k` on this worker. If *idle workers have nothing
** to do, items that wait go to *again, the caller's, in so many batches at most; *idle is
** what is left. Any thread.
*/
void lc_offer_fetch (RunKit *kit, Sink *k, int *idle, TaskList *again);

#endif
