-- start.lua: what does a pool cost before it does anything? Opening and closing one of
-- 8 workers, against 8 bare threads, with and without a Lua state; and the memory that a worker holds that waits.
--
-- `lacus bench/start.lua WORKERS` prints the resident bytes of a process with a pool.

local lacus = require "lacus"

local WORKERS = 8

local function resident()
  collectgarbage()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmRSS:%s+(%d+) kB"
    if kib then return tonumber(kib) * 1024 end
  end
end

local workers = arg and tonumber(arg[1])
if workers then
  local pool <close> = lacus.pool(workers)
  local futures = {}
  for i = 1, workers do futures[i] = pool:submit(function() return 1 end) end
  for _, f in ipairs(futures) do f:get() end
  print(("%d"):format(resident()))
  return
end

return function(lib)
  local t = lib.medians(11, {
    ours = function()
      return lib.each(11, 0, function()
        local pool <close> = lacus.pool(WORKERS)  -- luacheck: ignore 211
      end) / WORKERS
    end,
    bare = function() return lib.bare("spawn", WORKERS) or 0 end,
    states = function() return lib.bare("states", WORKERS) or 0 end,
  })
  if t.bare > 0 then
    lib.row { question = "opening and closing, for each of 8 workers", ours = t.ours, rival = "a bare thread",
      theirs = t.bare, goal = (t.bare + 40e-6) / t.bare }
    lib.row { question = "opening and closing, for each of 8 workers", ours = t.ours,
      rival = "a thread with a bare Lua state", theirs = t.states }
  end
  local status <close> = io.open "/proc/self/status"
  if not status then return lib.skip("resident memory", "there is no /proc here") end
  local function run(n)
    return function() return assert(tonumber((assert(lib.child(lib.this(), "bench/start.lua", tostring(n)))))) end
  end
  local m = lib.medians(5, { none = run(1), all = run(65) })
  lib.row { question = "resident, for each idle worker", ours = (m.all - m.none) / 64, unit = "bytes",
    rival = "what it may be", theirs = 48 * 1024, goal = 1 }
end
