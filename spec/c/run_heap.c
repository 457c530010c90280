/*
** run_heap.c: the memory of one state: huge blocks that were freed are kept
** for the next of their size, within bounds, and given back at the end; small ones grow
** in place of others.
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

/* What a block holds goes with it when it grows, byte for byte, also by less than a
** class; what it has left is the next one's. */
static void a_small_block_grows (void) {
  size_t from, to, i, wrong = 0;
  begin();
  for (from = 1; from <= HEAP_SMALL; from += 7) {
    for (to = from + 1; to <= HEAP_SMALL + 100; to += 13) {
      char *other = (char *)take(to), *p = (char *)take(from);
      REQUIRE(p != NULL && other != NULL);
      memset(other, 9, to);
      for (i = 0; i < from; i++) p[i] = (char)i;
      p = (char *)lc_heap_alloc(&heap, p, from, to);
      REQUIRE(p != NULL);
      CHECK_INT(lc_heap_used(&heap), 2 * to);
      memset(p + from, 7, to - from);
      for (i = 0; i < from; i++) wrong += p[i] != (char)i;
      for (i = 0; i < to; i++) wrong += other[i] != 9;
      give(other, to);
      give(p, to);
    }
  }
  CHECK_INT(wrong, 0);
  CHECK_INT(lc_heap_used(&heap), 0);
  lc_heap_clear(&heap);
  CHECK_INT(out, 0);
}

/* The limit holds for what grows, too; the block stays as it was. */
static void what_grows_is_limited (void) {
  char *p, *ballast;
  size_t n = 16;
  begin();
  lc_heap_limit(&heap, 10000);
  ballast = (char *)take(9900);
  p = (char *)take(n);
  REQUIRE(p != NULL && ballast != NULL);
  memset(p, 3, n);
  while (n < 500) {
    char *q = (char *)lc_heap_alloc(&heap, p, n, n + 16);
    if (q == NULL) break;
    p = q;
    memset(p + n, 3, 16);
    n += 16;
  }
  CHECK_INT(n, 96);
  CHECK_INT(lc_heap_used(&heap), 9996);
  CHECK_INT(heap.refused, 1);
  while (n > 0) CHECK(p[--n] == 3);
  give(p, 96);
  give(ballast, 9900);
  lc_heap_clear(&heap);
  CHECK_INT(out, 0);
}

/* Chunks are twice the limit at most, and come to that: of small blocks, all are had. */
static void chunks_fit_a_limit (void) {
  static void *p[100000];
  size_t limit, n, i;
  for (limit = 40000; limit < (size_t)4 << 20; limit = limit * 3 / 2) {
    begin();
    lc_heap_limit(&heap, limit);
    for (n = 0; n < 100000 && lc_heap_used(&heap) + 64 <= limit; n++)
      REQUIRE((p[n] = take(64)) != NULL);
    CHECK(out <= 2 * limit || out == n * 64);       /* a sanitizer's: no chunks */
    for (i = 0; i < n; i++) give(p[i], 64);
    lc_heap_clear(&heap);
    CHECK_INT(out, 0);
  }
}

/* (Not in a sanitizer build, where every block is the system's.) */
static void what_is_kept_is_bounded (void) {
  void *p[64];
  size_t i, before;
  begin();
  for (i = 0; i < 64; i++) REQUIRE((p[i] = take(1 << 20)) != NULL);
  for (i = 0; i < 64; i++) give(p[i], 1 << 20);
  CHECK(out <= HEAP_KEPT_BYTES + HEAP_KEPT * sizeof(HeapKept));
  before = out;
  p[0] = take((1 << 20) - 100);              /* rounded up, it fits again */
  CHECK(before == 0 || out == before);
  give(p[0], (1 << 20) - 100);
  lc_heap_trim(&heap);
  CHECK_INT(out, 0);
  lc_heap_clear(&heap);
}

static void a_huge_block_grows_into_one_that_is_kept (void) {
  size_t small = HEAP_HUGE, large = 4 * HEAP_HUGE, i, wrong = 0, before;
  char *p;
  begin();
  give(take(large), large);
  p = (char *)take(small);
  REQUIRE(p != NULL);
  for (i = 0; i < small; i++) p[i] = (char)(i % 101);
  before = out;
  p = (char *)lc_heap_alloc(&heap, p, small, large);
  REQUIRE(p != NULL);
  CHECK(heap.kept == NULL || out == before);
  CHECK_INT(lc_heap_used(&heap), large);
  for (i = 0; i < small; i++) wrong += p[i] != (char)(i % 101);
  CHECK_INT(wrong, 0);
  give(p, large);
  lc_heap_clear(&heap);
  CHECK_INT(out, 0);
}

/* In number as in bytes, and by the limit. */
static void little_is_kept_under_a_limit (void) {
  void *p[100];
  size_t i;
  begin();
  for (i = 0; i < 100; i++) REQUIRE((p[i] = take(HEAP_HUGE)) != NULL);
  for (i = 0; i < 100; i++) give(p[i], HEAP_HUGE);
  CHECK(heap.nkept <= HEAP_KEPT);
  lc_heap_trim(&heap);
  lc_heap_limit(&heap, 1 << 20);
  for (i = 0; i < 8; i++) REQUIRE((p[i] = take(100000)) != NULL);
  for (i = 0; i < 8; i++) give(p[i], 100000);
  p[0] = take(600000);
  REQUIRE(p[0] != NULL);
  give(p[0], 600000);
  CHECK(heap.bytes_kept <= 1 << 20);
  lc_heap_clear(&heap);
  CHECK_INT(out, 0);
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
  RUN(a_small_block_grows);
  RUN(what_grows_is_limited);
  RUN(chunks_fit_a_limit);
  RUN(what_is_kept_is_bounded);
  RUN(a_huge_block_grows_into_one_that_is_kept);
  RUN(little_is_kept_under_a_limit);
  RUN(what_is_kept_does_not_stand_in_the_way);
  return check_end();
}
