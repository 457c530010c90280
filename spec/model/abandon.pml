/*
** abandon.pml: each item of a worker is answered once, whether by the worker or by
** the watch that abandons it: pool/answer.c (lc_answer_deliver), pool/run.c (run_list,
** run_split, run_retire), pool/stop.c (lc_stop_abandon). One owner with a batch of
** ITEMS in a fiber; the watch, at any moment.
**
** An item ends, and goes into `out`; what is there is sent when the owner likes
** [lc_answer_flush], and at the end [run_end]. An item may wait: then a second fiber takes
** what is behind it [run_split], or, without memory (NOMEM), these items fail at once in
** the room that `out` has.
**
** Proved: each item is answered once. Not modelled: yields, retries, items that are given
** to another worker, results on offer (see offer.pml for both), several batches.
**
** @prove -DITEMS=3
** @prove -DITEMS=4
** @prove -DITEMS=3 -DNOMEM
** @prove -DITEMS=4 -DNOMEM
** @catch -DITEMS=2 -DBUG_NO_GUARD
** @catch -DITEMS=2 -DBUG_ANSWERS_WHEN_ABANDONED
** @catch -DITEMS=3 -DBUG_LISTS_LATER
** @catch -DITEMS=3 -DNOMEM -DBUG_OWES_NO_MORE
*/
byte answers[ITEMS];
bit guard = 0, abandoned = 0, over = 0;

/* Run: the fibers that may be there. */
bit listed[2];
byte answered[2], owed[2];          /* guarded */
byte at[2], end[2], sent[2];        /* the owner's; `sent`: out begins there */
byte upto[2];                       /* ...and ends before that */

#ifdef BUG_NO_GUARD
#define GUARD skip
#define UNGUARD skip
#else
#define GUARD atomic { guard == 0 -> guard = 1 }
#define UNGUARD guard = 0
#endif

inline answer (i) {
  answers[i] = answers[i] + 1;
  assert(answers[i] == 1)
}

/* lc_answer_deliver, lc_answer_hand_over: all that is in `out` */
inline deliver (r) {
  GUARD;
  answered[r] = at[r];
  owed[r] = end[r];
  if
#ifndef BUG_ANSWERS_WHEN_ABANDONED
  :: abandoned -> skip
  :: !abandoned ->
#else
  :: true ->
#endif
    k = sent[r];
    do :: k < upto[r] -> answer(k); k = k + 1 :: else -> break od;
    k = waits + 1;
    do :: rest && k < ITEMS -> answer(k); k = k + 1 :: else -> break od
  fi;
  rest = 0;
  sent[r] = upto[r];
  UNGUARD
}

/* run_split: the item at `at` waits. */
inline split () {
  if
#ifdef NOMEM
  :: true ->                        /* those behind it fail, in `out` */
    waits = at[0];
    end[0] = at[0] + 1;
#ifdef BUG_OWES_NO_MORE
    owed[0] = end[0];
#endif
    rest = 1; split_once = 1
#else
  :: true ->
    at[1] = at[0] + 1; end[1] = end[0]; sent[1] = at[1]; upto[1] = at[1];
    answered[1] = at[1]; owed[1] = end[1];
#ifdef BUG_LISTS_LATER
    GUARD; end[0] = at[1]; owed[0] = at[1]; UNGUARD;
    GUARD; listed[1] = 1; UNGUARD
#else
    GUARD;                          /* run_list */
    listed[1] = 1;
    end[0] = at[1]; owed[0] = at[1];
    UNGUARD
#endif
#endif
  fi
}

proctype Owner () {
  byte r = 0, k, waits;
  bit rest = 0, split_once = 0;
  do
  :: at[r] < end[r] ->     /* items_loop */
    if
    :: r == 0 && !listed[1] && !split_once && at[0] + 1 < end[0] -> split()
    :: true
    fi;
    if
    :: rest -> deliver(0)           /* lc_answer_flush; or it has no memory either */
    :: true
    fi;
    at[r] = at[r] + 1;              /* run_pass */
    upto[r] = at[r];
    if
    :: at[r] < end[r] -> deliver(r) /* lc_answer_flush */
    :: true
    fi
  :: else ->
    deliver(r);                     /* run_end */
    GUARD; listed[r] = 0; UNGUARD;  /* run_retire */
    if
    :: r == 0 && listed[1] -> r = 1
    :: else -> break
    fi
  od
}

/* lc_stop_abandon, or it never comes */
proctype Watch () {
  byte r = 0, k;
  if
  :: true -> skip
  :: true ->
    GUARD;
    abandoned = 1;
    do
    :: r < 2 ->
      if
      :: listed[r] ->               /* stop_answer_for */
        k = answered[r];
        do :: k < owed[r] -> answer(k); k = k + 1 :: else -> break od
      :: else
      fi;
      r = r + 1
    :: else -> break
    od;
    UNGUARD
  fi;
  over = 1
}

init {
  byte i = 0;
  end[0] = ITEMS; owed[0] = ITEMS; listed[0] = 1;
  atomic { run Owner(); run Watch() };
  (over && _nr_pr == 1);
  do :: i < ITEMS -> assert(answers[i] == 1); i = i + 1 :: else -> break od
}
