-- luacheck: ignore 512 (loops that break at once are what is tested)
local lacus = require "lacus"
local fails = require "spec.support.fails"
local gate = require "spec.support.gate"

local yield = coroutine.yield

-- Tasks: they use no globals, for busted's are not Lua's.
local function square(x) return x * x end
local function same(...) return ... end

local count = lacus.generator(function(n)
  for i = 1, n do yield(i) end
end)

local pool

setup(function() pool = lacus.pool(2) end)
teardown(function() pool:close() end)

-- The results by index, each packed.
local function gather(...)
  local list = {}
  for i, value, more in ... do list[i] = { value, more } end
  return list
end

describe("pool:map", function()
  it("gives the results of a function over an array", function()
    local list = {}
    for i, v in pool:map({ 10, 20, 30 }, square) do list[i] = v end
    assert.same({ 100, 400, 900 }, list)
  end)

  it("gives each item's place in the source first", function()
    local seen = {}
    for i in pool:map({ "a", "b", "c" }, same) do seen[#seen + 1] = i end
    table.sort(seen)
    assert.same({ 1, 2, 3 }, seen)
  end)

  it("gives as many results as there are items", function()
    for _, n in ipairs { 0, 1, 2, 17, 1000, 20000 } do
      local got = 0
      for i, v in pool:map(lacus.range(1, n), square) do
        if v ~= i * i then error("wrong result") end
        got = got + 1
      end
      assert.equal(n, got)
    end
  end)

  it("gives one number, boolean or nil as it is, both ways", function()
    local type, mtype = math.type, type
    local values = { 0, 1, -1, 127, -17, 112, 2^53, -0.0, 1e300, 0.5, 1 / 0, -1 / 0, 3.0,
      math.maxinteger, math.mininteger, true, false }
    local said = function(x) return (type(x) or mtype(x)) .. " " .. string.format("%q", x) end
    for _, o in ipairs { { batch = 1 }, { batch = 8 }, { ordered = true }, { on_error = "return" } } do
      for i, a, b in pool:map(values, same, o) do
        local v = values[i]
        if o.on_error then assert.is_true(a) else b = a end
        assert.equal(said(v), said(b))
      end
    end
    for i, v in pool:map({ 0 / 0 }, same) do assert.is_true(i == 1 and v ~= v) end
    for _, v in pool:map(lacus.generator(function() yield(nil) end)(), same) do assert.is_nil(v) end
  end)

  it("names the number or boolean that a task failed of", function()
    for _, v in ipairs { 5, 0.5, true, false } do
      for _, ok, err in pool:map({ v }, function() error "no" end, { on_error = "return" }) do
        assert.is_false(ok)
        assert.equal(v, err.item)
        assert.equal(1, err.items.n)
      end
    end
  end)

  it("passes all values of an item as arguments, nil included", function()
    local select = select
    local source = lacus.generator(function()
      yield(1, nil, "x", nil)
      yield(nil)
      yield()
    end)
    local list = gather(pool:map(source(), function(...) return select("#", ...), (...) end))
    assert.same({ { 4, 1 }, { 1, nil }, { 0, nil } }, list)
  end)

  it("gives all results of a call, nil included", function()
    local results = pool:map({ 1 }, function() return 1, nil, "x", nil end)
    assert.same({ 1, 1, nil, "x", nil, n = 5 }, table.pack(results()))
    results:close()
  end)

  it("shows tasks that return nothing, and those that return nil", function()
    local results = pool:map({ 1, 2 }, function(x) if x == 2 then return nil end end,
      { ordered = true })
    assert.same({ 1, n = 1 }, table.pack(results:next()))
    assert.same({ 2, nil, n = 2 }, table.pack(results:next()))
    assert.is_nil(results:next())
  end)

  it("takes many arguments and many results", function()
    local many = table.pack(lacus.range(1, 1))
    for i = 1, 200 do many[i] = i end
    local source = lacus.generator(function() yield(table.unpack(many, 1, 200)) end)
    local got = table.pack(pool:map(source(), same)())
    assert.equal(201, got.n)
    assert.equal(200, got[201])
  end)

  it("begins to work at the call", function()
    local begun = gate.new()
    local open = gate.open
    local results = pool:map({ begun }, function(name) open(name) end)
    gate.wait(begun)
    os.remove(begun)
    results:close()
  end)

  it("gives the four values that a generic for takes", function()
    local packed = table.pack(pool:map({}, same))
    assert.equal(4, packed.n)
    assert.is_true(rawequal(packed[1], packed[4]))
    packed[4]:close()
  end)

  it("works in a coroutine and in a generator's body", function()
    local squares = lacus.generator(function(n)
      for _, v in pool:map(lacus.range(1, n), square, { ordered = true }) do yield(v) end
    end)
    local list = {}
    for v in squares(4) do list[#list + 1] = v end
    assert.same({ 1, 4, 9, 16 }, list)
  end)

  it("may be the source of another map of the same pool", function()
    local first = function()
      for _, v in pool:map(lacus.range(1, 50), square, { ordered = true }) do yield(v) end
    end
    local list = pool:map(first, square):collect()
    assert.equal(50, list.n)
    assert.equal(50 ^ 4, list[50])
  end)
end)

describe("a source", function()
  local function sum(source)
    local total, n = 0, 0
    for _, v in pool:map(source, square) do total, n = total + v, n + 1 end
    return { total, n }
  end

  it("may be a generator", function()
    assert.same({ 14, 3 }, sum((count(3))))
  end)

  it("may be a generator function, which is called", function()
    assert.same({ 5, 2 }, sum(lacus.generator(function() yield(1) yield(2) end)))
  end)

  it("may be an array, holes included", function()
    assert.same({ 14, 3 }, sum { 1, 2, 3 })
    assert.same({ 0, 0 }, sum {})
    local list = gather(pool:map({ 1, nil, 3 }, same))
    assert.same({ { 1 }, {}, { 3 } }, list)
  end)

  it("may be whatever behaves like an array", function()
    assert.same({ 30, 4 }, sum(setmetatable({}, {
      __len = function() return 4 end,
      __index = function(_, i) return i end,
    })))
  end)

  it("may be an iterator function, called until it gives nil", function()
    local n = 0
    assert.same({ 14, 3 }, sum(function()
      n = n + 1
      if n <= 3 then return n end
    end))
    assert.equal(4, n)
  end)

  it("may be a plain function that yields", function()
    assert.same({ 14, 3 }, sum(function()
      for i = 1, 3 do yield(i) end
      return 1000
    end))
  end)

  it("may be an iterator that other code made", function()
    local words = {}
    for i, w in pool:map(("to be or not"):gmatch "%a+", same) do words[i] = w end
    assert.same({ "to", "be", "or", "not" }, words)
    assert.same({ 5, 2 }, sum(coroutine.wrap(function() yield(1) yield(2) end)))
  end)

  it("may be callable", function()
    local n = 0
    assert.same({ 5, 2 }, sum(setmetatable({}, { __call = function()
      n = n + 1
      return n <= 2 and n or nil
    end })))
  end)

  it("may be a loop of any kind, through lacus.iter", function()
    local ages = { ann = 30, bob = 40 }
    local got = {}
    for _, name, age in pool:map(lacus.iter(pairs(ages)), same) do got[name] = age end
    assert.same(ages, got)
  end)

  it("may be a range or chunks", function()
    assert.same({ 385, 10 }, sum(lacus.range(1, 10)))
    local list = gather(pool:map(lacus.chunks(1, 10, 4), same))
    assert.same({ { 1, 4 }, { 5, 8 }, { 9, 10 } }, list)
  end)

  it("runs in the caller's state, one step at a time", function()
    local here, co = 0, coroutine.running()
    for _ in pool:map(function()
      for i = 1, 5 do
        here = here + 1
        assert.are_not.equal(co, (coroutine.running()))
        yield(i)
      end
    end, square) do end
    assert.equal(5, here)
  end)

  it("that is none is refused at the caller's line", function()
    for _, bad in ipairs { 42, "x", true } do
      fails.here("bad argument #1 to 'map' %(source expected .*, got " .. type(bad) .. "%)",
        function() pool:map(bad, square) end)
    end
    fails.here("got nil", function() pool:map(nil, square) end)
  end)

  it("is closed with its map, for the map owns it", function()
    local gen = count(1000000)
    for _ in pool:map(gen, square) do break end
    assert.equal("dead", gen:status())
  end)

  it("that has been begun gives the rest", function()
    local gen = count(5)
    gen:next()
    gen:next()
    assert.same({ 3, 4, 5, n = 3 }, pool:map(gen, same):collect())
  end)

  it("that has ended gives nothing", function()
    local gen = count(1)
    gen:close()
    assert.same({ n = 0 }, pool:map(gen, same):collect())
  end)
end)

describe("a slow source", function()
  it("gets each result back before it yields the next", function()
    local inline <close> = lacus.pool(0)
    local events = {}
    local source = function()
      for i = 1, 5 do
        local till = lacus.now() + 0.01
        while lacus.now() < till do end  -- luacheck: ignore 542
        events[#events + 1] = "yield " .. i
        yield(i)
      end
    end
    for i in inline:map(source, square) do events[#events + 1] = "got " .. i end
    for i = 1, 5 do
      assert.equal("yield " .. i, events[2 * i - 1])
      assert.equal("got " .. i, events[2 * i])
    end
  end)
end)

describe("a source that raises", function()
  local function failing(n)
    return lacus.generator(function()
      for i = 1, n do yield(i) end
      error("dry", 0)
    end)()
  end

  it("reaches the loop after the results of what it gave before", function()
    local got = 0
    fails.with("^dry", function()
      for _ in pool:map(failing(100), square) do got = got + 1 end
    end)
    assert.equal(100, got)
  end)

  it("does so in the loop, not at the call of map", function()
    local results = pool:map(failing(0), square)
    local err = fails.with("^dry\ngenerator traceback:", results)
    assert.matches("map_spec.lua:%d+: in function", err)
  end)

  it("comes when it is running already", function()
    local gen
    gen = lacus.generator(function()
      yield(1)
      for _ in pool:map(gen, square) do yield "never" end
    end)()
    assert.equal(1, gen())
    fails.with("^generator is already running", gen)
  end)

  it("raises once; then the results have ended", function()
    local results = pool:map(failing(3), square)
    fails.with("^dry", results.collect, results)
    assert.is_nil(results:next())
  end)

  it("may raise any value, which stays itself", function()
    local value = {}
    local ok, err = pcall(function()
      for _ in pool:map(function() yield(1) error(value) end, square) do end
    end)
    assert.is_false(ok)
    assert.is_true(rawequal(value, err))
  end)

  it("is not caught by on_error, which is for tasks", function()
    fails.with("^dry", function()
      for _ in pool:map(failing(3), square, { on_error = "return" }) do end
    end)
  end)

  it("leaves the pool as it was", function()
    pcall(function() for _ in pool:map(failing(3), square) do end end)
    assert.same({ 1, 4, n = 2 }, pool:map({ 1, 2 }, square):collect())
  end)
end)

describe("the function of a map", function()
  it("may be named as module.function", function()
    assert.same({ 3, 4, n = 2 }, pool:map({ "abc", "abcd" }, "string.len"):collect())
  end)

  it("may be in a module that only workers load", function()
    package.preload["spec.deep.module"] = function()
      return { twice = function(x) return 2 * x end }
    end
    local other <close> = lacus.pool(2)
    package.preload["spec.deep.module"] = nil
    assert.same({ 2, 4, n = 2 }, other:map({ 1, 2 }, "spec.deep.module.twice"):collect())
    assert.is_nil(package.loaded["spec.deep.module"])
  end)

  it("may be a C function", function()
    assert.same({ "AB", n = 1 }, pool:map({ "ab" }, string.upper):collect())
  end)

  it("that is in no module fails the items, and says what is missing", function()
    fails.with("module 'spec.nowhere' not found", pool:map({ 1 }, "spec.nowhere.f"))
    fails.with("module 'string' has no function 'nothing'", pool:map({ 1 }, "string.nothing"))
  end)

  it("that cannot be one is refused at the caller's line", function()
    fails.here("bad argument #2 to 'map' %(function or \"module.function\" expected, got number%)",
      function() pool:map({ 1 }, 42) end)
    fails.here("'len' does not name a \"module.function\"",
      function() pool:map({ 1 }, "len") end)
  end)

  it("that cannot be sent is refused at the caller's line, with the way", function()
    local log = { out = io.tmpfile() }
    fails.here("cannot send the function: upvalue 'log' of function at .*map_spec.lua:%d+" ..
      ".*%.out: a FILE%* handle", function() pool:map({ 1 }, function() return log end) end)
  end)

  it("takes its upvalues along, as they are at the call", function()
    local factor = 3
    local results = pool:map(lacus.range(1, 3), function(x) return factor * x end)
    factor = 1000
    assert.same({ 3, 6, 9, n = 3 }, results:collect())
  end)
end)

describe("a map without a function", function()
  it("takes each item as a call", function()
    local list = pool:map(function()
      yield(square, 3)
      yield(same, "a", "b")
      yield(math.max, 4, 9, 2)
    end):collect()
    assert.same({ 9, "a", 9, n = 3 }, list)
  end)

  it("takes names of functions too", function()
    local list = pool:map(function()
      yield("string.rep", "ab", 2)
      yield("math.abs", -1)
    end):collect()
    assert.same({ "abab", 1, n = 2 }, list)
  end)

  it("takes as many different functions as there are items", function()
    local list = pool:map(function()
      for i = 1, 200 do yield(function(x) return i + x end, 1000) end
    end):collect()
    assert.equal(200, list.n)
    for i = 1, 200 do assert.equal(1000 + i, list[i]) end
  end)

  it("fails an item that is no call, and goes on", function()
    local list = gather(pool:map(function()
      yield(42)
      yield()
      yield(square, 5)
      yield "no name"
    end, nil, { on_error = "return" }))
    assert.is_false(list[1][1])
    assert.equal("transfer", list[1][2].kind)
    assert.matches("item 1: a function .*expected, got number", list[1][2].message)
    assert.matches("item 2: .* got nothing", list[2][2].message)
    assert.same({ true, 25 }, list[3])
    assert.matches("item 4: .* got string", list[4][2].message)
  end)

  it("fails a call of a function that cannot be sent, with the way", function()
    local file = io.tmpfile()
    local list = gather(pool:map(function()
      yield(function() return file end)
      yield(square, 5)
    end, nil, { on_error = "return" }))
    assert.matches("item 1.*upvalue 'file'.*a FILE%* handle", list[1][2].message)
    assert.same({ true, 25 }, list[2])
  end)
end)

describe("the options of a map", function()
  it("are refused when unknown, at the caller's line", function()
    fails.here("bad argument #3 to 'map' %(unknown option 'order'%)",
      function() pool:map({ 1 }, square, { order = true }) end)
    fails.here("unknown option '1'", function() pool:map({ 1 }, square, { "ordered" }) end)
    fails.here("table expected, got string",
      function() pool:map({ 1 }, square, "ordered") end)
  end)

  it("hold for a range, which is taken many items at a time", function()
    for _, o in ipairs { { window = 3 }, { window = 10, batch = 4 }, { window = 1, batch = 50 },
                         { window = 7, batch = 7, ordered = true } } do
      local range, sum = lacus.range(1, 1000), 0
      for _, v in pool:map(range, same, o) do
        sum = sum + v
        if v == 500 then break end
        assert.is_true(v <= 1000)
      end
      assert.is_true(sum > 0)
      local left = lacus.range(1, 1000)
      local results <close> = pool:map(left, same, o)
      results()
      local _, after = left:next()
      assert.is_true(after <= o.window + 2)
    end
  end)

  it("do not matter at the ends of the integers", function()
    local most, list = math.maxinteger, {}
    for _, v in pool:map(lacus.range(most - 300, most), same, { ordered = true }) do
      list[#list + 1] = v
    end
    assert.equal(301, #list)
    for i = 0, 300 do assert.equal(most - 300 + i, list[i + 1]) end
  end)

  it("want a window and a batch of at least 1", function()
    for _, name in ipairs { "window", "batch" } do
      for _, bad in ipairs { 0, -1, 1.5, "x", false } do
        fails.here("option '" .. name .. "' must be an integer of at least 1, got " .. fails.plain(bad),
          function() pool:map({ 1 }, square, { [name] = bad }) end)
      end
    end
  end)

  it("want one of three words for on_error", function()
    for _, bad in ipairs { "ignore", 1, true } do
      fails.here("option 'on_error' must be \"raise\", \"return\" or \"skip\", got " .. tostring(bad),
        function() pool:map({ 1 }, square, { on_error = bad }) end)
    end
  end)

  it("do not close a source that was refused with them", function()
    local gen = count(3)
    pcall(pool.map, pool, gen, square, { window = 0 })
    assert.same({ 1, 2, 3, n = 3 }, pool:map(gen, same):collect())
  end)

  it("batch: changes nothing but the packing", function()
    for _, batch in ipairs { "auto", 1, 3, 1000 } do
      local list = pool:map(lacus.range(1, 50), square, { batch = batch }):collect()
      assert.equal(50, list.n)
      assert.equal(2500, list[50])
    end
  end)
end)

describe("results", function()
  it("can be asked one by one; nil comes at the end, again and again", function()
    local results = pool:map({ 5 }, square)
    assert.same({ 1, 25 }, { results:next() })
    assert.same({ nil, n = 1 }, table.pack(results:next()))
    assert.same({ nil, n = 1 }, table.pack(results:next()))
    assert.same({ nil, n = 1 }, table.pack(results:poll()))
  end)

  it("can be asked with a timeout, which loses nothing", function()
    local go = gate.new()
    local wait = gate.wait
    local results = pool:map({ go }, function(name) wait(name) return "here" end)
    assert.same({ nil, "timeout" }, { results:next(0) })
    assert.same({ nil, "timeout" }, { results:next(0.001) })
    gate.open(go)
    assert.same({ 1, "here" }, { results:next(60) })
    os.remove(go)
  end)

  it("can be polled, which never waits", function()
    local go = gate.new()
    local wait = gate.wait
    local results = pool:map({ go }, function(name) wait(name) return "here" end)
    assert.same({ nil, "pending" }, { results:poll() })
    gate.open(go)
    local i, value
    gate.await(function()
      i, value = results:poll()
      return i
    end)
    assert.same({ 1, "here" }, { i, value })
    os.remove(go)
  end)

  it("can all be had by polling, source and all", function()
    local results = pool:map(lacus.range(1, 100), square, { window = 5 })
    local sum, done = 0, false
    gate.await(function()
      local i, value = results:poll()
      if i then sum = sum + value else done = value ~= "pending" end
      return done
    end)
    assert.equal(338350, sum)
  end)

  it("refuse a timeout that is no number", function()
    local results <close> = pool:map({ 1 }, square)
    fails.here("number expected, got string", function() results:next "soon" end)
  end)

  it("can be had without the index", function()
    local list = {}
    for a, b in pool:map({ 3, 4 }, function(x) return x, -x end, { ordered = true }):values() do
      list[#list + 1] = { a, b }
    end
    assert.same({ { 3, -3 }, { 4, -4 } }, list)
  end)

  it("without the index are closed by break too", function()
    local gen = count(1000000)
    for _ in pool:map(gen, square):values() do break end
    assert.equal("dead", gen:status())
  end)

  it("can be collected, in the order of the source, nil included", function()
    local list = pool:map({ 1, 2, 3 }, function(x) if x ~= 2 then return x, "more" end end):collect()
    assert.same({ 1, nil, 3, n = 3 }, list)
    assert.same({ n = 0 }, pool:map({}, square):collect())
  end)

  it("raise when they are collected, as the loop would", function()
    local error = error
    fails.with("no threes", function()
      pool:map({ 1, 2, 3 }, function(x) if x == 3 then error "no threes" end end):collect()
    end)
  end)

  it("can be closed early, which says how many items were dropped", function()
    local results = pool:map(lacus.range(1, 10), function(x)
      if x > 1 then require "lacus".sleep(math.huge) end
    end, { window = 10 })
    assert.equal(1, results:next())
    assert.same({ nil, "pending" }, { results:poll() })    -- all are with the workers now
    assert.equal(9, results:close())
    assert.equal(0, results:close())
  end)

  it("that are closed say so when they are asked", function()
    local results = pool:map(lacus.range(1, 10), square)
    results:close()
    for _, name in ipairs { "next", "poll", "collect" } do
      fails.with("attempt to use closed results", results[name], results)
    end
    fails.here("closed results", function() results:next() end)
    fails.here("closed results", function() results() end)
    fails.here("closed results", function() for _ in results do error "none" end end)
  end)

  it("can be a <close> variable", function()
    local gen = count(1000000)
    do
      local results <close> = pool:map(gen, square)
      results:next()
    end
    assert.equal("dead", gen:status())
  end)

  it("close what their source keeps open", function()
    local closed = 0
    local results = pool:map(function()
      local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
      while true do yield(1) end
    end, square)
    results:next()
    results:close()
    results:close()
    assert.equal(1, closed)
  end)

  it("cannot be asked or closed inside their own source", function()
    local results
    local said = {}
    results = pool:map(function()
      yield(1)
      for _, name in ipairs { "next", "poll", "close" } do
        local _, err = pcall(results[name], results)
        said[#said + 1] = err
      end
      said[4] = select(2, pcall(results))
    end, square, { window = 1 })
    assert.same({ 1, n = 1 }, results:collect())
    assert.equal(4, #said)
    for _, err in ipairs(said) do assert.matches("inside their own source", err) end
  end)

  it("refuse other values", function()
    local results <close> = pool:map({}, square)
    for _, name in ipairs { "next", "poll", "values", "close" } do
      fails.with("results expected, got table", results[name], {})
    end
  end)
end)

describe("several maps on one pool", function()
  it("may be pulled in turn", function()
    local a = pool:map(lacus.range(1, 100), square, { ordered = true })
    local b = pool:map(lacus.range(101, 200), square, { ordered = true })
    for i = 1, 100 do
      assert.same({ i, i * i }, { a() })
      assert.same({ i, (100 + i) ^ 2 }, { b() })
    end
    assert.is_nil(a())
    assert.is_nil(b())
  end)

  it("do not wait for one that nobody reads", function()
    local idle <close> = pool:map(lacus.range(1, 1000000), square, { window = 50 })
    idle:next()
    assert.equal(1000, pool:map(lacus.range(1, 1000), square):collect().n)
  end)

  it("do not end with each other", function()
    local a = pool:map(lacus.range(1, 100), square, { ordered = true })
    local b = pool:map(lacus.range(1, 100), square)
    b:next()
    b:close()
    assert.equal(100, a:collect().n)
  end)

  it("may be nested", function()
    local sum = 0
    for _, n in pool:map({ 1, 2, 3 }, same) do
      for _, v in pool:map(lacus.range(1, n), square) do sum = sum + v end
    end
    assert.equal(1 + 5 + 14, sum)
  end)

  it("may be many", function()
    local open = {}
    for i = 1, 100 do open[i] = pool:map({ i, i + 1 }, square, { ordered = true }) end
    for i = 100, 1, -1 do assert.same({ i * i, (i + 1) ^ 2, n = 2 }, open[i]:collect()) end
  end)
end)
