/* Streams and batches without Lua: a fake pool, whose workers are plain
** threads (or the test itself), squares numbers. */
#include "check.h"

#include <stdlib.h>

#include "base/clock.h"
#include "pool/supply.h"

/* --- a pool, as a stream sees it ------------------------------------------- */

#define THREADS 3
#define SPIN_NS 20000   /* as the pool has it */

typedef enum FakeMode {
  FAKE_WHOLE,       /* one delivery for a batch */
  FAKE_SPLIT,       /* one for each result */
  FAKE_TWICE        /* two for each, under the same index: nothing is kept
                       back while it waits for room for the first of them */
} FakeMode;

typedef struct Fake {
  Mem mem;
  StreamLink link;
  FakeMode mode;
  Mutex lock;
  Cond changed;
  Task *queue, **queue_end;
  int stopping;
  int refuses;              /* batches are dropped at the door */
  size_t sent;              /* batches... */
  size_t items;             /* ...and the items in them */
  size_t largest;           /* of them, in items */
  size_t fetched;           /* how often somebody asked for what is ready */
  Thread threads[THREADS];
  int nthreads;
  Parker reader;            /* where the test waits: outlives its wakers */
} Fake;

/* These workers look at `cancelled` alone. */
static void fake_stop (void *pool, Sink *k) {
  (void)pool;
  CHECK(lc_sink_cancelled(k));
}

static void fake_send (void *pool, void *self, Batch *b) {
  Fake *f = (Fake *)pool;
  int refused;
  (void)self;
  b->task.next = NULL;
  lc_mutex_lock(&f->lock);
  f->sent++;
  f->items += b->n;
  if (b->n > f->largest) f->largest = b->n;
  refused = f->refuses || f->stopping;
  if (!refused) {
    *f->queue_end = &b->task;
    f->queue_end = &b->task.next;
    lc_cond_signal(&f->changed);
  }
  lc_mutex_unlock(&f->lock);
  if (refused) b->task.drop(&b->task);
}

/* The next batch, or NULL when there is none and `wait` is not set (or the
** fake stops). */
static Batch *fake_take (Fake *f, int wait) {
  Task *t;
  lc_mutex_lock(&f->lock);
  while (f->queue == NULL && wait && !f->stopping)
    lc_cond_wait(&f->changed, &f->lock);
  t = f->queue;
  if (t != NULL) {
    f->queue = t->next;
    if (f->queue == NULL) f->queue_end = &f->queue;
  }
  lc_mutex_unlock(&f->lock);
  return (Batch *)t;
}

static long item_read (const Batch *b, size_t at) {
  long x;
  memcpy(&x, b->msg.bytes + at, sizeof x);
  return x;
}

static int item_write (Batch *b, long x) {
  if (!lc_message_room(&b->msg, sizeof x)) return 0;
  memcpy(b->msg.bytes + b->msg.len, &x, sizeof x);
  b->msg.len += sizeof x;
  return 1;
}

/* A result, or its failure when there is no memory: entries were reserved. */
static void add_square (Batch *out, uint64_t index, long x, int last) {
  Entry *e = lc_batch_add(out, index, ENTRY_VALUES, last);
  if (!item_write(out, x * x)) e->kind = ENTRY_NOMEM;
  out->ran++;
}

static Batch *new_out (Mem *mem, size_t n) {
  Batch *out = lc_batch_new(mem);
  if (out != NULL && !lc_batch_reserve(out, n)) {
    lc_batch_free(out);
    out = NULL;
  }
  return out;
}

static void deliver (Sink *k, Batch *b) { lc_sink_kind(k)->deliver(k, b); }

/* One delivery of its own; the hold for it is new. */
static void deliver_one (Sink *k, Batch *b) {
  lc_shared_hold(&k->head);
  deliver(k, b);
}

/* Not even a batch for results: the items come home as failures. */
static void bounce (Batch *b) {
  size_t i;
  for (i = 0; i < b->n; i++) {
    b->entries[i].kind = ENTRY_NOMEM;
    b->entries[i].last = 1;
  }
  deliver(b->sink, b);
}

/* Waits for room for a yielded value: 0 when the sink is cancelled. */
static int wait_for_credit (Sink *k, uint64_t index) {
  Parker parker;
  WaitNode n;
  int got = 0;
  memset(&n, 0, sizeof n);
  if (!CHECK(lc_parker_init(&parker) == 0)) return 0;
  n.waiter = &parker.waiter;
  while (!lc_sink_cancelled(k) && !got) {
    got = lc_sink_kind(k)->credit(k, index, &n);
    if (!got && !lc_sink_cancelled(k)) lc_park(&parker, LC_NEVER, 0);
  }
  lc_sink_kind(k)->forget(k, &n);
  lc_parker_free(&parker);
  return got;
}

static int yield_item (Fake *f, Sink *k, uint64_t index, long x) {
  Batch *early = new_out(&f->mem, 1);
  if (early == NULL) return 0;
  if (!wait_for_credit(k, index)) {
    lc_batch_free(early);
    return 0;
  }
  add_square(early, index, x, 0);
  deliver_one(k, early);
  return 1;
}

