/*
** offer.pml: results that are ready while a task's own code runs have one owner: the
** worker, or the consumer that fetches them, or the watch that abandons the worker; and
** an item that is given to another worker does not run here too. pool/offer.h
** (lc_offer, lc_offer_regain), pool/offer.c (lc_offer_fetch, offer_spread,
** lc_offer_seize, lc_offer_replaced), pool/stop.c (lc_stop_may_begin, stop_answer_for),
** pool/answer.c (lc_answer_deliver). One owner with a batch of ITEMS in a fiber, which
** may come never back from one of them; a fetcher that tries FETCHES times, and gives
** items to other workers or not; the watch, at any moment.
**
** TIMEOUT: the items have one, so that what has not begun is known.
**
** Proved: each item is answered once, and runs once at most. Not modelled: yields,
** retries, items that wait (see abandon.pml).
**
** @prove -DITEMS=3 -DFETCHES=2
** @prove -DITEMS=3 -DFETCHES=2 -DTIMEOUT
** @prove -DITEMS=4 -DFETCHES=1 -DTIMEOUT
** @catch -DITEMS=3 -DFETCHES=1 -DBUG_NO_SWAP
** @catch -DITEMS=3 -DFETCHES=1 -DBUG_FETCHES_WITHOUT_COUNTING
** @catch -DITEMS=3 -DFETCHES=1 -DBUG_NO_LOOK_AT_OWED
** @catch -DITEMS=3 -DFETCHES=0 -DTIMEOUT -DBUG_BEGUN_AFTER_LOOK
*/
byte answers[ITEMS], runs[ITEMS];
bit guard = 0, abandoned = 0, halt = 0, stuck = 0;
byte over = 0;

/* Run: */
byte offer = 0;                     /* NONE, NOTHING, RESULTS, FETCHED */
bit instead = 0;                    /* guarded */
byte answered = 0, owed = ITEMS;    /* guarded */
byte begun = 0;
byte at = 0, end = ITEMS;           /* the owner's */
byte from = 0, upto = 0;            /* what is in `out`: of who owns that */

#define NONE 0
#define NOTHING 1
#define RESULTS 2
#define FETCHED 3

#define GUARD atomic { guard == 0 -> guard = 1 }
#define UNGUARD guard = 0

inline answer (i) {
  answers[i] = answers[i] + 1;
  assert(answers[i] == 1)
}

inline runs_once (i) {
  runs[i] = runs[i] + 1;
  assert(runs[i] == 1)
}

/* lc_answer_deliver, lc_answer_hand_over */
inline deliver () {
  GUARD;
  answered = at; owed = end;
  if
  :: abandoned -> skip
  :: else ->
    k = from;
    do :: k < upto -> answer(k); k = k + 1 :: else -> break od
  fi;
  from = at; upto = at;
  UNGUARD
}

inline make_offer () {              /* lc_offer */
  if
  :: from < upto -> offered = RESULTS
  :: else ->
#ifdef TIMEOUT
    offered = NOTHING
#else
    offered = (at + 1 < end -> NOTHING : NONE)
#endif
  fi;
  if
  :: offered != NONE -> offer = offered
  :: else
  fi
}

proctype Owner () {
  byte k, offered = NONE, got;
  do
  :: at < end ->                    /* items_loop, lc_stop_may_begin */
#ifndef BUG_BEGUN_AFTER_LOOK
    begun = at + 1;
#endif
    make_offer();
#ifdef TIMEOUT
    if
    :: halt -> break
    :: else
    fi;
#endif
#ifdef BUG_BEGUN_AFTER_LOOK
    begun = at + 1;
#endif
    runs_once(at);
    if
    :: true -> stuck = 1; break     /* it never comes back */
    :: true
    fi;
#ifdef BUG_NO_SWAP
    got = offered; offer = NONE;
#else
    atomic { got = offer; offer = NONE };     /* lc_offer_regain */
#endif
    if
    :: offered == NONE || got == NOTHING || got == RESULTS
    :: else ->                      /* lc_offer_replaced */
      GUARD;
      if
      :: offered == RESULTS && instead -> from = at; upto = at; instead = 0
      :: else
      fi;
      got = !abandoned;
#ifndef BUG_NO_LOOK_AT_OWED
      if
      :: got -> end = owed
      :: else
      fi;
#endif
      UNGUARD;
      if
      :: !got -> break
      :: else
      fi
    fi;
#ifdef TIMEOUT
    if
    :: halt -> break                /* lc_stop_may_answer */
    :: else
    fi;
#endif
    at = at + 1;                    /* run_pass */
    upto = at;
    if
    :: at < end -> deliver()        /* lc_answer_flush */
    :: true
    fi
  :: else -> deliver(); break       /* run_end */
  od;
  over = over + 1
}

/* lc_stream_step, lc_offer_fetch */
proctype Consumer () {
  byte tries = 0, k, has;
  do
  :: tries < FETCHES ->
    tries = tries + 1;
    GUARD;
    if
    :: !abandoned ->
      atomic {
        has = offer;
        if
        :: has == RESULTS || has == NOTHING -> offer = FETCHED
        :: else
        fi
      };
      if
      :: has == RESULTS ->
        instead = 1;
        k = from;
        do :: k < upto -> answer(k); k = k + 1 :: else -> break od;
#ifndef BUG_FETCHES_WITHOUT_COUNTING
        answered = upto
#endif
      :: else
      fi;
      if
      :: has != NONE ->
        do                          /* offer_spread: another worker runs it */
        :: owed > answered + 1 ->
          owed = owed - 1;
          runs_once(owed);
          answer(owed)
        :: true -> break
        od
      :: else
      fi
    :: else
    fi;
    UNGUARD
  :: else -> break
  od;
  over = over + 1
}

/* lc_stop_abandon, if the owner is stuck, or at any time, or never */
proctype Watch () {
  byte k, has, first;
  if
  :: stuck -> skip
  :: true -> skip
  fi;
  if
  :: !stuck && over > 0 -> skip     /* the owner may have ended */
  :: true ->
    GUARD;
    abandoned = 1;
    halt = 1;
    first = begun;                  /* stop_answer_for */
    atomic { has = offer; offer = NONE };     /* lc_offer_seize */
    if
    :: has == RESULTS ->
      k = from;
      do :: k < upto -> answer(k); k = k + 1 :: else -> break od;
      answered = upto
    :: has == FETCHED -> instead = 0
    :: else
    fi;
    if
    :: has != NONE -> first = answered + 1
    :: else ->
#ifndef TIMEOUT
      first = owed
#endif
      skip
    fi;
    if
    :: first < answered -> first = answered
    :: else
    fi;
    k = answered;
    do :: k < first -> answer(k); k = k + 1 :: else -> break od;   /* lost */
    k = first;
    do :: k < owed -> runs_once(k); answer(k); k = k + 1 :: else -> break od;
    UNGUARD
  fi;
  over = over + 1
}

init {
  byte i = 0;
  atomic { run Owner(); run Consumer(); run Watch() };
  (over == 3 && _nr_pr == 1);
  if
  :: stuck && !abandoned            /* it never comes back, and nobody minds */
  :: else ->
    do :: i < ITEMS -> assert(answers[i] == 1); i = i + 1 :: else -> break od
  fi
}
