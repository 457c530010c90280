-- instructions.lua: counts the instructions of fixed workloads and compares them with
-- bench/instructions.txt.
--
--   lua tools/instructions.lua LACUS [--write]
--
-- LACUS is a host built with -DLC_TICKS_STILL (base/clock.h). Each workload of
-- bench/instructions.lua runs at two sizes under valgrind's cachegrind; the difference,
-- for each item, leaves out what starting costs. More than 2 % above the file is a
-- failure; --write writes the file instead, which is then committed on purpose, with
-- the reason. The file is of one compiler and one Lua: elsewhere nothing is compared.
-- `compute` is also held against stock Lua: a task that nobody stops takes at most 1 %
-- more.

local FILE = "bench/instructions.txt"
local MORE, TASK = 1.02, 1.01

-- name, a small size and a larger one
local WORKLOADS = {
  { "range", 10240, 61440 }, { "source", 10240, 40960 }, { "ordered", 10240, 40960 },
  { "single", 500, 2500 }, { "submit", 500, 2500 }, { "strings", 2560, 10240 },
  { "records", 320, 1600 }, { "floats", 320, 1600 }, { "compute", 50, 250 },
}

local lacus, write = arg[1], arg[2] == "--write"

local function output(command)
  local pipe <close> = assert(io.popen(command .. " 2>&1"))
  return pipe:read "a"
end

local function once(program, workload, n)
  local out = output(("valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null %s %s %s %d")
    :format(program, "bench/instructions.lua", workload, n))
  local digits = out:match "I%s+refs:%s+([%d,]+)"
  return digits and tonumber((digits:gsub(",", ""))) or error("cannot count " .. workload .. ": " .. out, 0)
end

-- Where strings collide depends on Lua's seed, which is the time: the best of three.
local function count(...)
  return math.min(once(...), once(...), once(...))
end

local function each(program, workload, small, large)
  return (count(program, workload, large) - count(program, workload, small)) / (large - small)
end

local function made_by()
  return ("%s %s, %s"):format(output "${CC:-cc} -dumpmachine":match "%S+",
    output "${CC:-cc} -dumpfullversion":match "%S+", output(lacus .. " -v"):match "Lua 5%.4%.%d+" or _VERSION)
end

local function read()
  local known, by = {}, nil
  for line in io.lines(FILE) do
    by = by or line:match "^# made by (.*)$"
    local name, n = line:match "^(%l+)%s+(%d+)$"
    if name then known[name] = tonumber(n) end
  end
  return known, by
end

local lua = os.getenv "LACUS_LUA" or "lua5.4"
local now, passed, failed = {}, 0, 0

local function judge(ok, text, ...)
  print((ok and "        " or "FAILED  ") .. text:format(...))
  if ok then passed = passed + 1 else failed = failed + 1 end
end

local known, by = {}, made_by()
if not write then
  local was
  known, was = read()
  if was ~= by then
    print(("%s is of %s, this is %s: only tasks are compared, with stock Lua"):format(FILE, was, by))
    known = {}
  end
end

for _, w in ipairs(WORKLOADS) do
  local name = w[1]
  local n = each(lacus, table.unpack(w))
  now[name] = n
  if known[name] then
    judge(n <= known[name] * MORE, "%-8s %9.0f instructions an item, %+.1f %%", name, n, (n / known[name] - 1) * 100)
  elseif not write and next(known) then judge(false, "%s is not in %s", name, FILE) end
end

local plain = each(lua, "plain", 50, 250)
judge(now.compute <= plain * TASK, "a task takes %+.2f %% against %s", (now.compute / plain - 1) * 100, lua)

if write then
  local f <close> = assert(io.open(FILE, "w"))
  f:write("# Instructions for each item of the workloads of bench/instructions.lua.\n",
    "# Written by `make instructions-write`; tools/instructions.lua says how it is counted.\n",
    "# made by ", by, "\n")
  for _, w in ipairs(WORKLOADS) do f:write(("%-8s %9.0f\n"):format(w[1], now[w[1]])) end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
