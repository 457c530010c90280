-- A function that is mapped again: what has no upvalues but the globals is encoded
-- once, for all maps (pool/call.h). So nothing may show that.

local lacus = require "lacus"
local gate = require "spec.support.gate"

local script = require("spec.support.script").plain

local function mapped(pool, f, ...)
  local got = {}
  for i, value in pool:map({ ... }, f) do got[i] = value end
  return got
end

describe("a function that is mapped again", function()
  local pool
  before_each(function() pool = lacus.pool(2) end)
  after_each(function() pool:close() end)

  it("does the same", function()
    local function double(x) return 2 * x end
    for i = 1, 100 do assert.same({ 2 * i, 0 }, mapped(pool, double, i, 0)) end
  end)

  it("does so in several pools, and when its first pool is gone", function()
    local f = script "local x = ... return math.type(x)"
    for _ = 1, 3 do
      local other <close> = lacus.pool(1)
      assert.same({ "integer", "float" }, mapped(other, f, 1, 1.0))
      assert.same({ "float" }, mapped(pool, f, 2.5))
    end
    assert.same({ "integer" }, mapped(pool, f, 3))
  end)

  it("is as it is now: with another _ENV, and with its own again", function()
    local f = script "return answer"
    local own = select(2, debug.getupvalue(f, 1))
    assert.same({ nil }, mapped(pool, f, 1))
    debug.setupvalue(f, 1, { answer = 42 })
    assert.same({ 42 }, mapped(pool, f, 1))
    debug.setupvalue(f, 1, { answer = 43 })
    assert.same({ 43 }, mapped(pool, f, 1))
    debug.setupvalue(f, 1, own)
    assert.same({ nil }, mapped(pool, f, 1))
  end)

  it("has the upvalues that it has now", function()
    local n = 1
    local function add(x) return x + n end
    assert.same({ 11 }, mapped(pool, add, 10))
    n = 2
    assert.same({ 12 }, mapped(pool, add, 10))
  end)

  it("is known from others, of which there are many, in turn", function()
    local fs = {}
    for i = 1, 40 do fs[i] = script("return ... * " .. i) end
    for _ = 1, 3 do
      for i = 1, 40 do assert.same({ 7 * i }, mapped(pool, fs[i], 7)) end
    end
  end)

  it("is known from others that were where it is now", function()
    for i = 1, 300 do
      assert.same({ 3 * i }, mapped(pool, script("return ... * " .. i), 3))
      if i % 50 == 0 then collectgarbage() end
    end
  end)

  it("is loaded again in a new state", function()
    local count = script "n = (n or 0) + 1 return n"
    local one <close> = lacus.pool(1)
    assert.same({ 1, 2 }, mapped(one, count, 1, 1))
    assert.same({ 3 }, mapped(one, count, 1))
    one:recycle()
    assert.same({ 1 }, mapped(one, count, 1))
  end)

  it("may be mapped while another map of it is open", function()
    local function double(x) return 2 * x end
    local first <close> = pool:map(lacus.range(1, 1000), double)
    assert.is_truthy(first())
    do
      local second <close> = pool:map(lacus.range(1, 1000), double)
      assert.is_truthy(second())
    end
    local n = 1
    for _ in first do n = n + 1 end
    assert.equal(1000, n)
  end)

  it("comes back as the original", function()
    local f = script "return ..."
    for _ = 1, 3 do assert.is_true(mapped(pool, f, f)[1] == f) end
  end)

  it("may be one that a task has made", function()
    local add = pool:submit(script "return load 'return 1 + ...'"):get()
    for _ = 1, 3 do assert.same({ 6 }, mapped(pool, add, 5)) end
  end)

  it("may be mapped by tasks, each in a pool of its own", function()
    local got = pool:submit(script [[
      local lacus = require "lacus"
      local inner <close> = lacus.pool(0)
      local f, sum = load "return 10 * ...", 0
      for i = 1, 5 do
        for _, value in inner:map({ i }, f) do sum = sum + value end
      end
      return sum
    ]]):get()
    assert.equal(150, got)
  end)
end)

