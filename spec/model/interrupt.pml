/*
** interrupt.pml: how what runs in a worker is stopped: run/interrupt.c, with
** what pool/run.c, stop.c and watch.c do around it. One owner that runs WORKS
** works, one after the other; an asker that cancels each at any moment; the watch,
** which tells the owner's thread again and again.
**
** An endless work goes on until it is stopped, and so does its <close> (CLOSES),
** which is to be cut; others (even numbers, if FINITE) may end at any moment by
** themselves. NEXT: a work goes to another turn once it has begun, as an item
** with a timeout does. SWITCHES: it goes to and fro between two coroutines.
** NESTED: the first work runs the second on top of itself. LATE: somebody asks for
** nothing, in a turn that may be over by then. (That a switch looks for an ask, and that
** the thread is told again and again, is each enough without the other.)
**
** Proved: what is cancelled is stopped, whatever else is asked at that time: no
** ask is lost; nothing is stopped that is not cancelled.
**
** Not modelled: time (a limit is an asker like another; the grace of what closes
** is over at any moment), weaker memory orders: asked, turn and what are seq_cst.
**
** @prove -DWORKS=3 -DFINITE
** @prove -DWORKS=2 -DNEXT
** @prove -DWORKS=3 -DFINITE -DCLOSES
** @prove -DWORKS=2 -DFINITE -DSWITCHES
** @prove -DWORKS=2 -DNESTED
** @prove -DWORKS=2 -DNEXT -DCLOSES -DSWITCHES
** @prove -DWORKS=2 -DFINITE -DLATE -DCLOSES
** @catch -DWORKS=2 -DFINITE -DLATE -DBUG_ONE_LOOK
** @catch -DWORKS=2 -DNEXT -DBUG_NEXT_WITHOUT_LOOK
** @catch -DWORKS=3 -DFINITE -DCLOSES -DBUG_ASKS_BACKWARDS
** @catch -DWORKS=2 -DNESTED -DBUG_END_WITHOUT_LOOK
** @catch -DWORKS=2 -DSWITCHES -DBUG_TOLD_ONCE -DBUG_SWITCHES_BLINDLY
*/
#define NOBODY 255

byte turn = 1, asked = 0, what = NOBODY;   /* Interrupt's */
bit cancelled[WORKS];
bit signalled = 0;        /* sent, and not handled yet */
bit hook[2];              /* on a coroutine */
byte deepest = 0;         /* the coroutine that runs */
bit lock = 0;             /* the pool's */
bit ended = 0;

#define LOCK   atomic { lock == 0 -> lock = 1 }
#define UNLOCK lock = 0

/* lc_interrupt_ask: a loop of compare and swap. */
inline ask (t) {
  atomic {
#ifdef BUG_ASKS_BACKWARDS
    asked = t
#else
    if :: asked == 0 || asked <= t -> asked = t :: else fi
#endif
  }
}

/* interrupt_signalled: between any two steps of the owner. */
inline handler () {
  atomic {
    signalled -> signalled = 0;
    if :: asked != 0 -> hook[deepest] = 1 :: else fi
  }
}

/* interrupt_become, lc_interrupt_next */
inline become (w) {
  what = w;
  asked = 0;
  turn = turn + 1
}

/* interrupt_stops: `stop` is the result. */
inline look (w) {
  if
  :: cancelled[w] -> stop = 1
  :: else ->
    asked = 0;
#ifdef BUG_ONE_LOOK
    stop = 0
#else
    if
    :: cancelled[w] -> own = turn; ask(own); stop = 1
    :: else -> stop = 0
    fi
#endif
  fi
}

/* interrupt_hook, at an instruction of the coroutine that runs */
inline hooked (w) {
  look(w);
  if
  :: stop -> assert(cancelled[w])
  :: else -> hook[deepest] = 0
  fi
}

/* lc_interrupt_switch */
inline switch () {
  if :: signalled -> handler() :: true fi;
  deepest = 1 - deepest;
#ifndef BUG_SWITCHES_BLINDLY
  if :: asked != 0 -> hook[deepest] = 1 :: else fi
#endif
}

/* lc_interrupt_closing; then <close> goes on until it is cut. */
inline closing (w) {
  own = turn;
  ask(own);
  hook[0] = 0; hook[1] = 0;
  do
  :: handler()
  :: hook[deepest] -> break          /* interrupt_in_grace: not any more */
  od
}

proctype Owner () {
  byte k = 0, own;
  bit stop, nested = 0, moved;
  do
  :: k == WORKS -> break
  :: else ->
    /* run_go: lc_interrupt_begin, then a look (items_loop, run_ends_parked) */
    stop = 0; moved = 0;
    hook[0] = 0; hook[1] = 0;
    become(k);
    if :: cancelled[k] -> stop = 1 :: else fi;
#ifdef NEXT
    if
    :: !stop ->
      asked = 0;                     /* lc_stop_may_begin: lc_interrupt_next */
      turn = turn + 1;
#ifndef BUG_NEXT_WITHOUT_LOOK
      if :: cancelled[k] -> stop = 1 :: else fi
#endif
    :: else
    fi;
#endif
    do
    :: stop -> break
    :: !stop && signalled -> handler()
    :: !stop && hook[deepest] -> hooked(k)
#ifdef FINITE
    :: !stop && k % 2 == 0 -> break
#endif
#ifdef SWITCHES
    :: !stop && !moved && !hook[deepest] -> moved = 1; switch()
#endif
#ifdef NESTED
    :: !stop && k == 0 && !nested ->
      nested = 1;
      become(1);
      do                             /* the second work, to its end */
      :: cancelled[1] -> break
      od;
      become(0);                     /* lc_interrupt_end */
#ifndef BUG_END_WITHOUT_LOOK
      if
      :: cancelled[0] -> own = turn; ask(own); hook[deepest] = 1
      :: else
      fi
#endif
#endif
    od;
#ifdef CLOSES
    if :: stop -> closing(k) :: else fi;
#endif
    become(NOBODY);                  /* lc_interrupt_end */
    k = k + 1;
#ifdef NESTED
    if :: nested && k == 1 -> k = 2 :: else fi
#endif
  od;
  ended = 1
}

/* lc_interrupt_tell. `told` is the result. */
inline tell () {
  a = asked;
  told = 0;
  if
  :: a != 0 && a == turn -> signalled = 1; told = 1
  :: else
  fi
}

/* lc_watch_cancel, of one work after the other */
proctype Asker () {
  byte k = 0, t, w, a;
  bit told;
  do
  :: k == WORKS -> break
  :: else ->
    cancelled[k] = 1;
    LOCK;
    t = turn;                        /* lc_interrupt_turn */
    do
    :: w = what;
      if :: t == turn -> break :: else -> t = turn fi
    od;
    if
    :: w == k -> ask(t); tell()
    :: else
    fi;
    UNLOCK;
    k = k + 1
  od
}

/* watch_worker, lc_interrupt_late */
proctype Late () {
  byte t, a;
  bit told;
  t = turn;
  LOCK;
  ask(t);
  tell();
  UNLOCK
}

/* watch_look: as long as somebody is asked */
proctype Watch () {
  byte a;
  bit told;
  do
  :: ended -> break
#ifndef BUG_TOLD_ONCE
  :: asked != 0 && asked == turn && !signalled ->
    LOCK;
    tell();
    UNLOCK
#endif
  od
}

init {
  atomic {
    run Owner(); run Asker(); run Watch();
#ifdef LATE
    run Late()
#endif
  }
}
