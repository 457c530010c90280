-- tools/soak.lua BINARY: spec/soak/script.lua for $MINUTES, half of it as the system likes
-- and half pinned to one processor, with 32 workers. When no round ends for PATIENCE, every
-- thread's stack is printed (if gdb is there), and it is a failure; so are rounds at whose
-- ends memory, descriptors or threads grow.

local binary = arg[1]
local minutes = tonumber(os.getenv "MINUTES" or "") or 2
local workers = tonumber(os.getenv "WORKERS" or "") or 32
local PATIENCE = 180
local WARM = 5                       -- rounds until the levels count
local out, pidfile = os.tmpname(), os.tmpname()
local passed, failed = 0, 0

local function has(program) return os.execute("command -v " .. program .. " >/dev/null 2>&1") end

local function rounds()
  local list = {}
  for line in io.lines(out) do
    local n, kb, fds, threads = line:match "^(%d+)%s+(%d+)%s+(%d+)%s+(%d+)$"
    if n then list[#list + 1] = { kb = tonumber(kb), fds = tonumber(fds), threads = tonumber(threads) } end
  end
  return list
end

local function pid()
  local f = assert(io.open(pidfile))
  local n = f:read "n"
  f:close()
  return n
end

local function alive() return os.execute(("kill -0 %d 2>/dev/null"):format(pid())) end

local function stacks()
  if not has "gdb" then print "no gdb: no stacks" return end
  os.execute(("gdb -p %d -batch -ex 'thread apply all bt 20' 2>/dev/null"):format(pid()))
end

local function fail(name, why)
  failed = failed + 1
  print(("FAILED  %s: %s"):format(name, why))
end

-- The largest of a level in the first rounds that count, against those of the last third.
local function grew(list, what, slack)
  local early, late = 0, math.huge
  for i = WARM, #list do
    local v = list[i][what]
    if i <= math.max(WARM, #list // 3) then early = math.max(early, v) end
    if i > #list - math.max(1, #list // 3) then late = math.min(late, v) end
  end
  return #list > 2 * WARM and late > early + slack and ("%s: %d, later never below %d"):format(what, early, late)
end

local function run(name, prefix)
  local seconds = math.max(5, minutes * 30 // 1)
  os.execute(("%s %s spec/soak/script.lua %d %d >%s 2>%s.err & echo $! >%s"):format(
    prefix, binary, seconds, workers, out, out, pidfile))
  local n, since = 0, os.time()
  while alive() do
    os.execute "sleep 1"
    local now = #rounds()
    if now ~= n then n, since = now, os.time() end
    if os.time() - since > PATIENCE then
      stacks()
      os.execute(("kill -9 %d"):format(pid()))
      return fail(name, "nothing has moved for " .. PATIENCE .. " seconds")
    end
  end
  local f = io.open(out .. ".err")
  local err = f and f:read "a" or ""
  if f then f:close() end
  local list = rounds()
  if err ~= "" then return fail(name, err) end
  if #list == 0 then return fail(name, "no round has ended") end
  local why = grew(list, "kb", 20000) or grew(list, "fds", 0) or grew(list, "threads", 0)
  if why then return fail(name, why) end
  local last = list[#list]
  print(("%s: %d rounds; %d KB, %d descriptors, %d threads after the last"):format(
    name, #list, last.kb, last.fds, last.threads))
  passed = passed + 1
end

run("soak", "")
if has "taskset" then run("soak on one processor", "taskset -c 0")
else print "skipped: no taskset" end
os.remove(out)
os.remove(out .. ".err")
os.remove(pidfile)
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
