-- The init of a pool's first worker may fail while the others are still being
-- started: stopping the pool read the number of workers without a lock.
-- (Only ThreadSanitizer saw it.)
local lacus = require "lacus"

local error = error

describe("an init that fails while other workers are being started", function()
  it("stops the pool all the same", function()
    for _ = 1, 30 do
      local pool <close> = lacus.pool { workers = 8, init = function() error "early" end }
      local ok, err = pcall(function()
        for _ in pool:map({ 1 }, function() end) do end
      end)
      assert.is_false(ok)
      assert.matches("init of worker%-%d failed: .*early", tostring(err))
    end
  end)
end)
