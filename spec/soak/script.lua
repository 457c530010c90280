-- What `make soak` runs (tools/soak.lua): all features at once in one pool of 32
-- workers and some small ones, for SECONDS. Prints a line for each round: rounds, KB of
-- memory, descriptors, threads, as they are when all pools are closed. These must not grow.

-- luacheck: ignore 111 113 241 512 (what tasks do here is meant)

local lacus = require "lacus"
local seconds, workers = tonumber(arg[1]), tonumber(arg[2])
warn "@off"

local function square(x) return x * x end
local function spin() while true do end end
local function bad(x) error { x } end

local parts = {
  function(pool)
    local sum = 0
    for i, v in pool:map(lacus.range(1, 2000), square, { ordered = true }) do assert(v == i * i) sum = sum + 1 end
    assert(sum == 2000)
  end,
  function(pool)
    local n = 0
    local function some(x) for k = 1, x % 5 do coroutine.yield(k) end end
    for _ in pool:map(lacus.range(1, 300), some, { window = 8 }) do
      n = n + 1
    end
    assert(n == 660)           -- five residues, a result for each that yields nothing
  end,
  function(pool)
    for i, ok, err in pool:map(lacus.range(1, 60), function(x) return x % 2 == 0 and bad(x) or x end,
      { on_error = "return", retries = 1, retry_delay = 0.0001 }) do
      assert(ok == (i % 2 == 1) and (ok or err.value[1] == i))
    end
  end,
  function(pool)
    for _, ok, err in pool:map(lacus.range(1, 8), function(x) if x % 2 == 0 then while true do end end return x end,
      { timeout = 0.02, on_error = "return" }) do assert(ok or err.kind == "timeout") end
  end,
  function(pool)
    local fs = {}
    for i = 1, 40 do fs[i] = pool:submit(i % 8 == 0 and spin or square, i) end
    for i = 8, 40, 8 do assert(fs[i]:cancel()) end
    for f in lacus.as_completed(fs) do assert(f:state() ~= "failed") end
  end,
  function(pool)
    local function fib(n)
      if n < 2 then return n end
      local a, b = pool:submit(fib, n - 1), pool:submit(fib, n - 2)
      return a:get() + b:get()
    end
    assert(pool:submit(fib, 9):get() == 34)
  end,
  function(pool)
    local g = pool:generate(function(n) for i = 1, n do coroutine.yield(("x"):rep(i)) end end, 200)
    local n = 0
    for s in g do n = n + #s if n > 9000 then break end end
    local e = pool:generate(function(x) while true do x = coroutine.yield(x) end end, 1)
    assert(e() == 1 and select(2, e:send(5)) == 5)
  end,
  function(pool)
    assert(pool:reduce(lacus.range(1, 300), square, function(a, b) return a + b end) == 9045050)
    assert(#pool:broadcast(square, 2) == pool:workers())
    pool:recycle()
    pool:tasks()
  end,
  function()
    local small = lacus.pool { workers = 2, memory = 1 << 21, libs = { "string" }, recycle = 3 }
    local f = small:submit(function() local t = {} while true do t[#t + 1] = {} end end)
    assert(not pcall(f.get, f))
    for _ = 1, 8 do assert(small:submit(square, 3):get() == 9) end
    small:submit(spin)
    small:close { cancel = true }
  end,
  function(pool)
    for _ in pool:map(function() while true do coroutine.yield(1) end end, square) do break end
    pool:map({ 1, 2, 3 }, square):next()
    pool:submit(function() lacus.sleep(0.002) local p <close> = lacus.pool(1) return p:submit(square, 2):get() end)
    collectgarbage "step"
  end,
  function(pool)
    local s = ("y"):rep(200000)
    for _, back in pool:map({ s, s, s, s }, function(x) return x end) do assert(back == s) end
  end,
}

local function slurp(name)
  local f = io.open(name)
  local text = f and f:read "a" or ""
  if f then f:close() end
  return text
end

local function level()
  collectgarbage() collectgarbage()
  local text = slurp "/proc/self/status"
  local list = io.popen "ls /proc/$PPID/fd 2>/dev/null | wc -l"
  local fds = list and list:read "n" or 0
  if list then list:close() end
  return tonumber(text:match "VmRSS:%s*(%d+)" or 0), fds, tonumber(text:match "Threads:%s*(%d+)" or 0)
end

local until_ = lacus.now() + seconds
local rounds = 0
while lacus.now() < until_ do
  rounds = rounds + 1
  local pool = lacus.pool { workers = workers, watchdog = 5 }
  -- Several loops at once: each thread of control is a task of another pool.
  local outer = lacus.pool { workers = #parts }
  local fs = {}
  for i, part in ipairs(parts) do
    fs[i] = outer:submit(function()
      for _ = 1, 3 do part(pool) end
    end)
  end
  for k = 1, 3 do parts[(rounds + k) % #parts + 1](pool) end
  for _, f in ipairs(fs) do f:get() end
  outer:close()
  pool:close(rounds % 4 == 0 and { cancel = true } or nil)
  print(rounds, level())
  io.stdout:flush()
end
