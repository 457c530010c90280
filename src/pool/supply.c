#include "supply.h"

#include "credit.h"
#include "turn.h"

#define BATCH_NS (LC_BATCH_US * 1000.0)
/* Nor should a batch be larger than this. */
#define BATCH_BYTES (64 * 1024)
#define BATCH_MOST 256
/* Nor the first ones, so that there is something to read soon. */
#define BATCH_FIRST 128
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
/* A consumer may wait so long until it gets a processor that the workers use: who runs
** keeps it for 3 ms and more, on Linux. So much work they have in stock, if that is no
** more than so many items. */
#define AHEAD_NS 8000000.0
#define AHEAD_MOST 64
/* Empty batches that a stream keeps. */
#define SPARE_MOST 8

/* --- the size of batches ------------------------------------------------ */

/* The items that run in so many nanoseconds. */
static double supply_fit (const Stream *s, double ns) {
  return ns / (s->task_ns < 1 ? 1 : s->task_ns);
}

static void supply_learn (Stream *s, double task_ns) {
  double stock;
  s->task_ns = task_ns;
  stock = supply_fit(s, AHEAD_NS * s->link.workers);
  s->stock = stock < AHEAD_MOST ? (size_t)stock : AHEAD_MOST;
}

void lc_supply_expect (Stream *s, double task_ns) {
  double size;
  supply_learn(s, task_ns);
  if (s->options.batch != 0) return;
  size = supply_fit(s, BATCH_NS);
  s->size = size > BATCH_FIRST ? BATCH_FIRST : size < 1 ? 1 : (size_t)size;
}

/*
** From what has come home. A rise in the time of tasks counts at once, a
** fall slowly: a batch too small costs a little, one too large holds
** finished results up. Growth is fourfold at most, since the first tasks
** (cold caches, code being loaded) say little.
*/
void lc_supply_measure (Stream *s, const Batch *b) {
  double per, size, most = s->finished < BATCH_EARLY ? BATCH_FIRST : BATCH_MOST;
  if (b->ran == 0) return;
  per = (double)b->busy_ns / (double)b->ran;
  if (s->task_ns >= 0 && per < s->task_ns) per = s->task_ns + (per - s->task_ns) / 4;
  supply_learn(s, per);
  if (s->options.batch != 0) return;
  size = supply_fit(s, BATCH_NS);
  if (b->n > 0 && b->msg.len / b->n > 0) {    /* results are large? */
    double fit = (double)BATCH_BYTES / (double)(b->msg.len / b->n);
    if (fit < size) size = fit;
  }
  if (size > (double)s->size * 4) size = (double)s->size * 4;
  if (size > most) size = most;
  s->size = size < 1 ? 1 : (size_t)size;
}

/* One batch of `size` items running and one waiting for each, and one being filled. */
static uint64_t supply_batches (size_t size, int workers) {
  return (uint64_t)size * (2 * (uint64_t)workers + 1);
}

/*
** How many items may be with the workers: an item at least for each, which may be one that
** waits; so many as the processors can keep busy have a whole batch (more is only
** more to fetch from memory); or what they have in stock. An explicit window means what
** it says.
*/
static uint64_t supply_lookahead (const Stream *s) {
  uint64_t n = supply_batches(s->size, s->link.busy);
  uint64_t least = supply_batches(1, s->link.workers);
  if (s->options.window != 0) return s->options.window;
  if (n < least) n = least;
  return n > s->stock ? n : s->stock;
}

/* Less than makes a whole batch waits until there is room for one: workers have enough. */
uint64_t lc_supply_may (const Stream *s) {
  uint64_t ahead = supply_lookahead(s), away = s->pulled - s->finished;
  size_t begun = s->open != NULL ? s->open->n : 0;
  uint64_t window = s->options.window != 0 ? s->options.window : 4 * ahead;
  uint64_t here = s->pulled - s->handed;
  if (away >= ahead || here >= window) return 0;
  if (s->options.window == 0 && ahead - away + begun < s->size) return 0;
  return ahead - away < window - here ? ahead - away : window - here;
}

/* --- putting items in --------------------------------------------------- */

static void supply_keep_spare (Stream *s, Batch *b) {
  b->task.next = s->spare;
  s->spare = &b->task;
  s->nspare++;
}