static int run_item (Fake *f, const Batch *b, size_t i, Batch *out) {
  const Entry *e = &b->entries[i];
  long x = item_read(b, e->at);
  if (f->mode == FAKE_TWICE && !yield_item(f, b->sink, e->index, x)) return 0;
  if (f->mode == FAKE_TWICE || (f->mode == FAKE_SPLIT && i + 1 < b->n)) {
    Batch *single = new_out(&f->mem, 1);
    if (single == NULL) return 0;
    add_square(single, e->index, x, 1);
    deliver_one(b->sink, single);
  }
  else add_square(out, e->index, x, 1);
  return 1;
}

/* What a worker does with a batch. Owns it, and the hold that came with it. */
static void fake_run (Fake *f, Batch *b) {
  Sink *k = b->sink;
  Batch *out = new_out(&f->mem, b->n);
  size_t i;
  if (out == NULL) {
    bounce(b);
    return;
  }
  for (i = 0; i < b->n && !lc_sink_cancelled(k); i++) {
    if (run_item(f, b, i, out)) continue;
    lc_batch_add(out, b->entries[i].index, ENTRY_NOMEM, 1);
  }
  lc_batch_free(b);
  deliver(k, out);
}

static void fake_main (void *ud) {
  Fake *f = (Fake *)ud;
  Batch *b;
  while ((b = fake_take(f, 1)) != NULL) fake_run(f, b);
}

static int fake_open (Fake *f, FakeMode mode, int threads) {
  memset(f, 0, sizeof(Fake));
  lc_mem_init(&f->mem, NULL, NULL);
  f->mode = mode;
  f->queue_end = &f->queue;
  f->link.send = fake_send;
  f->link.stop = fake_stop;
  f->link.pool = f;
  f->link.workers = f->link.busy = threads > 0 ? threads : 1;
  if (lc_mutex_init(&f->lock) != 0 || lc_cond_init(&f->changed) != 0
      || lc_parker_init(&f->reader) != 0) return 0;
  while (f->nthreads < threads) {
    if (lc_thread_start(&f->threads[f->nthreads], fake_main, f, 0) != 0)
      return 0;
    f->nthreads++;
  }
  return 1;
}

/* Everything that was taken is back. */
static void fake_close (Fake *f) {
  int i;
  Batch *b;
  lc_mutex_lock(&f->lock);
  f->stopping = 1;
  lc_cond_broadcast(&f->changed);
  lc_mutex_unlock(&f->lock);
  for (i = 0; i < f->nthreads; i++) lc_thread_join(&f->threads[i]);
  while ((b = fake_take(f, 0)) != NULL) b->task.drop(&b->task);
  CHECK_INT(lc_mem_used(&f->mem), 0);
  lc_parker_free(&f->reader);
  lc_cond_free(&f->changed);
  lc_mutex_free(&f->lock);
}

/* --- a consumer ---------------------------------------------------------------- */

typedef struct Reader {
  Stream *s;
  Parker *parker;
  long items;               /* in the source; -1: endless */
  int failing;              /* every third item cannot be sent */
  long pulled, handed;      /* as the reader counts them */
  long most;                /* pulled and not handed over, at any time */
  int fresh;                /* has pulled since the last result */
  uint64_t index;           /* the last result... */
  long value;               /* ...-1 for a failure */
  int last;
  StreamStep stop;          /* why there is no result */
} Reader;

static int reader_open_batch (Reader *r, Fake *f, int ordered, size_t window,
                              size_t batch, long items) {
  StreamOptions o;
  memset(r, 0, sizeof(Reader));
  memset(&o, 0, sizeof o);
  o.ordered = ordered;
  o.window = window;
  o.batch = batch;
  r->items = items;
  r->s = lc_stream_new(&f->mem, &f->link, &o);
  r->parker = &f->reader;
  return r->s != NULL;
}

static int reader_open (Reader *r, Fake *f, int ordered, size_t window,
                        long items) {
  return reader_open_batch(r, f, ordered, window, 0, items);
}

static size_t reader_close (Reader *r) {
  size_t left = lc_stream_close(r->s);
  lc_stream_release(r->s);
  return left;
}

static int reader_put (Reader *r) {
  Batch *b = lc_supply_open_batch(r->s);
  size_t at;
  if (b == NULL) return 0;
  at = b->msg.len;
  if (!item_write(b, r->pulled + 1)) return 0;
  if (lc_supply_put(r->s, at, NULL)) return 1;
  b->msg.len = at;
  return 0;
}

static int reader_fail (Reader *r) {
  Batch *b = lc_supply_spare(r->s);
  if (b == NULL) return 0;
  if (lc_batch_add(b, (uint64_t)r->pulled + 1, ENTRY_FAULT, 1) != NULL
      && lc_stream_put_failed(r->s, b)) return 1;
  lc_batch_free(b);
  return 0;
}

