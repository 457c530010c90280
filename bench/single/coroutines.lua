-- Coroutines: generators, made and run to their ends.
local wrap, yield = coroutine.wrap, coroutine.yield

local function permute(a, n)
  if n <= 1 then yield(a) return end
  for i = 1, n do
    a[n], a[i] = a[i], a[n]
    permute(a, n - 1)
    a[n], a[i] = a[i], a[n]
  end
end

local count = 0
for _ in wrap(function() permute({ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, 9) end) do count = count + 1 end
assert(count == 362880)
for i = 1, 300000 do
  local co = wrap(function(a) local b = yield(a + 1) yield(b + 1) end)
  assert(co(i) == i + 1 and co(i) == i + 1)
end
