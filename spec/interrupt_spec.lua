-- What runs is stopped: by cancel, by close, by its timeout, whatever it does.
local lacus = require "lacus"
local gate = require "spec.support.gate"
local fails = require "spec.support.fails"
local proc = require "spec.support.proc"

-- Functions that never end, each in its own way. (By `load`: busted's environment
-- is not to travel with them.)
local endless = load([[
  return {
    loop = function() while true do end end,
    pcall = function() while true do pcall(function() while true do end end) end end,
    handler = function() xpcall(error, function() while true do end end) end,
    handlers = function()
      while true do xpcall(function() while true do end end, function() while true do end end) end
    end,
    coroutine = function()
      coroutine.wrap(function() coroutine.wrap(function() while true do end end)() end)()
    end,
    resumes = function()
      while true do coroutine.resume(coroutine.create(function() while true do end end)) end
    end,
    generator = function()
      for _ in require "lacus".generator(function() while true do end end)() do end
    end,
    sort = function() table.sort({ 1, 2, 3, 4 }, function() while true do end end) end,
    gsub = function() string.gsub("abc", ".", function() while true do end end) end,
    metamethod = function()
      return setmetatable({}, { __index = function() while true do end end }).x
    end,
    sorted_handler = function()
      table.sort({ 1, 2, 3, 4 }, function() xpcall(error, function() while true do end end) end)
    end,
    closing = function()
      local _ <close> = setmetatable({}, { __close = function() while true do end end })
    end,
    closed_coroutine = function()
      local co = coroutine.create(function()
        local _ <close> = setmetatable({}, { __close = function() while true do end end })
        coroutine.yield()
      end)
      coroutine.resume(co)
      coroutine.close(co)
    end,
    sleep = function() require "lacus".sleep(1e9) end,
    waits = function(pool)
      pool:submit(function() require "lacus".sleep(1e9) end):get()
    end,
    maps = function(pool)
      for _ in pool:map(function() while true do coroutine.yield(1) end end, function(x) return x end) do end
    end,
  }
]], "=endless")()

