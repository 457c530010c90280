-- The iterator of results:values() needed the results as its argument, which a
-- map that takes it as its source does not give.
local lacus = require "lacus"

describe("results:values()", function()
  it("is a source for another map", function()
    local pool <close> = lacus.pool(1)
    local first = pool:map({ 1, 2, 3 }, function(x) return x + 1 end, { ordered = true })
    local list = pool:map(first:values(), function(x) return 10 * x end):collect()
    assert.same({ 20, 30, 40, n = 3 }, list)
  end)
end)
