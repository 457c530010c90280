#include "shared.h"

#include <stddef.h>

void lc_shared_init (Shared *s, const SharedKind *kind) {
  atomic_store_explicit(&s->count, 1, memory_order_relaxed);
  s->kind = kind;
}

/*
** Relaxed is enough to add: the caller's own hold keeps the object alive,
** and whatever passed the pointer to it has ordered its contents.
*/
Shared *lc_shared_hold (Shared *s) {
  atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
  return s;
}

/*
** acq_rel: release orders this holder's last use before the subtraction;
** acquire orders all of them before the free on the thread that reaches 0.
*/
void lc_shared_release (Shared *s) {
  if (s == NULL) return;
  if (atomic_fetch_sub_explicit(&s->count, 1, memory_order_acq_rel) == 1)
    s->kind->free_(s);
}
