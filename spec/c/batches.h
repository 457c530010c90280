/* Batches for the tests of the floor pool/. */
#ifndef spec_batches_h
#define spec_batches_h

#include "pool/batch.h"

/* The items 7, 8, ... of a range from `first`, by `step`. */
static inline Batch *batch_span (Mem *mem, size_t n, lua_Integer first,
                                 lua_Integer step) {
  Batch *b = lc_batch_new(mem);
  if (b != NULL && lc_batch_reserve(b, n)) {
    b->shape = SHAPE_SPAN;
    b->step = step;
    lc_entry_init(&b->model, 7, ENTRY_ITEM, 0);
    b->model.form = FORM_INTEGER;
    b->model.integer = first;
    b->n = n;
  }
  return b;
}

#endif
