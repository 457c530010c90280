#include "dialogue.h"

/* A buffer larger than this is not kept for the next answer. */
#define WORDS_KEEP 4096

Dialogue *lc_dialogue_new (Mem *mem) {
  Dialogue *d = (Dialogue *)lc_mem_zalloc(mem, sizeof(Dialogue));
  if (d == NULL) return NULL;
  if (lc_mutex_init(&d->lock) != 0) {
    lc_mem_free(mem, d, sizeof(Dialogue));
    return NULL;
  }
  d->mem = mem;
  lc_message_init(&d->words, mem);
  return d;
}

void lc_dialogue_free (Dialogue *d) {
  if (d == NULL) return;
  lc_message_drop(&d->words);
  lc_mutex_free(&d->lock);
  lc_mem_free(d->mem, d, sizeof(Dialogue));
}

/* Lock held. */
static void dialogue_wake (Dialogue *d) {
  WaitNode *n = d->body;
  if (n != NULL) lc_wait_wake(n);
}

Message *lc_dialogue_words (Dialogue *d) {
  lc_message_clear(&d->words, WORDS_KEEP);
  return &d->words;
}

void lc_dialogue_answer (Dialogue *d) {
  lc_mutex_lock(&d->lock);
  d->answered = 1;
  dialogue_wake(d);
  lc_mutex_unlock(&d->lock);
}

/* Relaxed: whoever reads it elsewhere only saves taking the lock. */
void lc_dialogue_let_run (Dialogue *d) {
  lc_mutex_lock(&d->lock);
  atomic_store_explicit(&d->ahead, 1, memory_order_relaxed);
  dialogue_wake(d);
  lc_mutex_unlock(&d->lock);
}

void lc_dialogue_end (Dialogue *d) {
  lc_mutex_lock(&d->lock);
  dialogue_wake(d);
  lc_mutex_unlock(&d->lock);
}

static int dialogue_runs (Dialogue *d) {
  return atomic_load_explicit(&d->ahead, memory_order_relaxed);
}

int lc_dialogue_hear (Dialogue *d, WaitNode *n, const Message **words) {
  int heard = 1;
  *words = &d->words;
  if (dialogue_runs(d)) return 1;         /* nothing was ever said */
  lc_mutex_lock(&d->lock);
  if (d->answered) d->answered = 0;
  else if (!dialogue_runs(d)) {
    heard = 0;
    lc_wait_add(&d->body, n);
  }
  lc_mutex_unlock(&d->lock);
  return heard;
}

void lc_dialogue_forget (Dialogue *d, WaitNode *n) {
  lc_mutex_lock(&d->lock);
  lc_wait_remove(n);
  lc_mutex_unlock(&d->lock);
}
