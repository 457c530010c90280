-- 04: results as they arrive, or in the order of the source.
local lacus = require "lacus"
local pool <close> = lacus.pool(4)

-- How many steps until 1, halving what is even and making 3n + 1 of what is odd.
-- Item 1 is a long piece of work, the others are short.
local function longest_walk(upto)
  local best, from = 0, 0
  for start = 1, upto do
    local n, steps = start, 0
    while n ~= 1 do
      n, steps = n % 2 == 0 and n // 2 or 3 * n + 1, steps + 1
    end
    if steps > best then best, from = steps, start end
  end
  return from, best
end

local limits = { 200000, 10, 100, 1000, 10000 }

local function show(options)
  local order = {}
  for i, from, steps in pool:map(limits, longest_walk, options) do
    order[#order + 1] = i
    print(("  up to %6d: %6d takes %d steps"):format(limits[i], from, steps))
  end
  print("  came in the order " .. table.concat(order, " "))
end

print "as they arrive: the small ones do not wait"
show()
print "ordered: whoever is first in the source is first in the loop"
show { ordered = true }
--> up to 200000: 156159 takes 382 steps
--> up to 10: 9 takes 19 steps
--> came in the order 1 2 3 4 5
