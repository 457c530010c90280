/* Counted memory: what is out is known, from every thread, and a Mem that its
** maker has left goes with its last block. */
#include "check.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/pages.h"
#include "base/thread.h"

/* An allocator that knows what is out, and can be told to refuse. */
typedef struct Meter {
  _Atomic(long) out;      /* bytes */
  _Atomic(int) refuse;
} Meter;

static void *meter (void *ud, void *p, size_t osize, size_t nsize) {
  Meter *m = (Meter *)ud;
  void *q;
  if (nsize == 0) {
    if (p != NULL) atomic_fetch_sub_explicit(&m->out, (long)osize,
                                             memory_order_relaxed);
    free(p);
    return NULL;
  }
  if (atomic_load_explicit(&m->refuse, memory_order_relaxed)) return NULL;
  q = realloc(p, nsize);
  if (q != NULL) atomic_fetch_add_explicit(&m->out, (long)nsize - (long)osize,
                                           memory_order_relaxed);
  return q;
}

static long meter_out (Meter *m) {
  return atomic_load_explicit(&m->out, memory_order_relaxed);
}

static void test_it_counts_what_is_out (void) {
  Mem m;
  char *p, *q;
  lc_mem_init(&m, NULL, NULL);
  p = (char *)lc_mem_alloc(&m, 100);
  q = (char *)lc_mem_resize(&m, NULL, 0, 10);
  REQUIRE(p != NULL && q != NULL);
  CHECK_INT(lc_mem_used(&m), 110);
  p = (char *)lc_mem_resize(&m, p, 100, 300);
  CHECK_INT(lc_mem_used(&m), 310);
  p = (char *)lc_mem_resize(&m, p, 300, 50);
  CHECK_INT(lc_mem_used(&m), 60);
  lc_mem_free(&m, p, 50);
  lc_mem_free(&m, q, 10);
  lc_mem_free(&m, NULL, 0);
  CHECK_INT(lc_mem_used(&m), 0);
}

static void test_zalloc_gives_zeros (void) {
  Mem m;
  unsigned char *p;
  int i, sum = 0;
  lc_mem_init(&m, NULL, NULL);
  p = (unsigned char *)lc_mem_zalloc(&m, 256);
  REQUIRE(p != NULL);
  for (i = 0; i < 256; i++) sum += p[i];
  CHECK_INT(sum, 0);
  lc_mem_free(&m, p, 256);
}

static void test_a_refusal_changes_nothing (void) {
  Meter meter_ = {0, 0};
  Mem m;
  char *p;
  lc_mem_init(&m, meter, &meter_);
  p = (char *)lc_mem_alloc(&m, 8);
  REQUIRE(p != NULL);
  strcpy(p, "as was");
  atomic_store_explicit(&meter_.refuse, 1, memory_order_relaxed);
  CHECK(lc_mem_alloc(&m, 8) == NULL);
  CHECK(lc_mem_zalloc(&m, 8) == NULL);
  CHECK(lc_mem_resize(&m, p, 8, 64) == NULL);
  CHECK_STR(p, "as was");
  CHECK_INT(lc_mem_used(&m), 8);
  lc_mem_free(&m, p, 8);
  CHECK_INT(lc_mem_used(&m), 0);
  CHECK_INT(meter_out(&meter_), 0);
}

static void test_a_mem_of_its_own_may_be_refused_too (void) {
  Meter meter_ = {0, 1};
  CHECK(lc_mem_new(meter, &meter_) == NULL);
  lc_mem_retire(NULL);
}

static void test_a_retired_mem_goes_with_its_last_block (void) {
  Meter meter_ = {0, 0};
  Mem *m = lc_mem_new(meter, &meter_);
  void *p, *q;
  REQUIRE(m != NULL);
  CHECK_INT(lc_mem_used(m), 0);
  p = lc_mem_alloc(m, 10);
  q = lc_mem_alloc(m, 20);
  lc_mem_retire(m);
  lc_mem_free(m, p, 10);
  CHECK(meter_out(&meter_) >= 20);
  lc_mem_free(m, q, 20);
  CHECK_INT(meter_out(&meter_), 0);
}

static void test_a_retired_mem_without_blocks_goes_at_once (void) {
  Meter meter_ = {0, 0};
  Mem *m = lc_mem_new(meter, &meter_);
  REQUIRE(m != NULL);
  lc_mem_retire(m);
  CHECK_INT(meter_out(&meter_), 0);
}

/* --- pieces -------------------------------------------------------------- */

