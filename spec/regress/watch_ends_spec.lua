-- The thread that looks after a pool's workers outlived them, in a pool that was dropped, until
-- another one was opened or closed.
local child = require "spec.support.child"

describe("a pool that was dropped", function()
  it("has no thread any more when its workers have ended #notsan", function()
    assert.equal("1\n", child.prints([[
      do
        local pool = lacus.pool(1)
        local future = pool:submit(function() while true do end end)
        while future:state() == "queued" do lacus.sleep(0) end
        future:cancel()
      end
      local threads
      repeat
        collectgarbage()
        for line in io.lines "/proc/self/status" do
          threads = line:match "^Threads:%s*(%d+)" or threads
        end
      until threads == "1"
      print(threads)
    ]], 60))
  end)
end)
