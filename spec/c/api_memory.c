/*
** lacus.h: a host whose allocator refuses, at every point of what it does, once or
** from there on: it is told so, and everything goes on with the next call. Nothing
** runs but what this thread runs (slots), so each run is as the one before.
*/
#include "api.h"

/* As counter_alloc; of those since `begins` was set, the `at`-th fails, and if `on`,
** those behind it too. */
typedef struct Refusing {
  Counter counter;
  long begins, at;      /* at: 0: none */
  int on;
} Refusing;

static void *refusing_alloc (void *ud, void *p, size_t osize, size_t nsize) {
  Refusing *r = (Refusing *)ud;
  if (r->at != 0 && nsize > osize) {
    long n = r->counter.calls + 1 - r->begins;
    if (n == r->at || (r->on && n > r->at)) {
      r->counter.calls++;
      return NULL;
    }
  }
  return counter_alloc(&r->counter, p, osize, nsize);
}

static void refuse (Refusing *r, long at, int on) {
  r->begins = r->counter.calls;
  r->at = at;
  r->on = on;
}

static void grant (Refusing *r) { r->at = 0; }

/* A host with one slot, both with memory of `r`. */
typedef struct Host {
  lua_State *L;
  lacus_pool *p;
} Host;

static int host_open (Host *h, Refusing *r) {
  lacus_pool_options o = lacus_pool_defaults();
  memset(r, 0, sizeof *r);
  o.slots = 1;
  o.alloc = refusing_alloc;
  o.alloc_ud = r;
  h->L = luaL_newstate();
  luaL_openlibs(h->L);
  lacus_open(h->L, refusing_alloc, r);
  lua_setglobal(h->L, "lacus");
  h->p = lacus_pool_new(&o, NULL);
  if (!CHECK(h->p != NULL)) return 0;
  lacus_pool_push(h->L, h->p);
  lua_setglobal(h->L, "pool");
  return 1;
}

static void host_close (Host *h, Refusing *r) {
  lacus_pool_close(h->p);
  lua_close(h->L);
  if (r->counter.bytes != 0) CHECK_INT(r->counter.bytes, 0);
}

/* --- submitting --------------------------------------------------------------- */

static int l_square (lua_State *L, void *data) {
  int *n = (int *)data;
  lua_pushinteger(L, *n * *n);
  return 1;
}

static void check_result (Host *h, lacus_future *f, const char *want) {
  CHECK_INT(lacus_step(h->p, 1), 1);
  CHECK_INT(lacus_future_get(h->L, f), 1);
  CHECK_STR(lua_tostring(h->L, -1), want);
  lua_settop(h->L, 0);
  lacus_future_free(f);
}

static void submitting_work (int on) {
  Refusing r;
  Host h;
  lacus_future *f = NULL;
  int n = 7, status = LACUS_NOMEM;
  long at;
  if (!host_open(&h, &r)) return;
  for (at = 1; status == LACUS_NOMEM; at++) {
    refuse(&r, at, on);
    status = lacus_try_submit_work(h.p, l_square, &n, NULL, NULL, &f);
    grant(&r);
  }
  CHECK_INT(status, LACUS_OK);
  CHECK(at > 2);
  check_result(&h, f, "49");
  host_close(&h, &r);
}

static void submitting_lua (int on) {
  static const char shared[] =
    "C = {} C.__index = C t = setmetatable({ ('x'):rep(5000), {}, {} }, C) "
    "t[4], t[5] = t[2], t[3] "
    "return function(a, b) return a[1]:sub(1, 3) .. b end";
  Refusing r;
  Host h;
  lacus_future *f = NULL;
  int status = LACUS_NOMEM;
  long at;
  if (!host_open(&h, &r)) return;
  for (at = 1; status == LACUS_NOMEM; at++) {
    if (luaL_dostring(h.L, shared) != LUA_OK) CHECK(!"shared");
    lua_getglobal(h.L, "t");
    lua_pushinteger(h.L, 5);
    refuse(&r, at, on);
    status = lacus_try_submit(h.p, h.L, 2, NULL, NULL, &f);
    grant(&r);
    if (status == LACUS_NOMEM) {
      CHECK_INT(lua_gettop(h.L), 1);
      CHECK(strstr(lua_tostring(h.L, -1), "not enough memory") != NULL);
      lua_settop(h.L, 0);
    }
  }
  CHECK_INT(status, LACUS_OK);
  CHECK(at > 2);
  check_result(&h, f, "xxx5");
  host_close(&h, &r);
}