static void test_a_piece_of_whole_pages (void) {
  Mem m;
  size_t size;
  lc_mem_init(&m, NULL, NULL);
  for (size = LC_PAGES; size <= 2 * LC_PAGES; size += LC_PAGES) {
    char *p = (char *)lc_mem_take(&m, size), *q = (char *)lc_mem_take(&m, size);
    REQUIRE(p != NULL && q != NULL);
    CHECK_INT((uintptr_t)p % LC_PAGES, 0);
    CHECK_INT((uintptr_t)q % LC_PAGES, 0);
    CHECK(p + size <= q || q + size <= p);
    CHECK_INT(p[0] + p[size - 1] + q[0] + q[size - 1], 0);
    memset(p, 1, size);
    memset(q, 2, size);
    CHECK(p[0] == 1 && p[size - 1] == 1);
    lc_mem_give(&m, p, size);
    CHECK(q[0] == 2 && q[size - 1] == 2);
    lc_mem_give(&m, q, size);
  }
  CHECK_INT(lc_mem_used(&m), 0);
}

static void test_a_piece_is_the_hosts_where_memory_is (void) {
  Meter meter_ = {0, 0};
  Mem m;
  void *p, *q;
  lc_mem_init(&m, meter, &meter_);
  p = lc_mem_take(&m, LC_PAGES);
  q = lc_mem_take(&m, 1000);
  CHECK_INT(meter_out(&meter_), LC_PAGES + 1000);
  lc_mem_give(&m, p, LC_PAGES);
  lc_mem_give(&m, q, 1000);
  CHECK_INT(meter_out(&meter_), 0);
  atomic_store_explicit(&meter_.refuse, 1, memory_order_relaxed);
  CHECK(lc_mem_take(&m, LC_PAGES) == NULL);
}

static void test_more_than_the_system_has_is_refused (void) {
  Mem m;
  lc_mem_init(&m, NULL, NULL);
  CHECK(lc_mem_take(&m, (size_t)-1 / 4 / LC_PAGES * LC_PAGES) == NULL);
}

/* --- threads ------------------------------------------------------------ */

static void churn (void *ud) {
  Mem *m = (Mem *)ud;
  void *p[16];
  int i, round;
  for (round = 0; round < 500; round++) {
    for (i = 0; i < 16; i++) p[i] = lc_mem_alloc(m, (size_t)(i + 1) * 8);
    for (i = 0; i < 16; i++)
      p[i] = lc_mem_resize(m, p[i], (size_t)(i + 1) * 8, (size_t)(16 - i) * 8);
    for (i = 0; i < 16; i++) lc_mem_free(m, p[i], (size_t)(16 - i) * 8);
  }
}

static void test_threads_count_together (void) {
  Mem m;
  Thread t[4];
  int i;
  lc_mem_init(&m, NULL, NULL);
  for (i = 0; i < 4; i++) REQUIRE(lc_thread_start(&t[i], churn, &m, 0) == 0);
  for (i = 0; i < 4; i++) lc_thread_join(&t[i]);
  CHECK_INT(lc_mem_used(&m), 0);
}

typedef struct Heir {
  Mem *m;
  void *block;
} Heir;

static void inherit (void *ud) {
  Heir *h = (Heir *)ud;
  lc_mem_free(h->m, h->block, 64);
}

static void test_the_last_thread_frees_a_retired_mem (void) {
  int round, i;
  for (round = 0; round < 200; round++) {
    Meter meter_ = {0, 0};
    Mem *m = lc_mem_new(meter, &meter_);
    Heir heirs[3];
    Thread t[3];
    REQUIRE(m != NULL);
    for (i = 0; i < 3; i++) {
      heirs[i].m = m;
      heirs[i].block = lc_mem_alloc(m, 64);
    }
    for (i = 0; i < 3; i++)
      REQUIRE(lc_thread_start(&t[i], inherit, &heirs[i], 0) == 0);
    lc_mem_retire(m);
    for (i = 0; i < 3; i++) lc_thread_join(&t[i]);
    CHECK_INT(meter_out(&meter_), 0);
  }
}

int main (void) {
  RUN(test_it_counts_what_is_out);
  RUN(test_zalloc_gives_zeros);
  RUN(test_a_refusal_changes_nothing);
  RUN(test_a_mem_of_its_own_may_be_refused_too);
  RUN(test_a_retired_mem_goes_with_its_last_block);
  RUN(test_a_retired_mem_without_blocks_goes_at_once);
  RUN(test_a_piece_of_whole_pages);
  RUN(test_a_piece_is_the_hosts_where_memory_is);
  RUN(test_more_than_the_system_has_is_refused);
  RUN(test_threads_count_together);
  RUN(test_the_last_thread_frees_a_retired_mem);
  return check_end();
}
