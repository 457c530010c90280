-- Items that are tried again, and maps that have a deadline.
local lacus = require "lacus"
local fails = require "spec.support.fails"
local gate = require "spec.support.gate"

local yield = coroutine.yield
local error = error

local script = require("spec.support.script").plain

-- A task that fails until its `n`-th attempt at an item; then gives how many there
-- were. For pools with one worker.
local stubborn = script [[
  local n, item = ...
  tries = tries or {}
  tries[item] = (tries[item] or 0) + 1
  if tries[item] < n then error("attempt " .. tries[item], 0) end
  return tries[item]
]]

local tries_of = script "return tries and tries[...]"

local function pairs_of(n, item)
  return lacus.generator(function() yield(n, item) end)()
end

describe("the option retries", function()
  local pool

  before_each(function() pool = lacus.pool(1) end)
  after_each(function() pool:close { cancel = true } end)

  it("tries a failed item again, and hands over one result", function()
    local results = pool:map(pairs_of(3, "x"), stubborn, { retries = 2 })
    assert.same({ 1, 3 }, { results() })
    assert.is_nil(results())
  end)

  it("gives up after so many more attempts, and the error says so", function()
    local err = fails.with("^attempt 3", pool:map(pairs_of(9, "x"), stubborn, { retries = 2 }))
    assert.same({ "error", 1, 9, 3 }, { err.kind, err.index, err.item, err.attempt })
    assert.equal(3, pool:submit(tries_of, "x"):get())
  end)

  it("is none when nothing is said, or 0", function()
    assert.equal(1, fails.with("^attempt 1", pool:map(pairs_of(2, "x"), stubborn)).attempt)
    assert.equal(1, fails.with("^attempt 1", pool:map(pairs_of(2, "y"), stubborn, { retries = 0 })).attempt)
  end)

  it("counts for each item alone, whatever travels with it", function()
    local source = lacus.generator(function() for i = 1, 300 do yield(i % 4, i) end end)
    local list = pool:map(source(), stubborn, { retries = 2, batch = 50 }):collect()
    for i = 1, 300 do assert.equal(math.max(1, i % 4), list[i]) end
  end)

  it("keeps the order of the source", function()
    local source = lacus.generator(function() for i = 1, 200 do yield(1 + i % 3, i) end end)
    local next_one = 1
    for i in pool:map(source(), stubborn, { retries = 2, ordered = true, retry_delay = 0.001 }) do
      assert.equal(next_one, i)
      next_one = next_one + 1
    end
    assert.equal(201, next_one)
  end)

  it("keeps the window: nothing is pulled beyond it while an item is tried again", function()
    local pulled = 0
    local source = lacus.generator(function()
      for i = 1, 1000 do
        pulled = pulled + 1
        yield(i == 1 and 5 or 1, i)
      end
    end)
    for i in pool:map(source(), stubborn, { retries = 4, window = 7, ordered = true, retry_delay = 0.001 }) do
      assert.is_true(pulled - i < 7, pulled)       -- those before i have been handed over
      if i == 20 then break end
    end
  end)

  it("works where each item is a call", function()
    local calls = lacus.generator(function() for i = 1, 10 do yield(stubborn, 3, i) end end)
    local list = pool:map(calls(), nil, { retries = 2 }):collect()
    for i = 1, 10 do assert.equal(3, list[i]) end
  end)

  it("decodes the item afresh each time", function()
    local list = pool:map({ { n = 0 } }, script [[
      local t = ...
      t.n = t.n + 1
      if not once then
        once = true
        error "changed it first"
      end
      return t.n
    ]], { retries = 1 }):collect()
    assert.equal(1, list[1])
  end)

  it("does not try again what has yielded: its values have been handed over", function()
    local results = pool:map({ 1 }, script [[
      runs = (runs or 0) + 1
      coroutine.yield(runs)
      error("after " .. runs, 0)
    ]], { retries = 5 })
    assert.same({ 1, 1 }, { results() })
    assert.equal(1, fails.with("^after 1", results).attempt)
  end)

  it("tries again after a stack overflow too", function()
    local ok, err = pcall(pool:map({ 1 }, script [[
      runs = (runs or 0) + 1
      if runs < 3 then local function f() return 1 + f() end f() end
      return runs
    ]], { retries = 2 }))
    assert.same({ true, 1 }, { ok, err })
  end)

  it("does not try again what cannot be sent", function()
    local err = fails.with("cannot send result", pool:map({ 1 }, script [[
      runs = (runs or 0) + 1
      return coroutine.create(error)
    ]], { retries = 5 }))
    assert.same({ "transfer", 1 }, { err.kind, err.attempt })
    assert.equal(1, pool:submit(script "return runs"):get())
  end)

  -- (Sanitizers delay the signal that stops a loop.)
  it("tries again what did not end within its timeout, with a new one #notsan", function()
    local endless = script [[
      runs = (runs or 0) + 1
      if runs % 3 > 0 then while true do end end
      return runs
    ]]
    assert.same({ 3, n = 1 }, pool:map({ 1 }, endless, { timeout = 0.05, retries = 2 }):collect())
    local err = fails.with("within its timeout", pool:map({ 1 }, endless, { timeout = 0.05, retries = 1 }))
    assert.same({ "timeout", 2 }, { err.kind, err.attempt })
    pool:submit(script "runs = 0"):get()
    err = fails.with("within its timeout", pool:map({ 1 }, endless,
      { timeout = 0.05, retries = 1, retry_on = { "error" } }))
    assert.same({ "timeout", 1 }, { err.kind, err.attempt })
  end)

  it("tries again a task that waits too long", function()
    local waiting = script [[
      runs = (runs or 0) + 1
      if runs < 3 then require "lacus".sleep(1e9) end
      return runs
    ]]
    assert.same({ 3, n = 1 }, pool:map({ 1 }, waiting, { timeout = 0.05, retries = 2 }):collect())
  end)

  it("goes with on_error: one failure for each item, with its attempts", function()
    local source = lacus.generator(function() for i = 1, 4 do yield(i, i) end end)
    local got = {}
    for i, ok, v in pool:map(source(), stubborn, { retries = 2, on_error = "return" }) do
      got[i] = ok and v or v.attempt .. " failed"
    end
    assert.same({ 1, 2, 3, "3 failed" }, got)
  end)

  it("works in pool:each, without threads, and in tasks", function()
    assert.equal(1, pool:each(pairs_of(2, "each"), stubborn, { retries = 1 }))
    local none <close> = lacus.pool(0)
    assert.same({ 3, n = 1 }, none:map(pairs_of(3, "x"), stubborn, { retries = 2, retry_delay = 0.001 }):collect())
    local options = { retries = 1, retry_delay = 0.001 }
    assert.equal(2, pool:submit(function()
      return pool:map({ 2 }, function(n) return stubborn(n, "inner") end, options):collect()[1]
    end):get())
  end)

  it("makes no difference where nothing fails", function()
    local list = pool:map(lacus.range(1, 500), function(x) return x end, { retries = 3 }):collect()
    for i = 1, 500 do assert.equal(i, list[i]) end
  end)
end)

