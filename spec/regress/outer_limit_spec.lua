-- A task with a timeout waited where Lua cannot yield, and another ran on top of it. When
-- that had ended nobody looked any more whether the time of the outer one was up, if
-- somebody had looked meanwhile.
local lacus = require "lacus"
local gate = require "spec.support.gate"

describe("a task with a timeout that another has run on top of #notsan", function()
  it("is stopped in time", function()
    local pool <close> = lacus.pool(2)
    local on_top, seen, other, busy = gate.new(), gate.new(), gate.new(), gate.new()
    pool:submit(function()                -- the second worker has something to do
      gate.open(busy)
      gate.wait(other)
    end)
    gate.wait(busy)
    local results = pool:map({ pool }, function(same)
      table.sort({ 1, 2 }, function()
        same:submit(function()
          gate.open(on_top)
          gate.wait(seen)
        end):get()
        return false
      end)
      while true do end
    end, { timeout = 2, on_error = "return" })
    assert.is_nil((results:next(0)))      -- it is on its way
    gate.wait(on_top)
    gate.open(other)
    pool:map({ 1 }, function() while true do end end, { timeout = 0.01, on_error = "skip" }):collect()
    gate.open(seen)
    local i, ok, err = results:next(60)
    assert.equal(1, i)
    assert.is_false(ok)
    assert.equal("timeout", err.kind)
    for _, name in ipairs { on_top, seen, other, busy } do os.remove(name) end
  end)
end)