/* 0 without memory: then the item is not pulled. */
static int reader_pull (Reader *r) {
  if (r->pulled == r->items) {
    lc_supply_exhaust(r->s);
    return 1;
  }
  if (r->failing && r->pulled % 3 == 1 ? !reader_fail(r) : !reader_put(r))
    return 0;
  r->pulled++;
  if (r->pulled - r->handed > r->most) r->most = r->pulled - r->handed;
  return 1;
}

static void reader_take (Reader *r) {
  Batch *b;
  const Entry *e = lc_stream_take(r->s, &b);
  r->index = e->index;
  r->value = e->kind == ENTRY_VALUES ? item_read(b, e->at) : -1;
  r->last = e->last;
  r->handed += e->last;
  r->fresh = 0;
}

/* 0 when `deadline` has passed. */
static int reader_wait (Reader *r, uint64_t deadline) {
  uint64_t until = r->s->until != 0 && r->s->until < deadline ? r->s->until : deadline;
  if (!lc_stream_listen(r->s, &r->parker->waiter)) return 1;
  if (lc_park(r->parker, until, SPIN_NS)) return 1;
  lc_stream_unlisten(r->s);
  return until < deadline;
}

/* The next result: 1; 0 when there is none, and r->stop says why (WAIT when
** `deadline` has passed). */
static int reader_next (Reader *r, uint64_t deadline) {
  for (;;) {
    switch (r->stop = lc_stream_step(r->s, r->fresh)) {
      case STREAM_PULL:
        if (!reader_pull(r)) return 0;
        r->fresh = 1;
        break;
      case STREAM_READY:
        reader_take(r);
        return 1;
      case STREAM_WAIT:
        if (!reader_wait(r, deadline)) return 0;
        break;
      default: return 0;
    }
  }
}

static int square_of (const Reader *r) {
  return r->value == (long)r->index * (long)r->index;
}

/* --- results -------------------------------------------------------------------- */

#define MANY 20000

static void as_they_arrive (FakeMode mode) {
  Fake f;
  Reader r;
  long n = 0, wrong = 0;
  char *seen = (char *)calloc(MANY + 1, 1);
  REQUIRE(fake_open(&f, mode, THREADS) && reader_open(&r, &f, 0, 0, MANY));
  while (reader_next(&r, LC_NEVER)) {
    wrong += !square_of(&r) || seen[r.index]++;
    n++;
  }
  CHECK_INT(r.stop, STREAM_END);
  CHECK_INT(n, MANY);
  CHECK_INT(wrong, 0);
  CHECK_INT(reader_close(&r), 0);
  fake_close(&f);
  free(seen);
}

static void test_each_item_gives_its_result_once (void) {
  as_they_arrive(FAKE_WHOLE);
}

static void test_a_batch_may_come_home_in_parts (void) {
  as_they_arrive(FAKE_SPLIT);
}

static void in_order (FakeMode mode, size_t window) {
  Fake f;
  Reader r;
  uint64_t want = 0;
  long wrong = 0;
  REQUIRE(fake_open(&f, mode, THREADS) && reader_open(&r, &f, 1, window, MANY));
  while (reader_next(&r, LC_NEVER))
    wrong += r.index != ++want || !square_of(&r);
  CHECK_INT(r.stop, STREAM_END);
  CHECK_INT(want, MANY);
  CHECK_INT(wrong, 0);
  CHECK_INT(reader_close(&r), 0);
  fake_close(&f);
}

static void test_ordered_is_the_order_of_the_source (void) {
  in_order(FAKE_WHOLE, 0);
  in_order(FAKE_SPLIT, 0);
  in_order(FAKE_SPLIT, 7);
}

static void test_ordered_keeps_the_results_of_an_item_together (void) {
  Fake f;
  Reader r;
  long n = 0, wrong = 0;
  REQUIRE(fake_open(&f, FAKE_TWICE, THREADS));
  REQUIRE(reader_open(&r, &f, 1, 16, 2000));
  while (reader_next(&r, LC_NEVER)) {
    wrong += r.index != (uint64_t)(n / 2 + 1) || r.last != n % 2;
    n++;
  }
  CHECK_INT(n, 4000);
  CHECK_INT(wrong, 0);
  reader_close(&r);
  fake_close(&f);
}

/* At most `window` yielded values wait for the reader, whatever workers do. */
static void test_yielded_values_are_bounded (void) {
  int ordered;
  for (ordered = 0; ordered < 2; ordered++) {
    Fake f;
    Reader r;
    long n = 0, early = 0;
    REQUIRE(fake_open(&f, FAKE_TWICE, THREADS));
    REQUIRE(reader_open(&r, &f, ordered, 4, 1000));
    while (reader_next(&r, LC_NEVER)) {
      int waiting = atomic_load_explicit(&r.s->yielded, memory_order_relaxed);
      CHECK(waiting >= 0 && waiting <= 4);
      early += !r.last;
      n++;
    }
    CHECK_INT(n, 2000);
    CHECK_INT(early, 1000);
    CHECK_INT(atomic_load_explicit(&r.s->yielded, memory_order_relaxed), 0);
    reader_close(&r);
    fake_close(&f);
  }
}

