-- A task that gave its own coroutine away let another task resume it: its wait
-- stood on a list twice, and the pool hung.
local child = require "spec.support.child"

describe("a task's own coroutine", function()
  it("cannot be resumed or closed by another task", function()
    assert.equal("false\tcannot resume non-suspended coroutine\n"
      .. "false\tcannot close a running coroutine\n3\n", child.prints([[
      local pool <close> = lacus.pool(1)
      local r = pool:map({ 1, 2, 3 }, function(x)
        co = coroutine.running()
        coroutine.yield(x)
        coroutine.yield(x)
      end, { window = 1 })
      print(pool:submit(function() return coroutine.resume(co) end):get())
      print(pool:submit(function()
        local ok, err = pcall(coroutine.close, co)
        return ok, err
      end):get())
      local n = 0
      for i in r do n = i end
      print(n)
    ]], 60))
  end)

  it("nor can one that waits within a task", function()
    assert.equal("false\tcannot resume non-suspended coroutine\n", child.prints([[
      local pool = lacus.pool(1)
      pool:submit(function()
        co = coroutine.create(function() lacus.sleep(1e9) end)
        coroutine.resume(co)
      end)
      print(pool:submit(function() return coroutine.resume(co) end):get())
      pool:close { cancel = true }
    ]], 60))
  end)
end)
