#include "turn.h"

#include "../base/random.h"

static size_t turn_block (const Stream *s) {
  size_t window = s->options.window;
  return window == 0 || window > LC_SHUFFLE_BLOCK ? LC_SHUFFLE_BLOCK : window;
}

/* The order of block number `n`: from the seed and `n` alone. */
static void turn_mix (Stream *s, uint64_t n) {
  size_t size = turn_block(s), i;
  Random r;
  lc_random_seed(&r, s->options.shuffle, n);
  for (i = 0; i < size; i++) s->block[i] = (unsigned char)i;
  for (i = size - 1; i > 0; i--) {
    size_t other = (size_t)(lc_random_next(&r) % (i + 1));
    unsigned char was = s->block[i];
    s->block[i] = s->block[other];
    s->block[other] = was;
  }
}

uint64_t lc_turn_next (Stream *s) {
  size_t size, at;
  if (!s->options.shuffled) return s->place + 1;
  size = turn_block(s);
  at = (size_t)(s->place % size);
  if (at == 0) turn_mix(s, s->place / size);
  return s->place - at + s->block[at] + 1;
}

uint64_t lc_turn_lowest (const Stream *s) {
  if (!s->options.shuffled) return lc_turn(s);
  return s->place - s->place % turn_block(s) + 1;
}

/* Those that are skipped are in this block, as long as one is left that is not.
** seq_cst: see "who wakes whom" in stream.h. */
void lc_turn_pass (Stream *s) {
  uint64_t turn;
  do {
    s->place++;
    turn = lc_turn_next(s);
  } while (turn > s->pulled && s->exhausted && s->handed < s->pulled);
  atomic_store_explicit(&s->turn, turn, memory_order_seq_cst);
}

/* --- chains ---------------------------------------------------------------- */

/* Never less than for two blocks: a turn may be ahead of what is pulled. */
int lc_turn_widen (Stream *s, size_t n) {
  uint64_t lowest = lc_turn_lowest(s), i;
  size_t need = (size_t)(s->pulled + 1 - lowest) + n, size = 64;
  StreamSlot *slots;
  if (s->slots != NULL && need <= s->mask + 1) return 1;
  while (size < need) size *= 2;
  slots = (StreamSlot *)lc_mem_zalloc(s->mem, size * sizeof(StreamSlot));
  if (slots == NULL) return 0;
  for (i = lowest; s->slots != NULL && i <= s->pulled; i++)
    slots[i & (size - 1)] = s->slots[i & s->mask];
  lc_turn_free(s);
  s->slots = slots;
  s->mask = size - 1;
  return 1;
}

void lc_turn_file (Stream *s, Batch *b) {
  size_t i;
  lc_batch_spell(b);
  for (i = 0; i < b->n; i++) {
    Entry *e = &b->entries[i];
    StreamSlot *slot = &s->slots[e->index & s->mask];
    e->batch = b;
    e->next = NULL;
    if (slot->first == NULL) slot->first = e;
    else slot->last->next = e;
    slot->last = e;
  }
}

/* A batch goes with the last of its entries that is in a chain. */
void lc_turn_drop (Stream *s) {
  size_t i;
  for (i = 0; s->slots != NULL && i <= s->mask; i++) {
    Entry *e = s->slots[i].first;
    s->slots[i].first = NULL;
    while (e != NULL) {
      Entry *next = e->next;
      if (--e->batch->unread == 0) lc_batch_free(e->batch);
      e = next;
    }
  }
}

void lc_turn_free (Stream *s) {
  lc_mem_free(s->mem, s->slots,
              s->slots != NULL ? (s->mask + 1) * sizeof(StreamSlot) : 0);
}