/* Else those behind it could use up the room that its turn needs. */
static void test_ordered_keeps_room_for_the_turn (void) {
  Fake f;
  Reader r;
  WaitNode n;
  const SinkKind *kind;
  memset(&n, 0, sizeof n);
  REQUIRE(fake_open(&f, FAKE_WHOLE, 0) && reader_open(&r, &f, 1, 2, -1));
  n.waiter = &f.reader.waiter;
  CHECK(!reader_next(&r, 0));
  kind = lc_sink_kind(&r.s->sink);
  CHECK(kind->credit(&r.s->sink, 2, &n));
  CHECK(!kind->credit(&r.s->sink, 2, &n));
  kind->forget(&r.s->sink, &n);
  CHECK(!lc_wait_is_listed(&n));
  CHECK(kind->credit(&r.s->sink, 1, &n));
  CHECK(!kind->credit(&r.s->sink, 1, &n));
  CHECK(!lc_parker_has_token(&f.reader));
  CHECK_INT(reader_close(&r), 2);
  CHECK(lc_parker_has_token(&f.reader));    /* told, and off the list */
  CHECK(!lc_wait_is_listed(&n));
  fake_close(&f);
}

/* Workers that wait for room are told when the reader goes away. */
static void test_a_close_wakes_who_waits_for_room (void) {
  int round;
  for (round = 0; round < 100; round++) {
    Fake f;
    Reader r;
    REQUIRE(fake_open(&f, FAKE_TWICE, THREADS));
    REQUIRE(reader_open(&r, &f, round % 2, 1 + (size_t)round % 4, -1));
    if (round % 3) REQUIRE(reader_next(&r, LC_NEVER));
    reader_close(&r);
    fake_close(&f);
  }
}

static void test_an_empty_source_ends_at_once (void) {
  Fake f;
  Reader r;
  REQUIRE(fake_open(&f, FAKE_WHOLE, 1) && reader_open(&r, &f, 0, 0, 0));
  CHECK(!reader_next(&r, LC_NEVER));
  CHECK_INT(r.stop, STREAM_END);
  CHECK(!reader_next(&r, LC_NEVER));      /* and stays so */
  CHECK_INT(r.stop, STREAM_END);
  CHECK_INT(f.sent, 0);
  reader_close(&r);
  fake_close(&f);
}

/* --- the window ------------------------------------------------------------------- */

static void test_the_window_bounds_what_is_pulled (void) {
  static const size_t windows[] = {1, 2, 8, 100};
  size_t i;
  for (i = 0; i < 4; i++) {
    Fake f;
    Reader r;
    REQUIRE(fake_open(&f, FAKE_SPLIT, THREADS));
    REQUIRE(reader_open(&r, &f, (int)(i % 2), windows[i], 1000));
    while (reader_next(&r, LC_NEVER)) {}
    CHECK_INT(r.handed, 1000);
    CHECK(r.most <= (long)windows[i]);
    reader_close(&r);
    fake_close(&f);
  }
}

static void test_an_endless_source_is_pulled_a_window_ahead (void) {
  Fake f;
  Reader r;
  REQUIRE(fake_open(&f, FAKE_WHOLE, THREADS) && reader_open(&r, &f, 0, 8, -1));
  while (r.handed < 20) REQUIRE(reader_next(&r, LC_NEVER));
  CHECK(r.pulled <= 28);
  CHECK_INT(reader_close(&r), r.pulled - r.handed);
  fake_close(&f);
}

/* Nobody runs anything: the window is all there will ever be. */
static void test_without_results_no_more_is_pulled (void) {
  Fake f;
  Reader r;
  REQUIRE(fake_open(&f, FAKE_WHOLE, 0) && reader_open(&r, &f, 0, 8, -1));
  CHECK(!reader_next(&r, 0));
  CHECK_INT(r.stop, STREAM_WAIT);
  CHECK_INT(r.pulled, 8);
  CHECK_INT(reader_close(&r), 8);
  fake_close(&f);
}

static void test_not_given_the_window_still_bounds (void) {
  Fake f;
  Reader r;
  REQUIRE(fake_open(&f, FAKE_WHOLE, 0) && reader_open(&r, &f, 1, 0, -1));
  CHECK(!reader_next(&r, 0));
  CHECK(r.pulled >= 2 && r.pulled <= 100);
  reader_close(&r);
  fake_close(&f);
}

static void test_memory_stays_flat (void) {
  Fake f;
  Reader r;
  size_t most = 0;
  REQUIRE(fake_open(&f, FAKE_WHOLE, THREADS) && reader_open(&r, &f, 1, 0, MANY));
  while (reader_next(&r, LC_NEVER)) {
    size_t used = lc_mem_used(&f.mem);
    if (used > most) most = used;
  }
  CHECK(most < 4u * 1024 * 1024);
  reader_close(&r);
  fake_close(&f);
}

