/* The batch that a worker keeps for its results, without a worker; and what is in batches. */
#include "check.h"

#include <stdlib.h>

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

/* The items 7, 8, ... of a range from `first`, by `step`. */
static Batch *keeper_span (Keeper *k, size_t n, lua_Integer first,
                           lua_Integer step) {
  Batch *b = lc_batch_new(&k->mem);
  if (b != NULL && lc_batch_reserve(b, n)) {
    b->shape = SHAPE_SPAN;
    b->step = step;
    lc_entry_init(&b->model, 7, ENTRY_ITEM, 0);
    b->model.form = FORM_INTEGER;
    b->model.integer = first;
    b->n = n;
  }
  return b;
}

/* Results of the items 7, 8, ...: 0, true, 2, true... (Not where there is room for one
** entry alone: that is in the place of the model.) */
static Batch *keeper_row (Keeper *k, size_t n) {
  Batch *b = lc_batch_new(&k->mem);
  if (b != NULL && lc_batch_reserve(b, n + 2)) {
    b->shape = SHAPE_ROW;
    lc_entry_init(&b->model, 7, ENTRY_VALUES, 1);
    b->model.worker = 3;
    b->model.attempt = 1;
    for (; b->n < n; b->n++) {
      Cell *c = &lc_batch_cells(b)[b->n];
      c->bits = (lua_Integer)b->n;
      c->form = b->n % 2 == 0 ? FORM_INTEGER : FORM_TRUE;
    }
  }
  return b;
}

/* --- the spare ------------------------------------------------------------ */

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
  in = keeper_span(&k, 64, 1, 1);
  REQUIRE(in != NULL);
  out = keeper_round(&k, in);
  CHECK(in->warm == 0);
  lc_batch_free(out);
  next = keeper_span(&k, 64, 1, 1);
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

/* --- spans and rows ------------------------------------------------------- */

static void check_item (const Entry *e, uint64_t index, lua_Integer x) {
  CHECK(e->index == index && e->kind == ENTRY_ITEM);
  CHECK(e->form == FORM_INTEGER && e->integer == x);
}

static void check_result (const Entry *e, size_t i) {
  CHECK(e->index == 7 + i && e->kind == ENTRY_VALUES && e->last);
  CHECK(e->worker == 3 && e->attempt == 1);
  CHECK(e->form == (i % 2 == 0 ? FORM_INTEGER : FORM_TRUE));
  CHECK(i % 2 != 0 || e->integer == (lua_Integer)i);
}

static void test_a_span_has_all_its_items (void) {
  Keeper k;
  Batch *b;
  Entry made;
  size_t i;
  keeper_open(&k, NULL, NULL);
  b = keeper_span(&k, 5, LUA_MAXINTEGER - 6, 3);
  REQUIRE(b != NULL);
  CHECK(lc_batch_index(b, 4) == 11);
  check_item(lc_batch_entry(b, 2, &made), 9, LUA_MAXINTEGER);
  check_item(lc_batch_entry(b, 3, &made), 10, LUA_MININTEGER + 2);
  lc_batch_spell(b);
  CHECK(b->shape == SHAPE_ENTRIES && b->n == 5);
  for (i = 0; i < 3; i++)
    check_item(&b->entries[i], 7 + i, LUA_MAXINTEGER - 6 + 3 * (lua_Integer)i);
  check_item(&b->entries[4], 11, LUA_MININTEGER + 5);
  lc_batch_free(b);
  keeper_close(&k);
}

static void test_a_part_of_a_span_is_run_again (void) {
  Keeper k;
  Batch *b, *again;
  keeper_open(&k, NULL, NULL);
  b = keeper_span(&k, 9, 100, -10);
  REQUIRE(b != NULL);
  again = lc_batch_again(b, 3, 6);
  REQUIRE(again != NULL);
  CHECK(again->shape == SHAPE_ENTRIES && again->n == 3);
  check_item(&again->entries[0], 10, 70);
  check_item(&again->entries[2], 12, 50);
  lc_batch_free(again);
  lc_batch_free(b);
  keeper_close(&k);
}

/* The first entry has no memory of its own, and is there when others follow. */
static void test_a_batch_grows_from_one (void) {
  Keeper k;
  Batch *b;
  size_t n;
  keeper_open(&k, NULL, NULL);
  b = lc_batch_new(&k.mem);
  REQUIRE(b != NULL && lc_batch_reserve(b, 0) && lc_batch_reserve(b, 1));
  CHECK_INT(lc_mem_used(&k.mem), sizeof(Batch));
  for (n = 0; n < 100; n++) {
    Entry *e = lc_batch_add(b, n + 1, ENTRY_ITEM, 0);
    REQUIRE(e != NULL);
    e->form = FORM_INTEGER;
    e->integer = (lua_Integer)n;
  }
  for (n = 0; n < 100; n++) check_item(&b->entries[n], n + 1, (lua_Integer)n);
  lc_batch_free(b);
  b = keeper_span(&k, 1, 5, 2);
  REQUIRE(b != NULL && lc_batch_reserve(b, 3));
  b->n = 3;
  lc_batch_spell(b);
  for (n = 0; n < 3; n++) check_item(&b->entries[n], 7 + n, 5 + 2 * (lua_Integer)n);
  lc_batch_free(b);
  keeper_close(&k);
}

/* Of all sizes, since the entries go where the cells are. */
static void test_a_row_is_spelled_out_in_place (void) {
  Keeper k;
  size_t n, i;
  keeper_open(&k, NULL, NULL);
  for (n = 0; n < 70; n++) {
    Batch *b = keeper_row(&k, n);
    Entry made;
    REQUIRE(b != NULL);
    CHECK(lc_batch_lasts(b) == n);
    for (i = 0; i < n; i++) check_result(lc_batch_entry(b, i, &made), i);
    lc_batch_spell(b);
    CHECK(b->shape == SHAPE_ENTRIES && b->n == n);
    for (i = 0; i < n; i++) check_result(&b->entries[i], i);
    lc_batch_free(b);
  }
  keeper_close(&k);
}

static void test_what_is_no_value_spells_a_row_out (void) {
  Keeper k;
  Batch *b;
  Entry *e;
  keeper_open(&k, NULL, NULL);
  b = keeper_row(&k, 4);
  REQUIRE(b != NULL && lc_batch_reserve(b, 5));
  e = lc_batch_put(b, 11, ENTRY_VALUES, 0);
  CHECK(b->n == 5 && e == &b->entries[4] && e->form == FORM_RECORD);
  check_result(&b->entries[0], 0);
  check_result(&b->entries[3], 3);
  CHECK(lc_batch_lasts(b) == 4);
  lc_batch_free(b);
  keeper_close(&k);
}

int main (void) {
  RUN(test_results_go_where_the_items_before_were);
  RUN(test_one_is_kept);
  RUN(test_what_was_not_here_is_fetched);
  RUN(test_without_memory_the_spare_will_do);
  RUN(test_a_span_has_all_its_items);
  RUN(test_a_part_of_a_span_is_run_again);
  RUN(test_a_batch_grows_from_one);
  RUN(test_a_row_is_spelled_out_in_place);
  RUN(test_what_is_no_value_spells_a_row_out);
  return check_end();
}
