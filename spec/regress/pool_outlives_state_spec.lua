-- A pool was freed with the state that opened it, though another state held it.
local lacus = require "lacus"

describe("a pool whose state has ended", function()
  it("can still be asked, by whoever has a handle", function()
    for workers = 0, 2 do
      local pool = lacus.pool(1)
      local inner = pool:submit(function() return lacus.pool(workers) end):get()
      pool:close()
      assert.equal("lacus.pool (closed)", tostring(inner))
      local ok, err = pcall(inner.submit, inner, print)
      assert.is_false(ok)
      assert.matches("the pool is closed", err)
    end
    collectgarbage()
    collectgarbage()
  end)
end)
