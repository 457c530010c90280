/* lacus.h: how what runs ends: endless tasks, and C that does not come back. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "api.h"

#include <dirent.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/thread.h"

/* ThreadSanitizer holds signals back: under it no running code is stopped. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NO_SIGNALS 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define NO_SIGNALS 1
#endif

/* Threads of this process. */
static int threads (void) {
  DIR *d = opendir("/proc/self/task");
  struct dirent *e;
  int n = 0;
  if (d == NULL) return 1;
  while ((e = readdir(d)) != NULL) n += e->d_name[0] != '.';
  closedir(d);
  return n;
}

/* Those that have ended may still be seen for a moment. */
static int threads_become (int wanted) {
  uint64_t until = lc_now() + 30000000000u;
  while (threads() > wanted && lc_now() < until) lc_thread_yield();
  return threads() == wanted;
}

/* Linger and grace, in seconds, and what a busy machine takes. */
#define CHECK_IN_TIME(since, s) \
  CHECK(lc_now() - (since) < (uint64_t)(((s) + 20) * 1e9))

static lacus_pool_options blank (void) {
  lacus_pool_options o = lacus_pool_defaults();
  o.workers = 2;
  return o;
}

#if !defined(NO_SIGNALS)

static const char endless[] =
  "while true do pcall(function() while true do end end) end";

static lacus_future *submit_endless (lacus_pool *p, lua_State *L) {
  lacus_future *f = NULL;
  CHECK_INT(luaL_loadstring(L, endless), LUA_OK);
  CHECK_INT(lacus_submit(p, L, 0, NULL, NULL, &f), LACUS_OK);
  return f;
}

static void test_endless_work_ends_with_the_pool (void) {
  lua_State *L = host_new();
  lacus_pool_options o = blank();
  lacus_future *f[3];
  lacus_pool *p;
  uint64_t since;
  int i, before = threads();
  o.linger = 0.1;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  for (i = 0; i < 3; i++) f[i] = submit_endless(p, L);
  since = lc_now();
  CHECK_INT(lacus_pool_close(p), 3);
  CHECK_IN_TIME(since, 0.1 + 2);
  for (i = 0; i < 3; i++) {
    CHECK(lacus_future_state(f[i]) >= LACUS_FAILED);
    lacus_future_free(f[i]);
  }
  lua_close(L);
  CHECK(threads_become(before));
}

static void test_lua_close_with_endless_work_returns (void) {
  lua_State *L = luaL_newstate();
  uint64_t since;
  int before = threads();
  luaL_openlibs(L);
  lacus_open(L, NULL, NULL);
  lua_setglobal(L, "lacus");
  host_run(L, "pool = lacus.pool(2) local f = load 'while true do end' "
              "for i = 1, 4 do pool:submit(f) end "
              "results = pool:map(lacus.range(1, 10), f)");
  since = lc_now();
  lua_close(L);
  CHECK_IN_TIME(since, 2);
  CHECK(threads_become(before));
}

/* A finalizer says that the task has ended, with the state of its worker. */
static void test_a_script_may_ask_lua_close_to_wait (void) {
  lua_State *L = luaL_newstate();
  char name[] = "/tmp/lacus-linger-XXXXXX", word[8] = "";
  int fd = mkstemp(name);
  FILE *f;
  REQUIRE(fd >= 0);
  luaL_openlibs(L);
  lacus_open(L, NULL, NULL);
  lua_setglobal(L, "lacus");
  lua_pushstring(L, name);
  lua_setglobal(L, "name");
  host_run(L, "pool = lacus.pool { workers = 1, linger = 1000 } pool:submit(function(name) "
              "require 'lacus'.sleep(0.1) local f <close> = io.open(name, 'w') "
              "f:write 'done' end, name)");
  lua_close(L);
  f = fdopen(fd, "r");
  REQUIRE(f != NULL);
  CHECK(fgets(word, sizeof word, f) != NULL);
  CHECK_STR(word, "done");
  fclose(f);
  remove(name);
}

static void test_a_running_task_can_be_cancelled (void) {
  lua_State *L = host_new();
  lacus_pool_options o = blank();
  lacus_future *f;
  lacus_pool *p;
  o.workers = 1;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  f = submit_endless(p, L);
  while (lacus_future_state(f) == LACUS_QUEUED) lc_thread_yield();
  CHECK_INT(lacus_future_cancel(f), 1);
  CHECK_INT(lacus_future_state(f), LACUS_CANCELLED);
  lacus_future_free(f);
  lua_getglobal(L, "tostring");            /* the worker is free again */
  lua_pushinteger(L, 1);
  lacus_submit(p, L, 1, NULL, NULL, &f);
  CHECK_INT(lacus_future_wait(f, 30), 1);
  CHECK_INT(lacus_future_state(f), LACUS_DONE);
  lacus_future_free(f);
  CHECK_INT(lacus_pool_close(p), 0);
  lua_close(L);
}

