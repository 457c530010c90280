#include "future.h"

static void future_drop_words (Mem *mem, Message *words) {
  if (words == NULL) return;
  lc_message_drop(words);
  lc_mem_free(mem, words, sizeof(Message));
}

static void future_free (Shared *s) {
  Future *f = lc_future_from(s);
  lc_batch_free(lc_future_take_spare(f));
  future_drop_words(f->mem, f->words);
  lc_mutex_free(&f->lock);
  lc_mem_free(f->mem, f, sizeof(Future));
}

/* Lock held. See the head of future.h. */
static void future_wake (Future *f, FutureState state) {
  WaitNode *n;
  while ((n = f->waiters) != NULL) {
    Waiter *w = n->waiter;
    if (w != f->home || state != FUTURE_CANCELLED) lc_wait_wake(n);
    else {
      w->wake(w);
      lc_wait_remove(n);
    }
  }
}

/*
** Ends it, if nobody has. The waiters are woken under the lock, so whoever
** takes itself off the list knows that nobody touches its node any more. 0 if
** it had ended. If who waits takes it, *spare is the future's (and NULL).
*/
static int future_end (Future *f, FutureState state, const Entry *result,
                       Message *words, Batch **spare) {
  WaitNode *n;
  int was;
  lc_mutex_lock(&f->lock);
  if (lc_future_ended(lc_future_state(f))) {
    lc_mutex_unlock(&f->lock);
    return 0;
  }
  if (state == FUTURE_CANCELLED) lc_sink_cancel(&f->sink);
  if (result != NULL) f->result = *result;
  f->words = words;
  n = f->waiters;
  if (n != NULL && n->waiter == f->home && n->index && spare != NULL) {
    /* relaxed: the state orders it. */
    atomic_store_explicit(&f->spare, *spare, memory_order_relaxed);
    *spare = NULL;
  }
  /* release: orders all that before the state that announces it; acquire, see
  ** future_started. */
  was = atomic_exchange_explicit(&f->state, (int)state, memory_order_acq_rel);
  future_wake(f, state);
  lc_mutex_unlock(&f->lock);
  if (state == FUTURE_CANCELLED && was == FUTURE_RUNNING)
    f->link->stop(f->pool, &f->sink);
  f->link->ended(f->pool, f);
  return 1;
}

/* What was written goes from `b` to a block of its own: NULL, if there is
** something left without memory. */
static Message *future_take_words (Mem *mem, Batch *b) {
  Message *words = NULL;
  if (b->msg.len == 0) return NULL;
  words = (Message *)lc_mem_alloc(mem, sizeof(Message));
  if (words == NULL) return NULL;
  lc_message_trim(&b->msg);
  *words = b->msg;
  lc_message_init(&b->msg, words->mem);
  return words;
}

static void future_deliver (Sink *k, Batch *b) {
  Future *f = (Future *)(void *)k;
  Entry *e = &b->entries[0];
  Message *words = future_take_words(f->mem, b);
  b->sink = NULL;
  if (b->msg.len > 0) e->kind = ENTRY_NOMEM;
  if (!future_end(f, e->kind == ENTRY_VALUES ? FUTURE_DONE : FUTURE_FAILED, e,
                  words, &b))
    future_drop_words(f->mem, words);
  lc_batch_free(b);
  lc_future_release(f);
}

/* Without the lock: who ends it sees that it runs, or else the worker, which looks at
** the sink next, sees that it is cancelled (acq_rel on both sides). */
static void future_started (Sink *k) {
  Future *f = (Future *)(void *)k;
  int queued = FUTURE_QUEUED;
  atomic_compare_exchange_strong_explicit(&f->state, &queued, (int)FUTURE_RUNNING,
    memory_order_acq_rel, memory_order_acquire);
}

/* Its task was dropped: by a worker that ends, or from the queue. */
static void future_lost (Sink *k) {
  future_end((Future *)(void *)k, FUTURE_CANCELLED, NULL, NULL, NULL);
}

const SinkKind lc_future_kind = {
  { "lacus.future", future_free },
  future_deliver, future_started, future_lost, NULL, NULL, NULL
};

static void future_drop_task (Task *t) {
  Batch *b = (Batch *)t;
  Sink *k = b->sink;
  future_lost(k);
  lc_batch_free(b);
  lc_shared_release(&k->head);
}

Future *lc_future_new (Mem *mem, const FutureLink *link, void *pool, Batch *b,
                       void (*run)(Task *, struct Worker *)) {
  Future *f = (Future *)lc_mem_zalloc(mem, sizeof(Future));
  if (f == NULL) return NULL;
  if (lc_mutex_init(&f->lock) != 0) {
    lc_mem_free(mem, f, sizeof(Future));
    return NULL;
  }
  lc_shared_init(&f->sink.head, &lc_future_kind.shared);
  f->mem = mem;
  f->link = link;
  f->pool = pool;
  b->sink = &f->sink;
  b->task.run = run;
  b->task.drop = future_drop_task;
  b->task.items = 1;
  lc_future_hold(f);
  return f;
}

void lc_future_hold (Future *f) { lc_shared_hold(&f->sink.head); }
void lc_future_release (Future *f) {
  if (f != NULL) lc_shared_release(&f->sink.head);
}

/* acquire: pairs with the release in future_end. */
FutureState lc_future_state (Future *f) {
  return (FutureState)atomic_load_explicit(&f->state, memory_order_acquire);
}

/* acq_rel: one of several takes it, and what is in it. */
Batch *lc_future_take_spare (Future *f) {
  return atomic_exchange_explicit(&f->spare, (Batch *)NULL, memory_order_acq_rel);
}

int lc_future_listen (Future *f, WaitNode *n, int takes) {
  int listed;
  lc_mutex_lock(&f->lock);
  listed = !lc_future_ended(lc_future_state(f));
  if (listed && !lc_wait_is_listed(n)) {
    n->index = (uint64_t)takes;
    lc_wait_add(&f->waiters, n);
  }
  lc_mutex_unlock(&f->lock);
  return listed;
}

void lc_future_unlisten (Future *f, WaitNode *n) {
  if (n->waiter == f->home && !lc_wait_is_listed(n)) return;
  lc_mutex_lock(&f->lock);
  lc_wait_remove(n);
  lc_mutex_unlock(&f->lock);
}

int lc_future_cancel (Future *f) {
  return future_end(f, FUTURE_CANCELLED, NULL, NULL, NULL);
}
