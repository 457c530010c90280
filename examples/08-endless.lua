-- 08: an endless source, items that are calls themselves, and a loop that has had enough.
local lacus = require "lacus"
local pool <close> = lacus.pool()

local function is_perfect(n)
  local sum = 1
  for d = 2, math.floor(math.sqrt(n)) do
    if n % d == 0 then sum = sum + d + (d * d ~= n and n // d or 0) end
  end
  return n > 1 and sum == n and n or nil, "equals the sum of its divisors"
end

local function is_cyclic(n)
  local digits = #tostring(n)
  for k = 2, digits do
    local twice = ("%0" .. digits .. "d"):format(n) .. n
    if #tostring(n * k) ~= digits or not twice:find(n * k, 1, true) then return end
  end
  return digits > 1 and n or nil, "turns round when it is multiplied"
end

-- Without a function of its own, a map takes calls: a function and its arguments.
local asked, found = 0, 0
local function questions()
  for n = 1, math.huge do
    asked = n
    coroutine.yield(is_perfect, n)
    coroutine.yield(is_cyclic, n)
  end
end

for _, n, why in pool:map(questions) do
  if n then
    print(n, why)
    found = found + 1
    if found == 5 then break end  -- closes the source, drops what has not started
  end
end
--> 6 equals the sum of its divisors
print("the source was endless; it stopped at " .. asked)
