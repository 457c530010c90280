#include "park.h"

#include <string.h>

#include "clock.h"

enum { PARK_EMPTY, PARK_TOKEN, PARK_ASLEEP };

static void park_wake (Waiter *w) {
  lc_unpark((Parker *)(void *)w);
}

int lc_parker_init (Parker *p) {
  int err = lc_mutex_init(&p->lock);
  if (err != 0) return err;
  err = lc_cond_init(&p->cond);
  if (err != 0) {
    lc_mutex_free(&p->lock);
    return err;
  }
  atomic_store_explicit(&p->state, PARK_EMPTY, memory_order_relaxed);
  atomic_store_explicit(&p->waker_cpu, -1, memory_order_relaxed);
  atomic_store_explicit(&p->owner_cpu, -1, memory_order_relaxed);
  atomic_store_explicit(&p->room, 0, memory_order_relaxed);
  memset(&p->glance, 0, sizeof p->glance);
  p->shares = 0;
  p->waiter.wake = park_wake;
  p->waiter.late = 1;
  return 0;
}

void lc_parker_free (Parker *p) {
  lc_cond_free(&p->cond);
  lc_mutex_free(&p->lock);
}

/* acquire: what the waker wrote before its release in unpark is visible. */
static int park_take (Parker *p) {
  int expected = PARK_TOKEN;
  return atomic_compare_exchange_strong_explicit(&p->state, &expected,
    PARK_EMPTY, memory_order_acquire, memory_order_relaxed);
}

/* Relaxed: only a hint; lc_park's acquire does the ordering. */
int lc_parker_has_token (Parker *p) {
  return atomic_load_explicit(&p->state, memory_order_relaxed) == PARK_TOKEN;
}

/* Relaxed: likewise. */
int lc_parker_sleeps (Parker *p) {
  return atomic_load_explicit(&p->state, memory_order_relaxed) == PARK_ASLEEP;
}

/* Relaxed: likewise. */
int lc_parker_cpu (Parker *p) {
  return atomic_load_explicit(&p->owner_cpu, memory_order_relaxed);
}

/* Relaxed: likewise. */
int lc_parker_is_due_here (Parker *p) {
  int cpu = lc_parker_cpu(p);
  return cpu >= 0 && cpu == lc_thread_cpu() && lc_parker_has_token(p);
}

/* Relaxed: likewise. */
int lc_parker_is_woken_here (Parker *p) {
  return atomic_load_explicit(&p->waker_cpu, memory_order_relaxed) == lc_thread_cpu();
}

/* Relaxed, both: a hint. It is mostly so already, and the line is another thread's. */
void lc_parker_room (Parker *p, int room) {
  if (atomic_load_explicit(&p->room, memory_order_relaxed) != room)
    atomic_store_explicit(&p->room, room, memory_order_relaxed);
}

/* Looks at the clock only every so often: that takes as long as some looks. */
#define GLANCE_LOOKS 8

static int park_glance (Parker *p, uint64_t until) {
  int i, taken = 0;
  do {
    for (i = 0; i < GLANCE_LOOKS && !taken; i++) {
      lc_thread_pause();
      taken = lc_parker_has_token(p) && park_take(p);
    }
  } while (!taken && lc_now() < until);
  lc_glance_note(&p->glance, taken);
  return taken;
}

/* Who is away for so long has given its processor to somebody else. That costs nobody
** anything, while to sleep, and to be woken, takes longer than a turn: so it does not count. */
#define TURN_NS 20000u

static uint64_t park_sooner (uint64_t a, uint64_t b) { return a < b ? a : b; }

static int park_spin (Parker *p, uint64_t spin_ns, uint64_t deadline) {
  uint64_t now = lc_now(), most = park_sooner(now + LC_SPIN_MOST * spin_ns, deadline);
  uint64_t until = park_sooner(now + spin_ns, most);
  int taken = 0;
  if (atomic_load_explicit(&p->room, memory_order_relaxed) && lc_glance_may(&p->glance)) {
    taken = park_glance(p, park_sooner(now + LC_GLANCE_NS, until));
    if (!taken) now = lc_now();
  }
  while (!taken && now < until) {
    uint64_t gone = now;
    atomic_store_explicit(&p->owner_cpu, lc_thread_cpu(), memory_order_relaxed);
    lc_thread_yield();
    taken = lc_parker_has_token(p) && park_take(p);
    now = lc_now();
    if (now - gone > TURN_NS) until = park_sooner(until + (now - gone), most);
  }
  atomic_store_explicit(&p->owner_cpu, -1, memory_order_relaxed);
  return taken;
}

static int park_sleep (Parker *p, uint64_t deadline) {
  int woken = 0;
  int expected = PARK_EMPTY;
  lc_mutex_lock(&p->lock);
  if (atomic_compare_exchange_strong_explicit(&p->state, &expected,
        PARK_ASLEEP, memory_order_relaxed, memory_order_relaxed)) {
    for (;;) {
      int in_time = 1;
      if (deadline == LC_NEVER) lc_cond_wait(&p->cond, &p->lock);
      else in_time = lc_cond_wait_until(&p->cond, &p->lock, deadline);
      if (park_take(p)) {
        woken = 1;
        break;
      }
      if (!in_time) {
        /* Awake by the clock. A token left since the last look is taken. */
        woken = atomic_exchange_explicit(&p->state, PARK_EMPTY,
                  memory_order_acquire) == PARK_TOKEN;
        break;
      }
    }
  }
  else woken = park_take(p);
  lc_mutex_unlock(&p->lock);
  return woken;
}

/*
** Owner and waker on one processor take turns by giving it away, and the system, which
** never sees one of them sleep, may leave them there while another is idle (for 5 ms
** or more, on Linux). But who wakes from a sleep goes to an idle one. So after so many
** turns, with nobody else, the owner sleeps once. Relaxed: a hint.
*/
#define SHARES_MOST 64

static void park_note_waker (Parker *p) {
  int cpu = lc_thread_cpu();
  if (cpu < 0 || cpu != atomic_load_explicit(&p->waker_cpu, memory_order_relaxed))
    p->shares = 0;
  else p->shares++;
}

int lc_park (Parker *p, uint64_t deadline, uint64_t spin_ns) {
  if (park_take(p)) return 1;
  if (spin_ns > 0 && p->shares < SHARES_MOST && park_spin(p, spin_ns, deadline)) {
    park_note_waker(p);
    return 1;
  }
  p->shares = 0;
  if (deadline != LC_NEVER && lc_now() >= deadline)
    return park_take(p);
  return park_sleep(p, deadline);
}

/*
** release: orders the waker's news before the token. The lock is taken and
** let go so that the signal cannot fall between the owner's look at `state`
** and its wait; signalling after unlocking spares the woken thread a wait.
*/
void lc_unpark (Parker *p) {
  atomic_store_explicit(&p->waker_cpu, lc_thread_cpu(), memory_order_relaxed);
  if (atomic_exchange_explicit(&p->state, PARK_TOKEN, memory_order_acq_rel)
      != PARK_ASLEEP)
    return;
  lc_mutex_lock(&p->lock);
  lc_mutex_unlock(&p->lock);
  lc_cond_signal(&p->cond);
}