static void *step_until_closed (void *ud) {
  while (lacus_step_wait((lacus_pool *)ud, 1, -1) >= 0) {}
  return NULL;
}

static void test_endless_work_in_a_slot_is_stopped (void) {
  lua_State *L = host_new();
  lacus_pool_options o = blank();
  lacus_future *f[2];
  lacus_pool *p;
  pthread_t t;
  int i;
  o.workers = 0;
  o.slots = 1;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  for (i = 0; i < 2; i++) f[i] = submit_endless(p, L);
  pthread_create(&t, NULL, step_until_closed, p);
  while (lacus_future_state(f[0]) == LACUS_QUEUED) lc_thread_yield();
  lacus_future_cancel(f[0]);
  while (lacus_future_state(f[1]) == LACUS_QUEUED) lc_thread_yield();
  lacus_pool_stop(p);
  pthread_join(t, NULL);
  lacus_pool_close(p);
  for (i = 0; i < 2; i++) {
    CHECK(lacus_future_state(f[i]) >= LACUS_FAILED);
    lacus_future_free(f[i]);
  }
  lua_close(L);
}

/* The handlers of a task that waits run when the states close: on this thread. */
static void test_a_slot_that_closes_is_not_held_up (void) {
  lua_State *L = host_new();
  lacus_pool_options o = blank();
  lacus_pool *p;
  uint64_t since;
  o.workers = 0;
  o.slots = 1;
  o.grace = 0.1;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  CHECK_INT(luaL_loadstring(L,
    "local x <close> = setmetatable({}, { __close = function() "
    "while true do end end }) require 'lacus'.sleep(1000)"), LUA_OK);
  lacus_submit(p, L, 0, NULL, NULL, NULL);
  CHECK_INT(lacus_step(p, 1), 1);
  since = lc_now();
  lacus_pool_close(p);
  CHECK_IN_TIME(since, 0.1);
  lua_close(L);
}

#endif

/* --- C that does not come back ------------------------------------------------ */

typedef struct Gate {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int open, inside;
} Gate;

static int l_gate (lua_State *L, void *data) {
  Gate *g = (Gate *)data;
  pthread_mutex_lock(&g->lock);
  g->inside = 1;
  pthread_cond_broadcast(&g->changed);
  while (!g->open) pthread_cond_wait(&g->changed, &g->lock);
  pthread_mutex_unlock(&g->lock);
  lua_getglobal(L, "print");               /* its host is gone: said to nobody */
  lua_pushliteral(L, "back");
  lua_call(L, 1, 0);
  return 0;
}

typedef struct Told {
  int lines, warned, closed, stopped;      /* atomic */
} Told;

static void on_close (lua_State *L, void *ud) {
  (void)L;
  __atomic_add_fetch(&((Told *)ud)->closed, 1, __ATOMIC_SEQ_CST);
}

static void on_stop (void *ud, int worker, const char *name) {
  (void)worker; (void)name;
  __atomic_add_fetch(&((Told *)ud)->stopped, 1, __ATOMIC_SEQ_CST);
}

static void on_log (void *ud, int kind, const char *worker, const char *line,
                    size_t len) {
  Told *told = (Told *)ud;
  int ours = kind == LACUS_LOG_WARN && strcmp(worker, "lacus") == 0
             && strlen(line) == len;
  __atomic_add_fetch(ours ? &told->warned : &told->lines, 1, __ATOMIC_SEQ_CST);
}

/* Until a worker is inside. */
static void gate_await (Gate *g) {
  pthread_mutex_lock(&g->lock);
  while (!g->inside) pthread_cond_wait(&g->changed, &g->lock);
  pthread_mutex_unlock(&g->lock);
}

static void gate_free (Gate *g, int before) {
  pthread_mutex_lock(&g->lock);
  g->open = 1;
  pthread_cond_broadcast(&g->changed);
  pthread_mutex_unlock(&g->lock);
  CHECK(threads_become(before));
}

