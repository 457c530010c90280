-- examples.lua: runs every example, and every Lua block of the README and of docs/,
-- on the host, and compares what they print with their own comments.
--
--   build/lacus tools/examples.lua [file...]
--
-- `--> text` promises that a line of output reads "text" (blanks count as one
-- blank), in the order of the comments; a line between two promised ones may
-- say anything. `--> text ...` promises the beginning of a line. A Markdown block
-- that begins with ```lua is a program; ```lua norun is not. Ends with the
-- closing line that tools/tally reads.

local proc = dofile "spec/support/proc.lua"
local passed, failed = 0, 0

local function squeeze(s)
  return (s:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

local function promises(source)
  local list = {}
  for line in source:gmatch "[^\n]+" do
    local text = line:match "%-%->%s?(.*)$"
    text = text and text:gsub("%s*%*/$", "")
    if text then list[#list + 1] = squeeze(text) end
  end
  return list
end

local function kept(promise, line)
  local start = promise:match "^(.*)%.%.%.$"
  if start then return line:sub(1, #start) == start end
  return line == promise
end

local function fail(name, result, why)
  failed = failed + 1
  print(("FAILED  %s: %s"):format(name, why))
  print("        printed: " .. result.out:gsub("\n", "\n                 "))
  if result.err ~= "" then print("        stderr:  " .. result.err:gsub("\n", "\n                 ")) end
end

local function judge(name, source, result)
  if result.status ~= 0 then return fail(name, result, "exit status " .. result.status) end
  local wanted, i = promises(source), 1
  for line in result.out:gmatch "[^\n]+" do
    if wanted[i] and kept(wanted[i], squeeze(line)) then i = i + 1 end
  end
  if wanted[i] then return fail(name, result, "never printed: " .. wanted[i]) end
  passed = passed + 1
end

local function read(path)
  local f = assert(io.open(path))
  local text = f:read "a"
  f:close()
  return text
end

local function run_example(path)
  judge(path, read(path), proc.run({ proc.lacus, path }, { limit = 120 }))
end

-- The Makefile has built it.
local function run_program(path)
  local name = path:match "examples/(.*)%.c$"
  judge(path, read(path), proc.run({ os.getenv "LACUS_BUILD" .. "/examples/" .. name }, { limit = 120 }))
end

local function run_page(path)
  local n = 0
  for source in ("\n" .. read(path)):gmatch "\n```lua\n(.-)\n```" do
    n = n + 1
    local name = os.tmpname()
    local f = assert(io.open(name, "w"))
    f:write(source)
    f:close()
    judge(("%s, block %d"):format(path, n), source, proc.run({ proc.lacus, name }, { limit = 120 }))
    os.remove(name)
  end
end

local function find(command)
  local list, names = {}, assert(io.popen(command))
  for name in names:lines() do list[#list + 1] = name end
  names:close()
  return list
end

local paths = #arg > 0 and arg or find "ls examples/*.lua examples/*.c README.md docs/*.md 2>/dev/null"
for _, path in ipairs(paths) do
  if path:find "%.md$" then run_page(path)
  elseif path:find "%.c$" then run_program(path)
  else run_example(path) end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
