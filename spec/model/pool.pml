/*
** pool.pml: workers, the lists they take tasks from, futures, and the end of it
** all: pool/schedule.c, pool/post.c, pool/pool.c, pool/watch.c (lc_watch_cancel,
** lc_watch_gone, lc_watch_wait), pool/future.c, the waits of lib/lib_future.c and
** lib/lib_wait.c.
**
** WORKERS workers and a main thread. Tasks 1 .. TASKS are futures' tasks; what
** each does is set by the scenario:
**   CHAIN   main submits 1; each task submits the next and waits for it (a
**           suspended fiber); the last one just ends. Main waits for 1.
**   FLOOD   main submits all; 1 submits TASKS and waits for it.
**   HELP    main submits 1 and 3; 1 submits 2 and waits where it cannot be
**           suspended (on top of it other tasks run), then goes on until 3 has
**           ended, without looking for tasks [lc_wait_block, lc_pool_help].
** HOME_TASK: a worker that finds nothing may run a task of an inlined pool of its
** home, until 2 has ended. STEPPED: workers without threads. One slot is stepped
** again and again by somebody who waits in it; the other until there is nothing, by
** somebody who does not wait, and again while a task waits in it [lc_post_step]; with STOP,
** maybe not after the stop. SLEEPS: the last task of a CHAIN waits for what never comes.
** Then main closes the pool, or lets it go and its home ends [pool_forget,
** pool_resident_stop]; NO_GET: without waiting for a task. CANCEL: somebody cancels a task at any moment.
** STOP: the pool stops at any moment (init failed in a worker; lacus_pool_stop).
**
** What one lock guards is one step: pool.lock is the last in the lock order and
** nothing waits under it; future.lock is taken before it, and a wake under it is
** in the same step (fiber.pml has the finer one). Wakes after unlocking are
** steps of their own. Which task is taken from a list, which idle worker is
** woken, and whether one is while another is on its way, is free. Whether a worker spins
** before it sleeps makes no difference here: it takes the same token.
**
** Proved: nobody is stuck (so: no wake is lost, a nested wait ends on one worker,
** the join ends); each task that was submitted ends exactly once and runs at most
** once, not at all if it was cancelled before; a task that is cancelled while it waits
** stops waiting; nothing is pending at the end; a fiber is not touched once its worker
** has freed it; HELP, HOME_TASK and STEPPED: a task is not left for a worker that is
** busy, or a slot that nobody steps, while another one sleeps.
**
** Planted: BUG_LAST_SENDS_NOBODY: who was sent takes one task and leaves another, for which
** nobody was. And once in the code:
**   BUG_READY_FREED  sched_take_all moved ready fibers to the list that lc_schedule_stop
**       drops after unlocking: their worker may have freed them by then.
**   BUG_HELP_END     a worker that helps is woken for a task, and for the end of
**       its wait: one token. It goes on with its own task; another one is idle.
**   BUG_HELP_HOME    a worker on the idle list runs a task of an inlined pool:
**       it may be taken off to be woken while another one really sleeps.
**   BUG_HELPS_WHEN_CALLED  ...or has been taken off just before.
**   BUG_LEFT_ON_LIST a slot that was stepped in vain stays on the idle list.
**   BUG_STOP_KEEPS_SLOTS, BUG_LEAVE_KEEPS_SLOT  a task that waited in a slot when the pool
**       stopped ended when the pool was closed, which waits for who waits for it.
**
** Not modelled: fairness (LOOKS_FAIR), recycle, opening, lost workers (abandon.pml),
** timers (fiber.pml), streams (stream.pml), how what runs is stopped (interrupt.pml), finalizers
** that an idle worker runs (lc_worker_tidy), weaker memory orders.
**
** @prove -DCHAIN -DTASKS=3 -DWORKERS=1
** @prove -DCHAIN -DTASKS=3 -DWORKERS=1 -DCANCEL
** @prove -DCHAIN -DTASKS=3 -DWORKERS=1 -DSTOP
** @prove -DCHAIN -DTASKS=2 -DWORKERS=2 -DCANCEL -DNO_GET
** @prove -DCHAIN -DTASKS=2 -DWORKERS=2 -DSTOP -DNO_GET
** @prove -DCHAIN -DTASKS=3 -DWORKERS=2
** @prove -DCHAIN -DTASKS=2 -DWORKERS=1 -DSTOP -DCANCEL
** @prove -DCHAIN -DTASKS=2 -DWORKERS=1 -DSLEEPS -DCANCEL
** @prove -DCHAIN -DTASKS=2 -DWORKERS=2 -DSLEEPS -DCANCEL
** @prove -DFLOOD -DTASKS=4 -DWORKERS=1
** @prove -DFLOOD -DTASKS=3 -DWORKERS=1 -DCANCEL
** @prove -DFLOOD -DTASKS=3 -DWORKERS=1 -DSTOP
** @prove -DFLOOD -DTASKS=3 -DWORKERS=2
** @prove -DFLOOD -DTASKS=3 -DWORKERS=2 -DHOME_TASK -DNO_GET
** @prove -DHELP -DTASKS=3 -DWORKERS=2
** @prove -DCHAIN -DTASKS=2 -DWORKERS=2 -DSTEPPED
** @prove -DFLOOD -DTASKS=3 -DWORKERS=2 -DSTEPPED -DNO_GET
** @prove -DCHAIN -DTASKS=2 -DWORKERS=1 -DSTEPPED -DSTOP
** @prove -DCHAIN -DTASKS=2 -DWORKERS=2 -DSTEPPED -DSTOP
** @catch -DFLOOD -DTASKS=2 -DWORKERS=1 -DBUG_IDLE_AFTER_LOOKING
** @catch -DFLOOD -DTASKS=3 -DWORKERS=2 -DBUG_READY_WAKES_NOBODY
** @catch -DCHAIN -DTASKS=2 -DWORKERS=2 -DBUG_LISTENS_TOO_LATE
** @catch -DCHAIN -DTASKS=2 -DWORKERS=1 -DCANCEL -DBUG_ENDS_TWICE
** @catch -DCHAIN -DTASKS=2 -DWORKERS=1 -DCANCEL -DBUG_RUNS_CANCELLED
** @catch -DCHAIN -DTASKS=2 -DWORKERS=1 -DSLEEPS -DCANCEL -DBUG_NO_SWEEP
** @catch -DCHAIN -DTASKS=2 -DWORKERS=1 -DSTOP -DBUG_QUEUES_WHEN_STOPPING
** @catch -DCHAIN -DTASKS=2 -DWORKERS=1 -DSTOP -DBUG_STOP_WAKES_NOBODY
** @catch -DCHAIN -DTASKS=2 -DWORKERS=1 -DSTOP -DBUG_KILL_TELLS_NOBODY
** @catch -DCHAIN -DTASKS=2 -DWORKERS=1 -DSTEPPED -DSTOP -DBUG_STOP_KEEPS_SLOTS
** @catch -DCHAIN -DTASKS=2 -DWORKERS=1 -DSTEPPED -DSTOP -DBUG_LEAVE_KEEPS_SLOT
** @catch -DCHAIN -DTASKS=2 -DWORKERS=1 -DBUG_GONE_TELLS_NOBODY
** @catch -DCHAIN -DTASKS=2 -DWORKERS=1 -DBUG_DRAINED_GOES_ON
** @catch -DFLOOD -DTASKS=3 -DWORKERS=2 -DBUG_READY_FREED
** @catch -DHELP -DTASKS=3 -DWORKERS=2 -DBUG_HELP_END
** @catch -DHELP -DTASKS=3 -DWORKERS=2 -DBUG_LAST_SENDS_NOBODY
** @catch -DFLOOD -DTASKS=3 -DWORKERS=2 -DHOME_TASK -DBUG_HELP_HOME
** @catch -DFLOOD -DTASKS=3 -DWORKERS=2 -DHOME_TASK -DBUG_HELPS_WHEN_CALLED
** @catch -DCHAIN -DTASKS=2 -DWORKERS=2 -DSTEPPED -DBUG_LEFT_ON_LIST
*/
#define N (TASKS + 1)     /* tasks from 1 */
#define NOBODY 255

