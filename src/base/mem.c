#include "mem.h"

#include <stdlib.h>
#include <string.h>

#include "pages.h"

static void *mem_libc (void *ud, void *p, size_t osize, size_t nsize) {
  (void)ud; (void)osize;
  if (nsize == 0) {
    free(p);
    return NULL;
  }
  return realloc(p, nsize);
}

void lc_mem_init (Mem *m, MemFn fn, void *ud) {
  m->fn = fn != NULL ? fn : mem_libc;
  m->ud = ud;
  m->base = m->limit = 0;
  atomic_store_explicit(&m->used, 0, memory_order_relaxed);
}

Mem *lc_mem_new (MemFn fn, void *ud) {
  Mem *m;
  if (fn == NULL) fn = mem_libc;
  m = (Mem *)fn(ud, NULL, 0, sizeof(Mem));
  if (m == NULL) return NULL;
  lc_mem_init(m, fn, ud);
  m->base = sizeof(Mem);
  atomic_store_explicit(&m->used, sizeof(Mem), memory_order_relaxed);
  return m;
}

static void *mem_parent (void *ud, void *p, size_t osize, size_t nsize) {
  Mem *parent = (Mem *)ud;
  if (nsize != 0) return lc_mem_resize(parent, p, osize, nsize);
  lc_mem_free(parent, p, osize);
  return NULL;
}

Mem *lc_mem_within (Mem *parent, size_t limit) {
  Mem *m = lc_mem_new(mem_parent, parent);
  if (m != NULL) m->limit = limit;
  return m;
}

/*
** acq_rel: the thread that takes the count of a heap Mem to zero frees it;
** release orders every other thread's last use of `m` before that.
** A Mem in the caller's storage (base == 0) is never freed here.
*/
static void mem_less (Mem *m, size_t size) {
  size_t base = m->base;
  if (atomic_fetch_sub_explicit(&m->used, size, memory_order_acq_rel) == size
      && base != 0)
    m->fn(m->ud, m, base, 0);
}

void lc_mem_retire (Mem *m) {
  if (m != NULL) mem_less(m, m->base);
}

void *lc_mem_alloc (Mem *m, size_t size) {
  return lc_mem_resize(m, NULL, 0, size);
}

void *lc_mem_zalloc (Mem *m, size_t size) {
  void *p = lc_mem_alloc(m, size);
  if (p != NULL) memset(p, 0, size);
  return p;
}

/* Two threads at once may pass the limit by what both ask for. */
static int mem_may (Mem *m, size_t osize, size_t nsize) {
  size_t more = nsize - osize;
  if (m->limit == 0 || nsize <= osize) return 1;
  return more <= m->limit && lc_mem_used(m) <= m->limit - more;
}

/* Adding orders nothing: relaxed. */
void *lc_mem_resize (Mem *m, void *p, size_t osize, size_t nsize) {
  void *q = mem_may(m, osize, nsize) ? m->fn(m->ud, p, osize, nsize) : NULL;
  if (q == NULL) return NULL;
  if (nsize >= osize)
    atomic_fetch_add_explicit(&m->used, nsize - osize, memory_order_relaxed);
  else
    mem_less(m, osize - nsize);
  return q;
}

void lc_mem_free (Mem *m, void *p, size_t size) {
  if (p == NULL) return;
  m->fn(m->ud, p, size, 0);
  mem_less(m, size);
}

size_t lc_mem_used (Mem *m) {
  return atomic_load_explicit(&m->used, memory_order_relaxed) - m->base;
}

static int mem_is_pages (const Mem *m, size_t size) {
  return m->fn == mem_libc && size % LC_PAGES == 0;
}

void *lc_mem_take (Mem *m, size_t size) {
  if (mem_is_pages(m, size)) return lc_pages_take(size);
  return m->fn(m->ud, NULL, 0, size);
}

void lc_mem_give (Mem *m, void *p, size_t size) {
  if (mem_is_pages(m, size)) lc_pages_give(p, size);
  else m->fn(m->ud, p, size, 0);
}
