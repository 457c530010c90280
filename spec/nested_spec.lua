-- Work that starts work and waits for it, on one worker unless it says otherwise.
-- Everything here would hang if waiting held a worker: so it runs in a process
-- of its own, with a watchdog.
local child = require "spec.support.child"

local prints = child.prints

describe("with one worker", function()
  it("loops over maps may be nested", function()
    assert.equal("8000\n", prints [[
      local pool <close> = lacus.pool(1)
      local function same(x) return x end
      local n = 0
      for _, a in pool:map(lacus.range(1, 20), same) do
        for _, b in pool:map(lacus.range(1, 20), same, { ordered = true }) do
          for _, c in pool:map(lacus.range(1, 20), same, { window = 1 }) do
            assert(a <= 20 and b <= 20 and c <= 20)
            n = n + 1
          end
        end
      end
      print(n)
    ]])
  end)

  it("the tasks of a map may map", function()
    assert.equal("171700\n", prints [[
      local pool <close> = lacus.pool(1)
      local sum = 0
      for _, v in pool:map(lacus.range(1, 100), function(n)
        local t = 0
        for _, v in pool:map(lacus.range(1, n), function(x) return x end) do t = t + v end
        return t
      end) do sum = sum + v end
      print(sum)
    ]])
  end)

  it("so may theirs, and theirs, with every kind of map", function()
    for _, options in ipairs { "nil", "{ ordered = true }", "{ window = 1 }", "{ batch = 3 }" } do
      assert.equal("625\n", prints(([[
        local pool <close> = lacus.pool(1)
        local function walk(depth, walk)
          if depth == 0 then return 1 end
          local n = 0
          for _, v in pool:map({ 1, 2, 3, 4, 5 }, function() return walk(depth - 1, walk) end, %s) do
            n = n + v
          end
          return n
        end
        print(walk(4, walk))
      ]]):format(options)))
    end
  end)

  it("fib(16) is the sum of two tasks that wait for two tasks", function()
    assert.equal("987\n", prints [[
      local pool <close> = lacus.pool(1)
      local function fib(n)
        if n < 2 then return n end
        local a, b = pool:submit(fib, n - 1), pool:submit(fib, n - 2)
        return a:get() + b:get()
      end
      print(fib(16))
    ]])
  end)

  it("a stage of a pipeline is fed by the results of another", function()
    assert.equal("1001000\t500500\t500500\n", prints [[
      local pool <close> = lacus.pool(1)
      local function same(x) return x end
      local function total(results)
        local n = 0
        for _, v in results do n = n + v end
        return n
      end
      local one = pool:map(lacus.range(1, 1000), same)
      local a = total(pool:map(one:values(), function(x) return 2 * x end))
      local two = pool:map(lacus.range(1, 1000), same, { ordered = true })
      local b = total(pool:map(two, function(i, x) assert(i == x) return x end))
      local c = total(pool:map(function()
        for _, v in pool:map(lacus.range(1, 1000), same) do coroutine.yield(v) end
      end, same))
      print(a, b, c)
    ]])
  end)

  it("a pipeline may have many stages", function()
    assert.equal("200\t10100\n", prints [[
      local pool <close> = lacus.pool(1)
      local function add(x) return x + 1 end
      local stage = pool:map(lacus.range(-9, 190), add, { ordered = true })
      for _ = 1, 9 do stage = pool:map(stage:values(), add, { ordered = true }) end
      local n, sum = 0, 0
      for _, v in stage do n, sum = n + 1, sum + v end
      print(n, sum - n * 50)
    ]])
  end)

  it("a pipeline may stand inside of tasks", function()
    assert.equal("1\t2\t6\t12\t20\t30\n", prints [[
      local pool <close> = lacus.pool(1)
      local list = pool:map(lacus.range(1, 5), function(n)
        local sum = 0
        local first = pool:map(lacus.range(1, n), function(x) return x end)
        for _, v in pool:map(first:values(), function(x) return 2 * x end) do sum = sum + v end
        return sum
      end, { ordered = true }):collect()
      print(1, table.unpack(list))
    ]])
  end)

  it("a producer of 1,000,000 values waits for a slow reader in flat memory #notsan #noasan", function()
    local got = prints [[
      local pool <close> = lacus.pool(1)
      local function kib()
        for line in io.lines "/proc/self/status" do
          local n = line:match "^VmRSS:%s*(%d+)"
          if n then return tonumber(n) end
        end
      end
      local results = pool:map({ 1000000 }, function(n)
        for i = 1, n do coroutine.yield(i, { ("x"):rep(50) }) end
      end)
      local n, before, most, other = 0, 0, 0, 0
      for _, v in results do
        n = n + 1
        assert(v == n)
        if n == 20000 then before = kib() end
        if n == 30000 then            -- meanwhile, another map completes
          for _, w in pool:map(lacus.range(1, 20000), function(x) return x end) do
            other = other + w
          end
        end
        if n > 20000 and n % 1000 == 0 then most = math.max(most, kib()) end
      end
      print(n, other, most < before + 4096)
    ]]
    assert.equal("1000000\t200010000\ttrue\n", got)
  end)

  it("a producer waits for its reader while other maps complete", function()
    assert.equal("30000\t30\n", prints [[
      local pool <close> = lacus.pool(1)
      local n, others = 0, 0
      for _, v in pool:map({ 30000 }, function(n) for i = 1, n do coroutine.yield(i) end end) do
        n = n + 1
        if v % 1000 == 0 then
          others = others + #pool:map({ 1 }, function(x) return x end):collect()
        end
      end
      print(n, others)
    ]])
  end)

  it("10 levels of tasks start tasks", function()
    assert.equal("10\t1024\n", prints [[
      local pool <close> = lacus.pool(1)
      local function deep(n)
        if n == 0 then return 0 end
        return 1 + pool:submit(deep, n - 1):get()
      end
      local function wide(n)
        if n == 0 then return 1 end
        local sum = 0
        for _, v in pool:map({ 1, 2 }, function() return wide(n - 1) end) do sum = sum + v end
        return sum
      end
      print(deep(10), wide(10))
    ]])
  end)

  it("1,000 tasks wait, each for the next", function()
    assert.equal("1000\n", prints [[
      local pool <close> = lacus.pool(1)
      local function deep(n)
        if n == 0 then return 0 end
        return 1 + pool:submit(deep, n - 1):get()
      end
      print(deep(1000))
    ]])
  end)

  it("tasks that submit, map, generate, sleep and yield get along", function()
    assert.equal("40\t2000\n", prints [[
      local pool <close> = lacus.pool(1)
      local n, sum = 0, 0
      for _, v in pool:map(lacus.range(1, 40), function(i)
        local sum = 0
        for _, v in pool:map(lacus.range(1, 5), function(x) lacus.sleep(0.0001) return x end) do sum = sum + v end
        for v in pool:generate(function() for k = 1, 5 do coroutine.yield(k) end end) do sum = sum + v end
        local list = {}
        for k = 1, 5 do list[k] = pool:submit(function() return pool:submit(function() return k end):get() end) end
        for f in lacus.as_completed(list) do sum = sum + f:get() end
        coroutine.yield(0)
        coroutine.yield(0)
        return sum + 5
      end) do
        if v > 0 then n = n + 1 end
        sum = sum + v
      end
      print(n, sum)
    ]])
  end)

  it("a task may wait for one that was submitted after it", function()
    assert.equal("5\n", prints [[
      local pool <close> = lacus.pool(1)
      local first = pool:submit(function()
        while not later do lacus.sleep(0.0001) end
        return later:get()
      end)
      pool:submit(function(f) later = f end, pool:submit(function() return 5 end))
      print(first:get())
    ]])
  end)
end)