describe("the option retry_on", function()
  it("names the kinds that are tried again", function()
    local pool <close> = lacus.pool(1)
    assert.equal(1, fails.with("^attempt 1",
      pool:map(pairs_of(2, "x"), stubborn, { retries = 3, retry_on = { "memory", "lost" } })).attempt)
    assert.same({ 2, n = 1 },
      pool:map(pairs_of(2, "y"), stubborn, { retries = 3, retry_on = { "error" } }):collect())
    assert.equal(1, fails.with("^attempt 1",
      pool:map(pairs_of(2, "z"), stubborn, { retries = 3, retry_on = {} })).attempt)
  end)
end)

describe("the option retry_delay", function()
  local pool

  before_each(function() pool = lacus.pool(1) end)
  after_each(function() pool:close { cancel = true } end)

  it("holds no worker, and no reader", function()
    local source = lacus.generator(function() yield(2, 0) for i = 1, 50 do yield(1, i) end end)
    local got = 0
    for i, tries in pool:map(source(), stubborn, { retries = 1, retry_delay = 1e6 }) do
      assert.is_true(i > 1 and tries == 1)
      got = got + 1
      if got == 50 then break end
    end
    assert.equal(7, pool:submit(function() return 7 end):get())
  end)

  it("ends when nobody wants the result: the worker may have a new state", function()
    local one <close> = lacus.pool { workers = 1, recycle = 1 }
    local results = one:map(pairs_of(2, "x"), stubborn, { retries = 1, retry_delay = 1e6 })
    gate.await(function() return one:submit(tries_of, "x"):get() == 1 end)
    results:close()
    gate.await(function() return one:submit(tries_of, "x"):get() == nil end)
  end)

  it("is waited for before the next attempt", function()
    local begun = lacus.now()
    pool:map(pairs_of(3, "x"), stubborn, { retries = 2, retry_delay = 0.03 }):collect()
    assert.is_true(lacus.now() - begun >= 0.06)
  end)

  it("may be a list, one for each attempt, the last for the rest", function()
    local begun = lacus.now()
    pool:map(pairs_of(4, "x"), stubborn, { retries = 3, retry_delay = { 0.02, 0, 0.02 } }):collect()
    assert.is_true(lacus.now() - begun >= 0.04)
    local results <close> = pool:map(pairs_of(9, "y"), stubborn, { retries = 8, retry_delay = { 0, 0, 1e6 } })
    assert.same({ nil, "timeout" }, { results:next(0.05) })
    assert.equal(3, pool:submit(tries_of, "y"):get())
  end)

  it("may be a function of the attempt that failed, which the worker calls", function()
    local err = fails.with("^attempt 4", pool:map(pairs_of(9, "x"), stubborn, {
      retries = 3,
      retry_delay = script "log = (log or '') .. ... return 0.001",
    }))
    assert.equal(4, err.attempt)
    assert.equal("123", pool:submit(script "return log"):get())
  end)

  it("that fails, or gives no time, fails the item", function()
    local err = fails.with("retry_delay: .*no idea", pool:map(pairs_of(9, "x"), stubborn, {
      retries = 3, retry_delay = function() error "no idea" end,
    }))
    assert.same({ "error", 1, 1 }, { err.kind, err.attempt, err.index })
    fails.with("retry_delay: a number of seconds expected, got soon", pool:map(pairs_of(9, "x"), stubborn,
      { retries = 3, retry_delay = function() return "soon" end }))
    for _, s in ipairs { -1, 0 / 0, 1e300 } do
      fails.with("retry_delay: a number of seconds expected, got " .. fails.plain(s),
        pool:map(pairs_of(9, "x" .. s), stubborn, { retries = 3, retry_delay = function() return s end }))
    end
    assert.same({ 1, n = 1 }, pool:map(pairs_of(1, "y"), stubborn):collect())
  end)

  it("runs no <close> of the failed attempt late", function()
    local list = pool:map({ 1 }, script [[
      local _ <close> = setmetatable({}, { __close = function() closed = (closed or 0) + 1 end })
      if (closed or 0) < 2 then error "not yet" end
      return closed
    ]], { retries = 5, retry_delay = 0.001 }):collect()
    assert.equal(2, list[1])
  end)
end)

