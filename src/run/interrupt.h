/*
** interrupt.h: how code that runs in a worker is stopped from outside, at no
** cost while nothing is. Stands on base/.
**
** The road. Somebody decides that what runs must stop, and says so where its
** worker will look (a sink is cancelled, a time has passed). Then it asks:
** stores in `asked` the turn that it means, and sends the thread a signal. The
** handler, on that thread, puts a hook on the coroutine that runs now
** (lua_sethook is safe there and nowhere else; lua.c does the same). The
** hook fires at the next instruction and looks for itself, since an ask is a
** hint that may be late: if nothing is to stop, it takes itself off.
**
** How the hook stops code. Where the whole chain of coroutines down to the fiber is
** tracked (see fiber.h), it yields for good: no pcall sees it, no error
** handler runs. The resumes on the way close their coroutine and yield on;
** last, the fiber is closed. Elsewhere (behind sort, gsub, a metamethod) it
** raises a memory error, the one error that calls no handler of xpcall.
**
** Grace. Code that is closed (<close>) may run until `until`, then it is cut
** too. After the first raise the hook stays away for LC_UNWIND_NS, for the
** <close> on the way up; code that catches the error and goes on is cut after
** that, at each instruction.
**
** What is not stopped: finalizers (Lua runs them without hooks) and one long
** call of C. Whoever asked sees that the turn stays: see pool/watch.h.
**
** A turn is what runs without a change: it goes up when something else runs, so
** nobody is blamed for what was asked of another. Asker: makes the reason visible,
** reads `turn` and `what`. Owner: writes `what`, goes to the next `turn`, looks for
** reasons. All seq_cst: one of them sees the other.
*/
#ifndef lc_interrupt_h
#define lc_interrupt_h

#include <stdint.h>

#include <lua.h>

#include "../base/atomic.h"
#include "../base/thread.h"

typedef struct Interrupt Interrupt;

/* Where Lua cannot yield, <close> variables have this long. */
#define LC_UNWIND_NS 100000000u

typedef enum InterruptPhase {
  INTERRUPT_GOES,       /* nothing has been stopped in this turn */
  INTERRUPT_UNWINDS,    /* an error was raised; let be until `until` */
  INTERRUPT_CLOSES,     /* <close> variables run; likewise */
  INTERRUPT_CUTS        /* no more grace */
} InterruptPhase;

/* What it asks of the floors above. All on the owner's thread. */
typedef struct InterruptHost {
  /* Whether what runs now is to stop. */
  int (*stops) (Interrupt *it);
  /* It is about to be, and still stands in `L`. Must not raise. */
  void (*stopping) (Interrupt *it, lua_State *L);
  /* Whether all who wait for `L` yield on: then they are told that it yields for
  ** good. */
  int (*yields) (Interrupt *it, lua_State *L);
  /* Somebody wants to know where `L` stands. Must not raise. */
  void (*probed) (Interrupt *it, lua_State *L);
  /* Somebody has to look at this thread then. */
  void (*late) (Interrupt *it, uint64_t when);
} InterruptHost;

struct Interrupt {
  /* set at birth */
  const InterruptHost *host;
  uint64_t grace_ns;           /* for <close> variables */
  /* atomic: the owner writes, askers read */
  _Atomic(unsigned) turn;      /* never 0 */
  _Atomic(const void *) what;  /* whose code runs; NULL: nobody's */
  _Atomic(uint64_t) limit;     /* when it is to be asked; LC_NEVER: not */
  _Atomic(uint64_t) quiet;     /* no signals before that */
  /* atomic: askers write */
  _Atomic(unsigned) asked;     /* the turn that is meant; 0: none */
  _Atomic(int) heard;          /* the handler has run since */
  _Atomic(int) wanted;         /* to be probed */
  /* owner thread, and the signal handler on it */
  lua_State *volatile deepest; /* the coroutine that runs */
  /* owner thread only */
  InterruptPhase phase;
  uint64_t until;
};

/* What ran before, while something else does: see lc_interrupt_begin. */
typedef struct Turn {
  const void *what;
  lua_State *deepest;
  InterruptPhase phase;
  uint64_t until, limit;
} Turn;

void lc_interrupt_init (Interrupt *it, const InterruptHost *host);

/* --- the owner ---------------------------------------------------------- */

/* This thread runs it from here on; gives what it ran before, for leave. */
Interrupt *lc_interrupt_enter (Interrupt *it);
void lc_interrupt_leave (Interrupt *before);
/* What this thread runs; NULL outside of workers. */
Interrupt *lc_interrupt_here (void);
/* The coroutine of it that runs now, or NULL. A signal handler may ask. */
lua_State *lc_interrupt_running (void);

/* Code of `what` runs, in `co`, instead of what is kept in *outer. */
void lc_interrupt_begin (Interrupt *it, Turn *outer, const void *what,
                         lua_State *co);
void lc_interrupt_end (Interrupt *it, const Turn *outer);
/* Within that: something new begins, to be stopped at `limit`. */
void lc_interrupt_next (Interrupt *it, uint64_t limit);
/* Code that was stopped is closed from here on. */
void lc_interrupt_closing (Interrupt *it);

/* Control goes to `co`; gives where it was. `it` may be NULL. */
lua_State *lc_interrupt_switch (Interrupt *it, lua_State *co);
/* lua_closethread, with that around it. */
int lc_interrupt_close (Interrupt *it, lua_State *L, lua_State *co);

/* For a wait in C: whether what runs is to stop, and has no grace. */
int lc_interrupt_due (Interrupt *it);
/* Raises, if so. `it` may be NULL. */
void lc_interrupt_check (Interrupt *it, lua_State *L);

/* --- askers ------------------------------------------------------------- */

/* The turn in which code of `what` runs; 0: none does. Any thread. */
unsigned lc_interrupt_turn (Interrupt *it, const void *what);
/* The turn whose limit has passed; 0: none has. Any thread. */
unsigned lc_interrupt_late (Interrupt *it, uint64_t now);
/* Whoever runs in `turn` (or now, if 0) is to look. Any thread. */
void lc_interrupt_ask (Interrupt *it, unsigned turn);
/* Tells the thread of it: again and again, until nobody is asked any more. Gives
** the turn that is asked; 0 when none is. Only while the thread is not joined. */
unsigned lc_interrupt_tell (Interrupt *it, Thread *thread);

/* Makes the hook call `probed`, soon, if the thread runs Lua code. Likewise. */
void lc_interrupt_probe (Interrupt *it, Thread *thread);

#endif
