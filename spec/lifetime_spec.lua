-- luacheck: ignore 512 (loops that break at once are what is tested)
-- How things end, and that nothing of them is left.
local lacus = require "lacus"
local fails = require "spec.support.fails"
local gate = require "spec.support.gate"
local proc = require "spec.support.proc"

local wait, open = gate.wait, gate.open

local function square(x) return x * x end

local function threads()
  local f = assert(io.open "/proc/self/status")
  local n = f:read("a"):match "Threads:%s*(%d+)"
  f:close()
  return tonumber(n)
end

-- Collects until `done()`; what dies on another thread may take a moment.
local function collect_until(done)
  gate.await(function()
    collectgarbage()
    return done()
  end)
end

local function closing(log, name)
  return setmetatable({}, { __close = function() log[#log + 1] = name end })
end

-- What a script prints, run by an interpreter of its own.
local function output(source)
  local got = proc.script("local lacus = require 'lacus'\n" .. source)
  assert.equal("", got.err)
  assert.equal(0, got.status)
  return got.out
end

describe("what has not started", function()
  -- The only worker is held up in item `stop` of 100 while `finish(results,
  -- held)` ends the map. Gives the items that were begun by the time the pool
  -- has closed.
  local function begun(stop, batch, finish)
    local log, go, held = gate.new(), gate.new(), gate.new()
    local pool = lacus.pool(1)
    local function begin()
      return pool:map(lacus.range(1, 100), function(x)
        open(log, x)
        if x == stop then
          open(held)
          wait(go)
        end
      end, { window = 50, batch = batch })
    end
    finish(begin, function() wait(held) end)
    collectgarbage()
    collectgarbage()
    open(go)
    pool:close()
    os.remove(go)
    os.remove(held)
    return gate.words(log)
  end

  it("is dropped when a loop breaks", function()
    assert.same({ "1", "2" }, begun(2, 1, function(begin, held)
      for _ in begin() do held() break end
    end))
  end)

  it("is dropped when a loop's body fails", function()
    assert.same({ "1", "2" }, begun(2, 1, function(begin, held)
      pcall(function() for _ in begin() do held() error "x" end end)
    end))
  end)

  it("is dropped when results are closed", function()
    assert.same({ "1", "2" }, begun(2, 1, function(begin, held)
      local results = begin()
      results:next()
      held()
      results:close()
    end))
  end)

  it("is dropped when results are collected", function()
    assert.same({ "1", "2" }, begun(2, 1, function(begin, held)
      begin():next()
      held()
    end))
  end)

  it("is dropped also in the batch that runs", function()
    assert.same({ "1" }, begun(1, 10, function(begin, held)
      local results = begin()
      results:poll()
      held()
      results:close()
    end))
  end)
end)

describe("a loop that ends", function()
  local pool

  setup(function() pool = lacus.pool(2) end)
  teardown(function() pool:close() end)

  local function guarded(log, n)
    return function()
      local _ <close> = closing(log, "closed")
      for i = 1, n do coroutine.yield(i) end
    end
  end

  it("by break, error, return or itself closes its source, once", function()
    local log = {}
    for _ in pool:map(guarded(log, 1000), square) do break end
    pcall(function() for _ in pool:map(guarded(log, 1000), square) do error "x" end end)
    local function first() for _, v in pool:map(guarded(log, 1000), square) do return v end end
    first()
    for _ in pool:map(guarded(log, 10), square) do end
    assert.same({ "closed", "closed", "closed", "closed" }, log)
  end)

  it("by goto out of two of them closes both", function()
    local log = {}
    for _ in pool:map(guarded(log, 100), square) do
      for _ in pool:map(guarded(log, 100), square) do goto out end
    end
    ::out::
    assert.same({ "closed", "closed" }, log)
  end)

  it("because its coroutine is closed does so too", function()
    local log = {}
    local co = coroutine.create(function()
      for i in pool:map(guarded(log, 100), square) do coroutine.yield(i) end
    end)
    coroutine.resume(co)
    coroutine.close(co)
    assert.same({ "closed" }, log)
  end)

  it("with an error in closing its source raises that", function()
    local function source()
      local _ <close> = setmetatable({}, { __close = function() error("stuck", 0) end })
      while true do coroutine.yield(1) end
    end
    fails.with("stuck", function() for _ in pool:map(source, square) do break end end)
    assert.same({ 1, n = 1 }, pool:map({ 1 }, square):collect())
  end)
end)

describe("results that nobody holds", function()
  it("close their source", function()
    local log = {}
    local pool <close> = lacus.pool(1)
    local function begin()
      pool:map(function()
        local _ <close> = closing(log, "closed")
        while true do coroutine.yield(1) end
      end, square):next()
    end
    begin()
    collect_until(function() return #log > 0 end)
    assert.same({ "closed" }, log)
  end)

  it("do no harm in great numbers", function()
    local pool <close> = lacus.pool(2)
    for _ = 1, 300 do pool:map(lacus.range(1, 100), square):next() end
    collectgarbage()
    assert.same({ 1, 4, n = 2 }, pool:map({ 1, 2 }, square):collect())
  end)
end)

describe("a pool that nobody holds", function()
  it("ends its threads, without anybody waiting", function()
    collectgarbage()
    collectgarbage()
    local before = threads()
    local function begin() lacus.pool(4):map({ 1 }, square):collect() end
    begin()
    collect_until(function() return threads() <= before end)
  end)

  it("lives as long as results of it are read", function()
    local function begin() return lacus.pool(2):map(lacus.range(1, 500), square, { ordered = true }) end
    local results = begin()
    collectgarbage()
    collectgarbage()
    local list = results:collect()
    assert.equal(500, list.n)
    assert.equal(250000, list[500])
  end)

  it("drops what has not started, and stops a task that runs #notsan", function()
    local held, closed = gate.new(), gate.new()
    local setmetatable = setmetatable
    local function begin()
      lacus.pool(1):map({ 1 }, function()
        local _ <close> = setmetatable({}, { __close = function() open(closed) end })
        open(held)
        while true do end
      end)
    end
    begin()
    wait(held)
    collectgarbage()
    collectgarbage()
    wait(closed)
    for _, name in ipairs { held, closed } do os.remove(name) end
  end)
end)

describe("a script that ends", function()
  it("with everything open ends at once, and well", function()
    assert.equal("done\n", output [[
      pool = lacus.pool(2)
      results = pool:map(function() while true do coroutine.yield(1) end end,
        function(x) return x end)
      results:next()
      print "done"
    ]])
  end)

  it("inside a loop, by os.exit, ends with its status", function()
    for _, close in ipairs { "true", "false" } do
      local got = proc.script(([[
        local lacus = require "lacus"
        for i in lacus.pool(2):map(lacus.range(1, 1000000), function(x) return x end) do
          if i == 10 then os.exit(7, %s) end
        end
      ]]):format(close))
      assert.same({ 7, "" }, { got.status, got.err })
    end
  end)

  it("by an error ends with status 1", function()
    local got = proc.script [[
      local lacus = require "lacus"
      for i in lacus.pool(2):map(lacus.range(1, 1000000), function(x) return x end) do
        error "enough"
      end
    ]]
    assert.equal(1, got.status)
    assert.matches(":3: enough\n", got.err)
  end)

  it("inside a coroutine that never comes back ends well", function()
    assert.equal("10\n", output [[
      local pool = lacus.pool(2)
      local co = coroutine.wrap(function()
        for i in pool:map(lacus.range(1, 1000000), function(x) return x end, { ordered = true }) do
          coroutine.yield(i)
        end
      end)
      local last
      for _ = 1, 10 do last = co() end
      print(last)
    ]])
  end)

  it("with pools open in its workers ends well", function()
    assert.equal("ok\n", output [[
      local pool = lacus.pool(2)
      for _ in pool:map({ 1, 2, 3, 4 }, function()
        inner = require "lacus".pool(2)
        results = inner:map(function() while true do coroutine.yield(1) end end,
          function(x) return x end)
        results:next()
      end) do end
      print "ok"
    ]])
  end)

  it("with a pool whose init has failed ends well", function()
    assert.equal("false\n", output [[
      pool = lacus.pool { workers = 2, init = function() error "x" end }
      print(pcall(function() for _ in pool:map({ 1 }, print) do end end))
    ]]:match "^[^\t\n]*" .. "\n")
  end)
end)

describe("a thousand rounds of open, map and close", function()
  -- Counts after some rounds and after 1,000 more: threads, descriptors, KiB.
  local function rounds(body)
    local got = output(([[
      -- (Not by popen, whose own pipe may or may not be closed by then.)
      local function entries(what)
        local name = os.tmpname()
        os.execute(("ls /proc/$PPID/%%s >%%s"):format(what, name))
        local f = io.open(name)
        local _, n = f:read "a":gsub("\n", "")
        f:close()
        os.remove(name)
        return n
      end
      local function kib()
        for line in io.lines "/proc/self/status" do
          local n = line:match "^VmRSS:%%s*(%%d+)"
          if n then return n end
        end
      end
      local function round(i)
        %s
      end
      local function report()
        collectgarbage()
        collectgarbage()
        print(entries "task", entries "fd", kib())
      end
      report()
      for i = 1, 200 do round(i) end
      report()
      for i = 1, 1000 do round(i) end
      report()
    ]]):format(body))
    local list = {}
    for t, fd, kib in got:gmatch "(%d+)\t(%d+)\t(%d+)" do
      list[#list + 1] = { threads = tonumber(t), fds = tonumber(fd), kib = tonumber(kib) }
    end
    assert.equal(3, #list)
    return list[1], list[2], list[3]
  end

  local function leaves_nothing(body)
    local first, warm, last = rounds(body)
    assert.equal(1, last.threads)
    assert.equal(first.fds, last.fds)
    assert.is_true(last.kib <= warm.kib + 1024, ("%d KiB, then %d KiB"):format(warm.kib, last.kib))
  end

  -- Sanitizers keep freed memory, and have threads of their own.
  it("leaves nothing #notsan #noasan", function()
    leaves_nothing [[
      local pool <close> = lacus.pool(2)
      for j, v in pool:map(lacus.range(1, 50), function(x) return { x } end) do assert(v[1] == j) end
    ]]
  end)

  it("leaves nothing when loops are left and tasks fail #notsan #noasan", function()
    leaves_nothing [[
      local pool <close> = lacus.pool(2)
      pcall(function()
        for j in pool:map(function() while true do coroutine.yield(("x"):rep(100)) end end,
          function(s) if #s > i then error { s } end return s end, { window = 20 }) do
          if j == 20 then break end
        end
      end)
    ]]
  end)

  it("leaves nothing when nothing is closed by hand #notsan #noasan", function()
    leaves_nothing [[
      lacus.pool(2):map(lacus.range(1, 1000), function(x) return { x } end):next()
      collectgarbage()
      if i == 1000 then
        lacus.pool(1):close()
        repeat
          collectgarbage()
          local n = 0
          for _ in io.popen "ls /proc/$PPID/task":lines() do n = n + 1 end
        until n == 1
      end
    ]]
  end)

  it("crashes nothing, whoever watches", function()
    assert.equal("200\n", output [[
      for i = 1, 200 do
        local pool <close> = lacus.pool(1 + i % 3)
        for j in pool:map(lacus.range(1, 20), function(x) return { x } end) do
          if j == i % 25 then break end
        end
      end
      print(200)
    ]])
  end)
end)

describe("the program of the README", function()
  it("runs from the command line", function()
    local got = proc.run { proc.this, "-e", "local l=require\"lacus\"; local p=l.pool(2); " ..
      "for i,r in p:map(l.range(1,3), function(x) return x*x end, {ordered=true}) do print(i,r) end" }
    assert.same({ out = "1\t1\n2\t4\n3\t9\n", err = "", status = 0 }, got)
  end)
end)