static void test_a_worker_stuck_in_c_is_abandoned (void) {
  static Gate g = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };
  Counter counter = { 0, 0, 0 };
  Told told = { 0, 0, 0, 0 };
  lacus_pool_options o = blank();
  lacus_future *f;
  lacus_pool *p;
  uint64_t until;
  int before = threads();
  o.grace = 0.05;
  o.alloc = counter_alloc;
  o.alloc_ud = &counter;
  o.on_close = on_close;
  o.on_stop = on_stop;
  o.on_log = on_log;
  o.ud = &told;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  lacus_submit_work(p, l_gate, &g, NULL, NULL, &f);
  gate_await(&g);
  lacus_pool_close(p);
  CHECK_INT(told.warned, 1);
  CHECK(lacus_future_state(f) >= LACUS_FAILED);
  lacus_future_free(f);
  CHECK_INT(__atomic_load_n(&told.closed, __ATOMIC_SEQ_CST), 1);
  CHECK_INT(__atomic_load_n(&told.stopped, __ATOMIC_SEQ_CST), 1);
  gate_free(&g, before);
  CHECK_INT(__atomic_load_n(&told.closed, __ATOMIC_SEQ_CST), 1);
  CHECK_INT(__atomic_load_n(&told.stopped, __ATOMIC_SEQ_CST), 1);
  CHECK_INT(__atomic_load_n(&told.lines, __ATOMIC_SEQ_CST), 0);
  until = lc_now() + 30000000000u;
  while (counter_bytes(&counter) > 0 && lc_now() < until) lc_thread_yield();
  CHECK_INT(counter_bytes(&counter), 0);
}

static void on_open_once (lua_State *L, void *ud) {
  if (__atomic_fetch_add(&((Told *)ud)->closed, 1, __ATOMIC_SEQ_CST) > 0)
    luaL_error(L, "not again");
}

/* The pool was left without a worker, and took tasks that nobody would run. */
static void test_a_pool_stops_when_a_lost_worker_has_no_heir (void) {
  static Gate g = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };
  Told told = { 0, 0, 0, 0 };
  lacus_pool_options o = blank();
  lacus_future *f, *next;
  lacus_pool *p;
  int before = threads();
  o.workers = 1;
  o.grace = 0.05;
  o.on_open = on_open_once;
  o.on_log = on_log;
  o.ud = &told;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  lacus_submit_work(p, l_gate, &g, NULL, NULL, &f);
  lacus_submit_work(p, l_gate, &g, NULL, NULL, &next);
  gate_await(&g);
  CHECK_INT(lacus_future_cancel(f), 1);
  CHECK_INT(lacus_future_wait(next, 30), 1);
  CHECK_INT(lacus_future_state(next), LACUS_CANCELLED);
  CHECK_INT(lacus_submit_work(p, l_gate, &g, NULL, NULL, NULL), LACUS_CLOSED);
  lacus_future_free(f);
  lacus_future_free(next);
  lacus_pool_close(p);
  gate_free(&g, before);
}

/* A pool that goes on says so when it is polled. */
static void test_an_abandoned_worker_is_told_of_by_poll (void) {
  static Gate g = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };
  Told told = { 0, 0, 0, 0 };
  lacus_pool_options o = blank();
  lacus_future *f;
  lacus_pool *p;
  uint64_t until = lc_now() + 30000000000u;
  int before = threads();
  o.grace = 0.05;
  o.on_log = on_log;
  o.ud = &told;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  lacus_submit_work(p, l_gate, &g, NULL, NULL, &f);
  gate_await(&g);
  lacus_future_cancel(f);
  while (told.warned == 0 && lc_now() < until) {
    CHECK_INT(lacus_poll(p, 0, 0), 0);
    lc_thread_yield();
  }
  CHECK_INT(told.warned, 1);
  lacus_future_free(f);
  lacus_pool_close(p);
  CHECK_INT(told.warned, 1);
  gate_free(&g, before);
}

/* Tools have a thread of their own from the first one on. */
static void *nothing (void *ud) { return ud; }

int main (void) {
  pthread_t first;
  pthread_create(&first, NULL, nothing, NULL);
  pthread_join(first, NULL);
#if !defined(NO_SIGNALS)
  RUN(test_endless_work_ends_with_the_pool);
  RUN(test_lua_close_with_endless_work_returns);
  RUN(test_a_script_may_ask_lua_close_to_wait);
  RUN(test_a_running_task_can_be_cancelled);
  RUN(test_endless_work_in_a_slot_is_stopped);
  RUN(test_a_slot_that_closes_is_not_held_up);
#endif
  RUN(test_a_worker_stuck_in_c_is_abandoned);
  RUN(test_a_pool_stops_when_a_lost_worker_has_no_heir);
  RUN(test_an_abandoned_worker_is_told_of_by_poll);
  return check_end();
}
