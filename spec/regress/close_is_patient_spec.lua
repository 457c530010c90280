-- A worker that ends many waiting tasks asks itself for each; the watch, which had
-- looked just before, took that for an ask as old as the pool, and abandoned the worker
-- at once, whatever its grace. (Once in some ten thousand closes; more under load.)
local lacus = require "lacus"

describe("closing a pool whose tasks wait", function()
  it("loses no worker that does as it is told", function()
    local rounds = 1000
    local function asleep() lacus.sleep(1e9) end
    local function waits(f) f:get() end
    local function same(x) return x end
    for _ = 1, rounds do
      local list = {}
      pcall(function()
        local pool <close> = lacus.pool { workers = 1, grace = 1000 }
        list[1] = pool:submit(asleep)
        for i = 2, 10 do list[i] = pool:submit(waits, list[1]) end
        pool:submit(same):get()
        error "oops"
      end)
      for i = 1, 10 do
        if list[i]:state() ~= "cancelled" then error(select(2, pcall(list[i].get, list[i]))) end
      end
    end
  end)
end)
