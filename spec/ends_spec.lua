-- luacheck: ignore 512 (loops that break at once are what is tested)
-- How pools end that have work left: what is waited for, what is cancelled, and
-- that nothing hangs. (See also lifetime_spec.lua: maps, and that nothing leaks.)
local lacus = require "lacus"
local child = require "spec.support.child"
local fails = require "spec.support.fails"
local gate = require "spec.support.gate"
local proc = require "spec.support.proc"

local wait, open = gate.wait, gate.open
local setmetatable = setmetatable

local function same(...) return ... end

local function threads()
  local f = assert(io.open "/proc/self/status")
  local n = f:read("a"):match "Threads:%s*(%d+)"
  f:close()
  return tonumber(n)
end

local function collect()
  collectgarbage()
  collectgarbage()
end

-- Calls `body(pool, go, held)`: the only worker is held up by a task that opens
-- `held` and waits for the gate `go`.
local function held_up(body)
  local pool = lacus.pool(1)
  local go, held = gate.new(), gate.new()
  local blocker = pool:submit(function()
    open(held)
    wait(go)
    return "held"
  end)
  wait(held)
  local ok, err = pcall(body, pool, function() open(go) end, blocker)
  open(go)
  pool:close { cancel = true }
  os.remove(go)
  os.remove(held)
  if not ok then error(err, 0) end
end

