-- An error object that a task got from another and raised could not be sent: its
-- kind, value and traceback were lost.
local lacus = require "lacus"

local error = error

describe("an error object that is raised in a task", function()
  it("comes as the value of the task's own", function()
    local pool <close> = lacus.pool(1)
    local ok, err = pcall(function()
      pool:submit(function()
        pool:submit(function() error { code = 7 } end):get()
      end):get()
    end)
    assert.is_false(ok)
    assert.equal("error", err.kind)
    assert.same({ "error", 7 }, { err.value.kind, err.value.value.code })
    assert.matches("error_through_states_spec.lua", err.value.traceback)
    assert.equal(lacus.Error, getmetatable(err.value))
  end)
end)
