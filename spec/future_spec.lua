-- pool:submit, its futures, and waiting for several of them.
local lacus = require "lacus"
local fails = require "spec.support.fails"
local gate = require "spec.support.gate"

local open, wait = gate.open, gate.wait

local script = require("spec.support.script").with_lacus

local function square(x) return x * x end
local function same(...) return ... end

local pool

setup(function() pool = lacus.pool(2) end)
teardown(function() pool:close() end)

-- `body(go, held)` while a task waits for the gate `go`, and the pool has no
-- other worker.
local function held_up(body)
  local one <close> = lacus.pool(1)
  local go, held = gate.new(), gate.new()
  local f = one:submit(function()
    open(held)
    wait(go)
    return "held"
  end)
  wait(held)
  local ok, err = pcall(body, one, f, function() open(go) end)
  open(go)
  f:wait()
  os.remove(go)
  os.remove(held)
  if not ok then error(err, 0) end
end

describe("pool:submit", function()
  it("gives a future of what a call gives", function()
    assert.equal(49, pool:submit(square, 7):get())
  end)

  it("passes all arguments and results, nil included", function()
    local select = select
    local f = pool:submit(function(...) return select("#", ...), ... end, 1, nil, "x", nil)
    assert.same({ 4, 1, nil, "x", nil, n = 5 }, table.pack(f:get()))
    assert.same({ n = 0 }, table.pack(pool:submit(function() end):get()))
  end)

  it("takes a name of a function", function()
    assert.equal("abab", pool:submit("string.rep", "ab", 2):get())
  end)

  it("sends values as they are at the call", function()
    local t, factor = { 1 }, 2
    local f = pool:submit(function(list) return list[1] * factor end, t)
    t[1], factor = 100, 100
    assert.equal(2, f:get())
  end)

  it("begins at the call, without anybody waiting", function()
    local begun = gate.new()
    local f = pool:submit(function() open(begun) end)
    wait(begun)
    os.remove(begun)
    f:get()
  end)

  it("serves those from outside in turn", function()
    local one <close> = lacus.pool(1)
    local note = script "order = order or {} order[#order + 1] = ..."
    for i = 1, 20 do one:submit(note, i) end
    local expected = {}
    for i = 1, 20 do expected[i] = i end
    assert.same(expected, one:submit(script "return order"):get())
  end)

  it("refuses, at the caller's line, what is no function or cannot be sent", function()
    fails.here("bad argument #1 to 'submit' %(function or \"module.function\" expected, got number%)",
      function() pool:submit(42) end)
    fails.here("'len' does not name a \"module.function\"", function() pool:submit("len") end)
    local file = io.tmpfile()
    fails.here("cannot send args%[2%]%.log: a FILE%* handle",
      function() pool:submit(same, 1, { log = file }) end)
    fails.here("cannot send the function.*upvalue 'file'.*a FILE%* handle",
      function() pool:submit(function() return file end) end)
  end)

  it("refuses a closed pool", function()
    local closed = lacus.pool(1)
    closed:close()
    fails.here("the pool is closed", function() closed:submit(same) end)
    assert.equal(1, pool:submit(same, 1):get())             -- known from here on
    fails.here("the pool is closed", function() closed:submit(same, 1) end)
  end)

  it("leaves nothing behind when it refuses", function()
    local one <close> = lacus.pool(1)
    local file = io.tmpfile()
    for _ = 1, 1000 do pcall(one.submit, one, same, file) end
    assert.equal(1, one:submit(same, 1):get())
  end)
end)

