/* Shared: the last release frees, once, and sees what all others wrote. */
#include "check.h"

#include "base/shared.h"
#include "base/thread.h"

#define HOLDERS 4

typedef struct Thing {
  Shared head;
  long written[HOLDERS];     /* each holder's own, plain */
} Thing;

/* What the free function saw. */
static long seen;
static int freed;

static void thing_free (Shared *s) {
  Thing *t = (Thing *)(void *)s;
  int i;
  freed++;
  seen = 0;
  for (i = 0; i < HOLDERS; i++) seen += t->written[i];
}

static const SharedKind thing_kind = {"test.thing", thing_free};

static void thing_init (Thing *t) {
  memset(t, 0, sizeof(Thing));
  seen = 0;
  freed = 0;
  lc_shared_init(&t->head, &thing_kind);
}

static void test_the_creator_holds_it (void) {
  Thing t;
  thing_init(&t);
  CHECK(t.head.kind == &thing_kind);
  lc_shared_release(&t.head);
  CHECK_INT(freed, 1);
}

static void test_it_lives_until_the_last_release (void) {
  Thing t;
  thing_init(&t);
  CHECK(lc_shared_hold(&t.head) == &t.head);
  lc_shared_release(&t.head);
  CHECK_INT(freed, 0);
  lc_shared_release(&t.head);
  CHECK_INT(freed, 1);
}

static void test_nothing_can_be_released (void) {
  lc_shared_release(NULL);
  CHECK(1);
}

typedef struct Holder {
  Thing *t;
  int which;
} Holder;

static void hold_and_release (void *ud) {
  Holder *h = (Holder *)ud;
  int i;
  for (i = 0; i < 100; i++) {
    lc_shared_hold(&h->t->head);
    h->t->written[h->which]++;
    lc_shared_release(&h->t->head);
  }
  lc_shared_release(&h->t->head);
}

static void test_the_last_of_many_threads_frees_it_once (void) {
  int round, i;
  for (round = 0; round < 100; round++) {
    Thing t;
    Holder h[HOLDERS];
    Thread threads[HOLDERS];
    thing_init(&t);
    for (i = 0; i < HOLDERS; i++) {
      h[i].t = &t;
      h[i].which = i;
      lc_shared_hold(&t.head);
    }
    for (i = 0; i < HOLDERS; i++)
      REQUIRE(lc_thread_start(&threads[i], hold_and_release, &h[i], 0) == 0);
    lc_shared_release(&t.head);
    for (i = 0; i < HOLDERS; i++) lc_thread_join(&threads[i]);
    CHECK_INT(freed, 1);
    CHECK_INT(seen, HOLDERS * 100);
  }
}

int main (void) {
  RUN(test_the_creator_holds_it);
  RUN(test_it_lives_until_the_last_release);
  RUN(test_nothing_can_be_released);
  RUN(test_the_last_of_many_threads_frees_it_once);
  return check_end();
}
