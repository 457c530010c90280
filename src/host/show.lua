-- A table as text that a person can read, for the prompt: (table, columns). Short
-- ones take one line, longer ones a line for each field; what is very long or deep is
-- cut, and says so. No metamethod is called but __tostring.

local getmetatable = require "debug".getmetatable
local concat, sort, mathtype = table.concat, table.sort, math.type
local find, format, gsub, rep = string.find, string.format, string.gsub, string.rep
local len = utf8.len

local DEPTH = 4       -- tables within tables
local FIELDS = 200    -- shown of one table
local TOTAL = 1000    -- shown of all
local BYTES = 1000    -- shown of a string

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or
  repeat return then true until while]]):gmatch "%a+" do keywords[word] = true end

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\\"] = "\\\\", ['"'] = '\\"' }

local function escape(c)
  return escapes[c] or format("\\x%02X", c:byte())
end

local function quote(s)
  local cut = ""
  if #s > BYTES then s, cut = s:sub(1, BYTES), format("... (%d bytes)", #s) end
  local bad = not len(s) and '[%c"\\\128-\255]' or '[%c"\\]'
  return '"' .. gsub(s, bad, escape) .. '"' .. cut
end

local function width(s) return len(s) or #s end

local order = { number = 1, string = 2, boolean = 3 }

local function before(a, b)
  local x, y = order[type(a)] or 4, order[type(b)] or 4
  if x ~= y then return x < y end
  if x < 3 then return a < b end
  return tostring(a) < tostring(b)
end

local function has_text(v)
  local meta = getmetatable(v)
  return type(meta) == "table" and rawget(meta, "__tostring") ~= nil
end

local render

-- State of one call: `columns`, `left` of TOTAL, `path` with the tables around.
local function value(state, v, indent)
  if type(v) == "string" then return quote(v) end
  if type(v) ~= "table" or has_text(v) then
    local ok, text = pcall(tostring, v)
    return ok and text or format("(%s: __tostring failed)", type(v))
  end
  if state.path[v] then return "{ (a table around this one) }" end
  if next(v) == nil then return "{}" end
  if state.depth == DEPTH then return "{...}" end
  return render(state, v, indent)
end

local function key(state, k)
  if type(k) == "string" and find(k, "^[%a_][%w_]*$") and not keywords[k] then return k end
  if type(k) == "table" then return format("[%s]", has_text(k) and value(state, k, 0) or "{...}") end
  return format("[%s]", value(state, k, 0))
end

-- The keys in the order in which they are shown, and how many are a list's.
local function keys_of(t)
  local n, rest = 0, {}
  while rawget(t, n + 1) ~= nil do n = n + 1 end
  for k in next, t do
    if not (mathtype(k) == "integer" and k >= 1 and k <= n) then rest[#rest + 1] = k end
  end
  sort(rest, before)
  return n, rest
end

-- Items of a list share lines as long as they are short.
local function fill(items, listed, room, blanks)
  local lines, line = {}, ""
  for i, item in ipairs(items) do
    local together = i > 1 and i <= listed and not find(item, "\n", 1, true)
      and width(line) + width(item) + 2 <= room
    if together then line = line .. " " .. item .. ","
    else
      if i > 1 then lines[#lines + 1] = line end
      line = item .. ","
    end
  end
  lines[#lines + 1] = line
  return blanks .. concat(lines, "\n" .. blanks)
end

function render(state, t, indent)
  local listed, rest = keys_of(t)
  local items, count = {}, listed + #rest
  state.path[t], state.depth = true, state.depth + 1
  for i = 1, count do
    if i > FIELDS or state.left == 0 then break end
    state.left = state.left - 1
    local k = i <= listed and i or rest[i - listed]
    local text = value(state, rawget(t, k), indent + 2)
    items[i] = i <= listed and text or key(state, k) .. " = " .. text
  end
  state.path[t], state.depth = nil, state.depth - 1
  listed = listed < #items and listed or #items
  if #items < count then items[#items + 1] = format("... %d more", count - #items) end
  local line = "{ " .. concat(items, ", ") .. " }"
  if indent + width(line) <= state.columns and not find(line, "\n", 1, true) then return line end
  local blanks = rep(" ", indent + 2)
  return "{\n" .. fill(items, listed, state.columns - indent - 2, blanks) .. "\n" .. rep(" ", indent) .. "}"
end

return function(t, columns)
  return value({ columns = columns, left = TOTAL, path = {}, depth = 0 }, t, 0)
end
