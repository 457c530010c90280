local lacus = require "lacus"
local fails = require "spec.support.fails"
local gate = require "spec.support.gate"
local proc = require "spec.support.proc"

local script = require("spec.support.script").with_lacus

local function square(x) return x * x end

-- What a pool computes, in order.
local function squares(pool, n)
  return pool:map(lacus.range(1, n), square):collect()
end

describe("lacus.pool", function()
  it("has one worker for each processor that may be used", function()
    local pool <close> = lacus.pool()
    assert.equal(("lacus.pool (%d workers)"):format(lacus.cpus()), tostring(pool))
  end)

  it("counts the processors of the affinity mask", function()
    if os.execute "command -v taskset >/dev/null" then
      local got = proc.run { "taskset", "-c", "0", proc.this, "-e",
        "local lacus = require 'lacus' print(lacus.cpus(), lacus.pool())" }
      assert.equal("1\tlacus.pool (1 workers)\n", got.out)
    end
  end)

  it("has as many workers as it is told", function()
    local pool <close> = lacus.pool(3)
    assert.equal("lacus.pool (3 workers)", tostring(pool))
    local other <close> = lacus.pool { workers = 2 }
    assert.equal("lacus.pool (2 workers)", tostring(other))
    local none <close> = lacus.pool(0)
    assert.equal("lacus.pool (0 workers)", tostring(none))
  end)

  it("leaves tasks all the time of an endless timeout, or of centuries", function()
    local function f(x) return x end
    for _, seconds in ipairs { math.huge, 1e300, 3e9 } do
      local pool <close> = lacus.pool { workers = 1, grace = seconds }
      assert.same({ 7, n = 1 }, pool:map({ 7 }, f, { timeout = seconds }):collect())
      assert.same({ 7, n = 1 }, pool:map({ 7 }, f, { deadline = seconds }):collect())
    end
  end)

  it("works whatever their number", function()
    for _, n in ipairs { 1, 2, 7, 33 } do
      local pool <close> = lacus.pool(n)
      assert.same({ 1, 4, 9, 16, n = 4 }, squares(pool, 4))
    end
  end)

  it("runs tasks at the same time", function()
    local pool <close> = lacus.pool(2)
    local one, two = gate.new(), gate.new()
    local meet = function(mine, other)
      gate.open(mine)
      gate.wait(other)
      return true
    end
    local list = pool:map(coroutine.wrap(function()
      coroutine.yield(meet, one, two)
      coroutine.yield(meet, two, one)
    end)):collect()
    os.remove(one)
    os.remove(two)
    assert.same({ true, true, n = 2 }, list)
  end)

  it("is no hindrance to other pools", function()
    local a <close> = lacus.pool(1)
    local b <close> = lacus.pool(2)
    assert.same(squares(a, 20), squares(b, 20))
  end)

  it("may be opened in a task", function()
    local pool <close> = lacus.pool(1)
    local inner = script [[
      local pool <close> = lacus.pool(2)
      local sum = 0
      for _, v in pool:map(lacus.range(1, ...), function(x) return x * 2 end) do sum = sum + v end
      return sum
    ]]
    assert.same({ 2, 6, 12, n = 3 }, pool:map({ 1, 2, 3 }, inner):collect())
  end)
end)

