/*
** thread.h: threads, mutexes and conditions; pthreads under names of our
** own, so that a port, an annotation or a failure test has one place.
** Stands on pthreads and clock.h.
*/
#ifndef lc_thread_h
#define lc_thread_h

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/*
** For clang's -Wthread-safety (`make locks`): a lock that is taken twice, or that
** some way out of a function forgets, is an error. (In C it knows no fields of
** structs, so what a lock guards is in the comments alone.)
*/
#if defined(__clang__)
#define LC_LOCK_ATTRIBUTE(x) __attribute__((x))
#else
#define LC_LOCK_ATTRIBUTE(x)
#endif
#define LC_LOCK LC_LOCK_ATTRIBUTE(capability("mutex"))
#define LC_TAKES(m) LC_LOCK_ATTRIBUTE(acquire_capability(m))
#define LC_GIVES(m) LC_LOCK_ATTRIBUTE(release_capability(m))
#define LC_HOLDS(m) LC_LOCK_ATTRIBUTE(requires_capability(m))
/* The body is the system's, which has no such marks. */
#define LC_LOCK_SYSTEM LC_LOCK_ATTRIBUTE(no_thread_safety_analysis)

typedef struct LC_LOCK Mutex { pthread_mutex_t m; } Mutex;
typedef struct Cond { pthread_cond_t c; } Cond;
typedef void (*ThreadMain)(void *ud);
typedef struct Thread {
  pthread_t t;
  ThreadMain fn;          /* what it runs */
  void *ud;
} Thread;

/* 0 on success, else an errno. */
int lc_mutex_init (Mutex *m);
void lc_mutex_free (Mutex *m);
void lc_mutex_lock (Mutex *m) LC_TAKES(m);
void lc_mutex_unlock (Mutex *m) LC_GIVES(m);

/* Conditions count time on the clock of lc_now. */
int lc_cond_init (Cond *c);
void lc_cond_free (Cond *c);
void lc_cond_signal (Cond *c);
void lc_cond_broadcast (Cond *c);
void lc_cond_wait (Cond *c, Mutex *m) LC_HOLDS(m);
/* 0 when `deadline` (lc_now's nanoseconds) has passed, else 1. */
int lc_cond_wait_until (Cond *c, Mutex *m, uint64_t deadline) LC_HOLDS(m);

/* More threads than this, for one pool, are a mistake and not a wish. */
#define LC_WORKERS_MOST 1024

/* The signal that tells a thread to look up. Ignored unless somebody has use
** for it; libc and debuggers leave it alone (as Go's runtime found). */
#if !defined(LACUS_SIGNAL)
#define LACUS_SIGNAL SIGURG
#endif

/* 0 on success, else an errno. `stack` in bytes, 0 for the system's own. `t`
** stays where it is until the thread has begun.
** All other signals are blocked in the new thread: they belong to the host. */
int lc_thread_start (Thread *t, ThreadMain fn, void *ud, size_t stack);
void lc_thread_join (Thread *t);
/* Instead of join: its end is nobody's concern. */
void lc_thread_detach (Thread *t);
/* The thread that calls. */
void lc_thread_self (Thread *t);
/* Sends LACUS_SIGNAL. Before it was joined or detached. */
void lc_thread_signal (Thread *t);
/* The signals that this thread blocks: none from here on; *before again. */
typedef struct SignalMask { unsigned long room[16]; } SignalMask;
void lc_thread_unblock (SignalMask *before);
void lc_thread_block (const SignalMask *before);
/* Gives the processor away for a moment. */
void lc_thread_yield (void);
/* Between two looks at what another processor is about to write: spares what the two
** share. */
static inline void lc_thread_pause (void) {
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
  __asm__ volatile ("yield");
#endif
}
/* The number of the processor that it runs on now; -1 where the system does not tell. */
int lc_thread_cpu (void);
/* Goes to the `n`-th of the processors that it may run on (of as many, in a ring), once: it
** is not bound to it. */
void lc_thread_spread (size_t n);

/* Processors, by their numbers; it has none from LC_CPUS_MOST on, and none below 0. */
#define LC_CPUS_MOST 1024
typedef struct CpuSet { uint64_t bits[LC_CPUS_MOST / 64]; } CpuSet;

static inline int lc_cpus_has (const CpuSet *s, int cpu) {
  return cpu >= 0 && cpu < LC_CPUS_MOST && (s->bits[cpu / 64] >> cpu % 64 & 1) != 0;
}

/* How many it has more now. */
static inline int lc_cpus_add (CpuSet *s, int cpu) {
  if (cpu < 0 || cpu >= LC_CPUS_MOST || lc_cpus_has(s, cpu)) return 0;
  s->bits[cpu / 64] |= (uint64_t)1 << cpu % 64;
  return 1;
}

/* Goes to one that is not in `taken`, once: it is not bound to it. If it may run on no
** such one, it goes to `otherwise`; if not there either, nowhere. */
void lc_thread_leave (const CpuSet *taken, int otherwise);

#endif
