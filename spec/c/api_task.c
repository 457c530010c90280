/* lacus.h: tasks from C: submit, futures, poll, the descriptor, steps. */
#include "api.h"

#include <poll.h>
#include <pthread.h>

#include "base/clock.h"

/* --- work of the tests ------------------------------------------------------------ */

static int l_square (lua_State *L, void *data) {
  int *n = (int *)data;
  lua_pushinteger(L, (lua_Integer)*n * *n);
  lua_pushliteral(L, "squared");
  return 2;
}

static int l_fail (lua_State *L, void *data) {
  return luaL_error(L, "no %s", (const char *)data);
}

/* Waits until the test opens it. */
typedef struct Gate {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int open, inside;
} Gate;

static void gate_init (Gate *g) {
  memset(g, 0, sizeof *g);
  pthread_mutex_init(&g->lock, NULL);
  pthread_cond_init(&g->changed, NULL);
}

static int l_gate (lua_State *L, void *data) {
  Gate *g = (Gate *)data;
  (void)L;
  pthread_mutex_lock(&g->lock);
  g->inside++;
  pthread_cond_broadcast(&g->changed);
  while (!g->open) pthread_cond_wait(&g->changed, &g->lock);
  pthread_mutex_unlock(&g->lock);
  return 0;
}

/* Until so many tasks stand before it. */
static void gate_await (Gate *g, int inside) {
  pthread_mutex_lock(&g->lock);
  while (g->inside < inside) pthread_cond_wait(&g->changed, &g->lock);
  pthread_mutex_unlock(&g->lock);
}

static void gate_open (Gate *g) {
  pthread_mutex_lock(&g->lock);
  g->open = 1;
  pthread_cond_broadcast(&g->changed);
  pthread_mutex_unlock(&g->lock);
}

/* A `done` that counts. */
typedef struct Seen {
  pthread_t thread;
  int n, elsewhere, state;
} Seen;

static void seen (lacus_future *f, void *ud) {
  Seen *s = (Seen *)ud;
  s->n++;
  s->state = lacus_future_state(f);
  s->elsewhere += !pthread_equal(s->thread, pthread_self());
}

static void seen_init (Seen *s) {
  memset(s, 0, sizeof *s);
  s->thread = pthread_self();
}

/* Polls until `n` were seen; the descriptor is what it waits for. */
static void poll_until (lacus_pool *p, Seen *s, int n) {
  struct pollfd pfd;
  pfd.fd = lacus_pool_fd(p);
  pfd.events = POLLIN;
  while (s->n < n && poll(&pfd, 1, 30000) == 1) lacus_poll(p, 0, 0);
  CHECK_INT(s->n, n);
}

static lacus_pool *pool_with_slots (int n) {
  lacus_pool_options o;
  memset(&o, 0, sizeof o);
  o.size = sizeof o;
  o.slots = n;
  return lacus_pool_new(&o, NULL);
}

/* --- tasks in Lua ------------------------------------------------------------------ */

static void test_a_lua_task_gives_its_values (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(2);
  lacus_future *f;
  REQUIRE(p != NULL);
  host_eval(L, "function(a, b) return a + b, { a, b } end");
  lua_pushinteger(L, 3);
  lua_pushinteger(L, 4);
  CHECK_INT(lacus_submit(p, L, 2, NULL, NULL, &f), LACUS_OK);
  CHECK_INT(lua_gettop(L), 0);
  CHECK_INT(lacus_future_wait(f, -1), 1);
  CHECK_INT(lacus_future_state(f), LACUS_DONE);
  CHECK_INT(lacus_future_get(L, f), 2);
  CHECK_INT(lua_tointeger(L, 1), 7);
  CHECK(lua_istable(L, 2));
  CHECK_INT(lacus_future_get(L, f), 2);      /* as often as wanted */
  lacus_future_free(f);
  lacus_pool_close(p);
  lua_close(L);
}

static void test_a_name_is_looked_up_in_the_worker (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(1);
  lacus_future *f;
  REQUIRE(p != NULL);
  lua_pushliteral(L, "string.rep");
  lua_pushliteral(L, "ab");
  lua_pushinteger(L, 2);
  CHECK_INT(lacus_submit(p, L, 2, NULL, NULL, &f), LACUS_OK);
  lacus_future_wait(f, -1);
  CHECK_INT(lacus_future_get(L, f), 1);
  CHECK_STR(lua_tostring(L, -1), "abab");
  lacus_future_free(f);
  lacus_pool_close(p);
  lua_close(L);
}

