/* lacus.h: several hosts in one process, each with its own thread, state and
** pool, and one pool for several threads. For the thread sanitizer above all. */
#include "api.h"

#include <pthread.h>

enum { HOSTS = 3, ROUNDS = 3 };

static const char work[] =
  "local sum = 0 "
  "for _, x in pool:map(lacus.range(1, 300), function(x) return x * 2 end) do "
  "  sum = sum + x end "
  "assert(sum == 90300) "
  "local g = pool:generate(function(n) for i = 1, n do coroutine.yield(i) end "
  "end, 20) for i in g do last = i end assert(last == 20)";

static void *host_main (void *ud) {
  Counter *counter = (Counter *)ud;
  int i;
  for (i = 0; i < ROUNDS; i++) {
    lua_State *L = host_new();
    lacus_pool_options o;
    lacus_pool *p;
    memset(&o, 0, sizeof o);
    o.size = sizeof o;
    o.workers = 2;
    o.alloc = counter_alloc;
    o.alloc_ud = counter;
    p = lacus_pool_new(&o, NULL);
    if (!CHECK(p != NULL)) break;
    lacus_pool_push(L, p);
    lua_setglobal(L, "pool");
    host_run(L, work);
    host_run(L, "pool = lacus.pool(1)");
    host_run(L, work);
    if (i % 2 == 0) lua_close(L);
    lacus_pool_close(p);
    if (i % 2 != 0) lua_close(L);
  }
  return NULL;
}

static void test_hosts_know_nothing_of_each_other (void) {
  Counter counter[HOSTS];
  pthread_t t[HOSTS];
  int i;
  memset(counter, 0, sizeof counter);
  for (i = 0; i < HOSTS; i++)
    pthread_create(&t[i], NULL, host_main, &counter[i]);
  for (i = 0; i < HOSTS; i++) {
    pthread_join(t[i], NULL);
    CHECK(counter[i].calls > 0);
    CHECK_INT(counter[i].bytes, 0);
  }
}

/* --- one pool ------------------------------------------------------------------------ */

typedef struct User {
  lacus_pool *p;
  int done;             /* atomic: `done` may be called from any poll */
} User;

static int l_work (lua_State *L, void *data) {
  (void)data;
  lua_pushinteger(L, 1);
  return 1;
}

static void count (lacus_future *f, void *ud) {
  CHECK_INT(lacus_future_state(f), LACUS_DONE);
  __atomic_add_fetch(&((User *)ud)->done, 1, __ATOMIC_SEQ_CST);
}

static void *user_main (void *ud) {
  User *u = (User *)ud;
  lua_State *L = host_new();
  int i;
  for (i = 0; i < 100; i++) {
    lacus_future *f;
    CHECK_INT(lacus_submit_work(u->p, l_work, NULL, count, u, NULL), LACUS_OK);
    lua_getglobal(L, "tostring");
    lua_pushinteger(L, i);
    CHECK_INT(lacus_submit(u->p, L, 1, count, u, &f), LACUS_OK);
    lacus_poll(u->p, 2, 0);
    if (i % 10 == 0) lacus_future_wait(f, -1);
    lacus_future_free(f);
  }
  lacus_pool_push(L, u->p);
  lua_setglobal(L, "pool");
  host_run(L, work);
  lua_close(L);
  return NULL;
}

static void test_one_pool_serves_several_threads (void) {
  User u[HOSTS];
  pthread_t t[HOSTS];
  lacus_pool_options o;
  lacus_pool *p;
  int i;
  memset(&o, 0, sizeof o);
  o.size = sizeof o;
  o.workers = 2;
  o.linger = 60;
  p = lacus_pool_new(&o, NULL);
  REQUIRE(p != NULL);
  for (i = 0; i < HOSTS; i++) {
    u[i].p = p;
    u[i].done = 0;
    pthread_create(&t[i], NULL, user_main, &u[i]);
  }
  for (i = 0; i < HOSTS; i++) pthread_join(t[i], NULL);
  lacus_pool_close(p);
  for (i = 0; i < HOSTS; i++) CHECK_INT(u[i].done, 200);
}

/* What L had begun is dropped; the pool goes on. */
static void test_a_state_may_end_in_the_middle_of_a_map (void) {
  lacus_pool *p = pool_of(2);
  int i;
  REQUIRE(p != NULL);
  for (i = 0; i < 20; i++) {
    lua_State *L = host_new();
    lacus_future *f;
    lacus_pool_push(L, p);
    lua_setglobal(L, "pool");
    host_run(L, "results = pool:map(function() while true do "
                "coroutine.yield(('x'):rep(100)) end end, string.upper) "
                "for i = 1, 5 do results:next() end "
                "items = pool:generate(function() while true do "
                "coroutine.yield(1) end end) items() "
                "future = pool:submit(string.rep, 'x', 1000)");
    lua_close(L);
    CHECK_INT(lacus_submit_work(p, l_work, NULL, NULL, NULL, &f), LACUS_OK);
    CHECK_INT(lacus_future_wait(f, -1), 1);
    lacus_future_free(f);
  }
  lacus_pool_close(p);
}

int main (void) {
  RUN(test_hosts_know_nothing_of_each_other);
  RUN(test_one_pool_serves_several_threads);
  RUN(test_a_state_may_end_in_the_middle_of_a_map);
  return check_end();
}
