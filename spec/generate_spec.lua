-- luacheck: ignore 512 (loops that break at once are what is tested)
-- pool:generate: generators whose body runs in a worker.
local lacus = require "lacus"
local fails = require "spec.support.fails"
local gate = require "spec.support.gate"

local yield = coroutine.yield
local open, wait = gate.open, gate.wait
local setmetatable, error = setmetatable, error

local script = require("spec.support.script").with_lacus

local function count(n)
  for i = 1, n do yield(i) end
end

local function list_of(...)
  local list = {}
  for v in ... do list[#list + 1] = v end
  return list
end

local pool

setup(function() pool = lacus.pool(2) end)
teardown(function() pool:close() end)

describe("pool:generate", function()
  it("gives what its body yields, in order", function()
    assert.same({ 1, 2, 3, 4, 5 }, list_of(pool:generate(count, 5)))
    assert.same({}, list_of(pool:generate(count, 0)))
  end)

  it("gives a great number of items", function()
    local n = 0
    for v in pool:generate(count, 50000) do
      n = n + 1
      if v ~= n then error "wrong order" end
    end
    assert.equal(50000, n)
  end)

  it("passes all arguments, and all values of an item", function()
    local select = select
    local gen = pool:generate(function(...) yield(select("#", ...), ...) end, nil, "x", nil)
    assert.same({ true, 3, nil, "x", nil, n = 5 }, table.pack(gen:next()))
    assert.same({ false, n = 1 }, table.pack(gen:next()))
  end)

  it("tells nil items from the end by next()", function()
    local gen = pool:generate(function() yield(nil) yield() end)
    assert.same({ true, nil, n = 2 }, table.pack(gen:next()))
    assert.same({ true, n = 1 }, table.pack(gen:next()))
    assert.is_false((gen:next()))
    assert.is_false((gen:next()))
  end)

  it("gives no item for what its body returns", function()
    assert.same({ 1 }, list_of(pool:generate(function() yield(1) return "end" end)))
    assert.same({}, list_of(pool:generate(function() return "only" end)))
  end)

  it("takes a name of a function", function()
    assert.same({}, list_of(pool:generate("string.len", "abc")))
  end)

  it("runs in a worker", function()
    local id = pool:generate(script "coroutine.yield(lacus.worker.id)")()
    assert.is_true(id == 1 or id == 2)
    assert.is_nil(lacus.worker)
  end)

  it("gives a generator, for whatever takes one", function()
    local gen = pool:generate(count, 3)
    assert.equal("suspended", gen:status())
    assert.equal(1, gen())
    assert.same({ 2, 3 }, list_of(gen))
    assert.equal("dead", gen:status())
    assert.is_nil(gen())
  end)

  it("begins at the call, without anybody asking", function()
    local begun = gate.new()
    local gen = pool:generate(function() open(begun) end)
    wait(begun)
    os.remove(begun)
    gen:close()
  end)

  it("may be many at once, on one worker", function()
    local one <close> = lacus.pool(1)
    local gens, sum = {}, 0
    for k = 1, 20 do gens[k] = one:generate(count, 500) end
    for i = 1, 500 do
      for k = 1, 20 do
        if gens[k]() ~= i then error "wrong item" end
        sum = sum + 1
      end
    end
    assert.equal(10000, sum)
  end)

  it("refuses, at the caller's line, what is no function or cannot be sent", function()
    fails.here("bad argument #1 to 'generate' %(function or \"module.function\" expected, got no value%)",
      function() pool:generate() end)
    local file = io.tmpfile()
    fails.here("cannot send args%[1%]: a FILE%* handle", function() pool:generate(count, file) end)
    local closed = lacus.pool(1)
    closed:close()
    fails.here("the pool is closed", function() closed:generate(count, 1) end)
  end)

  it("cannot itself be sent", function()
    local gen = pool:generate(count, 3)
    fails.with("cannot send", function() pool:submit(function() return gen end) end)
    gen:close()
  end)
end)

describe("a worker's generator", function()
  local produce = script [[
    made = 0
    for i = 1, ... do coroutine.yield(i) made = made + 1 end
  ]]

  it("is a bounded number of items ahead of its reader", function()
    local one <close> = lacus.pool(1)
    local gen = one:generate(produce, 1000000)
    for taken = 1, 200 do
      assert.equal(taken, gen())
      local ahead = one:submit(script "return made"):get() - taken
      assert.is_true(ahead <= 64, ahead .. " ahead")
    end
    gen:close()
  end)

  it("does not hold its worker while nobody reads it", function()
    local one <close> = lacus.pool(1)
    local gen = one:generate(produce, 1000)
    gen()
    assert.equal(1000, #one:map(lacus.range(1, 1000), function(x) return x end):collect())
    assert.equal(999, #list_of(gen))
  end)

  it("fails where its reader asks, after what it gave", function()
    local gen = pool:generate(function() yield(1) yield(2) error "dry" end)
    assert.same({ 1, 2 }, { gen(), gen() })
    local err = fails.with("generate_spec.lua:%d+: dry", gen)
    assert.equal("error", err.kind)
    assert.matches("generate_spec.lua:%d+: in function", err.traceback)
    assert.is_false((gen:next()))
    assert.equal("dead", gen:status())
  end)

  it("fails with any value, and with one that cannot be sent", function()
    local tmpfile = io.tmpfile
    local err = fails.with("is a table value", pool:generate(function() error { code = 3 } end))
    assert.equal(3, err.value.code)
    local gen = pool:generate(function() yield(1) yield(tmpfile()) end)
    assert.equal(1, gen())
    assert.equal("transfer", fails.with("a FILE%* handle", gen).kind)
  end)

  it("is told that its pool has closed", function()
    local one = lacus.pool(1)
    local gen = one:generate(function() while true do yield(1) end end)
    gen()
    one:close()
    fails.with("the pool is closed", function() for _ in gen do end end)
    assert.is_false((gen:next()))
  end)

  it("fails when its worker is lost, and why is said #notsan", function()
    local got = require "spec.support.proc".script [[
      local lacus = require "lacus"
      local gate = require "spec.support.gate"
      local pool, other = lacus.pool { workers = 1, grace = 0.1 }, lacus.pool(1)
      local stuck = gate.new()
      local gen = pool:generate(function()
        coroutine.yield(1)
        coroutine.yield(2)
        setmetatable({}, { __gc = function() gate.open(stuck) while true do end end })
        collectgarbage()
      end)
      local results = other:map(gen, function(x) return x end, { window = 1 })
      print(results:next())
      print(results:next())
      print(results:next(0.01))
      gate.wait(stuck)
      gate.words(stuck)
      pool:close { cancel = true }
      local _, err = pcall(results.next, results)
      print(err.kind, err.message)
      print(gen:status(), gen:next())
      os.exit(0, false)
    ]]
    assert.equal("1\t1\n2\t2\nnil\ttimeout\n"
      .. "lost\tworker 1 did not stop when it was told to, and was abandoned\n"
      .. "dead\tfalse\n", got.out .. got.err)
  end)

  it("keeps its pool alive", function()
    local function begin() return lacus.pool(1):generate(count, 500) end
    local gen = begin()
    collectgarbage()
    collectgarbage()
    assert.equal(500, #list_of(gen))
  end)
end)

describe("a value sent to a worker's generator", function()
  local function adder()
    local n = 0
    while true do n = n + (yield(n) or 100) end
  end

  it("is what the pending yield returns", function()
    local gen = pool:generate(adder)
    assert.same({ true, 0 }, { gen:next() })
    assert.same({ true, 20 }, { gen:send(20) })
    assert.same({ true, 42 }, { gen:send(22) })
    gen:close()
  end)

  it("may be none, or several, nil included; a step without it sends nothing", function()
    local select = select
    local gen = pool:generate(function()
      local function note(...) return select("#", ...), ... end
      local n, a, b, c = note(yield())
      while true do n, a, b, c = note(yield(n, a, b, c)) end
    end)
    gen:next()
    assert.same({ true, 3, nil, "x", nil, n = 5 }, table.pack(gen:send(nil, "x", nil)))
    assert.same({ true, 0 }, { gen:send() })
    assert.same({ true, 1, 7 }, { gen:send(7) })
    assert.same({ true, 0 }, { gen:next() })
    assert.equal(0, gen())
    assert.same({ true, 1, 8 }, { gen:send(8) })
    gen:close()
  end)

  it("is copied, as an argument is", function()
    local gen = pool:generate(function()
      local t = yield()
      while true do
        t.n = t.n + 1
        t = yield(t)
      end
    end)
    gen:next()
    local mine = { n = 1 }
    local _, theirs = gen:send(mine)
    assert.same({ 1, 2 }, { mine.n, theirs.n })
    local _, f = gen:send { n = 5, f = adder }
    assert.equal(adder, f.f)
    gen:close()
  end)

  it("lets the body go no further than the next yield", function()
    local one <close> = lacus.pool(1)
    local gen = one:generate(script [[
      made = 0
      while true do made = made + 1 coroutine.yield(made) end
    ]])
    local function made() return one:submit(script "return made"):get() end
    gen:next()
    for i = 1, 20 do
      assert.equal(i, made())
      assert.same({ true, i + 1 }, { gen:send() })
    end
    assert.same({ 21, 22, 22 }, { made(), gen(), made() })
    gen:close()
  end)

  it("keeps memory flat and order right, in great numbers", function()
    local one <close> = lacus.pool(1)
    local gen = one:generate(function()
      local got = yield(0)
      while got do got = yield(got * 2) end
    end)
    gen:next()
    for i = 1, 5000 do
      local _, twice = gen:send(i)
      if twice ~= 2 * i then error "wrong answer" end
    end
    assert.is_false((gen:send(nil)))
    assert.equal("dead", gen:status())
  end)

  it("before the first item is refused, as by any generator", function()
    local gen = pool:generate(count, 3)
    fails.here("cannot send to a generator that has not started", function() gen:send(1) end)
    assert.same({ 1, 2, 3 }, list_of(gen))
  end)

  it("is refused once the body runs ahead, and why is said", function()
    for _, ask in ipairs { function(gen) gen:next() end, function(gen) for _ in gen do return end end } do
      local gen = pool:generate(count, 4)
      gen:next()
      ask(gen)
      fails.here("generator that runs ahead: after its first item it was asked with next",
        function() gen:send(1) end)
      assert.same({ 3, 4 }, list_of(gen))
    end
  end)

  it("is refused while a map that has the generator waits for the item before", function()
    local go, is_open = gate.new(), gate.is_open
    local gen = pool:generate(function()
      for i = 1, 2 do yield(i) end
      yield(3)
      while not is_open(go) do lacus.sleep(0.001) end
      yield(4)
    end)
    gen:next()
    gen:send()
    local other <close> = lacus.pool(1)
    local results <close> = other:map(gen, function(x) return x end)
    local first
    repeat first = { results:next(0.01) } until first[1]
    assert.same({ 1, 3 }, first)
    assert.same({ nil, "pending" }, { results:poll() })
    fails.here("cannot send: the item asked for before has not been taken", function() gen:send(1) end)
    open(go)
    assert.same({ 2, 4 }, { results() })
    os.remove(go)
  end)

  it("that cannot be sent is refused, with its place, and can be sent better", function()
    local gen = pool:generate(adder)
    gen:next()
    local co = coroutine.create(count)
    fails.here("send: argument 1: cannot send a coroutine$", function() gen:send(co) end)
    fails.here("send: argument 2, field .log%[2%]: cannot send a FILE%* handle$",
      function() gen:send(1, { log = { io.stdout, io.tmpfile() }, nil }) end)
    assert.same({ true, 3 }, { gen:send(3) })
    gen:close()
  end)

  it("to one that has ended gives false", function()
    local gen = pool:generate(count, 1)
    gen:next()
    assert.is_false((gen:send(1)))
    assert.is_false((gen:send(1)))
    gen:close()
    assert.is_false((gen:send(1)))
  end)

  it("may be what the body fails of, or what it catches", function()
    local pcall = pcall
    local gen = pool:generate(function()
      local word = yield(1)
      local ok = pcall(error, word)
      error(yield(ok), 0)
    end)
    gen:next()
    assert.same({ true, false }, { gen:send "caught" })
    assert.equal("not caught", fails.with("^not caught", gen.send, gen, "not caught").value)
    assert.equal("dead", gen:status())
  end)

  it("that the worker cannot read is an error of the pending yield", function()
    local gen = pool:generate(function()
      local ok, err = pcall(yield, 1)
      yield(ok, err)
    end)
    gen:next()
    package.loaded["spec.only_here"] = { find = string.gmatch("x", ".") }
    local _, ok, err = gen:send(package.loaded["spec.only_here"].find)
    package.loaded["spec.only_here"] = nil
    assert.is_false(ok)
    assert.matches("spec.only_here", err)
    gen:close()
  end)

  it("works in tasks, with one worker, many at once", function()
    local one <close> = lacus.pool(1)
    local list = one:map(lacus.range(1, 30), function(n)
      local gen = one:generate(adder)
      gen:next()
      local _, sum
      for i = 1, n do _, sum = gen:send(i) end
      gen:close()
      return sum
    end, { window = 30 }):collect()
    for n = 1, 30 do assert.equal(n * (n + 1) // 2, list[n]) end
  end)

  it("works where the task cannot be suspended", function()
    local one <close> = lacus.pool(1)
    local sort = table.sort
    assert.equal(42, one:submit(function()
      local sum
      sort({ 1, 2 }, function()
        local gen = one:generate(adder)
        gen:next()
        gen:send(20)
        sum = select(2, gen:send(22))
        gen:close()
      end)
      return sum
    end):get())
  end)

  it("works without any thread", function()
    local none <close> = lacus.pool(0)
    local gen = none:generate(adder)
    gen:next()
    gen:send(1)
    assert.same({ true, 3 }, { gen:send(2) })
  end)

  it("may come before a map that has the rest", function()
    local gen = pool:generate(function()
      local n = yield "how many?"
      count(n)
    end)
    gen:next()
    local first = select(2, gen:send(100))
    local list = pool:map(gen, function(x) return x end, { ordered = true }):collect()
    assert.same({ 1, 2, 100, 99 }, { first, list[1], list[99], list.n })
  end)
end)

describe("a worker's generator that is not wanted any more", function()
  local function closes(finish)
    local closed = gate.new()
    local one <close> = lacus.pool(1)
    finish(function()
      return one:generate(function(name)
        local _ <close> = setmetatable({}, { __close = function() open(name) end })
        while true do yield(1) end
      end, closed)
    end, one)
    wait(closed)
    os.remove(closed)
  end

  it("ends, and runs its <close>, after a break", function()
    closes(function(begin) for _ in begin() do break end end)
  end)

  it("likewise when it waits for what is sent", function()
    closes(function(begin)
      local gen = begin()
      gen()
      gen:send(1)
      gen:close()
    end)
    closes(function(begin) begin()() collectgarbage() collectgarbage() end)
  end)

  it("likewise when its pool closes", function()
    closes(function(begin, one)
      local gen = begin()
      gen()
      gen:send(1)
      one:close()
    end)
  end)

  it("likewise after close", function()
    closes(function(begin)
      local gen = begin()
      gen()
      assert.is_true(gen:close())
      assert.is_true(gen:close())
      assert.is_false((gen:next()))
    end)
  end)

  it("likewise when it is collected", function()
    closes(function(begin)
      begin()()
      collectgarbage()
      collectgarbage()
    end)
  end)

  it("likewise when a map that it feeds ends", function()
    closes(function(begin, one)
      for _ in one:map(begin(), function(x) return x end) do break end
    end)
  end)

  it("does not begin if it has not", function()
    local one <close> = lacus.pool(1)
    local go, held, ran = gate.new(), gate.new(), gate.new()
    local f = one:submit(function() open(held) wait(go) end)
    wait(held)
    one:generate(function() open(ran) end):close()
    open(go)
    f:get()
    one:submit(count, 0):get()
    assert.is_false(gate.is_open(ran))
    os.remove(go)
    os.remove(held)
  end)
end)

describe("a worker's generator as a source", function()
  it("feeds a map of the same pool, with one worker too", function()
    for workers = 1, 2 do
      local few <close> = lacus.pool(workers)
      local list = few:map(few:generate(count, 1000), function(x) return x * x end):collect()
      assert.equal(1000, list.n)
      assert.equal(1000000, list[1000])
    end
  end)

  it("feeds a generator of this state, and is fed by one", function()
    local doubled = lacus.generator(function(gen) for v in gen do yield(2 * v) end end)
    assert.same({ 2, 4, 6 }, list_of(doubled((pool:generate(count, 3)))))
  end)

  it("makes nobody wait for it longer than he would", function()
    local one <close> = lacus.pool(1)
    local go, is_open = gate.new(), gate.is_open
    local results <close> = one:map(one:generate(function()
      yield(1)
      while not is_open(go) do lacus.sleep(0.001) end
      yield(2)
    end), function(x) return x end)
    local first
    repeat first = { results:next(0.01) } until first[1]
    assert.same({ 1, 1 }, first)
    assert.same({ nil, "pending" }, { results:poll() })
    assert.same({ nil, "timeout" }, { results:next(0.01) })
    open(go)
    assert.same({ 2, 2 }, { results:next() })
    assert.is_nil(results:next())
    os.remove(go)
  end)

  it("brings its error to the loop, after the results before it", function()
    local got = 0
    fails.with("dry", function()
      for _ in pool:map(pool:generate(function() count(50) error "dry" end), function(x) return x end) do
        got = got + 1
      end
    end)
    assert.equal(50, got)
  end)
end)

describe("pool:generate in tasks", function()
  it("works, with one worker, in many of them at once", function()
    local one <close> = lacus.pool(1)
    local list = one:map(lacus.range(1, 50), function(n)
      local sum = 0
      for v in one:generate(count, n) do sum = sum + v end
      return sum
    end, { window = 50 }):collect()
    for n = 1, 50 do assert.equal(n * (n + 1) // 2, list[n]) end
  end)

  it("works also when the bodies wait", function()
    local one <close> = lacus.pool(1)
    local list = one:map(lacus.range(1, 10), function(n)
      local sum = 0
      local gen = one:generate(function()
        for i = 1, n do yield(one:submit(function(x) return x end, i):get()) end
      end)
      while true do
        local more, v = gen:next()
        if not more then return sum end
        sum = sum + v
      end
    end, { window = 10, batch = 1 }):collect()
    for n = 1, 10 do assert.equal(n * (n + 1) // 2, list[n]) end
  end)

  it("works as a source there", function()
    local one <close> = lacus.pool(1)
    local list = one:map(lacus.range(1, 10), function(n)
      local sum = 0
      for _, v in one:map(one:generate(function()
        for i = 1, n do
          lacus.sleep(0)
          yield(i)
        end
      end), function(x) return x * x end) do sum = sum + v end
      return sum
    end, { window = 10, batch = 1 }):collect()
    for n = 1, 10 do assert.equal(n * (n + 1) * (2 * n + 1) // 6, list[n]) end
  end)

  it("is read by one at a time", function()
    local one <close> = lacus.pool(1)
    local reader = one:submit(script [[
      local pool = ...
      shared = pool:generate(function() lacus.sleep(1e9) end)
      shared()
    ]], one)
    while reader:state() ~= "running" do lacus.sleep(0) end
    fails.with("generator is already running", function()
      one:submit(script "shared()"):get()
    end)
    fails.with("cannot close a running generator", function()
      one:submit(script "shared:close()"):get()
    end)
    one:close { cancel = true }
    assert.equal("cancelled", reader:state())
  end)

  it("ends with the task that reads it", function()
    local closed = gate.new()
    local one <close> = lacus.pool(1)
    for _ in one:map({ closed }, function(name)
      for v in one:generate(function()
        local _ <close> = setmetatable({}, { __close = function() open(name) end })
        while true do yield(1) end
      end) do yield(v) end
    end) do break end
    wait(closed)
    os.remove(closed)
  end)
end)
