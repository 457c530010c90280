-- instructions.lua: fixed workloads for tools/instructions.lua, which counts what they
-- execute. One thread (workers = 0), batches of a fixed size: the same each time.
--
--   lacus bench/instructions.lua WORKLOAD N
--
-- `compute` needs no lacus: stock Lua runs it as `plain`.

local name, n = arg[1], assert(tonumber(arg[2]), "usage: instructions.lua WORKLOAD N")

local function double(x) return x * 2 end
local function same(x) return x end

-- What a task is like that computes: calls, tables, strings, floats, closures.
local function compute(rounds)
  local list, sum = {}, 0.0
  local function step(a, b) return (a * 31 + b) % 1009 end
  for round = 1, rounds do
    for i = 1, 100 do list[i] = step(i, round) end
    for i, v in ipairs(list) do sum = sum + v / i end
    list.name = ("round %d"):format(round)
    sum = sum + #list.name
  end
  return sum
end

if name == "plain" then
  compute(n)
  return
end

local lacus = require "lacus"
local pool = lacus.pool(0)

local function map(source, f, options)
  local got = 0
  for _ in pool:map(source, f, options) do got = got + 1 end
  assert(got == n)
end

local function repeated(value)
  return function()
    for _ = 1, n do coroutine.yield(value) end
  end
end

local function floats(k)
  local list = {}
  for i = 1, k do list[i] = i + 0.5 end
  return list
end

local record = { id = 77, name = "a record", tags = { "some", "tags", "here" }, pos = { x = 1.5, y = 2.5, z = 3.5 } }

local workloads = {
  range = function() map(lacus.range(1, n), double, { batch = 256 }) end,
  source = function() map(repeated(1), double, { batch = 256 }) end,
  ordered = function() map(lacus.range(1, n), double, { batch = 256, ordered = true }) end,
  single = function() map(lacus.range(1, n), double, { window = 1 }) end,
  strings = function() map(repeated "twelve bytes", same, { batch = 256 }) end,
  records = function() map(repeated(record), same, { batch = 16 }) end,
  floats = function() map(repeated(floats(100)), same, { batch = 16 }) end,
  submit = function()
    for i = 1, n do assert(pool:submit(double, i):get() == 2 * i) end
  end,
  compute = function() pool:submit(compute, n):get() end,
}

assert(workloads[name], "no such workload")()
pool:close()
