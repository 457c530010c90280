-- What is built of map and submit: each, reduce, broadcast; and the options that
-- make chance repeatable: seed and shuffle.
local lacus = require "lacus"
local fails = require "spec.support.fails"

-- What tasks use goes with them as upvalues: busted gives specs another _ENV.
local random, randomseed, yield = math.random, math.randomseed, coroutine.yield
local debug, error, ipairs, pairs, pcall, require = debug, error, ipairs, pairs, pcall, require
local coroutine, package, table, tostring = coroutine, package, table, tostring

local function same(...) return ... end
local function add(a, b) return a + b end

describe("pool:each", function()
  local pool
  setup(function() pool = lacus.pool(2) end)
  teardown(function() pool:close() end)

  it("gives the number of items", function()
    assert.equal(0, pool:each({}, same))
    assert.equal(3, pool:each({ "a", "b", "c" }, same))
  end)

  it("raises what a task raises", function()
    local err = fails.with("bad", function()
      pool:each({ 1, 2, 3 }, function(x) if x == 2 then error "bad" end end)
    end)
    assert.same({ "error", 2 }, { err.kind, err.index })
  end)

  it("refuses wrong arguments in its own name", function()
    fails.here("bad argument #1 to 'each'", function() pool:each(5, same) end)
    fails.here("bad argument #2 to 'each'", function() pool:each({}, 5) end)
    fails.here("bad argument #3 to 'each' %(unknown option 'windw'%)",
      function() pool:each({}, same, { windw = 1 }) end)
  end)
end)

describe("pool:broadcast", function()
  it("runs once on every worker and gives what each returned, in their order", function()
    local pool <close> = lacus.pool(3)
    assert.same({ 1, 2, 3 }, pool:broadcast(function()
      return require "lacus".worker.id
    end))
    assert.same({ 7, 7, 7 }, pool:broadcast(same, 7))
  end)

  it("raises what a task raises, when all have ended", function()
    local pool <close> = lacus.pool(2)
    local n = "lacus.patterns_spec"
    fails.with("no", function()
      pool:broadcast(function()
        package.loaded[n] = true
        if require "lacus".worker.id == 1 then error "no" end
      end)
    end)
    assert.same({ true, true }, pool:broadcast(function() return package.loaded[n] end))
  end)
end)

-- How many shares each worker keeps.
local function kept(pool)
  return pool:broadcast(function()
    local name, shares = debug.getupvalue(require "lacus.fold".take, 1)
    local n = name == "shares" and 0 or error "where are the shares?"
    for _ in pairs(shares) do n = n + 1 end
    return n
  end)
end

describe("pool:broadcast refuses, in its own name,", function()
  it("what cannot be sent, and what is no function", function()
    local pool <close> = lacus.pool(1)
    local co = coroutine.create(same)
    fails.here("cannot send the function, upvalue 'co'", function()
      pool:broadcast(function() return co end)
    end)
    fails.here("cannot send args%[2%]: a coroutine", function() pool:broadcast(same, 1, co) end)
    fails.here("bad argument #1 to 'broadcast'", function() pool:broadcast(5) end)
  end)
end)

