-- A worker that has nothing to do collects garbage. While a finalizer of that ran, a task was
-- given to this worker, and another one slept.
local lacus = require "lacus"
local gate = require "spec.support.gate"
local script = require "spec.support.script"

-- On all workers but one: leaves garbage with a finalizer that opens a gate and waits for
-- `go`, to be collected when nothing runs.
local litter = script.with_lacus [[
  local gate, began, go = ...
  local id = lacus.worker.id
  if id == 1 then return end
  collectgarbage "stop"
  setmetatable({}, { __gc = function()
    gate.open(began .. id)
    gate.wait(go)
  end })
  return #("x"):rep(1000000)
]]

describe("an idle worker whose finalizer takes long", function()
  for workers = 2, 4 do
    it("is not the one that a task waits for: one of " .. workers .. " is left", function()
      local began, go = gate.new(), gate.new()
      local pool = lacus.pool(workers)
      pool:broadcast(litter, gate, began, go)
      for id = 2, workers do gate.wait(began .. id) end
      local future = pool:submit(script.plain "return 'done'")
      local ended = future:wait(60)
      gate.open(go)
      assert.is_true(ended)
      assert.equal("done", future:get())
      pool:close()
      for id = 2, workers do os.remove(began .. id) end
      os.remove(go)
    end)
  end
end)
