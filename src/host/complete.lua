-- What the word before the cursor can become, for the prompt: (word) gives a sorted
-- list. A word is a path such as `string.fo` or `file:re`. Fields are looked up where
-- they lie: no metamethod that is a function is called.

local getmetatable = require "debug".getmetatable
local find, match, sub = string.find, string.match, string.sub

local CHAIN = 20    -- __index tables behind one another

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or
  repeat return then true until while]]):gmatch "%a+" do keywords[word] = true end

-- The table where the fields of `v` are, and the next behind it.
local function behind(v)
  local meta = getmetatable(v)
  local index = type(meta) == "table" and rawget(meta, "__index")
  return type(index) == "table" and index or nil
end

local function tables(v)
  local list, n = {}, 0
  if type(v) ~= "table" then v = behind(v) end
  while v and n < CHAIN do
    n = n + 1
    list[n], v = v, behind(v)
  end
  return list
end

local function field(v, name)
  for _, t in ipairs(tables(v)) do
    local x = rawget(t, name)
    if x ~= nil then return x end
  end
end

local function resolve(path)
  local v = _G
  for name in path:gmatch "[^.:]+" do
    v = field(v, name)
    if v == nil then return nil end
  end
  return v
end

return function(word)
  local path, mark, prefix = match(word, "^(.*)([.:])([%w_]*)$")
  if not path then path, mark, prefix = "", "", word end
  if mark == "" and prefix == "" or mark ~= "" and path == "" then return {} end
  local list, seen = {}, {}

  local function add(name)
    if sub(name, 1, #prefix) ~= prefix or seen[name] then return end
    seen[name] = true
    list[#list + 1] = path .. mark .. name
  end

  for _, t in ipairs(tables(resolve(path))) do
    for k, x in next, t do
      if type(k) == "string" and find(k, "^[%a_][%w_]*$") and not keywords[k]
        and (mark ~= ":" or type(x) == "function") then add(k) end
    end
  end
  if mark == "" then
    for name in pairs(keywords) do add(name) end
  end
  table.sort(list)
  return list
end