static void test_submitting_can_fail_at_every_allocation (void) {
  int on;
  for (on = 0; on <= 1; on++) {
    submitting_work(on);
    submitting_lua(on);
  }
}

/* --- running ------------------------------------------------------------------ */

/* Five items: one waits and yields, one fails. What each has given so far goes to
** `got`: r, y, e, or m where memory was out. (What is outside of the state raises an
** error that says so.) */
static const char mapping[] =
  "got = { '', '', '', '', '' } "
  "results = pool:map({ 1, 2, 3, 4, 5 }, function(x) "
  "  if x == 2 then require('lacus').sleep(1e-6) coroutine.yield 'y' end "
  "  if x == 4 then error {} end "
  "  return { x, x } end, { batch = 5, on_error = 'return' }) "
  "function poll() "
  "  local i, ok, v = results:poll() "
  "  while i do "
  "    got[i] = got[i] .. (ok and (v == 'y' and 'y' or 'r') "
  "      or v.kind == 'memory' and 'm' or v.message:find 'not enough memory' and 'm' "
  "      or v.kind == 'error' and 'e' or v.kind) "
  "    i, ok, v = results:poll() "
  "  end "
  "  return ok ~= 'pending' "
  "end "
  "function right() "
  "  local may = { 'r m ', 'yr ym m ', 'r m ', 'e m ', 'r m ' } "
  "  for i = 1, 5 do if not may[i]:find(got[i] .. ' ', 1, true) then return false end end "
  "  return true "
  "end";

/* The answers; *refused counts the steps in which memory was. */
static const char *run_map (Host *h, Refusing *r, long at, int on,
                            int *refused) {
  host_run(h->L, mapping);
  for (;;) {
    int ended;
    host_eval(h->L, "poll()");
    ended = lua_toboolean(h->L, -1);
    lua_settop(h->L, 0);
    if (ended) break;
    refuse(r, at, on);
    CHECK_INT(lacus_step_wait(h->p, 1, -1), 1);
    *refused += r->counter.calls - r->begins >= at;
    grant(r);
  }
  host_eval(h->L, "right() and 'right' or table.concat(got, ' ')");
  return lua_tostring(h->L, -1);
}

static void running (int on) {
  long at;
  int refused = 1;
  for (at = 1; refused > 0; at++) {
    Refusing r;
    Host h;
    const char *got;
    if (!host_open(&h, &r)) return;
    refused = 0;
    got = run_map(&h, &r, at, on, &refused);
    if (strcmp(got, "right") != 0) {
      fprintf(stderr, "        allocation %ld, on: %d\n", at, on);
      CHECK_STR(got, "right");
    }
    lua_settop(h.L, 0);
    if (refused == 0)
      host_run(h.L, "assert(table.concat(got, ' ') == 'r yr r e r')");
    host_run(h.L, "results:close() results = nil "
                  "collectgarbage() collectgarbage()");
    host_close(&h, &r);
  }
  CHECK(at > 10);
}

/* A fiber that was started for no item failed of memory then, and the failure was
** written behind the results: of an item that there was not. */
static void test_running_can_fail_at_every_allocation (void) {
  running(0);
  running(1);
}

/* --- waiting ------------------------------------------------------------------ */

/* Each value is taken before the next is given: the task waits for that. */
static const char yielding[] =
  "got, right = '', { '123', '12m', '1m', 'm' } "
  "results = pool:map({ 1 }, function() "
  "  for k = 1, 3 do coroutine.yield(k) end end, { window = 1, on_error = 'return' }) "
  "function poll() "
  "  local i, ok, v = results:poll() "
  "  if i then got = got .. (ok and v or 'm') return poll() end "
  "  return ok ~= 'pending' "
  "end";