describe("a worker", function()
  it("has globals of its own", function()
    local pool <close> = lacus.pool(2)
    local set = script "leak = (leak or 0) + 1 return leak"
    local most = 0
    for _, n in pool:map(lacus.range(1, 10), set) do most = math.max(most, n) end
    assert.is_true(most >= 5 and most <= 10)
    assert.is_nil(_G.leak)
    local other <close> = lacus.pool(1)
    assert.same({ 1, n = 1 }, other:map({ 0 }, set):collect())
  end)

  it("does not see the globals of the caller", function()
    _G.here_only = 1
    local pool <close> = lacus.pool(1)
    local list = pool:map({ 1 }, script "return tostring(here_only)"):collect()
    _G.here_only = nil
    assert.equal("nil", list[1])
  end)

  it("keeps globals and modules from task to task, map to map", function()
    local pool <close> = lacus.pool(1)
    local count = script "count = (count or 0) + 1 return count"
    assert.same({ 1, 2, 3, n = 3 }, pool:map({ 0, 0, 0 }, count):collect())
    assert.same({ 4, n = 1 }, pool:map({ 0 }, count):collect())
  end)

  it("knows its number and name; elsewhere there is no lacus.worker", function()
    local pool <close> = lacus.pool { workers = 2, name = "painter" }
    for _, id, name in pool:map(lacus.range(1, 20),
      script "return lacus.worker.id, lacus.worker.name") do
      assert.is_true(id == 1 or id == 2)
      assert.equal("painter-" .. id, name)
    end
    assert.is_nil(lacus.worker)
  end)

  it("finds modules where the caller does", function()
    local path, cpath = package.path, package.cpath
    package.path, package.cpath = "/nowhere/?.lua;" .. path, "/nowhere/?.so;" .. cpath
    local pool <close> = lacus.pool(1)
    package.path, package.cpath = path, cpath
    local _, got, cgot = pool:map({ 1 }, script "return package.path, package.cpath")()
    assert.equal("/nowhere/?.lua;" .. path, got)
    assert.equal("/nowhere/?.so;" .. cpath, cgot)
  end)

  it("has the Lua loaders of package.preload", function()
    local answer = 42
    package.preload["spec.preloaded"] = function(name) return { name = name, answer = answer } end
    local pool <close> = lacus.pool(1)
    package.preload["spec.preloaded"] = nil
    local _, name, value = pool:map({ 1 },
      script "local m = require 'spec.preloaded' return m.name, m.answer")()
    assert.same({ "spec.preloaded", 42 }, { name, value })
  end)

  it("leaves loaders in C at home, and what is no loader", function()
    local preload = package.preload
    preload["spec.in_c"], preload["spec.none"], preload[1] = print, "spec", function() end
    local pool <close> = lacus.pool(1)
    preload["spec.in_c"], preload["spec.none"], preload[1] = nil, nil, nil
    for _, name in ipairs { "in_c", "none" } do
      fails.with("module 'spec." .. name .. "' not found",
        pool:map({ 1 }, script("require 'spec." .. name .. "'")))
    end
  end)

  it("says why a loader could not come along, when it is asked for", function()
    local file = io.stdout
    local co = coroutine.create(print)
    package.preload["spec.stuck"] = function() return file, co end
    local pool <close> = lacus.pool(1)
    package.preload["spec.stuck"] = nil
    assert.same({ 1, n = 1 }, squares(pool, 1))
    fails.with("loader of 'spec.stuck' cannot be sent.*'co'.*a coroutine",
      pool:map({ 1 }, script "require 'spec.stuck'"))
  end)

  it("collects what tasks leave behind", function()
    local pool <close> = lacus.pool(1)
    local waste = script "local s = ('x'):rep(1 << 20) return #s"
    local used = script "collectgarbage() return collectgarbage 'count'"
    local _, before = pool:map({ 1 }, used)()
    for _ in pool:map(lacus.range(1, 100), waste) do end
    local _, after = pool:map({ 1 }, used)()
    assert.is_true(after - before < 1024)
  end)
end)