static void test_a_failure_is_an_error_object (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(1);
  lacus_future *f;
  REQUIRE(p != NULL);
  host_eval(L, "function() error 'no water' end");
  lacus_submit(p, L, 0, NULL, NULL, &f);
  lacus_future_wait(f, -1);
  CHECK_INT(lacus_future_state(f), LACUS_FAILED);
  CHECK_INT(lacus_future_get(L, f), LACUS_ERROR);
  lua_getfield(L, -1, "kind");
  CHECK_STR(lua_tostring(L, -1), "error");
  CHECK(strstr(luaL_tolstring(L, -2, NULL), "no water") != NULL);
  lacus_future_free(f);
  lacus_pool_close(p);
  lua_close(L);
}

static void test_what_cannot_be_sent_is_refused_by_name (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(1);
  REQUIRE(p != NULL);
  lua_getglobal(L, "print");
  host_eval(L, "{ log = { file = io.tmpfile() } }");
  CHECK_INT(lacus_submit(p, L, 1, NULL, NULL, NULL), LACUS_ERROR);
  CHECK_INT(lua_gettop(L), 1);
  CHECK(strstr(lua_tostring(L, -1), "args[1].log.file: a FILE*") != NULL);
  lua_settop(L, 0);
  lua_pushinteger(L, 5);
  CHECK_INT(lacus_try_submit(p, L, 0, NULL, NULL, NULL), LACUS_ERROR);
  CHECK(strstr(lua_tostring(L, -1), "function or") != NULL);
  lacus_pool_close(p);
  lua_close(L);
}

static void test_a_state_without_require_cannot_submit (void) {
  lua_State *L = luaL_newstate();
  lacus_pool *p = pool_of(1);
  REQUIRE(p != NULL);
  CHECK_INT(luaL_loadstring(L, "return 1"), LUA_OK);
  CHECK_INT(lacus_submit(p, L, 0, NULL, NULL, NULL), LACUS_ERROR);
  CHECK(strstr(lua_tostring(L, -1), "needs the library 'package'") != NULL);
  CHECK_INT(lua_gettop(L), 1);
  lacus_pool_close(p);
  lua_close(L);
}

/* As full as Lua lets a stack be. */
static void test_a_stack_that_cannot_grow_is_no_memory (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(1);
  int top;
  REQUIRE(p != NULL);
  lua_getglobal(L, "print");
  while (lua_checkstack(L, 1)) lua_pushvalue(L, 1);
  top = lua_gettop(L);
  CHECK(top > 900000);
  CHECK_INT(lacus_submit(p, L, 1, NULL, NULL, NULL), LACUS_NOMEM);
  CHECK_INT(lua_gettop(L), top - 1);
  CHECK(lua_isnil(L, -1));
  CHECK_INT(lacus_submit_work(p, l_square, &top, NULL, NULL, NULL), LACUS_OK);
  lacus_pool_close(p);
  lua_settop(L, 0);             /* Lua 5.4.4 could call no __gc otherwise */
  lua_close(L);
}

static int l_stop (lua_State *L) {
  lacus_pool_stop((lacus_pool *)lua_touserdata(L, lua_upvalueindex(1)));
  lua_getglobal(L, "rawlen");
  return 1;
}

static void test_a_pool_that_stops_while_values_are_copied_is_closed (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_with_slots(1);
  REQUIRE(p != NULL);
  lua_pushlightuserdata(L, p);
  lua_pushcclosure(L, l_stop, 1);
  lua_setglobal(L, "stop");
  lua_getglobal(L, "print");
  host_eval(L, "setmetatable({}, { __transfer = stop })");
  CHECK_INT(lacus_submit(p, L, 1, NULL, NULL, NULL), LACUS_CLOSED);
  CHECK_INT(lua_gettop(L), 1);
  CHECK_STR(lua_tostring(L, 1), "the pool is closed");
  lacus_pool_close(p);
  lua_close(L);
}

