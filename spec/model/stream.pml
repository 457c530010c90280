/*
** stream.pml: one map in progress: pool/stream.c, and what pool/run.c does
** around it. A consumer, ITEMS items that each yield up to YIELDS values and
** then send their last entry, a window of WINDOW items, CREDITS credits for
** yielded values (set by the window in the code; free here).
**
** An item is a process: tasks that wait hold no worker (pool.pml), so it does
** not matter here how many workers there are. Its parking is a token (proved in
** fiber.pml), and so is the consumer's (parker.pml). The source may end after
** any item. Where the code chooses by time or by first come, the model chooses
** freely: whether to pull or to take, what to take of what is ready, which of
** the parked tasks that may go on is woken. Every access to an atomic is one
** step; what the lock guards is one step where nobody looks at it without.
**
** ORDERED: by turns. SHUFFLED: turns in any order of the indexes, some of which
** the source may not reach. CLOSE: the consumer may close before any step.
** STOP: the pool stops at any moment: breaks the stream, drops what has not
** begun and kills what is parked. TIMED: the consumer's wait may time out, and
** poll. REFUND: a yield may fail after it got credit, the task catches
** that and then waits for the other tasks to end.
** HOLD: one process runs items 1 and 2, as one batch does, and keeps the last
** entry of the first back until the second ends.
**
** Proved: nobody is stuck; 0 <= yielded <= CREDITS; unordered or not, each item
** that was pulled ends exactly once and each of its values arrives; in order
** where it should; at the end no credit is taken and nobody is listed; after a
** close nothing is kept; what was delivered before the pool broke is read
** before "broken" is said.
**
** Known: BUG_LATE, see park.h ("a parker outlives its wakers' calls"): a
** consumer whose home does not join the workers (the pool was opened in
** another state) may be gone when a worker wakes it after unlocking.
**
** Not modelled: batches (an entry is a batch), their sizes, memory orders weaker
** than sequential consistency, starvation.
**
** @prove -DITEMS=3 -DYIELDS=1 -DCREDITS=2 -DWINDOW=3
** @prove -DITEMS=2 -DYIELDS=3 -DCREDITS=2 -DWINDOW=2
** @prove -DITEMS=3 -DYIELDS=2 -DCREDITS=1 -DWINDOW=2
** @prove -DITEMS=2 -DYIELDS=2 -DCREDITS=1 -DWINDOW=1 -DTIMED
** @prove -DITEMS=3 -DYIELDS=2 -DCREDITS=1 -DWINDOW=3 -DORDERED
** @prove -DITEMS=3 -DYIELDS=1 -DCREDITS=2 -DWINDOW=3 -DORDERED
** @prove -DITEMS=2 -DYIELDS=2 -DCREDITS=2 -DWINDOW=2 -DORDERED -DTIMED
** @prove -DITEMS=3 -DYIELDS=1 -DCREDITS=2 -DWINDOW=2 -DORDERED -DSHUFFLED
** @prove -DITEMS=2 -DYIELDS=2 -DCREDITS=1 -DWINDOW=2 -DCLOSE
** @prove -DITEMS=2 -DYIELDS=2 -DCREDITS=2 -DWINDOW=2 -DCLOSE -DORDERED
** @prove -DITEMS=2 -DYIELDS=1 -DCREDITS=1 -DWINDOW=2 -DSTOP -DCLOSE
** @prove -DITEMS=2 -DYIELDS=2 -DCREDITS=2 -DWINDOW=2 -DSTOP -DORDERED
** @prove -DITEMS=2 -DYIELDS=2 -DCREDITS=1 -DWINDOW=2 -DREFUND
** @prove -DITEMS=3 -DYIELDS=1 -DCREDITS=1 -DWINDOW=3 -DREFUND
** @prove -DITEMS=2 -DYIELDS=2 -DCREDITS=1 -DWINDOW=2 -DHOLD
** @catch -DITEMS=2 -DYIELDS=1 -DCREDITS=1 -DWINDOW=2 -DBUG_NO_LAST_LOOK
** @catch -DITEMS=2 -DYIELDS=2 -DCREDITS=1 -DWINDOW=2 -DBUG_LOOKS_BEFORE_COUNTING
** @catch -DITEMS=2 -DYIELDS=1 -DCREDITS=1 -DWINDOW=2 -DBUG_LISTENS_BLINDLY
** @catch -DITEMS=2 -DYIELDS=1 -DCREDITS=1 -DWINDOW=2 -DCLOSE -DBUG_CLOSE_WAKES_NOBODY
** @catch -DITEMS=2 -DYIELDS=1 -DCREDITS=1 -DWINDOW=2 -DCLOSE -DBUG_DELIVERS_WHEN_CLOSED
** @catch -DITEMS=2 -DYIELDS=1 -DCREDITS=1 -DWINDOW=2 -DREFUND -DBUG_SILENT_REFUND
** @catch -DITEMS=2 -DYIELDS=2 -DCREDITS=2 -DWINDOW=2 -DORDERED -DBUG_NO_CREDIT_FOR_THE_TURN
** @catch -DITEMS=2 -DYIELDS=1 -DCREDITS=1 -DWINDOW=2 -DORDERED -DBUG_TURN_WAKES_NOBODY
** @catch -DITEMS=2 -DYIELDS=2 -DCREDITS=2 -DWINDOW=2 -DORDERED -DHOLD
** @catch -DITEMS=2 -DYIELDS=1 -DCREDITS=1 -DWINDOW=2 -DSTOP -DBUG_BROKEN_OVERTAKES
** @catch -DITEMS=2 -DYIELDS=1 -DCREDITS=1 -DWINDOW=2 -DCLOSE -DTIMED -DBUG_LATE
*/
#define N (ITEMS + 2)     /* indexes from 1; one past the end for a turn */