/* --- who waits for what -------------------------------------------------------------- */

/* Two items are through; the window has room for many more. A batch's worth of
** pulls goes first, unless they take long. */
static void test_a_ready_result_waits_for_a_batch_of_pulls_at_most (void) {
  Fake f;
  Reader r;
  Batch *b;
  REQUIRE(fake_open(&f, FAKE_SPLIT, 0) && reader_open(&r, &f, 0, 50, -1));
  CHECK_INT(lc_stream_step(r.s, 0), STREAM_PULL);
  CHECK(reader_pull(&r) && reader_pull(&r));
  lc_supply_flush(r.s);
  while ((b = fake_take(&f, 0)) != NULL) fake_run(&f, b);
  CHECK(reader_next(&r, 0));
  CHECK(r.pulled <= 2 + (long)r.s->size);
  CHECK(reader_next(&r, 0));
  CHECK(r.pulled <= 2 + 2 * (long)r.s->size);
  CHECK(r.pulled < 50);
  reader_close(&r);
  fake_close(&f);
}

/* Results that are here and not read count: the reader is slow, not the
** workers. */
static void test_unread_results_fill_the_window (void) {
  Fake f;
  Reader r;
  Batch *b;
  REQUIRE(fake_open(&f, FAKE_SPLIT, 0) && reader_open(&r, &f, 0, 8, -1));
  /* A pull that takes long, on a busy machine, is followed by a pause. */
  while (!reader_next(&r, 0) && r.s->until != 0 && r.pulled < 8) {}
  CHECK_INT(r.pulled, 8);
  while ((b = fake_take(&f, 0)) != NULL) fake_run(&f, b);
  CHECK_INT(lc_stream_step(r.s, 0), STREAM_READY);
  while (r.handed < 8) {
    REQUIRE(reader_next(&r, 0));
    CHECK(r.pulled - r.handed < 8);
  }
  reader_close(&r);
  fake_close(&f);
}

static void test_what_was_put_is_sent_before_a_wait (void) {
  Fake f;
  Reader r;
  REQUIRE(fake_open(&f, FAKE_WHOLE, 0)
          && reader_open_batch(&r, &f, 0, 3, 100, -1));
  CHECK(!reader_next(&r, 0));
  CHECK_INT(r.stop, STREAM_WAIT);
  CHECK(f.sent >= 1);           /* more, where the machine is slow */
  CHECK_INT(f.items, 3);
  reader_close(&r);
  fake_close(&f);
}

/* The oldest batch, which is for `k` if that is not NULL. */
static void fake_run_next (Fake *f, Sink *k) {
  Batch *b = fake_take(f, 0);
  CHECK(k == NULL || b == NULL || b->sink == k);
  if (b != NULL) fake_run(f, b);
}

/* What is ready somewhere: says that it was asked. */
static void fake_fetch (void *pool, Sink *k) {
  Fake *f = (Fake *)pool;
  f->fetched++;
  fake_run_next(f, k);
}

#define SOON_NS 20000000u

/* Nobody runs anything here but who fetches (and, where the machine is so slow that every
** item goes alone, the test). */
static void test_a_reader_that_starves_fetches (void) {
  Fake f;
  Reader r;
  int ordered;
  for (ordered = 0; ordered <= 1; ordered++) {
    REQUIRE(fake_open(&f, FAKE_WHOLE, 0));
    f.link.fetch = fake_fetch;
    REQUIRE(reader_open_batch(&r, &f, ordered, 4, 2, 20));
    CHECK(!reader_next(&r, 0));          /* not at once */
    CHECK_INT(f.fetched, 0);
    CHECK((r.s->until != 0) == (f.largest > 1));
    while (r.stop != STREAM_END) {
      if (reader_next(&r, lc_now() + SOON_NS)) CHECK(square_of(&r));
      else if (r.stop == STREAM_WAIT && r.s->until == 0) fake_run_next(&f, NULL);
    }
    CHECK_INT(r.handed, 20);
    CHECK(f.fetched > 0 || f.largest == 1);
    reader_close(&r);
    fake_close(&f);
  }
}

/* What an endless source gives before the reader has to wait, for one worker whose tasks
** take so long. */
static long pulled_ahead (double task_ns) {
  Fake f;
  Reader r;
  long pulled;
  if (!fake_open(&f, FAKE_WHOLE, 0) || !reader_open(&r, &f, 0, 0, -1)) return 0;
  lc_supply_expect(r.s, task_ns);
  CHECK(!reader_next(&r, 0));
  pulled = r.pulled;
  reader_close(&r);
  fake_close(&f);
  return pulled;
}

/* As many as it needs while its reader waits for a processor, within bounds. */
static void test_workers_have_work_in_stock (void) {
  CHECK_INT(pulled_ahead(1e9), 3);
  CHECK_INT(pulled_ahead(1e6), 8);
  CHECK_INT(pulled_ahead(60e3), 64);
}

