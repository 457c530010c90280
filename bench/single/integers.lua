-- Integers: a sieve, and a generator of random bits.
local N = 4000000
local sieve = {}
for i = 2, N do sieve[i] = true end
for i = 2, math.floor(N ^ 0.5) do
  if sieve[i] then
    for j = i * i, N, i do sieve[j] = false end
  end
end

local x, bits = 88172645463325252, 0
for _ = 1, 4000000 do
  x = x ~ (x << 13)
  x = x ~ (x >> 7)
  x = x ~ (x << 17)
  bits = bits + (x & 1)
end
assert(bits > 1900000 and bits < 2100000)
