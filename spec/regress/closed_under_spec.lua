-- A task that used its own pool while that was closed with cancel failed of "the pool is
-- closed", and close did not count it.
local lacus = require "lacus"

describe("a task that uses its own pool #notsan", function()
  it("is cancelled with it", function()
    local function uses(pool) while true do pool:submit(function() end) end end
    for _ = 1, 1000 do
      local pool = lacus.pool(1)
      local future = pool:submit(uses, pool)
      repeat until future:state() ~= "queued"
      local n = pool:close { cancel = true }
      if future:state() ~= "cancelled" then future:get() end     -- why
      assert.is_true(n >= 1)
    end
  end)
end)
