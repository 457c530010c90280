/*
** credit.h: how many yielded values of a stream may be on their way or wait, and
** which parked task goes on when one more may. Stands on stream.h, whose head
** has the protocol, and turn.h.
*/
#ifndef lc_credit_h
#define lc_credit_h

#include "stream.h"

/* Credits of a stream with this window (0: none given). */
int lc_credit_of (size_t window);

/* What a sink's kind has: see sink.h. */
int lc_credit_ask (Sink *k, uint64_t index, WaitNode *n);
void lc_credit_refund (Sink *k);
void lc_credit_forget (Sink *k, WaitNode *n);

/* Its second half: somebody waits. */
void lc_credit_wake_one (Stream *s);
/*
** A credit came free, or it is another's turn: wakes one that may go on. Any
** thread; takes the stream's lock. seq_cst: see "who wakes whom" in stream.h.
*/
static inline void lc_credit_wake (Stream *s) {
  if (atomic_load_explicit(&s->nparked, memory_order_seq_cst) > 0)
    lc_credit_wake_one(s);
}
/* The stream closes: wakes all. Its lock is held. */
void lc_credit_wake_all (Stream *s);

#endif
