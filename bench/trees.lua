-- trees.lua: binary trees, made and walked: what do two workers bring where there is
-- much to allocate? Against one stock Lua that makes the same trees, and two at once
-- that make half of them each.
--
-- `lua5.4 bench/trees.lua serial [FIRST STEP]` is that rival.

local DEPTH, TREES = 14, 32

local function tree(depth)
  local function grow(d)
    if d == 0 then return {} end
    return { grow(d - 1), grow(d - 1) }
  end
  local function nodes(t)
    return t[1] and 1 + nodes(t[1]) + nodes(t[2]) or 1
  end
  return nodes(grow(depth))
end

local function serial(first, step)
  local n = 0
  for _ = first or 1, TREES, step or 1 do n = n + tree(DEPTH) end
  return n
end

if arg and arg[1] == "serial" then
  print(serial(tonumber(arg[2]), tonumber(arg[3])))
  return
end

return function(lib)
  local lacus = require "lacus"
  local lua, right = lib.stock(), TREES * (2 ^ (DEPTH + 1) - 1)
  local function check(n) assert(tonumber(n) == right) end
  local function mapped(workers)
    local n = 0
    local pool <close> = lacus.pool(workers)
    local depth = DEPTH
    local source = function() for _ = 1, TREES do coroutine.yield(depth) end end
    for _, some in pool:map(source, tree) do n = n + some end
    return n
  end
  if not lua then return end
  local t = lib.medians_on_two(5, {
    one = function() return lib.time(1, function() check(mapped(1)) end) end,
    two = function() return lib.time(1, function() check(mapped(2)) end) end,
    stock = function()
      return lib.time(1, function() check(lib.child(lua, "bench/trees.lua", "serial")) end)
    end,
    stocks = function()
      return lib.time(1, function()
        local a, b = lib.children(2, lua, "bench/trees.lua", "serial")
        check(a + b)
      end)
    end,
  })
  lib.row { question = "binary trees on 1 worker", ours = t.one, rival = "stock Lua", theirs = t.stock }
  lib.row { question = "binary trees on 2 workers", ours = t.two, rival = "stock Lua", theirs = t.stock, goal = 1 / 3 }
  lib.row { question = "binary trees on 2 workers", ours = t.two, rival = "two stock Luas, half of them each",
    theirs = t.stocks }
  lib.processors_row(t.processors)
end
