-- A worker that has nothing to do collects garbage. While a finalizer of that ran, a task was
-- given to this worker, and another one slept.
local lacus = require "lacus"
local gate = require "spec.support.gate"
local script = require "spec.support.script"

-- Leaves garbage with a finalizer that opens `began` and waits for `go`, to be collected
-- when nothing runs.
local litter = script.plain [[
  local gate, began, go = ...
  collectgarbage "stop"
  setmetatable({}, { __gc = function()
    gate.open(began)
    gate.wait(go)
  end })
  return #("x"):rep(1000000)
]]

describe("an idle worker whose finalizer takes long", function()
  it("is not the one that a task waits for", function()
    local began, go = gate.new(), gate.new()
    local pool = lacus.pool(2)
    pool:submit(litter, gate, began, go):get()
    gate.wait(began)
    local future = pool:submit(script.plain "return 'done'")
    local ended = future:wait(60)
    gate.open(go)
    assert.is_true(ended)
    assert.equal("done", future:get())
    pool:close()
    os.remove(began)
    os.remove(go)
  end)
end)
