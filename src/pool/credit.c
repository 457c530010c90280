#include "credit.h"

#include "turn.h"

/* Yielded values that may wait, unless the window is smaller. */
#define CREDITS 256

int lc_credit_of (size_t window) {
  return window != 0 && window < CREDITS ? (int)window : CREDITS;
}

/* Ordered: the last credit is for the turn alone. */
static int credit_limit (const Stream *s, uint64_t index) {
  int other = s->options.ordered && index != atomic_load_explicit(&s->turn,
                                                 memory_order_seq_cst);
  return s->credits - other;
}

/* Takes one credit if there is one. */
static int credit_take (Stream *s, uint64_t index) {
  int n = atomic_load_explicit(&s->yielded, memory_order_seq_cst);
  while (n < credit_limit(s, index)) {
    if (atomic_compare_exchange_strong_explicit(&s->yielded, &n, n + 1,
          memory_order_seq_cst, memory_order_seq_cst)) return 1;
  }
  return 0;
}

/* seq_cst, here and in lc_credit_wake: see "who wakes whom" in stream.h. */
int lc_credit_ask (Sink *k, uint64_t index, WaitNode *n) {
  Stream *s = (Stream *)(void *)k;
  int got = credit_take(s, index);
  if (got) return 1;
  lc_mutex_lock(&s->lock);
  if (!s->closed) {
    n->index = index;
    lc_wait_add(&s->parked, n);
    atomic_fetch_add_explicit(&s->nparked, 1, memory_order_seq_cst);
    got = credit_take(s, index);
    if (got) {
      lc_wait_remove(n);
      atomic_fetch_sub_explicit(&s->nparked, 1, memory_order_relaxed);
    }
  }
  lc_mutex_unlock(&s->lock);
  return got;
}

/* Lock held. Whoever is woken asks again. */
static void credit_unpark (Stream *s, WaitNode *n) {
  atomic_fetch_sub_explicit(&s->nparked, 1, memory_order_relaxed);
  lc_wait_wake(n);
}

void lc_credit_forget (Sink *k, WaitNode *n) {
  Stream *s = (Stream *)(void *)k;
  lc_mutex_lock(&s->lock);
  if (lc_wait_is_listed(n)) {
    lc_wait_remove(n);
    atomic_fetch_sub_explicit(&s->nparked, 1, memory_order_relaxed);
  }
  lc_mutex_unlock(&s->lock);
}

/* The one that is woken will send something, if only its end, and the taking of
** that wakes the next: so none is forgotten. */
void lc_credit_wake_one (Stream *s) {
  uint64_t turn = lc_turn(s);
  WaitNode *n;
  int yielded;
  lc_mutex_lock(&s->lock);
  yielded = atomic_load_explicit(&s->yielded, memory_order_relaxed);
  for (n = s->parked; n != NULL; n = n->next) {
    if (s->options.ordered && n->index == turn) break;
  }
  if (n == NULL && yielded < credit_limit(s, 0)) n = s->parked;
  if (n != NULL) credit_unpark(s, n);
  lc_mutex_unlock(&s->lock);
}

/* The task may catch its failure and say nothing: so this wakes the next. */
void lc_credit_refund (Sink *k) {
  Stream *s = (Stream *)(void *)k;
  atomic_fetch_sub_explicit(&s->yielded, 1, memory_order_seq_cst);
  lc_credit_wake(s);
}

void lc_credit_wake_all (Stream *s) {
  while (s->parked != NULL) credit_unpark(s, s->parked);
}
