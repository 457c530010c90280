-- Strings: made by format and concat, taken apart by sub and byte.
local parts, sum = {}, 0
for i = 1, 300000 do
  local s = ("%d:%s"):format(i, "item") .. i % 1000
  parts[i % 1000 + 1] = s:upper()
  for j = 1, #s do sum = sum + s:byte(j) end
  if s:sub(1, 2) == "1:" then sum = sum + 1 end
end
for _ = 1, 100 do
  local all = table.concat(parts, ",")
  assert(#all:rep(3) == 3 * #all and #all:reverse() == #all)
end
