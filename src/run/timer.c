#include "timer.h"

#include "../base/clock.h"

/* The heap is timers[0 .. ntimers-1]; Fiber.timer is the place plus 1. */

static void timer_place (Fibers *fs, size_t i, Fiber *f) {
  fs->timers[i] = f;
  f->timer = i + 1;
}

static void timer_up (Fibers *fs, size_t i, Fiber *f) {
  while (i > 0) {
    size_t parent = (i - 1) / 2;
    if (fs->timers[parent]->deadline <= f->deadline) break;
    timer_place(fs, i, fs->timers[parent]);
    i = parent;
  }
  timer_place(fs, i, f);
}

static void timer_down (Fibers *fs, size_t i, Fiber *f) {
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= fs->ntimers) break;
    if (child + 1 < fs->ntimers
        && fs->timers[child + 1]->deadline < fs->timers[child]->deadline)
      child++;
    if (fs->timers[child]->deadline >= f->deadline) break;
    timer_place(fs, i, fs->timers[child]);
    i = child;
  }
  timer_place(fs, i, f);
}

int lc_timer_reserve (Fibers *fs) {
  size_t cap = fs->captimers > 0 ? 2 * fs->captimers : 16;
  Fiber **timers;
  if (fs->ntimers < fs->captimers) return 1;
  timers = (Fiber **)lc_mem_resize(fs->mem, fs->timers,
             fs->captimers * sizeof(Fiber *), cap * sizeof(Fiber *));
  if (timers == NULL) return 0;
  fs->timers = timers;
  fs->captimers = cap;
  return 1;
}

void lc_timer_clear (Fibers *fs) {
  lc_mem_free(fs->mem, fs->timers, fs->captimers * sizeof(Fiber *));
  fs->timers = NULL;
  fs->ntimers = fs->captimers = 0;
}

void lc_timer_add (Fibers *fs, Fiber *f) {
  timer_up(fs, fs->ntimers++, f);
}

void lc_timer_remove (Fibers *fs, Fiber *f) {
  size_t i = f->timer - 1;
  Fiber *last = fs->timers[--fs->ntimers];
  f->timer = 0;
  if (last == f) return;
  if (i > 0 && last->deadline < fs->timers[(i - 1) / 2]->deadline)
    timer_up(fs, i, last);
  else timer_down(fs, i, last);
}

uint64_t lc_timer_next (const Fibers *fs) {
  return fs->ntimers > 0 ? fs->timers[0]->deadline : LC_NEVER;
}

void lc_timer_expire (Fibers *fs, uint64_t now) {
  while (fs->ntimers > 0 && fs->timers[0]->deadline <= now) {
    Fiber *f = fs->timers[0];
    lc_timer_remove(fs, f);
    f->waiter.wake(&f->waiter);
  }
}
