-- What `make oom` runs: the whole API, a part after the other. A part may fail, as
-- anything may here, but only by an error; what it gives must be right.
-- With an argument: afterwards all must work again.

-- luacheck: ignore 111 241 512 (what tasks do here is meant)

local lacus = require "lacus"
local again = ...

local function wrong(what) io.stderr:write("WRONG: ", what, "\n") os.exit(3) end

-- An error from lack of something, or what follows from one.
local function part(name, f)
  local ok, err = pcall(f)
  if ok then return end
  local text = tostring(err)
  if text:find("assertion failed", 1, true) then wrong(name .. ": " .. text) end
end

local function square(x) return x * x end
local Point = {}
Point.__index = Point
function Point:sum() return self.x + self.y end

local parts = {
  map = function()
    local pool <close> = lacus.pool(2)
    for i, v in pool:map(lacus.range(1, 60), square, { ordered = true }) do assert(v == i * i) end
    for i, ok, v in pool:map({ 1, 2, 3 }, function(x) if x == 2 then error { x } end return x end,
      { on_error = "return" }) do
      assert(not ok or v == i)
    end
    for _, v in pool:map(function() for i = 1, 10 do coroutine.yield(square, i) end end) do assert(v >= 1) end
    for _, a in pool:map({ 3 }, function(n) for k = 1, n do coroutine.yield(k) end end) do assert(a <= 3) end
    for _ in pool:map(lacus.range(1, 100), square) do break end
    local r = pool:map({ 1, 2 }, "math.sqrt")
    r:poll()
    r:next(1)
    r:close()
    assert(pool:map({ 2, 3 }, square):collect()[2] == 9)
  end,
  values = function()
    local pool <close> = lacus.pool(1)
    local up, list = { 1 }, {}
    for i = 1, 300 do list = { list, i } end
    local p = pool:submit(function(o, l) up[1] = up[1] + 1 return o:sum(), l, o, function() return up end end,
      setmetatable({ x = 1, y = 2 }, Point), list)
    local sum, back, o, f = p:get()
    assert(sum == 3 and back[2] == 300 and getmetatable(o) == Point and f()[1] == 2)
    assert(pool:submit(("x").rep, "y", 100000):get() == ("y"):rep(100000))
    pcall(pool.submit, pool, print, coroutine.create(print))
    local bad = setmetatable({}, { __transfer = function() error "no" end })
    assert(not pcall(pool.map, pool, { 1 }, function() return bad end))
    assert(not pcall(function()
      return pool:map(function() coroutine.yield(function() return bad end) end):collect()
    end))
    local ok, err = pcall(function() return pool:submit(function() return coroutine.create(print) end):get() end)
    assert(not ok and err ~= nil)
  end,
  futures = function()
    local pool <close> = lacus.pool { workers = 2, name = "oom" }
    local fs = {}
    for i = 1, 5 do fs[i] = pool:submit(square, i) end
    for f in lacus.as_completed(fs) do assert(f:get() >= 1) end
    lacus.wait(fs, { any = true, timeout = 1 })
    local sleeper = pool:submit(function() lacus.sleep(0.001) return 1 end)
    sleeper:wait(0)
    sleeper:cancel()
    sleeper:state()
    assert(pool:submit(function(g) return g:get() end, fs[3]):get() == 9)
  end,
  nested = function()
    local pool <close> = lacus.pool(1)
    local function fib(n)
      if n < 2 then return n end
      local a, b = pool:submit(fib, n - 1), pool:submit(fib, n - 2)
      return a:get() + b:get()
    end
    assert(pool:submit(fib, 6):get() == 8)
    assert(pool:submit(function()
      local s = 0
      for _, v in pool:map({ 1, 2, 3 }, square) do s = s + v end
      local inner <close> = lacus.pool(1)
      return s + inner:submit(square, 2):get()
    end):get() == 18)
  end,
  folds = function()
    local pool <close> = lacus.pool { workers = 2, seed = 1, shuffle = 2 }
    assert(pool:reduce(lacus.range(1, 20), square, function(a, b) return a + b end) == 2870)
    assert(pool:each({ 1, 2 }, square) == 2)
    assert(#pool:broadcast(math.random) == 2)
    local n = 0
    for v in pool:generate(function() for i = 1, 5 do coroutine.yield(i) end end) do n = n + v end
    assert(n == 15)
  end,
  life = function()
    local pool <close> = lacus.pool { workers = 1, recycle = 2, init = function() n = 1 end }
    for i = 1, 5 do assert(pool:submit(square, i):get() == i * i) end
    pool:recycle()
    pool:submit(square, 2):get()
    local zero <close> = lacus.pool(0)
    assert(zero:submit(square, 3):get() == 9)
    lacus.pool(1):map(lacus.range(1, 10), square):next()
    collectgarbage()
  end,
  limits = function()
    local pool <close> = lacus.pool { workers = 1, memory = 1 << 20, libs = { "string" } }
    local bomb = pool:submit(function() local t = {} while true do t[#t + 1] = {} end end)
    assert(not pcall(bomb.get, bomb))
    assert(pool:submit(square, 3):get() == 9)
    assert(not pcall(lacus.pool, { libs = { "nothing" } }))
  end,
  generators = function()
    local g = lacus.generator(function(n) for i = 1, n do coroutine.yield(i) end end)
    local sum = 0
    for i in g(4) do sum = sum + i end
    for _, v in lacus.iter(pairs { 1, 2 }) do sum = sum + v end
    for lo, hi in lacus.chunks(1, 10, 4) do sum = sum + hi - lo end
    assert(sum == 20)
  end,
}

local order = { "map", "values", "futures", "nested", "folds", "life", "limits", "generators" }
for _, name in ipairs(order) do part(name, parts[name]) end
-- The one failure may have been kept for this: twice it cannot come.
local function must(name)
  if pcall(parts[name]) then return end
  local ok, err = pcall(parts[name])
  if not ok then wrong(name .. " does not work any more: " .. tostring(err)) end
end

if again then for _, name in ipairs(order) do must(name) end end
