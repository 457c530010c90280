/*
** heap.h: the memory of one Lua state: a `lua_Alloc` that is faster than a
** general allocator because one thread owns it, counts, remembers its peak and
** can refuse to grow past a limit. Stands on base/.
**
** Small blocks (to HEAP_SMALL bytes) come from chunks that double in size, in
** classes of 16 bytes with a free list each, last in, first out: Lua always
** says how large a block was, so blocks carry no header. Larger ones go to
** the system. Chunks are given back together, when the state is closed: that
** is all the freeing that a short-lived state needs. (The shape of Knuth's
** simple segregated storage; sizes from measurement.)
**
** Of the huge ones (from HEAP_HUGE bytes on: long strings, long arrays) some
** that were freed are kept: the system would take each back at once, and give
** it again page by page, zeroed. So that they fit again, their sizes are
** rounded up, by an eighth at most.
**
** Owner thread only, but for the counts, which statistics may read.
*/
#ifndef lc_heap_h
#define lc_heap_h

#include <stddef.h>

#include "../base/atomic.h"
#include "../base/mem.h"

#define HEAP_SMALL 512
#define HEAP_UNIT 16
#define HEAP_HUGE ((size_t)64 * 1024)
/* The huge blocks that are kept: how many, and how many bytes in all. */
#define HEAP_KEPT 8
#define HEAP_KEPT_BYTES ((size_t)4 * 1024 * 1024)

typedef struct HeapBlock HeapBlock;
typedef struct HeapChunk HeapChunk;

typedef struct Heap {
  /* set at birth */
  Mem *mem;                 /* gives the memory; does not count it */
  /* owner thread only */
  size_t limit;             /* bytes; 0 for none */
  HeapBlock *free_[HEAP_SMALL / HEAP_UNIT + 1];   /* by size / HEAP_UNIT */
  char *next, *end;         /* what is left of the newest chunk */
  HeapChunk *chunks;
  size_t grow;              /* bytes of the next chunk */
  struct { void *p; size_t size; } kept[HEAP_KEPT];   /* oldest first */
  size_t nkept, bytes_kept;
  /* written by the owner, read by anybody */
  _Atomic(size_t) used;     /* bytes that Lua has */
  _Atomic(size_t) peak;
} Heap;

void lc_heap_init (Heap *h, Mem *mem);
/* After the state was closed: gives the chunks back. It can be used again. */
void lc_heap_clear (Heap *h);
/* Gives back the huge blocks that are only kept. */
void lc_heap_trim (Heap *h);

/* The state's allocator; `ud` is the Heap. */
void *lc_heap_alloc (void *ud, void *p, size_t osize, size_t nsize);

/* Bytes the state holds now. Any thread. */
size_t lc_heap_used (Heap *h);

#endif