describe("with two workers", function()
  it("60 tasks wait for one another in a chain", function()
    assert.equal("60\t60\n", prints [[
      local pool <close> = lacus.pool(2)
      local f = pool:submit(function() return 1 end)
      for _ = 2, 60 do f = pool:submit(function(before) return before:get() + 1 end, f) end
      local function chain(n)
        if n == 1 then return 1 end
        return pool:submit(chain, n - 1):get() + 1
      end
      print(f:get(), chain(60))
    ]])
  end)

  it("two pools wait for each other", function()
    assert.equal("50\n", prints [[
      local a <close>, b = lacus.pool(1), nil
      local other <close> = lacus.pool(1)
      b = other
      local function ping(n, here, there)
        if n == 0 then return 0 end
        return there:submit(ping, n - 1, there, here):get() + 1
      end
      print(a:submit(ping, 50, a, b):get())
    ]])
  end)

  it("a task waits for all that it started on a pool of its own", function()
    assert.equal("7\t7\n", prints [[
      local outer <close> = lacus.pool(1)
      print(outer:submit(function()
        local f
        do
          local inner <close> = lacus.pool(1)
          f = inner:submit(function() return outer:submit(function() return 7 end):get() end)
        end
        local here <close> = lacus.pool(0)
        return f:get(), here:submit(function() return outer:submit(function() return 7 end):get() end):get()
      end):get())
    ]])
  end)
end)

