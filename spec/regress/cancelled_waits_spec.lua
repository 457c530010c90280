-- Closing a pool by cancelling it waited, without end, for what its tasks had
-- submitted to pools of their own.
local child = require "spec.support.child"

-- Ends a pool in whose worker an endless task of another pool is submitted.
local function ends(how)
  return child.prints(([[
    local function begin(pool)
      pool:submit(function()
        inner = require "lacus".pool(1)
        inner:submit(function() require "lacus".sleep(1e9) end)
      end):get()
      return pool
    end
    %s
    print "ended"
  ]]):format(how), 60)
end

describe("a pool that is cancelled", function()
  it("waits for no pool that its tasks have opened", function()
    assert.equal("ended\n", ends "begin(lacus.pool(1)):close { cancel = true }")
    assert.equal("ended\n", ends "begin(lacus.pool(0)):close { cancel = true }")
    assert.equal("ended\n", ends "pcall(function() local pool <close> = begin(lacus.pool(1)) error 'x' end)")
    assert.equal("ended\n", ends [[
      local pool = begin(lacus.pool(1))
      pool:submit(function() lacus.sleep(1e9) end)
      pool:close { timeout = 0.01 }
    ]])
  end)

  it("by the end of the script, neither", function()
    assert.equal("ended\n", ends [[
      pool = begin(lacus.pool { workers = 1, linger = 0.01 })
      pool:submit(function() lacus.sleep(1e9) end)
    ]])
  end)
end)