static int l_yield (lua_State *L, void *data) {
  (void)data;
  return lua_yield(L, 0);
}

/* It would wait for nothing. */
static void test_c_work_that_yields_fails (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(1);
  lacus_future *f;
  int i, n = 5;
  REQUIRE(p != NULL);
  for (i = 0; i < 2; i++) {
    lacus_submit_work(p, l_yield, NULL, NULL, NULL, &f);
    lacus_future_wait(f, -1);
    CHECK_INT(lacus_future_get(L, f), LACUS_ERROR);
    CHECK(strstr(luaL_tolstring(L, -1, NULL), "attempt to yield") != NULL);
    lacus_future_free(f);
  }
  lacus_submit_work(p, l_square, &n, NULL, NULL, &f);
  lacus_future_wait(f, -1);
  CHECK_INT(lacus_future_get(L, f), 2);
  lacus_future_free(f);
  lacus_pool_close(p);
  lua_close(L);
}

static void test_a_future_of_the_host_is_one_of_scripts (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(1);
  lacus_future *f;
  int n = 5;
  REQUIRE(p != NULL);
  lacus_submit_work(p, l_square, &n, NULL, NULL, &f);
  lacus_future_push(L, f);
  lua_setglobal(L, "future");
  host_run(L, "assert(future:get() == 25)");
  lacus_future_free(f);
  host_run(L, "assert(future:state() == 'done')");
  lacus_pool_close(p);
  lua_close(L);
}

/* --- work in C ----------------------------------------------------------------------- */

static void test_c_work_needs_no_state_of_the_host (void) {
  lacus_pool *p = pool_of(2);
  lacus_future *f[100];
  int n[100], i;
  lua_State *L;
  REQUIRE(p != NULL);
  for (i = 0; i < 100; i++) {
    n[i] = i;
    CHECK_INT(lacus_submit_work(p, l_square, &n[i], NULL, NULL, &f[i]),
              LACUS_OK);
  }
  L = host_new();
  for (i = 0; i < 100; i++) {
    lacus_future_wait(f[i], -1);
    CHECK_INT(lacus_future_get(L, f[i]), 2);
    CHECK_INT(lua_tointeger(L, -2), i * i);
    lua_settop(L, 0);
    lacus_future_free(f[i]);
  }
  lua_close(L);
  lacus_pool_close(p);
}

static void test_c_work_may_raise (void) {
  static char what[] = "bread";
  lua_State *L = host_new();
  lacus_pool *p = pool_of(1);
  lacus_future *f;
  REQUIRE(p != NULL);
  lacus_submit_work(p, l_fail, what, NULL, NULL, &f);
  lacus_future_wait(f, -1);
  CHECK_INT(lacus_future_get(L, f), LACUS_ERROR);
  CHECK(strstr(luaL_tolstring(L, -1, NULL), "no bread") != NULL);
  lacus_future_free(f);
  lacus_pool_close(p);
  lua_close(L);
}

static void test_a_future_that_waits_can_be_cancelled (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(1);
  lacus_future *f, *last;
  Gate g;
  int n = 1;
  REQUIRE(p != NULL);
  gate_init(&g);
  lacus_submit_work(p, l_gate, &g, NULL, NULL, &f);
  gate_await(&g, 1);
  lacus_submit_work(p, l_square, &n, NULL, NULL, &last);
  CHECK_INT(lacus_future_get(L, last), LACUS_PENDING);
  CHECK_INT(lacus_future_wait(last, 0), 0);
  CHECK_INT(lacus_future_cancel(last), 1);
  CHECK_INT(lacus_future_state(last), LACUS_CANCELLED);
  CHECK_INT(lacus_future_get(L, last), LACUS_ERROR);
  CHECK_INT(lacus_future_state(f), LACUS_RUNNING);
  gate_open(&g);
  CHECK_INT(lacus_future_wait(f, -1), 1);
  CHECK_INT(lacus_future_cancel(f), 0);
  lacus_future_free(f);
  lacus_future_free(last);
  lacus_pool_close(p);
  lua_close(L);
}

