-- Results that are ready do not wait for the task behind them, however long that runs.
local gate = require "spec.support.gate"
local lacus = require "lacus"

-- The last item waits, in C, for the consumer to open the gate.
local function item(name, i, last)
  if i == last then require "spec.support.gate".wait(name) end
  return i
end

describe("a task that runs long #offer", function()
  -- Each opens the gate when it has all results but the last one.
  local function come(source, f, name, workers, options, read)
    local pool <close> = lacus.pool { workers = workers, name = "offer" }
    local seen = {}
    options.batch = options.batch or 10
    local results <close> = pool:map(source, f, options)
    read = read or function() return results() end
    while #seen < 10 do
      local i, value = read(results)
      if i then
        assert.equal(i, value)
        seen[#seen + 1] = i
      end
      if #seen == 9 then gate.open(name) end
    end
    gate.words(name)
    table.sort(seen)
    return seen
  end

  -- Of items that are written out, and of a range.
  local function all_come(...)
    local name = gate.new()
    local source = lacus.generator(function() for i = 1, 10 do coroutine.yield(name, i, 10) end end)
    local seen = come(source(), item, name, ...)
    name = gate.new()
    assert.same(seen, come(lacus.range(1, 10), function(i) return item(name, i, 10) end, name, ...))
    return seen
  end

  local ten = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }

  it("does not hold up what was finished before it, in its own batch", function()
    assert.same(ten, all_come(1, {}))
    assert.same(ten, all_come(3, {}))
  end)

  it("nor in order", function()
    assert.same(ten, all_come(1, { ordered = true }))
  end)

  it("nor where tasks have a timeout", function()
    assert.same(ten, all_come(1, { timeout = 1000 }))
  end)

  it("nor where an attempt may follow", function()
    assert.same(ten, all_come(1, { timeout = 1000, retries = 2, retry_delay = 0.001 }))
  end)

  it("nor from who only polls", function()
    assert.same(ten, all_come(1, {}, function(results) return results:poll() end))
    assert.same(ten, all_come(1, {}, function(results) return results:next(0.001) end))
  end)

  it("nor from a task that reads the results of another pool", function()
    local pool <close> = lacus.pool(1)
    local other <close> = lacus.pool(1)
    local count = pool:submit(function(inner, f, gate_name)
      local gates, n = require "spec.support.gate", 0
      local source = require "lacus".generator(function()
        for i = 1, 10 do coroutine.yield(gate_name, i, 10) end
      end)
      for _ in inner:map(source(), f, { batch = 10 }) do
        n = n + 1
        if n == 9 then gates.open(gate_name) end
      end
      gates.words(gate_name)
      return n
    end, other, item, gate.new()):get()
    assert.equal(10, count)
  end)

  -- The first item waits until all others have been read.
  local function run_others(source, f, name, workers, n, options)
    local pool <close> = lacus.pool(workers)
    local seen, on = 0, {}
    options.batch, options.window = n, n
    for i, x, worker in pool:map(source, f, options) do
      assert.equal(2 * i, x)
      seen, on[worker] = seen + 1, true
      if seen == n - 1 then gate.open(name) end
    end
    gate.words(name)
    assert.equal(n, seen)
    return on
  end

  local function others_run(workers, n, options)
    local name = gate.new()
    local source = lacus.generator(function() for i = 1, n do coroutine.yield(name, i) end end)
    local function twice(gate_name, i)
      if i == 1 then require "spec.support.gate".wait(gate_name) end
      return 2 * i, require "lacus".worker.id
    end
    local on = run_others(source(), twice, name, workers, n, options)
    name = gate.new()
    run_others(lacus.range(1, n), function(i) return twice(name, i) end, name, workers, n, options)
    return on
  end

  it("does not hold up what waits behind it, if another worker has nothing to do", function()
    assert.same({ true, true }, others_run(2, 10, {}))
    others_run(2, 2, {})
    others_run(3, 100, {})
    others_run(2, 50, { timeout = 1000 })
  end)

  it("does not hold up what comes with functions, or handles of pools, behind it", function()
    local pool <close> = lacus.pool(2)
    local inner <close> = lacus.pool(1)
    local name, n, sum = gate.new(), 0, 0
    local function double(x) return 2 * x end
    local items = { with = double, pool = inner, twice = { double, inner } }
    local source = lacus.generator(function()
      for i = 1, 20 do coroutine.yield(name, i, items) end
    end)
    local same, type = rawequal, type
    for i, value in pool:map(source(), function(gate_name, i, t)
      if i == 1 then require "spec.support.gate".wait(gate_name) end
      if not same(t.with, t.twice[1]) or type(t.with) ~= "function" then return "not the same" end
      return t.pool:submit(t.with, i):get() + t.twice[2]:submit(t.with, 1):get()
    end, { batch = 20, window = 20 }) do
      assert.equal(2 * i + 2, value)
      n, sum = n + 1, sum + value
      if n == 19 then gate.open(name) end
    end
    gate.words(name)
    assert.equal(2 * 210 + 40, sum)
  end)

  it("keeps values of any kind as they were", function()
    local pool <close> = lacus.pool(1)
    local name, n = gate.new(), 0
    local source = lacus.generator(function() for i = 1, 200 do coroutine.yield(name, i) end end)
    for i, t in pool:map(source(), function(gate_name, i)
      if i % 40 == 0 then require "spec.support.gate".wait(gate_name .. i) end
      return { i, text = ("x"):rep(i) }
    end, { batch = 100, window = 200 }) do
      assert.same({ i, text = ("x"):rep(i) }, t)
      n = n + 1
      local stops = (n + 1) // 40 * 40
      if n == stops - 1 then gate.open(name .. stops) end
      if n == stops then gate.words(name .. stops) end
    end
    assert.equal(200, n)
  end)

  it("is lost alone when its worker has to be abandoned: what was ready is not #notsan", function()
    local proc = require "spec.support.proc"
    local got = proc.script [[
      local lacus = require "lacus"
      local pool = lacus.pool { workers = 1, grace = 0.2 }
      local list = {}
      for i, ok, v in pool:map({ 1, 2, 3, 4, 5, 6 }, function(x)
        if x == 4 then setmetatable({}, { __gc = function() while true do end end }) collectgarbage() end
        return x
      end, { batch = 6, timeout = 0.1, on_error = "return" }) do
        list[i] = ok and v or v.kind
      end
      print(table.concat(list, " "))
      os.exit(0, false)
    ]]
    assert.equal("1 2 3 lost 5 6\n", got.out)
  end)
end)
