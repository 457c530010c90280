-- 03: what happens to a task that fails, and to the others.
local lacus = require "lacus"
local pool <close> = lacus.pool()

local lines = { "6 * 7", "1 +", "('na'):rep(4)", "nothing.at_all", "2 ^ 10" }

local function calculate(line)
  local f, why = load("return " .. line, "=" .. line)
  if not f then error(why, 0) end
  return f()
end

-- on_error = "return": as `pcall` does, for each item.
for i, ok, result in pool:map(lines, calculate, { ordered = true, on_error = "return" }) do
  print(lines[i], "is", ok and result or "wrong: " .. result.message)
end
--> 6 * 7 is 42
--> 1 + is wrong: ...
--> ('na'):rep(4) is nananana
--> nothing.at_all is wrong: ...
--> 2 ^ 10 is 1024.0

-- By default the first failure is raised in the loop, as an object that knows more.
local _, err = pcall(function()
  for _ in pool:map(lines, calculate) do end  -- luacheck: ignore 542
end)
print("item " .. err.index .. " was not kept quiet: " .. err.kind .. " in worker " .. err.worker)
--> item ...

-- What a task raises arrives as it was, tables too; a failed task kills no worker.
local _, refusal = pcall(function()
  pool:map({ "ace" }, function(card) error { card = card, why = "up the sleeve" } end):collect()
end)
print(refusal.value.card, refusal.value.why)
--> ace up the sleeve
