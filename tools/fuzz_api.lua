-- tools/fuzz_api.lua BINARY: random programs (spec/fuzz/api.lua), some to a process,
-- for $SECONDS, from $SEED on. A process that fails, hangs or crashes is a failure;
-- prints how to run its program again. One that hangs is interrupted, as by Ctrl-C, and
-- so says where it is, unless it waits in a coroutine: that is killed, 10 seconds later.

local binary = arg[1]
local seconds = tonumber(os.getenv "SECONDS" or "") or 30
local seed = math.tointeger(os.getenv "SEED" or "") or os.time()
local at = os.getenv "FUZZ_AT" or os.tmpname()
local EACH, LIMIT = 20, 180

local passed, failed = 0, 0
local first, until_ = seed, os.time() + seconds

local function reached()
  local f = io.open(at)
  local n = f and math.tointeger(f:read "n")
  if f then f:close() end
  return n or seed
end

print("SEED=" .. seed)
io.flush()
while os.time() < until_ and failed < 5 do
  local _, how, code = os.execute(("FUZZ_AT=%s timeout -s INT -k 10 %d %s spec/fuzz/api.lua %d %d"):format(
    at, LIMIT, binary, seed, EACH))
  if code == 0 then
    passed = passed + EACH
    seed = seed + EACH
  else
    local k = reached()
    passed, failed, seed = passed + k - seed, failed + 1, k + 1
    local why = (code == 124 or code == 137) and "it hangs"
      or (how == "signal" or code > 128) and "a crash" or "exit status " .. code
    print(("FAILED  %s: %s spec/fuzz/api.lua %d"):format(why, binary, k))
    io.flush()
  end
end
os.remove(at)
print(("programs of the seeds %d to %d"):format(first, seed - 1))
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
