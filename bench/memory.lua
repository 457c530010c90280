-- memory.lua: does a long stream need more memory than a short one? The peak of a
-- process that maps two million items, against one that maps twenty thousand.
--
-- `lacus bench/memory.lua ITEMS` is that process: it prints its peak, in bytes.

local function peak()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmHWM:%s+(%d+) kB"
    if kib then return tonumber(kib) * 1024 end
  end
end

local items = arg and tonumber(arg[1])
if items then
  local lacus = require "lacus"
  local pool <close> = lacus.pool(2)
  local sum = 0
  for _, n in pool:map(lacus.range(1, items), function(x) return #("item " .. x) end) do sum = sum + n end
  print(("%d"):format(peak()))
  return
end

return function(lib)
  local status <close> = io.open "/proc/self/status"
  if not status then return lib.skip("peak memory", "there is no /proc here") end
  local function run(n)
    return function() return assert(tonumber((assert(lib.child(lib.this(), "bench/memory.lua", tostring(n)))))) end
  end
  local peaks = lib.medians(3, { long = run(2000000), short = run(20000) })
  lib.row { question = "peak memory, 2,000,000 items", ours = peaks.long, unit = "bytes",
    rival = "20,000 items", theirs = peaks.short }
end
