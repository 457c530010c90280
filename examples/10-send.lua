-- 10: a generator in a worker that is told, item by item, how to go on.
local lacus = require "lacus"
local pool <close> = lacus.pool(1)

-- The lander falls, one second a step; each yield gives where it is, and returns how
-- hard its engine is to burn.
local function lander(height, speed)
  while height > 0 do
    local burn = coroutine.yield(height, speed) or 0
    speed = speed + 1.6 - burn
    height = height - speed
  end
  return height
end

local flight = pool:generate(lander, 100, 8)
local more, height, speed = flight:next()
while more do
  print(("%5.1f m, falling %4.1f m/s"):format(height, speed))
  local wanted = height / 10 + 0.5                 -- slower and slower
  more, height, speed = flight:send(math.max(0, speed + 1.6 - wanted))
  if more and height < 2 then break end
end
print "The Eagle has landed."
--> 100.0 m, falling 8.0 m/s
--> The Eagle has landed.

-- Whoever only asks for the next item lets the body run ahead, and nothing can be sent.
local free = pool:generate(lander, 50, 0)
free:next()
free:next()
print(select(2, pcall(free.send, free, 1)):match "cannot send to a worker's generator that runs ahead")
--> cannot send to a worker's generator that runs ahead