/* Behind a task that is alone in its batch nothing waits. */
static void test_single_items_are_not_fetched (void) {
  Fake f;
  Reader r;
  REQUIRE(fake_open(&f, FAKE_WHOLE, 0));
  f.link.fetch = fake_fetch;
  REQUIRE(reader_open_batch(&r, &f, 0, 4, 1, 20));
  CHECK(!reader_next(&r, 0));
  CHECK_INT(r.pulled, 4);
  CHECK(r.s->until == 0);
  reader_close(&r);
  fake_close(&f);
}

/* Whichever comes first: the reader looks up until the two that went together are
** here. */
static void test_single_items_do_not_hide_a_batch (void) {
  Fake f;
  Reader r;
  Batch *two, *one;
  REQUIRE(fake_open(&f, FAKE_WHOLE, 0));
  f.link.fetch = fake_fetch;
  REQUIRE(reader_open_batch(&r, &f, 0, 4, 2, 3));
  CHECK(!reader_next(&r, 0));
  two = fake_take(&f, 0);
  one = fake_take(&f, 0);
  if (two != NULL && one != NULL && two->n == 2) {      /* else the machine is slow */
    fake_run(&f, one);
    CHECK(reader_next(&r, LC_NEVER) && r.index == 3);
    CHECK(!reader_next(&r, 0));
    CHECK(r.s->until != 0);
  }
  else if (one != NULL) fake_run(&f, one);
  if (two != NULL) fake_run(&f, two);
  while (reader_next(&r, LC_NEVER)) CHECK(square_of(&r));
  CHECK_INT(r.handed, 3);
  reader_close(&r);
  fake_close(&f);
}

static void test_a_batch_has_the_size_that_was_asked_for (void) {
  Fake f;
  Reader r;
  REQUIRE(fake_open(&f, FAKE_WHOLE, THREADS)
          && reader_open_batch(&r, &f, 0, 0, 10, 999));
  while (reader_next(&r, LC_NEVER)) {}
  CHECK_INT(r.handed, 999);
  CHECK(f.largest <= 10);
  reader_close(&r);
  fake_close(&f);
}

static void test_a_deadline_ends_a_wait_and_loses_nothing (void) {
  Fake f;
  Reader r;
  Batch *b;
  REQUIRE(fake_open(&f, FAKE_WHOLE, 0) && reader_open(&r, &f, 0, 1, 1));
  CHECK(!reader_next(&r, lc_deadline(0.001)));
  CHECK_INT(r.stop, STREAM_WAIT);
  REQUIRE((b = fake_take(&f, 0)) != NULL);
  fake_run(&f, b);
  CHECK(reader_next(&r, LC_NEVER));
  CHECK(square_of(&r));
  CHECK(!reader_next(&r, LC_NEVER));
  CHECK_INT(r.stop, STREAM_END);
  reader_close(&r);
  fake_close(&f);
}

/* Its one item waits for a worker, that is not there, and has answered (`runs`). */
static void stare (Fake *f, Reader *r, Glance *g, long items, int runs) {
  Batch *b;
  REQUIRE(fake_open(f, FAKE_WHOLE, 0));
  f->link.glance = g;
  REQUIRE(reader_open(r, f, 0, 2, items));
  CHECK(!reader_next(r, 0));
  if (!runs) return;
  REQUIRE((b = fake_take(f, 0)) != NULL);
  fake_run(f, b);
}

static void stare_end (Fake *f, Reader *r) {
  reader_close(r);
  fake_close(f);
}

static void test_a_glance_finds_the_last_results (void) {
  Fake f;
  Reader r;
  Glance g = {0, 0};
  stare(&f, &r, &g, 1, 1);
  CHECK(lc_stream_glance(r.s));
  CHECK(reader_next(&r, LC_NEVER));
  stare_end(&f, &r);
}

static void test_a_glance_in_vain_ends (void) {
  Fake f;
  Reader r;
  Glance g = {0, 0};
  stare(&f, &r, &g, 1, 0);
  CHECK(!lc_stream_glance(r.s));
  CHECK_INT(g.doubt, 1);
  stare_end(&f, &r);
}

static void test_there_is_no_glance_for_others (void) {
  Fake f;
  Reader r;
  Glance g = {0, 0};
  stare(&f, &r, NULL, 1, 1);                /* its own processor is all there is */
  CHECK(!lc_stream_glance(r.s));
  stare_end(&f, &r);
  stare(&f, &r, &g, -1, 1);                 /* the source has more */
  CHECK(!lc_stream_glance(r.s));
  stare_end(&f, &r);
}

/* What seems to come late is left out after a glance in vain, once; what comes soon is not. */
static void test_glances_in_doubt_are_left_out (void) {
  Fake f;
  Reader r;
  Glance g = {1, 1};
  stare(&f, &r, &g, 1, 1);
  r.s->task_ns = 1e6;
  CHECK(!lc_stream_glance(r.s));
  CHECK(lc_stream_glance(r.s));
  CHECK_INT(g.doubt, 0);
  g.out = 1;
  r.s->task_ns = 1;
  CHECK(lc_stream_glance(r.s));
  stare_end(&f, &r);
}

