-- plot.lua: draws build/bench.json, which `make bench` writes, as build/bench.svg: a bar
-- for each row, as long as what lacus takes for each 1 that the rival takes, on a scale
-- of powers of ten; green where the goal is reached, and a mark at the goal.
--
--   build/lacus bench/plot.lua [FROM [TO]]      (make bench-plot)

local from, to = arg[1] or "build/bench.json", arg[2] or "build/bench.svg"

local LEFT, WIDE, ROW, TOP = 560, 420, 22, 56   -- pixels
local LEAST, MOST = -3, 1                       -- powers of ten
local FIGURE = 45                               -- the room that a figure takes

-- The rows as lib.save writes them: one object a line, of strings and numbers.
local function rows(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do
    local row = {}
    for key, value in line:gmatch '"(%l+)": "([^"]*)"' do row[key] = value end
    for key, value in line:gmatch '"(%l+)": ([%d.e+-]+)' do row[key] = tonumber(value) end
    if row.question and row.ratio then list[#list + 1] = row end
  end
  return list
end

local function escape(s) return (s:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" })) end

local function place(ratio)
  local power = math.log(ratio, 10)
  power = math.max(LEAST, math.min(MOST, power))
  return LEFT + (power - LEAST) / (MOST - LEAST) * WIDE
end

local svg = {}
local function add(form, ...) svg[#svg + 1] = form:format(...) end

local file = io.open(from)
if not file then
  io.stderr:write(from, " is not there: `make bench` writes it\n")
  os.exit(1)
end
local list = rows(file:read "a")
file:close()
table.sort(list, function(a, b)
  if a.question ~= b.question then return a.question < b.question end
  return a.ratio < b.ratio
end)

local height = TOP + #list * ROW + 16
add('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">',
  LEFT + WIDE + 80, height)
add('<rect width="100%%" height="100%%" fill="white"/>')
add('<text x="10" y="20" font-size="15">What lacus takes for each 1 that the rival takes (shorter is better)</text>')
for power = LEAST, MOST do
  local x = place(10.0 ^ power)
  add('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s"/>', x, TOP - 6, x, height - 12,
    power == 0 and "#333" or "#ddd")
  add('<text x="%.1f" y="%d" text-anchor="middle" fill="#666">%g</text>', x, TOP - 12, 10.0 ^ power)
end
for i, row in ipairs(list) do
  local y = TOP + (i - 1) * ROW
  local good = not row.goal or row.ratio <= row.goal
  add('<text x="%d" y="%d" text-anchor="end">%s <tspan fill="#666">against %s</tspan></text>', LEFT - 8, y + 14,
    escape(row.question), escape(row.rival))
  add('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>', LEFT, y + 3, place(row.ratio) - LEFT, ROW - 7,
    good and "#4a9d5b" or "#c8793d")
  local figure = place(row.ratio)
  if row.goal then
    local x = place(row.goal)
    if x > figure and x < figure + FIGURE then figure = x end   -- behind the mark
    add('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="black" stroke-width="2"/>', x, y + 1, x, y + ROW - 2)
  end
  add('<text x="%.1f" y="%d">%.3g</text>', figure + 5, y + 14, row.ratio)
end
add("</svg>")

local out = assert(io.open(to, "w"))
out:write(table.concat(svg, "\n"), "\n")
out:close()
print(("%s: %d rows"):format(to, #list))
