#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "pages.h"

#include <stdint.h>
#include <sys/mman.h>

static char *pages_map (size_t size) {
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                 -1, 0);
  return p != MAP_FAILED ? (char *)p : NULL;
}

static size_t pages_past (const char *p) {
  return (size_t)((uintptr_t)p % LC_PAGES);
}

/* Linux gives one that begins well since 6.7. Before that, or elsewhere: cut out of a
** larger one. */
static char *pages_cut (size_t size) {
  char *p = pages_map(size + LC_PAGES);
  size_t before;
  if (p == NULL) return NULL;
  before = pages_past(p) == 0 ? 0 : LC_PAGES - pages_past(p);
  if (before > 0) munmap(p, before);
  munmap(p + before + size, LC_PAGES - before);
  return p + before;
}

void *lc_pages_take (size_t size) {
  char *p = pages_map(size);
  if (p != NULL && pages_past(p) != 0) {
    munmap(p, size);
    p = pages_cut(size);
  }
#if defined(MADV_HUGEPAGE)
  if (p != NULL) madvise(p, size, MADV_HUGEPAGE);
#endif
  return p;
}

void lc_pages_give (void *p, size_t size) { munmap(p, size); }