describe("init", function()
  it("runs once in each worker, before its first task", function()
    local runs = gate.new()
    local open = gate.open
    local pool <close> = lacus.pool { workers = 2, init = function() open(runs, "init") end }
    assert.equal(50, #squares(pool, 50))
    pool:close()
    local n = #gate.words(runs)
    assert.is_true(n == 1 or n == 2)
  end)

  it("may set globals that tasks use", function()
    local pool <close> = lacus.pool { workers = 2, init = script "base = 100" }
    for i, v in pool:map(lacus.range(1, 20), script "return base + ...") do
      assert.equal(100 + i, v)
    end
  end)

  it("brings its upvalues along", function()
    local config = { depth = { 7 } }
    local rawset, G = rawset, script "return _G"
    local pool <close> = lacus.pool { workers = 1,
      init = function() rawset(G(), "depth", config.depth[1]) end }
    assert.same({ 7, n = 1 }, pool:map({ 1 }, script "return depth"):collect())
  end)

  it("may be a module's name", function()
    package.preload["spec.boot"] = script "booted = 'yes' return true"
    local pool <close> = lacus.pool { workers = 1, init = "spec.boot" }
    package.preload["spec.boot"] = nil
    assert.same({ "yes", n = 1 }, pool:map({ 1 }, script "return booted"):collect())
  end)

  local function broken()
    local error = error
    return lacus.pool { workers = 2, name = "frail", init = function() error "no licence" end }
  end

  it("that raises is told to whoever uses the pool, with its place", function()
    local pool <close> = broken()
    local err = fails.with("init of frail%-%d failed: .*no licence", squares, pool, 3)
    assert.matches("pool_spec.lua:%d+: no licence", tostring(err))
    assert.matches("stack traceback:.*pool_spec.lua:%d+", tostring(err))
    fails.with("no licence", squares, pool, 3)
  end)

  it("that raises hangs nobody, however the pool is used then", function()
    for _ = 1, 20 do
      local pool <close> = broken()
      assert.is_false(pcall(squares, pool, 100))
      assert.is_number(pool:close())
    end
  end)

  it("that names no module is told likewise", function()
    local pool <close> = lacus.pool { workers = 1, init = "spec.no_such" }
    fails.with("init of worker%-1 failed: .*module 'spec.no_such' not found", squares, pool, 1)
  end)

  it("may raise any value", function()
    local error = error
    local pool <close> = lacus.pool { workers = 1, init = function() error {} end }
    fails.with("init of worker%-1 failed: %(error object is a table value%)", squares, pool, 1)
  end)
end)

describe("lacus.pool refuses, at the caller's line,", function()
  it("a number of workers that is none", function()
    for _, n in ipairs { -1, 1.5, 2000, math.huge, "many", true } do
      fails.here("workers must be an integer from 0 to 1024, got " .. fails.plain(n),
        function() lacus.pool { workers = n } end)
    end
    fails.here("bad argument #1 to 'pool' %(workers must be .* got %-2%)",
      function() lacus.pool(-2) end)
  end)

  it("an option that it does not know", function()
    fails.here("bad argument #1 to 'pool' %(unknown option 'wrokers'%)",
      function() lacus.pool { wrokers = 2 } end)
    fails.here("unknown option '1'", function() lacus.pool { 2 } end)
  end)

  it("a stack that is none, or too small for Lua", function()
    for _, n in ipairs { 0, -1, 2^19 - 1, 2^20 + 0.5, "1M", math.maxinteger } do
      fails.here("option 'stack' must be a number of bytes, at least 524288, got " .. fails.plain(n),
        function() lacus.pool { stack = n } end)
    end
    lacus.pool { workers = 1, stack = 2^20 }:close()
  end)

  it("options of the wrong type", function()
    fails.here("option 'name' must be a string", function() lacus.pool { name = 1 } end)
    fails.here("option 'name' must have at most 23 bytes", function() lacus.pool { name = ("n"):rep(24) } end)
    fails.here("option 'init' must be a function or a module's name",
      function() lacus.pool { init = 1 } end)
    fails.here("number of workers or table of options expected, got string",
      function() lacus.pool "2" end)
  end)

  it("an init that cannot be sent, and says where it is stuck", function()
    local deep = { log = { file = io.tmpfile() } }
    fails.here("cannot send init.*'deep'.*%.log%.file: a FILE%* handle",
      function() lacus.pool { init = function() return deep end } end)
  end)

  it("and leaves nothing behind", function()
    for _ = 1, 100 do pcall(lacus.pool, { workers = 2, init = 1 }) end
    local pool <close> = lacus.pool(1)
    assert.same({ 1, n = 1 }, squares(pool, 1))
  end)
end)

describe("pool:close", function()
  it("may be called again, and says how much it dropped", function()
    local pool = lacus.pool(1)
    assert.equal(0, pool:close())
    assert.equal(0, pool:close())
    assert.equal("lacus.pool (closed)", tostring(pool))
  end)

  it("waits for the task of a future that runs", function()
    local pool = lacus.pool(1)
    local begun, go, done = gate.new(), gate.new(), gate.new()
    local open, wait = gate.open, gate.wait
    pool:submit(function() open(begun) wait(go) open(done) end)
    wait(begun)
    open(go)
    pool:close()
    assert.is_true(gate.is_open(done))
    for _, name in ipairs { begun, go, done } do os.remove(name) end
  end)

  it("waits for it, however long it takes", function()
    local pool = lacus.pool(1)
    local future = pool:submit(lacus.sleep, 0.12)      -- longer than anybody sleeps at a time
    pool:close()
    assert.equal("done", future:state())
  end)

  it("waits in a task that cannot be suspended there", function()
    local pool <close> = lacus.pool(1)
    for workers = 0, 1 do
      local state = pool:submit(function(n)
        local lacus = require "lacus"               -- luacheck: ignore 431
        local own = lacus.pool(n)
        local future = own:submit(lacus.sleep, 0.01)
        require "table".sort({ 2, 1 }, function(a, b)
          own:close()
          return a < b
        end)
        return future:state()
      end, workers):get()
      assert.equal("done", state)
    end
  end)

  it("does not wait for an init that never ends #notsan", function()
    local pool = lacus.pool { workers = 1, init = load "while true do end" }
    local future = pool:submit(square, 2)
    assert.equal(1, pool:close { cancel = true })
    assert.equal("cancelled", future:state())
  end)

  it("stops the tasks of results that are open, and counts them #notsan", function()
    local pool = lacus.pool(1)
    local begun = gate.new()
    local open = gate.open
    local results = pool:map({ 1 }, function() open(begun) while true do end end)
    gate.wait(begun)
    assert.equal(1, pool:close())
    results:close()
    os.remove(begun)
  end)

  it("makes every later use a clear error, at the caller's line", function()
    local pool = lacus.pool(1)
    pool:close()
    fails.here("^the pool is closed$", function() pool:map({ 1 }, square) end)
  end)

  it("ends open results: they give what has come, then say so", function()
    local pool = lacus.pool(1)
    local results = pool:map(lacus.range(1, 1000000), square)
    results()
    pool:close()
    fails.with("the pool is closed", function() for _ in results do end end)
    assert.is_nil(results())
  end)

  it("is done at the end of the block of a <close> variable", function()
    local kept
    do
      local pool <close> = lacus.pool(1)
      kept = pool
    end
    assert.equal("lacus.pool (closed)", tostring(kept))
  end)

  it("is done when the block is left by an error", function()
    local kept
    fails.with("^oops$", function()
      local pool <close> = lacus.pool(1)
      kept = pool
      pool:map(lacus.range(1, 1000000), square)
      error("oops", 0)
    end)
    assert.equal("lacus.pool (closed)", tostring(kept))
  end)

  it("in the middle of its own loop ends the loop with an error", function()
    local pool = lacus.pool(2)
    fails.with("the pool is closed", function()
      for i in pool:map(lacus.range(1, 1000000), square) do
        if i == 10 then pool:close() end
      end
    end)
  end)

  it("inside the source of a map ends that map with an error", function()
    local pool = lacus.pool(1)
    fails.with("the pool is closed", function()
      local source = lacus.generator(function()
        for i = 1, 100 do
          if i == 50 then pool:close() end
          coroutine.yield(i)
        end
      end)
      for _ in pool:map(source(), square) do end
    end)
  end)

  it("refuses other values", function()
    local pool <close> = lacus.pool(1)
    fails.with("pool expected, got table", pool.close, {})
    fails.with("pool expected, got no value", pool.map)
  end)
end)

describe("when the system gives no more threads", function()
  -- The stacks of so many threads do not fit into so little address space.
  local function starved(code)
    return proc.run { "sh", "-c", "ulimit -v 600000; exec \"$0\" -e \"$1\"", proc.this, code }
  end

  it("a pool that cannot be opened is a clear error #notsan #noasan", function()
    local got = starved [[
      local lacus = require "lacus"
      local ok, err = pcall(lacus.pool, 1000)
      print(ok, err)
    ]]
    assert.matches("^false\tcannot open a pool: ", got.out)
    assert.equal(0, got.status)
  end)

  it("a smaller pool opens afterwards #notsan #noasan", function()
    local got = starved [[
      local lacus = require "lacus"
      for _ = 1, 3 do pcall(lacus.pool, 1000) end
      local pool = lacus.pool(2)
      print(pool:map({ 1, 2, 3 }, function(x) return x * x end):collect()[3])
      pool:close()
      local n = 0
      for _ in io.popen "ls /proc/$PPID/task":lines() do n = n + 1 end
      print(n)
    ]]
    assert.equal("9\n1\n", got.out)
    assert.equal("", got.err)
  end)
end)
