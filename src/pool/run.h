/*
** run.h: runs the items of a batch in a worker, one after the other, in one
** fiber (items.h), and sends the results to the batch's sink. Stands on batch, sink,
** answer, stop, items and run/fiber. Everything in here is on the worker's thread.
**
** A task that waits keeps its fiber; the rest of its batch goes on in another
** fiber, over the same batch (`users` counts them), and what was finished
** before is sent first.
**
** Three kinds of failure, and where they are caught:
**   the task's function raises: a protected call in the fiber; the fiber
**     goes on with the next item;
**   arguments cannot be decoded or results not be encoded because Lua raises
**     (a missing module, no memory): the fiber dies; the item fails and the
**     rest goes on in the fiber, reset;
**   no memory even for that: the entry alone, without a record. Room for
**     entries is taken before the first item runs, so this cannot fail.
**
** A fourth: it is stopped (stop.h, run/interrupt.h): its sink is cancelled or
** the pool halts, then nothing of the run is sent any more; or its time is up, then
** the item fails and the rest goes on. Time that a task waits for its
** reader (a yield without credit) does not count.
**
** Who abandons a worker (watch.h) takes what it has in hand under `guard`, and the
** worker hands nothing over without it: so each item is answered once.
**
** Random numbers. In a pool with a seed, each item begins its own sequence when
** it begins to run: that of (batch's seed, batch's base + its index). It lives
** in the fiber, so other items that run while this one waits do not touch it.
** What an item starts is seeded from its own seed and index and the number of
** things it has started: so no number depends on workers, batches or time.
*/
#ifndef lc_run_h
#define lc_run_h

#include "kit.h"

/* Bytes of a fiber that runs batches: Fibers.size. */
size_t lc_run_fiber_size (void);

/* Runs `b` and takes it over. */
void lc_run_batch (RunKit *kit, Batch *b);

/* The random numbers of the item that runs now, or else the kit's own. */
Random *lc_run_random (RunKit *kit);
/* The running item starts something: 1, and *seed is for that. 0: none runs. */
int lc_run_sow (RunKit *kit, uint64_t *seed);

/* The index of the item that runs; 0: none does. Owner thread. */
uint64_t lc_run_index (const RunKit *kit);

/* There is nothing to do: lets go of what is only kept in case. */
void lc_run_idle (RunKit *kit);
/* The state is about to close: drops the tasks that wait. */
void lc_run_close (RunKit *kit);

#endif