describe("future:get", function()
  it("gives the same again and again, each time a copy", function()
    local f = pool:submit(function() return { 1 }, "x" end)
    local a, x = f:get()
    local b = f:get()
    assert.same({ { 1 }, "x" }, { a, x })
    assert.same(a, b)
    assert.is_false(rawequal(a, b))
  end)

  it("raises what the task raised, as an error object", function()
    local error = error
    local f = pool:submit(function(t) error(t) end, { code = 7 })
    for _ = 1, 2 do
      local err = fails.with("error object is a table value", f.get, f)
      assert.same({ "error", 7 }, { err.kind, err.value.code })
      assert.is_nil(err.index)
      assert.is_number(err.worker)
    end
    assert.equal("failed", f:state())
  end)

  it("raises with the worker's traceback", function()
    local error = error
    local function inner() error "broken" end
    local err = fails.with("future_spec.lua:%d+: broken", function()
      pool:submit(function() inner() end):get()
    end)
    assert.matches("stack traceback:.*future_spec.lua:%d+: in upvalue 'inner'", tostring(err))
  end)

  it("says that a result cannot be sent, and what it is", function()
    local tmpfile = io.tmpfile
    local f = pool:submit(function() return 1, { out = tmpfile() } end)
    local err = fails.with("cannot send result%[2%]%.out: a FILE%* handle", f.get, f)
    assert.equal("transfer", err.kind)
  end)

  it("raises with kind timeout when it takes too long, and loses nothing", function()
    held_up(function(_, f, go)
      for _, seconds in ipairs { 0, 0.001 } do
        local err = fails.with("no result within the timeout", f.get, f, seconds)
        assert.equal("timeout", err.kind)
      end
      go()
      assert.equal("held", f:get(60))
    end)
  end)

  it("refuses a timeout that is no number", function()
    local f = pool:submit(same)
    fails.here("bad argument #1 to 'get' %(number expected, got string%)", function() f:get("x") end)
    fails.with("future expected, got table", f.get, {})
  end)

  it("waits in a coroutine and in a generator's body too", function()
    local co = coroutine.wrap(function() return pool:submit(square, 3):get() end)
    assert.equal(9, co())
    local gen = lacus.generator(function()
      for i = 1, 3 do coroutine.yield(pool:submit(square, i):get()) end
    end)
    local sum = 0
    for v in gen() do sum = sum + v end
    assert.equal(14, sum)
  end)
end)

describe("future:wait", function()
  it("says whether the task has ended, well or not", function()
    held_up(function(_, f, go)
      assert.is_false(f:wait(0))
      assert.is_false(f:wait(0.001))
      go()
      assert.is_true(f:wait())
      assert.is_true(f:wait(0))
    end)
    local error = error
    assert.is_true(pool:submit(function() error "x" end):wait())
  end)
end)

describe("future:state", function()
  it("goes from queued over running to done", function()
    held_up(function(one, f, go)
      local g = one:submit(same)
      assert.same({ "running", "queued" }, { f:state(), g:state() })
      assert.equal("lacus.future (queued)", tostring(g))
      go()
      g:get()
      assert.same({ "done", "done" }, { f:state(), g:state() })
    end)
  end)
end)

describe("future:cancel", function()
  it("keeps a task that is queued from running", function()
    local ran = gate.new()
    held_up(function(one, _, go)
      local f = one:submit(function() open(ran) end)
      assert.is_true(f:cancel())
      assert.equal("cancelled", f:state())
      assert.is_true(f:wait(0))
      local err = fails.with("the task was cancelled", f.get, f)
      assert.equal("cancelled", err.kind)
      go()
      one:submit(same):get()
      assert.is_false(gate.is_open(ran))
    end)
  end)

  it("says false for what has ended, and changes nothing", function()
    local f = pool:submit(square, 4)
    f:wait()
    assert.is_false(f:cancel())
    assert.equal(16, f:get())
  end)

  it("says true once", function()
    held_up(function(one)
      local f = one:submit(same)
      assert.is_true(f:cancel())
      assert.is_false(f:cancel())
    end)
  end)

  it("wakes who waits for it", function()
    local one <close> = lacus.pool(1)
    local got = held_up(function(blocked)
      local f = blocked:submit(same)
      local waiting = gate.new()
      local waiter = one:submit(function(future)
        open(waiting)
        return (future:wait())
      end, f)
      wait(waiting)
      os.remove(waiting)
      f:cancel()
      assert.is_true(waiter:get(60))
    end)
    assert.is_nil(got)
  end)

  -- Either it was cancelled and did not run, or it was not, and did.
  it("is right about what runs at that moment", function()
    for _ = 1, 500 do
      local ran = pool:submit(same, 5)
      if ran:cancel() then
        assert.equal("cancelled", ran:state())
      else
        assert.equal(5, ran:get())
      end
    end
  end)
end)

