#include "stream.h"

#include "credit.h"
#include "turn.h"

#define BATCH_NS (LC_BATCH_US * 1000.0)
/* Nor should a batch be larger than this. */
#define BATCH_BYTES (64 * 1024)
#define BATCH_MOST 192
/* Nor the first ones, so that there is something to read soon. */
#define BATCH_FIRST 96
/* ...which are those that came home before so many: a map that ends soon after waits
** for the last batch that one worker runs, and the larger it is, the longer. */
#define BATCH_EARLY 3000
/* A source that takes longer than this for an item is slow: it is not asked
** again while a result is ready, and nothing waits for the item after. */
#define SLOW_US 20
/* Where a pull takes so long, a tenth of that time is given to what is on its way,
** if tasks are quick enough for it to come: so it is not late by a whole pull.
** At most PAUSE_NS. */
#define LONG_US 200
#define PAUSE_NS 2000000u
/* A consumer that has had nothing for so long fetches what is ready; then after
** twice that, and so on, up to FETCH_MOST. */
#define FETCH_FIRST_NS 1000000u
#define FETCH_MOST_NS 50000000u
/* A consumer may wait so long until it gets a processor that the workers use: who runs
** keeps it for 3 ms and more, on Linux. So much work they have in stock, if that is no
** more than so many items. */
#define AHEAD_NS 8000000.0
#define AHEAD_MOST 64
/* Empty batches that a stream keeps. */
#define SPARE_MOST 8

/* --- birth and death ---------------------------------------------------- */

static void stream_free_list (Task *t) {
  while (t != NULL) {
    Task *next = t->next;
    lc_batch_free((Batch *)t);
    t = next;
  }
}

