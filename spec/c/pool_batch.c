/* What is in batches, and where they are kept. */
#include "check.h"

#include "batches.h"

/* Results of the items 7, 8, ...: 0, true, 2, true... (Not where there is room for one
** entry alone: that is in the place of the model.) */
static Batch *batch_row (Mem *mem, size_t n) {
  Batch *b = lc_batch_new(mem);
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
  Mem mem;
  Batch *b;
  Entry made;
  size_t i;
  lc_mem_init(&mem, NULL, NULL);
  b = batch_span(&mem, 5, LUA_MAXINTEGER - 6, 3);
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
  CHECK_INT(lc_mem_used(&mem), 0);
}

static void test_a_part_of_a_span_is_run_again (void) {
  Mem mem;
  Batch *b, *again;
  lc_mem_init(&mem, NULL, NULL);
  b = batch_span(&mem, 9, 100, -10);
  REQUIRE(b != NULL);
  again = lc_batch_again(b, 3, 6);
  REQUIRE(again != NULL);
  CHECK(again->shape == SHAPE_ENTRIES && again->n == 3);
  check_item(&again->entries[0], 10, 70);
  check_item(&again->entries[2], 12, 50);
  lc_batch_free(again);
  lc_batch_free(b);
  CHECK_INT(lc_mem_used(&mem), 0);
}

/* The first entry has no memory of its own, and is there when others follow. */
static void test_a_batch_grows_from_one (void) {
  Mem mem;
  Batch *b;
  size_t n;
  lc_mem_init(&mem, NULL, NULL);
  b = lc_batch_new(&mem);
  REQUIRE(b != NULL && lc_batch_reserve(b, 0) && lc_batch_reserve(b, 1));
  CHECK_INT(lc_mem_used(&mem), sizeof(Batch));
  for (n = 0; n < 100; n++) {
    Entry *e = lc_batch_add(b, n + 1, ENTRY_ITEM, 0);
    REQUIRE(e != NULL);
    e->form = FORM_INTEGER;
    e->integer = (lua_Integer)n;
  }
  for (n = 0; n < 100; n++) check_item(&b->entries[n], n + 1, (lua_Integer)n);
  lc_batch_free(b);
  b = batch_span(&mem, 1, 5, 2);
  REQUIRE(b != NULL && lc_batch_reserve(b, 3));
  b->n = 3;
  lc_batch_spell(b);
  for (n = 0; n < 3; n++) check_item(&b->entries[n], 7 + n, 5 + 2 * (lua_Integer)n);
  lc_batch_free(b);
  CHECK_INT(lc_mem_used(&mem), 0);
}

/* Of all sizes, since the entries go where the cells are. */
static void test_a_row_is_spelled_out_in_place (void) {
  Mem mem;
  size_t n, i;
  lc_mem_init(&mem, NULL, NULL);
  for (n = 0; n < 70; n++) {
    Batch *b = batch_row(&mem, n);
    Entry made;
    REQUIRE(b != NULL);
    CHECK(lc_batch_lasts(b) == n);
    for (i = 0; i < n; i++) check_result(lc_batch_entry(b, i, &made), i);
    lc_batch_spell(b);
    CHECK(b->shape == SHAPE_ENTRIES && b->n == n);
    for (i = 0; i < n; i++) check_result(&b->entries[i], i);
    lc_batch_free(b);
  }
  CHECK_INT(lc_mem_used(&mem), 0);
}

static void test_what_is_no_value_spells_a_row_out (void) {
  Mem mem;
  Batch *b;
  Entry *e;
  lc_mem_init(&mem, NULL, NULL);
  b = batch_row(&mem, 4);
  REQUIRE(b != NULL && lc_batch_reserve(b, 5));
  e = lc_batch_put(b, 11, ENTRY_VALUES, 0);
  CHECK(b->n == 5 && e == &b->entries[4] && e->form == FORM_RECORD);
  check_result(&b->entries[0], 0);
  check_result(&b->entries[3], 3);
  CHECK(lc_batch_lasts(b) == 4);
  lc_batch_free(b);
  CHECK_INT(lc_mem_used(&mem), 0);
}

/* --- the shelf ------------------------------------------------------------ */

#define MIB ((size_t)1024 * 1024)

/* A batch whose message took `size` bytes. */
static Batch *batch_large (Mem *mem, size_t size) {
  Batch *b = lc_batch_new(mem);
  if (b != NULL && lc_message_room(&b->msg, size)) lc_batch_clear(b);
  return b;
}

static void test_a_shelf_gives_what_it_keeps (void) {
  Mem mem;
  Shelf shelf = { NULL, 0, 0 };
  Batch *b;
  lc_mem_init(&mem, NULL, NULL);
  CHECK(lc_shelf_take(&shelf, &mem) == NULL);
  b = batch_large(&mem, MIB);
  REQUIRE(b != NULL);
  lc_shelf_put(&shelf, b);
  CHECK(lc_shelf_take(&shelf, &mem) == b);
  CHECK(b->msg.cap >= MIB);
  CHECK(lc_shelf_take(&shelf, &mem) == NULL);
  CHECK_INT(shelf.bytes, 0);
  lc_batch_free(b);
  CHECK_INT(lc_mem_used(&mem), 0);
}

/* In number, and in bytes: a few large ones, or more that are small. */
static void test_what_a_shelf_keeps_is_bounded (void) {
  size_t size;
  for (size = 64; size <= 2 * MIB; size *= 2) {
    Mem mem;
    Shelf shelf = { NULL, 0, 0 };
    size_t i, used = 0;
    lc_mem_init(&mem, NULL, NULL);
    for (i = 0; i < 100; i++) {
      Batch *b = batch_large(&mem, size);
      REQUIRE(b != NULL);
      lc_shelf_put(&shelf, b);
      if (i == 0) used = lc_mem_used(&mem);
    }
    CHECK(shelf.n >= 3 && shelf.n <= 8);
    CHECK_INT(lc_mem_used(&mem), shelf.n * used);
    CHECK(lc_mem_used(&mem) <= 9 * MIB);
    lc_shelf_clear(&shelf);
    CHECK_INT(lc_mem_used(&mem), 0);
  }
}

static void test_a_shelf_keeps_what_one_mem_gave (void) {
  Mem mem, other;
  Shelf shelf = { NULL, 0, 0 };
  lc_mem_init(&mem, NULL, NULL);
  lc_mem_init(&other, NULL, NULL);
  lc_shelf_put(&shelf, batch_large(&mem, 64));
  lc_shelf_put(&shelf, batch_large(&other, 64));
  CHECK_INT(shelf.n, 1);
  CHECK_INT(lc_mem_used(&other), 0);
  CHECK(lc_shelf_take(&shelf, &other) == NULL);
  lc_shelf_clear(&shelf);
  CHECK_INT(lc_mem_used(&mem), 0);
}

int main (void) {
  RUN(test_a_span_has_all_its_items);
  RUN(test_a_part_of_a_span_is_run_again);
  RUN(test_a_batch_grows_from_one);
  RUN(test_a_row_is_spelled_out_in_place);
  RUN(test_what_is_no_value_spells_a_row_out);
  RUN(test_a_shelf_gives_what_it_keeps);
  RUN(test_what_a_shelf_keeps_is_bounded);
  RUN(test_a_shelf_keeps_what_one_mem_gave);
  return check_end();
}