mtype = { NONE, QUEUED, RUNS, DONE, CANCELLED };   /* FutureState */
mtype = { RUNNING, PARKED, WOKEN };                /* Fiber.state */

/* Future, by task */
mtype future[N] = NONE;
bit by_fiber[N], by_main[N], by_helper[N];         /* on its list of waiters */
byte child[N], parent[N];                          /* who waits for whom */
/* Fiber, by task */
mtype fiber[N] = RUNNING;
bit suspended[N], freed[N];
byte owner[N];
/* guarded by pool.lock */
bit queued[N];                                     /* Pool.queue */
byte mine[N] = NOBODY;                             /* PoolWorker.mine of... */
bit ready[N];                                      /* PoolWorker.ready of the owner */
bit idle[WORKERS], sent[WORKERS];                  /* PoolWorker.idle, .sent */
bit stopping, draining;
byte pending, gone;
bit waits;                                         /* main waits for `changed` */
/* atomic */
bit sweep[WORKERS];                                /* PoolWorker.sweep */
/* tokens */
bit token[WORKERS], main_token;
/* ghosts */
byte ends[N], runs[N];
bit dropped_late[N];                               /* taken by lc_schedule_stop, not dropped yet */
#ifdef STEPPED
bit stepping[WORKERS];                             /* guarded by pool.lock, too */
#endif

