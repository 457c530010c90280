#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "clock.h"

int lc_mutex_init (Mutex *m) { return pthread_mutex_init(&m->m, NULL); }
void lc_mutex_free (Mutex *m) { pthread_mutex_destroy(&m->m); }
LC_LOCK_SYSTEM void lc_mutex_lock (Mutex *m) { pthread_mutex_lock(&m->m); }
LC_LOCK_SYSTEM void lc_mutex_unlock (Mutex *m) { pthread_mutex_unlock(&m->m); }

int lc_cond_init (Cond *c) {
#if defined(__APPLE__)          /* no condition clocks: see wait_until */
  return pthread_cond_init(&c->c, NULL);
#else
  pthread_condattr_t attr;
  int err = pthread_condattr_init(&attr);
  if (err != 0) return err;
  err = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  if (err == 0) err = pthread_cond_init(&c->c, &attr);
  pthread_condattr_destroy(&attr);
  return err;
#endif
}

void lc_cond_free (Cond *c) { pthread_cond_destroy(&c->c); }
void lc_cond_signal (Cond *c) { pthread_cond_signal(&c->c); }
void lc_cond_broadcast (Cond *c) { pthread_cond_broadcast(&c->c); }
void lc_cond_wait (Cond *c, Mutex *m) { pthread_cond_wait(&c->c, &m->m); }

int lc_cond_wait_until (Cond *c, Mutex *m, uint64_t deadline) {
  struct timespec ts;
#if defined(__APPLE__)
  uint64_t now = lc_now();
  if (now >= deadline) return 0;
  ts.tv_sec = (time_t)((deadline - now) / 1000000000u);
  ts.tv_nsec = (long)((deadline - now) % 1000000000u);
  return pthread_cond_timedwait_relative_np(&c->c, &m->m, &ts) != ETIMEDOUT;
#else
  ts.tv_sec = (time_t)(deadline / 1000000000u);
  ts.tv_nsec = (long)(deadline % 1000000000u);
  return pthread_cond_timedwait(&c->c, &m->m, &ts) != ETIMEDOUT;
#endif
}

static void *thread_main (void *p) {
  Thread *t = (Thread *)p;
  t->fn(t->ud);
  return NULL;
}

/*
** Synchronous faults stay deliverable, else a crash in C code would be a
** silent kill; everything else is the host's main thread's to handle.
*/
static void thread_blocked_signals (sigset_t *set) {
  sigfillset(set);
  sigdelset(set, SIGSEGV);
  sigdelset(set, SIGBUS);
  sigdelset(set, SIGFPE);
  sigdelset(set, SIGILL);
  sigdelset(set, SIGABRT);
  sigdelset(set, SIGTRAP);
  sigdelset(set, SIGPROF);
  sigdelset(set, LACUS_SIGNAL);
}

int lc_thread_start (Thread *t, ThreadMain fn, void *ud, size_t stack) {
  pthread_attr_t attr;
  sigset_t blocked, old;
  int err;
  t->fn = fn;
  t->ud = ud;
  err = pthread_attr_init(&attr);
  if (err != 0) return err;
  if (stack > 0) err = pthread_attr_setstacksize(&attr, stack);
  if (err == 0) {
    thread_blocked_signals(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    err = pthread_create(&t->t, &attr, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
  }
  pthread_attr_destroy(&attr);
  return err;
}

void lc_thread_join (Thread *t) { pthread_join(t->t, NULL); }
void lc_thread_detach (Thread *t) { pthread_detach(t->t); }
void lc_thread_self (Thread *t) { t->t = pthread_self(); }
void lc_thread_signal (Thread *t) { pthread_kill(t->t, LACUS_SIGNAL); }
void lc_thread_yield (void) { sched_yield(); }

int lc_thread_cpu (void) {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

#if defined(__linux__)

/* Its affinity is that one processor for a moment. */
static void thread_go (int cpu, const cpu_set_t *all) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  if (sched_setaffinity(0, sizeof one, &one) == 0)
    sched_setaffinity(0, sizeof *all, all);
}

void lc_thread_spread (size_t n) {
  cpu_set_t all;
  int cpu = 0;
  if (sched_getaffinity(0, sizeof all, &all) != 0) return;
  n %= (size_t)CPU_COUNT(&all);
  while (!CPU_ISSET(cpu, &all) || n-- > 0) cpu++;
  if (cpu != sched_getcpu()) thread_go(cpu, &all);
}

/* The next one in the ring: or many would all go to the first. */
void lc_thread_leave (const CpuSet *taken, int otherwise) {
  cpu_set_t all;
  int i, here = sched_getcpu();
  if (here < 0 || sched_getaffinity(0, sizeof all, &all) != 0) return;
  for (i = 1; i <= LC_CPUS_MOST; i++) {
    int cpu = (here + i) % LC_CPUS_MOST;
    if (CPU_ISSET(cpu, &all) && !lc_cpus_has(taken, cpu)) {
      otherwise = cpu;
      break;
    }
  }
  if (otherwise >= 0 && otherwise < LC_CPUS_MOST && CPU_ISSET(otherwise, &all))
    thread_go(otherwise, &all);
}

#else

void lc_thread_spread (size_t n) { (void)n; }
void lc_thread_leave (const CpuSet *taken, int otherwise) {
  (void)taken;
  (void)otherwise;
}

#endif

/* A SignalMask has room for a sigset_t: without that the array's size is
** negative. (The header is read without what POSIX adds, too.) */
typedef char thread_mask_fits[sizeof(SignalMask) >= sizeof(sigset_t) ? 1 : -1];

void lc_thread_unblock (SignalMask *before) {
  sigset_t none, old;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, &old);
  memcpy(before, &old, sizeof old);
}

void lc_thread_block (const SignalMask *before) {
  sigset_t old;
  memcpy(&old, before, sizeof old);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
}

#if defined(__SANITIZE_THREAD__)
/*
** Debian's Lua leaves by __longjmp_chk, which ThreadSanitizer does not know:
** each error would leave a frame behind on its shadow stack, and 65,536 of
** them kill the program. Under that tool alone it goes by the name it knows.
*/
#include <setjmp.h>

void __longjmp_chk (jmp_buf env, int value);

void __longjmp_chk (jmp_buf env, int value) {
  longjmp(env, value);
}
#endif