/* guarded by lock */
bit lock;
byte hv[N]; bit hl[N];    /* Stream.home: values, and last entries, of an item */
bit waiter;               /* Stream.waiter: the consumer */
bit listed[N];            /* Stream.parked */
bit closed;
/* atomic */
bit news, cancelled, broken;
byte yielded, nparked, turn = 1;
/* the consumer's */
byte pulled, handed, place;
bit exhausted;
byte rv[N]; bit rl[N];    /* ready, or the chains of each index */
byte order[N];            /* place -> index whose turn it is */
/* tokens */
bit consumer_token, token[N];
/* ghosts */
bit stopping;             /* the pool is */
byte sent[N], got[N];     /* values of each item */
bit ended[N];
byte running;             /* item processes that have not ended */
byte before, home_total, collected;   /* deliveries: before the break; all; read */
bit consumer_gone;
#ifdef STOP
#define COUNT_HOME home_total++
#else
#define COUNT_HOME skip
#endif
bit held;                 /* HOLD: the last entry of item 1 is kept back */

#define LOCK(m)   atomic { m == 0 -> m = 1 }
#define UNLOCK(m) m = 0

#ifdef ORDERED
#define READY (rv[turn] > 0 || rl[turn])
#else
#define READY (rv[1] + rv[2] + rl[1] + rl[2] > 0 || (ITEMS > 2 && rv[ITEMS] + rl[ITEMS] > 0))
#endif

#ifdef SHUFFLED
#define MAY_PULL (!exhausted && (pulled < turn || pulled - handed < WINDOW))
#else
#define MAY_PULL (!exhausted && pulled - handed < WINDOW)
#endif

/* [stream_limit] */
inline limit (i, lim) {
#if defined(ORDERED) && !defined(BUG_NO_CREDIT_FOR_THE_TURN)
  atomic { lim = CREDITS; if :: i != turn -> lim-- :: else fi }
#else
  lim = CREDITS
#endif
}

/* [stream_take_credit]; in the code the turn is read again for each try */
inline take_credit (i, ok) {
  ok = 0;
  n = yielded;
  do
  :: limit(i, lim);
     if :: n >= lim -> break :: else fi;
     atomic {
       if
       :: yielded == n -> yielded++; ok = 1; assert(yielded <= CREDITS); break
       :: else -> n = yielded
       fi
     }
  od;
  n = 0; lim = 0
}

/* [stream_credit] */
inline credit (i, ok) {
  take_credit(i, ok);
  if
  :: ok
  :: else ->
     LOCK(lock);
     if
     :: !closed ->
        atomic { assert(!listed[i]); listed[i] = 1 }
        nparked++;
#ifndef BUG_NO_LAST_LOOK
        take_credit(i, ok);
        if
        :: ok -> atomic { listed[i] = 0; nparked-- }
        :: else
        fi
#endif
     :: else
     fi;
     UNLOCK(lock)
  fi
}

/* [stream_unpark], lock held */
inline unpark (i) {
  atomic { listed[i] = 0; nparked--; token[i] = 1 }
}

/* [stream_forget] */
inline forget (i) {
  atomic {
    lock == 0;
    if :: listed[i] -> listed[i] = 0; nparked-- :: else fi
  }
}