describe("leaving the block of a pool", function()
  it("waits for what was submitted", function()
    local list = {}
    do
      local pool <close> = lacus.pool(2)
      for i = 1, 100 do list[i] = pool:submit(same, i) end
    end
    for i = 1, 100 do
      assert.equal("done", list[i]:state())
      assert.equal(i, list[i]:get())
    end
  end)

  it("waits for what that submits, too", function()
    local log = gate.new()
    do
      local pool <close> = lacus.pool(1)
      local function chain(n)
        open(log, n)
        if n > 1 then pool:submit(chain, n - 1) end
      end
      pool:submit(chain, 20)
    end
    assert.equal(20, #gate.words(log))
  end)

  it("waits for tasks that sleep and wait", function()
    local f
    do
      local pool <close> = lacus.pool(1)
      local first = pool:submit(function() lacus.sleep(0.02) return 4 end)
      f = pool:submit(function(g) return g:get() + 1 end, first)
    end
    assert.equal(5, f:get())
  end)

  it("by an error cancels", function()
    local list, done = {}, gate.new()
    fails.with("^oops$", function()
      local pool <close> = lacus.pool(1)
      list[1] = pool:submit(function() lacus.sleep(1e9) end)
      for i = 2, 10 do list[i] = pool:submit(function(g) g:get() open(done) end, list[1]) end
      pool:submit(same):get()
      error("oops", 0)
    end)
    for i = 1, 10 do
      assert.equal("cancelled", list[i]:state())
      assert.equal("cancelled", fails.with("the task was cancelled", list[i].get, list[i]).kind)
    end
    assert.is_false(gate.is_open(done))
  end)

  it("by an error stops the task that runs #notsan", function()
    local held = gate.new()
    local f
    fails.with("^oops$", function()
      local pool <close> = lacus.pool(1)
      f = pool:submit(function() open(held) while true do end end)
      wait(held)
      error("oops", 0)
    end)
    assert.equal("cancelled", f:state())
    os.remove(held)
  end)

  it("by break, return or goto is leaving it normally", function()
    local f
    for _ = 1, 3 do
      local pool <close> = lacus.pool(1)
      f = pool:submit(same, 7)
      break
    end
    assert.equal("done", f:state())
    local function first()
      local pool <close> = lacus.pool(1)
      f = pool:submit(same, 8)
      return pool
    end
    fails.here("the pool is closed", function() first():submit(same) end)
    assert.equal(8, f:get())
  end)

  it("does not wait for streams that nobody reads any more", function()
    do
      local pool <close> = lacus.pool(1)
      pool:map({ 1 }, function() while true do coroutine.yield(1) end end):next()
      pool:generate(function() while true do coroutine.yield(1) end end):next()
    end
  end)
end)

describe("pool:close", function()
  it("waits for what was submitted", function()
    local pool = lacus.pool(1)
    local f = pool:submit(function() lacus.sleep(0.01) return 3 end)
    assert.equal(0, pool:close())
    assert.equal(3, f:get())
  end)

  it("with cancel does not, and says how many tasks were dropped", function()
    held_up(function(pool, go)
      local list = {}
      for i = 1, 5 do list[i] = pool:submit(same, i) end
      go()
      local dropped = pool:close { cancel = true }
      local cancelled = 0
      for i = 1, 5 do
        if list[i]:state() == "cancelled" then cancelled = cancelled + 1 end
        assert.is_true(list[i]:wait(0))
      end
      assert.is_true(dropped == cancelled or dropped == cancelled + 1)   -- what ran, too
    end)
  end)

  it("with a timeout cancels what has not ended by then", function()
    local pool = lacus.pool(1)
    local short = pool:submit(same, 1)
    local long = pool:submit(function() lacus.sleep(1e9) end)
    short:wait()
    pool:close { timeout = 0.01 }
    assert.same({ "done", "cancelled" }, { short:state(), long:state() })
  end)

  it("refuses options that it does not know", function()
    local pool <close> = lacus.pool(1)
    fails.here("unknown option or wrong value: 'force'", function() pool:close { force = true } end)
    fails.here("unknown option or wrong value: 'timeout'", function() pool:close { timeout = "x" } end)
    fails.here("unknown option or wrong value: 'timeout'", function() pool:close { timeout = "1" } end)
    fails.here("table expected, got boolean", function() pool:close(true) end)
    assert.equal(1, pool:submit(same, 1):get())
  end)

  it("makes every later use a clear error", function()
    local pool = lacus.pool(1)
    pool:close()
    fails.here("the pool is closed", function() pool:submit(same) end)
    fails.here("the pool is closed", function() pool:map({ 1 }, same) end)
    fails.here("the pool is closed", function() pool:generate(same) end)
    fails.with("the pool is closed", function() pool:each({ 1 }, same) end)
    fails.with("the pool is closed", function() pool:broadcast(same) end)
  end)

  it("is refused in its own tasks, and in others' tasks", function()
    local pool <close> = lacus.pool(1)
    local other <close> = lacus.pool(1)
    for _, where in ipairs { pool, other } do
      fails.with("a pool is closed where it was opened", function()
        where:submit(function() pool:close() end):get()
      end)
      fails.with("a pool is closed where it was opened", function()
        where:submit(function() local _ <close> = pool end):get()
      end)
    end
    assert.equal(1, pool:submit(same, 1):get())
  end)

  it("inside a coroutine and a generator's body works", function()
    local pool = lacus.pool(1)
    local f = pool:submit(same, 1)
    coroutine.wrap(function() pool:close() end)()
    assert.equal(1, f:get())
  end)

  it("cancels tasks that wait, wherever they wait", function()
    local pool = lacus.pool(1)
    local never = pool:submit(function() lacus.sleep(1e9) end)
    local list = {
      never,
      pool:submit(function() return never:get() end),
      pool:submit(function() return lacus.wait { never } end),
      pool:submit(function() for _ in pool:map({ 1 }, function() lacus.sleep(1e9) end) do end end),
      pool:submit(function() for _ in pool:generate(function() lacus.sleep(1e9) end) do end end),
      pool:submit(function() return coroutine.wrap(function() return never:get() end)() end),
    }
    pool:submit(same):get()
    gate.await(function()
      for _, f in ipairs(list) do if f:state() ~= "running" then return false end end
      return true
    end)
    pool:close { cancel = true }
    for _, f in ipairs(list) do assert.is_true(f:state() == "cancelled" or f:state() == "failed") end
  end)

  it("tells a task that waits where it cannot be suspended", function()
    local pool = lacus.pool(1)
    local began = gate.new()
    local sort = table.sort
    local f = pool:submit(function()
      sort({ 1, 2 }, function()
        pool:submit(function() open(began) lacus.sleep(1e9) end):get()
      end)
    end)
    wait(began)
    os.remove(began)
    pool:close { cancel = true }
    fails.with("cancelled", f.get, f)
  end)

  it("runs the <close> of tasks that wait, which may not wait for each other", function()
    local pool = lacus.pool(1)
    local log = gate.new()
    local pcall, tostring = pcall, tostring
    local list = {}
    for i = 1, 3 do
      list[i] = pool:submit(function(before)
        local _ <close> = setmetatable({}, { __close = function()
          local _, err = pcall(function() return before and before:get() end)
          open(log, (tostring(err):match "cannot wait" or tostring(err):match "cancelled" or tostring(err)))
        end })
        lacus.sleep(1e9)
      end, list[i - 1])
    end
    gate.await(function()
      return list[1]:state() == "running" and list[2]:state() == "running" and list[3]:state() == "running"
    end)
    pool:submit(same):get()
    pool:close { cancel = true }
    local words = gate.words(log)
    assert.equal(3, #words)
    for _, word in ipairs(words) do
      assert.is_true(word == "nil" or word == "cancelled" or word == "cannot wait", word)
    end
  end)
end)

describe("the option linger", function()
  -- Ends with a task that would never end by itself, under a pool with this option.
  local function ends(option)
    return child.prints(([[
      pool = lacus.pool { workers = 1, linger = %s }
      pool:submit(function() io.write "began\n" io.stdout:flush() lacus.sleep(1e9) end)
      local f = pool:submit(function() end)
      f:wait()
    ]]):format(option))
  end

  it("is how long the end of the script waits for what was submitted", function()
    assert.equal("began\n", ends "0.05")
    assert.equal("began\n", ends "0")
  end)

  it("cuts nothing short that ends in time", function()
    assert.equal("done\n", child.prints [[
      pool = lacus.pool { workers = 1, linger = 1e6 }
      pool:submit(function() lacus.sleep(0.05) io.write "done\n" io.stdout:flush() end)
    ]])
  end)

  it("is each pool's own, and counts from the end of the script", function()
    assert.equal("done\n", child.prints [[
      short = lacus.pool { workers = 1, linger = 0.01 }
      long = lacus.pool { workers = 1, linger = math.huge }
      none = lacus.pool { workers = 0, linger = 0.01 }
      short:submit(function() lacus.sleep(1e9) end)
      none:submit(function() lacus.sleep(1e9) end)
      long:submit(function() lacus.sleep(0.05) io.write "done\n" io.stdout:flush() end)
    ]])
  end)

  it("is refused when it is no number of seconds", function()
    for _, value in ipairs { "1", true, -1, 0 / 0, {} } do
      fails.here("option 'linger' must be a number of seconds, not negative, got ",
        function() lacus.pool { linger = value } end)
    end
  end)
end)

describe("the host, at the end of a script", function()
  -- The task goes on when it reads what the host says of it: after some seconds.
  it("says what it waits for, once, and waits on #host", function()
    local out, err = os.tmpname(), os.tmpname()
    local name = os.tmpname()
    local f = assert(io.open(name, "w"))
    f:write(([[
      local lacus = require "lacus"
      lacus.pool { workers = 1, name = "slow" }:submit(function(err)
        local function said()
          local f <close> = io.open(err)
          return f:read "a"
        end
        while said() == "" do lacus.sleep(0.01) end
        lacus.sleep(0.2)
        io.write(said())
      end, %q)
    ]]):format(err))
    f:close()
    local line = ("exec %s %s >%s 2>%s"):format(proc.quote(proc.this), name, out, err)
    local got = proc.run { "sh", "-c", line }
    assert.equal(0, got.status)
    local text = io.open(out):read "a"
    assert.matches("^[^\n]*: waiting for 1 task of pool 'slow' to end %(Ctrl%-C stops them%)\n$", text)
    for _, file in ipairs { out, err, name } do os.remove(file) end
  end)

  it("does not wait after os.exit that closes the state", function()
    local got = proc.script [[
      pool = require "lacus".pool(1)
      pool:submit(function() require "lacus".sleep(1e9) end)
      os.exit(3, true)
    ]]
    assert.same({ 3, "" }, { got.status, got.err })
  end)
end)

describe("closing while tasks are being added", function()
  it("by the tasks themselves ends, with cancel", function()
    child.prints [[
      for _ = 1, 50 do
        local pool = lacus.pool(2)
        local function more()
          for _ = 1, 3 do pool:submit(more) end
        end
        for _ = 1, 4 do pool:submit(more) end
        pool:submit(function() end):wait()
        pool:close { cancel = true }
      end
    ]]
  end)

  it("by maps of the tasks ends too", function()
    child.prints [[
      for i = 1, 50 do
        local pool = lacus.pool(2)
        local function more()
          for _, v in pool:map({ 1, 2 }, function(x) return x end) do pool:submit(more) end
        end
        for _ = 1, 4 do pool:submit(more) end
        pool:submit(function() end):wait()
        if i % 2 == 0 then pool:close { cancel = true } else pcall(function()
          local _ <close> = pool
          error "x"
        end) end
      end
    ]]
  end)

  it("by another pool's tasks ends, and tells them", function()
    assert.equal("true\n", child.prints [[
      local well = true
      for _ = 1, 30 do
        local a, b = lacus.pool(1), lacus.pool(1)
        local f = b:submit(function()
          while true do a:submit(function() end):wait() end
        end)
        while f:state() ~= "running" do lacus.sleep(0) end
        a:close { cancel = true }
        local ok, err = pcall(f.get, f)
        well = well and not ok and tostring(err):find "closed" ~= nil
        b:close()
      end
      print(well)
    ]])
  end)

  it("from a finalizer does not deadlock", function()
    assert.equal("30\n", child.prints [[
      local n = 0
      local function begin(i)
        local pool = lacus.pool(2)
        pool:submit(function(x) return x end, 1)
        local results = pool:map(lacus.range(1, 1000), function(x) return x end)
        setmetatable({}, { __gc = function() pool:close() n = n + 1 end })
        if i % 2 == 0 then results:next() end
      end
      for i = 1, 30 do begin(i) end
      collectgarbage()
      collectgarbage()
      print(n)
    ]])
  end)

  it("from a finalizer at the end of the script does not either", function()
    child.prints [[
      pool = lacus.pool(2)
      last = setmetatable({}, { __gc = function() pool:close() end })
      results = pool:map(lacus.range(1, 1000000), function(x) return x end)
      future = pool:submit(function(x) return x end, 1)
    ]]
  end)
end)

describe("a pool that nobody holds", function()
  it("finishes what was submitted, and its futures have it", function()
    local function begin()
      local pool = lacus.pool(1)
      local list = {}
      for i = 1, 50 do list[i] = pool:submit(function(x) lacus.sleep(0) return x end, i) end
      return list
    end
    local list = begin()
    collect()
    for i = 1, 50 do assert.equal(i, list[i]:get()) end
  end)

  it("finishes it when nobody holds the futures either, then ends its threads", function()
    collect()
    local before = threads()
    local log = gate.new()
    local function begin()
      local pool = lacus.pool(2)
      for i = 1, 20 do pool:submit(function() open(log, i) end) end
    end
    begin()
    collect()
    gate.await(function()
      collect()
      return threads() <= before
    end)
    assert.equal(20, #gate.words(log))
  end)

  it("does not make the collector wait", function()
    local go, held = gate.new(), gate.new()
    local function begin() return lacus.pool(1):submit(function() open(held) wait(go) return 1 end) end
    local f = begin()
    wait(held)
    collect()                     -- would not return if it waited
    open(go)
    assert.equal(1, f:get())
    os.remove(go)
    os.remove(held)
  end)

  it("may be held by its own tasks", function()
    collect()
    local before = threads()
    local function begin()
      local pool = lacus.pool(1)
      local function chain(n)
        if n == 0 then return 0 end
        return pool:submit(chain, n - 1):get() + 1
      end
      return pool:submit(chain, 10)
    end
    assert.equal(10, begin():get())
    gate.await(function()
      collect()
      return threads() <= before
    end)
  end)

  it("and whose futures are cancelled ends its threads", function()
    collect()
    local before = threads()
    local go, held = gate.new(), gate.new()
    local list = {}
    local function begin()
      local pool = lacus.pool(1)
      pool:submit(function() open(held) wait(go) end)
      for i = 1, 10 do list[i] = pool:submit(same, i) end
    end
    begin()
    wait(held)
    collect()
    for i = 1, 10 do assert.is_true(list[i]:cancel()) end
    open(go)
    gate.await(function()
      collect()
      return threads() <= before
    end)
    os.remove(go)
    os.remove(held)
  end)
end)

describe("what outlives the state that it is from", function()
  it("a future of a task's own pool keeps its result", function()
    local pool = lacus.pool(1)
    local f = pool:submit(function()
      return lacus.pool(1):submit(function() return { 1, { 2 } } end)
    end):get()
    pool:close()
    collect()
    assert.same({ 1, { 2 } }, f:get())
  end)

  it("a task's own pool is closed, and says so", function()
    local pool = lacus.pool(1)
    local inner = pool:submit(function()
      local inner = lacus.pool(1)
      inner:submit(function() return 1 end):get()
      return inner
    end):get()
    pool:close()
    collect()
    assert.equal("lacus.pool (closed)", tostring(inner))
    fails.here("the pool is closed", function() inner:submit(same) end)
    fails.here("the pool is closed", function() inner:map({ 1 }, same) end)
    fails.here("the pool is closed", function() inner:generate(same) end)
    inner = nil
    collect()
  end)

  it("a stream of a task's own pool is broken, and says so", function()
    local pool = lacus.pool(1)
    local inner = pool:submit(function() return lacus.pool(1) end):get()
    local results = inner:map(lacus.range(1, 1000000), same)
    local gen = inner:generate(function() while true do coroutine.yield(1) end end)
    results:next()
    gen:next()
    pool:close()
    fails.with("the pool is closed", function() for _ in results do end end)
    fails.with("the pool is closed", function() for _ in gen do end end)
    results:close()
  end)

  it("in great numbers crashes nothing", function()
    child.prints [[
      for i = 1, 40 do
        local pool = lacus.pool(2)
        local kept = {}
        for k = 1, 5 do
          local inner, f, g = pool:submit(function()
            local inner = lacus.pool(k % 3)
            return inner, inner:submit(function(x) return x end, k), inner:submit(function() lacus.sleep(0.001) end)
          end):get()
          kept[k] = { inner, f, g }
        end
        if i % 2 == 0 then pool:close() else pool:close { cancel = true } end
        for k = 1, 5 do
          kept[k][2]:wait()
          tostring(kept[k][1])
          assert(not pcall(kept[k][1].submit, kept[k][1], print))
        end
      end
    ]]
  end)
end)

describe("a script that ends", function()
  it("waits for what it submitted", function()
    assert.equal("end of script\n" .. ("done\n"):rep(5), child.prints [[
      local pool = lacus.pool(2)
      for _ = 1, 5 do pool:submit(function() lacus.sleep(0.05) io.write "done\n" io.stdout:flush() end) end
      io.write "end of script\n"
      io.stdout:flush()
    ]])
  end)

  it("waits for it though the pool was collected before", function()
    assert.equal("end of script\ndone\n", child.prints [[
      local function begin()
        lacus.pool(1):submit(function() lacus.sleep(0.05) io.write "done\n" io.stdout:flush() end)
      end
      begin()
      collectgarbage()
      collectgarbage()
      io.write "end of script\n"
      io.stdout:flush()
    ]])
  end)

  it("does not wait for streams that nobody can read", function()
    child.prints [[
      pool = lacus.pool(2)
      results = pool:map({ 1, 2 }, function() while true do coroutine.yield(1) end end)
      results:next()
      gen = pool:generate(function() while true do coroutine.yield(1) end end)
      gen()
    ]]
  end)

  it("in the middle of everything ends well", function()
    child.prints [[
      local pool = lacus.pool(2)
      local function work(n)
        if n == 0 then return 0 end
        local sum = 0
        for _, v in pool:map({ 1, 2 }, function() return work(n - 1) end) do sum = sum + v end
        return pool:submit(function() return sum end):get()
      end
      for i = 1, 20 do pool:submit(work, 3) end
      for v in pool:generate(function() for i = 1, 100 do coroutine.yield(work(1)) end end) do break end
      pool:map(lacus.range(1, 10), function() return work(2) end):next()
    ]]
  end)

  it("by an error, or by os.exit, ends with its status", function()
    for _, how in ipairs { "error 'enough'", "os.exit(1, true)", "os.exit(1)", "os.exit(false)" } do
      local got = proc.script(([[
        local lacus = require "lacus"
        pool = lacus.pool(2)
        for _ = 1, 5 do pool:submit(function() lacus.sleep(0.05) end) end
        results = pool:map({ 1, 2 }, function() while true do coroutine.yield(1) end end)
        results:next()
        %s
      ]]):format(how))
      assert.equal(1, got.status)
      assert.equal(how:find "error" and "enough" or nil, got.err:match "enough")
    end
  end)

  it("in a coroutine that waits ends well", function()
    child.prints [[
      local pool = lacus.pool(1)
      co = coroutine.wrap(function()
        for v in pool:generate(function() while true do coroutine.yield(1) end end) do coroutine.yield(v) end
      end)
      co()
    ]]
  end)
end)