#define ENDED(t)  (future[t] == DONE || future[t] == CANCELLED)

/* [lc_cond_broadcast] of `changed`; lock held */
#define TELL      waits = 0

/* [lc_cond_wait]: main goes on when `is` holds */
inline await_changed (is) {
  do
  :: atomic { is -> break }
  :: atomic { !(is) -> waits = 1 }
     !waits
  od
}

/* [lc_unpark] after unlocking */
inline wake (v) {
  if :: atomic { v != NOBODY -> token[v] = 1; v = NOBODY } :: else fi
}

/* Lock held: what others than its owner may run too */
#define OPEN(t) (queued[t] || mine[t] != NOBODY)

#if WORKERS > 1
#define SENT    (sent[0] || sent[1])
#else
#define SENT    (sent[0])
#endif

/* Lock held. One that is idle, if any, is off the list, and on its way. [sched_send] */
inline send (v) {
  if
  :: idle[0] -> idle[0] = 0; sent[0] = 1; v = 0
#if WORKERS > 1
  :: idle[1] -> idle[1] = 0; sent[1] = 1; v = 1
#endif
  :: else -> v = NOBODY
  fi
}

/* Likewise, for a task that was queued; nobody may be needed if one is on its way: whether
** processors are free is not known here. [sched_send_for_one] */
inline send_for_one (v) {
  if
  :: SENT -> v = NOBODY
  :: true -> send(v)
  fi
}

/* Likewise: it looks, or will not. [sched_arrive] */
inline arrive (v) {
  v = NOBODY;
  if
  :: sent[me] ->
     sent[me] = 0;
     if
#ifndef BUG_LAST_SENDS_NOBODY
     :: !SENT && (OPEN(1) || OPEN(2) || OPEN(TASKS) || OPEN(TASKS - 1)) -> send(v)
#endif
     :: else
     fi
  :: else
  fi
}

/* ---- futures ---------------------------------------------------------------- */

/* Lock of the future held, or its own worker's thread: [fiber_wake],
** [lc_schedule_ready], [sched_push_for] */
inline wake_fiber (t) {
  assert(!freed[t]);
  if
  :: fiber[t] == PARKED ->
     if
     :: !stopping ->
        assert(!ready[t] && suspended[t]);
        ready[t] = 1;
        if
#ifndef BUG_READY_WAKES_NOBODY
        :: idle[owner[t]] -> idle[owner[t]] = 0; token[owner[t]] = 1
#endif
        :: else
        fi
     :: else
     fi
  :: else
  fi;
  fiber[t] = WOKEN
}

/* [future_end], as far as its lock goes: `ok` if nobody has ended it before */
inline end_state (t, state, ok) {
  atomic {
#ifdef BUG_ENDS_TWICE
    ok = 1;
#else
    ok = !ENDED(t);
#endif
    if
    :: ok ->
       future[t] = state;
       ends[t]++; assert(ends[t] == 1);
       if :: by_fiber[t] -> by_fiber[t] = 0; wake_fiber(parent[t]) :: else fi;
       if :: by_main[t] -> by_main[t] = 0; main_token = 1 :: else fi;
       if :: by_helper[t] -> by_helper[t] = 0; token[owner[parent[t]]] = 1 :: else fi
    :: else
    fi
  }
}