describe("options of retries", function()
  local pool

  setup(function() pool = lacus.pool(1) end)
  teardown(function() pool:close() end)

  local function refused(pattern, options)
    fails.here(pattern, function() pool:map({ 1 }, error, options) end)
  end

  it("are refused when they make no sense", function()
    for _, n in ipairs { -1, 1.5, "3", true } do
      refused("option 'retries' must be an integer of at least 0, got ", { retries = n })
    end
    refused("option 'retries' must be an integer of at most 2147483646, got 2147483647", { retries = 0x7FFFFFFF })
    for _, s in ipairs { -1, "1", true, 0 / 0, math.huge } do
      refused("option 'retry_delay': a number of seconds expected, got ", { retries = 1, retry_delay = s })
      refused("option 'retry_delay': a number of seconds expected, got ", { retries = 1, retry_delay = { 1, s } })
    end
    refused("option 'retry_delay' is an empty list", { retries = 1, retry_delay = {} })
    refused("option 'retry_on' must be a list of kinds, got error", { retries = 1, retry_on = "error" })
    for _, kind in ipairs { "transfer", "cancelled", "errors", 1 } do
      refused("option 'retry_on': .* are tried again, not " .. kind, { retries = 1, retry_on = { "error", kind } })
    end
    refused("option 'retry_delay' without 'retries'", { retry_delay = 1 })
    refused("option 'retry_on' without 'retries'", { retry_on = { "error" } })
  end)

  it("are refused when a function cannot be sent", function()
    local co = coroutine.create(error)
    refused("cannot send retry_delay: upvalue 'co' of function at .*a coroutine",
      { retries = 1, retry_delay = function() return co end })
  end)
end)

