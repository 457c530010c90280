-- mandelbrot.lua: what does a pool bring where there is much to compute? The rows of
-- a picture, on one worker and on two, against one stock Lua that runs the same loop,
-- and against two of them at once, which share the rows out: what the machine can do.
--
-- `lua5.4 bench/mandelbrot.lua serial [FIRST STEP]` is that rival.

local SIZE, MOST = 640, 60

local function row(y)
  local inside = 0
  local ci = 2.0 * y / SIZE - 1.0
  for x = 0, SIZE - 1 do
    local cr = 2.0 * x / SIZE - 1.5
    local zr, zi, n = 0.0, 0.0, 0
    while n < MOST and zr * zr + zi * zi <= 4.0 do
      zr, zi, n = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci, n + 1
    end
    if n == MOST then inside = inside + 1 end
  end
  return inside
end

local function serial(first, step)
  local inside = 0
  for y = first or 1, SIZE, step or 1 do inside = inside + row(y) end
  return inside
end

if arg and arg[1] == "serial" then
  print(serial(tonumber(arg[2]), tonumber(arg[3])))
  return
end

local function mapped(lacus, workers)
  local inside = 0
  local pool <close> = lacus.pool(workers)
  for _, n in pool:map(lacus.range(1, SIZE), row) do inside = inside + n end
  return inside
end

local function measure(lib)
  local lacus = require "lacus"
  local lua, right = lib.stock(), serial()
  local function check(inside) assert(tonumber(inside) == right) end
  local t = lib.medians_on_two(7, {
    one = function() return lib.time(1, function() check(mapped(lacus, 1)) end) end,
    two = function() return lib.time(1, function() check(mapped(lacus, 2)) end) end,
    stock = lua and function()
      return lib.time(1, function() check(lib.child(lua, "bench/mandelbrot.lua", "serial")) end)
    end or nil,
    stocks = lua and function()
      return lib.time(1, function()
        local a, b = lib.children(2, lua, "bench/mandelbrot.lua", "serial")
        check(a + b)
      end)
    end or nil,
  })
  if not lua then return end
  lib.row { question = "mandelbrot rows on 1 worker", ours = t.one, rival = "stock Lua, one loop", theirs = t.stock }
  lib.row { question = "mandelbrot rows on 2 workers", ours = t.two, rival = "stock Lua, one loop",
    theirs = t.stock, goal = 1 / 1.95 }
  lib.row { question = "mandelbrot rows on 2 workers", ours = t.two, rival = "two stock Luas, half the rows each",
    theirs = t.stocks }
  lib.processors_row(t.processors)
end

return setmetatable({ mapped = mapped }, { __call = function(_, lib) measure(lib) end })
