-- floors.lua: who includes whom in src/, floor by floor; fails on an include that
-- goes up, on a circle of files, and on a floor that knows what it must not.
--
--   lua5.4 tools/floors.lua               prints the graph and what is wrong
--   lua5.4 tools/floors.lua --self-test   first proves that it sees planted faults
--
-- A noun is NAME.h with NAME.c; the graph is drawn of nouns. A circle of files is
-- a fault. Two nouns whose .c files use each other's headers are not, but they are
-- noted, for they cannot be tested or read one before the other.

local floors = { "base", "value", "run", "pool", "shared", "lib", "api", "host" }
local rank = {}
for i, floor in ipairs(floors) do rank[floor] = i end

-- System headers that a floor may not include, and why.
local forbidden = {
  base = { ["^lua.*%.h$"] = "base knows no Lua", ["^lauxlib%.h$"] = "base knows no Lua" },
  value = { ["^p?threads?%.h$"] = "value knows no threads" },
  lib = { ["^p?threads?%.h$"] = "no locks in lib" },
}

-- lacus.h stands beside the floors, at the height of lib; api/ implements it.
local function floor_of(path)
  return path:match "^src/(%w+)/" or "lib"
end

local function noun_of(path)
  return path:match "^src/(.*)%.[ch]$"
end

-- "src/run/../base/mem.h" to "src/base/mem.h"
local function normal(path)
  local n
  repeat path, n = path:gsub("[^/]+/%.%./", "", 1) until n == 0
  return path
end

local function resolve(files, from, name)
  local beside = normal(from:match "^(.*/)" .. name)
  if files[beside] then return beside end
  local rooted = normal("src/" .. name)
  return files[rooted] and rooted
end

