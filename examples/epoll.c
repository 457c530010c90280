/* Results in an event loop: one epoll waits for a timer and for the pool, and no
** thread ever waits for a task. (Linux; with poll(2) it works anywhere.) */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <lacus.h>

enum { TASKS = 12 };

typedef struct Loop {
  lua_State *L;
  int left, ticks;
  lua_Integer primes;
} Loop;

static const char count_primes[] =
  "local from, to = ...\n"
  "local n = 0\n"
  "for i = from, to do\n"
  "  local prime = i > 1\n"
  "  for d = 2, math.floor(math.sqrt(i)) do\n"
  "    if i % d == 0 then prime = false break end\n"
  "  end\n"
  "  if prime then n = n + 1 end\n"
  "end\n"
  "return n\n";

static void counted (lacus_future *f, void *ud) {
  Loop *loop = (Loop *)ud;
  if (lacus_future_get(loop->L, f) == 1)
    loop->primes += lua_tointeger(loop->L, -1);
  lua_settop(loop->L, 1);
  loop->left--;
}

static void watch (int ep, int fd) {
  struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

int main (void) {
  lacus_pool_options o = lacus_pool_defaults();
  struct itimerspec ms = { { 0, 1000000 }, { 0, 1000000 } };
  lacus_pool *pool = lacus_pool_new(&o, NULL);
  lua_State *L = luaL_newstate();
  Loop loop = { L, TASKS, 0, 0 };
  int ep = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0), i;
  if (pool == NULL || L == NULL) return 1;
  luaL_openlibs(L);
  luaL_loadstring(L, count_primes);
  timerfd_settime(timer, 0, &ms, NULL);
  watch(ep, timer);
  watch(ep, lacus_pool_fd(pool));
  for (i = 0; i < TASKS; i++) {
    lua_pushvalue(L, 1);
    lua_pushinteger(L, i * 10000 + 1);
    lua_pushinteger(L, (i + 1) * 10000);
    if (lacus_submit(pool, L, 2, counted, &loop, NULL) != LACUS_OK) return 1;
  }
  while (loop.left > 0) {
    struct epoll_event e;
    uint64_t rung;
    if (epoll_wait(ep, &e, 1, -1) != 1) continue;
    if (e.data.fd == timer) loop.ticks += read(timer, &rung, sizeof rung) > 0;
    else lacus_poll(pool, 0, 1000);
  }
  printf("%d primes; the loop went on: %s\n", (int)loop.primes,
         loop.ticks > 0 ? "yes" : "no");
  lacus_pool_close(pool);
  lua_close(L);
  return 0;
}
/* --> 11301 primes; the loop went on: yes */
