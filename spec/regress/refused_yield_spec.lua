-- After a yield that could not be sent and was caught, every later failure of
-- the task had kind "transfer". (That it kept its room from others is in
-- task_spec.lua.)
local lacus = require "lacus"

local yield, tmpfile, pcall, error = coroutine.yield, io.tmpfile, pcall, error

describe("a task that has caught a refused yield", function()
  it("fails later of what it fails of", function()
    local pool <close> = lacus.pool(1)
    local _, ok, err = pool:map({ 0 }, function()
      pcall(yield, tmpfile())
      error("other", 0)
    end, { on_error = "return" })()
    assert.same({ false, "error", "other" }, { ok, err.kind, err.message })
  end)
end)
