/*
** supply.h: what the consumer of a stream puts in: items, into batches; of how many,
** when a batch goes, and how far ahead of the results. Stands on stream.h, whose
** consumer calls all of this, and turn.h.
*/
#ifndef lc_supply_h
#define lc_supply_h

#include "stream.h"

/* Before the first item: tasks take so long, perhaps. */
void lc_supply_expect (Stream *s, double task_ns);
/* The batch to encode the next item into; NULL without memory. */
Batch *lc_supply_open_batch (Stream *s);
/* One record was encoded into the open batch at `at`: it is the next item.
** 0 without memory: then it is not. */
int lc_supply_put (Stream *s, size_t at, Call *call);
/* The same for one value, as lc_entry_form has it. */
int lc_supply_put_value (Stream *s, lua_State *L, EntryForm form, int idx,
                         Call *call);
/* After PULL: so many items may be put at once, into one batch. At least 1; 0
** without memory. */
size_t lc_supply_room (Stream *s);
/* After a put: whether the open batch takes more before anything else is done. */
static inline int lc_supply_goes_on (const Stream *s) {
  return s->open != NULL && !s->slow && s->asked - s->opened <= LC_BATCH_TICKS;
}
/* Puts `n` integers, which there is room for. */
void lc_supply_put_range (Stream *s, lua_Integer first, lua_Integer step,
                          size_t n, Call *call);
/* Entries may name `call` from here on; takes over the caller's hold. */
void lc_supply_keep_call (Stream *s, Call *call);
/* Sends what was put. */
void lc_supply_flush (Stream *s);
/* The source has ended. */
void lc_supply_exhaust (Stream *s);
/* An empty batch, for lc_stream_put_failed; NULL without memory. */
Batch *lc_supply_spare (Stream *s);

/* --- for stream.c ------------------------------------------------------- */

/* So many more may be pulled: see "counts" in stream.h. */
uint64_t lc_supply_may (const Stream *s);
/* The open batch goes if it is time. `now`: lc_ticks. */
void lc_supply_hurry (Stream *s, uint64_t now);
/* `b` has come home: what it tells of the time that tasks take. */
void lc_supply_measure (Stream *s, const Batch *b);
/* Nobody needs `b` any more. */
void lc_supply_recycle (Stream *s, Batch *b);

#endif
