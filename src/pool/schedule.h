/*
** schedule.h: who gets which task, and who wakes whom. Stands on crew.h; knows
** no kinds of work.
**
** Who gets what. Tasks from outside wait in `queue`, first in, first out. What
** a task of the pool starts goes to the `mine` list of its own worker, which
** takes the newest first, so that recursion grows deep and not wide; another
** worker that has nothing takes the oldest (as work-stealing schedulers do:
** Blumofe and Leiserson 1999, Cilk). A fiber that may go on is on the `ready`
** list of its worker, since nobody else can resume it. A worker takes from
** `ready`, `mine`, `queue`, others' `mine`, in this order; every LOOKS_FAIR-th
** time from `queue` first, so that nothing starves (as Go's scheduler does).
** All lists are under one lock: batches keep it rare.
**
** Who wakes whom. A worker that finds nothing puts itself on the idle list,
** under `lock`, spins a little, then sleeps. Who queues a task takes one
** worker off the idle list and sends it: wakes it, after unlocking; no list, no wake. It
** takes the last that came, or the one before, if that is sooner awake. A
** woken worker looks for itself, so a task may go to another worker that was
** faster: then it is idle again. Who makes a fiber ready wakes its worker.
**
** Workers that have a processor each are sent one for each task. Where all processors
** have work already, one at a time is enough (as Go's scheduler does): if one is on its
** way, who queues sends no other, and the one that comes sends the next if there is still
** a task. So under `lock`: while tasks wait and workers are idle, one is on its way. Who
** was sent and will not look soon (a new state, a collection) sends another first.
**
** Who gives way. Workers and their reader are more than two processors have, and Linux
** lets who runs go on for 3 ms. So a worker between two tasks gives the processor away
** once, if the reader waits for it and has been woken by somebody elsewhere.
** Where threads share a processor though there is room, one of them goes: see room.h.
**
** Lock order: streams_lock, then a stream's lock, then pool.lock. No Lua, no
** user code under any of them.
*/
#ifndef lc_schedule_h
#define lc_schedule_h

#include "crew.h"

/* Queues `t`: on the list of `on`, whose task has started it, or (NULL) for
** anybody. 0 when the pool is stopping: then `t` is still the caller's. */
int lc_schedule_queue (Pool *p, PoolWorker *on, Task *t);
/* Likewise the task of `f`, which is pending from here on; if `to` > 0, for the worker with
** that number alone. 0 also when there is none. */
int lc_schedule_submit (Pool *p, PoolWorker *on, int to, Future *f, Task *t);
/* A fiber may go on (Fibers.ready). Any thread; a sink's lock may be held. In a
** pool that is stopping it stays on the list of live fibers, which its worker
** drops. */
void lc_schedule_ready (Fibers *fs, Task *t);

/*
** One look for the next task, by its owner. 0 when there is none, and the
** worker is on the idle list; else *t is one, or NULL when the pool is
** stopping. There is none for a worker whose state is worn (lc_crew_is_worn), as it may be
** just now: so it looks at that before it waits.
*/
int lc_schedule_look (Pool *p, PoolWorker *pw, Task **t);

/* An inlined pool has news for the thread it runs on, wherever that waits. The pool's
** lock is held. */
void lc_schedule_tell_home (Pool *p);

/* It does not look for tasks from here on, or not soon: off the idle list, and if it was
** sent for a task another one is. Owner thread, or who abandons it. */
void lc_schedule_leave (PoolWorker *pw);

/* On the idle list it does (`on`) or has done something else, which may take long. Owner
** thread. */
void lc_schedule_busy (PoolWorker *pw, int on);

/* The thread that owns the slot leaves it. If the pool stops, what waits there is lost
** first. The last touch of the pool is the unlock. */
void lc_schedule_vacate (PoolWorker *pw);

/*
** Pools without threads that tasks have opened run where their state does: one
** task of such a pool, off the idle list meanwhile, or a wake would go to a
** worker that is busy. 0: there was none, and it is not on the list. (Nor does it run
** one if it was on the list, and is not any more: then it is to look first.)
*/
int lc_schedule_help_home (PoolWorker *pw, Home *home, uint64_t *until);

/*
** No task is taken or queued from here on; streams break. The first `why` (may
** be NULL) stays. Gives the number of scripts' tasks dropped. Any thread.
*/
size_t lc_schedule_stop (Pool *p, const char *why);

/* Idle workers look up and let go of functions that nobody will send again
** (which may hold the pool). Any thread. */
void lc_pool_nudge (Pool *p);

/*
** For a task that has to wait where its fiber cannot be suspended: runs
** another task of worker `w` on top of it, or waits for one, or for a wake of
** w's parker, until `deadline`. 0 when the pool is stopping. Owner thread.
*/
int lc_pool_help (Worker *w, uint64_t deadline);
/* Brackets around such a wait: only one at a time on a worker, since one on
** top of another could wait for what is below it. 0: there is one. */
int lc_pool_help_begin (Worker *w);
void lc_pool_help_end (Worker *w);

#endif
