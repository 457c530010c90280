/* A body and its reader taking turns, without Lua: two threads, and words that
** are plain bytes. */
#include "check.h"

#include "base/clock.h"
#include "pool/dialogue.h"

#define ROUNDS 20000

typedef struct Talk {
  Mem mem;
  Dialogue *d;
  Parker body, reader;
  _Atomic(int) items;         /* that the body has given */
  _Atomic(int) stop;          /* as a cancelled sink */
  int steps;                  /* answers that the body waits for */
  long sum;                   /* of what it heard; the body's */
} Talk;

static void talk_open (Talk *t) {
  memset(t, 0, sizeof *t);
  lc_mem_init(&t->mem, NULL, NULL);
  lc_parker_init(&t->body);
  lc_parker_init(&t->reader);
  t->d = lc_dialogue_new(&t->mem);
}

static void talk_close (Talk *t) {
  lc_dialogue_free(t->d);
  lc_parker_free(&t->body);
  lc_parker_free(&t->reader);
  CHECK_INT(lc_mem_used(&t->mem), 0);
}

static void talk_say (Talk *t, long x) {
  Message *m = lc_dialogue_words(t->d);
  if (lc_message_room(m, sizeof x)) {
    memcpy(m->bytes + m->len, &x, sizeof x);
    m->len += sizeof x;
  }
  lc_dialogue_answer(t->d);
}

/* One item, and the answer to it; 0 when it is cancelled. */
static int talk_yield (Talk *t) {
  const Message *words;
  WaitNode n;
  long x;
  memset(&n, 0, sizeof n);
  n.waiter = &t->body.waiter;
  atomic_fetch_add(&t->items, 1);
  lc_unpark(&t->reader);
  while (!atomic_load(&t->stop)) {
    if (lc_dialogue_hear(t->d, &n, &words)) {
      if (words->len > 0) {
        memcpy(&x, words->bytes, sizeof x);
        t->sum += x;
      }
      return 1;
    }
    lc_park(&t->body, LC_NEVER, 0);
    lc_dialogue_forget(t->d, &n);
  }
  return 0;
}

static void talk_body (void *ud) {
  Talk *t = (Talk *)ud;
  int i;
  for (i = 0; i < t->steps; i++)
    if (!talk_yield(t)) return;
}

static void talk_await (Talk *t, int items) {
  while (atomic_load(&t->items) < items) lc_park(&t->reader, LC_NEVER, 0);
}

static void test_each_yield_hears_its_own_answer (void) {
  Talk t;
  Thread body;
  long i;
  talk_open(&t);
  REQUIRE(t.d != NULL);
  t.steps = ROUNDS;
  REQUIRE(lc_thread_start(&body, talk_body, &t, 0) == 0);
  for (i = 1; i <= ROUNDS; i++) {
    talk_await(&t, (int)i);
    CHECK_INT(atomic_load(&t.items), i);      /* not a step further */
    if (i % 3 == 0) {
      lc_dialogue_words(t.d);                  /* nothing is said */
      lc_dialogue_answer(t.d);
    }
    else talk_say(&t, i % 3);
  }
  lc_thread_join(&body);
  CHECK_INT(t.sum, 3 * (ROUNDS / 3) + (ROUNDS % 3 > 0) + 2 * (ROUNDS % 3 > 1));
  talk_close(&t);
}

static void test_a_body_that_is_let_run_waits_no_more (void) {
  Talk t;
  Thread body;
  talk_open(&t);
  REQUIRE(t.d != NULL);
  t.steps = 100;
  REQUIRE(lc_thread_start(&body, talk_body, &t, 0) == 0);
  talk_await(&t, 1);
  lc_dialogue_let_run(t.d);
  lc_thread_join(&body);
  CHECK_INT(atomic_load(&t.items), 100);
  CHECK_INT(t.sum, 0);
  talk_close(&t);
}

static void test_a_body_that_waits_is_told_of_the_end (void) {
  int i;
  for (i = 0; i < 200; i++) {
    Talk t;
    Thread body;
    talk_open(&t);
    REQUIRE(t.d != NULL);
    t.steps = 100;
    REQUIRE(lc_thread_start(&body, talk_body, &t, 0) == 0);
    talk_await(&t, 1);
    if (i % 2 == 0) {
      talk_say(&t, 1);
      talk_await(&t, 2);
    }
    atomic_store(&t.stop, 1);
    lc_dialogue_end(t.d);
    lc_unpark(&t.body);       /* it may have looked before, and not waited yet */
    lc_thread_join(&body);
    CHECK_INT(atomic_load(&t.items), 1 + (i % 2 == 0));
    talk_close(&t);
  }
}

int main (void) {
  RUN(test_each_yield_hears_its_own_answer);
  RUN(test_a_body_that_is_let_run_waits_no_more);
  RUN(test_a_body_that_waits_is_told_of_the_end);
  return check_end();
}
