-- medium.lua: tasks that take a while. Are the workers busy with tasks of 20 us? How
-- long is a result held up when slow tasks are mixed among quick ones? And does a slow
-- source get each result before it yields the next item?

local lacus = require "lacus"

-- About 20 us of computing; how many rounds that is, is found out first.
local function work(rounds)
  local x = 0
  for i = 1, rounds do x = (x * 31 + i) % 1000003 end
  return x
end

local function calibrate(lib)
  local rounds = 10000
  local t = lib.each(51, 0, function() work(rounds) end)
  return math.max(1, math.floor(rounds * 20e-6 / t))
end

-- Spins on the clock. When it was finished, by the clock of the process.
local function spun(seconds)
  local now = require "lacus".now
  local till = now() + seconds
  while now() < till do end  -- luacheck: ignore 542
  return now()
end

-- Likewise, and one in a hundred is slow.
local function mixed(i)
  return i % 100 == 50 and spun(5e-3) or require "lacus".now()
end

-- How long a finished result took to be in the loop: `percent` in a hundred of them less
-- than that. (The rest is what else the machine does.)
local function held_up(percent, results)
  local list = {}
  for _, finished in results do list[#list + 1] = lacus.now() - finished end
  table.sort(list)
  return list[#list * percent // 100]
end

local function held_up_by_slow(pool) return held_up(99, pool:map(lacus.range(1, 2000), mixed)) end

local function held_up_by_alike(pool, seconds)
  local source = function() for _ = 1, 1000 do coroutine.yield(seconds) end end
  return held_up(90, pool:map(source, spun))
end

-- How late, on average, a result is behind its item, from a source of 10 ms an item.
local function answered(pool)
  local begun, sum, n = {}, 0, 20
  local source = function()
    for i = 1, n do
      begun[i] = spun(10e-3)
      coroutine.yield(i)
    end
  end
  for i in pool:map(source, function(x) return x end) do sum = sum + lacus.now() - begun[i] end
  return sum / n
end

local M = {}

function M.map(pool, n, rounds)
  local source = function() for _ = 1, n do coroutine.yield(rounds) end end
  for _ in pool:map(source, work) do end  -- luacheck: ignore 542
end

-- The same work as one task for each worker: what the processors can do.
function M.shared_out(pool, workers, n, rounds)
  local function many(count, turns)
    for _ = 1, count do
      local x = 0
      for i = 1, turns do x = (x * 31 + i) % 1000003 end
    end
  end
  local futures = {}
  for i = 1, workers do futures[i] = pool:submit(many, n // workers, rounds) end
  for _, future in ipairs(futures) do future:get() end
end

M.calibrate = calibrate

local function measure(lib)
  local pool <close> = lacus.pool(lib.workers)
  local single <close> = lacus.pool(1)
  local n, rounds = 10000, calibrate(lib)
  local busy = {}
  local t = lib.medians(11, {
    ours = function()
      local used = os.clock()
      local each = lib.time(n, function()
        M.map(pool, n, rounds)
      end)
      table.insert(busy, each * n * lib.workers / (os.clock() - used))
      return each
    end,
    shared = function()
      return lib.time(n, function() M.shared_out(pool, lib.workers, n, rounds) end)
    end,
  })
  local m = lib.medians(5, {
    alone = function() return held_up_by_slow(single) end,
    slow = function() return held_up_by_slow(pool) end,
    alike = function() return held_up_by_alike(pool, 300e-6) end,
    answered = function() return answered(pool) end,
    late = function() return lib.bare("late", lib.workers) or 0 end,
  })
  lib.row { question = "a task of 20 us", ours = t.ours, rival = "as one task for each worker", theirs = t.shared,
    goal = 1 / 0.95 }
  lib.row { question = "processors there, during that", ours = lib.median(busy), rival = "in use", theirs = 1,
    unit = "times", goal = 1 / 0.95 }
  lib.row { question = "a result among tasks of 5 ms waits, 99 in 100", ours = m.slow,
    rival = "one, and a bare wake-up meanwhile", theirs = 5e-3 + m.late, goal = 1 }
  lib.row { question = "...with a processor for the reader", ours = m.alone, rival = "one such task", theirs = 5e-3,
    goal = 1 }
  lib.row { question = "a result of tasks of 300 us waits, 90 in 100", ours = m.alike, rival = "one such task",
    theirs = 300e-6 }
  lib.row { question = "a result of a source of 10 ms comes after", ours = m.answered, rival = "its next item",
    theirs = 10e-3, goal = 1 }
end

return setmetatable(M, { __call = function(_, lib) measure(lib) end })