static void test_a_future_may_outlive_its_pool (void) {
  lua_State *L = host_new();
  lacus_pool *p = pool_of(1);
  lacus_future *f;
  int n = 6;
  REQUIRE(p != NULL);
  lacus_submit_work(p, l_square, &n, NULL, NULL, &f);
  lacus_future_wait(f, -1);
  lacus_pool_close(p);
  CHECK_INT(lacus_future_get(L, f), 2);
  CHECK_INT(lua_tointeger(L, 1), 36);
  lacus_future_free(f);
  lua_close(L);
}

/* --- poll ------------------------------------------------------------------------------ */

static void test_done_is_called_from_poll_alone (void) {
  lacus_pool *p = pool_of(2);
  Seen s;
  int n = 2, i;
  REQUIRE(p != NULL);
  seen_init(&s);
  for (i = 0; i < 200; i++) lacus_submit_work(p, l_square, &n, seen, &s, NULL);
  poll_until(p, &s, 200);
  CHECK_INT(s.elsewhere, 0);
  CHECK_INT(s.state, LACUS_DONE);
  CHECK_INT(lacus_poll(p, 0, 0), 0);
  lacus_pool_close(p);
}

static void test_close_calls_what_was_not_polled (void) {
  lacus_pool *p = pool_of(1);
  Seen ran, dropped;
  Gate g;
  int n = 2, i;
  REQUIRE(p != NULL);
  seen_init(&ran);
  seen_init(&dropped);
  gate_init(&g);
  lacus_submit_work(p, l_gate, &g, seen, &ran, NULL);
  gate_await(&g, 1);
  for (i = 0; i < 10; i++)
    lacus_submit_work(p, l_square, &n, seen, &dropped, NULL);
  CHECK_INT(lacus_pool_stop(p), 10);
  CHECK_INT(lacus_submit_work(p, l_square, &n, seen, &dropped, NULL),
            LACUS_CLOSED);
  gate_open(&g);
  CHECK_INT(lacus_pool_close(p), 0);
  CHECK_INT(ran.n, 1);
  CHECK_INT(ran.state, LACUS_DONE);
  CHECK_INT(dropped.n, 10);
  CHECK_INT(dropped.state, LACUS_CANCELLED);
}

static void test_linger_waits_for_what_was_submitted (void) {
  lacus_pool_options o;
  lacus_pool *p;
  Seen s;
  int n = 2, i;
  memset(&o, 0, sizeof o);
  o.size = sizeof o;
  o.workers = 1;
  o.linger = 60;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  seen_init(&s);
  for (i = 0; i < 500; i++) lacus_submit_work(p, l_square, &n, seen, &s, NULL);
  CHECK_INT(lacus_pool_close(p), 0);
  CHECK_INT(s.n, 500);
  CHECK_INT(s.state, LACUS_DONE);
}

static void slow_done (lacus_future *f, void *ud) {
  uint64_t until = lc_now() + 2000000;
  while (lc_now() < until) {}
  seen(f, ud);
}

static void test_poll_keeps_to_its_budgets (void) {
  lacus_pool *p = pool_of(1);
  lacus_future *last;
  Seen s;
  int n = 2, i;
  REQUIRE(p != NULL);
  seen_init(&s);
  for (i = 0; i < 10; i++)
    lacus_submit_work(p, l_square, &n, slow_done, &s, NULL);
  for (i = 0; i < 9; i++) lacus_submit_work(p, l_square, &n, seen, &s, NULL);
  lacus_submit_work(p, l_square, &n, seen, &s, &last);
  lacus_future_wait(last, -1);
  CHECK_INT(lacus_poll(p, 3, 0), 3);
  CHECK_INT(lacus_poll(p, 0, 1), 1);         /* one is always called */
  CHECK_INT(lacus_poll(p, 0, 0), 16);
  lacus_future_free(last);
  lacus_pool_close(p);
}

static lacus_pool *to_close;

static void close_inside (lacus_future *f, void *ud) {
  (void)f;
  *(long *)ud = lacus_pool_close(to_close);
}

static void test_close_inside_of_done_is_refused (void) {
  lacus_pool *p = to_close = pool_of(1);
  lacus_future *f;
  long closed = 0;
  int n = 1;
  REQUIRE(p != NULL);
  lacus_submit_work(p, l_square, &n, close_inside, &closed, &f);
  lacus_future_wait(f, -1);
  CHECK_INT(lacus_poll(p, 0, 0), 1);
  CHECK_INT(closed, LACUS_BUSY);
  lacus_future_free(f);
  CHECK_INT(lacus_pool_close(p), 0);
}

