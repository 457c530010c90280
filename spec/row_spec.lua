-- What a range's items give travels in another shape than what others give (a row of
-- values, until one is none): it must not show.
local lacus = require "lacus"

local error, yield, random = error, coroutine.yield, lacus.random      -- tasks use no globals: see map_spec

local pool

setup(function() pool = lacus.pool { workers = 2, seed = 5 } end)
teardown(function() pool:close() end)

-- One kind of result for each x.
local function any(x)
  local kind = x % 12
  if kind == 0 then return "text " .. x end
  if kind == 1 then return x + 0.5 end
  if kind == 2 then return true end
  if kind == 3 then return false end
  if kind == 4 then return nil end
  if kind == 5 then return end
  if kind == 6 then return x, x * 2 end
  if kind == 7 then error("not " .. x) end
  if kind == 8 then return { x = x } end
  if kind == 9 then
    yield(x)
    yield("and " .. x)
    return x + 1
  end
  if kind == 10 then
    yield(-x)
    return
  end
  return x
end

-- The results of each index, one after the other, as text.
local function gather(source, f, options)
  local lists, n = {}, 0
  options.on_error = "return"
  for i, ok, a, b in pool:map(source, f, options) do
    local list = lists[i] or {}
    lists[i], n = list, n + 1
    if type(a) == "table" and ok then a = "x = " .. a.x end
    if not ok then a = a.kind .. ": " .. a.message end
    list[#list + 1] = ("%s %s %s"):format(ok, math.type(a) or "", tostring(a)) .. tostring(b)
  end
  return lists, n
end

local function list(first, last, step)
  local t = {}
  for x = first, last, step or 1 do t[#t + 1] = x end
  return t
end

describe("the results of a range", function()
  for _, batch in ipairs { 1, 2, 5, 13, 64, 1000 } do
    for _, order in ipairs { "as they come", "ordered" } do
      it(("are those of a list, %s, in batches of %d"):format(order, batch), function()
        local function o() return { batch = batch, ordered = order == "ordered" } end
        for first = 1, 12 do
          local last = first + 40
          assert.same(gather(list(first, last), any, o()), gather(lacus.range(first, last), any, o()))
        end
      end)
    end
  end

  it("are all there when each is a value, whatever the number of them", function()
    for n = 0, 300, 7 do
      local lists, all = gather(lacus.range(1, n), function(x) return x // 2 end, {})
      assert.equal(n, all)
      for i = 1, n do assert.same({ ("true integer %dnil"):format(i // 2) }, lists[i]) end
    end
  end)

  it("are those of a list where the items go down, or past the last integer", function()
    local function same(x) return x end
    assert.same(gather(list(100, -100, -3), same, {}), gather(lacus.range(100, -100, -3), same, {}))
    local most = math.maxinteger
    assert.same(gather(list(most - 50, most - 1, 7), same, {}),
                gather(lacus.range(most - 50, most - 1, 7), same, {}))
  end)

  it("have the random numbers of their index, as a list's", function()
    local function draw() return random() end
    assert.same(gather(list(1, 50), draw, { batch = 8 }), gather(lacus.range(1, 50), draw, { batch = 8 }))
  end)

  it("say of a failure which item it was", function()
    local results = pool:map(lacus.range(10, 60), function(x)
      if x == 33 then error "odd one" end
      return x
    end, { on_error = "return", batch = 64 })
    local failed
    for i, ok, e in results do
      if not ok then failed = { i, e.index, e.message:match "odd one" } end
    end
    assert.same({ 24, 24, "odd one" }, failed)
  end)

  it("come of the attempt that did not fail", function()
    local seen = {}                   -- one for each worker
    local function third(x)
      seen[x] = (seen[x] or 0) + 1
      if x % 5 == 0 and seen[x] < 3 then error "again" end
      return x * 3
    end
    local one <close> = lacus.pool(1)
    local sum, n = 0, 0
    for i, v in one:map(lacus.range(1, 40), third, { retries = 2, batch = 16 }) do
      assert.equal(3 * i, v)
      sum, n = sum + v, n + 1
    end
    assert.same({ 40, 3 * 820 }, { n, sum })
  end)
end)

describe("a row that is being read", function()
  -- Mostly what a row may have.
  local function plain(x)
    local kind = x % 6
    if kind == 0 then return x / 2 end
    if kind == 1 then return x % 4 == 1 end
    if kind == 2 then return nil end
    return x % 31 == 0 and "text" or x
  end

  local function ask(results, how)
    if how == 1 then return results:next() end
    if how == 2 then
      local i, value
      repeat i, value = results:poll() until i or value ~= "pending"
      return i, value
    end
    return results()
  end

  -- Takes `n` results, in one of three ways each.
  local function take(results, n, seen)
    for _ = 1, n do
      local i, value = ask(results, math.random(5))
      assert.is_nil(seen[i])
      seen[i] = true
      assert.equal(plain(i), value)
    end
  end

  before_each(function() math.randomseed(7) end)

  for _, batch in ipairs { 1, 2, 3, 50, 1000 } do
    it(("gives each result once, however it is asked, in batches of %d"):format(batch), function()
      local results, seen = pool:map(lacus.range(1, 300), plain, { batch = batch }), {}
      take(results, 300, seen)
      assert.equal(300, #seen)
      assert.is_nil(results())
    end)

    it(("says what it has left when it is closed, in batches of %d"):format(batch), function()
      for n = 1, 120, 7 do
        local results = pool:map(lacus.range(1, 120), plain, { batch = batch })
        take(results, n, {})
        local pulled = n + results:close()      -- in whole batches
        assert.is_true(pulled == 120 or pulled < 120 and pulled % batch == 0)
        assert.error_matches(function() results() end, "attempt to use closed results")
      end
    end)
  end

  it("goes on where another loop has stopped", function()
    local results, seen, n = pool:map(lacus.range(1, 200), plain, { batch = 40 }), {}, 0
    for _, most in ipairs { 3, 45, 199, 200, 1000 } do
      for i in results do       -- (no fourth value, so `break` does not close them)
        assert.is_nil(seen[i])
        seen[i], n = true, n + 1
        if n == most then break end
      end
    end
    assert.equal(200, n)
  end)

  it("is bounded by a deadline", function()
    local results = pool:map(lacus.range(1, 50), plain, { batch = 50, deadline = 1000 })
    local seen = {}
    take(results, 50, seen)
    assert.equal(50, #seen)
  end)
end)
