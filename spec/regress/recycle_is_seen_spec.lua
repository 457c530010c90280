-- A worker looked whether its state was to be replaced, and then for a task: one that was
-- submitted after pool:recycle(), but in between, ran in the old state.
local lacus = require "lacus"

-- Chunks of `load` have the true globals: the count is lost with the worker's state.
local count = load "n = (n or 0) + 1; return n"

describe("a task after pool:recycle()", function()
  it("runs in a new state, however soon it comes", function()
    local pool <close> = lacus.pool(2)
    for _ = 1, 400 do
      assert.same({ 1, 1 }, pool:broadcast(count))
      pool:recycle()
    end
  end)

  it("does so when it is submitted to anybody", function()
    local pool <close> = lacus.pool(2)
    for _ = 1, 400 do
      assert.equal(1, pool:submit(count):get())
      pool:recycle()
    end
  end)
end)