static int readable (int fd, int ms) {
  struct pollfd pfd;
  pfd.fd = fd;
  pfd.events = POLLIN;
  return poll(&pfd, 1, ms) == 1;
}

static void test_the_descriptor_is_readable_while_results_wait (void) {
  lacus_pool *p = pool_of(1);
  lacus_future *f;
  Seen s;
  int fd, n = 3;
  REQUIRE(p != NULL);
  seen_init(&s);
  fd = lacus_pool_fd(p);
  CHECK(fd >= 0);
  CHECK_INT(lacus_pool_fd(p), fd);
  CHECK(!readable(fd, 0));
  lacus_submit_work(p, l_square, &n, seen, &s, NULL);
  lacus_submit_work(p, l_square, &n, seen, &s, &f);
  CHECK(readable(fd, 30000));
  lacus_future_wait(f, -1);
  CHECK_INT(lacus_poll(p, 1, 0), 1);
  CHECK(readable(fd, 0));                    /* one is left */
  CHECK_INT(lacus_poll(p, 1, 0), 1);
  CHECK(!readable(fd, 0));
  lacus_submit_work(p, l_square, &n, NULL, NULL, NULL);   /* no `done` */
  lacus_future_free(f);
  lacus_submit_work(p, l_square, &n, NULL, NULL, &f);
  lacus_future_wait(f, -1);
  CHECK(!readable(fd, 0));
  lacus_future_free(f);
  lacus_pool_close(p);
}

static void test_a_descriptor_made_late_knows_what_waits (void) {
  lacus_pool *p = pool_of(1);
  lacus_future *f;
  Seen s;
  int n = 3;
  REQUIRE(p != NULL);
  seen_init(&s);
  lacus_submit_work(p, l_square, &n, seen, &s, &f);
  lacus_future_wait(f, -1);
  CHECK(readable(lacus_pool_fd(p), 0));
  lacus_future_free(f);
  lacus_pool_close(p);
  CHECK_INT(s.n, 1);
}

/* --- backlog ------------------------------------------------------------------------------ */

typedef struct Submitter {
  lacus_pool *p;
  int n, status;
} Submitter;

static void *submit_and_wait (void *ud) {
  Submitter *s = (Submitter *)ud;
  s->status = lacus_submit_work(s->p, l_square, &s->n, NULL, NULL, NULL);
  return NULL;
}

static lacus_pool *pool_with_backlog (int n) {
  lacus_pool_options o;
  memset(&o, 0, sizeof o);
  o.size = sizeof o;
  o.workers = 1;
  o.backlog = (size_t)n;
  return lacus_pool_new(&o, NULL);
}

static void test_try_submit_says_full_and_submit_waits (void) {
  lacus_pool *p = pool_with_backlog(2);
  lua_State *L = host_new();
  Submitter s = { NULL, 7, -99 };
  pthread_t t;
  Gate g;
  int n = 1;
  REQUIRE(p != NULL);
  s.p = p;
  gate_init(&g);
  CHECK_INT(lacus_try_submit_work(p, l_gate, &g, NULL, NULL, NULL), LACUS_OK);
  CHECK_INT(lacus_try_submit_work(p, l_square, &n, NULL, NULL, NULL), LACUS_OK);
  CHECK_INT(lacus_try_submit_work(p, l_square, &n, NULL, NULL, NULL),
            LACUS_FULL);
  lua_getglobal(L, "print");
  lua_pushnil(L);
  CHECK_INT(lacus_try_submit(p, L, 1, NULL, NULL, NULL), LACUS_FULL);
  CHECK_INT(lua_gettop(L), 1);
  CHECK_STR(lua_tostring(L, -1), "the pool is full");
  pthread_create(&t, NULL, submit_and_wait, &s);
  gate_open(&g);
  pthread_join(t, NULL);
  CHECK_INT(s.status, LACUS_OK);
  lacus_pool_close(p);
  lua_close(L);
}

static int l_count (lua_State *L, void *data) {
  (void)L;
  ++*(int *)data;                       /* one at a time, on one worker */
  return 0;
}

