#include "retry.h"

#include <string.h>

#include "fault.h"

static const char *const retry_kinds[] = {
  LC_FAULT_ERROR, LC_FAULT_TIMEOUT, LC_FAULT_MEMORY, LC_FAULT_LOST
};

enum { RETRY_KINDS = sizeof retry_kinds / sizeof retry_kinds[0] };

static size_t retry_size (size_t n) {
  return sizeof(Retry) + (n - 1) * sizeof(uint64_t);
}

Retry *lc_retry_new (Mem *mem, size_t n) {
  Retry *t = (Retry *)lc_mem_zalloc(mem, retry_size(n));
  if (t == NULL) return NULL;
  t->mem = mem;
  t->n = n;
  t->kinds = (1u << RETRY_KINDS) - 1;
  return t;
}

void lc_retry_free (Retry *t) {
  if (t != NULL) lc_mem_free(t->mem, t, retry_size(t->n));
}

unsigned lc_retry_kind (const char *kind) {
  unsigned i;
  for (i = 0; i < RETRY_KINDS; i++)
    if (strcmp(kind, retry_kinds[i]) == 0) return 1u << i;
  return 0;
}

int lc_retry_wants (const Retry *t, int attempt, const char *kind) {
  return attempt <= t->retries && (lc_retry_kind(kind) & t->kinds) != 0;
}

uint64_t lc_retry_pause (const Retry *t, int attempt) {
  size_t at = (size_t)attempt - 1;
  return t->pause[at < t->n ? at : t->n - 1];
}

int lc_retry_seconds (lua_Number seconds, uint64_t *pause) {
  if (!(seconds >= 0 && seconds < 9.0e9)) return 0;     /* NaN too */
  *pause = (uint64_t)(seconds * 1e9);
  return 1;
}
