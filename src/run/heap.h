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
** simple segregated storage; sizes from measurement.) The largest chunks are
** a large page each (base/pages.h), which is 3 % of the time of who makes trees.
**
** Of the huge ones (from HEAP_HUGE bytes on: long strings, long arrays) those
** that were freed last are kept: the system would take each back at once, and give
** it again page by page, zeroed, which on a virtual machine takes ten times as long as
** to write to it. So that they fit again, their sizes are rounded up, by an eighth at most.
**
** The limit is exact: `used` never passes it. At the limit Lua collects all
** garbage and asks again; but the buffers of its own libraries (string.rep,
** gsub, table.concat) do not ask twice. So that garbage alone never fails
** them, Lua is made to collect each time that half of the room is used up (so a
** buffer of a third of what is left at any moment is always to be had):
** one request for an object, which it does repeat, is refused. Chunks are
** bounded too: what is free in a class is of no use to a larger one. A state
** that has met that bound is `cramped` until it is cleared.
**
** Owner thread only, but for the counts, which statistics may read, and where it is
** shared. A C module may give the allocator of its state (lua_getallocf) to states of its
** own, and run those on other threads, as LuaLanes does: what stock Lua has, allows
** that. Such a state is known by its first block. It is made on the owner's thread, so
** nobody else is here yet, and from then on every call takes a lock; that is the last
** of all locks, and is held while the host's own allocator runs.
*/
#ifndef lc_heap_h
#define lc_heap_h

#include <stddef.h>

#include "../base/atomic.h"
#include "../base/mem.h"
#include "../base/thread.h"

#define HEAP_SMALL 512
#define HEAP_UNIT 16
#define HEAP_HUGE ((size_t)64 * 1024)
/* The huge blocks that are kept: how many, and how many bytes in all (and no more than
** the limit). */
#define HEAP_KEPT 64
#define HEAP_KEPT_BYTES ((size_t)16 * 1024 * 1024)

typedef struct HeapBlock HeapBlock;
typedef struct HeapChunk HeapChunk;
typedef struct HeapKept { void *p; size_t size; } HeapKept;

typedef struct Heap {
  /* set at birth */
  Mem *mem;                 /* gives the memory; does not count it */
  /* owner thread only */
  size_t limit;             /* bytes; 0 for none */
  size_t mark;              /* up to here no question is asked */
  int nudged;               /* Lua was made to collect, and asks again */
  size_t refused;           /* how often there was none */
  size_t held;              /* bytes of all chunks */
  int cramped;              /* they are all that there may be: see above */
  HeapBlock *free_[HEAP_SMALL / HEAP_UNIT + 1];   /* by size / HEAP_UNIT */
  char *next, *end;         /* what is left of the newest chunk */
  HeapChunk *chunks;
  size_t grow;              /* bytes of the next chunk */
  HeapKept *kept;           /* [HEAP_KEPT], oldest first; NULL until there is one */
  size_t nkept, bytes_kept;
  int shared;               /* by several states: then, lock guards all of this */
  Mutex lock;
  /* written by the owner, read by anybody */
  _Atomic(size_t) used;     /* bytes that Lua has */
  _Atomic(size_t) peak;
} Heap;

void lc_heap_init (Heap *h, Mem *mem);
/* After the state was closed: gives the chunks back. It can be used again. (Not if others
** share it and are not closed: they keep all of it.) */
void lc_heap_clear (Heap *h);
/* Gives back the huge blocks that are only kept. */
void lc_heap_trim (Heap *h);

/* What Lua has from here on is at most `limit` bytes; 0: no limit. */
void lc_heap_limit (Heap *h, size_t limit);

/* The state's allocator; `ud` is the Heap. */
void *lc_heap_alloc (void *ud, void *p, size_t osize, size_t nsize);

/* Bytes the state holds now. Any thread. */
size_t lc_heap_used (Heap *h);

#endif
