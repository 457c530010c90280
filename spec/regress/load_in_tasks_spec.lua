-- The message handler of a task runs for errors within `load`, too, and what it made was
-- given to the caller of load: a table. (Lua's calls.lua and errors.lua.)
local lacus = require "lacus"
local error, load, type = error, load, type    -- not by _ENV, which is busted's

describe("load in a task", function()
  it("gives the message of an error in its reader", function()
    local pool <close> = lacus.pool(1)
    local kind, message = pool:submit(function()
      local _, err = load(function() error("stop", 0) end)
      return type(err), err
    end):get()
    assert.same({ "string", "stop" }, { kind, message })
  end)

  it("leaves the traceback of a later error alone", function()
    local pool <close> = lacus.pool(1)
    local ok, err = pcall(function()
      pool:submit(function()
        load(function() error("stop", 0) end)
        local function culprit() error("stop", 0) end
        culprit()
      end):get()
    end)
    assert.is_false(ok)
    assert.matches("culprit", err.traceback)
  end)
end)