describe("the option deadline", function()
  local pool

  before_each(function() pool = lacus.pool(1) end)
  after_each(function() pool:close { cancel = true } end)

  local function asleep(x)
    if x > 2 then lacus.sleep(1e9) end
    return x
  end

  it("ends a map that takes longer, with what is done handed over", function()
    local got = {}
    local err = fails.with("map: not done within its deadline of 0.1 s", function()
      for i, v in pool:map(lacus.range(1, 5), asleep, { deadline = 0.1 }) do got[i] = v end
    end)
    assert.equal("timeout", err.kind)
    assert.same({ 1, 2 }, got)
    assert.equal(3, pool:submit(function() return 3 end):get())
  end)

  it("points at the line that asked", function()
    local results = pool:map({ 3 }, asleep, { deadline = 0.01 })
    fails.here("map: not done within", function() results:next() end)
  end)

  it("is raised whatever on_error says", function()
    for _, how in ipairs { "return", "skip", "raise" } do
      fails.with("deadline", function()
        for _ in pool:map({ 1, 3 }, asleep, { deadline = 0.02, on_error = how }) do end
      end)
    end
  end)

  it("closes the source, and the results are over", function()
    local source = lacus.range(1, 1e9)
    local results = pool:map(source, asleep, { deadline = 0.02, window = 3 })
    fails.with("deadline", function() while true do results:next() end end)
    assert.equal("dead", source:status())
    assert.is_nil(results:next())
    assert.equal(0, results:close())
  end)

  it("is what poll and a shorter wait see too", function()
    local results <close> = pool:map({ 3 }, asleep, { deadline = 0.05 })
    assert.same({ nil, "timeout" }, { results:next(0) })
    assert.same({ nil, "pending" }, { results:poll() })
    fails.with("deadline", function() while results:poll() == nil do end end)
  end)

  it("counts from the call, also when nobody asks meanwhile", function()
    local results = pool:map({ 1 }, asleep, { deadline = 0 })
    fails.with("deadline of 0.0 s", results)
  end)

  it("does nothing to a map that is done in time", function()
    local results = pool:map({ 1, 2 }, asleep, { deadline = 1e6, ordered = true })
    assert.same({ { 1, 1 }, { 2, 2 } }, { { results() }, { results() } })
    assert.is_nil(results())
    assert.same({ 1, n = 1 }, pool:map({ 1 }, asleep, { deadline = math.huge }):collect())
  end)

  it("holds while the source waits for a worker", function()
    local other <close> = lacus.pool(1)
    local source = other:generate(function() yield(1) lacus.sleep(1e9) end)
    fails.with("deadline", function()
      for _ in pool:map(source, asleep, { deadline = 0.05 }) do end
    end)
    assert.equal("dead", source:status())
    fails.with("deadline", pool:map(other:generate(lacus.sleep, 1e9), asleep, { deadline = 0.01 }))
    fails.with("deadline", function()
      pool:submit(function()
        for _ in pool:map(other:generate(lacus.sleep, 1e9), asleep, { deadline = 0.01 }) do end
      end):get()
    end)
  end)

  it("ends attempts that wait for their time", function()
    fails.with("deadline", pool:map(pairs_of(2, "x"), stubborn, { retries = 1, retry_delay = 1e6, deadline = 0.05 }))
  end)

  it("holds in a task, whose worker goes on", function()
    local err = fails.with("deadline", function()
      pool:submit(function()
        for _ in pool:map({ 3 }, asleep, { deadline = 0.05 }) do end
      end):get()
    end)
    assert.equal("timeout", err.value.kind)
  end)

  it("is refused when it is no number of seconds", function()
    for _, s in ipairs { -1, "1", true, 0 / 0 } do
      fails.here("option 'deadline' must be a number of seconds, not negative, got ",
        function() pool:map({ 1 }, error, { deadline = s }) end)
    end
  end)
end)