describe("pool:reduce", function()
  local pool
  setup(function() pool = lacus.pool(2) end)
  teardown(function() pool:close() end)

  it("combines what the tasks give", function()
    assert.equal(5050, pool:reduce(lacus.range(1, 100), same, add))
    assert.equal(100, pool:reduce(lacus.range(1, 100), same, math.max))
  end)

  it("does so on any number of workers", function()
    for _, n in ipairs { 0, 1, 3 } do
      local other <close> = lacus.pool(n)
      assert.equal(500500, other:reduce(lacus.range(1, 1000), same, add))
    end
  end)

  it("combines init once, on however many workers", function()
    local four <close> = lacus.pool(4)
    assert.equal(1000003, four:reduce(lacus.range(1, 3), function() return 1 end, add, 1000000))
  end)

  it("gives init for an empty source, or nil", function()
    assert.equal(7, pool:reduce({}, same, add, 7))
    assert.is_nil(pool:reduce({}, same, add))
  end)

  it("takes names of functions", function()
    assert.equal(3, pool:reduce({ 1, 9, 4 }, "math.sqrt", "math.max"))
  end)

  it("adds nothing for a task that returns nothing, and false and nil as they are", function()
    local function odd(x) if x % 2 == 1 then return x end end
    assert.equal(2500, pool:reduce(lacus.range(1, 100), odd, add))
    assert.equal("nil or nil or nil", pool:reduce({ 1, 2, 3 }, function() return nil end,
      function(a, b) return tostring(a) .. " or " .. tostring(b) end))
    assert.is_false(pool:reduce({ 1, 2 }, function() return false end, function(a) return a end))
  end)

  it("adds every value that a task yields", function()
    assert.equal(55 + 10, pool:reduce(lacus.range(1, 10), function(n)
      for _ = 1, n do yield(1) end
      return 1
    end, add))
  end)

  it("sends a worker's share once, however many items it has seen", function()
    local words = pool:reduce(lacus.range(1, 2000), function(i) return { [i % 5] = 1 } end,
      function(a, b)
        a.copies = (a.copies or 0) + (b.copies or 0)
        for k, n in pairs(b) do
          if k ~= "copies" then a[k] = (a[k] or 0) + n end
        end
        return a
      end)
    assert.same({ [0] = 400, 400, 400, 400, 400, copies = 0 }, words)
  end)

  it("loses nothing where fn and combine wait", function()
    local function slow_add(a, b) return pool:submit(add, a, b):get() end
    for _, n in ipairs { 1, 2 } do
      local other <close> = lacus.pool(n)
      assert.equal(210, other:reduce(lacus.range(1, 20), function(x)
        return other:submit(same, x):get()
      end, function(a, b) return other:submit(add, a, b):get() end))
    end
    assert.equal(210, pool:reduce(lacus.range(1, 20), same, slow_add))
  end)

  it("works in a task, and in many at a time", function()
    local one <close> = lacus.pool(1)
    local function sum(n) return one:reduce(lacus.range(1, n), same, add) end
    assert.equal(5050, one:submit(sum, 100):get())
    assert.same({ 1, 3, 6, 10, n = 4 }, one:map({ 1, 2, 3, 4 }, sum):collect())
  end)

  it("keeps its shares from being recycled", function()
    local other <close> = lacus.pool { workers = 2, recycle = 3 }
    assert.equal(5050, other:reduce(lacus.range(1, 100), same, add))
    assert.equal(5050, other:reduce(lacus.iter(coroutine.wrap(function()
      for i = 1, 100 do
        if i % 10 == 0 then other:recycle() end
        yield(i)
      end
    end)), same, add))
  end)

  it("leaves nothing behind", function()
    pool:reduce(lacus.range(1, 100), same, add)
    assert.same({ 0, 0 }, kept(pool))
  end)

  it("raises what fn raises, and leaves nothing behind", function()
    local err = fails.with("bad", function()
      pool:reduce(lacus.range(1, 100), function(x)
        if x == 50 then error "bad" end
        return x
      end, add)
    end)
    assert.same({ "error", 50, 50 }, { err.kind, err.index, err.item })
    assert.same({ 0, 0 }, kept(pool))
  end)

  it("raises what combine raises, here and there", function()
    fails.with("never", function()
      pool:reduce(lacus.range(1, 100), same, function() error "never" end)
    end)
    fails.with("at home", function()
      pool:reduce({ 1 }, same, function() error "at home" end, 0)
    end)
    assert.same({ 0, 0 }, kept(pool))
  end)

  it("raises what the source raises, and leaves nothing behind", function()
    fails.with("dry", function()
      pool:reduce(lacus.generator(function()
        for i = 1, 10 do yield(i) end
        error "dry"
      end)(), same, add)
    end)
    assert.same({ 0, 0 }, kept(pool))
  end)

  it("raises that a share cannot be sent", function()
    local err = fails.with("a coroutine", function()
      pool:reduce({ 1, 2 }, function() return (coroutine.create(function() end)) end, same)
    end)
    assert.equal("transfer", err.kind)
    assert.same({ 0, 0 }, kept(pool))
  end)

  it("refuses wrong arguments in its own name", function()
    fails.here("bad argument #1 to 'reduce' %(source expected", function() pool:reduce(5, same, add) end)
    fails.here("bad argument #2 to 'reduce' %(function", function() pool:reduce({}, nil, add) end)
    fails.here("bad argument #3 to 'reduce' %(function.*'add'", function() pool:reduce({}, same, "add") end)
    local co = coroutine.create(same)
    fails.here("cannot send combine: upvalue 'co'", function()
      pool:reduce({}, same, function() return co end)
    end)
  end)
end)

