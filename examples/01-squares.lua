-- 01: the smallest program. A pool, a source of items, a function that runs in the workers.
local lacus = require "lacus"

local pool <close> = lacus.pool()  -- one worker for each processor this process may use

local function square(x) return x * x end

-- `i` is the item's place in the source: results come as they are ready, in any order.
local sum = 0
for _, y in pool:map(lacus.range(1, 1000), square) do
  sum = sum + y
end
print("the sum of the first thousand squares is " .. sum)
--> the sum of the first thousand squares is 333833500

-- The same as one table, in the order of the source:
local list = pool:map({ 1, 2, 3, 4, 5 }, square):collect()
print(table.concat(list, " "))
--> 1 4 9 16 25
