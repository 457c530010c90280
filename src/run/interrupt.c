#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "interrupt.h"

#include <dlfcn.h>
#include <signal.h>
#include <string.h>

#include <lauxlib.h>

#include "../base/clock.h"

/* An allocation that no allocator grants. */
#define INTERRUPT_HUGE ((size_t)-1 / 4)

/* A handler reads it, so it must not be allocated at its first use. */
#if defined(__GLIBC__) && !defined(__cplusplus)
#define INTERRUPT_TLS __thread __attribute__((tls_model("initial-exec")))
#else
#define INTERRUPT_TLS __thread
#endif
static INTERRUPT_TLS Interrupt *interrupt_self = NULL;

/* --- the signal --------------------------------------------------------- */

/*
** A process has one handler for a signal: this alone is global. It goes in
** when something is stopped for the first time, and stays: somebody may have
** put his own in front of it. So the code stays loaded too.
*/
static pthread_once_t interrupt_once = PTHREAD_ONCE_INIT;
static struct sigaction interrupt_old;

static void interrupt_hook (lua_State *L, lua_Debug *ar);

static void interrupt_signalled (int sig, siginfo_t *info, void *context) {
  Interrupt *it = interrupt_self;
  if (it != NULL) {
    lua_State *co = it->deepest;
    atomic_store_explicit(&it->heard, 1, memory_order_relaxed);
    if (co != NULL
        && (atomic_load_explicit(&it->asked, memory_order_relaxed) != 0
            || atomic_load_explicit(&it->wanted, memory_order_relaxed)))
      lua_sethook(co, interrupt_hook, LUA_MASKCOUNT, 1);
  }
  if (interrupt_old.sa_flags & SA_SIGINFO)
    interrupt_old.sa_sigaction(sig, info, context);
  else if (interrupt_old.sa_handler != SIG_DFL
           && interrupt_old.sa_handler != SIG_IGN)
    interrupt_old.sa_handler(sig);
}