static void test_any_number_of_tasks_goes_through_a_short_backlog (void) {
  lacus_pool *p = pool_with_backlog(1);
  lacus_future *f = NULL;
  int i, ran = 0;
  REQUIRE(p != NULL);
  for (i = 0; i < 2000; i++) {
    lacus_future_free(f);
    CHECK_INT(lacus_submit_work(p, l_count, &ran, NULL, NULL, &f), LACUS_OK);
  }
  CHECK_INT(lacus_future_wait(f, -1), 1);
  CHECK_INT(ran, 2000);
  lacus_future_free(f);
  lacus_pool_close(p);
}

static void test_who_waits_for_room_learns_that_the_pool_stops (void) {
  lacus_pool *p = pool_with_backlog(1);
  Submitter s[3];
  pthread_t t[3];
  Gate g;
  int i;
  REQUIRE(p != NULL);
  gate_init(&g);
  lacus_submit_work(p, l_gate, &g, NULL, NULL, NULL);
  gate_await(&g, 1);
  for (i = 0; i < 3; i++) {
    s[i].p = p;
    s[i].n = 0;
    pthread_create(&t[i], NULL, submit_and_wait, &s[i]);
  }
  lacus_pool_stop(p);
  for (i = 0; i < 3; i++) {
    pthread_join(t[i], NULL);
    CHECK_INT(s[i].status, LACUS_CLOSED);
  }
  gate_open(&g);
  lacus_pool_close(p);
}

/* --- steps ---------------------------------------------------------------------------------- */

static void test_a_step_runs_one_task_on_this_thread (void) {
  lacus_pool *p = pool_with_slots(1);
  lua_State *L = host_new();
  lacus_future *f, *g;
  int n = 8;
  REQUIRE(p != NULL);
  CHECK_INT(lacus_pool_workers(p), 1);
  CHECK_INT(lacus_step(p, 1), 0);
  lacus_submit_work(p, l_square, &n, NULL, NULL, &f);
  lacus_submit_work(p, l_square, &n, NULL, NULL, &g);
  CHECK_INT(lacus_future_state(f), LACUS_QUEUED);
  CHECK_INT(lacus_step(p, 1), 1);
  CHECK_INT(lacus_future_state(f), LACUS_DONE);
  CHECK_INT(lacus_future_state(g), LACUS_QUEUED);
  CHECK_INT(lacus_step_wait(p, 1, -1), 1);
  CHECK_INT(lacus_future_get(L, g), 2);
  CHECK_INT(lacus_step_wait(p, 1, 0.001), 0);
  CHECK_INT(lacus_step(p, 0), LACUS_MISUSE);
  CHECK_INT(lacus_step(p, 2), LACUS_MISUSE);
  lacus_future_free(f);
  lacus_future_free(g);
  lacus_pool_stop(p);
  CHECK_INT(lacus_step(p, 1), LACUS_CLOSED);
  lacus_pool_close(p);
  lua_close(L);
}

static int l_litter (lua_State *L, void *data) {
  lua_gc(L, LUA_GCGEN, 0, 0);
  lua_newuserdatauv(L, *(size_t *)data, 0);
  return 0;
}

/* Whose steps never say that a cycle is complete. (It went on until there was a task, as a
** worker with a thread did.) */
static void test_a_step_tidies_a_generational_state_and_ends (void) {
  lacus_pool *p = pool_with_slots(1);
  size_t size = 1000000;
  REQUIRE(p != NULL);
  lacus_submit_work(p, l_litter, &size, NULL, NULL, NULL);
  CHECK_INT(lacus_step(p, 1), 1);
  CHECK_INT(lacus_step_wait(p, 1, 0.001), 0);
  lacus_pool_close(p);
}

static void test_a_pool_with_threads_has_no_steps (void) {
  lacus_pool *p = pool_of(1);
  REQUIRE(p != NULL);
  CHECK_INT(lacus_step(p, 1), LACUS_MISUSE);
  lacus_pool_close(p);
}

static int l_step_inside (lua_State *L, void *data) {
  lua_pushinteger(L, lacus_step((lacus_pool *)data, 1));
  return 1;
}

