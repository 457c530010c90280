-- others.lua: the tiny task again, against the other Lua libraries with threads, where
-- they are installed: LuaLanes, effil, llthreads2. None has a pool: each is given two
-- threads and queues, with an item in each message, as its manual has it.

local lacus = require "lacus"

local N = 16 * 1024

local function sum_to(n) return n * (n + 1) end

-- LuaLanes: two lanes between two keys of a linda.
local function lanes(there)
  local from = there.configure and there.configure() or there
  local linda = from.linda()
  local worker = from.gen("*", function()
    while true do
      local _, x = linda:receive("in")
      if not x then return end
      linda:send("out", x * 2)
    end
  end)
  local threads, sum, sent = { worker(), worker() }, 0, 0
  for _ = 1, 64 do
    sent = sent + 1
    linda:send("in", sent)
  end
  for _ = 1, N do
    local _, y = linda:receive("out")
    sum = sum + y
    if sent < N then
      sent = sent + 1
      linda:send("in", sent)
    end
  end
  for _ = 1, #threads do linda:send("in", false) end
  for _, t in ipairs(threads) do t:join() end
  assert(sum == sum_to(N))
end

-- effil: two threads between two channels.
local function effil(there)
  local to, from = there.channel(), there.channel()
  local worker = there.thread(function(items, results)
    while true do
      local x = items:pop()
      if not x then return end
      results:push(x * 2)
    end
  end)
  local threads, sum, sent = { worker(to, from), worker(to, from) }, 0, 0
  for _ = 1, 64 do
    sent = sent + 1
    to:push(sent)
  end
  for _ = 1, N do
    sum = sum + from:pop()
    if sent < N then
      sent = sent + 1
      to:push(sent)
    end
  end
  for _ = 1, #threads do to:push(false) end
  for _, t in ipairs(threads) do t:wait() end
  assert(sum == sum_to(N))
end

-- llthreads2 has no queues: a thread for each of two halves.
local function llthreads(there)
  local function half(first, last)
    local t = there.new([[
      local first, last = ...
      local sum = 0
      for x = first, last do sum = sum + x * 2 end
      return sum
    ]], first, last)
    t:start()
    return t
  end
  local a, b = half(1, N // 2), half(N // 2 + 1, N)
  local _, x = a:join()
  local _, y = b:join()
  assert(x + y == sum_to(N))
end

local RIVALS = {
  { "lanes", "LuaLanes, one item a message", lanes },
  { "effil", "effil, one item a message", effil },
  { "llthreads2", "llthreads2, two threads, no messages", llthreads },
}

return function(lib)
  local pool <close> = lacus.pool(lib.workers)
  for _, rival in ipairs(RIVALS) do
    local name, what, f = table.unpack(rival)
    local ok, there = pcall(require, name)
    if not ok then lib.skip(name, "it is not installed")
    else
      local t = lib.medians(5, {
        ours = function()
          return lib.time(N, function()
            local sum = 0
            for _, y in pool:map(lacus.range(1, N), function(x) return x * 2 end) do sum = sum + y end
            assert(sum == sum_to(N))
          end)
        end,
        theirs = function() return lib.time(N, f, there) end,
      })
      lib.row { question = "a tiny task, from lacus.range", ours = t.ours, rival = what, theirs = t.theirs }
    end
  end
end
