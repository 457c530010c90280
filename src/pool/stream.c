#include "stream.h"

#include "credit.h"
#include "supply.h"
#include "turn.h"

/* A consumer that has had nothing for so long fetches what is ready; then after
** twice that, and so on, up to FETCH_MOST. */
#define FETCH_FIRST_NS 500000u
#define FETCH_MOST_NS 50000000u
/* A consumer glances for so long for what is quick. */
#define GLANCE_QUICK_NS 16000

/* --- birth and death ---------------------------------------------------- */

/* Gives how many they were. */
static size_t stream_free_list (Task *t) {
  size_t n = 0;
  for (; t != NULL; n++) {
    Task *next = t->next;
    lc_batch_free((Batch *)t);
    t = next;
  }
  return n;
}

static void stream_free (Shared *head) {
  Stream *s = (Stream *)(void *)head;
  stream_free_list(s->home);
  while (s->calls != NULL) {
    Call *call = s->calls;
    s->calls = call->next;
    lc_call_release(call);
  }
  lc_call_release(s->repeated);
  lc_dialogue_free(s->sink.dialogue);
  lc_retry_free(s->retry);
  lc_mutex_free(&s->lock);
  lc_turn_free(s);
  lc_mem_free(s->mem, s, sizeof(Stream));
}

static void stream_deliver (Sink *k, Batch *b);

static const SinkKind stream_kind = {
  { "lacus.stream", stream_free },
  stream_deliver, NULL, NULL, lc_credit_ask, lc_credit_refund, lc_credit_forget
};

Stream *lc_stream_new (Mem *mem, const StreamLink *link,
                       const StreamOptions *options) {
  Stream *s = (Stream *)lc_mem_zalloc(mem, sizeof(Stream));
  if (s == NULL) return NULL;
  if (lc_mutex_init(&s->lock) != 0) {
    lc_mem_free(mem, s, sizeof(Stream));
    return NULL;
  }
  if (options->dialogue && (s->sink.dialogue = lc_dialogue_new(mem)) == NULL) {
    lc_mutex_free(&s->lock);
    lc_mem_free(mem, s, sizeof(Stream));
    return NULL;
  }
  lc_shared_init(&s->sink.head, &stream_kind.shared);
  s->mem = mem;
  s->link = *link;
  s->options = *options;
  s->home_end = &s->home;
  s->ready_end = &s->ready;
  s->size = options->batch != 0 ? options->batch : 1;
  s->task_ns = -1;
  s->credits = lc_credit_of(options->window);
  atomic_store_explicit(&s->turn, lc_turn_next(s), memory_order_relaxed);
  return s;
}

void lc_stream_hold (Stream *s) { lc_shared_hold(&s->sink.head); }
void lc_stream_release (Stream *s) {
  if (s != NULL) lc_shared_release(&s->sink.head);
}

/* --- results ------------------------------------------------------------ */

static void stream_arrive (Stream *s, Batch *b) {
  size_t last = lc_batch_lasts(b);
  b->task.next = NULL;
  b->unread = b->n;
  s->finished += last;
  if (b->n > 0 && lc_batch_index(b, 0) <= s->bundled) s->settled += last;
  lc_supply_measure(s, b);
  if (b->n == 0) lc_supply_recycle(s, b);
  else if (s->options.ordered) lc_turn_file(s, b);
  else {
    *s->ready_end = &b->task;
    s->ready_end = &b->task.next;
  }
}

/*
** acquire is the lock's; the flag itself is only a hint that saves taking
** the lock for each item, so relaxed.
*/
static void stream_collect (Stream *s) {
  Task *t;
  if (!atomic_load_explicit(&s->news, memory_order_relaxed)) return;
  lc_mutex_lock(&s->lock);
  t = s->home;
  s->home = NULL;
  s->home_end = &s->home;
  atomic_store_explicit(&s->news, 0, memory_order_relaxed);
  lc_mutex_unlock(&s->lock);
  while (t != NULL) {
    Task *next = t->next;
    s->holds++;
    stream_arrive(s, (Batch *)t);
    t = next;
  }
}

static int stream_has_ready (const Stream *s) {
  if (s->options.ordered)
    return s->slots != NULL && s->slots[lc_turn(s) & s->mask].first != NULL;
  return s->ready != NULL;
}

int lc_stream_put_failed (Stream *s, Batch *b) {
  if (s->options.ordered && !lc_turn_widen(s, 1)) return 0;
  s->pulled++;
  stream_arrive(s, b);
  return 1;
}

/* --- taking ------------------------------------------------------------- */