/* The second item waits for a future that ends when the first one's result is here. */
static const char waiting[] =
  "got, right = '', { 'rr', 'rm', 'mr', 'mm' } "
  "future = pool:submit(function() require('lacus').sleep(math.huge) end) "
  "results = pool:map({ 1, future }, function(x) "
  "  if x ~= 1 then pcall(x.get, x) end return 1 end, { batch = 2, on_error = 'return' }) "
  "function poll() "
  "  local i, ok, v = results:poll() "
  "  if i then future:cancel() got = got .. (ok and 'r' or 'm') return poll() end "
  "  return ok ~= 'pending' "
  "end";

/* Until all is answered; *refused as above. 0 if nothing comes any more. */
static int run_waits (Host *h, Refusing *r, long at, int *refused) {
  for (;;) {
    int ended, status;
    host_eval(h->L, "poll()");
    ended = lua_toboolean(h->L, -1);
    lua_settop(h->L, 0);
    if (ended) return 1;
    refuse(r, at, 1);
    status = lacus_step_wait(h->p, 1, 10);
    *refused += r->counter.calls - r->begins >= at;
    grant(r);
    if (!CHECK_INT(status, 1)) return 0;
  }
}

static void waits (const char *code) {
  long at;
  int refused = 1;
  for (at = 1; refused > 0; at++) {
    Refusing r;
    Host h;
    int ended;
    if (!host_open(&h, &r)) return;
    host_run(h.L, code);
    refused = 0;
    ended = run_waits(&h, &r, at, &refused);
    if (ended)
      host_run(h.L, "for _, may in ipairs(right) do if got == may then return end end "
                    "error(got)");
    if (ended && refused == 0) host_run(h.L, "assert(got == right[1])");
    host_run(h.L, "results:close() results = nil future = nil "
                  "collectgarbage() collectgarbage()");
    host_close(&h, &r);
    if (!ended) return;
  }
  CHECK(at > 3);
}

/* Without memory for another batch, what a task had given so far was kept until the task
** was through: but it waited, for who wanted that. (make oom OOM=all: a hang.) */
static void test_a_task_keeps_nothing_back_while_it_waits (void) {
  waits(yielding);
  waits(waiting);
}

/* --- a new state -------------------------------------------------------------- */

/* A pool on the caller's own thread, with something to do, is to replace its state. */
static const char renewing[] =
  "inlined = lacus.pool(0) "
  "results = inlined:map({ 1, 2, 3, 4 }, function(x) return x end, { window = 2 }) "
  "assert(results:next()) "
  "waits = inlined:submit(function() return 2 end) "
  "inlined:recycle() "
  "function try() pcall(results.next, results) pcall(waits.get, waits) end "
  "function again() "
  "  lacus.sleep(1e-6) "          /* who waits has such a pool run what it can */
  "  local ok, e = pcall(function() return inlined:submit(function() return 3 end):get() end) "
  "  return ok and e == 3 or not ok and (tostring(e):find 'pool' or tostring(e):find 'memory') "
  "end";

/* The `at`-th allocation from then on fails: 1, if there are so many. */
static int renewing_fails (long at, int on) {
  Refusing r;
  Host h;
  int refused;
  if (!host_open(&h, &r)) return 0;
  host_run(h.L, renewing);
  refuse(&r, at, on);
  host_eval(h.L, "try()");
  refused = r.counter.calls - r.begins >= at;
  grant(&r);
  lua_settop(h.L, 0);
  host_run(h.L, "assert(again() and again())");
  host_run(h.L, "inlined:close() inlined = nil results = nil waits = nil "
                "collectgarbage() collectgarbage()");
  host_close(&h, &r);
  return refused;
}

/* Without a new state it was asked to run `init` in none, by who waited next. */
static void test_a_state_that_cannot_be_replaced_ends_its_pool (void) {
  int on;
  long at;
  for (on = 0; on <= 1; on++) {
    for (at = 1; renewing_fails(at, on); at++) ;
    CHECK(at > 10);
  }
}

int main (void) {
  RUN(test_submitting_can_fail_at_every_allocation);
  RUN(test_running_can_fail_at_every_allocation);
  RUN(test_a_task_keeps_nothing_back_while_it_waits);
  RUN(test_a_state_that_cannot_be_replaced_ends_its_pool);
  return check_end();
}
