-- spec/fuzz/api.lua SEED [N]: N random programs over the API, from SEED on, each
-- against a model in one thread that says what must come out. `make fuzz-api`.
--
-- A program: some threads of control, coroutines here, that take turns at random. Each
-- turn is one call: pools, maps, futures and generators are opened, read, cancelled,
-- closed, dropped and collected. What a task does is a plan, a table that is sent to it;
-- from the plan the model knows what its results are:
--   each of an item's results once, in their order, and its end once; items in their order
--   if that was asked for, or in that of the pool's `shuffle`; none missing at the end of
--   the loop;
--   errors of the kind that the plan has, where a timeout, a cancel or a close does not
--   come first, and after as many attempts as there may be;
--   the random numbers of (seed, number of the task), as Lua itself has them, at every attempt;
--   a future ends in one state and stays there; what is cancelled says so;
--   a pool that is cancelled is closed within its grace; all ends.
-- What never ends (plan "spin") is stopped before this thread waits for anything. In a
-- pool with a short grace some of it is lost, and its worker replaced.
-- Maps are of plans of all kinds, or of many quick ones with some slow ones (plan "busy")
-- among them, in batches: so readers starve, fetch what is ready behind a slow one, and
-- have other workers run what waits there.
--
-- The choices follow the seed, and what comes out follows the time: a seed that fails
-- once may need some runs to fail again.

local lacus = require "lacus"

-- Seconds within which whatever must end has ended, on any machine.
local PATIENCE = 30
local GRACE = 2 * PATIENCE      -- what is not stopped at once is found
local NIL, ANY = {}, {}

-- ---- what tasks do ------------------------------------------------------------

local function work(plan)
  local kind, v = plan.kind, plan.v
  local _ <close> = plan.closes and setmetatable({}, { __close = function() lacus.sleep(0) end }) or nil
  if kind == "value" then return v
  elseif kind == "nothing" then return
  elseif kind == "big" then return v, ("x"):rep(100000)
  elseif kind == "sleep" then lacus.sleep(plan.s) return v
  elseif kind == "busy" then
    local until_ = lacus.now() + plan.s
    while lacus.now() < until_ do end
    return v
  elseif kind == "list" then return plan.list
  elseif kind == "random" then return math.random(0)
  elseif kind == "yields" then
    for k = 1, plan.n do
      coroutine.yield(v + k)
      if plan.s then lacus.sleep(plan.s) end
    end
    if plan.returns then return v end
  elseif kind == "fail" then error({ v })
  elseif kind == "flaky" then
    TRIED = TRIED or {} -- luacheck: ignore
    local n = (TRIED[plan.id] or 0) + 1 -- luacheck: ignore
    TRIED[plan.id] = n -- luacheck: ignore
    if n <= plan.n then error "not yet" end
    return plan.draws and math.random(0) or v
  elseif kind == "transfer" then return coroutine.create(print)
  elseif kind == "spin" then
    if plan.n == 1 then while true do pcall(function() while true do end end) end end -- luacheck: ignore
    if plan.n == 2 then coroutine.wrap(function() while true do end end)() end
    if plan.n == 3 then table.sort({ 1, 2, 3 }, function() while true do end end) end
    if plan.n == 4 then lacus.sleep(1e6) end
    if plan.n == 5 then
      setmetatable({}, { __gc = function()      -- nothing stops it
        local until_ = lacus.now() + 0.2
        while lacus.now() < until_ do end
      end })
      collectgarbage()
    end
    while true do end -- luacheck: ignore
  elseif kind == "wait" then return (plan.pool:submit(work, plan.sub):get())
  elseif kind == "future" then return (pcall(plan.future.get, plan.future))
  elseif kind == "inner" then
    local inner <close> = lacus.pool(1)
    return inner:submit(work, { kind = "value", v = v }):get()
  elseif kind == "nest" then
    local sum = 0
    for _, x in plan.pool:map(lacus.range(1, plan.n), function(x)
      local until_ = lacus.now() + (x == 2 and plan.s or 0)
      while lacus.now() < until_ do end
      return x
    end, { ordered = plan.ordered, batch = plan.n > 1 and plan.n or nil }) do
      sum = sum + x
    end
    return sum
  end
