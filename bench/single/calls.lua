-- Calls: recursion, many arguments, results that are passed on, methods.
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end

local function ack(m, n)
  if m == 0 then return n + 1 end
  if n == 0 then return ack(m - 1, 1) end
  return ack(m - 1, ack(m, n - 1))
end

local function pass(...) return select("#", ...), ... end

local counter = { n = 0 }
function counter:add(k) self.n = self.n + k return self end

assert(fib(32) == 2178309)
assert(ack(2, 400) == 803)
for i = 1, 800000 do
  local n = pass(i, i, i)
  counter:add(n):add(-1)
  pcall(pass, i)
end
assert(counter.n == 1600000)
