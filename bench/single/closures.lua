-- Closures: functions made and passed on, a fold over lazy lists.
local function range(n)
  local i = 0
  return function() if i < n then i = i + 1 return i end end
end

local function map(f, next_) return function() local v = next_() if v then return f(v) end end end

local function filter(f, next_)
  return function()
    for v in next_ do if f(v) then return v end end
  end
end

local function compose(f, g) return function(x) return f(g(x)) end end

local total = 0
for k = 1, 300 do
  local twice = compose(function(x) return x + k end, function(x) return x * 2 end)
  for v in filter(function(x) return x % 3 == 0 end, map(twice, range(4000))) do total = total + v end
end
local made = {}
for i = 1, 800000 do made[i % 100] = function() return i end end
assert(total > 0 and made[7]() % 100 == 7)