local function includes(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do
    local open, name = line:match '^%s*#%s*include%s*([<"])([^>"]+)[>"]'
    if open then list[#list + 1] = { name = name, own = open == '"' } end
  end
  return list
end

local function check_system(faults, path, name)
  for pattern, reason in pairs(forbidden[floor_of(path)] or {}) do
    if name:find(pattern) then
      faults[#faults + 1] = ("%s includes <%s>: %s"):format(path, name, reason)
    end
  end
end

local function check_own(faults, path, target)
  if path == "src/lacus.h" then
    faults[#faults + 1] = ("src/lacus.h includes %s: the public header includes nothing of ours"):format(target)
  elseif rank[floor_of(target)] > rank[floor_of(path)] then
    faults[#faults + 1] = ("%s includes %s: up from %s to %s"):format(path, target, floor_of(path), floor_of(target))
  end
end

-- files: path -> text. Gives path -> set of paths, and a list of faults.
local function graph(files)
  local uses, faults = {}, {}
  for path, text in pairs(files) do
    uses[path] = {}
    if not rank[floor_of(path)] then faults[#faults + 1] = path .. ": no such floor" end
    for _, include in ipairs(includes(text)) do
      local target = include.own and resolve(files, path, include.name)
      if target and rank[floor_of(target)] and rank[floor_of(path)] then
        check_own(faults, path, target)
        uses[path][target] = true
      elseif include.own and not include.name:find "^lua.*%.h$" and include.name ~= "lauxlib.h" then
        faults[#faults + 1] = ("%s includes \"%s\", which is nowhere"):format(path, include.name)
      else
        check_system(faults, path, include.name)
      end
    end
  end
  return uses, faults
end

local function nouns(uses)
  local merged = {}
  for path, targets in pairs(uses) do
    local noun = noun_of(path)
    merged[noun] = merged[noun] or {}
    for target in pairs(targets) do
      if noun_of(target) ~= noun then merged[noun][noun_of(target)] = true end
    end
  end
  return merged
end

local function sorted(set)
  local list = {}
  for key in pairs(set) do list[#list + 1] = key end
  table.sort(list)
  return list
end

-- Depth first; the way back to a node that is still open is a circle.
local function circles(uses)
  local state, way, found = {}, {}, {}
  local function visit(node)
    state[node] = "open"
    way[#way + 1] = node
    for _, target in ipairs(sorted(uses[node] or {})) do
      if state[target] == "open" then
        local i = #way
        while way[i] ~= target do i = i - 1 end
        found[#found + 1] = "circle: " .. table.concat(way, " > ", i) .. " > " .. target
      elseif not state[target] then
        visit(target)
      end
    end
    way[#way] = nil
    state[node] = "done"
  end
  for _, node in ipairs(sorted(uses)) do
    if not state[node] then visit(node) end
  end
  return found
end

local function judge(files)
  local uses, faults = graph(files)
  for _, circle in ipairs(circles(uses)) do faults[#faults + 1] = circle end
  table.sort(faults)
  return uses, faults
end

-- Each planted tree has exactly one fault, which must be found by its words.
local plants = {
  { "goes up", "up from base to run", { ["src/base/a.c"] = '#include "../run/b.h"', ["src/run/b.h"] = "" } },
  { "goes up through -Isrc", "up from pool to lib", { ["src/pool/a.h"] = '#include "lib/b.h"', ["src/lib/b.h"] = "" } },
  { "circle of headers", "circle: src/run/a.h > src/run/b.h > src/run/a.h",
    { ["src/run/a.h"] = '#include "b.h"', ["src/run/b.h"] = ' # include "a.h"' } },
  { "circle across floors", "up from base to run",
    { ["src/base/a.h"] = '#include "../run/b.h"', ["src/run/b.h"] = "" } },
  { "Lua in base", "base knows no Lua", { ["src/base/a.c"] = "#include <lua.h>" } },
  { "a mutex in lib", "no locks in lib", { ["src/lib/a.c"] = "#include <pthread.h>" } },
  { "public header", "nothing of ours", { ["src/lacus.h"] = '#include "base/a.h"', ["src/base/a.h"] = "" } },
  { "a file that is nowhere", "nowhere", { ["src/base/a.c"] = '#include "gone.h"' } },
  { "a folder that is no floor", "no such floor", { ["src/cellar/a.c"] = "" } },
}

local function self_test()
  local passed, failed = 0, 0
  for _, plant in ipairs(plants) do
    local name, words, files = table.unpack(plant)
    local _, faults = judge(files)
    if #faults == 1 and faults[1]:find(words, 1, true) then
      passed = passed + 1
    else
      failed = failed + 1
      print(("FAILED  planted %s: found %s"):format(name, #faults == 0 and "nothing" or table.concat(faults, "; ")))
    end
  end
  local _, faults = judge { ["src/run/a.c"] = '#include "a.h"\n#include "../base/b.h"\n#include <lua.h>',
    ["src/run/a.h"] = "", ["src/base/b.h"] = "", ["src/run/c.h"] = '#include "a.h"' }
  if #faults > 0 then
    failed = failed + 1
    print("FAILED  a good tree: found " .. table.concat(faults, "; "))
  end
  return passed, failed
end

local function read_tree()
  local files = {}
  local names = assert(io.popen "find src -name '*.[ch]' | sort")
  for path in names:lines() do
    local f = assert(io.open(path))
    files[path] = f:read "a"
    f:close()
  end
  names:close()
  return files
end

local function show(uses)
  for _, floor in ipairs(floors) do
    print(floor)
    for _, noun in ipairs(sorted(uses)) do
      if floor_of("src/" .. noun) == floor then
        print(("  %-20s %s"):format(noun:match "[^/]*$", table.concat(sorted(uses[noun]), " ")))
      end
    end
  end
end

local passed, failed = 0, 0
if arg[1] == "--self-test" then passed, failed = self_test() end
local uses, faults = judge(read_tree())
show(nouns(uses))
for _, circle in ipairs(circles(nouns(uses))) do print("note: nouns in a " .. circle) end
for _, fault in ipairs(faults) do print("FAILED  " .. fault) end
passed, failed = passed + #sorted(uses), failed + #faults
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
