--- lib: what the questions in this folder share: interleaved timing, medians, the
--- rivals that are installed, and the rows of the table.
---
--- A question is a file that gives a function of this module. It measures, and calls
--- `row` once for each rival. Times are seconds until they are printed.

local lacus = require "lacus"

local M = { workers = 2, rows = {}, skipped = {} }

function M.median(list)
  table.sort(list)
  local middle = (#list + 1) // 2
  return #list % 2 == 1 and list[middle] or (list[middle] + list[middle + 1]) / 2
end

--- Seconds that `f` took, divided by `n`.
function M.time(n, f, ...)
  local begun = lacus.now()
  f(...)
  return (lacus.now() - begun) / n
end

--- Median of `n` calls of `f`, each alone; `pause` seconds of something else before each.
function M.each(n, pause, f)
  local list = {}
  for i = 1, n do
    local begun = lacus.now()
    while lacus.now() - begun < pause do end  -- luacheck: ignore 542
    begun = lacus.now()
    f()
    list[i] = lacus.now() - begun
  end
  return M.median(list)
end

-- Calls every function of `subjects` `turns` times, in turn. Their means.
local function means(turns, subjects)
  local names, sums = {}, {}
  for name in pairs(subjects) do
    names[#names + 1], sums[name] = name, 0
  end
  table.sort(names)
  for _ = 1, turns do
    for _, name in ipairs(names) do
      collectgarbage()
      sums[name] = sums[name] + subjects[name]() / turns
    end
  end
  return sums
end

local function add(all, figures)
  for name, figure in pairs(figures) do
    all[name] = all[name] or {}
    table.insert(all[name], figure)
  end
end

local function medians_of(all)
  local medians = {}
  for name, list in pairs(all) do medians[name] = M.median(list) end
  return medians
end

--- Calls every function of `subjects` `rounds` times, in turn, so that what else the
--- machine does meets them all alike. The first round only warms up. Each gives one
--- figure; the answer has their medians under the same names.
---@param rounds integer
---@param subjects table<string, fun(): number>
---@return table<string, number>
function M.medians(rounds, subjects)
  return M.by_turns(rounds, 1, function(measure) return measure(subjects) end)
end

--- Likewise, for what hangs on the second processor: see on_two.
---@param rounds integer
---@param subjects table<string, fun(): number>
---@return table<string, number>
function M.medians_on_two(rounds, subjects)
  return M.on_two(rounds, 1, function(measure) return measure(subjects) end)
end

--- Likewise, but a round calls each of them `turns` times, in turn, and has the means: what
--- is short meets the machine's moods more alike. `within` opens what a round needs, and
--- gives what `measure` gives for its subjects.
---@param rounds integer
---@param turns integer
---@param within fun(measure: fun(subjects: table<string, fun(): number>): table<string, number>): table<string, number>
function M.by_turns(rounds, turns, within)
  local all = {}
  for round = 0, rounds do
    local figures = within(function(subjects) return means(turns, subjects) end)
    if round > 0 then add(all, figures) end
  end
  return medians_of(all)
end

-- What two threads get of the machine that share nothing. Where it has lent one of two
-- processors to others, both are one core for a while, or one is slower, that is 1.1 to 1.8.
local function processors()
  local one, two = M.bare("compute", 1), M.bare("compute", 2)
  return one and two and one / two
end

local TWO, LEAST = 1.9, 3

--- Likewise, for what hangs on the second processor: a round counts if it was there before and
--- after; others make up for those that do not, twice as many at most. If fewer than
--- three do, all count. The answer has the `processors`, too; without `bare` it has not.
---@param rounds integer
---@param turns integer
---@param within fun(measure: fun(subjects: table<string, fun(): number>): table<string, number>): table<string, number>
---@return table<string, number>
function M.on_two(rounds, turns, within)
  local every, counted, n = {}, {}, 0
  local before = processors()
  if not before then return M.by_turns(rounds, turns, within) end
  for round = 0, 3 * rounds do
    local figures = within(function(subjects) return means(turns, subjects) end)
    local after = processors()
    figures.processors = math.min(before, after)
    before = after
    if round > 0 then
      add(every, figures)
      if figures.processors > TWO then
        add(counted, figures)
        n = n + 1
      end
    end
    if n == rounds then break end
  end
  return medians_of(n < LEAST and every or counted)
end

--- The row that says so.
function M.processors_row(there)
  if not there then return end
  M.row { question = "processors there, during that", ours = there, unit = "times", rival = "in use", theirs = 2 }
end

--- luv with as many threads as our pools have, or nil.
function M.luv()
  local there, uv = pcall(require, "luv")
  if not there then return M.skip("luv", "lua-luv is not installed") end
  uv.os_setenv("UV_THREADPOOL_SIZE", tostring(M.workers))
  return uv
end

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

--- Runs a program and gives what it printed, or nil when it failed.
function M.child(...)
  local words = { ... }
  for i, word in ipairs(words) do words[i] = quote(word) end
  local pipe <close> = assert(io.popen(table.concat(words, " ") .. " 2>&1"))
  local out = pipe:read "a"
  local ok = pipe:close()
  return ok and out or nil, out
end

--- Runs `n` of them at once, each with its number and `n` as further words. Gives what they
--- printed, as numbers.
function M.children(n, ...)
  local words, pipes, out = { ... }, {}, {}
  for i, word in ipairs(words) do words[i] = quote(word) end
  for i = 1, n do pipes[i] = assert(io.popen(("%s %d %d"):format(table.concat(words, " "), i, n))) end
  for i, pipe in ipairs(pipes) do
    out[i] = assert(tonumber((pipe:read "a")))
    pipe:close()
  end
  return table.unpack(out)
end

--- The interpreter that runs this.
function M.this()
  local i = 0
  while arg[i - 1] do i = i - 1 end
  return arg[i]
end

--- Stock Lua, or nil.
function M.stock()
  local lua = os.getenv "LACUS_LUA" or "lua5.4"
  local version = M.child(lua, "-v")
  if version and version:find("Lua 5.4", 1, true) then return lua end
  return M.skip("stock Lua", lua .. " does not run")
end

--- What the machine itself takes, in seconds: see bare.c. nil when that was not built.
---@param question "spawn"|"states"|"compute"|"handoff"|"late"|"memcpy"
---@param n integer
function M.bare(question, n)
  local out = M.child(os.getenv "LACUS_BARE" or "build/bench/bare", question, tostring(n))
  return tonumber(out) or M.skip("bare threads and memcpy", "build/bench/bare is not built (make bench builds it)")
end

--- A figure of bench/rivals.py, in seconds, or nil.
---@param ... string|integer
function M.python(...)
  local words = { ... }
  for i, word in ipairs(words) do words[i] = tostring(word) end
  local out = M.child("python3", "bench/rivals.py", table.unpack(words))
  return tonumber(out) or M.skip("Python's pools", "python3 does not run")
end

--- Says why a rival is missing. Gives nil.
function M.skip(name, why)
  if not M.skipped[name] then table.insert(M.skipped, name .. ": " .. why) end
  M.skipped[name] = true
end

local function show(x, unit)
  if unit == "times" then return ("%.3f"):format(x) end
  if unit == "bytes" and x < 10240 then return ("%.0f bytes"):format(x) end
  if unit == "bytes" and x < 1024 * 1024 then return ("%.1f KiB"):format(x / 1024) end
  if unit == "bytes" then return ("%.2f MiB"):format(x / 1024 / 1024) end
  if x < 1e-6 then return ("%.0f ns"):format(x * 1e9) end
  if x < 1e-3 then return ("%.1f us"):format(x * 1e6) end
  if x < 1 then return ("%.1f ms"):format(x * 1e3) end
  return ("%.2f s"):format(x)
end

local FORM = "%-46s %10s   %-34s %10s   %s"

function M.head()
  print(FORM:format("question", "lacus", "against", "", "lacus takes"))
end

--- One line of the table: a question, our figure, a rival and its figure, in seconds or
--- bytes. The ratio is ours / theirs: below 1 we take less. `goal` is the most that it
--- should be, as issues of the project say.
---@param r { question: string, ours: number, rival: string, theirs: number, unit?: "bytes"|"times", goal?: number }
function M.row(r)
  r.unit = r.unit or "seconds"
  r.ratio = r.ours / r.theirs
  table.insert(M.rows, r)
  print(FORM:format(r.question, show(r.ours, r.unit), r.rival, show(r.theirs, r.unit),
    ("%6.3f x"):format(r.ratio) .. (r.goal and (" (goal %.3g)"):format(r.goal) or "")))
  io.flush()
end

local function json(v)
  if type(v) == "string" then
    return '"' .. v:gsub('[%c"\\]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
  elseif type(v) == "number" then return ("%.6g"):format(v)
  elseif type(v) ~= "table" then return tostring(v) end
  local list = {}
  if #v > 0 or next(v) == nil then
    for i, x in ipairs(v) do list[i] = json(x) end
    return "[" .. table.concat(list, ",\n  ") .. "]"
  end
  for k, x in pairs(v) do list[#list + 1] = json(k) .. ": " .. json(x) end
  table.sort(list)
  return "{" .. table.concat(list, ", ") .. "}"
end

function M.save(path)
  local f <close> = assert(io.open(path, "w"))
  local skipped = table.move(M.skipped, 1, #M.skipped, 1, {})
  f:write(json { version = lacus._VERSION, lua = _VERSION, cpus = lacus.cpus(), workers = M.workers,
    rows = M.rows, skipped = skipped }, "\n")
end

return M