Batch *lc_supply_spare (Stream *s) {
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

void lc_supply_recycle (Stream *s, Batch *b) {
  if (s->nspare >= SPARE_MOST) {
    lc_batch_free(b);
    return;
  }
  lc_batch_clear(b);
  supply_keep_spare(s, b);
}

static void supply_drop_task (Task *t) {
  Batch *b = (Batch *)t;
  Sink *k = b->sink;
  lc_batch_free(b);
  lc_shared_release(&k->head);
}

void lc_supply_flush (Stream *s) {
  Batch *b = s->open;
  if (b == NULL) return;
  s->open = NULL;
  if (b->n > 1) {
    s->bundled = s->pulled;
    s->settled = s->finished;
  }
  b->task.run = s->link.run;
  b->task.drop = supply_drop_task;
  b->task.items = b->n;
  b->sink = &s->sink;
  b->seed = s->seed;
  b->timeout = s->options.timeout;
  b->base = s->base;
  b->retry = s->retry;
  if (s->holds > 0) s->holds--;
  else lc_stream_hold(s);
  s->link.send(s->link.pool, s->link.self, b);
}

/* The open batch goes before it is full: so many are too many to wait for. */
static void supply_flush_early (Stream *s) {
  size_t n = s->open->n;
  if (s->options.batch == 0 && n < s->size) s->size = n;
  lc_supply_flush(s);
}

/* `open` is set only while it has items: an empty one stays spare. */
Batch *lc_supply_open_batch (Stream *s) {
  Batch *b;
  if (s->open != NULL) return s->open;
  b = lc_supply_spare(s);
  if (b != NULL) supply_keep_spare(s, b);
  return b;
}

static Batch *supply_opened (const Stream *s) {
  return s->open != NULL ? s->open : (Batch *)s->spare;
}

/* An entry for the next item, in the batch that was opened for it; NULL without memory. */
static Entry *supply_add (Stream *s, Call *call) {
  Entry *e;
  if (s->options.ordered && !lc_turn_widen(s, 1)) return NULL;
  e = lc_batch_add(supply_opened(s), s->pulled + 1, ENTRY_ITEM, 0);
  if (e == NULL) return NULL;
  e->call = call;
  s->pulled++;
  return e;
}

/* A pull took `us`: when the next one may begin. */
static uint64_t supply_pause (const Stream *s, uint64_t us) {
  uint64_t ns = us * 1000 / 10;
  if (us < LONG_US || s->task_ns > (double)ns) return 0;
  return lc_now() + (ns < PAUSE_NS ? ns : PAUSE_NS);
}

/* Items were added: the batch goes when it is time. */
static void supply_added (Stream *s) {
  uint64_t now = lc_ticks();
  Batch *b;
  if (s->open == NULL) {
    s->open = lc_supply_spare(s);
    s->opened = now;
  }
  b = s->open;
  s->slow = now - s->asked > SLOW_US * LC_TICKS_PER_US;
  s->pause = s->slow ? supply_pause(s, (now - s->asked) / LC_TICKS_PER_US) : 0;
  s->paused = 0;
  s->asked = now;
  if (b->n >= s->size || s->slow) lc_supply_flush(s);
  else if (b->msg.len >= BATCH_BYTES) supply_flush_early(s);
}

/* It took too long to fill. */
void lc_supply_hurry (Stream *s, uint64_t now) {
  if (s->open != NULL && now - s->opened > LC_BATCH_TICKS) supply_flush_early(s);
}

int lc_supply_put (Stream *s, size_t at, Call *call) {
  Entry *e = supply_add(s, call);
  if (e == NULL) return 0;
  e->at = at;
  supply_added(s);
  return 1;
}

int lc_supply_put_value (Stream *s, lua_State *L, EntryForm form, int idx,
                         Call *call) {
  Entry *e = supply_add(s, call);
  if (e == NULL) return 0;
  lc_entry_set(L, e, form, idx);
  supply_added(s);
  return 1;
}

size_t lc_supply_room (Stream *s) {
  Batch *b = lc_supply_open_batch(s);
  uint64_t most = lc_supply_may(s);
  size_t n = 1;                   /* shuffled: it may be asked for one more */
  if (b == NULL) return 0;
  if (most > 1 && s->size > b->n + 1) n = s->size - b->n;
  if (n > most && most > 0) n = (size_t)most;
  if (s->options.ordered && !lc_turn_widen(s, n)) return 0;
  return lc_batch_reserve(b, b->n + n) ? n : 0;
}

void lc_supply_put_range (Stream *s, lua_Integer first, lua_Integer step,
                          size_t n, Call *call) {
  Batch *b = supply_opened(s);
  if (b->n == 0) {                       /* else it goes on with what is there */
    b->shape = SHAPE_SPAN;
    b->step = step;
    lc_entry_init(&b->model, s->pulled + 1, ENTRY_ITEM, 0);
    b->model.call = call;
    b->model.form = FORM_INTEGER;
    b->model.integer = first;
  }
  b->n += n;
  s->pulled += n;
  supply_added(s);
}

void lc_supply_keep_call (Stream *s, Call *call) {
  call->next = s->calls;
  s->calls = call;
}

void lc_supply_exhaust (Stream *s) {
  s->exhausted = 1;
  lc_supply_flush(s);
  if (s->options.ordered && lc_turn(s) > s->pulled && s->handed < s->pulled) {
    lc_turn_pass(s);
    lc_credit_wake(s);
  }
}
