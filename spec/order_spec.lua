-- luacheck: ignore 512 (loops that break at once are what is tested)
-- Order, laziness and the window.
local lacus = require "lacus"
local gate = require "spec.support.gate"
local proc = require "spec.support.proc"

local yield = coroutine.yield

local function square(x) return x * x end
local function same(...) return ... end

-- A task that takes longer the earlier it is in the source, so that results
-- arrive out of order.
local function uneven(x)
  local n = 0
  for _ = 1, x % 7 == 0 and 20000 or 10 do n = n + 1 end
  return x, n
end

-- An endless source, and how often it was pulled.
local function endless()
  local pulled = { n = 0 }
  return pulled, lacus.generator(function()
    while true do
      pulled.n = pulled.n + 1
      yield(pulled.n)
    end
  end)()
end

local pool

setup(function() pool = lacus.pool(3) end)
teardown(function() pool:close() end)

describe("ordered results", function()
  it("come in the order of the source", function()
    local want = 0
    for i, x in pool:map(lacus.range(1, 2000), uneven, { ordered = true }) do
      want = want + 1
      if i ~= want or x ~= want then error("out of order") end
    end
    assert.equal(2000, want)
  end)

  it("do so for every window and batch", function()
    for _, window in ipairs { 1, 2, 3, 8, 100, 5000 } do
      for _, batch in ipairs { "auto", 1, 5, 64 } do
        local want = 0
        for i in pool:map(lacus.range(1, 300), uneven,
          { ordered = true, window = window, batch = batch }) do
          want = want + 1
          if i ~= want then error("out of order") end
        end
        assert.equal(300, want)
      end
    end
  end)

  it("keep the places of items that fail", function()
    local error = error
    local want = 0
    for i, ok in pool:map(lacus.range(1, 300), function(x)
      if x % 3 == 0 then error(x) end
    end, { ordered = true, on_error = "return" }) do
      want = want + 1
      if i ~= want or ok ~= (i % 3 ~= 0) then error("out of order") end
    end
    assert.equal(300, want)
  end)

  it("keep the places of items that cannot be sent", function()
    local co = coroutine.create(same)
    local list = { 1, co, 3, co, 5 }
    local want = 0
    for i, ok in pool:map(list, same, { ordered = true, on_error = "return" }) do
      want = want + 1
      assert.same({ want, want % 2 == 1 }, { i, ok })
    end
    assert.equal(5, want)
  end)

  it("wait for the first, which others have overtaken", function()
    local go, overtaken = gate.new(), gate.new()
    local wait, open = gate.wait, gate.open
    local results = pool:map({ 1, 2 }, function(x)
      if x == 1 then wait(go) else open(overtaken) end
      return x
    end, { ordered = true, batch = 1 })
    gate.wait(overtaken)
    assert.same({ nil, "pending" }, { results:poll() })
    gate.open(go)
    assert.same({ 1, 1 }, { results() })
    assert.same({ 2, 2 }, { results() })
    os.remove(go)
    os.remove(overtaken)
  end)
end)

