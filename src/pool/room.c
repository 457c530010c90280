#include "room.h"

#include <string.h>

#include "../base/clock.h"

/* Every so many looks for a task (odd: every second one may find none); and it goes no more
** often than that. */
#define LOOKS_ROOM 7
#define ROOM_NS 500000u
/* A reader that has queued nothing for so long may wait somewhere else. */
#define FED_TICKS (5000 * LC_TICKS_PER_US)

/* A worker that had a task for less time than this has short ones: their reader may be all
** that the others wait for, and has the processor at once, if one of those woke it. */
#define SHORT_TICKS (100 * LC_TICKS_PER_US)
/* Who has longer ones gives it away no more often than that: a turn takes a few
** microseconds, or 15 on a virtual machine. (The system would do it after 3 ms and more.) */
#define GIVE_TICKS (500 * LC_TICKS_PER_US)

/* Lock held: so the home is there, if the pool does not stop. */
int lc_room_gives_way (Pool *p, PoolWorker *pw) {
  Parker *reader = &p->home->parker;
  uint64_t now;
  if (p->stopping || pw->abandoned || !lc_parker_is_due_here(reader)) return 0;
  now = lc_ticks();
  if (now - pw->got < SHORT_TICKS && !lc_parker_is_woken_here(reader)) return 1;
  if (now - pw->gave < GIVE_TICKS) return 0;
  pw->gave = now;
  return 1;
}

/* Adds where the workers are that are not idle, but for `pw`; how many places that is. One
** of which nothing is known, as it has just left, is somewhere too. */
static int room_of_others (const Pool *p, const PoolWorker *pw, CpuSet *taken) {
  int i, n = 0;
  for (i = 0; i < p->nworkers; i++) {
    const PoolWorker *other = p->workers[i];
    if (other != NULL && other != pw && !other->idle)
      n += other->cpu < 0 || lc_cpus_add(taken, other->cpu);
  }
  return n;
}

/* Where the reader is; < 0: it sleeps, or nothing is known. *waits: without sleeping, so a
** worker that shares its own processor with another one may go there. */
static int room_of_reader (const Pool *p, int *waits) {
  Parker *parker = &p->home->parker;
  int cpu = lc_parker_cpu(parker);
  *waits = cpu >= 0;
  if (*waits) return cpu;
  return lc_parker_sleeps(parker) || lc_ticks() > p->fed + FED_TICKS ? -1 : p->fed_at;
}

int lc_room_look (Pool *p, PoolWorker *pw, Room *room) {
  int n, shares, reader, waits;
  uint64_t now;
  if (pw->looks % LOOKS_ROOM != 0 || p->inlined || p->stepped || pw->cpu < 0) return 0;
  reader = room_of_reader(p, &waits);
  memset(&room->taken, 0, sizeof room->taken);
  n = room_of_others(p, pw, &room->taken);
  shares = lc_cpus_has(&room->taken, pw->cpu);
  if (!shares && reader != pw->cpu) return 0;
  room->otherwise = -1;
  if (waits && shares && lc_crew_spare_cpus(p) <= 0 && !lc_cpus_has(&room->taken, reader))
    room->otherwise = reader;
  n += lc_cpus_add(&room->taken, reader) + lc_cpus_add(&room->taken, pw->cpu);
  if (room->otherwise < 0 && n >= p->cpus) return 0;
  now = lc_now();
  if (now - p->moved < ROOM_NS) return 0;
  p->moved = now;
  pw->cpu = -1;                /* not there any more, for others that look */
  return 1;
}

void lc_room_leave (const Room *room) {
  lc_thread_leave(&room->taken, room->otherwise);
}