/* A reader with hurried deadlines gets everything all the same. */
static void test_deadlines_race_with_deliveries (void) {
  Fake f;
  Reader r;
  long n = 0;
  REQUIRE(fake_open(&f, FAKE_SPLIT, THREADS) && reader_open(&r, &f, 0, 4, 3000));
  do {
    if (reader_next(&r, lc_now() + (uint64_t)(n % 30) * 1000)) n++;
  } while (r.stop != STREAM_END);
  CHECK_INT(n, 3000);
  reader_close(&r);
  fake_close(&f);
}

/* --- failures ------------------------------------------------------------------------- */

/* An item that could not be sent has its place among the results. */
static void test_a_failed_item_keeps_its_place (void) {
  Fake f;
  Reader r;
  uint64_t want = 0;
  REQUIRE(fake_open(&f, FAKE_WHOLE, THREADS) && reader_open(&r, &f, 1, 0, 300));
  r.failing = 1;
  while (reader_next(&r, LC_NEVER)) {
    CHECK_INT(r.index, ++want);
    CHECK_INT(r.value, want % 3 == 2 ? -1 : (long)(want * want));
  }
  CHECK_INT(want, 300);
  CHECK_INT(reader_close(&r), 0);
  fake_close(&f);
}

/* --- ends --------------------------------------------------------------------------------- */

static void test_close_while_deliveries_come_in (void) {
  int round;
  for (round = 0; round < 150; round++) {
    Fake f;
    Reader r;
    long take = round % 40;
    REQUIRE(fake_open(&f, (FakeMode)(round % 3), THREADS));
    REQUIRE(reader_open(&r, &f, round % 2, round % 5 ? 64 : 0, -1));
    while (take-- > 0) REQUIRE(reader_next(&r, LC_NEVER));
    CHECK_INT(lc_stream_close(r.s), r.pulled - r.handed);
    CHECK_INT(lc_stream_close(r.s), 0);
    CHECK(lc_sink_cancelled(&r.s->sink));
    lc_stream_release(r.s);
    fake_close(&f);
  }
}

static void test_a_closed_stream_skips_what_has_not_started (void) {
  Fake f;
  Reader r;
  Batch *b;
  REQUIRE(fake_open(&f, FAKE_WHOLE, 0) && reader_open(&r, &f, 0, 8, -1));
  CHECK(!reader_next(&r, 0));
  REQUIRE((b = fake_take(&f, 0)) != NULL);
  CHECK(!lc_sink_cancelled(b->sink));
  CHECK_INT(reader_close(&r), 8);
  CHECK(lc_sink_cancelled(b->sink));     /* the batch keeps it alive */
  fake_run(&f, b);
  fake_close(&f);
}

static void test_batches_refused_at_the_door_are_no_leak (void) {
  Fake f;
  Reader r;
  REQUIRE(fake_open(&f, FAKE_WHOLE, 0) && reader_open(&r, &f, 1, 8, -1));
  f.refuses = 1;
  CHECK(!reader_next(&r, 0));
  CHECK_INT(r.stop, STREAM_WAIT);
  CHECK_INT(reader_close(&r), 8);
  fake_close(&f);
}

static void test_what_came_before_a_break_is_handed_over (void) {
  Fake f;
  Reader r;
  Batch *b;
  REQUIRE(fake_open(&f, FAKE_WHOLE, 0) && reader_open(&r, &f, 1, 2, -1));
  CHECK(!reader_next(&r, 0));
  REQUIRE((b = fake_take(&f, 0)) != NULL);
  fake_run(&f, b);
  lc_stream_break(r.s);
  CHECK(reader_next(&r, LC_NEVER));
  CHECK_INT(r.index, 1);
  f.refuses = 1;
  while (reader_next(&r, LC_NEVER)) {}
  CHECK_INT(r.stop, STREAM_BROKEN);
  reader_close(&r);
  fake_close(&f);
}

static void break_it (void *ud) { lc_stream_break((Stream *)ud); }

static void test_a_break_wakes_who_waits (void) {
  int round;
  for (round = 0; round < 200; round++) {
    Fake f;
    Reader r;
    Thread t;
    REQUIRE(fake_open(&f, FAKE_WHOLE, 0) && reader_open(&r, &f, 0, 4, -1));
    REQUIRE(lc_thread_start(&t, break_it, r.s, 0) == 0);
    CHECK(!reader_next(&r, LC_NEVER));
    CHECK_INT(r.stop, STREAM_BROKEN);
    lc_thread_join(&t);
    reader_close(&r);
    fake_close(&f);
  }
}

static void test_a_stream_that_has_ended_is_not_broken (void) {
  Fake f;
  Reader r;
  REQUIRE(fake_open(&f, FAKE_WHOLE, 1) && reader_open(&r, &f, 0, 0, 10));
  while (reader_next(&r, LC_NEVER)) {}
  lc_stream_break(r.s);
  CHECK(!reader_next(&r, LC_NEVER));
  CHECK_INT(r.stop, STREAM_END);
  reader_close(&r);
  fake_close(&f);
}

