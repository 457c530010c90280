-- 06: what a worker keeps: each has its own Lua state, which `init` prepares once.
local lacus = require "lacus"

-- Workers find this module as they find any other: `package.preload` travels too.
package.preload.sieve = function()
  return function(upto)
    local composite, list = {}, {}
    for n = 2, upto do
      if not composite[n] then table.insert(list, n) end
      for m = n * n, upto, n do composite[m] = true end
    end
    return list
  end
end

local pool <close> = lacus.pool {
  name = "miller",
  init = function() Primes = require "sieve"(1000) end,  -- luacheck: ignore 111 112
}

-- `Primes` is a global of the worker: made once there, there for every task.
local function factors(n)
  local found = {}
  for _, p in ipairs(Primes) do  -- luacheck: ignore 113
    while n % p == 0 do
      found[#found + 1], n = p, n // p
    end
  end
  if n > 1 then found[#found + 1] = n end
  return table.concat(found, " x "), require "lacus".worker.name
end

for i, product, who in pool:map(lacus.range(999998, 1000000), factors, { ordered = true }) do
  print(("%d = %s, says %s"):format(999997 + i, product, who))
end
--> 999998 = 2 x 31 x 127 x 127, says miller-...
--> 999999 = 3 x 3 x 3 x 7 x 11 x 13 x 37, says miller-...
--> 1000000 = 2 x 2 x 2 x 2 x 2 x 2 x 5 x 5 x 5 x 5 x 5 x 5, says miller-...
print("here, Primes is " .. tostring(rawget(_G, "Primes")))
--> here, Primes is nil