end

local function echo(plan)
  local got = coroutine.yield(plan.v)
  while got do got = coroutine.yield(got + plan.v) end
end

-- ---- choices ---------------------------------------------------------------------

local random = math.random

local function pick(list) return list[random(#list)] end
local function maybe(chance) return random() < chance end
local function some(value, chance) if maybe(chance) then return value end end

local world            -- { pools, futures, streams, generators, log, ids }

-- The first word of math.randomseed(seed, n). What is drawn here stays as random.
local function drawn(seed, n)
  local back = random(0)
  math.randomseed(seed, n)
  local word = random(0)
  math.randomseed(back)
  return word
end

local function say(...)
  local list = { ... }
  for i = 1, #list do list[i] = tostring(list[i]) end
  world.log[#world.log + 1] = table.concat(list, " ")
end

local function wrong(...)
  local list = { ... }
  for i = 1, #list do list[i] = tostring(list[i]) end
  error("WRONG: " .. table.concat(list, " "), 0)
end

local function check(ok, ...) if not ok then wrong(...) end end

-- What a pool does, for a message.
local function doing(p)
  local list = {}
  for _, t in ipairs(p.pool:tasks()) do
    list[#list + 1] = ("worker %d, item %s, %.1f s: %s"):format(t.worker, t.index, t.seconds, t.traceback)
  end
  return #list > 0 and "\n  " .. table.concat(list, "\n  ") or "nothing"
end

-- Items that have not ended, with the kinds of their plans.
local function missing(s)
  local list = {}
  for i, plan in ipairs(s.plans) do
    if not s.over[i] and (s.at[i] or 0) == 0 then list[#list + 1] = i .. " " .. plan.kind .. " " .. tostring(plan.n) end
  end
  return table.concat(list, ", ")
end

local function in_vain(s, who)
  wrong(who, "waits in vain for", missing(s), "; the pool does", doing(s.pool))
end

-- ---- plans and what the model says of them -----------------------------------------

local simple = { "value", "value", "value", "nothing", "sleep", "big" }
local kinds = { "value", "value", "nothing", "big", "list", "sleep", "sleep", "busy", "random", "yields", "yields",
  "fail", "flaky", "transfer", "wait", "future", "inner", "nest", "nest" }
local quick = { "value", "value", "value", "nothing", "random", "list", "flaky" }

-- Numbers, as many as one byte counts or not, and perhaps something else among them.
local function some_list()
  local list, first = {}, pick { 1, 1000, 1e6, 1 << 40, 0.5 }
  for k = 1, pick { 3, 47, 64, 65, random(200) } do list[k] = first + k end
  if maybe(0.3) then list[random(#list)] = pick { "text", false, 0.25, 1 << 50 } end
  return list
end

local function plan_of(pool, may_spin, of)
  world.ids = world.ids + 1
  local plan = { kind = may_spin and maybe(0.15) and "spin" or pick(of or kinds), v = world.ids * 100, id = world.ids,
    n = random(0, 5), closes = some(true, 0.2), s = some(random() / 500, 0.7) or 0, returns = some(true, 0.5),
    ordered = some(true, 0.5), draws = some(true, 0.3) }
  if plan.kind == "wait" or plan.kind == "nest" then
    if pool.one then plan.kind = "value" else plan.pool = pool.pool end
  end
  if plan.kind == "wait" then plan.sub = { kind = pick(simple), v = plan.v, s = 0 } end
  if plan.kind == "list" then plan.list = some_list() end
  if plan.kind == "future" then
    local all = {}
    for _, f in ipairs(world.futures) do if f.plan.kind ~= "spin" then all[#all + 1] = f end end
    if #all == 0 then plan.kind = "value" else plan.future = pick(all).future end
  end
  return plan
end

-- The results in their order, and the kind of the error after them, or nil.
local function outcome(plan, retries)
  local kind, v = plan.kind, plan.v
  if kind == "value" or kind == "sleep" or kind == "busy" or kind == "inner" or kind == "big" then return { v } end
  if kind == "list" then return { plan.list } end
  if kind == "random" then return { plan.word or ANY } end
  if kind == "nothing" then return { NIL } end
  if kind == "nest" then return { plan.n * (plan.n + 1) // 2 } end
  if kind == "future" then return { ANY } end
  if kind == "fail" then return {}, "error" end
  if kind == "transfer" then return {}, "transfer" end
  if kind == "spin" then return {}, "timeout" end
  if kind == "wait" then return outcome(plan.sub) end
  if kind == "flaky" then
    if plan.n <= retries then return { plan.draws and (plan.word or ANY) or v } end
    return {}, "error"
  end
  local list = {}
  for k = 1, plan.n do list[k] = v + k end
  if plan.returns or plan.n == 0 then list[#list + 1] = plan.returns and v or NIL end
  return list
end

local function same(want, got)  -- of a list: its items
  if want == ANY then return true end
  if want == NIL then return got == nil end
  if type(want) ~= "table" then return want == got and math.type(want) == math.type(got) end
  if type(got) ~= "table" or #got ~= #want then return false end
  for k, v in pairs(want) do if not same(v, got[k]) then return false end end
  return true
end

-- ---- pools ----------------------------------------------------------------------------

local function is_open(pool) return not pool.closed end

local function open_pools()
  local list = {}
  for _, p in ipairs(world.pools) do if is_open(p) then list[#list + 1] = p end end
  return list
end

local ops = {}

function ops.open()
  if #open_pools() >= 3 then return end
  local workers = random(0, 4)
  local p = { workers = workers, one = workers == 0, loses = workers > 0 and maybe(0.1), seed = some(random(100), 0.3),
    shuffle = some(random(100), 0.15), submits = 0 }
  local recycle = some(random(1, 5), 0.15)
  p.recycles = recycle or p.loses
  p.pool = lacus.pool { workers = workers, grace = p.loses and 0.05 or GRACE, recycle = recycle,
    seed = p.seed, shuffle = p.shuffle, watchdog = some(0.01, 0.1), memory = some(1 << 24, 0.1),
    name = some("fuzz", 0.1) }
  world.pools[#world.pools + 1] = p
  say("open", workers, p.loses and "loses" or "", p.seed or "", p.shuffle or "")
end

-- Nothing that never ends is left.
local function unspin()
  if world.dropped then collectgarbage() end
  world.dropped = nil
  for _, f in ipairs(world.futures) do
    if f.plan.kind == "spin" and not f.cancelled then
      f.cancelled = f.future:cancel()
    end
  end
  for _, s in ipairs(world.streams) do
    if s.spins and not s.done then s.results:close() s.done = true end
  end
  for _, g in ipairs(world.generators) do
    if g.plan.spins and not g.done then g.generator:close() g.done = true end
  end
end

local function forget(list, x)
  for i, y in ipairs(list) do if y == x then table.remove(list, i) return end end
end

local function shut(p, how)
  unspin()
  p.closed = true
  p.cut = how ~= nil
  local began = lacus.now()
  local n = p.pool:close(how)
  check(math.type(n) == "integer" and n >= 0, "close gave", n)
  check(lacus.now() - began < PATIENCE, "close took", lacus.now() - began)
  for _, f in ipairs(world.futures) do
    if f.pool == p then
      local state = f.future:state()
      check(state == "done" or state == "failed" or state == "cancelled", "a closed pool has a future that is", state)
      check(how ~= nil or f.cancelled or state ~= "cancelled", "close has cancelled a future")
    end
  end
  local ok = pcall(p.pool.submit, p.pool, work, { kind = "value" })
  check(not ok, "a closed pool takes a task")
end

local function with_pool(f) return function()
  local list = open_pools()
  if #list > 0 then f(pick(list)) end
end end

ops.close = with_pool(function(p) if maybe(0.3) then say "close" shut(p) end end)
ops.cancel_pool = with_pool(function(p) if maybe(0.3) then say "close cancel" shut(p, { cancel = true }) end end)
ops.close_in_time = with_pool(function(p)
  if maybe(0.3) then say "close timeout" shut(p, { timeout = random() / 100 }) end
end)
-- What was submitted goes on; streams keep theirs.
ops.drop_pool = with_pool(function(p)
  if maybe(0.7) then return end
  say "drop pool"
  unspin()
  p.dropped = true
  forget(world.pools, p)
  p.pool = nil
end)
ops.recycle = with_pool(function(p) p.recycles = true p.pool:recycle() say "recycle" end)
ops.tasks = with_pool(function(p)
  local seen = {}
  for _, t in ipairs(p.pool:tasks()) do
    check(t.worker >= 1 and t.worker <= math.max(p.workers, 1) and not seen[t.worker], "tasks on worker", t.worker)
    check(t.seconds >= 0 and (t.index or 0) >= 0, "a task has run for", t.seconds, "as item", t.index)
    seen[t.worker] = true
  end
end)
ops.broadcast = with_pool(function(p)
  unspin()
  say "broadcast"
  check(#p.pool:broadcast(work, { kind = "value", v = 1 }) == math.max(p.workers, 1), "broadcast")
end)
ops.each = with_pool(function(p)
  unspin()
  local n = random(0, 40)
  say("each", n)
  local got = p.pool:each(lacus.range(1, n), function(x) return x end)
  check(got == n, "each gave", got, "of", n)
end)
ops.reduce = with_pool(function(p)
  unspin()
  local n = random(1, 60)
  say("reduce", n)
  local ok, got = pcall(p.pool.reduce, p.pool, lacus.range(1, n), function(x) return x end,
    function(a, b) return a + b end)
  if not ok and p.loses and got.kind == "lost" then return end
  check(ok and got == n * (n + 1) // 2, "reduce gave", got, "for", n)
end)

-- ---- futures -----------------------------------------------------------------------------

ops.submit = with_pool(function(p)
  local plan = plan_of(p, not p.one)
  local f = { pool = p, plan = plan }
  p.submits = p.submits + 1
  plan.word = p.seed and drawn(p.seed, p.submits)
  say("submit", plan.kind)
  f.future = p.pool:submit(work, plan)
  world.futures[#world.futures + 1] = f
end)

local final = { done = true, failed = true, cancelled = true }

local function look(f)
  local state = f.future:state()
  if f.final then check(state == f.final, "a future went from", f.final, "to", state) end
  if final[state] then f.final = state end
  return state
end

-- It has ended: what it gives is what its plan says.
local function ended(f)
  local state = look(f)
  check(final[state], "a future that has ended is", state)
  local ok, v = pcall(f.future.get, f.future)
  local want, kind = outcome(f.plan, 0)
  if f.plan.kind == "yields" and f.plan.n > 0 then want, kind = {}, "error" end
  if state == "cancelled" then
    check(not ok and v.kind == "cancelled", "a cancelled future gives", ok, v)
    check(f.cancelled or f.pool.cut, "a future was cancelled by nobody")
  elseif state == "done" then
    check(ok and not kind and same(want[1], v), "a future of", f.plan.kind, "gives", ok, v)
    check(not f.cancelled, "a cancelled future is done")
  else
    local lost = f.pool.loses and (v.kind == "lost" or f.plan.pool)
    check(not ok and (v.kind == kind or lost or f.pool.cut), "a future of", f.plan.kind, "fails with", ok, v)
  end
end

local function with_future(f) return function()
  if #world.futures > 0 then f(pick(world.futures)) end
end end

ops.look = with_future(look)
ops.get = with_future(function(f)
  unspin()
  say("get", f.plan.kind)
  check(f.future:wait(PATIENCE), "a future did not end:", f.plan.kind, look(f), "pool", f.pool.workers)
  ended(f)
end)
ops.wait = with_future(function(f)
  if f.future:wait(pick { 0, 0.001 }) then ended(f) end
end)
ops.cancel = with_future(function(f)
  local before = look(f)
  local did = f.future:cancel()
  say("cancel", f.plan.kind, before, did)
  check(not did or before ~= "done" and before ~= "failed", "what has ended was cancelled")
  f.cancelled = f.cancelled or did
  ended(f)
end)
ops.drop = with_future(function(f)
  if f.plan.kind == "spin" and not f.cancelled then f.future:cancel() end
  forget(world.futures, f)
end)
ops.wait_many = function()
  local list = {}
  for _, f in ipairs(world.futures) do list[#list + 1] = f.future end
  local any = some(true, 0.3)
  if not any then unspin() end
  local limit = any and random() / 100 or PATIENCE
  local done, rest = lacus.wait(list, { any = any, first_error = not any and some(true, 0.3) or nil, timeout = limit })
  say("wait", #done, #rest)
  check(#done + #rest == #list, "wait gave", #done, #rest, "of", #list)
  for _, f in ipairs(done) do check(final[f:state()], "wait gave one that is", f:state()) end
end
ops.as_completed = function()
  unspin()
  local list, seen = {}, {}
  for _, f in ipairs(world.futures) do list[#list + 1] = f.future end
  say("as_completed", #list)
  for f in lacus.as_completed(list, PATIENCE) do
    check(final[f:state()] and not seen[f], "as_completed gave one twice, or", f:state())
    seen[f] = true
  end
  for _, f in ipairs(list) do check(seen[f], "as_completed has left one out") end
end

-- ---- maps ---------------------------------------------------------------------------------

-- Gives `plans` in one of the ways a source can; after the last one it may fail.
local function source_of(plans, fails, calls)
  local function body()
    for _, plan in ipairs(plans) do
      if calls then coroutine.yield(work, plan) else coroutine.yield(plan) end
    end
    if fails then error "the source fails" end
  end
  if calls or fails then return pick { body, (lacus.generator(body)()) } end
  local at = 0
  return pick {
    function() return body, nil end,
    function() return (lacus.generator(body)()), nil end,
    function() return plans, nil end,
    function() return function() at = at + 1 return plans[at] end, nil end,
  }()
end

local RETRIED = { { "error" }, { "timeout" }, { "error", "timeout" }, nil }
local ALL = { "error", "timeout", "memory", "lost" }

-- Items in the order in which results are to come: nil, if in any. A pool's `shuffle`
-- mixes blocks of items.
local function order_of(s, shuffle, window)
  if not shuffle and not s.ordered then return nil end
  local order, block = {}, math.min(window or 16, 16)
  for first = 0, s.total - 1, block do
    local mixed = {}
    for k = 0, block - 1 do mixed[k] = first + k + 1 end
    if not s.ordered then
      local back = random(0)
      math.randomseed(shuffle, first // block)
      for k = block - 1, 1, -1 do
        local word, m = random(0), k + 1
        local other = word >= 0 and word % m or (word % m + (1 << 32) % m * ((1 << 32) % m)) % m
        mixed[k], mixed[other] = mixed[other], mixed[k]
      end
      math.randomseed(back)
    end
    for k = 0, block - 1 do if mixed[k] <= s.total then order[#order + 1] = mixed[k] end end
  end
  return order
end

local function retries_of()
  local retries, tried = some(random(1, 4), 0.3), {}
  local on = retries and RETRIED[random(4)]
  for _, kind in ipairs(retries and (on or ALL) or {}) do tried[kind] = true end
  return retries or 0, on, tried
end

-- Many that are quick, and some that are slow.
local function batched(s)
  for i = 1, random(10, 80) do
    s.plans[i] = plan_of(s.pool, (s.spins or s.timeout) and maybe(0.1), maybe(0.1) and { "busy" } or quick)
    s.plans[i].s = s.plans[i].s * 4
  end
  return random(2, 40), some(random(10, 80), 0.4)
end

local function mixed(s)
  for i = 1, random(0, 25) do s.plans[i] = plan_of(s.pool, s.spins or s.timeout) end
  return some(random(1, 9), 0.5), some(random(1, 9), 0.5)
end

ops.map = with_pool(function(p)
  local s = { pool = p, plans = {}, at = {}, over = {}, last = 1, fails = some(true, 0.1), timeout = some(0.02, 0.2),
    mode = pick { "raise", "return", "skip", "return" }, ordered = some(true, 0.4),
    deadline = some(random() / 20, 0.05) }
  s.spins = not p.one and not s.timeout and some(true, 0.2)
  s.retries, s.retry_on, s.tried = retries_of()
  local batch, window = pick { mixed, batched } (s)
  s.total = #s.plans
  s.order = order_of(s, p.shuffle, window)
  s.place = {}
  for k, i in ipairs(s.order or {}) do s.place[i] = k end
  if p.seed then for i, plan in ipairs(s.plans) do plan.word = drawn(p.seed, i) end end
  local options = { ordered = s.ordered, window = window, batch = batch, timeout = s.timeout, on_error = s.mode,
    deadline = s.deadline, retries = s.retries > 0 and s.retries or nil, retry_on = s.retry_on }
  if s.retries > 0 then options.retry_delay = pick { 0, 0.001, function(k) return k / 2000 end, { 0, 0.001 } } end
  local calls = maybe(0.2)
  say("map", s.total, s.mode, s.ordered or p.shuffle, "retries", s.retries, "timeout", s.timeout, "batch", batch,
    window)
  if calls then s.results = p.pool:map(source_of(s.plans, s.fails, true), nil, options)
  else s.results = p.pool:map(source_of(s.plans, s.fails), work, options) end
  world.streams[#world.streams + 1] = s
end)

-- What cannot be told: a state that is replaced, and an attempt whose time was up, forget
-- what was tried; what waits for another task that is lost, fails.
local function wants(s, i)
  local plan = s.plans[i]
  local list, kind = outcome(plan, s.tried.error and s.retries or 0)
  if plan.kind == "flaky" and plan.n > 0 and (s.pool.recycles or s.timeout and s.retries > 0) then return nil end
  if plan.pool and s.pool.loses then return nil end
  return list, kind
end

local function may_fail(s, kind) return kind or s.timeout or s.pool.loses end

local function in_order(s, i)
  if not s.order then return end
  local place = s.place[i]
  check(place >= s.last, "item", i, "comes after", s.order[s.last])
  for at = s.last, place - 1 do
    local k = s.order[at]
    if not s.over[k] then
      local list, kind = wants(s, k)
      check(not list or may_fail(s, kind) or s.at[k] == #list, "item", i, "while", k, "has", s.at[k], "results")
      check(not kind or s.mode == "skip" or may_fail(s), "item", k, "has not failed")
      s.over[k] = true
    end
  end
  s.last = place
end

local function took(s, i, v)
  check(s.plans[i], "a result of item", i, "of", s.total)
  check(not s.over[i], "a result of item", i, "after its end")
  in_order(s, i)
  local at = (s.at[i] or 0) + 1
  local list = wants(s, i)
  s.at[i] = at
  if list then
    check(at <= #list, "item", i, s.plans[i].kind, "has", at, "results")
    check(same(list[at], v), "item", i, s.plans[i].kind, "gives", v)
    if at == #list and s.plans[i].kind ~= "yields" then s.over[i] = true end
  end
end

local function failed(s, i, err)
  check(s.plans[i], "an error of item", i, err)
  check(not s.over[i], "an error of item", i, "after its end")
  in_order(s, i)
  s.over[i] = true
  s.at[i] = s.at[i] or 0
  local list, kind = wants(s, i)
  local ok = not list or err.kind == kind or s.timeout and err.kind == "timeout"
  ok = ok or s.pool.loses and err.kind == "lost" or s.pool.cut
  check(ok, "item", i, s.plans[i].kind, "fails with", err.kind, err)
  check(err.index == nil or err.index == i, "an error of item", i, "has index", err.index)
  if s.pool.cut or err.kind == "lost" then return end
  local all = s.tried[err.kind] and s.plans[i].kind ~= "yields"
  check(all and err.attempt == s.retries + 1 or not all and err.attempt <= s.retries + 1,
    "item", i, s.plans[i].kind, "fails with", err.kind, "at attempt", err.attempt, "of", s.retries + 1)
end

-- The loop ended by itself: nothing is missing.
local function through(s)
  s.done = true
  check(not s.fails or s.pool.closed, "the source's error was lost")
  if s.pool.closed then return end
  for i = 1, s.total do
    local list, kind = wants(s, i)
    if list and not s.over[i] then
      check(s.mode == "skip" and may_fail(s, kind) or not kind and (s.at[i] or 0) == #list,
        "at the end, item", i, s.plans[i].kind, "has", s.at[i] or 0, "results")
    end
  end
end

-- The loop raised: `for` would close it, and so do we.
local function raised(s, err)
  s.done = true
  s.results:close()
  local text = tostring(err)
  if s.pool.closed or s.closed then return end
  if s.fails and text:find("the source fails", 1, true) then return end
  check(type(err) ~= "string", "a loop raised", err)
  if s.deadline and err.kind == "timeout" and err.index == nil then return end
  check(s.mode == "raise", "a loop with on_error", s.mode, "raised", err.kind, text)
  check(err.index, "an error without an index:", text)
  failed(s, err.index, err)
end

-- What a call of next or poll gave. 1 if there may be more.
local function step(s, ok, i, a, b)
  if not ok then raised(s, i) return false end
  if i == nil and (a == "timeout" or a == "pending") then return true, a end
  if i == nil then through(s) return false end
  if s.mode == "return" then
    if a then took(s, i, b) else failed(s, i, b) end
  else took(s, i, a) end
  return true
end

local function with_stream(f) return function()
  if #world.streams == 0 then return end
  local s = pick(world.streams)
  if s.done then forget(world.streams, s) else f(s) end
end end

ops.poll = with_stream(function(s) step(s, pcall(s.results.poll, s.results)) end)
ops.next_in_time = with_stream(function(s) step(s, pcall(s.results.next, s.results, random() / 500)) end)
ops.next = with_stream(function(s)
  unspin()
  if s.done then return end
  local _, why = step(s, pcall(s.results.next, s.results, PATIENCE))
  if why then in_vain(s, "next") end
end)
ops.finish = with_stream(function(s)
  say("finish", s.total)
  local leave = some(random(20), 0.3)
  while not s.done do
    unspin()
    if s.done then return end
    local _, why = step(s, pcall(s.results.next, s.results, PATIENCE))
    if why then in_vain(s, "a loop") end
    if maybe(0.3) then coroutine.yield() end
    leave = leave and leave - 1
    if leave == 0 then return end
  end
end)
ops.close_results = with_stream(function(s)
  local n = s.results:close()
  say("close results", n)
  check(math.type(n) == "integer" and n >= 0 and n <= s.total, "close gave", n)
  s.done = true
  local ok, i = pcall(s.results.next, s.results)
  check(not ok or i == nil, "closed results give", i)
end)
ops.collect = with_stream(function(s)
  unspin()
  if s.done or next(s.at) or next(s.over) or s.mode ~= "skip" then return end
  if s.timeout or s.deadline or s.fails or s.pool.closed or s.pool.loses then return end
  say("collect", s.total)
  local got = s.results:collect()
  s.done = true
  check(got.n == s.total, "collect gave n =", got.n)
  for i = 1, s.total do
    local list, kind = wants(s, i)
    if list and not kind then
      local v = got[i]
      if s.plans[i].kind == "yields" and type(v) == "table" then
        for k = 1, #list do check(same(list[k], v[k]), "collect", i, k, v[k]) end
      else check(same(list[1], v), "collect", i, v) end
    end
  end
end)
ops.drop_results = with_stream(function(s)
  forget(world.streams, s)
  world.dropped = world.dropped or s.spins
  s.done = true
  s.results = nil
end)

-- ---- generators -------------------------------------------------------------------------------

ops.generate = with_pool(function(p)
  local plan = { v = random(1000), n = random(0, 20), kind = "yields", s = some(0.001, 0.3),
    fails = some(true, 0.2) }
  local g = { pool = p, plan = plan, at = 0, echoes = maybe(0.3) }
  p.submits = p.submits + 1
  say("generate", plan.n, g.echoes)
  local body = g.echoes and echo or function(q)
    work(q)
    if q.fails then error "the body fails" end
  end
  g.generator = p.pool:generate(body, plan)
  world.generators[#world.generators + 1] = g
end)

local function turn_of(g)
  if g.echoes and g.at > 0 then
    g.sent = random(1000)
    return pcall(g.generator.send, g.generator, g.sent)
  end
  return pcall(g.generator.next, g.generator)
end

local function gen_step(g)
  local ok, more, v = turn_of(g)
  if not ok then
    g.done = true
    check(g.pool.closed or g.plan.fails and g.at == g.plan.n or g.pool.loses and more.kind == "lost",
      "a generator raised", more)
  elseif not more then
    g.done = true
    check(g.pool.closed or not g.echoes and not g.plan.fails and g.at == g.plan.n,
      "a generator ended at", g.at, "of", g.plan.n)
  else
    g.at = g.at + 1
    local want = g.plan.v + g.at
    if g.echoes then want = g.at == 1 and g.plan.v or g.sent + g.plan.v end
    check(v == want, "a generator gave", v, "not", want)
  end
end

local function with_generator(f) return function()
  if #world.generators == 0 then return end
  local g = pick(world.generators)
  if g.done then forget(world.generators, g) else unspin() f(g) end
end end

ops.gen_next = with_generator(gen_step)
ops.gen_finish = with_generator(function(g)
  for _ = 1, 40 do
    if g.done then return end
    unspin()
    gen_step(g)
    if maybe(0.2) then coroutine.yield() end
  end
end)
ops.gen_close = with_generator(function(g)
  g.done = true
  g.generator:close()
  say "close generator"
  check(g.generator:status() == "dead", "a closed generator is", g.generator:status())
end)
ops.gen_drop = with_generator(function(g) forget(world.generators, g) g.done = true end)

-- ---- others -----------------------------------------------------------------------------------

function ops.collectgarbage() collectgarbage() end
function ops.step_garbage() collectgarbage "step" end
function ops.sleep() lacus.sleep(random() / 500) end

local names = {}
for name in pairs(ops) do names[#names + 1] = name end
table.sort(names)
local often = { "submit", "map", "generate", "finish", "next", "poll", "get", "cancel", "gen_finish", "open" }
for _, name in ipairs(often) do names[#names + 1] = name names[#names + 1] = name end

local function thread(turns)
  return coroutine.create(function()
    for _ = 1, turns do
      ops[pick(names)]()
      coroutine.yield()
    end
  end)
end

local function program(seed)
  math.randomseed(seed)
  world = { pools = {}, futures = {}, streams = {}, generators = {}, log = {}, ids = 0 }
  local threads = {}
  for i = 1, random(1, 4) do threads[i] = thread(random(5, 40)) end
  ops.open()
  while #threads > 0 do
    local k = random(#threads)
    local ok, err = coroutine.resume(threads[k])
    if not ok then error(debug.traceback(threads[k], tostring(err)), 0) end
    if coroutine.status(threads[k]) == "dead" then table.remove(threads, k) end
  end
  for _, f in ipairs(world.futures) do look(f) end
  for _, p in ipairs(open_pools()) do shut(p, some({ cancel = true }, 0.3)) end
  for _, f in ipairs(world.futures) do
    unspin()
    check(f.future:wait(PATIENCE), "a future did not end:", f.plan.kind)
    ended(f)
  end
end

local seed, n = math.tointeger(arg[1]), math.tointeger(arg[2] or 1)
warn "@off"
for k = seed, seed + n - 1 do
  local at = os.getenv "FUZZ_AT"
  if at then
    local f = assert(io.open(at, "w"))
    f:write(k, "\n")
    f:close()
  end
  local ok, err = pcall(program, k)
  if not ok then
    io.stderr:write("seed ", k, ": ", err, "\n  after: ", table.concat(world.log, "; "), "\n")
    os.exit(1)
  end
end
