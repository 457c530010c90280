-- roundtrip.lua: how long until one trivial task is back? In a map that is open, from
-- a pool with something to do and from one that has gone to sleep; by a future; and a
-- whole map of one item. Against luv's new_work and one turn of its loop.

local lacus = require "lacus"

local function double(x) return x * 2 end

-- Each item starts when the result before it is in the loop: window = 1.
local function trips(pool, n, pause, lib)
  local results = pool:map(lacus.range(1, n + 2), double, { window = 1 })
  results:next()
  local middle = lib.each(n, pause, function() return results:next() end)
  results:close()
  return middle
end

local function one_map(pool)
  for _, y in pool:map({ 21 }, double) do assert(y == 42) end
end

local function luv_trip(uv)
  local back
  local work = uv.new_work(function(x) return x * 2 end, function(y) back = y end)
  return function()
    back = nil
    work:queue(21)
    while not back do uv.run "once" end
  end
end

return function(lib)
  local pool <close> = lacus.pool(lib.workers)
  local uv = lib.luv()
  local asleep = 300e-6
  local trip = uv and luv_trip(uv)
  local t = lib.medians(5, {
    busy = function() return trips(pool, 1000, 0, lib) end,
    idle = function() return trips(pool, 300, asleep, lib) end,
    future = function() return lib.each(1000, 0, function() return pool:submit(double, 21):get() end) end,
    map = function() return lib.each(300, 0, function() one_map(pool) end) end,
    luv_busy = uv and function() return lib.each(1000, 0, trip) end,
    luv_idle = uv and function() return lib.each(300, asleep, trip) end,
    bare = function() return lib.bare("handoff", 3000) or 0 end,
    python = function() return lib.python("trip", 500) or 0 end,
    call = function() return lib.each(1000, 0, function() return double(21) end) end,
  })
  if t.bare > 0 then
    lib.row { question = "round trip of one task, workers awake", ours = t.busy,
      rival = "a bare hand-off, there and back", theirs = t.bare, goal = 3 }
  end
  if t.python > 0 then
    lib.row { question = "round trip of one task, workers awake", ours = t.busy,
      rival = "Python, concurrent.futures", theirs = t.python }
  end
  if not uv then
    lib.row { question = "round trip of one task, workers awake", ours = t.busy,
      rival = "a call, no pool", theirs = t.call }
    return
  end
  lib.row { question = "round trip of one task, workers awake", ours = t.busy,
    rival = "luv", theirs = t.luv_busy, goal = 1 / 15 }
  lib.row { question = "round trip of one task, workers asleep", ours = t.idle,
    rival = "luv", theirs = t.luv_idle }
  lib.row { question = "submit and get", ours = t.future,
    rival = "luv", theirs = t.luv_busy, goal = 1 / 15 }
  lib.row { question = "a whole map of one item", ours = t.map,
    rival = "luv, one task", theirs = t.luv_busy }
end
