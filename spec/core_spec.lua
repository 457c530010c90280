-- One core of Lua in the host, and C modules that use it.
local proc = require "spec.support.proc"

-- A module as a distribution has it: not linked with Lua. It says which file has
-- the Lua that it found, and where; the address that everybody finds by name; and
-- how the functions compare.
local source = [[
#define _GNU_SOURCE
#include <dlfcn.h>
typedef struct lua_State lua_State;
lua_State *lua_newstate (void *f, void *ud);
void lua_pushstring (lua_State *L, const char *s);
void lua_pushboolean (lua_State *L, int b);
int luaopen_core (lua_State *L) {
  Dl_info info;
  lua_pushstring(L, dladdr((void *)lua_newstate, &info) ? info.dli_fname : "?");
  lua_pushboolean(L, (void *)lua_newstate == dlsym(RTLD_DEFAULT, "lua_newstate"));
  return 2;
}
]]

local function build()
  local name = os.tmpname()
  local c <close> = assert(io.open(name .. ".c", "w"))
  c:write(source)
  c:close()
  local got = proc.run { "cc", "-shared", "-fPIC", "-o", name .. ".so", name .. ".c" }
  os.remove(name .. ".c")
  os.remove(name)
  assert.equal("", got.err)
  return name .. ".so"
end

describe("the core of Lua #host", function()
  it("is the host's own, at one address, for a C module in the script and in a worker", function()
    local so = build()
    local got = proc.script(([[
      local lacus = require "lacus"
      local pool <close> = lacus.pool(1)
      local function core(so)
        local file, same = assert(package.loadlib(so, "luaopen_core"))()
        return file:match "[^/]*$", same
      end
      print(core %q)
      print(pool:submit(core, %q):get())
    ]]):format(so, so))
    os.remove(so)
    assert.equal("", got.err)
    local name = proc.lacus:match "[^/]*$"
    assert.equal((name .. "\ttrue\n"):rep(2), got.out)
  end)
end)
