-- A coroutine of a task that called its own `wrap` was reset while it ran, and one that
-- is normal was called running. (Lua's coroutine.lua.)
local lacus = require "lacus"
local coroutine, pcall = coroutine, pcall    -- not by _ENV, which is busted's

describe("a coroutine in a task", function()
  it("that resumes itself is refused and goes on", function()
    local pool <close> = lacus.pool(1)
    local inner, message, value = pool:submit(function()
      local wrapped
      wrapped = coroutine.wrap(function()
        local ok, err = pcall(wrapped)
        coroutine.yield(ok, err, "goes on")
      end)
      return wrapped()
    end):get()
    assert.is_false(inner)
    assert.matches("cannot resume non%-suspended coroutine", message)
    assert.equal("goes on", value)
  end)

  it("that waits for another is normal, and cannot be closed", function()
    local pool <close> = lacus.pool(1)
    local ok, err = pool:submit(function()
      local task = coroutine.running()
      return coroutine.wrap(function() return pcall(coroutine.close, task) end)()
    end):get()
    assert.is_false(ok)
    assert.matches("cannot close a normal coroutine", err)
  end)
end)
