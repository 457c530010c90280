-- A task that left the block of its own pool blocked its worker, which the tasks
-- of that pool may have been waiting for; a pool without threads that a task
-- opened was run by nobody.
local child = require "spec.support.child"

describe("a pool that a task opens", function()
  it("may be waited for while it waits for the task's worker", function()
    assert.equal("7\n", child.prints([[
      local outer <close> = lacus.pool(1)
      print(outer:submit(function()
        local f
        do
          local inner <close> = lacus.pool(1)
          f = inner:submit(function() return outer:submit(function() return 7 end):get() end)
        end
        return f:get()
      end):get())
    ]], 60))
  end)

  it("may have no workers", function()
    assert.equal("9\n", child.prints([[
      local outer <close> = lacus.pool(1)
      print(outer:submit(function()
        local inner <close> = lacus.pool(0)
        return inner:map({ 1, 2, 3 }, function(x) return x * x end):collect()[3]
      end):get())
    ]], 60))
  end)
end)
