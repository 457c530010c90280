-- 07: a loop that must never wait, such as a game's: `poll` takes what is ready.
local lacus = require "lacus"
local pool <close> = lacus.pool()

-- Chances in a game of dice: how often do `n` dice show more than 4 * n?
local function chance(n)
  local hits, rounds = 0, 40000
  for _ = 1, rounds do
    local sum = 0
    for _ = 1, n do sum = sum + math.random(6) end
    if sum > 4 * n then hits = hits + 1 end
  end
  return hits / rounds
end

local results = pool:map(lacus.range(1, 24), chance)
local dice, frames, slowest = {}, 0, 0

repeat
  local begun = lacus.now()
  local i, value = results:poll()           -- i, values...; nil, "pending"; nil at the end
  if i then dice[i] = value end
  -- ... here a game would move and draw ...
  frames, slowest = frames + 1, math.max(slowest, lacus.now() - begun)
until not i and value ~= "pending"

for n = 1, #dice, 4 do
  print(("%2d dice  %5.1f %%  %s"):format(n, dice[n] * 100, ("o"):rep(math.floor(dice[n] * 100))))
end
print(#dice .. " answers while the frames went on")
--> 24 answers while the frames went on
print(("%d frames, the slowest took %.2f ms"):format(frames, slowest * 1000))
