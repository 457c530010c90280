-- testes.lua: Lua's own test suite (folder `testes` of Lua's repository, at the tag of
-- the Lua that is linked), on the host: all.lua in three modes, and each file by
-- itself in a task of a worker.
--
--   build/lacus tools/testes.lua FOLDER      (make testes TESTES=FOLDER)
--
-- Works in a copy of the folder, and builds the C modules of its `libs` there with $CC
-- and $LUA_CFLAGS. Ends with the closing line that tools/tally reads. docs/lua-tests.md
-- says what is behind DIFFERS.

local proc = dofile "spec/support/proc.lua"
local LIMIT = 300

-- all.lua asks for other files itself; the rest are not run alone by it either.
local NOT_ALONE = { all = true, main = true, heavy = true, tracegc = true, big = true }

-- What is otherwise in a worker: text of the suite, what stands there for this run.
-- A text that is not there is a failure, too.
local DIFFERS = {
  coroutine = {
    { "assert(type(main) == \"thread\" and ismain)", "assert(type(main) == \"thread\" and not ismain)" },
    { "assert(not coroutine.isyieldable(main) and not coroutine.isyieldable())",
      "assert(coroutine.isyieldable(main) and coroutine.isyieldable())" },
    { "assert(not pcall(coroutine.yield))", "" },
  },
  errors = {
    { 'checkmessage("coroutine.yield()", "outside a coroutine")', "" },
  },
}

local passed, failed = 0, 0

local function result(what, got, ended)
  if got.status == 0 and got.out:find(ended, 1, true) then
    passed = passed + 1
    return print("ok      " .. what)
  end
  failed = failed + 1
  print(("FAILED  %s: status %d"):format(what, got.status))
  print("        " .. (got.out .. got.err):sub(-1500):gsub("%s+$", ""):gsub("\n", "\n        "))
end

local folder = arg[1]
if not folder or not io.open(folder .. "/all.lua") then
  io.stderr:write("usage: tools/testes.lua FOLDER, Lua's own `testes`\n")
  os.exit(1)
end

local function here()
  local pipe <close> = io.popen "pwd"
  return pipe:read "l"
end

local lacus = proc.lacus:find "^/" and proc.lacus or here() .. "/" .. proc.lacus
local work = os.tmpname()
os.remove(work)
assert(proc.run({ "cp", "-R", folder, work }).status == 0)

local function write(path, text)
  local f = assert(io.open(work .. "/" .. path, "wb"))
  f:write(text)
  f:close()
end

-- Tasks have no debug.sethook, since what stops a task is a hook. The suite sets hooks:
-- it gets the standard function by a C module.
local HOOKS = "#include <lua.h>\n#include <lualib.h>\nint luaopen_hooks (lua_State *L) { return luaopen_debug(L); }\n"

-- The modules of libs/ are what attrib.lua requires where it can.
local function build_libs()
  write("libs/hooks.c", HOOKS)
  for name, source in pairs { lib1 = "lib1", lib11 = "lib11", lib2 = "lib2", lib21 = "lib21", ["lib2-v2"] = "lib22",
    ["../hooks"] = "hooks" } do
    local got = proc.run(("%s -std=gnu99 -O2 -fPIC -shared %s -o %s.so %s.c"):format(os.getenv "CC" or "cc",
      os.getenv "LUA_CFLAGS" or "", name, source), { dir = work .. "/libs" })
    if got.status ~= 0 then error("libs/" .. source .. ".c: " .. got.err) end
  end
end

-- files.lua wants a standard input that cannot be sought.
local function run(words)
  return proc.run({ "sh", "-c", (": | %s %s 2>&1"):format(lacus, words) }, { dir = work, limit = LIMIT })
end

-- main.lua reads the number of a process from a pipe on which that process has a word,
-- too; whoever comes first. The test fails when that is the process, so: again.
local function run_mode(mode)
  local got
  for _ = 1, 5 do
    os.remove(work .. "/time.txt")
    got = run(("-W -e '%s' all.lua"):format(mode))
    if got.status == 0 or not got.out:find "background, pid 1[25]%)\n" then break end
  end
  return got
end

local function run_all()
  for _, mode in ipairs { "_U=true", "_port=true", "" } do
    result("all.lua " .. (mode ~= "" and mode or "in full"), run_mode(mode), "final OK !!!")
  end
end

-- Run there with the name of a file: the suite's own lines, in a task.
local HARNESS = [[
local lacus, name, host = require "lacus", arg[1], arg[-1]
local pool = lacus.pool(1)
pool:submit(function()
  arg = { [0] = name, [-1] = host }
  debug.sethook = require "hooks".sethook
  package.loaded.hooks = nil          -- tracebacks would find names in it
  dofile(name)
end):get()
pool:close()
print "the task has ended"
]]

local function edit(name)
  local path = work .. "/" .. name .. ".lua"
  local f = assert(io.open(path, "rb"))
  local text = f:read "a"
  f:close()
  for _, pair in ipairs(DIFFERS[name]) do
    local at, to = text:find(pair[1], 1, true)
    if not at then error(("%s.lua has no line %s"):format(name, pair[1])) end
    text = text:sub(1, at - 1) .. pair[2] .. text:sub(to + 1)
  end
  write(name .. ".lua", text)
end

local function run_in_workers()
  write("harness", HARNESS)
  local files <close> = io.popen(("cd %s && ls *.lua"):format(work))
  for file in files:lines() do
    local name = file:gsub("%.lua$", "")
    if not NOT_ALONE[name] then
      if DIFFERS[name] then edit(name) end
      result("in a worker: " .. file, run("harness " .. file), "the task has ended")
    end
  end
end

build_libs()
run_all()
run_in_workers()
proc.run { "rm", "-rf", work }
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