describe("in great numbers", function()
  it("10,000 rounds of submit and wait", function()
    assert.equal("50005000\t50005000\n", prints [[
      local pool <close> = lacus.pool(2)
      local function same(x) return x end
      local sum = 0
      for i = 1, 10000 do sum = sum + pool:submit(same, i):get() end
      print(sum, pool:submit(function()
        local sum = 0
        for i = 1, 10000 do sum = sum + pool:submit(function(x) return x end, i):get() end
        return sum
      end):get())
    ]])
  end)

  it("10,000 futures at once", function()
    assert.equal("10000\t10000\n", prints [[
      local pool <close> = lacus.pool(2)
      local list = {}
      for i = 1, 10000 do list[i] = pool:submit(function(x) return x end, i) end
      print(#lacus.wait(list), list[10000]:get())
    ]])
  end)

  it("2,000 pools are opened and dropped #notsan", function()
    assert.equal("2000\n", prints [[
      local n = 0
      for i = 1, 2000 do
        local pool = lacus.pool(1 + i % 2)
        local f = pool:submit(function(x) return x end, 1)
        if i % 3 == 0 then n = n + f:get()
        elseif i % 3 == 1 then pool:map({ 1 }, function(x) return x end):next() n = n + 1
        else n = n + 1 end
      end
      print(n)
    ]])
  end)

  it("some pools are opened and dropped", function()
    assert.equal("100\n", prints [[
      local n = 0
      for i = 1, 100 do
        local pool = lacus.pool(1 + i % 2)
        local f = pool:submit(function(x) return x end, 1)
        if i % 2 == 0 then n = n + f:get() else n = n + 1 end
      end
      print(n)
    ]])
  end)
end)

-- Where Lua cannot suspend a task, waiting runs others on top of it; if one
-- does wait there already, it is refused.
describe("waiting", function()
  local places = {
    ["a sort comparator"] = [[
      local list, out = { 3, 1, 2 }, nil
      table.sort(list, function(a, b) out = wait() return a < b end)
      return out]],
    ["a gsub callback"] = [[
      local out
      ("x"):gsub(".", function() out = wait() end)
      return out]],
    ["a metamethod"] = [[
      return setmetatable({}, { __index = function() return wait() end }).x]],
    ["an operator"] = [[
      return setmetatable({}, { __add = function() return wait() end }) + 1]],
    ["tostring"] = [[
      local out
      tostring(setmetatable({}, { __tostring = function() out = wait() return "" end }))
      return out]],
    ["a <close>"] = [[
      local out
      do local _ <close> = setmetatable({}, { __close = function() out = wait() end }) end
      return out]],
    ["the <close> of a block left by an error"] = [[
      local out
      pcall(function()
        local _ <close> = setmetatable({}, { __close = function() out = wait() end })
        error "x"
      end)
      return out]],
    ["pcall"] = [[
      local ok, out = pcall(wait)
      if not ok then error(out, 0) end
      return out]],
    ["xpcall's handler"] = [[
      local out
      xpcall(error, function() out = select(2, pcall(wait)) end)
      if type(out) == "table" or tostring(out):find "cannot wait" then error(out, 0) end
      return out]],
    ["a coroutine"] = [[
      return coroutine.wrap(function() return wait() end)()]],
    ["a coroutine in a coroutine"] = [[
      return coroutine.wrap(function() return coroutine.wrap(wait)() end)()]],
    ["a generator's body"] = [[
      return lacus.generator(function() coroutine.yield(wait()) end)()()]],
    ["the source of a map"] = [[
      local out
      for _, v in pool:map(function() coroutine.yield(wait()) end, function(x) return x end) do out = v end
      return out]],
    ["require"] = [[
      package.preload.slow = function() return { wait() } end
      package.loaded.slow = nil
      return require "slow"[1] ]],
    ["a task itself"] = [[
      return wait()]],
  }
  local waits = {
    submit = [[return pool:submit(function() return 42 end):get()]],
    chain = [[return pool:submit(function()
        return pool:submit(function() return 42 end):get() end):get()]],
    map = [[local out
      for _, v in pool:map({ 1, 2 }, function() return 42 end) do out = v end
      return out]],
    generate = [[local out
      for v in pool:generate(function() coroutine.yield(42) end) do out = v end
      return out]],
    sleep = [[lacus.sleep(0.0001) return 42]],
    wait = [[return lacus.wait({ pool:submit(function() return 42 end) })[1]:get()]],
  }
  local names = {}
  for place in pairs(places) do names[#names + 1] = place end
  table.sort(names)

  local script = [[
    local pool <close> = lacus.pool(1)
    for name, wait in pairs {
      %s
    } do
      local function task(...) %s end
      -- by itself: right
      local alone = pool:submit(function() return task(wait) end):get()
      assert(alone == 42, name .. " gave " .. tostring(alone))
      -- with others of its kind: right, or refused
      local n = 0
      for _, ok, v in pool:map(lacus.range(1, 12), function() return task(wait) end,
        { on_error = "return", window = 12, batch = 1 }) do
        n = n + 1
        if not ok and not tostring(v):find("cannot wait here", 1, true) then error(v) end
        assert(not ok or v == 42, name)
      end
      assert(n == 12)
      -- and the pool is as it was
      assert(pool:submit(function() return 1 end):get() == 1)
    end
    print "well"
  ]]

  for _, place in ipairs(names) do
    it("in " .. place .. " gives the right result, or is refused", function()
      local list = {}
      for name, code in pairs(waits) do
        list[#list + 1] = ("%s = function() %s end,"):format(name, code)
      end
      local source = script:format(table.concat(list, "\n"), "local wait = ... " .. places[place])
      assert.equal("well\n", prints(source))
    end)
  end

  it("for results in two coroutines of one task takes turns", function()
    assert.equal("42\t42\n", prints [[
      local pool <close> = lacus.pool(1)
      print(pool:submit(function()
        local function body() return pool:submit(function() return 42 end):get() end
        local a, b = coroutine.wrap(body), coroutine.wrap(body)
        return a(), b()
      end):get())
    ]])
  end)

  it("for results that another task waits for is refused, and so is their close", function()
    assert.equal(("results asked for while a coroutine waits for them\n"):rep(2)
      .. "results closed while a coroutine waits for them\n", prints [[
      local pool <close> = lacus.pool(1)
      pool:submit(function()
        results = pool:map({ 1 }, function()
          local _, asked = pcall(results.next, results)
          local _, called = pcall(results)
          local _, closed = pcall(results.close, results)
          print(asked)
          print(called)
          print(closed)
        end)
        results:next()
      end):get()
    ]])
  end)

  it("in a comparison, for a pool without threads and one with them, gives both their turn", function()
    assert.equal("42\t43\n", prints [[
      local pool <close> = lacus.pool(2)
      print(pool:submit(function()
        local own <close> = lacus.pool(0)
        local here, there
        table.sort({ 2, 1 }, function(a, b)
          here = here or own:submit(function() return 42 end):get()
          there = there or pool:submit(function() lacus.sleep(0.001) return 43 end):get()
          return a < b
        end)
        return here, there
      end):get())
    ]])
  end)

  it("on top of a task that waits is refused, not endless", function()
    assert.equal("refused\n", prints [[
      local pool <close> = lacus.pool(1)
      local function inner()
        local v
        table.sort({ 1, 2 }, function(a, b)
          v = v or pool:submit(function() return 1 end):get()
          return a < b
        end)
        return v
      end
      local outer = pool:submit(function()
        local v
        table.sort({ 1, 2 }, function(a, b)
          v = v or pool:submit(inner):get()
          return a < b
        end)
        return v
      end)
      local ok, err = pcall(outer.get, outer)
      print(not ok and err.message:find("cannot wait here", 1, true) and "refused")
    ]])
  end)

  it("in a finalizer gives the right result, or is refused", function()
    assert.equal("well\t1\n", prints [[
      local pool <close> = lacus.pool(1)
      for _ = 1, 20 do
        pool:submit(function()
          said = said or {}
          for _ = 1, 5 do
            setmetatable({}, { __gc = function()
              said[#said + 1] = select(2, pcall(function() return pool:submit(function() return 42 end):get() end))
            end })
          end
          waste = ("x"):rep(1 << 20)
          waste = nil
        end):wait()
      end
      print(pool:submit(function()
        collectgarbage()
        for _, v in ipairs(said) do
          if v ~= 42 and not tostring(v):find "cannot wait" then return v end
        end
        return #said > 0 and "well"
      end):get(), pool:submit(function() return 1 end):get())
    ]])
  end)
end)