inline future_end (t, state, ok) {
  end_state(t, state, ok);
  if
  :: ok -> future_ended()
  :: else
  fi;
  ok = 0
}

/* [pool_future_ended]: where it need not stop the pool, it looks and counts under one
** lock. (To stop what stops already changes nothing.) */
#ifndef BUG_DRAINED_GOES_ON
#define DRAINED   (draining && pending == 1 && !stopping)
#else
#define DRAINED   false
#endif
inline future_ended () {
  if
  :: atomic { DRAINED -> skip };
     lc_schedule_stop();
     expect_less()
  :: atomic { !DRAINED -> expect_less() }
  fi
}

inline expect_less () {
  atomic {
    assert(pending > 0);
    pending--;
    if :: pending == 0 -> TELL :: else fi
  }
}

/* [lc_pool_submit]; `by`: a worker, or NOBODY for main; sets `ok` */
inline submit (by, t, ok) {
  atomic {                                         /* [lc_schedule_submit] */
#ifdef BUG_QUEUES_WHEN_STOPPING
    ok = 1;
#else
    ok = !stopping;
#endif
    v = NOBODY;
    if
    :: ok ->
       pending++;
       future[t] = QUEUED;
       if :: by == NOBODY -> queued[t] = 1 :: else -> mine[t] = by fi;
       send_for_one(v)
    :: else
    fi
  };
  wake(v)
}

/* ---- stopping ---------------------------------------------------------------- */

#ifdef STEPPED
/* [lc_stop_forsake] */
inline forsake (slot) {
  i = 1;
  do
  :: i < N ->
     if
     :: suspended[i] && owner[i] == slot ->
        end_state(i, CANCELLED, dropped);          /* [future_lost] */
        if :: dropped -> expect_less() :: else fi;
        dropped = 0
     :: else
     fi;
     i++
  :: else -> break
  od;
  i = 0
}

/* [lc_schedule_vacate] */
inline vacate (slot) {
  if
  :: atomic { !stopping -> stepping[slot] = 0 }
  :: stopping ->
#ifndef BUG_LEAVE_KEEPS_SLOT
     forsake(slot);
#endif
     atomic { stepping[slot] = 0; TELL }
  fi
}

/* [sched_forsake_slots] */
inline forsake_slots () {
  slot = 0;
  do
  :: slot < WORKERS ->
     if
     :: atomic { !stepping[slot] -> stepping[slot] = 1 } vacate(slot)
     :: else
     fi;
     slot++
  :: else -> break
  od;
  slot = 0
}
#endif

/* [lc_schedule_stop], [sched_take_all], [sched_drop_tasks] */
inline lc_schedule_stop () {
  atomic {
    stopping = 1;
    i = 1;
    do
    :: i < N ->
#ifdef BUG_READY_FREED
       if
       :: OPEN(i) || ready[i] -> dropped_late[i] = 1
       :: else
       fi;
#else
       dropped_late[i] = OPEN(i) || dropped_late[i];
#endif
       queued[i] = 0; mine[i] = NOBODY; ready[i] = 0;
       i++
    :: else -> break
    od;
#ifndef BUG_STOP_WAKES_NOBODY
    i = 0;
    do
    :: i < WORKERS -> if :: idle[i] -> idle[i] = 0; token[i] = 1 :: else fi; i++
    :: else -> break
    od;
#endif
    TELL;
    i = 1
  };
#if defined(STEPPED) && !defined(BUG_STOP_KEEPS_SLOTS)
  forsake_slots();
  i = 1;
#endif
  do
  :: i < N ->
     if
     :: atomic { dropped_late[i] -> dropped_late[i] = 0; assert(!freed[i]) }
        if
        :: suspended[i]                            /* a fiber, whose drop is NULL */
        :: else ->
           end_state(i, CANCELLED, dropped);       /* [future_drop_task], [future_lost] */
           if :: dropped -> expect_less() :: else fi;
           dropped = 0
        fi
     :: else
     fi;
     i++
  :: else -> break
  od;
  i = 0
}

/* ---- a worker ---------------------------------------------------------------- */

#ifdef CANCEL
/* [lc_stop_sweep] */
inline sweep_fibers () {
  if
  :: sweep[me] ->
     sweep[me] = 0;
     i = 1;
     do
     :: i < N ->
        if
        :: atomic { suspended[i] && owner[i] == me && future[i] == CANCELLED -> wake_fiber(i) }
        :: else
        fi;
        i++
     :: else -> break
     od;
     i = 0
  :: else
  fi
}
#endif

