/*
** post.h: a worker at its post: its state is opened, its init run, it takes
** one task after the other, and gets a new state when that is time. Stands on
** schedule.h, env and fault. All on the worker's own thread, which for a pool
** without threads is its home's.
*/
#ifndef lc_post_h
#define lc_post_h

#include "crew.h"

/* What the workers of a pool ask of it. */
void lc_post_host (WorkerHost *host);

/* Every worker gets a new state before it begins with its next task, once no
** task of the old one waits. Any thread. */
void lc_pool_recycle (Pool *p);

/* One task of an inlined pool; or 0, and *until is cut to its next timer. */
int lc_post_step_inlined (Pool *p, uint64_t *until);

/*
** A pool that is stepped: one task of worker number `slot` (from 1) on the
** calling thread, which owns the worker meanwhile; waits for one until
** `deadline` (0: not at all). Any thread.
*/
typedef enum PostStep { POST_RAN, POST_NOTHING, POST_BUSY, POST_CLOSED } PostStep;
PostStep lc_post_step (Pool *p, int slot, uint64_t deadline);

/* After lc_schedule_stop: waits until all workers are gone. Idempotent. The home's thread. */
void lc_post_join (Pool *p);

/* Owner thread. */
WorkerLife lc_pool_life (Worker *w);

#endif
