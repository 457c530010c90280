-- A long array that has come from another state, with a table in it and a hole within 16
-- items behind that: what it was sent on as could not be read.
local lacus = require "lacus"

describe("a long array with a hole", function()
  local function echo(x) return x end

  it("comes back as it was, from whatever state it is sent", function()
    local pool <close> = lacus.pool(0)
    for hole = 2, 70 do
      local t = {}
      for k = 1, 100 do t[k] = k % 3 == 0 and { k } or k end
      t[hole] = nil
      local back = pool:submit(echo, pool:submit(echo, t):get()):get()
      assert.are.same(t, back)
    end
  end)
end)
