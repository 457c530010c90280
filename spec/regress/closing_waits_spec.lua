-- What ran while no task did waited as a main thread does, asleep, for what only
-- its own sleeping worker could do: the <close> of a task that was cancelled, a
-- finalizer of an idle worker, tasks of a pool that ends.
local child = require "spec.support.child"

describe("waiting where no task runs", function()
  it("in the <close> of a cancelled task gets its result", function()
    assert.equal("42\n", child.prints([[
      local pool <close> = lacus.pool(1)
      for _ in pool:map({ 1 }, function()
        local _ <close> = setmetatable({}, { __close = function()
          said = pool:submit(function() return 42 end):get()
        end })
        while true do coroutine.yield(1) end
      end) do break end
      local got
      repeat got = pool:submit(function() return said end):get() until got
      print(got)
    ]], 60))
  end)

  it("is refused when the state closes", function()
    assert.equal("false\tcannot wait: the worker is closing its state\n", child.prints([[
      local pool = lacus.pool(1)
      local a = pool:submit(function() lacus.sleep(1e9) end)
      local b = pool:submit(function()
        local _ <close> = setmetatable({}, { __close = function() print(pcall(a.get, a)) end })
        lacus.sleep(1e9)
      end)
      while a:state() ~= "running" or b:state() ~= "running" do lacus.sleep(0) end
      pool:submit(function() end):get()
      pool:close { cancel = true }
    ]], 60))
  end)
end)