/* [lc_schedule_look], [sched_pick], [sched_steal]: t = 0 when there is nothing */
inline look () {
#ifdef CANCEL
  sweep_fibers();
#endif
  atomic {
    idle[me] = 0; t = 0;
    if
    :: !stopping && ready[1] && owner[1] == me -> ready[1] = 0; t = 1
    :: !stopping && ready[2] && owner[2] == me -> ready[2] = 0; t = 2
    :: !stopping && ready[TASKS] && owner[TASKS] == me -> ready[TASKS] = 0; t = TASKS
    :: !stopping && OPEN(1) -> t = 1
    :: !stopping && OPEN(2) -> t = 2
    :: !stopping && OPEN(TASKS) -> t = TASKS
    :: !stopping && OPEN(TASKS - 1) -> t = TASKS - 1
    :: else
    fi;
    if :: t > 0 -> queued[t] = 0; mine[t] = NOBODY :: else fi;
    arrive(v);
    if
#ifndef BUG_IDLE_AFTER_LOOKING
    :: t == 0 && !stopping -> idle[me] = 1
#endif
    :: else
    fi
  };
  wake(v)
}

/* [lc_schedule_leave]: it does not look any more */
inline leave_list () {
  atomic {
    if :: idle[me] -> idle[me] = 0 :: else fi;
#ifdef BUG_HELP_END
    sent[me] = 0
#else
    arrive(v)
#endif
  };
  wake(v)
}

/* The coroutine of t has yielded: then `ok`, if it goes on at once, or is cancelled.
** [lc_fiber_suspend], run_on, [lc_fiber_park] */
inline suspend (t) {
  suspended[t] = 1;
  if
#ifdef CANCEL
  :: future[t] == CANCELLED -> ok = 1
#endif
  :: else ->
     atomic {
       owner[t] = me;
       if
       :: fiber[t] == WOKEN -> ok = 1
       :: else -> fiber[t] = PARKED; ok = 0
       fi
     }
  fi;
  if :: ok -> unpark(t) :: else fi
}

/* [fut_go]: until the child of t has ended, or t is cancelled: then `ok`; or it is
** suspended. */
inline await (t) {
  do
  :: ENDED(child[t]) -> ok = 1; break
  :: future[t] == CANCELLED -> ok = 1; break       /* [run_ends_parked] */
  :: else ->
#ifdef BUG_LISTENS_TOO_LATE
     by_fiber[child[t]] = 1; ok = 0;
#else
     atomic {                                      /* [lc_future_listen] */
       ok = ENDED(child[t]);
       if :: !ok -> by_fiber[child[t]] = 1; owner[t] = me :: else fi
     };
#endif
     if
     :: ok -> break
     :: else ->
        suspend(t);
        if :: ok :: else -> break fi
     fi
  od
}

/* [lc_fiber_unpark] */
inline unpark (t) {
  by_fiber[child[t]] = 0;
  fiber[t] = RUNNING;
  suspended[t] = 0
}

/* [lc_worker_close], [lc_run_close] of worker w */
inline close_state (w) {
  t = 1;
  do
  :: t < N ->
     if
     :: suspended[t] && owner[t] == w ->           /* [run_kill] */
        by_fiber[child[t]] = 0;
        atomic { suspended[t] = 0; freed[t] = 1 }
#ifndef BUG_KILL_TELLS_NOBODY
        future_end(t, CANCELLED, ok)               /* [future_lost] */
#endif
     :: else
     fi;
     t++
  :: else -> break
  od;
  t = 0
}

#ifdef STEPPED
inline enter_slot () {                             /* [post_enter] */
  atomic { if :: stopping -> goto out :: else -> stepping[me] = 1 fi }
}

/* A task waits here, and may go on [Fiber.task] */
#define WAITS(t)  (suspended[t] && owner[t] == me)
#define WAIT_HERE (WAITS(1) || WAITS(2) || WAITS(TASKS))
#define READY(t)  (ready[t] && owner[t] == me)
#define GO_ON     (READY(1) || READY(2) || READY(TASKS) || stopping)
#endif