/* The file that this function is in stays loaded until the process ends. */
static void interrupt_pin (void) {
  Dl_info info;
  if (dladdr((void *)(size_t)&interrupt_signalled, &info) != 0)
    dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

static void interrupt_install (void) {
  struct sigaction sa;
  interrupt_pin();
  memset(&sa, 0, sizeof sa);
  sa.sa_sigaction = interrupt_signalled;
  sa.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigemptyset(&sa.sa_mask);
  sigaction(LACUS_SIGNAL, NULL, &interrupt_old);
  sigaction(LACUS_SIGNAL, &sa, NULL);
}

/* --- the hook ----------------------------------------------------------- */

static void interrupt_off (lua_State *L) {
  lua_sethook(L, NULL, 0, 0);
}

/* Not lua_error: that would call the handler of an xpcall, which may loop. */
static void interrupt_raise (lua_State *L) {
  lua_newuserdatauv(L, INTERRUPT_HUGE, 0);
}

static int interrupt_in_grace (Interrupt *it) {
  return (it->phase == INTERRUPT_UNWINDS || it->phase == INTERRUPT_CLOSES)
         && lc_now() < it->until;
}

static void interrupt_be_quiet (Interrupt *it, InterruptPhase phase,
                                uint64_t ns) {
  it->phase = phase;
  it->until = lc_now() + ns;
  atomic_store_explicit(&it->quiet, it->until, memory_order_relaxed);
}

/* What runs is to stop: 1 if it does by yielding, else it is to be raised. */
static int interrupt_cut (Interrupt *it, lua_State *L) {
  if (it->phase == INTERRUPT_GOES) it->host->stopping(it, L);
  if (it->host->yields(it, L)) return 1;
  if (it->phase == INTERRUPT_GOES) {
    interrupt_off(L);
    interrupt_be_quiet(it, INTERRUPT_UNWINDS, LC_UNWIND_NS);
  }
  else it->phase = INTERRUPT_CUTS;
  return 0;
}

/* Nobody is asked any more, unless a reason has come meanwhile. */
static int interrupt_stops (Interrupt *it) {
  if (it->host->stops(it)) return 1;
  atomic_store_explicit(&it->asked, 0, memory_order_seq_cst);
  if (!it->host->stops(it)) return 0;
  lc_interrupt_ask(it, 0);
  return 1;
}

static void interrupt_hook (lua_State *L, lua_Debug *ar) {
  Interrupt *it = interrupt_self;
  (void)ar;
  if (it != NULL
      && atomic_exchange_explicit(&it->wanted, 0, memory_order_relaxed))
    it->host->probed(it, L);
  if (it == NULL || !interrupt_stops(it)) interrupt_off(L);
  else if (interrupt_in_grace(it)) interrupt_off(L);
  else if (interrupt_cut(it, L)) lua_yield(L, 0);
  else interrupt_raise(L);
}

int lc_interrupt_due (Interrupt *it) {
  return it->host->stops(it) && !interrupt_in_grace(it);
}

void lc_interrupt_check (Interrupt *it, lua_State *L) {
  if (it == NULL || !lc_interrupt_due(it)) return;
  if (it->phase == INTERRUPT_GOES) {
    it->host->stopping(it, L);
    interrupt_be_quiet(it, INTERRUPT_UNWINDS, LC_UNWIND_NS);
  }
  interrupt_raise(L);
}

/* --- the owner ---------------------------------------------------------- */

void lc_interrupt_init (Interrupt *it, const InterruptHost *host) {
  it->host = host;
  atomic_store_explicit(&it->turn, 1, memory_order_relaxed);
  atomic_store_explicit(&it->limit, LC_NEVER, memory_order_relaxed);
}

Interrupt *lc_interrupt_enter (Interrupt *it) {
  Interrupt *before = interrupt_self;
  interrupt_self = it;
  return before;
}

void lc_interrupt_leave (Interrupt *before) { interrupt_self = before; }

Interrupt *lc_interrupt_here (void) { return interrupt_self; }

lua_State *lc_interrupt_running (void) {
  Interrupt *it = interrupt_self;
  return it != NULL ? it->deepest : NULL;
}

/* seq_cst: see the head. */
static void interrupt_turn (Interrupt *it) {
  if (atomic_fetch_add_explicit(&it->turn, 1, memory_order_seq_cst) + 1 == 0)
    atomic_fetch_add_explicit(&it->turn, 1, memory_order_seq_cst);
  it->phase = INTERRUPT_GOES;
  atomic_store_explicit(&it->quiet, 0, memory_order_relaxed);
}

static void interrupt_become (Interrupt *it, const void *what,
                              uint64_t limit) {
  atomic_store_explicit(&it->what, what, memory_order_seq_cst);
  atomic_store_explicit(&it->limit, limit, memory_order_relaxed);
  atomic_store_explicit(&it->asked, 0, memory_order_relaxed);
  interrupt_turn(it);
}

void lc_interrupt_begin (Interrupt *it, Turn *outer, const void *what,
                         lua_State *co) {
  outer->what = atomic_load_explicit(&it->what, memory_order_relaxed);
  outer->limit = atomic_load_explicit(&it->limit, memory_order_relaxed);
  outer->deepest = it->deepest;
  outer->phase = it->phase;
  outer->until = it->until;
  it->deepest = co;
  interrupt_become(it, what, LC_NEVER);
}

/* What was asked of the outer one meanwhile was not heard: it asks itself. And who
** looks after the thread may not know of its limit any more. */
void lc_interrupt_end (Interrupt *it, const Turn *outer) {
  it->deepest = outer->deepest;
  interrupt_become(it, outer->what, outer->limit);
  it->phase = outer->phase;
  it->until = outer->until;
  if (outer->what == NULL) return;
  if (it->host->stops(it)) {
    lc_interrupt_ask(it, 0);
    lua_sethook(it->deepest, interrupt_hook, LUA_MASKCOUNT, 1);
    it->host->late(it, lc_now());
  }
  else if (outer->limit != LC_NEVER) it->host->late(it, outer->limit);
}

void lc_interrupt_next (Interrupt *it, uint64_t limit) {
  atomic_store_explicit(&it->limit, limit, memory_order_relaxed);
  atomic_store_explicit(&it->asked, 0, memory_order_relaxed);
  interrupt_turn(it);
  if (limit != LC_NEVER) it->host->late(it, limit);
}

void lc_interrupt_closing (Interrupt *it) {
  interrupt_be_quiet(it, INTERRUPT_CLOSES, it->grace_ns);
  lc_interrupt_ask(it, 0);
  it->host->late(it, it->until);
}

/* The handler may come between any two of these lines: it finds either the
** new coroutine, or `asked` is set by the time it is read here. */
lua_State *lc_interrupt_switch (Interrupt *it, lua_State *co) {
  lua_State *before;
  if (it == NULL) return NULL;
  before = it->deepest;
  it->deepest = co;
  if (co != NULL
      && atomic_load_explicit(&it->asked, memory_order_relaxed) != 0)
    lua_sethook(co, interrupt_hook, LUA_MASKCOUNT, 1);
  return before;
}

int lc_interrupt_close (Interrupt *it, lua_State *L, lua_State *co) {
  int status;
  lua_State *before = lc_interrupt_switch(it, co);
#if LUA_VERSION_RELEASE_NUM >= 50406
  status = lua_closethread(co, L);
#else
  (void)L;
  status = lua_resetthread(co);
#endif
  lc_interrupt_switch(it, before);
  return status;
}

/* --- askers ------------------------------------------------------------- */

/* `what` is read between two looks at the same turn. */
unsigned lc_interrupt_turn (Interrupt *it, const void *what) {
  unsigned turn, again = atomic_load_explicit(&it->turn, memory_order_seq_cst);
  const void *runs;
  do {
    turn = again;
    runs = atomic_load_explicit(&it->what, memory_order_seq_cst);
    again = atomic_load_explicit(&it->turn, memory_order_seq_cst);
  } while (turn != again);
  return runs == what ? turn : 0;
}

/* A limit that is newer than the turn is later, and will be seen later. */
unsigned lc_interrupt_late (Interrupt *it, uint64_t now) {
  unsigned turn = atomic_load_explicit(&it->turn, memory_order_seq_cst);
  uint64_t limit = atomic_load_explicit(&it->limit, memory_order_seq_cst);
  return limit <= now ? turn : 0;
}

/*
** An asker may be slow, and the owner have asked itself in a newer turn: that
** stays. seq_cst: the signal that follows finds it.
*/
void lc_interrupt_ask (Interrupt *it, unsigned turn) {
  unsigned asked = atomic_load_explicit(&it->asked, memory_order_relaxed);
  pthread_once(&interrupt_once, interrupt_install);
  if (turn == 0) turn = atomic_load_explicit(&it->turn, memory_order_seq_cst);
  atomic_store_explicit(&it->heard, 0, memory_order_relaxed);
  do {
    if (asked != 0 && (int)(turn - asked) < 0) return;
  } while (!atomic_compare_exchange_weak_explicit(&it->asked, &asked, turn,
             memory_order_seq_cst, memory_order_relaxed));
}

unsigned lc_interrupt_tell (Interrupt *it, Thread *thread) {
  unsigned asked = atomic_load_explicit(&it->asked, memory_order_seq_cst);
  if (asked == 0
      || asked != atomic_load_explicit(&it->turn, memory_order_seq_cst))
    return 0;
  if (lc_now() >= atomic_load_explicit(&it->quiet, memory_order_relaxed))
    lc_thread_signal(thread);
  return asked;
}

void lc_interrupt_probe (Interrupt *it, Thread *thread) {
  pthread_once(&interrupt_once, interrupt_install);
  atomic_store_explicit(&it->wanted, 1, memory_order_seq_cst);
  lc_thread_signal(thread);
}
