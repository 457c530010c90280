-- flat.lua: does a task cost the same in a long map as in a short one, with many
-- workers as with two? And what does a future hold that nobody has asked for yet?
--
-- `lacus bench/flat.lua N` prints the peak of a process with N outstanding futures.

local lacus = require "lacus"

local function double(x) return x * 2 end

local function peak()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmHWM:%s+(%d+) kB"
    if kib then return tonumber(kib) * 1024 end
  end
end

local futures = arg and tonumber(arg[1])
if futures then
  local pool <close> = lacus.pool(2)
  local list = table.move({}, 1, futures, 1, {})
  for i = 1, futures do list[i] = pool:submit(double, i) end
  for i = 1, futures do assert(list[i]:get() == 2 * i) end
  print(("%d"):format(peak()))
  return
end

local function maps(pool, n, each)
  for _ = 1, n // each do
    for _ in pool:map(lacus.range(1, each), double) do end  -- luacheck: ignore 542
  end
end

-- Both pools are new in each round: where their threads begin differs.
local function round(lib, measure)
  local few <close> = lacus.pool(2)
  local many <close> = lacus.pool(64)
  local n = 100000
  return measure {
    short = function() return lib.time(n, maps, few, n, 1000) end,
    middle = function() return lib.time(n, maps, few, n, n) end,
    wide = function() return lib.time(n, maps, many, n, n) end,
  }
end

local function long(lib, n)
  local pool <close> = lacus.pool(2)
  return lib.time(n, maps, pool, n, n)
end

return function(lib)
  local t = lib.on_two(9, 10, function(measure)
    local figures = round(lib, measure)
    figures.long = long(lib, 10000000)
    return figures
  end)
  lib.row { question = "a tiny task in a map of 10,000,000", ours = t.long, rival = "in maps of 100,000",
    theirs = t.middle, goal = 1.3 }
  lib.row { question = "a tiny task in maps of 1,000", ours = t.short, rival = "in maps of 100,000",
    theirs = t.middle, goal = 1.3 }
  lib.row { question = "a tiny task on 64 workers", ours = t.wide, rival = "on 2 workers",
    theirs = t.middle, goal = 1.3 }
  lib.processors_row(t.processors)
  local status <close> = io.open "/proc/self/status"
  if not status then return lib.skip("outstanding futures", "there is no /proc here") end
  local function run(n)
    return function() return assert(tonumber((assert(lib.child(lib.this(), "bench/flat.lua", tostring(n)))))) end
  end
  local m = lib.medians(3, { few = run(1000), many = run(101000) })
  lib.row { question = "memory of an outstanding future", ours = (m.many - m.few) / 100000, unit = "bytes",
    rival = "what it may be", theirs = 400, goal = 1 }
end
