/*
** run_heap.c: the memory of one state: huge blocks that were freed are kept
** for the next of their size, within bounds, and given back at the end.
*/
#include "check.h"

#include <stdlib.h>

#include "run/heap.h"

/* What is out, and how much more may be. */
static size_t out, most = (size_t)-1;

static void *counted (void *ud, void *p, size_t osize, size_t nsize) {
  (void)ud;
  if (p == NULL) osize = 0;
  if (nsize > osize && nsize - osize > most - out) return NULL;
  out = out - osize + nsize;
  if (nsize == 0) {
    free(p);
    return NULL;
  }
  return realloc(p, nsize);
}

static Mem mem;
static Heap heap;

static void *take (size_t n) { return lc_heap_alloc(&heap, NULL, 0, n); }
static void give (void *p, size_t n) { lc_heap_alloc(&heap, p, n, 0); }

static void begin (void) {
  out = 0;
  most = (size_t)-1;
  lc_mem_init(&mem, counted, NULL);
  lc_heap_init(&heap, &mem);
}

static void all_is_given_back (void) {
  size_t n;
  begin();
  for (n = 1; n < ((size_t)16 << 20); n += n / 3 + 1) {
    void *p = take(n);
    REQUIRE(p != NULL);
    memset(p, 1, n);
    p = lc_heap_alloc(&heap, p, n, n + n / 2);
    REQUIRE(p != NULL);
    memset(p, 2, n + n / 2);
    CHECK_INT(lc_heap_used(&heap), n + n / 2);
    p = lc_heap_alloc(&heap, p, n + n / 2, n / 2 + 1);
    REQUIRE(p != NULL);
    CHECK(*(char *)p == 2);
    give(p, n / 2 + 1);
  }
  CHECK_INT(lc_heap_used(&heap), 0);
  lc_heap_clear(&heap);
  CHECK_INT(out, 0);
}

/* (Not in a sanitizer build, where every block is the system's.) */
static void what_is_kept_is_bounded (void) {
  void *p[64];
  size_t i, before;
  begin();
  for (i = 0; i < 64; i++) REQUIRE((p[i] = take(1 << 20)) != NULL);
  for (i = 0; i < 64; i++) give(p[i], 1 << 20);
  CHECK(out <= HEAP_KEPT_BYTES);
  before = out;
  p[0] = take((1 << 20) - 100);              /* rounded up, it fits again */
  CHECK(before == 0 || out == before);
  give(p[0], (1 << 20) - 100);
  lc_heap_trim(&heap);
  CHECK_INT(out, 0);
  lc_heap_clear(&heap);
}

static void what_is_kept_does_not_stand_in_the_way (void) {
  void *p, *q;
  begin();
  p = take(1 << 20);
  REQUIRE(p != NULL);
  give(p, 1 << 20);
  most = 3 << 19;
  q = take(5 << 18);
  CHECK(q != NULL);
  give(q, 5 << 18);
  p = take(100);
  CHECK(p != NULL);
  give(p, 100);
  p = take(70000);
  REQUIRE(p != NULL);
  p = lc_heap_alloc(&heap, p, 70000, 5 << 18);
  CHECK(p != NULL);
  give(p, 5 << 18);
  lc_heap_clear(&heap);
  CHECK_INT(out, 0);
}

int main (void) {
  RUN(all_is_given_back);
  RUN(what_is_kept_is_bounded);
  RUN(what_is_kept_does_not_stand_in_the_way);
  return check_end();
}
