-- A function whose encoding raises, rather than being refused, was left behind.
-- The leak itself shows under the address sanitizer (make asan, make oom).
local lacus = require "lacus"

describe("a __transfer that raises", function()
  local bad = setmetatable({}, { __transfer = function() error("no transfer", 0) end })

  it("is raised by map, and leaks nothing", function()
    local pool <close> = lacus.pool(1)
    local ok, err = pcall(pool.map, pool, { 1 }, function() return bad end)
    assert.is_false(ok)
    assert.matches("no transfer", tostring(err))
  end)

  it("fails the item where items are calls, and leaks nothing", function()
    local pool <close> = lacus.pool(1)
    local results = pool:map(lacus.generator(function() coroutine.yield(function() return bad end) end)())
    local ok, err = pcall(results.next, results)
    assert.is_false(ok)
    assert.same({ "transfer", 1 }, { err.kind, err.index })
    assert.matches("no transfer", err.message)
  end)
end)