static void test_a_slot_takes_one_thread_at_a_time (void) {
  lacus_pool *p = pool_with_slots(1);
  lua_State *L = host_new();
  lacus_future *f;
  REQUIRE(p != NULL);
  lacus_submit_work(p, l_step_inside, p, NULL, NULL, &f);
  CHECK_INT(lacus_step(p, 1), 1);
  CHECK_INT(lacus_future_get(L, f), 1);
  CHECK_INT(lua_tointeger(L, -1), LACUS_BUSY);
  lacus_future_free(f);
  lacus_pool_close(p);
  lua_close(L);
}

typedef struct Job {
  lacus_pool *p;
  int slot, ran;
} Job;

static void *job_main (void *ud) {
  Job *j = (Job *)ud;
  int status;
  while ((status = lacus_step_wait(j->p, j->slot, -1)) >= 0) j->ran += status;
  CHECK_INT(status, LACUS_CLOSED);
  return NULL;
}

static void test_threads_of_the_host_are_the_pool (void) {
  lacus_pool *p = pool_with_slots(3);
  lua_State *L = host_new();
  Job j[3];
  pthread_t t[3];
  int i;
  REQUIRE(p != NULL);
  for (i = 0; i < 3; i++) {
    j[i].p = p;
    j[i].slot = i + 1;
    j[i].ran = 0;
    pthread_create(&t[i], NULL, job_main, &j[i]);
  }
  lacus_pool_push(L, p);
  lua_setglobal(L, "pool");
  host_run(L, "sum = 0 for i, x in pool:map(lacus.range(1, 2000), function(x) "
              "if x % 500 == 0 then require 'lacus'.sleep(0.001) end return x end) do "
              "sum = sum + x end assert(sum == 2001000) "
              "local pool = pool local function fib(n) if n < 2 then return n end "
              "local a, b = pool:submit(fib, n - 1), pool:submit(fib, n - 2) "
              "return a:get() + b:get() end "
              "assert(pool:submit(fib, 10):get() == 55)");
  lacus_pool_stop(p);
  for (i = 0; i < 3; i++) pthread_join(t[i], NULL);
  CHECK(j[0].ran + j[1].ran + j[2].ran > 0);
  lua_close(L);
  lacus_pool_close(p);
}

/* It stayed on the list of those that wait, and was woken in the place of one that did. */
static void test_a_slot_that_found_nothing_is_not_woken (void) {
  lacus_pool *p = pool_with_slots(2);
  Job j = { NULL, 2, 0 };
  pthread_t t;
  int i;
  REQUIRE(p != NULL);
  j.p = p;
  pthread_create(&t, NULL, job_main, &j);
  for (i = 0; i < 20; i++) {
    lacus_future *f;
    int n = 8;
    CHECK_INT(lacus_step_wait(p, 1, 0.001), 0);
    lacus_submit_work(p, l_square, &n, NULL, NULL, &f);
    CHECK_INT(lacus_future_wait(f, 30), 1);
    lacus_future_free(f);
  }
  lacus_pool_stop(p);
  pthread_join(t, NULL);
  CHECK_INT(j.ran, 20);
  lacus_pool_close(p);
}

static void submit_sleeper (lacus_pool *p, lua_State *L, lacus_future **f) {
  CHECK_INT(luaL_loadstring(L, "require 'lacus'.sleep(math.huge)"), LUA_OK);
  CHECK_INT(lacus_submit(p, L, 0, NULL, NULL, f), LACUS_OK);
}

/* Nobody steps any more, but somebody may wait for one of them. */
static void test_tasks_that_wait_in_slots_end_with_the_pool (void) {
  lacus_pool *p = pool_with_slots(2);
  lua_State *L = host_new();
  lacus_future *f[4];
  int i;
  REQUIRE(p != NULL);
  for (i = 0; i < 4; i++) {
    submit_sleeper(p, L, &f[i]);
    CHECK_INT(lacus_step(p, 1 + i % 2), 1);
    CHECK_INT(lacus_future_state(f[i]), LACUS_RUNNING);
  }
  CHECK_INT(lacus_pool_stop(p), 0);
  for (i = 0; i < 4; i++) {
    CHECK_INT(lacus_future_state(f[i]), LACUS_CANCELLED);
    CHECK_INT(lacus_future_wait(f[i], -1), 1);
    lacus_future_free(f[i]);
  }
  CHECK_INT(lacus_pool_close(p), 4);
  lua_close(L);
}

