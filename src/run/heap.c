#include "heap.h"

void lc_heap_init (Heap *h, Mem *mem) {
  h->mem = mem;
  h->limit = 0;
  atomic_store_explicit(&h->used, 0, memory_order_relaxed);
  atomic_store_explicit(&h->peak, 0, memory_order_relaxed);
}

/*
** Relaxed throughout, and load-then-store instead of an atomic add: the
** owner is the only writer, the counts order nothing.
*/
static void heap_count (Heap *h, size_t used) {
  atomic_store_explicit(&h->used, used, memory_order_relaxed);
  if (used > atomic_load_explicit(&h->peak, memory_order_relaxed))
    atomic_store_explicit(&h->peak, used, memory_order_relaxed);
}

void *lc_heap_alloc (void *ud, void *p, size_t osize, size_t nsize) {
  Heap *h = (Heap *)ud;
  size_t used = atomic_load_explicit(&h->used, memory_order_relaxed);
  void *q;
  if (p == NULL) osize = 0;            /* it is a type tag then */
  if (nsize == 0) {
    if (p != NULL) h->mem->fn(h->mem->ud, p, osize, 0);
    heap_count(h, used - osize);
    return NULL;
  }
  if (h->limit != 0 && nsize > osize && used - osize + nsize > h->limit)
    return NULL;
  q = h->mem->fn(h->mem->ud, p, osize, nsize);
  if (q != NULL) heap_count(h, used - osize + nsize);
  return q;
}

size_t lc_heap_used (Heap *h) {
  return atomic_load_explicit(&h->used, memory_order_relaxed);
}