proctype worker (byte me) {
  byte t, v = NOBODY, i, below;
#ifdef STEPPED
  byte slot;
#endif
  bit ok, dropped;
#ifdef STEPPED
  enter_slot();
#endif
again:
  do
  :: below == 0 || !ENDED(child[below]) ->
     if
     :: below > 0 ->                               /* [wait_on_top]: listens, again */
        atomic { if :: !ENDED(child[below]) -> by_helper[child[below]] = 1 :: else -> goto helped fi }
     :: else
     fi;
     look();                                       /* [post_next], [lc_pool_help], [post_serve] */
     if
     :: t == 0 && stopping && below == 0 -> goto closing
     :: t == 0 && stopping && below > 0 -> goto helped
     :: t == 0 && !stopping ->
#ifdef BUG_IDLE_AFTER_LOOKING
        atomic { idle[me] = 1 };
#endif
#ifdef HOME_TASK
        if                                         /* [lc_schedule_help_home] */
        :: me == 0 && below == 0 ->
#ifndef BUG_HELP_HOME
           atomic {
             if
             :: idle[me] -> idle[me] = 0
#ifdef BUG_HELPS_WHEN_CALLED
             :: else
#else
             :: else -> goto again                 /* it was called: it looks */
#endif
             fi
           };
#endif
           ENDED(2); goto again                    /* a long task of its own */
        :: true
        fi;
#endif
#ifdef STEPPED
        if                                         /* POST_NOTHING */
        :: me == 1 ->
#ifndef BUG_LEFT_ON_LIST
           leave_list();
#endif
           vacate(me);
           if
           :: !WAIT_HERE -> goto out               /* nobody steps it any more */
           :: else
           fi;
           GO_ON;
           enter_slot();
           goto again
        :: else
        fi;
#endif
        if :: atomic { token[me] -> token[me] = 0 } fi
     :: t > 0 -> goto take
     fi
  :: else -> goto helped
  od;
take:
  if
  :: suspended[t] -> unpark(t); goto wait          /* [run_go], [run_resume] */
  :: else
  fi;
  atomic { if :: future[t] == QUEUED -> future[t] = RUNS :: else fi };   /* [future_started] */
  if
#ifndef BUG_RUNS_CANCELLED
  :: future[t] == CANCELLED -> t = 0; goto ran     /* [lc_run_batch]: is left */
#endif
  :: else
  fi;
#ifdef BUG_RUNS_CANCELLED
  assert(future[t] != CANCELLED);
#endif
  atomic { runs[t]++; assert(runs[t] == 1); owner[t] = me }
  if
  :: child[t] == 0 ->
#ifdef SLEEPS
     goto wait
#else
     goto deliver
#endif
  :: else ->
     submit(me, child[t], ok);
     if
     :: !ok -> goto deliver                        /* "the pool is closed": it fails */
     :: else
     fi
  fi;
#ifdef HELP
  atomic { below = t; t = 0 } goto again;
#endif
wait:
#ifdef SLEEPS
  if
  :: child[t] == 0 ->                              /* [sleep_go], for ever */
     do
     :: future[t] == CANCELLED -> ok = 1; break    /* [run_ends_parked] */
     :: else -> suspend(t); if :: ok :: else -> break fi
     od
  :: else ->
     await(t)
  fi;
#else
  await(t);
#endif
  if
  :: ok -> goto deliver
  :: else -> t = 0; goto ran
  fi;
helped:                                            /* [lc_pool_help_end] */
  by_helper[child[below]] = 0;
  leave_list();
  ENDED(3) || stopping;                            /* the task's own business */
  atomic { t = below; below = 0 };
deliver:                                           /* [future_deliver], or [future_lost] */
  future_end(t, DONE, ok);
  t = 0;
ran:
#ifdef STEPPED
  vacate(me);                                      /* POST_RAN */
#ifdef STOP
  if
  :: stopping -> goto out                          /* nobody steps it any more */
  :: true
  fi;
#endif
  enter_slot();
#endif
  goto again;
closing:
#ifdef STEPPED
  vacate(me);                                      /* POST_CLOSED */
#else
  close_state(me);
  atomic {                                         /* [post_gone], [lc_watch_gone] */
    gone++;
#ifndef BUG_GONE_TELLS_NOBODY
    if :: gone >= WORKERS -> TELL :: else fi
#endif
  }
#endif
out:
  skip
}