/* If something follows what was taken. (Who reads in order has spelled it out.) */
static void stream_open_row (Stream *s) {
  const Batch *b = s->from;
  if (b->shape != SHAPE_ROW || b->unread < 2) return;
  s->cell = lc_batch_cells(b) + s->at;
  s->cell_end = lc_batch_cells(b) + b->n - 1;
  s->cell_index = lc_batch_index(b, s->at);
}

const Entry *lc_stream_take (Stream *s, Batch **from) {
  if (s->options.ordered) {
    StreamSlot *slot = &s->slots[lc_turn(s) & s->mask];
    Entry *e = slot->first;
    slot->first = e->next;
    s->from = e->batch;
    e->index = lc_turn(s);              /* in the place of `batch` */
    s->taken = e;
  }
  else {
    s->from = (Batch *)s->ready;
    s->taken = lc_batch_entry(s->from, s->at++, &s->made);
  }
  stream_open_row(s);
  if (s->taken->last) {
    s->handed++;
    if (s->options.ordered) lc_turn_pass(s);
  }
  else atomic_fetch_sub_explicit(&s->yielded, 1, memory_order_seq_cst);
  lc_credit_wake(s);
  *from = s->from;
  return s->taken;
}

/* The consumer is through with the entry it took, if any, and the cells behind it. */
static void stream_settle (Stream *s) {
  Batch *b = s->from;
  if (b == NULL) return;
  if (s->cell != NULL) {
    size_t taken = (size_t)(s->cell - lc_batch_cells(b)) - s->at;
    s->at += taken;
    s->handed += taken;
    b->unread -= taken;
    s->cell = s->cell_end = NULL;
  }
  s->taken = NULL;
  s->from = NULL;
  if (--b->unread > 0) return;
  if (!s->options.ordered) {
    s->ready = b->task.next;
    if (s->ready == NULL) s->ready_end = &s->ready;
    s->at = 0;
  }
  lc_supply_recycle(s, b);
}

/* --- steps -------------------------------------------------------------- */

static int stream_may_pull (Stream *s) {
  if (s->exhausted) return 0;
  if (s->pulled < lc_turn(s) && s->options.shuffled) return 1;
  return lc_supply_may(s) > 0;
}

/* Enough was pulled for now: something else is ready. */
static int stream_had_burst (const Stream *s, int pulled, uint64_t now) {
  return s->slow || (pulled && (s->pulled - s->burst >= s->size
                                || now - s->burst_at > LC_BATCH_TICKS));
}

/* What is on its way goes before the next pull. */
static int stream_pauses (Stream *s, int ready) {
  if (s->pause == 0 || ready || s->finished == s->pulled) return 0;
  if (s->paused && lc_now() >= s->pause) return 0;
  s->paused = 1;
  return 1;
}

/* Nothing is ready: may bring what is, somewhere. (Not while every batch that is out has
** one item: to look up costs more than to sleep until one comes.) */
static StreamStep stream_starve (Stream *s) {
  uint64_t now;
  s->until = 0;
  if (s->link.fetch == NULL || s->settled == s->bundled) return STREAM_WAIT;
  now = lc_now();
  if (s->fetch_at == 0) s->patience = FETCH_FIRST_NS;
  else if (now >= s->fetch_at) {
    s->link.fetch(s->link.pool, &s->sink);
    stream_collect(s);
    if (stream_has_ready(s)) return STREAM_READY;
    if (s->patience < FETCH_MOST_NS) s->patience *= 2;
  }
  if (now >= s->fetch_at) s->fetch_at = now + s->patience;
  s->until = s->fetch_at;
  return STREAM_WAIT;
}

StreamStep lc_stream_step (Stream *s, int pulled) {
  int ready;
  uint64_t now = lc_ticks();
  stream_settle(s);
  stream_collect(s);
  lc_supply_hurry(s, now);
  ready = stream_has_ready(s);
  if (!pulled) {
    s->burst = s->pulled;
    s->burst_at = now;
  }
  if (!(ready && stream_had_burst(s, pulled, now)) && stream_may_pull(s)) {
    if (stream_pauses(s, ready)) {
      s->until = s->pause;
      return STREAM_WAIT;
    }
    s->pause = 0;
    s->asked = now;
    return STREAM_PULL;
  }
  if (ready) {
    s->fetch_at = 0;
    return STREAM_READY;
  }
  if (s->exhausted && s->handed == s->pulled) return STREAM_END;
  if (atomic_load_explicit(&s->broken, memory_order_acquire)) {
    stream_collect(s);            /* what came before the break, but just now */
    return stream_has_ready(s) ? STREAM_READY : STREAM_BROKEN;
  }
  lc_supply_flush(s);
  return stream_starve(s);
}

