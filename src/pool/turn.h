/*
** turn.h: whose results an ordered stream hands over now, and next: in the order
** of the source, or shuffled within blocks; and the chains in which results wait for
** their turn. Stands on stream.h, whose consumer calls all of this; anybody may read
** the turn.
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

/* Room for the chains of every index from the lowest to the `n` next that are pulled; 0
** without memory. */
int lc_turn_widen (Stream *s, size_t n);
/* The entries of `b` go to their chains. */
void lc_turn_file (Stream *s, Batch *b);
/* Frees what waits. */
void lc_turn_drop (Stream *s);
/* The chains themselves. */
void lc_turn_free (Stream *s);

#endif
