/* The batches that a worker keeps for its results, without a worker. */
#include "check.h"

#include <stdlib.h>

#include "pool/answer.h"

typedef struct Keeper {
  Mem mem;
  RunKit kit;
} Keeper;

static void keeper_open (Keeper *k) {
  memset(k, 0, sizeof *k);
  lc_mem_init(&k->mem, NULL, NULL);
}

static void keeper_close (Keeper *k) {
  int i;
  for (i = 0; i < LC_SPARES; i++) lc_batch_free(k->kit.spare[i]);
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
  Batch *out = lc_answer_batch(&k->kit, &k->mem, in->n);
  CHECK(out != NULL && out->n == 0 && out->cap >= in->n);
  lc_answer_spare(&k->kit, in);
  return out;
}

static void test_results_go_where_the_items_before_were (void) {
  Keeper k;
  Batch *first, *second, *out;
  keeper_open(&k);
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

static void test_few_results_leave_a_batch_of_many_alone (void) {
  Keeper k;
  Batch *many, *few, *out;
  keeper_open(&k);
  many = keeper_in(&k, 96);
  few = keeper_in(&k, 2);
  REQUIRE(many != NULL && few != NULL);
  lc_batch_free(keeper_round(&k, many));
  out = keeper_round(&k, few);
  CHECK(out != many);
  lc_batch_free(out);
  out = lc_answer_batch(&k.kit, &k.mem, 2);      /* and the next few neither */
  CHECK(out == few);
  lc_batch_free(out);
  out = lc_answer_batch(&k.kit, &k.mem, 96);
  CHECK(out == many);
  lc_batch_free(out);
  keeper_close(&k);
}

/* Maps of 2, 96 and 38 items, as they come to a worker. */
static void test_the_last_of_a_map_leaves_one_for_the_next_map (void) {
  static const size_t sizes[] = { 2, 96, 38 };
  Keeper k;
  Batch *many = NULL;
  int i;
  keeper_open(&k);
  for (i = 0; i < 12; i++) {
    Batch *in = keeper_in(&k, sizes[i % 3]), *out;
    REQUIRE(in != NULL);
    out = keeper_round(&k, in);
    if (sizes[i % 3] == 96) {
      CHECK(many == NULL || i < 6 || out == many);
      many = in;
    }
    lc_batch_free(out);
  }
  keeper_close(&k);
}

static void test_not_more_are_kept_than_three (void) {
  Keeper k;
  int i, kept = 0;
  keeper_open(&k);
  for (i = 0; i < 5; i++) lc_answer_spare(&k.kit, keeper_in(&k, 10));
  for (i = 0; i < LC_SPARES; i++) kept += k.kit.spare[i] != NULL;
  CHECK_INT(kept, 3);
  keeper_close(&k);            /* the others are freed */
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

static void test_without_memory_few_results_take_what_there_is (void) {
  Keeper k;
  Batch *many, *out;
  int empty = 0;
  memset(&k, 0, sizeof k);
  lc_mem_init(&k.mem, miser, &empty);
  many = keeper_in(&k, 96);
  REQUIRE(many != NULL);
  lc_batch_free(keeper_round(&k, many));
  empty = 1;
  out = lc_answer_batch(&k.kit, &k.mem, 2);
  CHECK(out == many);
  CHECK(lc_answer_batch(&k.kit, &k.mem, 2) == NULL);
  lc_batch_free(out);
  keeper_close(&k);
}

int main (void) {
  RUN(test_results_go_where_the_items_before_were);
  RUN(test_few_results_leave_a_batch_of_many_alone);
  RUN(test_the_last_of_a_map_leaves_one_for_the_next_map);
  RUN(test_not_more_are_kept_than_three);
  RUN(test_without_memory_few_results_take_what_there_is);
  return check_end();
}
