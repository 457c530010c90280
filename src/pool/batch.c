#include "batch.h"

#include <string.h>

#include <lauxlib.h>

Batch *lc_batch_new (Mem *mem) {
  Batch *b = (Batch *)lc_mem_zalloc(mem, sizeof(Batch));
  if (b == NULL) return NULL;
  b->mem = mem;
  lc_message_init(&b->msg, mem);
  return b;
}

void lc_batch_clear (Batch *b) {
  lc_message_clear(&b->msg, LC_BATCH_KEEP);
  lc_call_release(b->call);
  b->call = NULL;
  b->task.next = NULL;
  b->sink = NULL;
  b->users = 0;
  b->warm = b->shape == SHAPE_ENTRIES ? b->n * sizeof(Entry)
            : b->shape == SHAPE_ROW ? b->n * sizeof(Cell) : 0;
  b->shape = SHAPE_ENTRIES;
  b->n = 0;
  b->retry = NULL;                              /* and `unread`, ... */
  b->seed = b->base = b->timeout = 0;
}

void lc_batch_free (Batch *b) {
  if (b == NULL) return;
  lc_message_drop(&b->msg);
  lc_call_release(b->call);
  if (b->cap > 1) lc_mem_free(b->mem, b->entries, b->cap * sizeof(Entry));
  lc_mem_free(b->mem, b, sizeof(Batch));
}

/* ---- the shelf ---- */

/* So many are kept there, and so many bytes in all. */
#define SHELF_MOST 8
#define SHELF_BYTES ((size_t)8 * 1024 * 1024)

static size_t batch_bytes (const Batch *b) {
  return b->msg.cap + b->cap * sizeof(Entry);
}

Batch *lc_shelf_take (Shelf *shelf, Mem *mem) {
  Batch *b = (Batch *)shelf->first;
  if (b == NULL || b->mem != mem) return NULL;
  shelf->first = b->task.next;
  shelf->n--;
  shelf->bytes -= batch_bytes(b);
  b->task.next = NULL;
  return b;
}

void lc_shelf_put (Shelf *shelf, Batch *b) {
  if (shelf->n == SHELF_MOST || shelf->bytes + batch_bytes(b) > SHELF_BYTES
      || (shelf->first != NULL && ((Batch *)shelf->first)->mem != b->mem)) {
    lc_batch_free(b);
    return;
  }
  b->task.next = shelf->first;
  shelf->first = &b->task;
  shelf->n++;
  shelf->bytes += batch_bytes(b);
}

void lc_shelf_clear (Shelf *shelf) {
  while (shelf->first != NULL) {
    Batch *b = (Batch *)shelf->first;
    shelf->first = b->task.next;
    lc_batch_free(b);
  }
  shelf->n = shelf->bytes = 0;
}

/* ---- entries ---- */

int lc_batch_reserve (Batch *b, size_t n) {
  size_t was = b->cap > 1 ? b->cap : 0, cap = 1;
  Entry *entries = &b->model;
  if (n <= b->cap) return 1;
  while (cap < n) cap *= 2;
  if (cap > 1) {
    entries = (Entry *)lc_mem_resize(b->mem, was > 0 ? b->entries : NULL,
                was * sizeof(Entry), cap * sizeof(Entry));
    if (entries == NULL) return 0;
    if (was == 0) entries[0] = b->model;
  }
  b->entries = entries;
  b->cap = cap;
  return 1;
}

/* Backwards: a cell is no larger than an entry. And where one is, the other goes: so
** cells are read by memcpy, which no compiler may put after the write. */
void lc_batch_spell (Batch *b) {
  size_t i;
  if (b->shape == SHAPE_ENTRIES) return;
  for (i = b->n; i-- > 0; ) {
    Entry made;
    b->entries[i] = *lc_batch_entry(b, i, &made);
  }
  b->shape = SHAPE_ENTRIES;
}

size_t lc_batch_lasts (const Batch *b) {
  size_t i, n = 0;
  if (b->shape != SHAPE_ENTRIES) return b->n;
  for (i = 0; i < b->n; i++) n += b->entries[i].last;
  return n;
}

/* Where the record of entry `i` is, or of the first one behind it that has one. */
static size_t batch_record (const Batch *b, size_t i) {
  for (; i < b->n && b->shape == SHAPE_ENTRIES; i++)
    if (b->entries[i].form == FORM_RECORD) return b->entries[i].at;
  return b->msg.len;
}

Batch *lc_batch_again (const Batch *b, size_t first, size_t end) {
  size_t from = batch_record(b, first), upto = batch_record(b, end), i;
  Batch *copy = lc_batch_new(b->mem);
  if (copy == NULL) return NULL;
  if (!lc_batch_reserve(copy, end - first)
      || !lc_message_copy(&copy->msg, &b->msg, from, upto)) {
    lc_batch_free(copy);
    return NULL;
  }
  for (i = first; i < end; i++) {
    Entry *e = &copy->entries[copy->n++], made;
    *e = *lc_batch_entry(b, i, &made);
    if (e->form == FORM_RECORD) e->at -= from;
  }
  copy->task.run = b->task.run;
  copy->task.drop = b->task.drop;
  copy->task.items = copy->n;
  copy->seed = b->seed;
  copy->base = b->base;
  copy->timeout = b->timeout;
  copy->retry = b->retry;
  if (b->call != NULL) lc_shared_hold(&b->call->head);
  copy->call = b->call;
  return copy;
}

int lc_entry_push (lua_State *L, Codec *c, const Message *m, const Entry *e) {
  size_t at = e->at;
  if (e->form == FORM_RECORD) return lc_decode(L, c, m, &at);
  luaL_checkstack(L, 1, NULL);
  lc_entry_value(L, e);
  return 1;
}
