-- Objects: methods and metamethods of a class, each result a new object.
local Vector = {}
Vector.__index = Vector
local function vector(x, y) return setmetatable({ x = x, y = y }, Vector) end
function Vector.__add(a, b) return vector(a.x + b.x, a.y + b.y) end
function Vector.__mul(a, k) return vector(a.x * k, a.y * k) end
function Vector:length() return (self.x * self.x + self.y * self.y) ^ 0.5 end

local at, speed = vector(0, 0), vector(1, 0.5)
for _ = 1, 1000000 do
  at = at + speed * 0.01
  if at:length() > 100 then at = at * 0 end
end
assert(at:length() <= 100)