/* [stream_wake_parked]: any that may go on, what belongs to the turn first */
inline wake_parked () {
  if
  :: nparked == 0
  :: else ->
     t = turn;
     LOCK(lock);
     n = yielded;
     limit(0, lim);
     atomic {
       if
#ifdef ORDERED
       :: listed[t] -> unpark(t)
       :: else ->
          if
          :: n < lim && t != 1 && listed[1] -> unpark(1)
          :: n < lim && t != 2 && listed[2] -> unpark(2)
          :: n < lim && t != ITEMS && listed[ITEMS] -> unpark(ITEMS)
          :: n >= lim || !(listed[1] || listed[2] || listed[ITEMS])
          fi
#else
       :: n < lim && listed[1] -> unpark(1)
       :: n < lim && listed[2] -> unpark(2)
       :: n < lim && listed[ITEMS] -> unpark(ITEMS)
       :: n >= lim || !(listed[1] || listed[2] || listed[ITEMS])
#endif
       fi;
       n = 0; lim = 0; t = 0
     };
     UNLOCK(lock)
  fi
}

/* [stream_tell], lock held; `late`: to be woken after unlocking */
inline tell (late) {
  late = waiter; waiter = 0; news = 1
}

inline wake_consumer (late) {
  if
  :: late ->
#ifdef BUG_LATE
     atomic { assert(!consumer_gone); consumer_token = 1 }
#else
     consumer_token = 1
#endif
  :: else
  fi;
  late = 0
}

/* [stream_deliver] */
inline deliver (i, last) {
  atomic {
    lock == 0;
    if
#ifdef BUG_DELIVERS_WHEN_CLOSED
    :: true ->
#else
    :: !closed ->
#endif
       if :: last -> assert(!hl[i]); hl[i] = 1 :: else -> hv[i]++ fi;
       COUNT_HOME;
       tell(late)
    :: else
    fi
  };
  wake_consumer(late)
}

/* ---- a task: [items_loop], [lc_yield], [run_go] -------------------------- */

proctype item (byte i) {
  byte n, lim, t, y;
  bit ok, late;
#ifdef HOLD
  if :: i == 2 -> ended[1] :: else fi;              /* one after the other */
#endif
  if :: cancelled || stopping -> goto out :: else fi;
  do
  :: y < YIELDS ->
     y++;
     do
     :: if :: cancelled -> goto killed :: else fi;
        credit(i, ok);
        if
        :: ok -> break
        :: else ->
           if                                       /* suspended: [lc_fiber_park] */
           :: cancelled -> goto killed
           :: else ->
              if
              :: atomic { token[i] -> token[i] = 0 }
              :: stopping -> goto killed
              fi
           fi
        fi
     od;
#ifdef REFUND
     if
     :: i == 1 && y == 1 ->                         /* [run_yield_failed] */
        yielded--;
#ifndef BUG_SILENT_REFUND
        wake_parked();
#endif
        exhausted && running == 1                   /* pcall, then futures */
     :: true ->
#endif
        atomic { sent[i]++; ok = 0 }
        deliver(i, 0)
#ifdef REFUND
     fi
#endif
  :: break
  od;
#ifdef HOLD
  if
  :: atomic { i == 1 && pulled > 1 -> held = 1; ended[1] = 1 } goto out
  :: atomic { i == 2 && held -> held = 0 } deliver(1, 1)
  :: !(i == 1 && pulled > 1) && !(i == 2 && held)
  fi;
#endif
  assert(i == 1 || !ended[i]);
  ended[i] = 1;
  deliver(i, 1);
  goto out;
killed:                                             /* [run_kill] */
  forget(i);
out:
  atomic { token[i] = 0; running--; y = 0; ok = 0 }
}

/* ---- the consumer: [res_go] around [lc_stream_step] -------------------------- */

/* [stream_collect] */
inline collect () {
  if
  :: news ->
     atomic {
       lock == 0;
       t = 1;
       do
       :: t <= ITEMS ->
#ifdef STOP
          collected = collected + hv[t] + hl[t];
#endif
          rv[t] = rv[t] + hv[t]; hv[t] = 0;
          assert(!(rl[t] && hl[t]));
          rl[t] = rl[t] | hl[t]; hl[t] = 0;
          t++
       :: else -> break
       od;
       t = 0; news = 0
     }
  :: else
  fi
}

/* [stream_pass] */
inline pass () {
  atomic {
    t = place;
    do
    :: t++;
       n = order[t];
       if
       :: n > pulled && exhausted && handed < pulled
       :: else -> break
       fi
    od;
    place = t; turn = n; n = 0; t = 0
  }
}

