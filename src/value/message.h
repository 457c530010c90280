/*
** message.h: a message is flat bytes and the shared things that those bytes
** name. Stands on base/; knows nothing of Lua or threads.
**
** A message has one owner at a time; handing it over is the owner's business
** (a lock, a queue), so nothing in here is atomic. `next` belongs to whoever
** owns the message: free lists and queues need no nodes of their own.
*/
#ifndef lc_message_h
#define lc_message_h

#include <stddef.h>

#include "../base/mem.h"
#include "../base/shared.h"

typedef struct Message Message;

struct Message {
  Message *next;          /* the owner's */
  Mem *mem;               /* set at birth */
  unsigned char *bytes;
  size_t len, cap;        /* len <= cap */
  size_t most;            /* it must not get longer; 0: it may */
  Shared **refs;          /* refs[0 .. nrefs-1] are held by the message */
  size_t nrefs, caprefs;
};

/* An empty message; takes no memory. */
void lc_message_init (Message *m, Mem *mem);

/* Empty again, its refs released; keeps a buffer of up to `keep` bytes for
** the next use, so that a stream of messages allocates nothing. */
void lc_message_clear (Message *m, size_t keep);

/* It is to be kept for long: gives back room that it does not use, if it can. */
void lc_message_trim (Message *m);

/* Releases everything it holds; the struct itself is the caller's. */
void lc_message_drop (Message *m);

/* Room for `n` more bytes behind `len`; 0 when there is no memory. */
int lc_message_room (Message *m, size_t n);

/* The empty `to` gets the bytes `first` to `end` - 1 of `from`, whole records, and all
** of its refs; 0 without memory: then it has to be cleared. */
int lc_message_copy (Message *to, const Message *from, size_t first, size_t end);

/* Adds a ref (holds `s`) and gives its number in *at; 0 without memory. */
int lc_message_ref (Message *m, Shared *s, size_t *at);

#endif
