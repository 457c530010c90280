#include "future.h"

static void future_drop_words (Mem *mem, Message *words) {
  if (words == NULL) return;
  lc_message_drop(words);
  lc_mem_free(mem, words, sizeof(Message));
}

static void future_free (Shared *s) {
  Future *f = lc_future_from(s);
  future_drop_words(f->mem, f->words);
  lc_mutex_free(&f->lock);
  lc_mem_free(f->mem, f, sizeof(Future));
}

/*
** Ends it, if nobody has. The waiters are woken under the lock, so whoever
** takes itself off the list knows that nobody touches its node any more. 0 if
** it had ended.
*/
static int future_end (Future *f, FutureState state, const Entry *result,
                       Message *words) {
  FutureState is;
  WaitNode *n;
  lc_mutex_lock(&f->lock);
  is = lc_future_state(f);
  if (lc_future_ended(is)) {
    lc_mutex_unlock(&f->lock);
    return 0;
  }
  if (state == FUTURE_CANCELLED) lc_sink_cancel(&f->sink);
  if (result != NULL) f->result = *result;
  f->words = words;
  /* release: orders both before the state that announces it. */
  atomic_store_explicit(&f->state, state, memory_order_release);
  while ((n = f->waiters) != NULL) {
    lc_wait_remove(n);
    n->waiter->wake(n->waiter);
  }
  lc_mutex_unlock(&f->lock);
  if (state == FUTURE_CANCELLED && is == FUTURE_RUNNING)
    f->link.stop(f->link.pool, &f->sink);
  f->link.ended(f->link.pool);
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
                  words))
    future_drop_words(f->mem, words);
  lc_batch_free(b);
  lc_future_release(f);
}

static void future_started (Sink *k) {
  Future *f = (Future *)(void *)k;
  lc_mutex_lock(&f->lock);
  if (lc_future_state(f) == FUTURE_QUEUED)
    atomic_store_explicit(&f->state, FUTURE_RUNNING, memory_order_relaxed);
  lc_mutex_unlock(&f->lock);
}

/* Its task was dropped: by a worker that ends, or from the queue. */
static void future_lost (Sink *k) {
  future_end((Future *)(void *)k, FUTURE_CANCELLED, NULL, NULL);
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

Future *lc_future_new (Mem *mem, const FutureLink *link, Batch *b,
                       void (*run)(Task *, struct Worker *)) {
  Future *f = (Future *)lc_mem_zalloc(mem, sizeof(Future));
  if (f == NULL) return NULL;
  if (lc_mutex_init(&f->lock) != 0) {
    lc_mem_free(mem, f, sizeof(Future));
    return NULL;
  }
  lc_shared_init(&f->sink.head, &lc_future_kind.shared);
  f->mem = mem;
  f->link = *link;
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

int lc_future_listen (Future *f, WaitNode *n) {
  int listed;
  lc_mutex_lock(&f->lock);
  listed = !lc_future_ended(lc_future_state(f));
  if (listed && n->at == NULL) lc_wait_add(&f->waiters, n);
  lc_mutex_unlock(&f->lock);
  return listed;
}

void lc_future_unlisten (Future *f, WaitNode *n) {
  lc_mutex_lock(&f->lock);
  lc_wait_remove(n);
  lc_mutex_unlock(&f->lock);
}

int lc_future_cancel (Future *f) {
  return future_end(f, FUTURE_CANCELLED, NULL, NULL);
}
