-- tools/oom.lua BINARY [all]: failure injection. BINARY is the host with
-- spec/oom/shim.c in it. For each kind of call that the system may refuse, the
-- k-th refusal alone and every one from the k-th on, under spec/oom/script.lua: it
-- ends by itself, with exit status 0 or 1, with no crash, leak, hang or wrong value.
--
-- All k, or a sample that $SEED draws: the first ones, and ROUNDS spread over
-- the rest, so that the time is bounded. Prints how to run each failure again.

local binary, all = arg[1], arg[2] == "all"
local rounds = tonumber(os.getenv "ROUNDS" or "") or 60
local seed = tonumber(os.getenv "SEED" or "") or os.time()
local limit = tonumber(os.getenv "OOM_LIMIT" or "") or 60
local dir = "build/oom"
local passed, failed = 0, 0

math.randomseed(seed)

local kinds = {
  { "M", "memory" }, { "T", "threads" }, { "L", "locks" }, { "C", "clock" }, { "S", "system" },
}

local function slurp(name)
  local f = io.open(name)
  if not f then return "" end
  local text = f:read "a"
  f:close()
  return text
end

local function command(env)
  return ("%s timeout -k 1 %d %s spec/oom/script.lua%s >%s/out 2>%s/err"):format(
    env, limit, binary, env:find "OOM_SPAN=1" and " again" or "", dir, dir)
end

-- What is wrong with how it ended; nil if nothing is.
local function fault(how, code, err)
  if code == 124 or code == 137 then return "it hangs" end
  if how == "signal" or code > 128 then return "a crash" end
  if err:find("Sanitizer", 1, true) or err:find("runtime error:", 1, true) then return "a sanitizer's report" end
  if err:find("PANIC", 1, true) then return "an error that nobody catches" end
  if code ~= 0 and code ~= 1 then return "exit status " .. code end
end

-- 1 in `again`: the last part of the script works where only one call failed. But
-- what fails in it is the failed call's own error, if k falls there.
local function try(what, k, span)
  local env = ("OOM_WHAT=%s OOM_FROM=%d OOM_SPAN=%d"):format(what, k, span)
  local _, how, code = os.execute(command(env))
  local err = slurp(dir .. "/err")
  local why = fault(how, code, err)
  if not why then
    passed = passed + 1
    return
  end
  failed = failed + 1
  print(("FAILED  %s: %s %s spec/oom/script.lua%s"):format(why, env, binary, span == 1 and " again" or ""))
  print("    " .. err:sub(1, 3000):gsub("\n", "\n    "))
  io.flush()
end

local function count(what)
  local file = dir .. "/count"
  os.execute(command(("OOM_WHAT=%s OOM_COUNT=%s OOM_SPAN=1"):format(what, file)))
  return tonumber(slurp(file)) or 0
end

local function places(n)
  local list = {}
  if all or n <= rounds then
    for k = 1, n do list[k] = k end
    return list
  end
  for i = 1, rounds do       -- one in each stretch, at random
    local lo, hi = (i - 1) * n // rounds + 1, i * n // rounds
    list[i] = math.random(lo, hi)
  end
  return list
end

for _, kind in ipairs(kinds) do
  local what, name = kind[1], kind[2]
  local n = count(what)
  local list = places(n)
  for _, k in ipairs(list) do
    try(what, k, 1)
    try(what, k, 0)
  end
  print(("%-8s %6d calls, %5d of them failed alone, and with all after them"):format(name, n, #list))
  io.flush()
end
print("SEED=" .. seed)
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
