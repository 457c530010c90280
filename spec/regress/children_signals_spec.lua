-- Threads of workers block signals, and what they started by io.popen and os.execute
-- inherited that: nothing but SIGKILL ended it. (Lua's files.lua.)
local lacus = require "lacus"
local io, os, pcall = io, os, pcall    -- not by _ENV, which is busted's

describe("a program that a task starts", function()
  it("ends by a signal", function()
    local pool <close> = lacus.pool(1)
    local how, number, how2, number2 = pool:submit(function()
      local _, a, b = os.execute "kill -s TERM $$"
      local _, c, d = io.popen("kill -s HUP $$"):close()
      return a, b, c, d
    end):get()
    assert.same({ "signal", 15, "signal", 1 }, { how, number, how2, number2 })
  end)

  it("is refused as in the standard library", function()
    local pool <close> = lacus.pool(1)
    local ok, err = pool:submit(function() return pcall(io.popen) end):get()
    assert.is_false(ok)
    assert.matches("bad argument #1 to 'io.popen' %(string expected, got no value%)", err)
  end)
end)