/* Relaxed: lc_stream_step looks under the lock. */
int lc_stream_glance (Stream *s) {
  Glance *g = s->link.glance;
  uint64_t until;
  int quick, news;
  if (g == NULL || !(s->exhausted || s->pulled - s->finished == 1)) return 0;
  quick = s->task_ns * (double)s->size <= GLANCE_QUICK_NS;
  if (!quick && !lc_glance_may(g)) return 0;
  until = lc_now() + (quick ? GLANCE_QUICK_NS : LC_GLANCE_NS);
  do {
    lc_thread_pause();
    news = atomic_load_explicit(&s->news, memory_order_relaxed);
  } while (!news && lc_now() < until);
  lc_glance_note(g, news);
  return news;
}

int lc_stream_listen (Stream *s, Waiter *w) {
  int news;
  lc_mutex_lock(&s->lock);
  news = atomic_load_explicit(&s->news, memory_order_relaxed);
  if (!news) s->waiter = w;
  lc_mutex_unlock(&s->lock);
  return !news;
}

void lc_stream_unlisten (Stream *s) {
  lc_mutex_lock(&s->lock);
  s->waiter = NULL;
  lc_mutex_unlock(&s->lock);
}

static void stream_shelve (Stream *s) {
  while (s->spare != NULL) {
    Batch *b = (Batch *)s->spare;
    s->spare = b->task.next;
    if (s->link.shelf != NULL) lc_shelf_put(s->link.shelf, b);
    else lc_batch_free(b);
  }
}

size_t lc_stream_close (Stream *s) {
  Task *home;
  Call *call;
  int away = s->pulled > s->finished;
  size_t left;
  stream_settle(s);
  left = (size_t)(s->pulled - s->handed);
  for (call = s->calls; call != NULL; call = call->next) lc_call_retire(call);
  lc_mutex_lock(&s->lock);
  s->closed = 1;
  home = s->home;
  s->home = NULL;
  s->home_end = &s->home;
  s->waiter = NULL;
  lc_sink_cancel(&s->sink);
  lc_credit_wake_all(s);
  lc_mutex_unlock(&s->lock);
  if (s->sink.dialogue != NULL) lc_dialogue_end(s->sink.dialogue);
  if (away) s->link.stop(s->link.pool, &s->sink);
  s->holds += stream_free_list(home);
  for (; s->holds > 0; s->holds--) lc_stream_release(s);     /* not the last */
  lc_turn_drop(s);
  stream_free_list(s->ready);
  stream_shelve(s);
  lc_batch_free(s->open);
  s->ready = NULL;
  s->nspare = 0;
  s->open = NULL;
  s->ready_end = &s->ready;
  s->exhausted = 1;
  s->handed = s->finished = s->pulled;
  return left;
}

/* --- the workers' side -------------------------------------------------- */

/*
** Lock held. Gives the waiter if it may be woken after unlocking: signalling
** a thread while the lock is held makes it run into the lock. (Not if that
** thread's state could end before the pool: see park.h.)
*/
static Waiter *stream_tell (Stream *s) {
  Waiter *w = s->waiter;
  s->waiter = NULL;
  atomic_store_explicit(&s->news, 1, memory_order_relaxed);
  if (w != NULL && (!w->late || s->link.foreign)) {
    w->wake(w);
    w = NULL;
  }
  return w;
}

/*
** The hold that came with the batch goes home with it: once the lock is free, the
** consumer may close and release the stream, and nothing of it is touched here.
*/
static void stream_deliver (Sink *k, Batch *b) {
  Stream *s = (Stream *)(void *)k;
  Waiter *late = NULL;
  int closed;
  b->task.next = NULL;
  b->sink = NULL;
  lc_mutex_lock(&s->lock);
  closed = s->closed;
  if (!closed) {
    *s->home_end = &b->task;
    s->home_end = &b->task.next;
    late = stream_tell(s);
  }
  lc_mutex_unlock(&s->lock);
  if (late != NULL) late->wake(late);
  if (closed) {
    lc_batch_free(b);
    lc_stream_release(s);
  }
}

/* release/acquire: what the pool wrote about its end comes before. */
void lc_stream_break (Stream *s) {
  Waiter *late;
  lc_mutex_lock(&s->lock);
  atomic_store_explicit(&s->broken, 1, memory_order_release);
  late = stream_tell(s);
  lc_mutex_unlock(&s->lock);
  if (late != NULL) late->wake(late);
}
