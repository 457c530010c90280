-- Beside luv: its loop goes on while tasks run, and takes their results by poll.
local lacus = require "lacus"
local uv = require "luv"

local pool <close> = lacus.pool(2)
local results = pool:map(lacus.range(1, 200), function(x) return x * 2 end)
local sum, ticks = 0, 0

local timer = uv.new_timer()
timer:start(0, 1, function()
  ticks = ticks + 1
  local i, value = results:poll()
  while i do
    sum = sum + value
    i, value = results:poll()
  end
  if value ~= "pending" then timer:close() end
end)
uv.run()
assert(sum == 40200, sum)
assert(ticks > 0)

-- And a task may use a loop of its own.
local waited = pool:submit(function()
  local loop = require "luv"
  local t, fired = loop.new_timer(), 0
  t:start(1, 0, function() fired = fired + 1; t:close() end)
  loop.run()
  return fired
end):get()
assert(waited == 1)
