-- Reading a worker's generator in a task ran other tasks on top instead of
-- suspending it: a second one that did so was refused.
local lacus = require "lacus"

local yield = coroutine.yield

describe("reading workers' generators in several tasks of one worker", function()
  it("suspends them, as every wait does", function()
    local pool <close> = lacus.pool(1)
    local list = pool:map({ 1, 2, 3, 4 }, function(n)
      local sum = 0
      for v in pool:generate(function()
        for i = 1, n do
          lacus.sleep(0.001)
          yield(i)
        end
      end) do sum = sum + v end
      return sum
    end, { batch = 1 }):collect()
    assert.same({ 1, 3, 6, 10, n = 4 }, list)
  end)
end)
