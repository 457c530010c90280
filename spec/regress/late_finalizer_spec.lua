-- Who closed a pool asked its workers once whether they are stuck. One that took longer than
-- `grace` to end its tasks and was then stuck in a finalizer was waited for, without end.
local child = require "spec.support.child"

describe("a pool whose tasks take long to end", function()
  it("abandons a worker that is stuck in a finalizer after that #notsan", function()
    assert.equal("closed\n", child.prints([[
      local pool = lacus.pool { workers = 1, grace = 0.1 }
      pool:submit(function()
        last = setmetatable({}, { __gc = function() while true do end end })
      end):get()
      local futures = {}
      for i = 1, 5 do
        futures[i] = pool:submit(function()
          local _ <close> = setmetatable({}, { __close = function() while true do end end })
          lacus.sleep(1e9)
        end)
      end
      for _, future in ipairs(futures) do
        while future:state() == "queued" do lacus.sleep(0) end
      end
      pool:submit(function() end):get()
      pool:close { cancel = true }
      print "closed"
    ]], 60))
  end)
end)
