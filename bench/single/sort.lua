-- Sorting: by the standard order, and by a function.
math.randomseed(42)
local list = {}
for i = 1, 250000 do list[i] = math.random(1 << 40) end
local copy = table.move(list, 1, #list, 1, {})
table.sort(list)
table.sort(copy, function(a, b) return a > b end)
for i = 1, #list do assert(list[i] == copy[#copy + 1 - i]) end
