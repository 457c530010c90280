/*
** mem.h: counted memory. Every block that lacus takes outside a Lua state
** comes through a `Mem`, so that a host can bring its own allocator, a test
** can make the k-th allocation fail, and a leak shows as a number.
** Knows nothing of Lua, though its function has the shape of `lua_Alloc`.
**
** Blocks carry no header: who frees a block says how large it is.
*/
#ifndef lc_mem_h
#define lc_mem_h

#include <stddef.h>

#include "atomic.h"

/*
** (ud, NULL, 0, n) takes n bytes; (ud, p, o, n) resizes; (ud, p, o, 0) frees
** and returns NULL. NULL for n > 0 is failure, and `p` is as it was.
** Must be safe to call from any thread.
*/
typedef void *(*MemFn)(void *ud, void *p, size_t osize, size_t nsize);

typedef struct Mem {
  /* set at birth */
  MemFn fn;
  void *ud;
  size_t base;            /* bytes that are the Mem itself */
  size_t limit;           /* of what is out, bytes; 0: none */
  /* atomic */
  _Atomic(size_t) used;   /* base + bytes out now */
} Mem;

/* A `Mem` in the caller's own storage, which outlives every block.
** `fn == NULL` means the C library's malloc. */
void lc_mem_init (Mem *m, MemFn fn, void *ud);

/* A `Mem` of its own; NULL when there is no memory. */
Mem *lc_mem_new (MemFn fn, void *ud);
/* As new, over another Mem, which counts its blocks too; refuses to have more
** than `limit` bytes out. */
Mem *lc_mem_within (Mem *parent, size_t limit);
/* The maker is done with it: it goes when its last block does, on whichever
** thread that is, so a block may outlive whoever opened the Mem. */
void lc_mem_retire (Mem *m);

/* NULL when there is no memory. Any thread. */
void *lc_mem_alloc (Mem *m, size_t size);
/* As alloc, filled with zeros. */
void *lc_mem_zalloc (Mem *m, size_t size);
/* On NULL the old block is untouched. `p` may be NULL with osize 0. */
void *lc_mem_resize (Mem *m, void *p, size_t osize, size_t nsize);
/* `p` may be NULL. */
void lc_mem_free (Mem *m, void *p, size_t size);
size_t lc_mem_used (Mem *m);

/*
** A piece of `size` bytes that stays as it is until it is given back; not counted. What
** the C library would give is from pages.h if `size` is a multiple of LC_PAGES. NULL
** when there is no memory. Any thread.
*/
void *lc_mem_take (Mem *m, size_t size);
void lc_mem_give (Mem *m, void *p, size_t size);

#endif
