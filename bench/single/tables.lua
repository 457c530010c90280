-- Tables: arrays and records that are filled, read and emptied.
local insert, remove = table.insert, table.remove
for _ = 1, 30 do
  local list, index = {}, {}
  for i = 1, 40000 do insert(list, i) end
  for i, v in ipairs(list) do index["k" .. v % 5000] = i end
  local sum = 0
  for _, v in pairs(index) do sum = sum + v end
  for _ = 1, 20000 do sum = sum + remove(list) end
  list = table.move(list, 1, #list, 101)
  assert(sum > 0 and #{ table.unpack(list, 1, 200) } == 200)
end