/* Two streams over the same workers, read in turn. */
static void test_streams_do_not_mix (void) {
  Fake f;
  Reader a, b;
  long n = 0;
  REQUIRE(fake_open(&f, FAKE_SPLIT, THREADS));
  REQUIRE(reader_open(&a, &f, 1, 5, 500) && reader_open(&b, &f, 1, 3, 500));
  while (reader_next(&a, LC_NEVER)) {
    REQUIRE(reader_next(&b, LC_NEVER));
    n++;
    CHECK(a.index == (uint64_t)n && b.index == (uint64_t)n);
  }
  CHECK(!reader_next(&b, LC_NEVER));
  CHECK_INT(n, 500);
  reader_close(&a);
  reader_close(&b);
  fake_close(&f);
}

/* --- out of memory -------------------------------------------------------------------------- */

typedef struct Budget {
  long left;          /* requests until a refusal; < 0: no refusal */
  int once;
} Budget;

static void *budget_alloc (void *ud, void *p, size_t osize, size_t nsize) {
  Budget *b = (Budget *)ud;
  (void)osize;
  if (nsize == 0) {
    free(p);
    return NULL;
  }
  if (b->left == 0) {
    if (b->once) b->left = -1;
    return NULL;
  }
  if (b->left > 0) b->left--;
  return realloc(p, nsize);
}

/* Everything on this thread. Gives whether it came to its end. */
static int frugal (long k, int once, int ordered) {
  Budget budget;
  Fake f;
  Reader r;
  int done = 0, tries = 0;
  budget.left = -1;
  budget.once = once;
  if (!CHECK(fake_open(&f, FAKE_SPLIT, 0))) return 1;
  lc_mem_init(&f.mem, budget_alloc, &budget);
  budget.left = k;
  if (reader_open(&r, &f, ordered, 0, 200)) {
    r.failing = 1;
    while (!done && tries < 3) {
      Batch *b;
      while (reader_next(&r, 0)) CHECK(r.value == -1 || square_of(&r));
      done = r.stop == STREAM_END;
      tries += r.stop == STREAM_PULL;         /* no memory for an item */
      while ((b = fake_take(&f, 0)) != NULL) fake_run(&f, b);
    }
    reader_close(&r);
  }
  else lc_stream_release(r.s);
  fake_close(&f);
  return done && budget.left > 0;
}

static void test_no_memory_is_a_failure_never_a_leak (void) {
  int way;
  for (way = 0; way < 4; way++) {
    long k = 0;
    while (k < 5000 && !frugal(k, way & 1, way >> 1)) k++;
    CHECK(k > 10 && k < 5000);
  }
}

int main (void) {
  RUN(test_each_item_gives_its_result_once);
  RUN(test_a_batch_may_come_home_in_parts);
  RUN(test_ordered_is_the_order_of_the_source);
  RUN(test_ordered_keeps_the_results_of_an_item_together);
  RUN(test_yielded_values_are_bounded);
  RUN(test_ordered_keeps_room_for_the_turn);
  RUN(test_a_close_wakes_who_waits_for_room);
  RUN(test_an_empty_source_ends_at_once);
  RUN(test_the_window_bounds_what_is_pulled);
  RUN(test_an_endless_source_is_pulled_a_window_ahead);
  RUN(test_without_results_no_more_is_pulled);
  RUN(test_not_given_the_window_still_bounds);
  RUN(test_memory_stays_flat);
  RUN(test_a_ready_result_waits_for_a_batch_of_pulls_at_most);
  RUN(test_unread_results_fill_the_window);
  RUN(test_what_was_put_is_sent_before_a_wait);
  RUN(test_a_reader_that_starves_fetches);
  RUN(test_workers_have_work_in_stock);
  RUN(test_single_items_are_not_fetched);
  RUN(test_single_items_do_not_hide_a_batch);
  RUN(test_a_batch_has_the_size_that_was_asked_for);
  RUN(test_a_deadline_ends_a_wait_and_loses_nothing);
  RUN(test_a_glance_finds_the_last_results);
  RUN(test_a_glance_in_vain_ends);
  RUN(test_there_is_no_glance_for_others);
  RUN(test_glances_in_doubt_are_left_out);
  RUN(test_deadlines_race_with_deliveries);
  RUN(test_a_failed_item_keeps_its_place);
  RUN(test_close_while_deliveries_come_in);
  RUN(test_a_closed_stream_skips_what_has_not_started);
  RUN(test_batches_refused_at_the_door_are_no_leak);
  RUN(test_what_came_before_a_break_is_handed_over);
  RUN(test_a_break_wakes_who_waits);
  RUN(test_a_stream_that_has_ended_is_not_broken);
  RUN(test_streams_do_not_mix);
  RUN(test_no_memory_is_a_failure_never_a_leak);
  return check_end();
}