describe("results as they arrive", function()
  it("do not wait for a slow one before them", function()
    local go = gate.new()
    local wait = gate.wait
    local list = {}
    for i, x in pool:map({ 1, 2, 3 }, function(x)
      if x == 1 then wait(go) end
      return x
    end, { batch = 1 }) do
      list[#list + 1] = i
      assert.equal(i, x)
      if #list == 2 then gate.open(go) end
    end
    os.remove(go)
    assert.equal(1, list[3])
  end)

  it("come each once, with the index that leads back to the source", function()
    local seen = {}
    for i, x in pool:map(lacus.range(1, 5000), uneven) do
      if i ~= x or seen[i] then error("wrong") end
      seen[i] = true
    end
    assert.equal(5000, #seen)
  end)

  it("of a slow source are not held back to fill a batch", function()
    local results
    local seen = 0
    -- The source goes on only when what it gave before has come back.
    results = pool:map(coroutine.wrap(function()
      for i = 1, 5 do yield(i) end
    end), same, { window = 1, batch = 100 })
    for i in results do
      seen = seen + 1
      assert.equal(seen, i)
    end
    assert.equal(5, seen)
  end)
end)

describe("a source", function()
  it("is pulled lazily, as the loop goes on", function()
    local pulled, source = endless()
    local results <close> = pool:map(source, square, { window = 4 })
    assert.is_true(pulled.n <= 4)
    for taken = 1, 50 do
      results()
      assert.is_true(pulled.n <= taken + 4)
    end
  end)

  it("is not pulled between two steps of the loop", function()
    local pulled, source = endless()
    for i in pool:map(source, square, { window = 100 }) do
      local before = pulled.n
      for _ = 1, 1000 do square(i) end
      assert.equal(before, pulled.n)
      if i == 20 then break end
    end
  end)

  it("is never pulled more than a window ahead of what was handed over", function()
    for _, window in ipairs { 1, 2, 8, 64 } do
      for _, ordered in ipairs { true, false } do
        local pulled, source = endless()
        local taken, most = 0, 0
        for _ in pool:map(source, uneven, { window = window, ordered = ordered }) do
          taken = taken + 1
          most = math.max(most, pulled.n - taken + 1)
          if taken == 200 then break end
        end
        assert.is_true(most <= window)
      end
    end
  end)

  it("may be endless: window = 8 and 20 results pull at most 28 items", function()
    local got = proc.script [[
      local lacus = require "lacus"
      local pulled = 0
      local function naturals()
        while true do
          pulled = pulled + 1
          coroutine.yield(pulled)
        end
      end
      local taken = 0
      for _, v in lacus.pool(2):map(naturals, function(x) return x end, { window = 8 }) do
        taken = taken + 1
        if taken == 20 then break end
      end
      print(taken, pulled <= 28)
    ]]
    assert.equal("20\ttrue\n", got.out)
    assert.equal(0, got.status)
  end)

  it("may be endless without a window too, and stays bounded", function()
    local pulled, source = endless()
    local taken = 0
    for _ in pool:map(source, square) do
      taken = taken + 1
      if taken == 1000 then break end
    end
    assert.is_true(pulled.n < 1000 + 32768)
  end)

  it("is pulled a window far and no further when no result comes", function()
    local pulled, source = endless()
    local go = gate.new()
    local wait = gate.wait
    local own = lacus.pool(2)
    local results = own:map(source, function() wait(go) end, { window = 10 })
    for _ = 1, 20 do assert.same({ nil, "pending" }, { results:poll() }) end
    assert.equal(10, pulled.n)
    gate.open(go)
    results:close()
    own:close()
    os.remove(go)
  end)

  it("keeps workers fed while the consumer has results to read", function()
    local pulled, source = endless()
    local results <close> = pool:map(source, square, { window = 50 })
    for _ = 1, 100 do results() end
    assert.is_true(pulled.n >= 100)
  end)

  it("that ends is not asked again", function()
    local asked = 0
    for _ in pool:map(function()
      asked = asked + 1
      if asked <= 3 then return asked end
    end, square) do end
    assert.equal(4, asked)
  end)
end)

describe("memory", function()
  -- What a process needed at most to send n items through a map, in KiB.
  local function peak(n)
    local got = proc.script(([[
      local lacus = require "lacus"
      local pool <close> = lacus.pool(2)
      local sum, n = 0, %d
      local function source() for i = 1, n do coroutine.yield(i) end end
      for _, v in pool:map(source, function(x) return x + 1 end) do sum = sum + v end
      assert(sum == n * (n + 3) // 2)
      for line in io.lines "/proc/self/status" do
        local kib = line:match "^VmHWM:%%s*(%%d+)"
        if kib then print(kib) end
      end
    ]]):format(n))
    assert.equal("", got.err)
    return tonumber(got.out)
  end

  -- Sanitizers keep what was freed; their peaks say nothing.
  it("stays flat: 2,000,000 items need no more than 20,000 #notsan #noasan", function()
    local few, many = peak(20000), peak(2000000)
    assert.is_true(many - few <= 4096, ("%d KiB, then %d KiB"):format(few, many))
  end)
end)
