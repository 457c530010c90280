-- amalgamate.lua: makes one C file of many.
--
--   lua5.4 tools/amalgamate.lua SOURCE.c... > dist/lacus.c
--
-- The sources come in the order in which they are given; each of our headers
-- where it is first included. What a source defines for itself ends with it. The
-- public header stays outside: dist/lacus.h.

local seen, out = {}, {}

local function put(...) out[#out + 1] = string.format(...) end

local function read(path)
  local f = assert(io.open(path))
  local text = f:read "a"
  f:close()
  return text
end

-- "src/run/../base/mem.h" to "src/base/mem.h"
local function normal(path)
  local n
  repeat path, n = path:gsub("[^/]+/%.%./", "", 1) until n == 0
  return path
end

local function exists(path)
  local f = io.open(path)
  if f then f:close() end
  return f ~= nil
end

-- Beside the file that includes it, or under src/ (-Isrc).
local function find(from, name)
  local beside = normal(from:match "^(.*/)" .. name)
  if exists(beside) then return beside end
  local rooted = normal("src/" .. name)
  assert(exists(rooted), from .. " includes " .. name .. ", which is nowhere")
  return rooted
end

local add

local function include(from, name)
  local path = find(from, name)
  if seen[path] then return end
  seen[path] = true
  if path ~= "src/lacus.h" then add(path) end
end

-- Macros that a header defines are for all who come later; a source's are not.
local function undefine(macros)
  for _, name in ipairs(macros) do put("#undef %s", name) end
end

-- Two headers with one guard would be one header here.
local guards = {}
local function check_guard(path, text)
  local guard = path:find "%.h$" and text:match "#ifndef%s+([%w_]+)"
  if not guard then return end
  assert(not guards[guard], ("%s and %s have one guard, %s"):format(guards[guard], path, guard))
  guards[guard] = path
end

function add(path)
  local macros = {}
  check_guard(path, read(path))
  put("/* ---- %s ---- */", path)
  for line in (read(path) .. "\n"):gmatch "(.-)\n" do
    local name = line:match '^%s*#%s*include%s*"([^"]+)"'
    if name then include(path, name) else out[#out + 1] = line end
    local macro = line:match "^%s*#%s*define%s+([%w_]+)"
    if macro and path:find "%.c$" and macro ~= "_GNU_SOURCE" then macros[#macros + 1] = macro end
  end
  undefine(macros)
end

put [[
/*
** lacus.c: all of the C library in one file, made by `make amalgamation` from
** https://example.invalid/lacus: do not edit. Compile it with the headers of any
** Lua 5.4 and with lacus.h beside it, as C11 or as C++:
**   cc -c -O2 -I<folder of lua.h> lacus.c       and link with -pthread
** As C++, Lua is taken to be compiled as C; say -DLACUS_LUA_IS_CPP if it is not.
*/
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#if !defined(LACUS_EMBED)
#define LACUS_EMBED
#endif

#if defined(__cplusplus) && !defined(LACUS_LUA_IS_CPP)
extern "C" {
#endif
#include <lua.h>
#include <lualib.h>
#include <lauxlib.h>
#if defined(__cplusplus) && !defined(LACUS_LUA_IS_CPP)
}
#endif

#include "lacus.h"
]]
for _, path in ipairs(arg) do add(path) end
io.write(table.concat(out, "\n"), "\n")
