-- Garbage: records with strings of their own, of which the last few thousand live.
local window, names = {}, {}
for i = 1, 250000 do
  local name = "record " .. i
  window[i % 4096] = { id = i, name = name, pos = { x = i, y = -i }, tags = { "a", name } }
  if i % 7 == 0 then names[name] = true end
  if i % 40000 == 0 then names = {} end
end
assert(window[1].pos.x % 4096 == 1 and next(names))