local names = {}
for name in pairs(endless) do names[#names + 1] = name end
table.sort(names)

local function begun(future)
  gate.await(function() return future:state() ~= "queued" end)
end

describe("a task that never ends #notsan", function()
  for _, name in ipairs(names) do
    it("is stopped by cancel: " .. name, function()
      local pool <close> = lacus.pool(1)
      local future = pool:submit(endless[name], pool)
      begun(future)
      assert.is_true(future:cancel())
      assert.equal("cancelled", future:state())
      assert.equal(42, pool:submit(function() return 42 end):get())
      pool:close { cancel = true }    -- `waits` has submitted another
    end)

    it("is stopped by its timeout: " .. name, function()
      local pool <close> = lacus.pool(2)
      local list = {}
      for i, ok, err in pool:map({ pool }, endless[name], { timeout = 0.02, on_error = "return" }) do
        list[i] = { ok, err }
      end
      assert.is_false(list[1][1])
      assert.equal("timeout", list[1][2].kind)
      assert.equal("the task did not end within its timeout of 0.02 seconds", list[1][2].message)
      pool:close { cancel = true }
    end)

    it("is stopped by close: " .. name, function()
      local pool = lacus.pool(1)
      local future = pool:submit(endless[name], pool)
      begun(future)
      assert.is_true(pool:close { cancel = true } >= 1)
      assert.equal("cancelled", future:state())
    end)

    it("is stopped when its loop is left: " .. name, function()
      local pool <close> = lacus.pool(2)
      local loop = load("local f = ... return function(i, pool) if i == 1 then return 1 end return f(pool) end")
      local f = loop(endless[name])
      pool:map(function() coroutine.yield(1) coroutine.yield(2, pool) end, f):close()
      assert.equal(42, pool:submit(function() return 42 end):get())
      pool:close { cancel = true }
    end)
  end

  it("is followed by a thousand others, and the worker is right after each", function()
    local pool <close> = lacus.pool(1)
    local quick = { "loop", "pcall", "handler", "handlers", "coroutine", "generator", "sort",
                    "gsub", "metamethod", "sorted_handler", "sleep" }
    pool:submit(load [[ worker_is = "the same" ]]):get()
    for i = 1, 1000 do
      local future = pool:submit(endless[quick[i % #quick + 1]], pool)
      begun(future)
      assert.is_true(future:cancel())
      assert.equal(i, pool:submit(function(x) return x end, i):get())
    end
    assert.equal("the same", pool:submit(load [[ return worker_is ]]):get())
  end)
end)

describe("submit and cancel", function()
  it("race ten thousand times, and every task ends in one way", function()
    local pool <close> = lacus.pool(2)
    local count = { done = 0, failed = 0, cancelled = 0 }
    local said = 0
    local task = load [[ local x = ... if x % 7 == 0 then error "seven" end return x ]]
    for i = 1, 10000 do
      local future = pool:submit(task, i)
      if i % 3 == 0 then lacus.sleep(0) end
      if future:cancel() then said = said + 1 end
      if future:state() ~= "cancelled" then future:wait() end
      count[future:state()] = count[future:state()] + 1
      assert.is_false(future:cancel())
    end
    assert.equal(10000, count.done + count.failed + count.cancelled)
    assert.equal(said, count.cancelled)
  end)
end)

describe("a task that is stopped", function()
  it("runs its <close> variables, from the innermost coroutine outwards #notsan", function()
    local pool <close> = lacus.pool(1)
    local held = gate.new()
    local future = pool:submit(load [[
      local open, held = ...
      log = {}
      local function note(name)
        return setmetatable({}, { __close = function() log[#log + 1] = name end })
      end
      local a <close> = note "task"
      coroutine.wrap(function()
        local b <close> = note "coroutine"
        pcall(function()
          local c <close> = note "pcall"
          open(held)
          while true do end
        end)
      end)()
    ]], gate.open, held)
    gate.wait(held)
    os.remove(held)
    future:cancel()
    assert.equal("pcall coroutine task",
      pool:submit(load [[ return table.concat(log, " ") ]]):get())
  end)

  it("runs them too when it is stopped inside sort #notsan", function()
    local pool <close> = lacus.pool(1)
    local held = gate.new()
    local future = pool:submit(load [[
      local open, held = ...
      local a <close> = setmetatable({}, { __close = function() closed = true end })
      table.sort({ 1, 2, 3 }, function()
        local b <close> = setmetatable({}, { __close = function() inner = true end })
        open(held)
        while true do end
      end)
    ]], gate.open, held)
    gate.wait(held)
    os.remove(held)
    future:cancel()
    assert.equal("true true", pool:submit(load [[ return tostring(closed) .. " " .. tostring(inner) ]]):get())
  end)

  it("is cut when its <close> does not end within half the grace #notsan", function()
    local pool <close> = lacus.pool { workers = 1, grace = 1 }
    local future = pool:submit(load [[
      mark = "same state"
      local a <close> = setmetatable({}, { __close = function() while true do pcall(error) end end })
      require "lacus".sleep(1e9)
    ]])
    pool:submit(function() end):get()         -- it sleeps by now
    future:cancel()
    assert.equal("same state", pool:submit(load [[ return mark ]]):get())
  end)

  it("says where it stood when its time was up #notsan", function()
    local pool <close> = lacus.pool(1)
    local spin = load("local function inner() while true do end end\nreturn function() inner() return 1 end", "=spin")()
    local _, err = pcall(function()
      for _ in pool:map({ 1 }, spin, { timeout = 0.02 }) do end
    end)
    assert.equal("timeout", err.kind)
    assert.equal(1, err.index)
    assert.equal(1, err.item)
    assert.matches("spin:1: in upvalue 'inner'", err.traceback, 1, true)
  end)

  it("is not late because its reader is slow #notsan", function()
    local pool <close> = lacus.pool(1)
    local n = 0
    for _ in pool:map({ 1 }, load [[ for i = 1, 5 do coroutine.yield(i) end ]],
                      { window = 1, timeout = 1 }) do
      n = n + 1
      if n == 1 then lacus.sleep(1.2) end
    end
    assert.equal(5, n)
  end)

  it("takes nobody with it: the others of its batch have their results #notsan", function()
    local pool <close> = lacus.pool(1)
    local good, late = 0, 0
    for i, ok, value in pool:map(lacus.range(1, 60), load [[
      local x = ...
      if x == 30 then while true do end end
      return x
    ]], { timeout = 1, batch = 20, on_error = "return" }) do
      if ok then
        assert.equal(i, value)
        good = good + 1
      else
        assert.equal("timeout", value.kind)
        late = late + 1
      end
    end
    assert.equal(59, good)
    assert.equal(1, late)
  end)

  it("cannot take the hook off: debug.sethook is absent in workers", function()
    local pool <close> = lacus.pool(1)
    assert.is_nil(pool:submit(load [[ return debug.sethook ]]):get())
  end)
end)

-- Their threads run until their process ends: so in one of its own.
describe("a worker that cannot be stopped #notsan #noasan", function()
  local function prints(source)
    local got = proc.script([[
      local lacus = require "lacus"
      local function finalizer()
        setmetatable({}, { __gc = function() while true do end end })
        collectgarbage()
      end
      local function matching() return (("a"):rep(40)):find(("a-"):rep(40) .. "b") end
      -- Until `n` tasks are where no hook reaches them.
      local function stuck(pool, n)
        local stand
        repeat
          stand = 0
          for _, t in ipairs(pool:tasks()) do
            if not t.traceback then stand = stand + 1 end
          end
        until stand == n
      end
    ]] .. source)
    assert.equal("", got.err)
    assert.equal(0, got.status)
    return got.out
  end

  it("is abandoned after its grace, and another takes its place", function()
    assert.equal("true 1 2\ntrue 1 2\n", (prints [[
      local pool <close> = lacus.pool { workers = 2, grace = 0.1 }
      for _, f in ipairs { finalizer, matching } do
        local future = pool:submit(f)
        stuck(pool, 1)
        local cancelled = future:cancel()
        local ids = pool:broadcast(function() return lacus.worker.id end)
        print(cancelled, ids[1], ids[2])
      end
    ]]:gsub("\t", " ")))
  end)

  it("fails its task with kind lost, and the others go on", function()
    assert.equal("lost lost well\n", prints [[
      local pool <close> = lacus.pool { workers = 2, grace = 0.1 }
      local kinds = {}
      for i, ok, err in pool:map({ matching, finalizer, function() return "well" end },
                                 function(f) return f() end, { timeout = 0.5, on_error = "return" }) do
        kinds[i] = ok and err or err.kind
      end
      print(table.concat(kinds, " "))
    ]])
  end)

  it("takes none of its batch along, neither the finished nor those not begun", function()
    assert.equal("37 13 26 39\n", (prints [[
      local pool <close> = lacus.pool { workers = 1, grace = 0.1 }
      local lost, good = {}, 0
      for i, ok, v in pool:map(lacus.range(1, 40), function(x)
        return x % 13 == 0 and matching() or x
      end, { timeout = 0.5, batch = 20, on_error = "return" }) do
        if ok then
          assert(i == v)
          good = good + 1
        else
          assert(v.kind == "lost")
          lost[#lost + 1] = i
        end
      end
      print(good, table.concat(lost, " "))
    ]]:gsub("\t", " ")))
  end)

  it("asks how long its task is to wait for another attempt", function()
    assert.equal("true asked for the pause after attempt 1\n", prints [[
      local pool <close> = lacus.pool { workers = 2, grace = 0.1 }
      local name = os.tmpname()
      for _, ok, v in pool:map({ name }, function(name)
        if os.remove(name) then matching() end
        return 42
      end, { timeout = 0.3, retries = 1, on_error = "return", retry_delay = function(n)
        error("asked for the pause after attempt " .. n, 0)
      end }) do
        print((tostring(not ok) .. " " .. tostring(v.value)):gsub("retry_delay: ", ""):match "[^\n]*")
      end
    ]])
  end)

  it("has its task tried again by another, if that is asked for", function()
    assert.equal("1 true 42\n", (prints [[
      local pool <close> = lacus.pool { workers = 2, grace = 0.1 }
      local name = os.tmpname()                     -- gone: somebody has tried
      for i, ok, v in pool:map({ name }, function(name)
        if os.remove(name) then matching() end
        return 42
      end, { timeout = 0.3, retries = 1, on_error = "return" }) do
        print(i, ok, v)
      end
    ]]:gsub("\t", " ")))
    assert.equal("1 false lost\n", (prints [[
      local pool <close> = lacus.pool { workers = 2, grace = 0.1 }
      for i, ok, v in pool:map({ 1 }, matching, { timeout = 0.3, retries = 1, on_error = "return" }) do
        print(i, ok, v.kind)
      end
    ]]:gsub("\t", " ")))
  end)

  it("leaves what its task has started to others", function()
    assert.equal("started\n", prints [[
      local gate = require "spec.support.gate"
      local pool <close> = lacus.pool { workers = 1, grace = 0.1 }
      local begun, started = gate.new(), gate.new()
      local future = pool:submit(function()
        pool:submit(gate.open, started)
        gate.open(begun)
        matching()
      end)
      gate.wait(begun)
      stuck(pool, 1)
      future:cancel()
      gate.wait(started)
      print "started"
      os.remove(begun)
      os.remove(started)
    ]])
  end)

  it("loses nothing that was ready, though nobody was asking", function()
    assert.equal("1 2 lost 4\n", prints [[
      local pool <close> = lacus.pool { workers = 1, grace = 0.1 }
      local gate = require "spec.support.gate"
      local go, list = gate.new(), {}
      local function note(i, ok, v) list[i] = ok and v or v.kind end
      local results = pool:map({ 1, 2, 3, 4 }, function(x)
        if x == 1 then gate.wait(go) end
        if x == 3 then matching() end
        return x
      end, { batch = 3, window = 9, timeout = 2, on_error = "return" })
      assert(not results:next(0))           -- the others are behind the first, all in one batch
      gate.open(go)
      note(results())
      os.remove(go)
      pool:submit(function() end):get()     -- by the next worker
      for i, ok, v in results do note(i, ok, v) end
      print(table.concat(list, " "))
    ]])
  end)

  it("does not keep close from coming back", function()
    assert.equal("true\n", prints [[
      local pool = lacus.pool { workers = 2, grace = 0.1 }
      local a, b = pool:submit(finalizer), pool:submit(matching)
      stuck(pool, 2)
      pool:close { cancel = true }
      local function over(f) return f:state() == "cancelled" or f:state() == "failed" end
      print(over(a) and over(b))
    ]])
  end)

  -- What a lost worker had stopped before was taken off: close gave -1.
  it("is counted by close, and what it has stopped before is not", function()
    assert.equal("2\n", prints [[
      local pool = lacus.pool { workers = 2, grace = 0.1 }
      local function endless() while true do end end
      pool:map({ 1, 2, 3, 4 }, endless, { timeout = 0.01, on_error = "skip" }):collect()
      local loops = { pool:submit(endless), pool:submit(endless) }
      stuck(pool, 0)
      for _, f in ipairs(loops) do f:cancel() end
      pool:broadcast(function() end)
      local a, b = pool:submit(finalizer), pool:submit(matching)
      stuck(pool, 2)
      print(pool:close { cancel = true })
      assert(a:state() ~= "running" and b:state() ~= "running")
    ]])
  end)

  it("does not keep the script from ending", function()
    assert.equal("done\n", prints [[
      local pool = lacus.pool { workers = 1, grace = 0.1 }
      local future = pool:submit(matching)
      stuck(pool, 1)
      future:cancel()
      print "done"
    ]])
  end)
end)

describe("the options", function()
  it("timeout and grace refuse what is no time", function()
    local pool <close> = lacus.pool(1)
    for _, wrong in ipairs { 0, -1, "soon", 0 / 0, true } do
      fails.here("option 'timeout' must be a number of seconds above 0", function()
        pool:map({ 1 }, print, { timeout = wrong })
      end)
      fails.here("option 'grace' must be a number of seconds above 0", function()
        lacus.pool { grace = wrong }
      end)
    end
  end)
end)