/* [lc_stream_take]; `i` is free to choose unless there is a turn */
inline take () {
  atomic {
#ifdef ORDERED
    i = turn;
#else
    if
    :: rv[1] + rl[1] > 0 -> i = 1
    :: rv[2] + rl[2] > 0 -> i = 2
    :: rv[ITEMS] + rl[ITEMS] > 0 -> i = ITEMS
    fi;
#endif
    if
    :: rv[i] > 0 -> rv[i]--; got[i]++; last = 0
    :: else -> assert(rl[i] && got[i] == sent[i]); rl[i] = 0; last = 1
    fi;
    i = 0
  };
#ifdef BUG_LOOKS_BEFORE_COUNTING
  if :: nparked == 0 -> skip_wake = 1 :: else -> skip_wake = 0 fi;
#endif
  if
  :: last -> handed++; pass()
  :: else -> atomic { assert(yielded > 0); yielded-- }
  fi;
#ifdef BUG_LOOKS_BEFORE_COUNTING
  if :: skip_wake :: else -> wake_parked() fi
#else
#ifdef BUG_TURN_WAKES_NOBODY
  if :: last :: else -> wake_parked() fi
#else
  wake_parked()
#endif
#endif
}

/* [lc_stream_close] */
inline close_stream () {
  LOCK(lock);
  closed = 1;
  atomic {
    t = 1;
    do :: t <= ITEMS -> hv[t] = 0; hl[t] = 0; rv[t] = 0; rl[t] = 0; t++ :: else -> break od;
    waiter = 0
  };
  cancelled = 1;
#ifndef BUG_CLOSE_WAKES_NOBODY
  t = 1;
  do
  :: t <= ITEMS ->
     if :: listed[t] -> unpark(t) :: else fi;
     t++
  :: else -> break
  od;
#endif
  t = 0;
  UNLOCK(lock)
}

active proctype consumer () {
  byte n, lim, t, i;
  bit last, skip_wake, listens;
  atomic {                                          /* whose turn, at each place */
    i = 0;
    do :: i < N -> order[i] = i + 1; i++ :: else -> break od;
#ifdef SHUFFLED
    i = 0;
    do
    :: i < ITEMS - 1 ->
       select(t : i .. ITEMS - 1);
       n = order[i]; order[i] = order[t]; order[t] = n; i++
    :: else -> break
    od;
#endif
    turn = order[0]; i = 0; t = 0; n = 0
  };
  do
#ifdef CLOSE
  :: true -> close_stream(); goto out
#endif
  :: true ->
     collect();
     if
     :: MAY_PULL && pulled < ITEMS ->               /* [lc_supply_put], flush */
        atomic { pulled++; running++; run item(pulled) }
     :: MAY_PULL ->                                 /* [lc_supply_exhaust] */
        exhausted = 1;
#ifdef SHUFFLED
        if :: turn > pulled && handed < pulled -> pass(); wake_parked() :: else fi
#endif
     :: READY -> take()
     :: !MAY_PULL && !READY ->
        if
        :: exhausted && handed == pulled -> break   /* STREAM_END */
        :: else ->
           if
           :: broken ->                             /* STREAM_BROKEN */
#ifndef BUG_BROKEN_OVERTAKES
              collect();
              if :: READY -> goto again :: else fi;
#endif
              assert(collected >= before);
              close_stream();
              goto out
           :: else
           fi;
           atomic {                                 /* [lc_stream_listen] */
             lock == 0;
#ifdef BUG_LISTENS_BLINDLY
             waiter = 1; listens = 1
#else
             listens = !news;
             if :: listens -> waiter = 1 :: else fi
#endif
           }
           if
           :: !listens
           :: atomic { listens && consumer_token -> consumer_token = 0 }
#ifdef TIMED
           :: atomic { listens && lock == 0 -> waiter = 0 }    /* [lc_stream_unlisten] */
#endif
           fi;
           listens = 0
        fi
     fi
again:
     skip
  od;
  i = 1;                                            /* the end was reached */
  do
  :: i <= ITEMS ->
     assert(!rl[i] && rv[i] == 0 && got[i] == sent[i]
            && (i <= pulled) == ended[i]);
     i++
  :: else -> break
  od;
  i = 0;
  assert(yielded == 0);
out:
#ifdef BUG_LATE
  consumer_gone = 1;                                /* its state closes */
#endif
  running == 0;                                     /* the workers are joined */
  consumer_gone = 1;
  t = 1;
  do
  :: t <= ITEMS ->
     assert(!listed[t] && !(closed && (hl[t] || hv[t] > 0)));
     t++
  :: else -> break
  od;
  assert(nparked == 0)
}

#ifdef STOP
/* [lc_schedule_stop], [lc_stream_break] */
active proctype stopper () {
  bit late;
  stopping = 1;
  LOCK(lock);
  atomic { broken = 1; before = home_total }
  tell(late);
  UNLOCK(lock);
  wake_consumer(late)
}
#endif
