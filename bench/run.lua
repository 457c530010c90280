-- run.lua: measures lacus against what else does the job, question by question.
--
--   build/lacus bench/run.lua [question...]      (make bench runs all of them)
--
-- A question is bench/NAME.lua. Every ratio comes from one run, from the medians of
-- repeats that take turns. Prints a table and writes build/bench.json; what is not
-- installed is named and left out.

local QUESTIONS = { "tiny", "others", "medium", "roundtrip", "echo", "mandelbrot", "trees", "start", "flat", "memory",
  "single", "scale" }

local lib = dofile "bench/lib.lua"
local now = require "lacus".now
local begun = now()

local function want(name)
  for _, wanted in ipairs(arg) do
    if wanted == name then return true end
  end
  return #arg == 0
end

for _, name in ipairs(arg) do
  if not table.concat(QUESTIONS, " "):find(name, 1, true) then
    io.stderr:write(("bench: there is no question '%s': %s\n"):format(name, table.concat(QUESTIONS, ", ")))
    os.exit(1)
  end
end

lib.head()
for _, name in ipairs(QUESTIONS) do
  if want(name) then dofile("bench/" .. name .. ".lua")(lib) end
end
for _, why in ipairs(lib.skipped) do print("left out: " .. why) end
if #arg == 0 then lib.save "build/bench.json" end
print(("%.0f s on %d processors, pools of %d workers%s"):format(now() - begun, require "lacus".cpus(), lib.workers,
  #arg == 0 and "; also in build/bench.json" or ""))
