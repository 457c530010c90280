-- Workers that come and go: recycle, and pools without threads.

local lacus = require "lacus"

-- Chunks of `load` have the true globals, not busted's: so these keep a count
-- in the worker's state, which a new state has lost.
local count = load "n = (n or 0) + 1; return n"
local keep = load "kept = ...; return kept"
local kept = load "return kept"

describe("pool:recycle", function()
  it("gives every worker a new state", function()
    local pool <close> = lacus.pool(2)
    assert.same({ 1, 1 }, pool:broadcast(count))
    assert.same({ 2, 2 }, pool:broadcast(count))
    pool:recycle()
    assert.same({ 1, 1 }, pool:broadcast(count))
  end)

  it("runs init again in each new state", function()
    local pool <close> = lacus.pool { workers = 1, init = count }
    assert.equal(2, pool:submit(count):get())
    pool:recycle()
    assert.equal(2, pool:submit(count):get())
  end)

  it("lets a task that waits end in its own state", function()
    local pool <close> = lacus.pool(1)
    local gate = pool:submit(function() lacus.sleep(0.01) return "open" end)
    local task = pool:submit(function(future)
      keep "mine"
      return future:get(), kept()
    end, gate)
    pool:recycle()
    assert.same({ "open", "mine" }, { task:get() })
  end)
end)

describe("the option recycle = n", function()
  it("replaces a state after n tasks", function()
    local pool <close> = lacus.pool { workers = 1, recycle = 3 }
    local got = {}
    for i = 1, 7 do got[i] = pool:submit(count):get() end
    assert.same({ 1, 2, 3, 1, 2, 3, 1 }, got)
  end)

  it("is refused unless it is a positive integer", function()
    for _, n in ipairs { 0, -1, 1.5, "often", "3" } do
      assert.error_matches(function() lacus.pool { recycle = n } end, "option 'recycle' must be an integer")
    end
  end)
end)

describe("a pool with workers = 0", function()
  local pool
  before_each(function() pool = lacus.pool(0) end)
  after_each(function() pool:close() end)

  it("runs tasks in source order", function()
    local order = {}
    for i, v in pool:map({ "a", "b", "c" }, function(x) return x .. x end) do
      order[#order + 1] = i .. v
    end
    assert.same({ "1aa", "2bb", "3cc" }, order)
  end)

  it("copies values all the same", function()
    local t = { 1 }
    local back = pool:submit(function(u) u[1] = 2 return u end, t):get()
    assert.same({ 1, 2 }, { t[1], back[1] })
  end)

  it("raises the same errors", function()
    local ok, err = pcall(function() return pool:submit(error, "bad"):get() end)
    assert.same({ false, "error", "bad" }, { ok, err.kind, err.value })
  end)

  it("runs tasks that yield, sleep and wait for each other", function()
    local yield = coroutine.yield
    local function outer()
      lacus.sleep(0.001)
      local sum = 0
      for _, v in pool:map({ 2 }, function(n) for k = 1, n do yield(k) end end) do sum = sum + v end
      return sum + pool:submit(function() return 10 end):get()
    end
    assert.equal(13, pool:submit(outer):get())
  end)

  it("says that it has no workers, and broadcasts to its one state", function()
    assert.equal(0, pool:workers())
    assert.same({ "done" }, pool:broadcast(function() return "done" end))
  end)

  it("finishes at close what was submitted", function()
    local future = pool:submit(function() return 1 end)
    pool:close()
    assert.equal("done", future:state())
  end)
end)
