-- 02: what a map can take its items from. Nothing is pulled before there is room for it.
local lacus = require "lacus"
local pool <close> = lacus.pool()

local function shout(word) return word:upper() .. "!" end
local function show(source) print(table.concat(pool:map(source, shout):collect(), " ")) end

-- An array.
show { "lakes", "on", "the", "moon" }
--> LAKES! ON! THE! MOON!

-- An iterator function: called until it gives nil.
show(("all of them are dry"):gmatch "%a+")
--> ALL! OF! THEM! ARE! DRY!

-- A function that yields: every `coroutine.yield` is an item.
show(function()
  for _, word in ipairs { "lacus", "felicitatis" } do coroutine.yield(word) end
end)
--> LACUS! FELICITATIS!

-- A generator function: a body with arguments, ready to be used again and again.
local countdown = lacus.generator(function(n)
  for i = n, 1, -1 do coroutine.yield(tostring(i)) end
  coroutine.yield "go"
end)
show(countdown(3))
--> 3! 2! 1! GO!

-- Anything that a generic `for` takes. Here an item has two values, and so has the call.
for _, line in pool:map(lacus.iter(ipairs { "mare", "lacus", "sinus" }), function(n, name)
  return ("%d. %s"):format(n, name)
end, { ordered = true }) do print(line) end
--> 1. mare
--> 2. lacus
--> 3. sinus
