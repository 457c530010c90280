-- single.lua: is an ordinary script, with one state and no pool, as fast under lacus as
-- under stock Lua? Each file of bench/single/ as a process of its own, processor
-- time from its start to its end.
--
-- `lua5.4 bench/single.lua NAME` runs one and prints that time.

local PROGRAMS = { "calls", "floats", "integers", "strings", "patterns", "tables", "sort", "closures", "coroutines",
  "objects", "trees", "records" }
-- What makes garbage above all, the allocator decides.
local GARBAGE = { trees = true, records = true }

if arg and arg[1] and arg[0]:find "single.lua$" then
  dofile("bench/single/" .. arg[1] .. ".lua")
  print(os.clock())
  return
end

return function(lib)
  local stock = lib.stock()
  if not stock then return end
  local function time(lua, name) return tonumber((lib.child(lua, "bench/single.lua", name))) end
  for _, name in ipairs(PROGRAMS) do
    local t = lib.medians(9, {
      ours = function() return time(lib.this(), name) end,
      stock = function() return time(stock, name) end,
    })
    lib.row { question = "one state: " .. name, ours = t.ours, rival = "stock Lua", theirs = t.stock,
      goal = GARBAGE[name] and 1 / 1.3 or 1.03 }
  end
end
