-- Closing a pool touched the tasks that were ready to go on after their worker
-- might have freed them. (Only ThreadSanitizer saw it.)
local lacus = require "lacus"

local yield = coroutine.yield

describe("a pool that closes while tasks are ready to go on", function()
  it("leaves them to their workers", function()
    for _ = 1, 50 do
      local pool = lacus.pool(1)
      local results = pool:map(lacus.range(1, 20), function() while true do yield(1) end end,
        { window = 20, batch = 1 })
      for _ = 1, 40 do results:next() end
      for _ = 1, 20 do pool:submit(function() lacus.sleep(0) end) end
      pool:close { cancel = true }
      results:close()
    end
  end)
end)
