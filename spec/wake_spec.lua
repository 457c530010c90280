-- Who is woken for a task: in a pool of more workers than there are processors, too, where
-- one is sent after the other.
local lacus = require "lacus"
local gate = require "spec.support.gate"

local MANY = 2 * lacus.cpus() + 3

-- A task that opens a gate of its own and keeps its worker until `go` is open.
local function meet(here, go, i)
  gate.open(here .. i)
  gate.wait(go)
  return i
end

-- Whether so many tasks are there, at once.
local function are_there(here, n)
  for i = 1, n do
    if not gate.is_open(here .. i) then return false end
  end
  return true
end

local function await(here, n)
  gate.await(function() return are_there(here, n) end)
end

describe("in a pool of more workers than processors", function()
  local pool, here, go

  before_each(function()
    pool = lacus.pool(MANY)
    here, go = gate.new(), gate.new()
  end)

  after_each(function()
    gate.open(go)
    pool:close()
    for i = 1, MANY do os.remove(here .. i) end
    os.remove(go)
  end)

  -- All workers have a task at once.
  local function fill()
    local futures = {}
    for i = 1, MANY do futures[i] = pool:submit(meet, here, go, i) end
    await(here, MANY)
    gate.open(go)
    for i = 1, MANY do assert.equal(i, futures[i]:get()) end
  end

  it("as many tasks run at once as there are workers", fill)

  it("likewise when some of them were busy before, and when they have slept", function()
    for _ = 1, 3 do
      for i, double in pool:map(lacus.range(1, 1000), function(x) return 2 * x end) do
        assert.equal(2 * i, double)
      end
      assert.equal(MANY, #pool:broadcast(function() return 1 end))
    end
    fill()
  end)

  it("items of a map run at once on all of them", function()
    local results = pool:map(lacus.range(1, MANY), function(i) return meet(here, go, i) end)
    await(here, MANY)
    gate.open(go)
    local sum = 0
    for _, i in results do sum = sum + i end
    assert.equal(MANY * (MANY + 1) // 2, sum)
  end)

  it("what a task starts runs on the others", function()
    local first = pool:submit(function(n)
      local futures = {}
      for i = 1, n do futures[i] = pool:submit(meet, here, go, i) end
      gate.wait(go)
      local sum = 0
      for i = 1, n do sum = sum + futures[i]:get() end
      return sum
    end, MANY - 1)
    await(here, MANY - 1)
    gate.open(go)
    assert.equal(MANY * (MANY - 1) // 2, first:get())
  end)

  it("and items that wait behind one that runs go to them", function()
    local results = pool:map(lacus.range(1, MANY), function(i) return meet(here, go, i) end,
      { batch = MANY })
    assert.is_nil((results:next(0)))
    gate.await(function() return results:next(0) == nil and are_there(here, MANY) end)
    gate.open(go)
    local n = 0
    for _ in results do n = n + 1 end
    assert.equal(MANY, n)
  end)
end)

-- Workers go to the reader's processor when they share another one.
describe("workers that go elsewhere", function()
  local function allowed()
    local list, names = {}, io.popen "ls /proc/$PPID/task 2>/dev/null"
    for id in names:lines() do
      local status = io.open("/proc/self/task/" .. id .. "/status")
      if status then
        list[#list + 1] = status:read "a":match "Cpus_allowed:%s*(%S+)"
        status:close()
      end
    end
    names:close()
    return list
  end

  it("are bound to no processor", function()
    local before = allowed()
    if #before == 0 then pending "there is no /proc here" return end
    local pool <close> = lacus.pool(MANY)
    for _ = 1, 20 do
      local n = 0
      for _ in pool:map(lacus.range(1, 20000), function(x) return x end) do n = n + 1 end
      assert.equal(20000, n)
    end
    -- One may be on its way: the last word is what counts.
    gate.await(function()
      for _, mask in ipairs(allowed()) do
        if mask ~= before[1] then return false end
      end
      return true
    end)
  end)
end)