/* ---- outside ------------------------------------------------------------------ */

active proctype main_thread () {
  byte i, v = NOBODY, w, t;
#ifdef STEPPED
  byte slot;
#endif
  bit ok, dropped;
  atomic {
#ifdef CHAIN
    i = 1;
    do :: i < TASKS -> child[i] = i + 1; parent[i + 1] = i; i++ :: else -> break od;
#endif
#ifdef FLOOD
    child[1] = TASKS; parent[TASKS] = 1;
#endif
#ifdef HELP
    child[1] = 2; parent[2] = 1;
#endif
    i = 0;
    do :: i < WORKERS -> run worker(i); i++ :: else -> break od;
    i = 0
  };
  submit(NOBODY, 1, ok);
#ifdef FLOOD
  w = 2;
  do
  :: w < TASKS -> submit(NOBODY, w, ok); w++
  :: else -> break
  od;
  w = 0;
#endif
#ifdef HELP
  submit(NOBODY, 3, ok);
  ok = 0;
#endif
  if
#ifndef NO_GET
  :: future[1] != NONE ->                          /* [fut_go], [wait_asleep] */
     do
     :: atomic { ENDED(1) -> break }
     :: else ->
        atomic { ok = ENDED(1); if :: !ok -> by_main[1] = 1 :: else fi };
        if
        :: ok -> break
        :: else ->
           atomic { main_token -> main_token = 0 };
           atomic { by_main[1] = 0 }
        fi
     od
#endif
  :: true
  fi;
  ok = 0;
#ifdef SLEEPS
  future[TASKS] == CANCELLED || future[TASKS] == NONE;
  !suspended[TASKS];                               /* what it has open is closed by then */
#endif
  if
#ifndef STEPPED
  :: lc_schedule_stop()                            /* [lc_pool_close] */
  :: atomic { draining = 1; ok = (pending == 0) }  /* [pool_forget] */
     if :: ok -> lc_schedule_stop() :: else fi;
     if
     :: await_changed(pending == 0 || stopping);   /* [pool_resident_stop], [lc_pool_finish] */
        lc_schedule_stop()
     :: true                                       /* its home goes on */
     fi
#else
  :: await_changed(pending == 0 || stopping);      /* [lacus_pool_close] */
     lc_schedule_stop()
#endif
  fi;
#ifdef STEPPED
#if WORKERS > 1
  await_changed(!stepping[0] && !stepping[1]);     /* [lc_post_join], [lc_watch_wait] */
  close_state(1);
#else
  await_changed(!stepping[0]);
#endif
  close_state(0);                                  /* [pool_close_here] */
#else
  await_changed(gone == WORKERS);                  /* [lc_post_join], [lc_watch_wait] */
#endif
  await_changed(pending == 0);                     /* [pool_resident_free] */
  i = 1;
  do
  :: i < N ->
     assert(!suspended[i] && !ready[i] && !OPEN(i)
            && (future[i] == NONE || (ENDED(i) && ends[i] == 1)));
     i++
  :: else -> break
  od
}

#ifdef CANCEL
/* [lc_future_cancel], by anybody who holds the future */
active proctype canceller () {
  byte t, v = NOBODY, i;
  bit ok, runs_now, dropped;
#ifdef SLEEPS
  t = TASKS;
#else
  select(t : 1 .. TASKS);
#endif
  if
  :: future[t] != NONE ->
     atomic { runs_now = (future[t] == RUNS); end_state(t, CANCELLED, ok) };
     if
     :: ok ->
        if
#ifndef BUG_NO_SWEEP
        :: runs_now ->                             /* [lc_watch_cancel] */
           atomic {
             do
             :: i < WORKERS -> sweep[i] = 1; token[i] = 1; i++
             :: else -> break
             od;
             i = 0
           }
#endif
        :: else
        fi;
        future_ended()
     :: else
     fi
#ifdef SLEEPS
  :: future[1] == DONE || future[1] == CANCELLED   /* it has not come to that */
#else
  :: true
#endif
  fi
}
#endif

#ifdef STOP
active proctype stopper () {
  byte i;
#ifdef STEPPED
  byte slot;
#endif
  bit dropped;
  lc_schedule_stop()
}
#endif
