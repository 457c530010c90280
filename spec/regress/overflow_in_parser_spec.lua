-- `load` runs the handler of the task for an overflow in the parser: its table
-- came back to the handler when the task raised it, and hid the message.
local lacus = require "lacus"

describe("an overflow in the parser", function()
  it("keeps its message when the task raises what load gave", function()
    local pool <close> = lacus.pool(1)
    local future = pool:submit(load [[
      return assert(load("return " .. ("("):rep(1000) .. "1" .. (")"):rep(1000)))
    ]])
    local ok, err = pcall(future.get, future)
    assert.is_false(ok)
    assert.matches("C stack overflow", err.message)
  end)
end)
