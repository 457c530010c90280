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
