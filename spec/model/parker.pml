/*
** parker.pml: the token of base/park.c: one owner that sleeps, wakers that
** leave a token. Names in brackets are the functions that a step stands for.
**
** Modelled: every access to `state` on its own; the mutex; a condition that
** forgets a signal nobody waits for, and wakes for nothing (SPURIOUS times);
** the spinning look; a deadline that may pass at any time (TIMED). Each waker
** brings news ROUNDS times, as park.h has it: news first, then the token. The
** owner parks until it has seen all the news.
**
** Proved, for the bounds below and every schedule: the owner is never stuck
** while there is news (no lost wake-up); park says "woken" only for a token
** that was left; park leaves `state` not ASLEEP. STACK: the owner's parker
** goes away as soon as the wait is over, and the wakers wake it under the lock
** under which they found it (Waiter.late == 0): nobody touches it any more.
**
** Not modelled: memory orders weaker than sequential consistency.
**
** @prove -DWAKERS=2 -DROUNDS=2
** @prove -DWAKERS=3 -DROUNDS=1
** @prove -DWAKERS=2 -DROUNDS=2 -DTIMED
** @prove -DWAKERS=2 -DROUNDS=1 -DSTACK
** @prove -DWAKERS=2 -DROUNDS=1 -DSTACK -DTIMED
** @catch -DWAKERS=1 -DROUNDS=1 -DBUG_SIGNAL_WITHOUT_LOCK
** @catch -DWAKERS=1 -DROUNDS=1 -DBUG_SLEEP_BLINDLY
** @catch -DWAKERS=1 -DROUNDS=1 -DBUG_TOKEN_BEFORE_NEWS
** @catch -DWAKERS=2 -DROUNDS=1 -DBUG_TIMEOUT_FORGETS -DTIMED
** @catch -DWAKERS=2 -DROUNDS=1 -DSTACK -DBUG_LATE
*/
#define SPURIOUS 2

mtype = { EMPTY, TOKEN, ASLEEP };
mtype state = EMPTY;
bit lock;                 /* Parker.lock */
bit waits;                /* the owner is in cond_wait */
byte spurious;
byte news[WAKERS];        /* what the wakers have to say */
byte seen;                /* ...as the owner has read it */
bit list_lock, listed[WAKERS];   /* STACK: the lock of what is waited for */
bit freed;                /* STACK: the parker is gone */
bit left;                 /* ghost: a token was left and not taken */

#define LOCK(m)   atomic { m == 0 -> m = 1 }
#define UNLOCK(m) m = 0
#define TOUCH     assert(!freed)

/* [park_take] */
inline take (got) {
  atomic {
    got = (state == TOKEN);
    if :: got -> state = EMPTY; assert(left); left = 0 :: else fi
  }
}

/* [lc_unpark] */
inline unpark (old) {
  atomic { TOUCH; old = state; state = TOKEN; left = 1 }
  if
  :: old == ASLEEP ->
#ifndef BUG_SIGNAL_WITHOUT_LOCK
     atomic { lock == 0 -> lock = 1; TOUCH }
     UNLOCK(lock);
#endif
     atomic { TOUCH; waits = 0; old = EMPTY }      /* cond_signal */
  :: else -> old = EMPTY
  fi
}

/* [park_sleep]: the deadline, if there is one, may pass at any moment. */
inline sleep (woken) {
  LOCK(lock);
  atomic {
#ifdef BUG_SLEEP_BLINDLY
    woken = 0; state = ASLEEP
#else
    if :: state == EMPTY -> state = ASLEEP; woken = 0
       :: else -> woken = 1 fi
#endif
  }
  if
  :: woken -> take(woken)
  :: else ->
     do
     :: atomic { waits = 1; UNLOCK(lock) }               /* cond_wait */
        in_time = 1;
        if
        :: waits == 0
        :: atomic { waits && spurious < SPURIOUS -> spurious++; waits = 0 }
#ifdef TIMED
        :: atomic { waits = 0; in_time = 0 }
#endif
        fi;
        LOCK(lock);
        take(woken);
        if
        :: woken -> break
        :: !woken && !in_time ->
           atomic {
#ifdef BUG_TIMEOUT_FORGETS
             woken = 0; state = EMPTY
#else
             woken = (state == TOKEN); state = EMPTY;
             if :: woken -> assert(left); left = 0 :: else fi
#endif
           }
           break
        :: else
        fi
     od
  fi;
  UNLOCK(lock)
}

/* [lc_park] */
inline park (woken) {
  take(woken);
  if
  :: woken
  :: else ->
     if
     :: take(woken)                                       /* [park_spin] */
     :: skip
     fi;
     if
     :: woken
     :: else -> sleep(woken)
     fi
  fi;
  assert(state != ASLEEP && (woken || !left || state == TOKEN))
}

active proctype owner () {
  bit woken, in_time;
  byte i;
  do
  :: d_step {
       seen = 0; i = 0;
       do :: i < WAKERS -> seen = seen + news[i]; i++ :: else -> break od
     }
     if
     :: seen == WAKERS * ROUNDS -> break
     :: else -> park(woken)
     fi
  od;
#ifdef STACK
  LOCK(list_lock);                                        /* forget */
  d_step {
    i = 0;
    do :: i < WAKERS -> listed[i] = 0; i++ :: else -> break od
  }
  UNLOCK(list_lock);
  freed = 1
#endif
}

active [WAKERS] proctype waker () {
  byte round, me = _pid - 1;
  mtype old;
#ifdef STACK
  listed[me] = 1;
#endif
  do
  :: round < ROUNDS ->
#ifdef STACK
     LOCK(list_lock);
     news[me]++;
     bit found = listed[me];
     listed[me] = 0;
#ifdef BUG_LATE
     UNLOCK(list_lock);
     if :: found -> unpark(old) :: else fi;
#else
     if :: found -> unpark(old) :: else fi;
     UNLOCK(list_lock);
#endif
#else
#ifdef BUG_TOKEN_BEFORE_NEWS
     unpark(old);
     news[me]++;
#else
     news[me]++;
     unpark(old);
#endif
#endif
     round++
  :: else -> break
  od
}
