/*
** heap.h: the memory of one Lua state: a `lua_Alloc` that counts, remembers
** its peak and can refuse to grow past a limit. Stands on base/.
** Owner thread only, but for the counts, which statistics may read.
*/
#ifndef lc_heap_h
#define lc_heap_h

#include <stddef.h>

#include "../base/atomic.h"
#include "../base/mem.h"

typedef struct Heap {
  /* set at birth */
  Mem *mem;                 /* gives the memory; does not count it */
  /* owner thread only */
  size_t limit;             /* bytes; 0 for none */
  /* written by the owner, read by anybody */
  _Atomic(size_t) used;
  _Atomic(size_t) peak;
} Heap;

void lc_heap_init (Heap *h, Mem *mem);

/* The state's allocator; `ud` is the Heap. */
void *lc_heap_alloc (void *ud, void *p, size_t osize, size_t nsize);

/* Bytes the state holds now. Any thread. */
size_t lc_heap_used (Heap *h);

#endif
