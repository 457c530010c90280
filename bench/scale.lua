-- scale.lua: what do more processors bring? On 1, 2, 4 ... workers, up to as many as this
-- process may use: the rows of a picture, against as many stock Luas at once; tasks of 20
-- us, against one task for each worker; and tiny tasks, which one reader hands over, so
-- that more workers can at best do no harm.

local lacus = require "lacus"
local medium = dofile "bench/medium.lua"
local mandelbrot = dofile "bench/mandelbrot.lua"

local function double(x) return x * 2 end

local function tiny(pool, n)
  for _ in pool:map(lacus.range(1, n), double) do end  -- luacheck: ignore 542
end

return function(lib)
  local lua = lib.stock()
  local workers, first = 1, nil
  while workers <= lacus.cpus() do
    local w = workers
    local pool <close> = lacus.pool(w)
    local n, rounds = 5000 * w, medium.calibrate(lib)
    local t = lib.medians(5, {
      rows = function() return lib.time(1, function() mandelbrot.mapped(lacus, w) end) end,
      stocks = lua and function()
        return lib.time(1, function() lib.children(w, lua, "bench/mandelbrot.lua", "serial") end)
      end or nil,
      medium = function() return lib.time(n, function() medium.map(pool, n, rounds) end) end,
      shared = function() return lib.time(n, function() medium.shared_out(pool, w, n, rounds) end) end,
      tiny = function() return lib.time(1e6, function() tiny(pool, 1000000) end) end,
    })
    first = first or t
    local on = (" on %d worker%s"):format(w, w == 1 and "" or "s")
    if lua then
      lib.row { question = "mandelbrot rows" .. on, ours = t.rows, rival = "as many stock Luas at once",
        theirs = t.stocks }
    end
    lib.row { question = "a task of 20 us" .. on, ours = t.medium, rival = "as one task for each worker",
      theirs = t.shared }
    lib.row { question = "a tiny task" .. on, ours = t.tiny, rival = "on 1 worker", theirs = first.tiny }
    workers = workers * 2
  end
end
