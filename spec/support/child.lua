--- child: a script in a process of its own, with a watchdog: for what would hang
--- the whole run if it hung.
local assert = require "luassert"
local proc = require "spec.support.proc"

local M = {}

-- Far above what any of them needs, sanitizers included.
local PATIENCE = 240

--- Runs `source`, which has `lacus`, and gives what it printed. It must end well
--- and say nothing on stderr; how it ended otherwise is the failure.
function M.prints(source, limit)
  local name = os.tmpname()
  local f = assert(io.open(name, "w"))
  f:write("local lacus = require 'lacus'\n", source)
  f:close()
  local got = proc.run({ proc.this, name }, { limit = limit or PATIENCE })
  os.remove(name)
  if got.status == 124 or got.status == 137 then
    error("it hangs; printed so far: " .. got.out, 2)
  end
  assert.equal("", got.err)
  assert.equal(0, got.status)
  return got.out
end

return M
