/*
** pace.h: how long tasks of a function took the last time. A map begins with the size
** of batches that another map of the same function has come to, and need not find it
** out again. A hint: tasks that take longer now are spread when their reader starves (see
** offer.h). Stands on nothing; guarded by whoever has it.
*/
#ifndef lc_pace_h
#define lc_pace_h

#include <stdint.h>

/* Functions that are remembered; the oldest goes first. */
enum { LC_PACES = 8 };

typedef struct Paces {
  struct { uint64_t key; double ns; } of[LC_PACES];
  unsigned next;
} Paces;

/* What a task of `key` (not 0) takes, in ns; < 0: unknown. */
static inline double lc_pace_find (const Paces *p, uint64_t key) {
  int i;
  for (i = 0; i < LC_PACES; i++)
    if (p->of[i].key == key) return p->of[i].ns;
  return -1;
}

static inline void lc_pace_note (Paces *p, uint64_t key, double ns) {
  int i;
  for (i = 0; i < LC_PACES && p->of[i].key != key; i++) {}
  if (i == LC_PACES) i = (int)(p->next++ % LC_PACES);
  p->of[i].key = key;
  p->of[i].ns = ns;
}

#endif
