/*
** shim.c: what the system gives, and here may refuse. Linked into the host of
** `make oom` alone, by the linker's --wrap, under our objects and Lua's, not
** under the C library's own. From the environment:
**
**   OOM_WHAT   which calls count: a letter each of Memory, Threads, Locks, Clock,
**              System (signals, pipes, mappings, affinity)
**   OOM_FROM   the first of them that fails, from 1
**   OOM_SPAN   how many fail from there on; 0: all
**   OOM_COUNT  a file that gets their number, at the end
*/
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static long shim_from, shim_span, shim_n;
static const char *shim_what = "";
static const char *shim_count;

static void shim_report (void) {
  FILE *f = shim_count != NULL ? fopen(shim_count, "w") : NULL;
  if (f == NULL) return;
  fprintf(f, "%ld\n", __atomic_load_n(&shim_n, __ATOMIC_RELAXED));
  fclose(f);
}

static long shim_number (const char *name) {
  const char *s = getenv(name);
  return s != NULL ? atol(s) : 0;
}

__attribute__((constructor)) static void shim_begin (void) {
  shim_from = shim_number("OOM_FROM");
  shim_span = shim_number("OOM_SPAN");
  shim_count = getenv("OOM_COUNT");
  if (getenv("OOM_WHAT") != NULL) shim_what = getenv("OOM_WHAT");
  atexit(shim_report);
}

/* One more call of a kind; 1 if it fails. */
static int shim_fails (char kind) {
  long n;
  if (strchr(shim_what, kind) == NULL) return 0;
  n = __atomic_add_fetch(&shim_n, 1, __ATOMIC_RELAXED);
  return shim_from > 0 && n >= shim_from
         && (shim_span == 0 || n < shim_from + shim_span);
}

#define SHIM(type, name, params, args, kind, failure)  \
  type __real_##name params;  \
  type __wrap_##name params;  \
  type __wrap_##name params {  \
    return shim_fails(kind) ? (failure) : __real_##name args;  \
  }

SHIM(void *, malloc, (size_t n), (n), 'M', NULL)
SHIM(void *, calloc, (size_t n, size_t m), (n, m), 'M', NULL)

/* Giving back does not fail. */
void *__real_realloc (void *p, size_t n);
void *__wrap_realloc (void *p, size_t n);
void *__wrap_realloc (void *p, size_t n) {
  if ((p == NULL || n > malloc_usable_size(p)) && shim_fails('M')) return NULL;
  return __real_realloc(p, n);
}

SHIM(int, pthread_create, (pthread_t *t, const pthread_attr_t *a,
     void *(*f)(void *), void *ud), (t, a, f, ud), 'T', EAGAIN)
SHIM(int, pthread_attr_init, (pthread_attr_t *a), (a), 'T', ENOMEM)
SHIM(int, pthread_mutex_init, (pthread_mutex_t *m,
     const pthread_mutexattr_t *a), (m, a), 'L', ENOMEM)
SHIM(int, pthread_cond_init, (pthread_cond_t *c,
     const pthread_condattr_t *a), (c, a), 'L', ENOMEM)
SHIM(int, pthread_condattr_init, (pthread_condattr_t *a), (a), 'L', ENOMEM)
SHIM(int, pthread_condattr_setclock, (pthread_condattr_t *a, clockid_t c),
     (a, c), 'L', EINVAL)
SHIM(int, clock_gettime, (clockid_t c, struct timespec *t), (c, t), 'C',
     (errno = EINVAL, -1))
SHIM(int, sigaction, (int n, const struct sigaction *a, struct sigaction *b),
     (n, a, b), 'S', (errno = EINVAL, -1))
SHIM(int, pthread_sigmask, (int how, const sigset_t *a, sigset_t *b),
     (how, a, b), 'S', EINVAL)
SHIM(int, pipe, (int *fd), (fd), 'S', (errno = EMFILE, -1))
SHIM(int, pipe2, (int *fd, int flags), (fd, flags), 'S', (errno = EMFILE, -1))
SHIM(int, eventfd, (unsigned n, int flags), (n, flags), 'S',
     (errno = EMFILE, -1))
SHIM(void *, mmap, (void *p, size_t n, int prot, int flags, int fd, off_t at),
     (p, n, prot, flags, fd, at), 'S', (errno = ENOMEM, MAP_FAILED))
SHIM(int, sched_getaffinity, (pid_t p, size_t n, cpu_set_t *s), (p, n, s), 'S',
     (errno = EINVAL, -1))
