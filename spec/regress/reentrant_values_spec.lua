-- Values that are sent or received run scripts' code (__transfer, __gc), and so do waits
-- (other tasks on top of it, hooks). It could come to the very map, and write over what was being
-- written or read, or close what was waited for. Found by valgrind in value_cross.c.
-- luacheck: globals R when_received
local lacus = require "lacus"

local function transfer(at_home, there)
  return setmetatable({}, { __transfer = function()
    at_home()
    return there
  end })
end

-- Long enough that a buffer which is written has to grow.
local function around(value)
  local t = {}
  for k = 1, 20 do t[k] = { tostring(k), ("x"):rep(k) } end
  t[21], t[22] = value, { value, t }
  return t
end

local function seven() return 7 end

local ways = {
  next = function(r) return r:next() end,
  poll = function(r) return r:poll() end,
  values = function(r) return r:values()() end,
  call = function(r) return r() end,
  close = function(r) return r:close() end,
}

describe("values that do something when they cross", function()
  for name, way in pairs(ways) do
    local asked = name == "close" and "closed" or "asked for"

    it("cannot come to the map that they are items of: " .. name, function()
      local pool <close> = lacus.pool(1)
      local results, refused = nil, 0
      local function reenter()
        if not results then return end
        local ok, err = pcall(way, results)
        assert.is_false(ok)
        assert.matches("results " .. asked .. " while one of their items is sent", err, 1, true)
        refused = refused + 1
      end
      results = pool:map(function()
        for _ = 1, 40 do coroutine.yield(around(transfer(reenter, seven))) end
      end, function(t) return t[21], t[22][2] == t, t[20][2] end, { window = 2 })
      local n = 0
      for _, seventh, same, text in results do
        assert.same({ 7, true, ("x"):rep(20) }, { seventh, same, text })
        n = n + 1
      end
      assert.equal(40, n)
      assert.is_true(refused > 30)
    end)

    it("cannot come to the map that they are results of: " .. name, function()
      local pool <close> = lacus.pool(1)
      local results, refused = nil, 0
      _G.when_received = function()
        local ok, err = pcall(way, results)
        assert.is_false(ok)
        assert.matches("results " .. asked .. " while one of them is received", err, 1, true)
        refused = refused + 1
        return 7
      end
      results = pool:map(lacus.range(1, 30), function(x)
        local t = {}
        for k = 1, 20 do t[k] = { tostring(k) } end
        t[21] = setmetatable({}, { __transfer = function()
          return function() return when_received() end
        end })
        if x % 3 == 0 then error(t) end
        return t
      end, { on_error = "return" })
      for _, ok, t in results do
        if not ok then t = t.value end
        assert.same({ 7, "20" }, { t[21], t[20][1] })
      end
      _G.when_received = nil
      assert.equal(30, refused)
    end)
  end

  it("cannot come to the map by a finalizer", function()
    local pool <close> = lacus.pool(1)
    local results
    local function reenter()
      setmetatable({}, { __gc = function()
        if results then pcall(results.next, results) end
      end })
      collectgarbage()
    end
    results = pool:map(function()
      for _ = 1, 40 do coroutine.yield(around(transfer(reenter, seven))) end
    end, function(t) return t[21] end, { window = 2 })
    local sum = 0
    for _, v in results do sum = sum + v end
    assert.equal(280, sum)
  end)

  it("may fail: an item does so alone", function()
    local pool <close> = lacus.pool(1)
    local raise = { "boo", { "boo" } }
    local results = pool:map(function()
      for i = 1, 4 do
        coroutine.yield(transfer(function() if i ~= 3 then error(raise[i]) end end, seven))
      end
    end, function(x) return x end, { ordered = true, on_error = "return" })
    local i, ok, err = results:next()
    assert.same({ 1, false, "transfer" }, { i, ok, err.kind })
    assert.matches("item 1: cannot send it: .*_spec.lua:%d+: boo$", err.message)
    i, ok, err = results:next()
    assert.same({ 2, false, "transfer" }, { i, ok, err.kind })
    assert.matches("item 2: cannot send it: (error object is a table value)", err.message, 1, true)
    assert.same({ 3, true, 7 }, { results:next() })
    i, ok, err = results:next()
    assert.same({ 4, false, "transfer" }, { i, ok, err.kind })
    assert.matches("item 4: cannot send it: (error object is a nil value)", err.message, 1, true)
    assert.is_nil(results:next())
  end)

  for _, name in ipairs { "next", "send", "close" } do
    it("cannot come to the generator that they are sent to: " .. name, function()
      local pool <close> = lacus.pool(1)
      local gen = pool:generate(function()
        local got
        while true do got = coroutine.yield(got and got[21]) end
      end)
      assert.is_true((gen:next()))
      for _ = 1, 20 do
        local ok, value = gen:send(around(transfer(function()
          local again, err = pcall(gen[name], gen, around(1))
          assert.is_false(again)
          assert.matches("running", err, 1, true)
        end, seven)))
        assert.same({ true, 7 }, { ok, value })
      end
      assert.error_matches(function() gen:send(transfer(function() error "boo" end)) end, "boo")
      assert.same({ true, 7 }, { gen:send(around(transfer(seven, seven))) })
    end)
  end
end)

describe("what runs while a map is waited for", function()
  for _, name in ipairs { "next", "close" } do
    it("may be a task on top, which cannot come to it: " .. name, function()
      local pool <close> = lacus.pool(1)
      local index, ok, err = pool:submit(function(p)
        R = p:map({ 1 }, function() return pcall(R[name], R) end)
        local first
        table.sort({ 2, 1 }, function(a, b)
          first = first or table.pack(R:next())
          return a < b
        end)
        R = nil
        return table.unpack(first, 1, first.n)
      end, pool):get()
      assert.same({ 1, false }, { index, ok })
      assert.matches("while a coroutine waits for them", err, 1, true)
    end)
  end

  it("may be a hook that closes it", function()
    local pool <close> = lacus.pool(1)
    local results = pool:map({ 1 }, function() while true do end end)
    local next, closed = results.next, nil
    debug.sethook(function()
      local called = debug.getinfo(2, "f").func
      if called == next or called == debug.sethook then return end
      debug.sethook()
      closed = results:close()
    end, "c")
    assert.error_matches(function() next(results) end, "attempt to use closed results")
    assert.equal(1, closed)
  end)
end)
