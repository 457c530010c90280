-- Many stops of many kinds at once. What is stopped makes system calls all the time:
-- ThreadSanitizer holds signals back until one, so this can run under it.
local child = require "spec.support.child"

describe("what makes system calls", function()
  it("is stopped in any way, while others ask where it stands", function()
    assert.equal("60 rounds\n", child.prints([[
      local function spin() while true do lacus.now() end end
      local function item(x)
        local _ <close> = setmetatable({}, { __close = function() lacus.now() end })
        if x % 3 == 1 then return x end
        if x % 3 == 2 then return pcall(spin) end
        coroutine.wrap(spin)()
      end
      local kinds = {
        function(pool) pool:map(lacus.range(1, 9), item):close() end,
        function(pool)
          local results <close> = pool:map(lacus.range(1, 9), item)
          assert(results:next() == 1)
        end,
        function(pool)
          for _, ok, err in pool:map(lacus.range(1, 6), item, { timeout = 0.005, on_error = "return" }) do
            assert(ok or err.kind == "timeout")
          end
        end,
        function(pool)
          local f = pool:submit(spin)
          while f:state() == "queued" do lacus.sleep(0) end
          pool:tasks()
          assert(f:cancel() and f:state() == "cancelled")
        end,
        function(pool)
          local f = pool:submit(function()
            local inner <close> = lacus.pool { workers = 1 }
            local g = inner:submit(spin)
            while g:state() == "queued" do lacus.sleep(0) end
            pool:tasks()
            error "done with it"
          end)
          assert(not pcall(f.get, f))
        end,
        function(pool)
          local g = pool:generate(function() for i = 1, 9 do coroutine.yield(i) end spin() end)
          assert(g() == 1)
          g:close()
        end,
      }
      warn "@off"
      for i = 1, 60 do
        local pool = lacus.pool { workers = i % 3 + 1, watchdog = i % 2 == 0 and 0.002 or nil }
        for k = 1, 3 do kinds[(i + k * k) % #kinds + 1](pool) end
        pool:submit(spin)
        pool:close { cancel = true }
      end
      print "60 rounds"
    ]], 120))
  end)

  it("is abandoned in a call of C, and comes back, while the pool goes on #noasan", function()
    assert.equal("20 rounds\n", child.prints([[
      local function stuck() os.execute "sleep 0.2" return true end
      warn "@off"
      for i = 1, 20 do
        local pool = lacus.pool { workers = 2, grace = 0.02 }
        local lost, fine = 0, 0
        local r = pool:map(lacus.range(1, 8), function(x)
          if x == 3 then return stuck() end
          if x == 5 then coroutine.yield(x) end
          lacus.sleep(x % 2 / 1000)
          return x
        end, { timeout = 0.03, batch = i % 4 + 1, on_error = "return" })
        for k, ok, err in r do
          if ok then fine = fine + 1 assert(err == k or k == 3)
          else lost = lost + 1 assert(err.kind == "lost" or err.kind == "timeout") end
        end
        assert(lost + fine >= 8, lost + fine)
        assert(pool:submit(function() return 7 end):get() == 7)
        pool:close()
        if i % 5 == 0 then lacus.sleep(0.2) end
      end
      print "20 rounds"
    ]], 120))
  end)
end)
