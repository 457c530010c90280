-- A task that waits in a pool without threads, which a task has opened, was cancelled from
-- elsewhere: the worker where that pool runs was not told, and went on sleeping.
local lacus = require "lacus"
local gate = require "spec.support.gate"

describe("a task of a pool without threads in a worker", function()
  it("ends when somebody else cancels it", function()
    local pool <close> = lacus.pool(1)
    for _ = 1, 5 do
      local name = gate.new()
      local future = pool:submit(function()
        inner = inner or lacus.pool(0)
        local future = inner:submit(function()
          local _ <close> = setmetatable({}, { __close = function() gate.open(name) end })
          lacus.sleep(1e9)
        end)
        while future:state() == "queued" do future:wait(0.001) end
        return future
      end):get()
      lacus.sleep(0.02)     -- its worker sleeps by then, or nothing is shown
      assert.is_true(future:cancel())
      gate.wait(name)
      os.remove(name)
    end
  end)
end)
