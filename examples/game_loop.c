/* A 60 Hz loop that hands path-finding to four workers and takes the paths that
** are ready, for at most one millisecond a frame.   game_loop [frames] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <lacus.h>

#define BUDGET_US 1000
#define FRAME_NS (1000000000L / 60)

/* The shortest way through a field of boulders, 64 wide, by breadth. */
static const char find_path[] =
  "local seed = ...\n"
  "math.randomseed(seed)\n"
  "local boulder, from, queue, path = {}, { [0] = 0 }, { 0 }, {}\n"
  "for i = 1, 4094 do boulder[i] = math.random() < 0.25 end\n"
  "for _, at in ipairs(queue) do\n"
  "  for _, step in ipairs { 1, -1, 64, -64 } do\n"
  "    local to = at + step\n"
  "    local wraps = (to % 64 == 0 and step == 1) or (at % 64 == 0 and step == -1)\n"
  "    if to >= 0 and to < 4096 and not (wraps or boulder[to] or from[to]) then\n"
  "      from[to], queue[#queue + 1] = at, to\n"
  "    end\n"
  "  end\n"
  "end\n"
  "local at = 4095\n"
  "while from[at] and at ~= 0 do path[#path + 1], at = at, from[at] end\n"
  "return path\n";

static void path_found (lacus_future *f, void *ud) {
  lua_State *L = (lua_State *)ud;
  if (lacus_future_get(L, f) < 0 && lacus_future_state(f) == LACUS_FAILED)
    fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
  lua_settop(L, 1);                         /* find_path stays */
}

static long since (clockid_t clock, const struct timespec *t) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (now.tv_sec - t->tv_sec) * 1000000000L + now.tv_nsec - t->tv_nsec;
}

int main (int argc, char **argv) {
  lacus_pool_options o = lacus_pool_defaults();
  int frame, seed = 0, paths = 0, frames = argc > 1 ? atoi(argv[1]) : 600;
  long worst = 0, worst_poll = 0, ns;
  lua_State *L = luaL_newstate();
  lacus_pool *pool;
  o.workers = 4;
  o.backlog = 16;                           /* enough to keep them all busy */
  pool = lacus_pool_new(&o, NULL);
  if (pool == NULL || L == NULL) return 1;
  luaL_openlibs(L);
  luaL_loadstring(L, find_path);
  for (frame = 0; frame < frames; frame++) {
    struct timespec wall, cpu, rest = { 0, 0 };
    clock_gettime(CLOCK_MONOTONIC, &wall);
    do lua_pushvalue(L, 1), lua_pushinteger(L, ++seed);
    while (lacus_try_submit(pool, L, 1, path_found, L, NULL) == LACUS_OK);
    lua_settop(L, 1);                       /* away with "the pool is full" */
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    paths += lacus_poll(pool, 0, BUDGET_US);
    if ((ns = since(CLOCK_THREAD_CPUTIME_ID, &cpu)) > worst_poll) worst_poll = ns;
    if ((ns = since(CLOCK_MONOTONIC, &wall)) > worst) worst = ns;
    rest.tv_nsec = ns < FRAME_NS ? FRAME_NS - ns : 0;
    nanosleep(&rest, NULL);                 /* here the game would draw */
  }
  printf("%d frames, %d paths; worst poll: %ld us of processor time; "
         "worst frame: %.2f ms\n", frames, paths, worst_poll / 1000, (double)worst / 1e6);
  lacus_pool_close(pool);
  lua_close(L);
  return paths == 0;
}
/* --> 600 frames, ... */
