/*
** bare.c: what the machine itself takes: the rivals of which nothing can be cut.
**
**   bare spawn N         seconds for each of N threads, created and joined
**   bare states N        the same, where each opens a Lua state with all libraries
**                        and closes it
**   bare compute N       seconds for each of N threads that compute at once, each in a Lua
**                        state of its own, from when all have begun; for 1, on the
**                        processor where it is quickest: so for 2 it is half as many,
**                        where there are two processors, and one is like the other
**   bare handoff N       median seconds of a bare hand-off to another thread and
**                        back: a mutex and a condition, nothing else
**   bare late N          seconds that a thread which is woken waits for a processor
**                        while N others compute, 99 in 100 times less
**   bare memcpy BYTES    median seconds of one copy, between pages in use
*/
#define _GNU_SOURCE

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { ROUNDS = 51, THREADS = 256 };

static double now (void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_size (const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median (double *list, size_t n) {
  qsort(list, n, sizeof(double), by_size);
  return list[n / 2];
}

/* ---- threads ---- */

static void *nothing (void *p) { return p; }

static void *state (void *p) {
  lua_State *L = luaL_newstate();
  if (L == NULL) exit(1);
  luaL_openlibs(L);
  lua_close(L);
  return p;
}

static double spawn (int n, void *(*what) (void *)) {
  double list[ROUNDS];
  pthread_t t[THREADS];
  int i, k;
  if (n > THREADS) n = THREADS;
  for (k = 0; k < ROUNDS; k++) {
    double begun = now();
    for (i = 0; i < n; i++)
      if (pthread_create(&t[i], NULL, what, NULL) != 0) exit(1);
    for (i = 0; i < n; i++) pthread_join(t[i], NULL);
    list[k] = (now() - begun) / n;
  }
  return median(list, ROUNDS);
}

/* ---- threads that compute at once ---- */

static int together;            /* so many... */
static _Atomic(int) arrived;    /* ...meet each time */

/* Nobody sleeps, since to wake one takes as long as some of what is measured. */
static void meet (int *times) {
  int all = together * ++*times;
  atomic_fetch_add(&arrived, 1);
  while (atomic_load(&arrived) < all) sched_yield();
}

/* `list`: where the times go; or NULL. */
static void *compute (void *list) {
  int k, times = 0;
  lua_State *L = luaL_newstate();
  if (L == NULL || luaL_loadstring(L, "local function double(x) return x * 2 end "
        "for i = 1, 50000 do double(i) end")) exit(1);
  for (k = 0; k < ROUNDS; k++) {
    double begun;
    meet(&times);
    begun = now();
    lua_pushvalue(L, 1);
    lua_call(L, 0, 0);
    meet(&times);
    if (list != NULL) ((double *)list)[k] = now() - begun;
  }
  lua_close(L);
  return NULL;
}

static double at_once (int n) {
  double list[ROUNDS];
  pthread_t t[THREADS];
  int i;
  together = n < THREADS ? n : THREADS;
  atomic_store(&arrived, 0);
  for (i = 1; i < together; i++)
    if (pthread_create(&t[i], NULL, compute, NULL) != 0) exit(1);
  compute(list);
  for (i = 1; i < together; i++) pthread_join(t[i], NULL);
  return median(list, ROUNDS) / together;
}

/* On the quickest of some processors, where one can be chosen. */
static double alone (void) {
#if defined(__linux__)
  double least = 0, each;
  cpu_set_t all, one;
  int cpu, left = 4;
  if (sched_getaffinity(0, sizeof all, &all) != 0) exit(1);
  for (cpu = 0; cpu < CPU_SETSIZE && left > 0; cpu++) {
    if (!CPU_ISSET(cpu, &all)) continue;
    left--;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) exit(1);
    each = at_once(1);
    if (least == 0 || each < least) least = each;
  }
  return least;
#else
  return at_once(1);
#endif
}

/* ---- a hand-off ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;          /* 0: ours, 1: the other's, 2: the end */

static void *other (void *p) {
  pthread_mutex_lock(&lock);
  while (turn != 2) {
    if (turn == 1) {
      turn = 0;
      pthread_cond_signal(&changed);
    }
    else pthread_cond_wait(&changed, &lock);
  }
  pthread_mutex_unlock(&lock);
  return p;
}

static double handoff (int n) {
  double *list = (double *)calloc((size_t)n, sizeof(double)), m;
  pthread_t t;
  int i;
  if (list == NULL || pthread_create(&t, NULL, other, NULL) != 0) exit(1);
  pthread_mutex_lock(&lock);
  for (i = 0; i < n; i++) {
    double begun = now();
    turn = 1;
    pthread_cond_signal(&changed);
    while (turn != 0) pthread_cond_wait(&changed, &lock);
    list[i] = now() - begun;
  }
  turn = 2;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
  pthread_join(t, NULL);
  m = median(list, (size_t)n);
  free(list);
  return m;
}

/* ---- a wake-up while all processors are busy ---- */

enum { WAKES = 200 };

static double woken;      /* when; 0: nobody was */
static int ends;          /* guarded by `lock`, as that */

/* Computes; the first one wakes the main thread every five milliseconds. */
static void *busy (void *first) {
  int over = 0;
  double begun = now();
  while (!over) {
    while (now() - begun < 5e-3) {}
    begun = now();
    pthread_mutex_lock(&lock);
    over = ends;
    if (first != NULL && woken == 0) {
      woken = begun;
      pthread_cond_signal(&changed);
    }
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}

static double late (int n) {
  double list[WAKES];
  pthread_t t[THREADS];
  int i;
  if (n > THREADS) n = THREADS;
  for (i = 0; i < n; i++)
    if (pthread_create(&t[i], NULL, busy, i == 0 ? &woken : NULL) != 0) exit(1);
  pthread_mutex_lock(&lock);
  for (i = 0; i < WAKES; i++) {
    while (woken == 0) pthread_cond_wait(&changed, &lock);
    list[i] = now() - woken;
    woken = 0;
  }
  ends = 1;
  pthread_mutex_unlock(&lock);
  for (i = 0; i < n; i++) pthread_join(t[i], NULL);
  qsort(list, WAKES, sizeof(double), by_size);
  return list[WAKES * 99 / 100];
}

/* ---- bytes ---- */

static double copy (size_t n) {
  double list[ROUNDS];
  char *from = (char *)malloc(n), *to = (char *)malloc(n);
  volatile char seen = 0;
  int k;
  if (from == NULL || to == NULL) exit(1);
  memset(from, 'x', n);
  memset(to, 'y', n);
  for (k = 0; k < ROUNDS; k++) {
    double begun = now();
    memcpy(to, from, n);
    seen = to[n - 1];
    list[k] = now() - begun;
    from[k % n] = seen;
  }
  free(from);
  free(to);
  return median(list, ROUNDS);
}

int main (int argc, char **argv) {
  int n = argc == 3 ? atoi(argv[2]) : 0;
  if (n < 1) fprintf(stderr, "usage: bare spawn|states|compute|handoff|late|memcpy N\n");
  else if (strcmp(argv[1], "spawn") == 0) printf("%.9f\n", spawn(n, nothing));
  else if (strcmp(argv[1], "states") == 0) printf("%.9f\n", spawn(n, state));
  else if (strcmp(argv[1], "compute") == 0) printf("%.9f\n", n == 1 ? alone() : at_once(n));
  else if (strcmp(argv[1], "handoff") == 0) printf("%.9f\n", handoff(n));
  else if (strcmp(argv[1], "late") == 0) printf("%.9f\n", late(n));
  else if (strcmp(argv[1], "memcpy") == 0) printf("%.9f\n", copy((size_t)n));
  else n = 0;
  return n < 1;
}