static int l_stop_pool (lua_State *L, void *data) {
  (void)L;
  lacus_pool_stop((lacus_pool *)data);
  return 0;
}

static void test_tasks_that_wait_in_the_slot_that_stops_the_pool_end (void) {
  lacus_pool *p = pool_with_slots(1);
  lua_State *L = host_new();
  lacus_future *f, *g;
  REQUIRE(p != NULL);
  submit_sleeper(p, L, &f);
  lacus_submit_work(p, l_stop_pool, p, NULL, NULL, &g);
  CHECK_INT(lacus_step(p, 1), 1);
  CHECK_INT(lacus_step(p, 1), 1);
  CHECK_INT(lacus_future_state(f), LACUS_CANCELLED);
  CHECK_INT(lacus_step(p, 1), LACUS_CLOSED);
  lacus_future_free(f);
  lacus_future_free(g);
  lacus_pool_close(p);
  lua_close(L);
}

static void *step_one (void *ud) {
  Job *j = (Job *)ud;
  j->ran = lacus_step_wait(j->p, 1, -1);
  return NULL;
}

static void test_a_slot_may_move_from_thread_to_thread (void) {
  lacus_pool *p = pool_with_slots(1);
  lua_State *L = host_new();
  Job j = { NULL, 1, 0 };
  int i;
  REQUIRE(p != NULL);
  j.p = p;
  host_eval(L, "load 'n = (n or 0) + 1 return n'");
  for (i = 1; i <= 5; i++) {
    pthread_t t;
    lacus_future *f;
    lua_pushvalue(L, 1);
    lacus_submit(p, L, 0, NULL, NULL, &f);
    pthread_create(&t, NULL, step_one, &j);
    pthread_join(t, NULL);
    CHECK_INT(j.ran, 1);
    CHECK_INT(lacus_future_get(L, f), 1);
    CHECK_INT(lua_tointeger(L, -1), i);
    lua_settop(L, 1);
    lacus_future_free(f);
  }
  lua_close(L);
  lacus_pool_close(p);
}

int main (void) {
  RUN(test_a_lua_task_gives_its_values);
  RUN(test_a_name_is_looked_up_in_the_worker);
  RUN(test_a_failure_is_an_error_object);
  RUN(test_what_cannot_be_sent_is_refused_by_name);
  RUN(test_a_state_without_require_cannot_submit);
  RUN(test_a_stack_that_cannot_grow_is_no_memory);
  RUN(test_a_pool_that_stops_while_values_are_copied_is_closed);
  RUN(test_c_work_that_yields_fails);
  RUN(test_a_future_of_the_host_is_one_of_scripts);
  RUN(test_c_work_needs_no_state_of_the_host);
  RUN(test_c_work_may_raise);
  RUN(test_a_future_that_waits_can_be_cancelled);
  RUN(test_a_future_may_outlive_its_pool);
  RUN(test_done_is_called_from_poll_alone);
  RUN(test_close_calls_what_was_not_polled);
  RUN(test_linger_waits_for_what_was_submitted);
  RUN(test_poll_keeps_to_its_budgets);
  RUN(test_close_inside_of_done_is_refused);
  RUN(test_the_descriptor_is_readable_while_results_wait);
  RUN(test_a_descriptor_made_late_knows_what_waits);
  RUN(test_try_submit_says_full_and_submit_waits);
  RUN(test_any_number_of_tasks_goes_through_a_short_backlog);
  RUN(test_who_waits_for_room_learns_that_the_pool_stops);
  RUN(test_a_step_runs_one_task_on_this_thread);
  RUN(test_a_step_tidies_a_generational_state_and_ends);
  RUN(test_a_pool_with_threads_has_no_steps);
  RUN(test_a_slot_takes_one_thread_at_a_time);
  RUN(test_threads_of_the_host_are_the_pool);
  RUN(test_a_slot_that_found_nothing_is_not_woken);
  RUN(test_tasks_that_wait_in_slots_end_with_the_pool);
  RUN(test_tasks_that_wait_in_the_slot_that_stops_the_pool_end);
  RUN(test_a_slot_may_move_from_thread_to_thread);
  return check_end();
}