describe("a future that is sent", function()
  it("can be waited for in a task", function()
    local f = pool:submit(square, 5)
    assert.equal(26, pool:submit(function(future) return future:get() + 1 end, f):get())
  end)

  it("can be waited for by many", function()
    local f = pool:submit(square, 5)
    local n = 0
    for _, v in pool:map(lacus.range(1, 50), function() return f:get() end) do n = n + v end
    assert.equal(1250, n)
  end)

  it("is the same when it comes back", function()
    local f = pool:submit(square, 5)
    local _, back = pool:map({ f }, same)()
    assert.is_true(rawequal(f, back))
  end)

  it("is the same each time, however it comes back", function()
    local f, g = pool:submit(square, 5), pool:submit(square, 6)
    local ended = lacus.wait { f, g, f }
    assert.is_true(rawequal(f, ended[1]) and rawequal(g, ended[2]) and rawequal(f, ended[3]))
    local seen = { [f] = "f", [g] = "g" }
    local h = pool:submit(square, 7)
    local back = pool:submit(function(list) return list end, { h, f, { h, g } }):get()
    assert.is_true(rawequal(h, back[1]) and rawequal(h, back[3][1]))
    assert.same({ "f", "g" }, { seen[back[2]], seen[back[3][2]] })
    assert.equal(49, pool:submit(function() return h:get() end):get())     -- as an upvalue
    assert.is_true(rawequal(h, (lacus.wait { h })[1]))
  end)

  it("can be a task's result", function()
    local f = pool:submit(function() return pool:submit(square, 6) end):get()
    assert.equal(36, f:get())
  end)

  it("can be cancelled by a task", function()
    held_up(function(blocked)
      local f = blocked:submit(same)
      assert.is_true(pool:submit(function(future) return future:cancel() end, f):get())
      assert.equal("cancelled", f:state())
    end)
  end)

  it("raises in the task that waits, with all that it knows", function()
    local error = error
    local f = pool:submit(function() error("deep", 0) end)
    local err = fails.with("deep", function() pool:submit(function() f:get() end):get() end)
    assert.same({ "error", "error", "deep" }, { err.kind, err.value.kind, err.value.message })
  end)
end)

describe("a future that nobody holds", function()
  it("does not keep its task from running", function()
    local ran = gate.new()
    pool:submit(function() open(ran) end)
    collectgarbage()
    wait(ran)
    os.remove(ran)
  end)

  it("frees its result #noasan #notsan", function()
    local function rss()
      for line in io.lines "/proc/self/status" do
        local n = line:match "^VmRSS:%s*(%d+)"
        if n then return tonumber(n) end
      end
    end
    local rep = string.rep
    local function round() for _ = 1, 50 do pool:submit(rep, "x", 1 << 20):wait() collectgarbage() end end
    round()
    local before = rss()
    for _ = 1, 4 do round() end
    assert.is_true(rss() < before + 32 * 1024)
  end)

  it("is not missed in great numbers", function()
    for i = 1, 5000 do pool:submit(same, i) end
    collectgarbage()
    assert.equal(1, pool:submit(same, 1):get())
  end)
end)

