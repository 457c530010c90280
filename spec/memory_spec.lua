-- The option `memory`: how much one worker's state may hold.

local lacus = require "lacus"
local child = require "spec.support.child"
local fails = require "spec.support.fails"

local MB = 1024 * 1024
local pcall, error, setmetatable, rep = pcall, error, setmetatable, string.rep
local concat, wrap, huge = table.concat, coroutine.wrap, math.huge

local function sum(n)
  local t = {}
  for i = 1, n do t[i] = { i } end
  local s = 0
  for i = 1, n do s = s + t[i][1] end
  return s
end

-- luacheck: ignore 241 (what only grows is never read)
local function grow()
  local t = {}
  for i = 1, huge do t[i] = { t } end
end

-- The kind and the message of the task's failure.
local function failure(pool, f, ...)
  local future = pool:submit(f, ...)
  local ok, err = pcall(future.get, future)
  assert.is_false(ok)
  return err.kind, err.message
end

describe("a task that goes over the limit", function()
  local pool

  setup(function() pool = lacus.pool { workers = 1, memory = 4 * MB } end)
  teardown(function() pool:close() end)

  local bombs = {
    ["a table that grows"] = grow,
    ["string.rep"] = function() return #rep("x", 1 << 40 >> 10) end,
    ["a string that doubles"] = function()
      local s = "x"
      while true do s = s .. s end
    end,
    ["table.concat"] = function()
      local t = { rep("x", MB) }
      for i = 2, 100 do t[i] = t[1] end
      return #concat(t)
    end,
    ["a coroutine of its own"] = function() wrap(grow)() end,
    ["pcall again and again"] = function()
      local t = {}
      for _ = 1, 20 do
        pcall(function() for i = #t + 1, huge do t[i] = {} end end)
      end
      for i = #t + 1, huge do t[i] = {} end
    end,
    ["an error that is passed on"] = function()
      local _, err = pcall(grow)
      error(err)
    end,
    ["a <close> variable"] = function()
      local _ <close> = setmetatable({}, { __close = grow })
    end,
  }

  for name, bomb in pairs(bombs) do
    it("fails with kind memory: " .. name, function()
      local kind, message = failure(pool, bomb)
      assert.equal("memory", kind)
      assert.matches("not enough memory$", message)
      assert.equal(500500, pool:submit(sum, 1000):get())
    end)
  end

  it("leaves its worker to the next", function()
    for _ = 1, 20 do
      assert.equal("memory", (failure(pool, grow)))
      assert.equal(50005000, pool:submit(sum, 10000):get())
    end
  end)

  it("fails alone among the items of a map", function()
    local ok, bad = 0, {}
    local function task(n) if n == 7 then grow() end return sum(n) end
    for i, fine, value in pool:map(lacus.range(1, 20), task, { on_error = "return" }) do
      if fine then
        assert.equal(i * (i + 1) // 2, value)
        ok = ok + 1
      else bad[#bad + 1] = { i, value.kind } end
    end
    assert.equal(19, ok)
    assert.same({ { 7, "memory" } }, bad)
  end)
end)

describe("the state of a worker with a limit", function()
  it("is kept when what filled it is garbage", function()
    local pool <close> = lacus.pool { workers = 1, memory = 4 * MB }
    pool:submit(load "mine = 'kept'"):get()
    assert.equal("memory", (failure(pool, grow)))
    assert.equal("kept", pool:submit(load "return mine"):get())
  end)

  it("is replaced when what it keeps leaves no room", function()
    local pool <close> = lacus.pool { workers = 1, memory = 4 * MB, init = load "mine = 'new'" }
    pool:submit(load "mine = 'old'"):get()
    assert.equal("memory", (failure(pool, load "all = {} while true do all[#all + 1] = {} end")))
    assert.same({ "new", nil }, { pool:submit(load "return mine, all"):get() })
    assert.equal(500500, pool:submit(sum, 1000):get())
  end)

  it("waits with that for tasks that sleep in it", function()
    local pool <close> = lacus.pool { workers = 1, memory = 4 * MB }
    local gate = pool:submit(load "require 'lacus'.sleep(0.05)")
    local sleeper = pool:submit(function(future)
      local mine = { 42 }
      future:get()
      return mine[1]
    end, gate)
    assert.equal("memory", (failure(pool, load "all = {} while true do all[#all + 1] = {} end")))
    assert.equal(42, sleeper:get())
    assert.is_nil(pool:submit(load "return all"):get())
  end)

  -- (Under it a minute, for what one thread does alone. Likewise below.)
  it("is not failed by garbage alone #notsan", function()
    local pool <close> = lacus.pool { workers = 1, memory = 8 * MB }
    -- Three MB live; small garbage comes first, then a buffer of the string
    -- library, for which Lua does not ask twice.
    for _, size in ipairs { 1258291, 1468006, 1572864 } do
      for _, garbage in ipairs { 10000, 13000, 37000, 46000, 58000 } do
        local n = pool:submit(function()
          local keep, n = rep("k", 3 * MB), 0
          for _ = 1, 40 do
            for _ = 1, garbage do n = n + #{} end
            n = n + #rep("a", size)
          end
          return n // 40 + #keep
        end):get()
        assert.equal(size + 3 * MB, n)
      end
    end
  end)

  it("takes a message that fits, and refuses one that does not", function()
    local pool <close> = lacus.pool { workers = 1, memory = 4 * MB }
    local function len(s) return #s end
    assert.equal(MB, pool:submit(len, rep("x", MB)):get())
    assert.equal("memory", (failure(pool, len, rep("x", 8 * MB))))
    local function count(t) return #t end
    local t = {}
    for i = 1, 200000 do t[i] = i + 0.5 end
    local function both(a, b) return count(a) + count(b) end
    assert.equal("memory", (failure(pool, both, t, table.move(t, 1, #t, 1, {}))))
    assert.equal(MB, pool:submit(len, rep("y", MB)):get())
  end)

  it("sends a result as large as what it may hold", function()
    local pool <close> = lacus.pool { workers = 1, memory = 8 * MB }
    assert.equal(3 * MB, #pool:submit(rep, "x", 3 * MB):get())
    assert.equal(200000, #pool:submit(function()
      local t = {}
      for i = 1, 200000 do t[i] = i / 3 end
      return t
    end):get())
  end)

  it("bounds what lacus makes of a small value #notsan", function()
    local pool <close> = lacus.pool { workers = 1, memory = 4 * MB }
    -- Each class arrives with a copy of its own of what they share.
    assert.equal("memory", (failure(pool, function()
      local shared, all = {}, {}
      for i = 1, 50000 do shared[i] = i / 3 end
      for i = 1, 1000 do all[i] = setmetatable({}, { shared = shared }) end
      return all
    end)))
    assert.equal(500500, pool:submit(sum, 1000):get())
  end)

  it("fails the init that goes over it, and the pool says so", function()
    local pool <close> = lacus.pool { workers = 2, memory = 4 * MB, init = grow }
    pcall(function() return pool:submit(sum, 1):get() end)
    fails.with("init of worker%-%d failed: not enough memory %(the pool's option 'memory' is a limit%)",
      function() pool:submit(sum, 1):get() end)
  end)

  it("has it without threads, too", function()
    local pool <close> = lacus.pool { workers = 0, memory = 4 * MB }
    assert.equal("memory", (failure(pool, grow)))
    assert.equal(500500, pool:submit(sum, 1000):get())
  end)
end)

describe("the option memory", function()
  it("is refused unless it is a number of bytes", function()
    for _, n in ipairs { 0, -1, 1.5, "16M", math.maxinteger } do
      fails.with("option 'memory' must be a number of bytes, got", lacus.pool, { memory = n })
    end
  end)

  it("is refused when not even a new state fits in", function()
    fails.with("option 'memory' is 10000 bytes, but a new state takes %d+",
      lacus.pool, { workers = 2, memory = 10000 })
  end)

  it("is inherited by a pool that a task opens", function()
    local pool <close> = lacus.pool { workers = 1, memory = 4 * MB }
    assert.equal("memory", pool:submit(function(f)
      local inner <close> = lacus.pool(1)
      local future = inner:submit(f)
      local _, err = pcall(future.get, future)
      return err.kind
    end, grow):get())
  end)
end)

describe("an allocation bomb in one worker of four", function()
  it("leaves the others alone and the process small #noasan #notsan", function()
    local out = child.prints [[
      local pool <close> = lacus.pool { workers = 4, memory = 16 << 20 }
      local function task(n)
        if n % 4 == 1 then
          local t = {}
          if n % 8 == 1 then return #("x"):rep(1 << 30) end
          for i = 1, math.huge do t[i] = { i } end
        end
        local s = 0
        for i = 1, 20000 do s = s + #tostring(i + n) end
        return s
      end
      local function expect(n)
        local s = 0
        for i = 1, 20000 do s = s + #tostring(i + n) end
        return s
      end
      local right, memory = 0, 0
      for i, ok, value in pool:map(lacus.range(1, 80), task, { on_error = "return" }) do
        if ok and value == expect(i) then right = right + 1 end
        if not ok and value.kind == "memory" then memory = memory + 1 end
      end
      print(right, memory)
      for line in io.lines "/proc/self/status" do
        local kb = line:match "^VmHWM:%s*(%d+)"
        if kb then print(tonumber(kb) < 4 * 3 * 16 * 1024 and "small" or kb) end
      end
    ]]
    assert.equal("60\t20\nsmall\n", out)
  end)
end)
