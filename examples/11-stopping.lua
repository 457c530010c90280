-- A task that never ends is stopped: by its timeout, or because nobody waits for it.
local lacus = require "lacus"
local pool <close> = lacus.pool(2)

-- Collatz: most numbers come down to 1 soon; this one has been sent on an endless walk.
local function steps(n)
  local count = 0
  while n ~= 1 do
    n = n % 2 == 0 and n // 2 or 3 * n + 1
    count = count + 1
  end
  return count
end

local options = { timeout = 0.5, on_error = "return", ordered = true }
for i, ok, result in pool:map({ 6, 27, 0, 97 }, steps, options) do
  print(i, ok and result .. " steps" or result.message)
end
--> 1	8 steps
--> 2	111 steps
--> 3	the task did not end within its timeout of 0.5 seconds
--> 4	118 steps

-- The first answer is enough: closing the results stops the others where they are.
local function search(from)
  local n = from
  while math.sqrt(n) % 1 ~= 0 or n < 1000 do n = n + 2 end
  return n
end

local results <close> = pool:map({ 2, 1000, -1e300 }, search)
print(select(2, results:next()))        --> 1024