describe("a function that is submitted again", function()
  local pool
  before_each(function() pool = lacus.pool(1) end)
  after_each(function() pool:close() end)

  it("gets its arguments, whatever they are", function()
    local give = script "return select('#', ...), ..."
    local t = { 1, { "two" } }
    for _ = 1, 3 do
      assert.same({ 0 }, { pool:submit(give):get() })
      assert.same({ 1, nil }, { pool:submit(give, nil):get() })
      assert.same({ 1, 7 }, { pool:submit(give, 7):get() })
      assert.same({ 1, 0.5 }, { pool:submit(give, 0.5):get() })
      assert.same({ 1, false }, { pool:submit(give, false):get() })
      assert.same({ 1, "text" }, { pool:submit(give, "text"):get() })
      assert.same({ 1, t }, { pool:submit(give, t):get() })
      assert.same({ 3, 1, nil, "x" }, { pool:submit(give, 1, nil, "x"):get() })
      assert.is_true(select(2, pool:submit(give, give):get()) == give)
    end
  end)

  it("is as it is now", function()
    local f = script "return answer"
    local own = select(2, debug.getupvalue(f, 1))
    for i = 1, 3 do
      assert.is_nil(pool:submit(f):get())
      debug.setupvalue(f, 1, { answer = i })
      assert.equal(i, pool:submit(f):get())
      debug.setupvalue(f, 1, own)
    end
  end)

  it("is one with the same function in a map", function()
    local count = script "n = (n or 0) + 1 return n"
    assert.equal(1, pool:submit(count):get())
    assert.same({ 2 }, mapped(pool, count, 0))
    assert.equal(3, pool:submit(count):get())
    assert.same({ 4, 5 }, mapped(pool, count, 0, 0))
  end)

  it("names the argument that cannot be sent", function()
    local function same(...) return ... end
    for _ = 1, 3 do
      assert.error_matches(function() pool:submit(same, coroutine.create(print)) end,
        "cannot send args%[1%]: a coroutine")
      assert.error_matches(function() pool:submit(same, 1, { x = coroutine.create(print) }) end,
        "cannot send args%[2%]%.x: a coroutine")
      assert.equal(5, pool:submit(same, 5):get())
    end
  end)

  it("fails with its argument in the error", function()
    local fail = script "error('no ' .. (...), 0)"
    for _ = 1, 3 do
      local ok, err = pcall(function() return pool:submit(fail, 7):get() end)
      assert.is_false(ok)
      assert.equal("no 7", err.message)
      assert.equal(7, err.item)
    end
  end)

  it("may be dropped before it begins, and with its pool", function()
    local function same(x) return x end
    assert.equal(0, pool:submit(same, 0):get())
    local go = gate.new()
    local held = pool:submit(gate.wait, go)
    local futures = {}
    for i = 1, 20 do futures[i] = pool:submit(same, i) end
    for i = 1, 20, 2 do assert.is_true(futures[i]:cancel()) end
    pool:close { cancel = true }
    assert.equal("cancelled", held:state())
    for i = 1, 20 do assert.equal("cancelled", futures[i]:state()) end
  end)
end)

describe("a function made in a pool with 'libs'", function()
  it("may be mapped there again and again, and never leaves it", function()
    local pool <close> = lacus.pool { workers = 1, libs = { "base" } }
    local task = script [[
      local pool = ...
      local made, sum = load "return 2 * ...", 0
      for i = 1, 3 do
        for _, value in pool:map({ i }, made) do sum = sum + value end
      end
      return sum, made
    ]]
    assert.error_matches(function() pool:submit(task, pool):get() end,
      "cannot send result%[2%]: a function made in a pool with 'libs'")
  end)
end)