-- --- seed ----------------------------------------------------------------------

local function draw() return random(1000), random(), random(0) end

-- math.random of stock Lua, seeded with (seed, i): draw() there.
local function expected(seed, i)
  randomseed(seed, i)
  return { draw() }
end

describe("a pool with a seed", function()
  it("gives task i the numbers of math.randomseed(seed, i)", function()
    local pool <close> = lacus.pool { workers = 2, seed = 42 }
    for i, a, b, c in pool:map(lacus.range(1, 50), draw) do
      assert.same(expected(42, i), { a, b, c })
    end
  end)

  it("gives each task the same on any number of workers, in any batches", function()
    for _, workers in ipairs { 0, 1, 2, 4 } do
      for _, batch in ipairs { 1, 7, "auto" } do
        local pool <close> = lacus.pool { workers = workers, seed = -5 }
        for i, a, b, c in pool:map(lacus.range(1, 100), draw, { batch = batch }) do
          if a ~= expected(-5, i)[1] then assert.same(expected(-5, i), { a, b, c }) end
        end
      end
    end
  end)

  it("leaves a task's numbers alone while it waits and others run", function()
    local pool <close> = lacus.pool { workers = 1, seed = 3 }
    for i, a, b, c in pool:map(lacus.range(1, 20), function()
      local a = random(1000)
      pool:submit(draw):get()
      local b = random()
      pool:submit(draw):get()
      return a, b, random(0)
    end) do
      assert.same(expected(3, i), { a, b, c })
    end
  end)

  it("does so in coroutines of the task too", function()
    local wrap = coroutine.wrap
    local pool <close> = lacus.pool { workers = 1, seed = 3 }
    for i, a, b, c in pool:map(lacus.range(1, 5), function() return wrap(draw)() end) do
      assert.same(expected(3, i), { a, b, c })
    end
  end)

  it("counts what is submitted and generated, but not what is broadcast", function()
    for _, workers in ipairs { 1, 3 } do
      local pool <close> = lacus.pool { workers = workers, seed = 9 }
      assert.same(expected(9, 1), { pool:submit(draw):get() })
      pool:broadcast(draw)
      local gen = pool:generate(function() yield(draw()) end)
      assert.same({ true, table.unpack(expected(9, 2)) }, { gen:next() })
      gen:close()
      assert.same(expected(9, 3), { pool:submit(draw):get() })
    end
  end)

  it("seeds what a task starts from that task, whoever runs it", function()
    local want
    for _, workers in ipairs { 0, 1, 3 } do
      local pool <close> = lacus.pool { workers = workers, seed = 1 }
      local function fork(depth)
        if depth == 0 then return { random(0) } end
        local one, two = pool:submit(fork, depth - 1), pool:submit(fork, depth - 1)
        local list = { random(0) }
        for _, future in ipairs { one, two } do
          for _, n in ipairs(future:get()) do list[#list + 1] = n end
        end
        for _, n in pool:map({ 1, 2 }, function() return random(0) end, { ordered = true }) do
          list[#list + 1] = n
        end
        return list
      end
      local got = pool:submit(fork, 4):get()
      want = want or got
      assert.same(want, got)
    end
    local seen = {}
    for _, n in ipairs(want) do
      assert.is_nil(seen[n])
      seen[n] = true
    end
  end)

  it("gives init the numbers of (seed, 0)", function()
    local pool <close> = lacus.pool { workers = 2, seed = 42, init = function()
      package.loaded["patterns.drawn"] = { draw() }
    end }
    for _, got in ipairs(pool:broadcast(function()
      return { table.unpack(package.loaded["patterns.drawn"]) }
    end)) do
      assert.same(expected(42, 0), got)
    end
  end)

  it("has a math.randomseed that stays within the task", function()
    local pool <close> = lacus.pool { workers = 1, seed = 42 }
    for i, a, b, c in pool:map(lacus.range(1, 9), function(i)
      if i % 2 == 0 then randomseed(7) end
      return draw()
    end) do
      assert.same(i % 2 == 0 and expected(7, 0) or expected(42, i), { a, b, c })
    end
  end)

  it("has one that takes any number: a float is one by its bits", function()
    local function seeded(...)
      randomseed(...)
      return random(0)
    end
    local pool <close> = lacus.pool { workers = 1, seed = 42 }
    local function first(...) return pool:submit(seeded, ...):get() end
    assert.equal(first(0.5), first(0.5))
    assert.not_equal(first(0.5), first(0.25))
    assert.equal(first(2), first(2.0))
    assert.not_equal(first(0.5), first(0.5, 1))
    fails.with("number expected, got table", first, {})
  end)

  it("repeats even what math.randomseed() begins, which is new", function()
    local function anew()
      local a = random(0)
      randomseed()
      return a, random(0)
    end
    local got = {}
    for k = 1, 2 do
      local pool <close> = lacus.pool { workers = k, seed = 42 }
      got[k] = { pool:submit(anew):get() }
    end
    assert.same(got[1], got[2])
    assert.not_equal(got[1][1], got[1][2])
  end)

  it("has a math.random with the arguments and errors of Lua's own", function()
    local pool <close> = lacus.pool { workers = 1, seed = 42 }
    local calls = {
      { 3 }, { 3, 5 }, { 3, 3 }, { -9, -7 }, { math.mininteger, math.maxinteger }, { 0 }, { 2.0 }, { "4" },
      { 0, math.maxinteger }, { 1 << 62 }, { -1 }, { 5, 4 }, { 1, 2, 3 }, { "x" }, { 1.5 }, { 1, {} },
    }
    local unpack = table.unpack
    local function try(list)
      local got = {}
      for i, args in ipairs(list) do got[i] = { pcall(random, unpack(args)) } end
      return got
    end
    local got = pool:submit(try, calls):get()
    randomseed(42, 1)
    assert.same(try(calls), got)
  end)

  it("leaves math.random of other pools and of this state alone", function()
    local pool <close> = lacus.pool(1)
    local function fresh() randomseed(5) return random(0) end
    randomseed(5)
    local want = random(0)
    local other <close> = lacus.pool { workers = 1, seed = 8 }
    assert.equal(want, pool:submit(fresh):get())
    other:submit(draw):get()
    randomseed(5)
    assert.equal(want, random(0))
  end)
end)

-- --- shuffle -------------------------------------------------------------------

-- The indexes in the order of the results, as one string.
local function order(pool, n, options, fn)
  local list = {}
  for i in pool:map(lacus.range(1, n), fn or same, options) do list[#list + 1] = i end
  return table.concat(list, " ")
end

local function in_order(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return table.concat(list, " ")
end

local function sorted(text)
  local list = {}
  for i in text:gmatch "%d+" do list[#list + 1] = math.tointeger(i) end
  table.sort(list)
  return table.concat(list, " ")
end

describe("a pool with shuffle", function()
  it("hands every result over, and not in the order of the source", function()
    local pool <close> = lacus.pool { workers = 2, shuffle = 1 }
    for _, n in ipairs { 0, 1, 2, 15, 16, 17, 100 } do
      local got = order(pool, n)
      assert.equal(in_order(n), sorted(got))
      if n > 10 then assert.not_equal(in_order(n), got) end
    end
  end)

  it("does so in the same order each time, on any workers, in any batches", function()
    local want
    for _, workers in ipairs { 0, 1, 4 } do
      for _, batch in ipairs { 1, 5, "auto" } do
        local pool <close> = lacus.pool { workers = workers, shuffle = 1 }
        local got = order(pool, 200, { batch = batch })
        want = want or got
        assert.equal(want, got)
        assert.equal(want, order(pool, 200, { batch = batch }))
      end
    end
  end)

  it("has another order for another seed", function()
    local one <close> = lacus.pool { workers = 1, shuffle = 1 }
    local two <close> = lacus.pool { workers = 1, shuffle = 2 }
    assert.not_equal(order(one, 50), order(two, 50))
  end)

  it("ends for every window, as far as that lets it", function()
    local pool <close> = lacus.pool { workers = 2, shuffle = 3 }
    for _, window in ipairs { 1, 2, 3, 15, 16, 17, 1000 } do
      for _, batch in ipairs { 1, 64 } do
        local got = order(pool, 100, { window = window, batch = batch })
        assert.equal(in_order(100), sorted(got))
        if window == 1 then assert.equal(in_order(100), got) end
      end
    end
  end)

  it("never has more than the window pulled and not handed over", function()
    local pool <close> = lacus.pool { workers = 2, shuffle = 3 }
    for _, window in ipairs { 1, 5, 16, 20 } do
      local pulled, handed, most = 0, 0, 0
      for _ in pool:map(function()
        if pulled == 200 then return nil end
        pulled = pulled + 1
        most = math.max(most, pulled - handed)
        return pulled
      end, same, { window = window }) do handed = handed + 1 end
      assert.equal(200, handed)
      assert.is_true(most <= window)
    end
  end)

  it("keeps together what a task yields, and never deadlocks on credit", function()
    for _, workers in ipairs { 0, 1, 2 } do
      local pool <close> = lacus.pool { workers = workers, shuffle = 3 }
      for _, window in ipairs { 1, 2, 16, 300 } do
        local turns, last, n = {}, nil, 0
        for i, v in pool:map(lacus.range(1, 20), function(x)
          for k = 1, 50 do yield(x * 100 + k) end
        end, { window = window }) do
          if i ~= last then turns[#turns + 1] = i end
          if v // 100 ~= i then error "wrong index" end
          last, n = i, n + 1
        end
        assert.equal(20 * 50, n)
        assert.equal(in_order(20), sorted(table.concat(turns, " ")))
        assert.equal(20, #turns)
      end
    end
  end)

  it("gives way to ordered = true", function()
    local pool <close> = lacus.pool { workers = 2, shuffle = 1 }
    assert.equal(in_order(50), order(pool, 50, { ordered = true }))
  end)

  it("leaves collect, each and reduce as they are", function()
    local pool <close> = lacus.pool { workers = 2, shuffle = 1 }
    local list = pool:map(lacus.range(1, 40), same):collect()
    assert.equal(in_order(40), table.concat(list, " "))
    assert.equal(40, pool:each(lacus.range(1, 40), same))
    assert.equal(820, pool:reduce(lacus.range(1, 40), same, add))
  end)

  it("keeps the turns of items that fail", function()
    local pool <close> = lacus.pool { workers = 2, shuffle = 1 }
    local want = order(pool, 60)
    assert.equal(want, order(pool, 60, { on_error = "return" }, function(x)
      if x % 3 == 0 then error(x) end
    end))
  end)

  it("raises the source's error after the results of what it gave", function()
    local pool <close> = lacus.pool { workers = 2, shuffle = 1 }
    local n = 0
    fails.with("dry", function()
      for _ in pool:map(lacus.generator(function()
        for i = 1, 21 do yield(i) end
        error "dry"
      end)(), same) do n = n + 1 end
    end)
    assert.equal(21, n)
  end)

  it("lets go of everything when the loop is left", function()
    local pool <close> = lacus.pool { workers = 2, shuffle = 1 }
    for i in pool:map(lacus.range(1, 1000), same) do -- luacheck: ignore 512
      assert.is_true(i <= 16)
      break
    end
    assert.equal(3, pool:each(lacus.range(1, 3), same))
  end)
end)

describe("seed and shuffle", function()
  it("are refused, at the caller's line, unless they are integers", function()
    for _, value in ipairs { 1.5, "x", "5", true, math.huge, {} } do
      fails.here("option 'seed' must be an integer, got ", function() lacus.pool { seed = value } end)
      fails.here("option 'shuffle' must be an integer, got ", function() lacus.pool { shuffle = value } end)
    end
  end)

  it("may be any integer, also as a float", function()
    for _, value in ipairs { 0, -1, math.mininteger, math.maxinteger, 3.0 } do
      local pool <close> = lacus.pool { workers = 1, seed = value, shuffle = value }
      assert.same(expected(math.tointeger(value), 1), { pool:submit(draw):get() })
      assert.equal(in_order(20), sorted(order(pool, 20)))
    end
  end)
end)