describe("lacus.wait", function()
  local function indexes(list, of)
    local found = {}
    for i, f in ipairs(list) do
      for k, g in ipairs(of) do if f == g then found[i] = k end end
    end
    return found
  end

  it("waits for all, and gives them in their order", function()
    local list = {}
    for i = 1, 20 do list[i] = pool:submit(square, i) end
    local ended, rest = lacus.wait(list)
    assert.same({}, rest)
    for i = 1, 20 do
      assert.equal(list[i], ended[i])
      assert.equal("done", list[i]:state())
    end
  end)

  it("with a timeout gives what has ended, and the rest", function()
    held_up(function(one, f, go)
      local list = { pool:submit(square, 1), f, one:submit(same), pool:submit(square, 2) }
      list[1]:wait()
      list[4]:wait()
      for _, seconds in ipairs { 0, 0.001 } do
        local ended, rest = lacus.wait(list, { timeout = seconds })
        assert.same({ { 1, 4 }, { 2, 3 } }, { indexes(ended, list), indexes(rest, list) })
      end
      go()
      assert.equal(4, #lacus.wait(list, { timeout = 60 }))
    end)
  end)

  it("with any is content with one", function()
    held_up(function(one, f)
      local list = { f, pool:submit(square, 3), one:submit(same) }
      local ended, rest = lacus.wait(list, { any = true })
      assert.same({ { 2 }, { 1, 3 } }, { indexes(ended, list), indexes(rest, list) })
    end)
  end)

  it("with first_error stops at a failure", function()
    local error = error
    held_up(function(one, f)
      local list = { f, pool:submit(square, 3), pool:submit(function() error "x" end), one:submit(same) }
      list[2]:wait()
      local ended = lacus.wait(list, { first_error = true })
      assert.equal("failed", ended[2]:state())
      assert.same({ 2, 3 }, indexes(ended, list))
    end)
  end)

  it("with first_error waits for all when there is none", function()
    local list = { pool:submit(square, 1), pool:submit(square, 2) }
    assert.equal(2, #lacus.wait(list, { first_error = true }))
  end)

  it("takes none, and the same one twice", function()
    assert.same({ {}, {} }, { lacus.wait {} })
    local f = pool:submit(square, 2)
    assert.same({ f, f }, (lacus.wait { f, f }))
    assert.same({ f, f }, (lacus.wait({ f, f }, { any = true })))
  end)

  it("raises nothing of its futures' own", function()
    local error = error
    local f = pool:submit(function() error "x" end)
    assert.same({ f }, (lacus.wait { f }))
  end)

  it("works in tasks", function()
    local one <close> = lacus.pool(1)
    assert.equal(55, one:submit(function()
      local list, sum = {}, 0
      for i = 1, 5 do list[i] = one:submit(function(x) return x * x end, i) end
      local ended = lacus.wait(list)
      for i = 1, #ended do sum = sum + ended[i]:get() end
      return sum
    end):get())
  end)

  it("refuses what are no futures, and options that it does not know", function()
    fails.here("%[2%] is no future but a number", function() lacus.wait { pool:submit(same), 2 } end)
    fails.here("table expected, got nil", function() lacus.wait(nil) end)
    fails.here("unknown option or wrong value: 'all'", function() lacus.wait({}, { all = true }) end)
    fails.here("unknown option or wrong value: 'timeout'",
      function() lacus.wait({}, { timeout = "x" }) end)
  end)
end)

describe("lacus.as_completed", function()
  it("gives each future once, as it ends", function()
    local list, seen = {}, {}
    for i = 1, 30 do list[i] = pool:submit(square, i) end
    for f in lacus.as_completed(list) do
      assert.is_true(f:wait(0))
      assert.is_nil(seen[f])
      seen[f] = true
    end
    for i = 1, 30 do assert.is_true(seen[list[i]]) end
  end)

  it("gives those that are there while others are not", function()
    held_up(function(_, f, go)
      local order = {}
      for g in lacus.as_completed { f, pool:submit(square, 3) } do
        order[#order + 1] = g:get()
        go()
      end
      assert.same({ 9, "held" }, order)
    end)
  end)

  it("raises with kind timeout when it takes too long", function()
    held_up(function(_, f)
      local got = 0
      local err = fails.with("futures have not ended within the timeout", function()
        for _ in lacus.as_completed({ pool:submit(square, 3), f }, 0.05) do got = got + 1 end
      end)
      assert.equal("timeout", err.kind)
      assert.is_true(got <= 1)
    end)
  end)

  it("leaves the list as it was", function()
    local list = { pool:submit(square, 1), pool:submit(square, 2) }
    for _ in lacus.as_completed(list) do assert.equal(2, #list) end
  end)
end)

describe("lacus.sleep", function()
  it("takes at least as long as it says", function()
    local before = lacus.now()
    lacus.sleep(0.01)
    assert.is_true(lacus.now() - before >= 0.01)
  end)

  it("holds no worker: sleepers sleep side by side, and wake in turn", function()
    local one <close> = lacus.pool(1)
    local order = {}
    for _, v in one:map({ 0.06, 0.01, 0.03, 0 }, function(s)
      lacus.sleep(s)
      return s
    end, { batch = 1, window = 4 }) do order[#order + 1] = v end
    table.sort(order)
    assert.same({ 0, 0.01, 0.03, 0.06 }, order)
    local forever = one:submit(function() lacus.sleep(1e9) end)
    assert.equal(9, one:submit(square, 3):get())
    assert.equal("running", forever:state())
    one:close { cancel = true }
    assert.equal("cancelled", forever:state())
  end)

  it("refuses what is no time", function()
    fails.here("seconds must not be negative", function() lacus.sleep(-1) end)
    fails.here("number expected, got string", function() lacus.sleep("x") end)
    fails.here("seconds must not be negative", function() lacus.sleep(0 / 0) end)
  end)
end)

describe("pool:each", function()
  it("runs for effects, and gives the count", function()
    local log = gate.new()
    assert.equal(20, pool:each(lacus.range(1, 20), function(i) open(log, i) end))
    assert.equal(20, #gate.words(log))
    assert.equal(0, pool:each({}, same))
  end)

  it("raises what a task raises", function()
    local error = error
    fails.with("bad 3", pool.each, pool, { 1, 2, 3 }, function(i) if i == 3 then error "bad 3" end end)
  end)
end)

describe("pool:broadcast", function()
  it("runs once on every worker, and gives a table by worker", function()
    local three <close> = lacus.pool(3)
    assert.same({ 1, 2, 3 }, three:broadcast(script "return lacus.worker.id"))
    three:broadcast(script "base = ...", 40)
    for _, v in three:map(lacus.range(1, 30), script "return base") do assert.equal(40, v) end
  end)

  it("raises what it raises on any of them, when all have ended", function()
    local three <close> = lacus.pool(3)
    local log = gate.new()
    local error = error
    fails.with("worker 2", function()
      three:broadcast(function()
        open(log, "x")
        if lacus.worker.id == 2 then error "worker 2" end
      end)
    end)
    assert.equal(3, #gate.words(log))
  end)

  it("works from inside a task", function()
    local two <close> = lacus.pool(2)
    assert.same({ 1, 2 }, two:submit(function()
      return two:broadcast(function() return lacus.worker.id end)
    end):get())
  end)
end)
