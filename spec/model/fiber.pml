/*
** fiber.pml: how a task waits: run/fiber.c, with what pool/run.c (run_go) and
** pool/schedule.c (lc_schedule_ready) do around it. One worker, one fiber that TASKS
** tasks use one after the other; things that are waited for, each with a lock
** and a place for the fiber's node, and a process that brings its news.
**
** Task k waits for any of the things k and k + 1 (two nodes: lacus.wait with
** `any`), so a thing may bring its news while the fiber waits for it, waits for
** another thing, runs, or belongs to the next task. TIMED: the wait may also
** end by the clock (run/timer.c, on the owner's thread). STOP: the pool stops
** at any moment, no fiber is queued any more, and the worker drops the fiber
** where it is, and frees it [lc_run_close, lc_fiber_clear].
**
** Proved: the fiber is resumed only while it is suspended; it is on the ready
** list at most once, and not while it runs; a wake is never lost (each task
** ends); nobody wakes a fiber for what an earlier task waited for, nor touches
** one that is freed; after the wait no node of it is on any list.
**
** Not modelled: several fibers of a worker (they share nothing but the ready
** list, see pool.pml); weaker memory orders.
**
** @prove -DTASKS=2
** @prove -DTASKS=3
** @prove -DTASKS=2 -DTIMED
** @prove -DTASKS=2 -DSTOP
** @prove -DTASKS=2 -DSTOP -DTIMED
** @catch -DTASKS=1 -DBUG_NO_LAST_LOOK
** @catch -DTASKS=1 -DBUG_PARK_BLINDLY
** @catch -DTASKS=2 -DBUG_NO_FORGET -DTIMED
** @catch -DTASKS=2 -DBUG_NO_FORGET -DSTOP
** @catch -DTASKS=2 -DBUG_WAKE_AFTER_UNLOCK
** @catch -DTASKS=2 -DBUG_WAKE_AFTER_UNLOCK -DSTOP
** @catch -DTASKS=2 -DBUG_QUEUED_TWICE
** @catch -DTASKS=2 -DBUG_NO_TOKEN
*/
#define THINGS (TASKS + 1)

mtype = { RUNNING, PARKED, WOKEN };
mtype state = RUNNING;    /* Fiber.state */
bit lock[THINGS];         /* of what is waited for */
bit news[THINGS];         /* it has ended */
bit listed[THINGS];       /* Fiber.node is on its list... */
byte by[THINGS];          /* ghost: ...of this task */
bit timer;                /* Fiber.timer */
byte ready;               /* times on the worker's ready list [lc_schedule_ready] */
byte task;                /* ghost: whose the fiber is */
bit suspended;            /* ghost: the coroutine has yielded */
bit stopping, freed;
byte ended;

#define LOCK(m)   atomic { m == 0 -> m = 1 }
#define UNLOCK(m) m = 0

/* [fiber_wake], then [lc_schedule_queue_for], which is one step under pool.lock */
inline wake (old, whose) {
  atomic {
    assert(!freed && whose == task);
#ifdef BUG_NO_TOKEN
    old = state;
    if :: old == PARKED -> state = WOKEN :: else fi
#else
    old = state; state = WOKEN
#endif
  }
  if
#ifdef BUG_QUEUED_TWICE
  :: old != RUNNING ->
#else
  :: old == PARKED ->
#endif
     atomic {
       assert(!freed && suspended);
       if
       :: !stopping -> ready++; assert(ready == 1)
       :: else
       fi
     }
  :: else
  fi;
  old = RUNNING
}

proctype thing (byte me) {
  mtype old = RUNNING;
  bit found;
  byte whose;
  LOCK(lock[me]);                       /* [future_end] */
  atomic { news[me] = 1; found = listed[me]; whose = by[me]; listed[me] = 0; by[me] = 0 }
#ifdef BUG_WAKE_AFTER_UNLOCK
  UNLOCK(lock[me]);
  if :: found -> wake(old, whose) :: else fi
#else
  if :: found -> wake(old, whose) :: else fi;
  UNLOCK(lock[me])
#endif
}

/* [lc_future_listen]; `no`: it has ended, nothing is listed */
inline listen (t, no) {
  LOCK(lock[t]);
  atomic {
#ifdef BUG_NO_LAST_LOOK
    no = 0;
#else
    no = news[t];
#endif
    if :: !no && !listed[t] -> listed[t] = 1; by[t] = task :: else fi;
    UNLOCK(lock[t])
  }
}

/* [set_unlisten], by Fiber.forget */
inline forget_one (t) {
  LOCK(lock[t]);
  atomic { listed[t] = 0; by[t] = 0; UNLOCK(lock[t]) }
}

/* [lc_fiber_unpark] */
inline fiber_unpark () {
#ifndef BUG_NO_FORGET
  forget_one(task - 1);
  forget_one(task);
#endif
  timer = 0;
  state = RUNNING
}

active proctype owner () {
  bit no, on;
  byte i;
  do
  :: i < THINGS -> run thing(i); i++
  :: else -> break
  od;
  task = 1;
next_task:                              /* [run_new], a fiber from the spare list */
  do
  :: task > TASKS -> goto through
  :: else ->
     /* [set_go], inside the fiber */
     listen(task - 1, no);
     if
     :: no -> on = 1
     :: else -> listen(task, on)
     fi;
     if
     :: on -> forget_one(task - 1); forget_one(task); goto finished
     :: else
     fi;
     suspended = 1;                     /* [lc_fiber_suspend], lua_yieldk */
#ifdef TIMED
     timer = 1;
#endif
     atomic {                           /* [lc_fiber_park] */
#ifdef BUG_PARK_BLINDLY
       on = 0; state = PARKED
#else
       on = (state == WOKEN);
       if :: !on -> assert(state == RUNNING); state = PARKED :: else fi
#endif
     }
     if
     :: on                              /* woken meanwhile: goes on at once */
     :: else ->                         /* [post_next]: until its task is ready */
        do
        :: atomic { ready > 0 && !stopping -> ready-- } break
        :: atomic { timer && !stopping -> timer = 0 }   /* [lc_timer_expire] */
           mtype old;
           wake(old, task)
        :: stopping -> goto killed
        od
     fi;
     assert(suspended);                 /* [run_resume] */
     fiber_unpark();
     assert(ready == 0);
     suspended = 0;
#ifdef TIMED
     if                                 /* [fut_go]: the deadline has passed: */
     :: goto finished                   /* it ends without another look */
     :: skip
     fi
#endif
  od;
finished:                               /* [run_end], [lc_fiber_give] */
  on = 0;
  fiber_unpark();
  assert(!listed[task - 1] && !listed[task] && ready == 0 && state == RUNNING);
  ended++;
  task++;
  goto next_task;
killed:                                 /* [run_kill] out of [lc_run_close] */
  fiber_unpark();
  assert(!listed[task - 1] && !listed[task]);
  suspended = 0;
  freed = 1;                            /* [lc_fiber_clear] */
  goto done;
through:
  assert(ended == TASKS);
done:
  skip
}

#ifdef STOP
/* [lc_schedule_stop]: what was on the ready list is taken off; see pool.pml */
active proctype stopper () {
  atomic { stopping = 1; ready = 0 }
}
#endif
