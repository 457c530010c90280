-- Garbage: trees of small tables, made and dropped.
local function make(depth)
  if depth == 0 then return {} end
  return { make(depth - 1), make(depth - 1) }
end

local function count(tree) return tree[1] and 1 + count(tree[1]) + count(tree[2]) or 1 end

local long = make(13)
for _ = 1, 200 do assert(count(make(12)) == 8191) end
assert(count(long) == 16383)
