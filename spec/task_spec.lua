-- luacheck: ignore 512 (loops that break at once are what is tested)
-- Tasks that yield: generators in workers, whose results are streamed.
local lacus = require "lacus"
local fails = require "spec.support.fails"
local gate = require "spec.support.gate"

local yield = coroutine.yield
local open, wait = gate.open, gate.wait

local script = require("spec.support.script").with_lacus

local function count(n)
  for i = 1, n do yield(i) end
end

-- All results as "index:value" in the order in which they come.
local function arrivals(...)
  local list = {}
  for i, value in ... do list[#list + 1] = i .. ":" .. tostring(value) end
  return list
end

local pool

setup(function() pool = lacus.pool(2) end)
teardown(function() pool:close() end)

describe("a coroutine of a task", function()
  local setmetatable, unpack = setmetatable, table.unpack
  local coroutine, pcall = coroutine, pcall          -- not by _ENV, which is busted's

  it("is closed as any other", function()
    local ok, closed, status = pool:submit(function()
      local closed = false
      local co = coroutine.create(function()
        local _ <close> = setmetatable({}, { __close = function() closed = true end })
        coroutine.yield()
      end)
      coroutine.resume(co)
      return coroutine.close(co), closed, coroutine.status(co)
    end):get()
    assert.same({ true, true, "dead" }, { ok, closed, status })
  end)

  -- A stack of Lua holds a million values at most.
  it("cannot give more values than there is room for", function()
    local function resume(...)        -- luacheck: ignore 212
      local ok, err = coroutine.resume(coroutine.create(function() return unpack({}, 1, 600000) end))
      return ok, err
    end
    assert.same({ false, "too many results to resume" },
      { pool:submit(function() return resume(unpack({}, 1, 500000)) end):get() })
  end)

  it("cannot take more either, and lives on", function()
    local function crowded(...)       -- luacheck: ignore 212
      local got = coroutine.yield()
      return got
    end
    local function body() return crowded(unpack({}, 1, 600000)) end
    local function resumed()
      local co = coroutine.create(body)
      coroutine.resume(co)
      local ok, err = coroutine.resume(co, unpack({}, 1, 500000))
      return ok, err, coroutine.resume(co, 7)
    end
    local function wrapped()
      local co = coroutine.wrap(body)
      co()
      local ok, err = pcall(function() co(unpack({}, 1, 500000)) end)
      return ok, err, co(7)
    end
    assert.same({ false, "too many arguments to resume", true, 7 }, { pool:submit(resumed):get() })
    local ok, err, value = pool:submit(wrapped):get()
    assert.is_false(ok)
    assert.matches("task_spec.lua:%d+: too many arguments to resume$", err)
    assert.equal(7, value)
  end)
end)

describe("a task that yields", function()
  it("gives a result for each yield, under the item's index", function()
    assert.same({ "1:1", "1:2", "1:3" }, arrivals(pool:map({ 3 }, count)))
  end)

  it("gives each at once, and goes on only then", function()
    local go = gate.new()
    local results = pool:map({ go }, function(name)
      yield "early"
      wait(name)
      yield "late"
    end)
    assert.same({ 1, "early" }, { results:next(60) })
    open(go)
    assert.same({ 1, "late" }, { results:next(60) })
    assert.is_nil(results:next())
    os.remove(go)
  end)

  it("gives what it returns as the last, unless that is nothing", function()
    assert.same({ "1:1", "1:end" }, arrivals(pool:map({ 0 }, function()
      yield(1)
      return "end"
    end)))
    assert.same({ "1:1", "1:nil" }, arrivals(pool:map({ 0 }, function()
      yield(1)
      return nil
    end)))
    assert.same({ "1:1" }, arrivals(pool:map({ 0 }, function() yield(1) end)))
    assert.same({ "1:nil" }, arrivals(pool:map({ 0 }, function() end)))
  end)

  it("passes all values of a yield, nil and none included", function()
    local results = pool:map({ 0 }, function()
      yield(1, nil, "x", nil)
      yield(nil)
      yield()
    end)
    assert.same({ 1, 1, nil, "x", nil, n = 5 }, table.pack(results()))
    assert.same({ 1, nil, n = 2 }, table.pack(results()))
    assert.same({ 1, n = 1 }, table.pack(results()))
    assert.is_nil(results())
  end)

  it("copies tables as they are at the yield", function()
    local list = {}
    for _, t in pool:map({ 3 }, function(n)
      local t = {}
      for i = 1, n do
        t[i] = i
        yield(t)
      end
    end) do list[#list + 1] = #t end
    assert.same({ 1, 2, 3 }, list)
  end)

  it("gets nothing back from a yield", function()
    local select = select
    local list = pool:map({ 0 }, function() return select("#", yield(1)) end):collect()
    assert.same({ { 1, 0 }, n = 1 }, list)
  end)

  it("may do so below calls and protected calls", function()
    local pcall, error = pcall, error
    local function deep(n) if n == 0 then yield "deep" else deep(n - 1) end end
    assert.same({ "1:deep", "1:caught", "1:false" }, arrivals(pool:map({ 50 }, function(n)
      deep(n)
      return (pcall(function() yield "caught" error "x" end))
    end)))
  end)

  it("may be many, on few workers, each with its own place", function()
    local sum, seen = {}, 0
    for i, v in pool:map(lacus.range(1, 200), function(n)
      for k = 1, n % 7 do yield(n * k) end
      return n * 100
    end) do
      sum[i] = (sum[i] or 0) + v
      seen = seen + 1
    end
    local expected = 0
    for n = 1, 200 do
      local k = n % 7
      assert.equal(n * k * (k + 1) // 2 + n * 100, sum[n])
      expected = expected + k + 1
    end
    assert.equal(expected, seen)
  end)

  it("may stand among calls of other functions", function()
    local list = pool:map(function()
      yield(count, 2)
      yield(math.max, 3, 9)
      yield("string.rep", "ab", 2)
    end):collect()
    assert.same({ { 1, 2 }, 9, "abab", n = 3 }, list)
  end)

  it("is collected into a list, in order", function()
    local list = pool:map({ 3, 0, 1 }, count):collect()
    assert.same({ 1, 2, 3 }, list[1])
    assert.same({ 1 }, list[3])
    assert.equal(3, list.n)
  end)

  it("is read by values() without the index", function()
    local list = {}
    for v in pool:map({ 4 }, count):values() do list[#list + 1] = v end
    assert.same({ 1, 2, 3, 4 }, list)
  end)

  it("is not possible for a submitted one, which has one result", function()
    fails.with("a submitted task has one result: it cannot yield", function()
      pool:submit(count, 3):get()
    end)
  end)

  it("cannot yield where Lua cannot, and says so", function()
    local sort = table.sort
    fails.with("attempt to yield across a C%-call boundary", pool:map({ 0 }, function()
      sort({ 3, 2, 1 }, function(a, b) yield(a) return a < b end)
    end))
  end)
end)

describe("a task that fails after it has yielded", function()
  local error = error
  local function failing(n)
    for i = 1, n do yield(i) end
    error "dry"
  end

  it("raises after what it gave", function()
    local list = {}
    local err = fails.with("dry", function()
      for _, v in pool:map({ 3 }, failing) do list[#list + 1] = v end
    end)
    assert.same({ 1, 2, 3 }, list)
    assert.same({ "error", 1, 3 }, { err.kind, err.index, err.item })
    assert.matches("task_spec.lua:%d+: in ", err.traceback)
  end)

  it("follows on_error", function()
    local list = {}
    for _, ok, v in pool:map({ 2 }, failing, { on_error = "return" }) do
      list[#list + 1] = tostring(ok) .. ":" .. (ok and v or v.kind)
    end
    assert.same({ "true:1", "true:2", "false:error" }, list)
    assert.same({ "1:1", "1:2" }, arrivals(pool:map({ 2 }, failing, { on_error = "skip" })))
  end)
end)

describe("ordered results of tasks that yield", function()
  it("keep all of one item before the next", function()
    local list = arrivals(pool:map({ 3, 1, 0, 2 }, function(n)
      for k = 1, n do yield(k) end
      return "end"
    end, { ordered = true }))
    assert.same({ "1:1", "1:2", "1:3", "1:end", "2:1", "2:end", "3:end",
      "4:1", "4:2", "4:end" }, list)
  end)

  it("do so when the later item is done first", function()
    local go = gate.new()
    local list = arrivals(pool:map({ 1, 2 }, function(i)
      if i == 1 then
        wait(go)
        yield "a"
        return "b"
      end
      yield "c"
      open(go)
      return "d"
    end, { ordered = true, batch = 1 }))
    os.remove(go)
    assert.same({ "1:a", "1:b", "2:c", "2:d" }, list)
  end)

  it("come to an end however much the later items have to say", function()
    local one <close> = lacus.pool(1)
    for _, window in ipairs { 1, 2, 5 } do
      local n, last = 0, 0
      for i in one:map(lacus.range(1, 20), function()
        for k = 1, 50 do yield(k) end
      end, { ordered = true, window = window }) do
        if i < last then error "out of order" end
        n, last = n + 1, i
      end
      assert.equal(20 * 50, n)
    end
  end)

  it("leave room for the item whose turn it is", function()
    local two <close> = lacus.pool(2)
    local go = gate.new()
    local n = 0
    for _ in two:map(lacus.range(1, 4), function(i)
      if i == 1 then wait(go) end
      if i == 4 then open(go) end
      if i ~= 4 then for k = 1, 100 do yield(k) end end
    end, { ordered = true, window = 4, batch = 1 }) do n = n + 1 end
    os.remove(go)
    assert.equal(301, n)
  end)
end)

describe("a task whose consumer is slow", function()
  local produce = script [[
    made = 0
    for i = 1, ... do coroutine.yield(i) made = made + 1 end
  ]]
  local made = script "return made"

  it("is never more than the window ahead", function()
    for _, ordered in ipairs { false, true } do
      for _, window in ipairs { 1, 2, 7, 100 } do
        local one <close> = lacus.pool(1)
        local results = one:map({ 100000 }, produce, { window = window, ordered = ordered })
        for taken = 1, 20 do
          assert.same({ 1, taken }, { results:next() })
          local ahead = one:submit(made):get() - taken
          assert.is_true(ahead <= window, ahead .. " ahead")
        end
        results:close()
      end
    end
  end)

  it("is so many ahead together with the others", function()
    local one <close> = lacus.pool(1)
    local results = one:map(lacus.range(1, 50), script [[
      total = total or 0
      for i = 1, 1000 do coroutine.yield(i) total = total + 1 end
    ]], { window = 10 })
    for taken = 1, 30 do
      results:next()
      local ahead = one:submit(script "return total"):get() - taken
      assert.is_true(ahead <= 10, ahead .. " ahead")
    end
    results:close()
  end)

  it("does not hold its worker", function()
    local one <close> = lacus.pool(1)
    local slow = one:map({ 1000 }, produce, { window = 1 })
    slow:next()
    local n = 0
    for _, v in one:map(lacus.range(1, 500), function(x) return x end) do n = n + v end
    assert.equal(125250, n)
    assert.equal(999, #arrivals(slow))
  end)

  it("does not hold up the tasks behind it, in the same batch", function()
    local one <close> = lacus.pool(1)
    local seen = {}
    local results = one:map(lacus.range(1, 10), function(i)
      if i == 1 then for k = 1, 5 do yield(k) end end
      return i
    end, { window = 2, batch = 10 })
    for i in results do seen[i] = (seen[i] or 0) + 1 end
    assert.equal(6, seen[1])
    for i = 2, 10 do assert.equal(1, seen[i]) end
  end)
end)

describe("coroutines of a task's own", function()
  it("keep their yields to themselves", function()
    local co = coroutine
    local list = pool:map({ 3 }, function(n)
      local sum = 0
      for v in co.wrap(function() for i = 1, n do co.yield(i) end end) do sum = sum + v end
      local inner = co.create(function(a) return a + co.yield(a * 10) end)
      local _, first = co.resume(inner, 2)
      local _, second = co.resume(inner, 5)
      return sum, first, second
    end)
    assert.same({ 1, 6, 20, 7, n = 4 }, table.pack(list()))
    list:close()
  end)

  it("may be stepped between yields of the task", function()
    local wrap = coroutine.wrap
    assert.same({ "1:10", "1:20", "1:30" }, arrivals(pool:map({ 3 }, function(n)
      for v in wrap(function() for i = 1, n do yield(i) end end) do yield(v * 10) end
    end)))
  end)

  it("may be generators of lacus", function()
    local generator = lacus.generator
    assert.same({ "1:1", "1:4", "1:9" }, arrivals(pool:map({ 3 }, function(n)
      local squares = generator(function() for i = 1, n do yield(i * i) end end)
      for v in squares() do yield(v) end
    end)))
  end)

  it("know that the task can yield, and that it is no main program", function()
    local running, isyieldable = coroutine.running, coroutine.isyieldable
    local _, yieldable, main = pool:map({ 0 }, function()
      local _, ismain = running()
      return isyieldable(), ismain
    end)()
    assert.same({ true, false }, { yieldable, main })
  end)

  it("that nobody finishes are collected like any other", function()
    local one <close> = lacus.pool(1)
    local used = script [[
      for _ = 1, 1000 do
        local co = coroutine.wrap(function() coroutine.yield(("x"):rep(1000)) end)
        co()
      end
      collectgarbage()
      return collectgarbage "count"
    ]]
    local before = one:submit(used):get()
    for _ = 1, 10 do one:submit(used):get() end
    assert.is_true(one:submit(used):get() < before + 256)
  end)
end)

describe("a task that yields and is not wanted any more", function()
  -- A task that says when its <close> runs.
  local setmetatable = setmetatable
  local function guarded(name)
    local _ <close> = setmetatable({}, { __close = function() open(name) end })
    while true do yield(1) end
  end

  local function closes(finish)
    local closed = gate.new()
    local one <close> = lacus.pool(1)
    finish(one, function() return one:map({ closed }, guarded) end)
    wait(closed)
    os.remove(closed)
  end

  it("ends, and runs its <close>, after a break", function()
    closes(function(_, begin) for _ in begin() do break end end)
  end)

  it("likewise after an error in the loop", function()
    closes(function(_, begin)
      fails.with("^enough$", function() for _ in begin() do error("enough", 0) end end)
    end)
  end)

  it("likewise after results:close", function()
    closes(function(_, begin)
      local results = begin()
      results:next()
      assert.equal(1, results:close())
    end)
  end)

  it("likewise when its results are collected", function()
    closes(function(_, begin)
      begin():next()
      collectgarbage()
      collectgarbage()
    end)
  end)

  it("likewise when its pool closes", function()
    closes(function(one, begin)
      local results = begin()
      results:next()
      one:close()
      fails.with("the pool is closed", function() for _ in results do end end)
    end)
  end)

  it("likewise when it waits for something else", function()
    local closed = gate.new()
    local one <close> = lacus.pool(1)
    local results = one:map({ closed }, function(name)
      local _ <close> = setmetatable({}, { __close = function() open(name) end })
      yield(1)
      lacus.sleep(1e6)
    end)
    results:next()
    results:close()
    one:close()
    wait(closed)
    os.remove(closed)
  end)

  it("may do work in its <close>, on the pool too", function()
    local closed = gate.new()
    local one <close> = lacus.pool(1)
    for _ in one:map({ closed }, function(name)
      local _ <close> = setmetatable({}, { __close = function()
        open(name, one:submit(function() return "waited" end):get())
      end })
      while true do yield(1) end
    end) do break end
    gate.await(function() return gate.is_open(closed) end)
    one:close()
    assert.same({ "waited" }, gate.words(closed))
  end)

  it("may fail in its <close>, which harms nobody", function()
    local one <close> = lacus.pool(1)
    local error = error
    for _ = 1, 20 do
      for _ in one:map(lacus.range(1, 5), function()
        local _ <close> = setmetatable({}, { __close = function() error "stuck" end })
        while true do yield(1) end
      end) do break end
    end
    assert.same({ 1, 4, n = 2 }, one:map({ 1, 2 }, function(x) return x * x end):collect())
  end)

  it("cannot yield in its <close>", function()
    local said = gate.new()
    local one <close> = lacus.pool(1)
    local pcall, tostring = pcall, tostring
    for _ in one:map({ said }, function(name)
      local _ <close> = setmetatable({}, { __close = function()
        local _, err = pcall(yield, 2)
        open(name, (tostring(err):gsub("\n.*", "")))
      end })
      while true do yield(1) end
    end) do break end
    one:close()
    local words = gate.words(said)
    assert.equal(1, #words)
    assert.matches("attempt to yield", words[1])
  end)
end)

describe("a yield that cannot be sent", function()
  local tmpfile, pcall, error = io.tmpfile, pcall, error

  it("fails the task with kind transfer, at its own line", function()
    local err = fails.with("cannot send result%[2%]%.log: a FILE%* handle", pool:map({ 0 }, function()
      yield(1, { log = tmpfile() })
    end))
    assert.equal("transfer", err.kind)
    assert.matches("^[^\n]*task_spec.lua:%d+: cannot send", tostring(err))
  end)

  it("takes nothing from what came before", function()
    local list = {}
    fails.with("a FILE%* handle", function()
      for _, v in pool:map({ 0 }, function()
        yield(1)
        yield(2)
        yield(tmpfile())
      end) do list[#list + 1] = v end
    end)
    assert.same({ 1, 2 }, list)
  end)

  it("can be caught, and the task goes on", function()
    assert.same({ "1:false", "1:2" }, arrivals(pool:map({ 0 }, function()
      yield((pcall(yield, tmpfile())))
      yield(2)
    end)))
  end)

  it("that was caught does not colour a later failure", function()
    local err = fails.with("other", pool:map({ 0 }, function()
      pcall(yield, tmpfile())
      error "other"
    end))
    assert.equal("error", err.kind)
  end)

  -- The first takes the room that the second wants, for as long as it takes to
  -- find the file at the end of a large table; then each waits for the other.
  it("gives its room back to the task that waits for it", function()
    local two <close> = lacus.pool(2)
    local trying, done = gate.new(), gate.new()
    local list = arrivals(two:map({ 1, 2 }, function(i)
      if i == 1 then
        local large = {}
        for k = 1, 300000 do large[k] = k end
        large[#large + 1] = tmpfile()
        open(trying)
        pcall(yield, large)
        wait(done)
      else
        wait(trying)
        yield "here"
        open(done)
      end
    end, { ordered = true, window = 2, batch = 1 }))
    os.remove(trying)
    os.remove(done)
    assert.same({ "1:nil", "2:here" }, list)
  end)
end)
