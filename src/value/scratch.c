#include "scratch.h"

#include <string.h>

#define SCRATCH_FIRST ((size_t)64)
#define SCRATCH_KEEP ((size_t)1 << 15)

Scratch *lc_scratch_new (Mem *mem) {
  Scratch *s = (Scratch *)lc_mem_zalloc(mem, sizeof(Scratch));
  if (s == NULL) return NULL;
  s->mem = mem;
  s->stamp = 1;
  return s;
}

static void scratch_drop (Scratch *s) {
  lc_mem_free(s->mem, s->seen, s->cap * sizeof(Seen));
  lc_mem_free(s->mem, s->shared, s->capshared * sizeof(uint32_t));
  s->seen = NULL;
  s->shared = NULL;
  s->cap = s->n = 0;
  s->capshared = s->nshared = 0;
}

void lc_scratch_free (Scratch *s) {
  if (s == NULL) return;
  scratch_drop(s);
  lc_mem_free(s->mem, s, sizeof(Scratch));
}

void lc_scratch_reset (Scratch *s) {
  s->n = 0;
  s->nshared = 0;
  if (++s->stamp == 0) {          /* once in 2^32 records */
    if (s->cap > 0) memset(s->seen, 0, s->cap * sizeof(Seen));
    memset(s->recent, 0, sizeof s->recent);
    s->stamp = 1;
  }
}

void lc_scratch_trim (Scratch *s) {
  if (s->cap <= SCRATCH_FIRST * 4 && s->capshared <= SCRATCH_FIRST * 4)
    return;
  if (s->n * 16 >= s->cap) s->idle = 0;
  else s->idle++;
  if (s->cap > SCRATCH_KEEP || s->capshared > SCRATCH_KEEP || s->idle > 64) {
    scratch_drop(s);
    s->idle = 0;
  }
}

int lc_scratch_grow (Scratch *s) {
  Seen *old = s->seen;
  size_t oldcap = s->cap, i;
  size_t cap = oldcap == 0 ? SCRATCH_FIRST : oldcap * 2;
  Seen *seen;
  if (cap > (size_t)-1 / sizeof(Seen) / 2) return 0;
  seen = (Seen *)lc_mem_zalloc(s->mem, cap * sizeof(Seen));
  if (seen == NULL) return 0;
  s->seen = seen;
  s->cap = cap;
  for (i = 0; i < oldcap; i++) {
    if (old[i].stamp == s->stamp) {
      size_t at = lc_scratch_place(s, old[i].key);
      while (seen[at].stamp == s->stamp)
        at = lc_scratch_next(s, old[i].key, at);
      seen[at] = old[i];
    }
  }
  lc_mem_free(s->mem, old, oldcap * sizeof(Seen));
  return 1;
}

uint32_t lc_scratch_share (Scratch *s, uint32_t id) {
  if (s->nshared == s->capshared) {
    uint32_t cap = s->capshared == 0 ? 32 : s->capshared * 2;
    uint32_t *p = (uint32_t *)lc_mem_resize(s->mem, s->shared,
      s->capshared * sizeof(uint32_t), cap * sizeof(uint32_t));
    if (p == NULL) return 0;
    s->shared = p;
    s->capshared = cap;
  }
  s->shared[s->nshared++] = id;
  return s->nshared;
}
