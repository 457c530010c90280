-- echo.lua: what does it cost to send a value to a worker and have it back? Against
-- two deep copies in plain Lua (the least that two states need), and against
-- luv's new_work with cjson as its packer.

local lacus = require "lacus"

local TIMES = 16  -- that each value goes there and back in one measurement

local function records(n)
  local list = {}
  for i = 1, n do
    list[i] = { id = i, name = "record " .. i, tags = { "red", "green", "blue" .. i % 7 },
      pos = { x = i / 3, y = -i / 7, z = i * 0.1 } }
  end
  return list
end

local function floats(n)
  local list = {}
  for i = 1, n do list[i] = i / 7 end
  return list
end

local function copy(v)
  if type(v) ~= "table" then return v end
  local new = {}
  for k, x in pairs(v) do new[copy(k)] = copy(x) end
  return new
end

local function copied(value)
  for _ = 1, TIMES do copy(copy(value)) end
end

local function echo(value) return value end

local function pooled(pool, value)
  local n = 0
  local source = function()
    for _ = 1, TIMES do coroutine.yield(value) end
  end
  for _, back in pool:map(source, echo) do
    n = n + 1
    assert(#back == #value)
  end
  assert(n == TIMES)
end

-- A string goes as it is.
local function luv(uv, cjson, value)
  local n, plain = 0, type(value) == "string"
  local work = uv.new_work(function(message, is_plain)
    if is_plain then return message end
    local packer = require "cjson"
    return packer.encode(packer.decode(message))
  end, function(message)
    n = n + 1
    local back = plain and message or cjson.decode(message)
    assert(#back == #value)
  end)
  for _ = 1, TIMES do work:queue(plain and value or cjson.encode(value), plain) end
  uv.run()
  assert(n == TIMES)
end

return function(lib)
  local pool <close> = lacus.pool(lib.workers)
  local uv = lib.luv()
  local there, cjson = pcall(require, "cjson")
  if not there then lib.skip("luv with cjson", "lua-cjson is not installed") end
  local function ask(what, value, goal, plain)
    local t = lib.medians(15, {
      ours = function() return lib.time(TIMES, pooled, pool, value) end,
      copied = not plain and function() return lib.time(TIMES, copied, value) end or nil,
      luv = uv and there and function() return lib.time(TIMES, luv, uv, cjson, value) end or nil,
      bare = plain and function() return 2 * (lib.bare("memcpy", #value) or 0) end or nil,
    })
    if t.bare and t.bare > 0 then
      lib.row { question = what, ours = t.ours, rival = "memcpy, twice", theirs = t.bare }
    end
    if t.copied then
      lib.row { question = what, ours = t.ours, rival = "two deep copies in plain Lua", theirs = t.copied }
    end
    if t.luv then
      lib.row { question = what, ours = t.ours, rival = plain and "luv" or "luv with cjson",
        theirs = t.luv, goal = goal }
    end
  end
  ask("echo of 1,000 nested records", records(1000), 0.32)
  ask("echo of 10,000 floats", floats(10000), 0.08)
  ask("echo of a string of 1 MiB", ("x"):rep(1024 * 1024), 0.6, true)
end
