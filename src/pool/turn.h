/*
** turn.h: whose results an ordered stream hands over now, and next: in the order
** of the source, or shuffled within blocks. Stands on stream.h, whose consumer
** calls all of this; anybody may read the turn.
*/
#ifndef lc_turn_h
#define lc_turn_h

#include "stream.h"

/* Relaxed: the consumer's own reading of what only it writes; elsewhere under
** the lock, after an operation in the order that counts. */
static inline uint64_t lc_turn (const Stream *s) {
  return atomic_load_explicit(&s->turn, memory_order_relaxed);
}

/* The index whose turn it is at `place`. */
uint64_t lc_turn_next (Stream *s);
/* The lowest index that may not be handed over. */
uint64_t lc_turn_lowest (const Stream *s);
/* Over to the next turn. At the end of the source, those of indexes that it does
** not reach are skipped. */
void lc_turn_pass (Stream *s);

#endif
