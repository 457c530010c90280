/*
** park.h: where one thread sleeps until another wakes it. A wake that comes
** before the sleep is not lost: it is a token, and the next park takes it.
** Stands on thread.h and atomic.h. (The shape of Rust's thread::park.)
**
** Protocol. Only the owner parks; anybody unparks. The waker first makes its
** news visible (under the lock of whatever holds the news), then unparks; the
** owner, once awake, looks for news itself: a token carries none. Every park
** sits in a loop. A parker outlives its wakers' calls.
**
** What somebody waits for keeps a `Waiter`, and does not care whether a
** thread or a parked task is behind it. It is woken while the lock under
** which it was found is still held: so whoever takes itself off under that
** lock is sure that nobody is about to touch it. (A thread's parker lives as
** long as its state, so it may be woken after unlocking, which is cheaper.)
*/
#ifndef lc_park_h
#define lc_park_h

#include <stdint.h>

#include "atomic.h"
#include "glance.h"
#include "thread.h"

typedef struct Waiter Waiter;

struct Waiter {
  void (*wake) (Waiter *w);     /* any thread; never waits */
  int late;                     /* may be woken after unlocking */
};

/*
** A waiter's place on the list of what it waits for. The list, and the node
** while it is on it, are guarded by that thing's lock.
*/
typedef struct WaitNode WaitNode;

struct WaitNode {
  WaitNode *next;
  _Atomic(WaitNode **) at;      /* NULL: on no list, and nobody else has it */
  Waiter *waiter;
  uint64_t index;               /* the list's own, if it needs one */
};

/* acquire: pairs with the release in lc_wait_remove, the last touch of the node. */
static inline int lc_wait_is_listed (WaitNode *n) {
  return atomic_load_explicit(&n->at, memory_order_acquire) != NULL;
}

/* On no list, for `waiter`. */
static inline void lc_wait_init (WaitNode *n, Waiter *waiter) {
  atomic_store_explicit(&n->at, (WaitNode **)NULL, memory_order_relaxed);
  n->waiter = waiter;
}

static inline void lc_wait_add (WaitNode **list, WaitNode *n) {
  while (*list != NULL) list = &(*list)->next;     /* first come */
  n->next = NULL;
  /* relaxed: the list's lock orders it. */
  atomic_store_explicit(&n->at, list, memory_order_relaxed);
  *list = n;
}

static inline void lc_wait_remove (WaitNode *n) {
  /* relaxed: the list's lock orders it. */
  WaitNode **at = atomic_load_explicit(&n->at, memory_order_relaxed);
  if (at == NULL) return;
  *at = n->next;
  if (n->next != NULL) atomic_store_explicit(&n->next->at, at, memory_order_relaxed);
  atomic_store_explicit(&n->at, (WaitNode **)NULL, memory_order_release);
}

/* Off the list, and woken; its node, which may end by that, is not touched after it. */
static inline void lc_wait_wake (WaitNode *n) {
  Waiter *w = n->waiter;
  lc_wait_remove(n);
  w->wake(w);
}

typedef struct Parker {
  Waiter waiter;                /* first: wakes by lc_unpark */
  WaitNode node;                /* the owner's, on what it waits for: who wakes it touches
                                ** both, and what is below */
  /* atomic */
  _Atomic(int) state;
  _Atomic(int) waker_cpu;       /* where the last waker ran... */
  _Atomic(int) owner_cpu;       /* ...and where the owner spins; -1: it does not */
  _Atomic(int) room;            /* see lc_parker_room */
  /* owner only */
  Glance glance;
  int shares;                   /* spins in a row that were ended from there, too */
  /* guards nothing but the sleep itself */
  Mutex lock;
  Cond cond;
} Parker;

/* 0 on success, else an errno. */
int lc_parker_init (Parker *p);
void lc_parker_free (Parker *p);

/* How long a spin lasts at most, by the clock: so many times `spin_ns`. */
#define LC_SPIN_MOST 6

/*
** Waits for a token until `deadline` (LC_NEVER: for ever) and takes it; 0
** when the deadline came first. Spins (giving the processor away) for up to
** `spin_ns` before it sleeps: worth it when there was traffic lately, since
** waking an idle core costs about 20 microseconds. The time for which others have the
** processor does not count, up to LC_SPIN_MOST. Owner only.
*/
int lc_park (Parker *p, uint64_t deadline, uint64_t spin_ns);

/* Whether there is a processor for the owner, besides those who have work: then a spin begins
** with a glance of a few microseconds that does not give it away. A hint. Any thread. */
void lc_parker_room (Parker *p, int room);

/* Whether a token waits: for an owner with something useful to do meanwhile. */
int lc_parker_has_token (Parker *p);

/* Whether the owner sleeps. A hint. Any thread. */
int lc_parker_sleeps (Parker *p);

/* The processor that the owner spins on; -1: it does not spin. A hint. Any thread. */
int lc_parker_cpu (Parker *p);

/* Whether the owner, who may go on, waits for the processor that the caller has. A hint.
** Any thread. */
int lc_parker_is_due_here (Parker *p);

/* Whether who woke it last had that processor. A hint. Any thread. */
int lc_parker_is_woken_here (Parker *p);

/* Leaves a token, and wakes the owner if it sleeps. Any thread; no lock of
** the caller's should be held, or the woken thread runs into it. */
void lc_unpark (Parker *p);

#endif
