-- Patterns: words of a text counted and replaced.
local text = ("The moon has lakes, and none of them is wet; Lacus Mortis, 38 degrees N. "):rep(100)
for _ = 1, 300 do
  local count = {}
  for word in text:gmatch "%a+" do count[word] = (count[word] or 0) + 1 end
  assert(count.moon == 100)
  local replaced = text:gsub("(%a)(%a*)", function(a, b) return a:upper() .. b end)
  local digits = text:gsub("%d+", { ["38"] = "39" })
  assert(#replaced == #text and digits:find("39 degrees", 1, true))
  assert(select(2, text:gsub("[aeiou]+%f[%A]", "")) > 100)
end
