/*
** answer.h: what the items of a run say: results and failures, gathered in a
** batch and handed to the sink. Stands on kit, sink and fault. On the worker's
** thread; under the worker's guard, who was abandoned hands nothing over.
*/
#ifndef lc_answer_h
#define lc_answer_h

#include "kit.h"
#include "sink.h"

#define LC_ANSWER_NOMEM "not enough memory"

/* An empty batch with room for what `n` items of `in` have to say; NULL without memory. */
Batch *lc_answer_batch (RunKit *kit, const Batch *in, size_t n);
/* Keeps it for the next time, or frees it. May be NULL. */
void lc_answer_spare (RunKit *kit, Batch *b);

/* Time runs from here: nothing is ready that was not sent. */
void lc_answer_mark (Run *r);
/* `b` is about to go: how long it took, and the next one's time begins. */
void lc_answer_time (Run *r, Batch *b);
/* Hands `b` and a hold of the sink over; guard held. */
void lc_answer_hand_over (RunKit *kit, Sink *k, Batch *b);
/* Sends `b`, which it takes over; the items before `at` are answered. */
void lc_answer_deliver (Run *r, Batch *b);
/* Sends what is ready before the run is through; keeps it (0) if there is no
** memory for another batch with the room that is still needed. */
int lc_answer_flush (Run *r);

/* An entry for the item, the last of its index. Room was reserved: never fails. */
void lc_answer_add (Run *r, size_t record, EntryKind kind);
/* Cuts off what a failed attempt left behind the last whole record. */
void lc_answer_cut (Run *r, size_t record);

/* What the function returned, above it on the stack of `co`. */
void lc_answer_results (lua_State *co, Run *r);
/* The item failed: message, traceback and value are the top three of `L` (the
** fiber's coroutine, or the worker's main one). */
void lc_answer_fault (lua_State *L, Run *r, const char *kind);
/* Its time is up. */
void lc_answer_timeout (lua_State *L, Run *r);
/* What lc_encode pushed about a refused result becomes one sentence. */
void lc_answer_refusal (lua_State *L);

/* Whether it failed for lack of memory: then its state is strained. */
int lc_answer_is_nomem (Run *r, int status, const char *text);
/* The kind of the failure, whose message is third from the top. */
const char *lc_answer_kind (lua_State *co, Run *r, int status);

#endif
