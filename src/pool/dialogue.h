/*
** dialogue.h: how the body of a remote generator and its reader take turns.
** Stands on value/message and base/park; knows nothing of what is said.
**
** The body yields its first item and waits. What the reader asks next settles
** how it goes on. It sends something: then each yield waits for its answer, and
** reader and body are never at work at the same time. It asks for the next item
** and nothing else: then the body runs ahead, and is never answered any more.
**
** Who owns `words`: the reader, from the moment it has an item until it answers;
** then the body, until its next item is with the reader. Each answer belongs to
** one yield: the reader gives it after it took that yield's item.
**
** Lock order: dialogue.lock before pool.lock (waking the body queues it).
*/
#ifndef lc_dialogue_h
#define lc_dialogue_h

#include "../base/park.h"
#include "../value/message.h"

typedef struct Dialogue {
  /* set at birth */
  Mem *mem;
  /* atomic */
  _Atomic(int) ahead;         /* the body does not wait; written under lock */
  /* guarded by lock */
  Mutex lock;
  WaitNode *body;             /* waits for an answer */
  int answered;               /* there is one that it has not heard */
  /* taken in turns: see above */
  Message words;              /* one record; or nothing was said */
} Dialogue;

/* NULL without memory (or a lock). */
Dialogue *lc_dialogue_new (Mem *mem);
/* `d` may be NULL. Nobody uses it any more. */
void lc_dialogue_free (Dialogue *d);

/* --- the reader's side: it has an item and wants the next ---------------- */

/* Where it puts what it sends; empty. */
Message *lc_dialogue_words (Dialogue *d);
/* The yield returns what is in there. Any lock order: wakes the body. */
void lc_dialogue_answer (Dialogue *d);
/* The body goes on without answers. */
void lc_dialogue_let_run (Dialogue *d);
/* There will be no reader: wakes the body, which sees that it is cancelled. */
void lc_dialogue_end (Dialogue *d);

/* --- the body's side ------------------------------------------------------ */

/* 1: the yield may return; *words is what was said, one record or empty, the
** body's until its next item is sent. 0: not yet; `n` is listed and its waiter
** will be woken. Look at whether the sink is cancelled before that. */
int lc_dialogue_hear (Dialogue *d, WaitNode *n, const Message **words);
/* Takes `n` off again: its waiter will not be woken any more. */
void lc_dialogue_forget (Dialogue *d, WaitNode *n);

#endif