static void stream_free (Shared *head) {
  Stream *s = (Stream *)(void *)head;
  stream_free_list(s->home);
  while (s->calls != NULL) {
    Call *call = s->calls;
    s->calls = call->next;
    lc_call_release(call);
  }
  lc_dialogue_free(s->sink.dialogue);
  lc_retry_free(s->retry);
  lc_mutex_free(&s->lock);
  lc_mem_free(s->mem, s->slots,
              s->slots != NULL ? (s->mask + 1) * sizeof(StreamSlot) : 0);
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

/* --- the size of batches ------------------------------------------------ */

/* The items that run in the time of a batch. */
static double stream_fit (const Stream *s) {
  return BATCH_NS / (s->task_ns < 1 ? 1 : s->task_ns);
}

void lc_stream_expect (Stream *s, double task_ns) {
  double size;
  s->task_ns = task_ns;
  if (s->options.batch != 0) return;
  size = stream_fit(s);
  s->size = size > BATCH_FIRST ? BATCH_FIRST : size < 1 ? 1 : (size_t)size;
}

/*
** From what has come home. A rise in the time of tasks counts at once, a
** fall slowly: a batch too small costs a little, one too large holds
** finished results up. Growth is fourfold at most, since the first tasks
** (cold caches, code being loaded) say little.
*/
static void stream_measure (Stream *s, const Batch *b) {
  double per, size, most = s->finished < BATCH_EARLY ? BATCH_FIRST : BATCH_MOST;
  if (b->ran == 0 || s->options.batch != 0) return;
  per = (double)b->busy_ns / (double)b->ran;
  if (s->task_ns < 0 || per > s->task_ns) s->task_ns = per;
  else s->task_ns += (per - s->task_ns) / 4;
  size = stream_fit(s);
  if (b->n > 0 && b->msg.len / b->n > 0) {    /* results are large? */
    double fit = (double)BATCH_BYTES / (double)(b->msg.len / b->n);
    if (fit < size) size = fit;
  }
  if (size > (double)s->size * 4) size = (double)s->size * 4;
  if (size > most) size = most;
  s->size = size < 1 ? 1 : (size_t)size;
}

/* A batch went before it was full: so many are too many to wait for. */
static void stream_shrink (Stream *s, size_t n) {
  if (s->options.batch == 0 && n < s->size) s->size = n < 1 ? 1 : n;
}

/*
** How many items may be with the workers: one batch running and one waiting
** for each, and one being filled; or work for AHEAD_NS. An explicit window means what
** it says.
*/
static uint64_t stream_lookahead (const Stream *s) {
  uint64_t n = (uint64_t)s->size * (2 * (uint64_t)s->link.workers + 1);
  double most = s->task_ns > 0 ? AHEAD_NS * s->link.workers / s->task_ns : 0;
  if (s->options.window != 0) return s->options.window;
  if (most > AHEAD_MOST) most = AHEAD_MOST;
  return most > (double)n ? (uint64_t)most : n;
}

/* So many more may be pulled: see "counts" in stream.h. */
static uint64_t stream_may_put (const Stream *s) {
  uint64_t ahead = stream_lookahead(s), away = s->pulled - s->finished;
  uint64_t window = s->options.window != 0 ? s->options.window : 4 * ahead;
  uint64_t here = s->pulled - s->handed;
  if (away >= ahead || here >= window) return 0;
  return ahead - away < window - here ? ahead - away : window - here;
}

/* --- putting items in --------------------------------------------------- */

static void stream_keep_spare (Stream *s, Batch *b) {
  b->task.next = s->spare;
  s->spare = &b->task;
  s->nspare++;
}

Batch *lc_stream_spare (Stream *s) {
  Task *t = s->spare;
  Batch *kept;
  if (t == NULL) {
    kept = s->link.shelf != NULL ? lc_shelf_take(s->link.shelf, s->mem) : NULL;
    return kept != NULL ? kept : lc_batch_new(s->mem);
  }
  s->spare = t->next;
  s->nspare--;
  t->next = NULL;
  return (Batch *)t;
}

static void stream_recycle (Stream *s, Batch *b) {
  if (s->nspare >= SPARE_MOST) {
    lc_batch_free(b);
    return;
  }
  lc_batch_clear(b);
  stream_keep_spare(s, b);
}

static void stream_drop_task (Task *t) {
  Batch *b = (Batch *)t;
  Sink *k = b->sink;
  lc_batch_free(b);
  lc_shared_release(&k->head);
}

void lc_stream_flush (Stream *s) {
  Batch *b = s->open;
  if (b == NULL) return;
  s->open = NULL;
  if (b->n > 1) {
    s->bundled = s->pulled;
    s->settled = s->finished;
  }
  b->task.run = s->link.run;
  b->task.drop = stream_drop_task;
  b->task.items = b->n;
  b->sink = &s->sink;
  b->seed = s->seed;
  b->timeout = s->options.timeout;
  b->base = s->base;
  b->retry = s->retry;
  lc_stream_hold(s);
  s->link.send(s->link.pool, s->link.self, b);
}

/*
** Ordered: room for the chains of every index from the lowest to the `n` next.
** Never less than for two blocks: a turn may be ahead of what is pulled.
*/
static int stream_widen (Stream *s, size_t n) {
  size_t need = (size_t)(s->pulled + 1 - lc_turn_lowest(s)) + n, size = 64, i;
  StreamSlot *slots;
  if (s->slots != NULL && need <= s->mask + 1) return 1;
  while (size < need) size *= 2;
  slots = (StreamSlot *)lc_mem_zalloc(s->mem, size * sizeof(StreamSlot));
  if (slots == NULL) return 0;
  if (s->slots != NULL) {
    for (i = 0; i <= s->mask; i++) {
      Entry *e = s->slots[i].first;
      if (e != NULL) slots[e->index & (size - 1)] = s->slots[i];
    }
    lc_mem_free(s->mem, s->slots, (s->mask + 1) * sizeof(StreamSlot));
  }
  s->slots = slots;
  s->mask = size - 1;
  return 1;
}

/* `open` is set only while it has items: an empty one stays spare. */
Batch *lc_stream_open_batch (Stream *s) {
  Batch *b;
  if (s->open != NULL) return s->open;
  b = lc_stream_spare(s);
  if (b != NULL) stream_keep_spare(s, b);
  return b;
}

/* An entry for the next item, in the batch that was opened for it. */
static Entry *stream_add (Stream *s, Call *call) {
  Batch *b = s->open != NULL ? s->open : (Batch *)s->spare;
  Entry *e;
  if (s->options.ordered && !stream_widen(s, 1)) return NULL;
  e = lc_batch_add(b, s->pulled + 1, ENTRY_ITEM, 0);
  if (e == NULL) return NULL;
  e->call = call;
  s->pulled++;
  return e;
}

/* A pull took `us`: when the next one may begin. */
static uint64_t stream_pause (const Stream *s, uint64_t us) {
  uint64_t ns = us * 1000 / 10;
  if (us < LONG_US || s->task_ns > (double)ns) return 0;
  return lc_now() + (ns < PAUSE_NS ? ns : PAUSE_NS);
}

/* Items were added: the batch goes when it is time. */
static void stream_added (Stream *s) {
  uint64_t now = lc_ticks();
  Batch *b;
  if (s->open == NULL) {
    s->open = lc_stream_spare(s);
    s->opened = now;
  }
  b = s->open;
  s->slow = now - s->asked > SLOW_US * LC_TICKS_PER_US;
  s->pause = s->slow ? stream_pause(s, (now - s->asked) / LC_TICKS_PER_US) : 0;
  s->paused = 0;
  s->asked = now;
  if (b->n >= s->size || s->slow) lc_stream_flush(s);
  else if (b->msg.len >= BATCH_BYTES) {
    stream_shrink(s, b->n);
    lc_stream_flush(s);
  }
}

int lc_stream_put (Stream *s, size_t at, Call *call) {
  Entry *e = stream_add(s, call);
  if (e == NULL) return 0;
  e->at = at;
  stream_added(s);
  return 1;
}

int lc_stream_put_value (Stream *s, lua_State *L, EntryForm form, int idx,
                         Call *call) {
  Entry *e = stream_add(s, call);
  if (e == NULL) return 0;
  lc_entry_set(L, e, form, idx);
  stream_added(s);
  return 1;
}

size_t lc_stream_room (Stream *s) {
  Batch *b = lc_stream_open_batch(s);
  uint64_t most = stream_may_put(s);
  size_t n = 1;                   /* shuffled: it may be asked for one more */
  if (b == NULL) return 0;
  if (most > 1 && s->size > b->n + 1) n = s->size - b->n;
  if (n > most && most > 0) n = (size_t)most;
  if (s->options.ordered && !stream_widen(s, n)) return 0;
  return lc_batch_reserve(b, b->n + n) ? n : 0;
}

void lc_stream_put_range (Stream *s, lua_Integer first, lua_Integer step,
                          size_t n, Call *call) {
  lua_Unsigned x = (lua_Unsigned)first;          /* it wraps */
  for (; n > 0; n--, x += (lua_Unsigned)step) {
    Entry *e = stream_add(s, call);              /* has its memory */
    e->form = FORM_INTEGER;
    e->integer = (lua_Integer)x;
  }
  stream_added(s);
}

void lc_stream_keep_call (Stream *s, Call *call) {
  call->next = s->calls;
  s->calls = call;
}

void lc_stream_exhaust (Stream *s) {
  s->exhausted = 1;
  lc_stream_flush(s);
  if (s->options.ordered && lc_turn(s) > s->pulled && s->handed < s->pulled) {
    lc_turn_pass(s);
    lc_credit_wake(s);
  }
}

/* --- results ------------------------------------------------------------ */

static void stream_file (Stream *s, Batch *b) {
  size_t i;
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

static void stream_arrive (Stream *s, Batch *b) {
  size_t i, last = 0;
  b->task.next = NULL;
  b->unread = b->n;
  for (i = 0; i < b->n; i++) last += b->entries[i].last;
  s->finished += last;
  if (b->n > 0 && b->entries[0].index <= s->bundled) s->settled += last;
  stream_measure(s, b);
  if (b->n == 0) stream_recycle(s, b);
  else if (s->options.ordered) stream_file(s, b);
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
  if (s->options.ordered && !stream_widen(s, 1)) return 0;
  s->pulled++;
  stream_arrive(s, b);
  return 1;
}

/* --- taking ------------------------------------------------------------- */

Entry *lc_stream_take (Stream *s, Batch **from) {
  if (s->options.ordered) {
    StreamSlot *slot = &s->slots[lc_turn(s) & s->mask];
    s->taken = slot->first;
    slot->first = s->taken->next;
    s->from = s->taken->batch;
  }
  else {
    s->from = (Batch *)s->ready;
    s->taken = &s->from->entries[s->at++];
  }
  if (s->taken->last) {
    s->handed++;
    if (s->options.ordered) lc_turn_pass(s);
  }
  else atomic_fetch_sub_explicit(&s->yielded, 1, memory_order_seq_cst);
  lc_credit_wake(s);
  *from = s->from;
  return s->taken;
}

/* The consumer is through with the entry it took. */
static void stream_settle (Stream *s) {
  Batch *b = s->from;
  if (b == NULL) return;
  s->taken = NULL;
  s->from = NULL;
  if (--b->unread > 0) return;
  if (!s->options.ordered) {
    s->ready = b->task.next;
    if (s->ready == NULL) s->ready_end = &s->ready;
    s->at = 0;
  }
  stream_recycle(s, b);
}

/* --- steps -------------------------------------------------------------- */

static int stream_may_pull (Stream *s) {
  if (s->exhausted) return 0;
  if (s->pulled < lc_turn(s) && s->options.shuffled) return 1;
  return stream_may_put(s) > 0;
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
  if (s->from != NULL) stream_settle(s);
  stream_collect(s);
  if (s->open != NULL && now - s->opened > LC_BATCH_TICKS) {
    stream_shrink(s, s->open->n);
    lc_stream_flush(s);
  }
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
  lc_stream_flush(s);
  return stream_starve(s);
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

/* Ordered: a batch goes with the last of its entries that is in a chain. */
static void stream_free_slots (Stream *s) {
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
  size_t left = (size_t)(s->pulled - s->handed);
  int away = s->pulled > s->finished;
  if (s->from != NULL) stream_settle(s);
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
  stream_free_list(home);
  stream_free_slots(s);
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
** The hold that came with the batch is let go last: the consumer may close
** and release the stream while the waker is still in here.
*/
static void stream_deliver (Sink *k, Batch *b) {
  Stream *s = (Stream *)(void *)k;
  Waiter *late = NULL;
  b->task.next = NULL;
  b->sink = NULL;
  lc_mutex_lock(&s->lock);
  if (!s->closed) {
    *s->home_end = &b->task;
    s->home_end = &b->task.next;
    b = NULL;
    late = stream_tell(s);
  }
  lc_mutex_unlock(&s->lock);
  if (late != NULL) late->wake(late);
  lc_batch_free(b);
  lc_stream_release(s);
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
