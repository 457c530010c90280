/* The batch that a worker keeps for its results, without a worker. */
#include "check.h"

#include <stdlib.h>

#include "batches.h"
#include "pool/answer.h"

typedef struct Keeper {
  Mem mem;
  Worker worker;
  RunKit kit;
} Keeper;

static void keeper_open (Keeper *k, MemFn alloc, void *ud) {
  memset(k, 0, sizeof *k);
  lc_mem_init(&k->mem, alloc, ud);
  k->worker.mem = &k->mem;
  k->kit.w = &k->worker;
}

static void keeper_close (Keeper *k) {
  lc_batch_free(k->kit.spare);
  CHECK_INT(lc_mem_used(&k->mem), 0);
}

/* A batch with `n` items that was run to its end. */
static Batch *keeper_in (Keeper *k, size_t n) {
  Batch *b = lc_batch_new(&k->mem);
  if (b != NULL && lc_batch_reserve(b, n))
    while (b->n < n) lc_batch_put(b, b->n + 1, ENTRY_ITEM, 0);
  return b;
}

/* A round of the items in `in`, which stays: gives the batch that the results are in, the
** caller's. */
static Batch *keeper_round (Keeper *k, Batch *in) {
  Batch *out = lc_answer_batch(&k->kit, in, in->n);
  CHECK(out != NULL && out->n == 0 && out->cap >= in->n);
  lc_answer_spare(&k->kit, in);
  return out;
}

static void test_results_go_where_the_items_before_were (void) {
  Keeper k;
  Batch *first, *second, *out;
  keeper_open(&k, NULL, NULL);
  first = keeper_in(&k, 96);
  REQUIRE(first != NULL);
  lc_batch_free(keeper_round(&k, first));
  second = keeper_in(&k, 96);
  REQUIRE(second != NULL);
  out = keeper_round(&k, second);
  CHECK(out == first);
  lc_batch_free(out);
  keeper_close(&k);
}

static void test_one_is_kept (void) {
  Keeper k;
  int i;
  keeper_open(&k, NULL, NULL);
  for (i = 0; i < 5; i++) lc_answer_spare(&k.kit, keeper_in(&k, 10));
  CHECK(k.kit.spare != NULL);
  keeper_close(&k);            /* the others are freed */
}

/* What was read or written here is; what a span only says is not, and is fetched. */
static void test_what_was_not_here_is_fetched (void) {
  Keeper k;
  Batch *in, *out, *next;
  keeper_open(&k, NULL, NULL);
  in = keeper_in(&k, 96);
  REQUIRE(in != NULL);
  lc_answer_spare(&k.kit, in);
  CHECK(in->warm == 96 * sizeof(Entry));
  in = batch_span(&k.mem, 64, 1, 1);
  REQUIRE(in != NULL);
  out = keeper_round(&k, in);
  CHECK(in->warm == 0);
  lc_batch_free(out);
  next = batch_span(&k.mem, 64, 1, 1);
  REQUIRE(next != NULL);
  out = keeper_round(&k, next);
  CHECK(out == in && out->warm >= 64 * sizeof(Cell));
  lc_batch_free(out);
  keeper_close(&k);
}

/* An allocator that has no more to give, once it is told. */
static void *miser (void *ud, void *p, size_t was, size_t size) {
  (void)was;
  if (size == 0) {
    free(p);
    return NULL;
  }
  return *(int *)ud ? NULL : realloc(p, size);
}

static void test_without_memory_the_spare_will_do (void) {
  Keeper k;
  Batch *many, *out, *in;
  int empty = 0;
  keeper_open(&k, miser, &empty);
  many = keeper_in(&k, 96);
  in = keeper_in(&k, 2);
  REQUIRE(many != NULL && in != NULL);
  lc_batch_free(keeper_round(&k, many));
  empty = 1;
  out = lc_answer_batch(&k.kit, in, 2);
  CHECK(out == many);
  CHECK(lc_answer_batch(&k.kit, in, 2) == NULL);
  lc_batch_free(in);
  lc_batch_free(out);
  keeper_close(&k);
}

int main (void) {
  RUN(test_results_go_where_the_items_before_were);
  RUN(test_one_is_kept);
  RUN(test_what_was_not_here_is_fetched);
  RUN(test_without_memory_the_spare_will_do);
  return check_end();
}
