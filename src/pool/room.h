/*
** room.h: threads of one pool that share a processor while another one has none of them.
** Linux leaves those together that take turns (what ran just now stays where its cache
** is): for 30 ms and more, if none of them sleeps. And it brings nobody to a reader that
** waits on a processor of its own without sleeping. So every so often a worker looks
** where the others are, and goes where there is room. A reader with work of its own is
** counted where it last queued something: who shares with it holds up what the others
** are to run. And a worker that has the processor which the reader waits for gives it away
** for a turn, now and then: or results that are ready wait for 3 ms and more. Stands on crew.
*/
#ifndef lc_room_h
#define lc_room_h

#include "crew.h"

typedef struct Room {
  CpuSet taken;               /* not to be gone to... */
  int otherwise;              /* ...but for this one, if there is no other; or < 0 */
} Room;

/* Whether `pw`, which looks for a task, is to give its processor away for a turn, to the
** reader, who waits for it. The pool's lock is held; it is given away without. Owner thread. */
int lc_room_gives_way (Pool *p, PoolWorker *pw);

/* Whether `pw`, which has a task and runs on `pw->cpu`, is to leave; then *room says for where.
** The pool's lock is held. Owner thread, both. */
int lc_room_look (Pool *p, PoolWorker *pw, Room *room);
/* Without the lock. */
void lc_room_leave (const Room *room);

#endif
