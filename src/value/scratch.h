/*
** scratch.h: what an encoder remembers during one record: which pointers it
** has met, under which id. Stands on base/; knows nothing of Lua.
**
** Emptying it takes no time in proportion to its size: an entry counts only
** if it carries the number of the current record.
*/
#ifndef lc_scratch_h
#define lc_scratch_h

#include <stddef.h>
#include <stdint.h>

#include "../base/mem.h"

typedef struct Seen {
  const void *key;
  uint32_t stamp;     /* the record it belongs to */
  uint32_t id;        /* 0 in a fresh entry: the caller fills it */
  uint32_t slot;      /* 0 until it is met again */
  uint32_t aux;       /* the caller's */
} Seen;

typedef struct Scratch Scratch;

struct Scratch {
  Scratch *next;
  Mem *mem;           /* set at birth */
  Seen *seen;
  size_t cap, n;      /* cap is 0 or a power of two; 2 * n <= cap */
  unsigned shift;     /* 64 - log2(cap) */
  uint32_t stamp;
  uint32_t *shared;   /* shared[slot - 1] is an id */
  uint32_t nshared, capshared;
  unsigned idle;      /* small records since it was well filled */
};

Scratch *lc_scratch_new (Mem *mem);
void lc_scratch_free (Scratch *s);
/* Empty, for the next record. */
void lc_scratch_reset (Scratch *s);
/* After a record: gives back memory that one large record has left. */
void lc_scratch_trim (Scratch *s);
/* Fibonacci hashing: the high bits of the product are the well mixed ones. */
static inline size_t lc_scratch_place (const Scratch *s, const void *key) {
  return (size_t)(((uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u)
                  >> s->shift);
}

/* 0 when there is no memory. */
int lc_scratch_grow (Scratch *s);

/* The entry of `key`, made if there was none (id, slot, aux are 0 then);
** valid until the next put. NULL when there is no memory. */
static inline Seen *lc_scratch_put (Scratch *s, const void *key) {
  Seen *e;
  size_t at;
  if (s->n * 2 >= s->cap && !lc_scratch_grow(s)) return NULL;
  for (at = lc_scratch_place(s, key); ; at = (at + 1) & (s->cap - 1)) {
    e = &s->seen[at];
    if (e->stamp != s->stamp) break;
    if (e->key == key) return e;
  }
  e->key = key;
  e->stamp = s->stamp;
  e->id = e->slot = e->aux = 0;
  s->n++;
  return e;
}

/* The entry of `key` or NULL. */
Seen *lc_scratch_find (Scratch *s, const void *key);
/* The next free slot, for `id`; 0 when there is no memory. */
uint32_t lc_scratch_share (Scratch *s, uint32_t id);

#endif
