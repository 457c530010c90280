/* An engine with threads of its own: lacus makes none, and each of the engine's
** threads runs tasks in its slot, between other work. */
#include <pthread.h>
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <lacus.h>

enum { THREADS = 3 };

typedef struct Thread {
  pthread_t id;
  lacus_pool *pool;
  int slot, tasks;
} Thread;

/* Here the engine would look for its own jobs too: lacus_step does not wait. */
static void *thread_main (void *ud) {
  Thread *t = (Thread *)ud;
  int ran;
  while ((ran = lacus_step_wait(t->pool, t->slot, 0.1)) >= 0) t->tasks += ran;
  return NULL;                            /* LACUS_CLOSED: the pool stops */
}

static const char script[] =
  "local pool = ...\n"
  "local function fib(n)\n"
  "  if n < 2 then return n end\n"
  "  local a, b = pool:submit(fib, n - 1), pool:submit(fib, n - 2)\n"
  "  return a:get() + b:get()\n"
  "end\n"
  "print('fib(15) =', pool:submit(fib, 15):get())\n"
  "local sum = 0\n"
  "for _, x in pool:map(require 'lacus'.range(1, 10000), math.sqrt) do\n"
  "  sum = sum + x\n"
  "end\n"
  "print(('sum of roots = %.3f'):format(sum))\n";
/* --> fib(15) = 610 */
/* --> sum of roots = 666716.459 */

int main (void) {
  lacus_pool_options o = lacus_pool_defaults();
  lua_State *L = luaL_newstate();
  Thread threads[THREADS];
  lacus_pool *pool;
  int i, failed, all = 0;
  o.slots = THREADS;
  pool = lacus_pool_new(&o, NULL);
  if (L == NULL || pool == NULL) return 1;
  for (i = 0; i < THREADS; i++) {
    threads[i].pool = pool;
    threads[i].slot = i + 1;
    threads[i].tasks = 0;
    pthread_create(&threads[i].id, NULL, thread_main, &threads[i]);
  }
  luaL_openlibs(L);
  luaL_requiref(L, "lacus", luaopen_lacus, 0);
  luaL_loadstring(L, script);
  lacus_pool_push(L, pool);
  failed = lua_pcall(L, 1, 0, 0);
  if (failed) fprintf(stderr, "jobs: %s\n", luaL_tolstring(L, -1, NULL));
  lacus_pool_stop(pool);
  for (i = 0; i < THREADS; i++) {
    pthread_join(threads[i].id, NULL);
    all += threads[i].tasks;
  }
  printf("the engine's threads ran them all: %s\n", all > 0 ? "yes" : "no");
  lua_close(L);
  lacus_pool_close(pool);
  return failed;
}
/* --> the engine's threads ran them all: yes */
