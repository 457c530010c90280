-- States of a C module that have this one's memory, on threads of their own.
local start = require "borrows"

local code = [[
  local all = {}
  for i = 1, 200000 do
    all[i % 1000 + 1] = { i, tostring(i), { ("x"):rep(i % 700) } }
  end
  local sum = 0
  for _, t in pairs(all) do sum = sum + t[1] + #t[2] + #t[3][1] end
  return tostring(sum)
]]
local right = load(code)()

local function busy()
  local joins = {}
  for i = 1, 3 do joins[i] = start(code) end
  assert(load(code)() == right)
  for _, join in ipairs(joins) do assert(join() == right) end
end

for _ = 1, 3 do busy() end

-- And in a worker, whose state has a limit.
local lacus = require "lacus"
local pool <close> = lacus.pool { workers = 2, memory = 256 << 20 }
local tasks = {}
for i = 1, 2 do tasks[i] = pool:submit(busy) end
for _, task in ipairs(tasks) do task:get() end
