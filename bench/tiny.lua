-- tiny.lua: what does a task cost that does next to nothing? Against the same loop
-- without a pool, and against luv's new_work: with an item in each message as one
-- would write it first, and with 256 packed into each by hand.

local lacus = require "lacus"

local function double(x) return x * 2 end
local function sum_to(n) return n * (n + 1) end

local function source(n)
  return function()
    for i = 1, n do coroutine.yield(i) end
  end
end

local function bare(n)
  local sum = 0
  for x in coroutine.wrap(source(n)) do sum = sum + double(x) end
  assert(sum == sum_to(n))
end

local function mapped(pool, items, n)
  local sum = 0
  for _, y in pool:map(items, double) do sum = sum + y end
  assert(sum == sum_to(n))
end

local function luv_single(uv, n)
  local sum, sent, work = 0, 0, nil
  local function send()
    if sent < n then
      sent = sent + 1
      work:queue(sent)
    end
  end
  work = uv.new_work(function(x) return x * 2 end, function(y)
    sum = sum + y
    send()
  end)
  for _ = 1, 64 do send() end
  uv.run()
  assert(sum == sum_to(n))
end

-- `n` is a multiple of 256.
local function luv_packed(uv, n)
  local format, sum, sent, work = ("j"):rep(256), 0, 0, nil
  local function send()
    if sent < n then
      local list = {}
      for i = 1, 256 do list[i] = sent + i end
      sent = sent + 256
      work:queue(format:pack(table.unpack(list)))
    end
  end
  work = uv.new_work(function(message)
    local form = ("j"):rep(256)
    local list = { form:unpack(message) }
    for i = 1, 256 do list[i] = list[i] * 2 end
    return form:pack(table.unpack(list, 1, 256))
  end, function(message)
    local list = { format:unpack(message) }
    for i = 1, 256 do sum = sum + list[i] end
    send()
  end)
  for _ = 1, 8 do send() end
  uv.run()
  assert(sum == sum_to(n))
end

return function(lib)
  local pool <close> = lacus.pool(lib.workers)
  local uv = lib.luv()
  local many, some, few = 1024 * 1024, 256 * 1024, 16 * 1024
  local t = lib.medians(5, {
    bare = function() return lib.time(some, bare, some) end,
    coroutine = function() return lib.time(some, mapped, pool, source(some), some) end,
    range = function() return lib.time(some, mapped, pool, lacus.range(1, some), some) end,
    single = uv and function() return lib.time(few, luv_single, uv, few) end,
    packed = uv and function() return lib.time(many, luv_packed, uv, many) end,
    imap = function() return lib.python("imap", 256, some) or 0 end,
    futures = function() return lib.python("futures", 256, some) or 0 end,
  })
  lib.row { question = "a tiny task, from a coroutine", ours = t.coroutine,
    rival = "the loop without a pool", theirs = t.bare, goal = 1.5 }
  if t.imap > 0 then
    lib.row { question = "a tiny task, from lacus.range", ours = t.range,
      rival = "Python, imap_unordered, chunks of 256", theirs = t.imap }
    lib.row { question = "a tiny task, from lacus.range", ours = t.range,
      rival = "Python, concurrent.futures, of 256", theirs = t.futures }
  end
  if not uv then return end
  lib.row { question = "a tiny task, from lacus.range", ours = t.range,
    rival = "luv, one item a message", theirs = t.single, goal = 1 / 8 }
  lib.row { question = "a tiny task, from lacus.range", ours = t.range,
    rival = "luv, 256 packed by hand", theirs = t.packed, goal = 1 }
end
