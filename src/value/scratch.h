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

/* A string that was met more than once, by the address of its Lua object. */
typedef struct Recent {
  const void *key;
  uint32_t stamp;
  uint32_t slot;
} Recent;

enum { RECENT = 16 };

typedef struct Scratch Scratch;

struct Scratch {
  Scratch *next;
  Mem *mem;           /* set at birth */
  Seen *seen;
  size_t cap, n;      /* cap is 0 or a power of two; 2 * n <= cap */
  uint32_t stamp;
  uint32_t *shared;   /* shared[slot - 1] is an id */
  uint32_t nshared, capshared;
  unsigned idle;      /* small records since it was well filled */
  Recent recent[RECENT];   /* the last keys, by address */
};

Scratch *lc_scratch_new (Mem *mem);
void lc_scratch_free (Scratch *s);
/* Empty, for the next record. */
void lc_scratch_reset (Scratch *s);
/* After a record: gives back memory that one large record has left. */
void lc_scratch_trim (Scratch *s);
/*
** Objects that were made together lie together, and are met together: their
** first places do so too, which the cache rewards. Whoever finds its place
** taken goes on by a step of its own (odd, from the well mixed bits of a
** product), so that full neighbourhoods do not pile up.
*/
static inline size_t lc_scratch_place (const Scratch *s, const void *key) {
  uintptr_t p = (uintptr_t)key;
  return ((p >> 5) ^ (p >> 21)) & (s->cap - 1);
}

static inline size_t lc_scratch_next (const Scratch *s, const void *key,
                                      size_t at) {
  uint64_t h = (uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u;
  return (at + ((size_t)(h >> 32) | 1)) & (s->cap - 1);
}

/* 0 when there is no memory. */
int lc_scratch_grow (Scratch *s);

/* The entry of `key`, made if there was none (id, slot, aux are 0 then);
** valid until the next put. NULL when there is no memory. */
static inline Seen *lc_scratch_put (Scratch *s, const void *key) {
  Seen *e;
  size_t at;
  if (s->n * 2 >= s->cap && !lc_scratch_grow(s)) return NULL;
  for (at = lc_scratch_place(s, key); ; at = lc_scratch_next(s, key, at)) {
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
static inline Seen *lc_scratch_find (Scratch *s, const void *key) {
  size_t at;
  if (s->n == 0) return NULL;
  for (at = lc_scratch_place(s, key); ; at = lc_scratch_next(s, key, at)) {
    Seen *e = &s->seen[at];
    if (e->stamp != s->stamp) return NULL;
    if (e->key == key) return e;
  }
}

/* Where the slot of a key is looked for first: most tables in a list have the same
** few keys. */
static inline Recent *lc_scratch_recent (Scratch *s, const void *key) {
  uintptr_t p = (uintptr_t)key;
  return &s->recent[((p >> 4) ^ (p >> 8)) & (RECENT - 1)];
}

/* The next free slot, for `id`; 0 when there is no memory. */
uint32_t lc_scratch_share (Scratch *s, uint32_t id);

#endif
