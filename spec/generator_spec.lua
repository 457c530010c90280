-- luacheck: ignore 512 (loops that break at once are what is tested)
local lacus = require "lacus"

local yield = coroutine.yield

-- All items of a generator, each packed.
local function items(gen)
  local list = {}
  local function take(ok, ...)
    if ok then list[#list + 1] = table.pack(...) end
    return ok
  end
  while take(gen:next()) do end
  return list
end

-- The first values of what a loop sees.
local function each(...)
  local list = {}
  for v in ... do list[#list + 1] = v end
  return list
end

local count = lacus.generator(function(n)
  for i = 1, n do yield(i) end
end)

-- A value whose closing is noted in `log`, with the error it is given.
local function closing(log, name)
  return setmetatable({}, { __close = function(_, err)
    log[#log + 1] = err and (name .. ": " .. tostring(err)) or name
  end })
end

-- A generator function that notes when its body is closed.
local function guarded(log, n)
  return lacus.generator(function()
    local _ <close> = closing(log, "closed")
    for i = 1, n do yield(i) end
  end)
end

local function fails(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, err)
end

describe("a generator", function()
  it("gives what its body yields, in a for loop", function()
    assert.same({ 1, 2, 3 }, each(count(3)))
  end)

  it("passes the call's arguments to its body, nil included", function()
    local gen = lacus.generator(function(...) yield(select("#", ...), ...) end)
    assert.same({ { 3, nil, "b", nil, n = 4 } }, items(gen(nil, "b", nil)))
  end)

  it("does nothing before its first step", function()
    local begun = false
    local gen = lacus.generator(function() begun = true yield() end)()
    assert.is_false(begun)
    gen:next()
    assert.is_true(begun)
  end)

  it("gives items of several values", function()
    local pairwise = lacus.generator(function() yield(1, "a") yield(2, "b") end)
    local seen = {}
    for i, s in pairwise() do seen[#seen + 1] = i .. s end
    assert.same({ "1a", "2b" }, seen)
  end)

  it("is itself callable, and gives nil at its end for ever after", function()
    local gen = count(2)
    assert.equal(1, gen())
    assert.equal(2, gen())
    assert.equal(1, select("#", gen()))
    assert.is_nil(gen())
    assert.is_nil(gen())
  end)

  it("tells nil items from the end through next", function()
    local gen = lacus.generator(function() yield(nil) yield() yield(nil, 2) end)
    assert.same({ { n = 1 }, { n = 0 }, { nil, 2, n = 2 } }, items(gen()))
  end)

  it("gives exactly true and the values, then exactly false, through next",
  function()
    local gen = lacus.generator(function() yield("a", nil) end)()
    assert.same({ true, "a", nil, n = 3 }, table.pack(gen:next()))
    assert.same({ false, n = 1 }, table.pack(gen:next()))
    assert.same({ false, n = 1 }, table.pack(gen:next()))
  end)

  it("ends a for loop at an item whose first value is nil", function()
    local gen = lacus.generator(function() yield(1) yield(nil, 2) yield(3) end)
    assert.same({ 1 }, each(gen()))
  end)

  it("goes on after such an item when it is looped over alone", function()
    local gen = lacus.generator(function() yield(1) yield(nil) yield(3) end)()
    assert.same({ 1 }, each(gen))
    assert.same({ 3 }, each(gen))
  end)

  it("does not count what its body returns as an item", function()
    local gen = lacus.generator(function() yield(1) return "not an item" end)
    assert.same({ { 1, n = 1 } }, items(gen()))
  end)

  it("does not pass the loop's own values into its body", function()
    local got
    local gen = lacus.generator(function() got = table.pack(yield(1)) end)
    assert.same({ 1 }, each(gen()))
    assert.same({ n = 0 }, got)
  end)

  it("gives itself, nil, nil and itself to a for loop", function()
    local gen, s, c, closed = count(1)
    assert.is_nil(s)
    assert.is_nil(c)
    assert.equal(gen, closed)
  end)

  it("is independent of its sisters", function()
    local a, b = count(2), count(2)
    assert.same({ 1, 1, 2, 2 }, { a(), b(), a(), b() })
  end)

  it("keeps all values of an item of 5000", function()
    local list = {}
    for i = 1, 5000 do list[i] = i end
    local gen = lacus.generator(function() yield(table.unpack(list)) end)()
    assert.same({ true, table.unpack(list) }, { gen:next() })
  end)

  it("takes 5000 arguments and 5000 sent values", function()
    local list = {}
    for i = 1, 5000 do list[i] = i end
    local gen = lacus.generator(function(...)
      yield(select("#", ...))
      while true do yield(select("#", yield())) end
    end)(table.unpack(list))
    assert.equal(5000, gen())
    gen:next()
    assert.same({ true, 5000 }, { gen:send(table.unpack(list)) })
  end)

  -- A stack of Lua holds a million values at most.
  it("refuses an item with more values than its reader has room for", function()
    local gen = lacus.generator(function() yield(table.unpack({}, 1, 600000)) end)()
    local function step(...) return gen(), select("#", ...) end
    fails("^too many values in one item %(600000%)\ngenerator traceback:", function()
      step(table.unpack({}, 1, 500000))
    end)
    assert.equal("dead", gen:status())
  end)

  it("refuses more sent values than its body has room for, and goes on", function()
    local gen = lacus.generator(function()
      local function crowded(...)      -- luacheck: ignore 212
        local got = yield(1)
        return got
      end
      yield(crowded(table.unpack({}, 1, 600000)))
    end)()
    gen:next()
    fails("generator_spec.lua:%d+: too many values to send %(500000%)$", function()
      gen:send(table.unpack({}, 1, 500000))
    end)
    assert.same({ true, 7 }, { gen:send(7) })
  end)

  it("may yield inside pcall, metamethods and iterators", function()
    local t = setmetatable({}, { __index = function(_, k) return yield(k) end })
    local gen = lacus.generator(function()
      pcall(function() yield(1) error "caught" end)
      local _ = t.key
      for v in function() return yield("asked") end do yield(v) end
    end)()
    assert.same({ 1, "key", "asked" }, { gen(), gen(), gen() })
    assert.same({ true, "v" }, { gen:send("v") })
  end)

  it("leaves the yields of coroutines inside its body alone", function()
    local gen = lacus.generator(function()
      local inner = coroutine.wrap(function() yield("inner") end)
      yield("outer " .. inner())
    end)
    assert.same({ "outer inner" }, each(gen()))
  end)

  it("can be stepped inside a coroutine, and by several in turn", function()
    local gen = count(4)
    local co = coroutine.wrap(function() while true do yield(gen()) end end)
    assert.same({ 1, 2, 3, 4 }, { co(), gen(), co(), gen() })
  end)

  it("can walk a tree by recursion", function()
    local walk
    walk = lacus.generator(function(node)
      if not node then return end
      for v in walk(node.left) do yield(v) end
      yield(node.value)
      for v in walk(node.right) do yield(v) end
    end)
    local function tree(lo, hi)
      if lo > hi then return nil end
      local mid = (lo + hi) // 2
      return { value = mid, left = tree(lo, mid - 1), right = tree(mid + 1, hi) }
    end
    assert.same(each(lacus.range(1, 100)), each(walk(tree(1, 100))))
  end)

  it("may have a callable object for its body", function()
    local body = setmetatable({ n = 7 }, { __call = function(self, x)
      yield(self.n + x)
    end })
    assert.same({ 8 }, each(lacus.generator(body)(1)))
  end)

  it("frees its coroutine as soon as it ends", function()
    local held = setmetatable({}, { __mode = "k" })
    local gen = lacus.generator(function() held[coroutine.running()] = true end)()
    gen:next()
    collectgarbage()
    assert.is_nil(next(held))
  end)
end)

describe("a generator's send", function()
  it("gives the values to the pending yield and returns the next item",
  function()
    local gen = lacus.generator(function()
      local a, b = yield("first")
      yield(a + b)
    end)()
    gen:next()
    assert.same({ true, 30 }, { gen:send(10, 20) })
    assert.is_false(gen:send(1))
  end)

  it("is refused before the first next", function()
    local gen = count(1)
    fails("generator_spec.lua:%d+: cannot send .* not started .*next first",
      function() gen:send(1) end)
    assert.equal(1, gen())
  end)

  it("gives false when it has ended", function()
    local gen = count(0)
    gen:next()
    assert.is_false(gen:send(1))
  end)

  it("is refused, by name, where no body could get the values", function()
    fails("cannot send to a range", function() lacus.range(1, 3):send(1) end)
    fails("cannot send to a generator that lacus.chunks made",
      function() lacus.chunks(1, 3, 1):send(1) end)
    fails("cannot send to a generator that lacus.iter made",
      function() lacus.iter(pairs {}):send(1) end)
  end)
end)

describe("closing a generator", function()
  it("runs pending <close> variables, once, and returns true", function()
    local log = {}
    local gen = guarded(log, 3)()
    gen:next()
    assert.is_true(gen:close())
    assert.is_true(gen:close())
    assert.same({ "closed" }, log)
    assert.is_false(gen:next())
  end)

  it("happens at once when a loop breaks", function()
    local log = {}
    for v in guarded(log, 3)() do
      if v == 2 then break end
    end
    assert.same({ "closed" }, log)
  end)

  it("happens at once when a loop's body fails or returns", function()
    local log = {}
    local gen = guarded(log, 3)
    assert.is_false(pcall(function() for _ in gen() do error "loop" end end))
    local function first() for v in gen() do return v end end
    assert.equal(1, first())
    assert.same({ "closed", "closed" }, log)
  end)

  it("happens at the end of the block of a <close> variable", function()
    local log = {}
    do
      local gen <close> = guarded(log, 3)()
      gen:next()
    end
    assert.same({ "closed" }, log)
  end)

  it("before the first step means that the body never runs", function()
    local log = {}
    local gen = guarded(log, 3)()
    gen:close()
    assert.is_false(gen:next())
    assert.same({}, log)
  end)

  it("happens when it is collected", function()
    local log = {}
    local function begin() guarded(log, 3)():next() end
    begin()
    collectgarbage()
    collectgarbage()
    assert.same({ "closed" }, log)
  end)

  it("raises the error of a __close handler, and has closed the others",
  function()
    local log = {}
    local gen = lacus.generator(function()
      local _ <close> = closing(log, "outer")
      local _ <close> = setmetatable({}, { __close = function() error("bad", 0) end })
      yield()
    end)()
    gen:next()
    assert.same({ false, "bad" }, { pcall(gen.close, gen) })
    assert.same({ "outer: bad" }, log)
    assert.is_true(gen:close())
    assert.equal("dead", gen:status())
  end)

  it("turns such an error into a warning when it is collected", function()
    local function begin()
      lacus.generator(function()
        local _ <close> = setmetatable({}, { __close = function() error "bad" end })
        yield()
      end)():next()
    end
    begin()
    assert.has_no.errors(function() collectgarbage() collectgarbage() end)
  end)

  it("is refused while its body runs", function()
    local gen
    gen = lacus.generator(function() gen:close() end)()
    fails("generator_spec.lua:%d+: cannot close a running generator", gen.next, gen)
  end)

  it("closes the generators that its body loops over", function()
    local log = {}
    local outer = lacus.generator(function()
      for v in guarded(log, 3)() do yield(v) end
    end)
    for _ in outer() do break end
    assert.same({ "closed" }, log)
  end)

  it("of a very long chain is a clear error, not a crash", function()
    local link = lacus.generator(function(before)
      local _ <close> = before
      yield()
    end)
    local last
    for _ = 1, 50000 do
      last = link(last)
      last:next()
    end
    fails("C stack overflow", last.close, last)
  end)
end)

describe("a generator's status", function()
  it("has the words of coroutine.status", function()
    local gen, inside, from
    gen = lacus.generator(function()
      inside = gen:status()
      from = coroutine.wrap(function() return gen:status() end)()
      yield()
    end)()
    assert.equal("suspended", gen:status())
    gen:next()
    assert.same({ "running", "normal" }, { inside, from })
    assert.equal("suspended", gen:status())
    gen:next()
    assert.equal("dead", gen:status())
  end)

  it("is dead after an error and after close", function()
    local gen = lacus.generator(error)()
    pcall(gen.next, gen)
    assert.equal("dead", gen:status())
    gen = count(3)
    gen:close()
    assert.equal("dead", gen:status())
  end)
end)

describe("an error in a generator's body", function()
  local function broken() error "boom" end
  local gen_fn = lacus.generator(function() yield(1) broken() end)

  it("reaches whoever asked, beginning as the body wrote it", function()
    local gen = gen_fn()
    gen:next()
    fails("^[^\n]*generator_spec.lua:%d+: boom\n", gen.next, gen)
  end)

  it("has the body's own traceback under it", function()
    fails("boom\ngenerator traceback:\n.*'error'.*'broken'", each, gen_fn())
  end)

  it("keeps identity when it is no string", function()
    local err = setmetatable({}, { __tostring = function() return "mine" end })
    for _, value in ipairs { err, 42, true, print } do
      local ok, got = pcall(lacus.generator(error)(value))
      assert.is_false(ok)
      assert.is_true(rawequal(value, got))
    end
    assert.same({ false, nil }, { pcall(lacus.generator(error)()) })
  end)

  it("shows where it was through traceback, whatever was raised", function()
    local gen = lacus.generator(function() error {} end)()
    assert.is_nil(gen:traceback())
    pcall(gen)
    assert.matches("^stack traceback:\n.*generator_spec.lua:%d+", gen:traceback())
  end)

  it("ends it: pending <close> variables have run, next gives false", function()
    local log = {}
    local gen = lacus.generator(function()
      local _ <close> = closing(log, "closed")
      error("boom", 0)
    end)()
    fails("^boom\n", gen.next, gen)
    assert.same({ "closed: boom" }, log)
    assert.is_false(gen:next())
    assert.is_nil(gen())
  end)

  it("is replaced by an error in closing, as everywhere in Lua", function()
    local gen = lacus.generator(function()
      local _ <close> = setmetatable({}, { __close = function() error("second", 0) end })
      error("first", 0)
    end)()
    fails("^second\n", gen.next, gen)
  end)

  it("shows the whole way through nested generators", function()
    local outer = lacus.generator(function()
      for v in gen_fn() do yield(v) end
    end)
    local ok, err = pcall(each, outer())
    assert.is_false(ok)
    local _, n = err:gsub("generator traceback:", "")
    assert.equal(2, n)
  end)

  it("is clear when a generator steps itself", function()
    local gen
    gen = lacus.generator(function() return gen() end)()
    fails("generator_spec.lua:%d+: generator is already running", gen.next, gen)
  end)

  it("is clear when recursion has no end", function()
    local endless
    endless = lacus.generator(function() for v in endless() do yield(v) end end)
    fails("C stack overflow", endless())
  end)

  it("does not come when it is traced while it lives", function()
    local gen = count(2)
    gen:next()
    assert.matches("generator_spec.lua:%d+: in function", gen:traceback())
    assert.equal(2, gen())
  end)
end)

describe("a body's coroutine in other hands", function()
  local function exposed()
    local co
    local gen = lacus.generator(function()
      co = coroutine.running()
      yield(1)
      yield(2)
    end)()
    gen:next()
    return gen, co
  end

  it("ends the generator when they close it", function()
    local gen, co = exposed()
    coroutine.close(co)
    assert.is_false(gen:next())
    assert.is_true(gen:close())
  end)

  it("ends the generator when they run it to its end", function()
    local gen, co = exposed()
    coroutine.resume(co)
    coroutine.resume(co)
    assert.is_false(gen:next())
  end)

  it("ends the generator when they have begun it", function()
    local gen = guarded({}, 2)()
    local co = debug.getuservalue(gen, 1)
    assert.same({ true, 1 }, { coroutine.resume(co) })
    assert.is_false(gen:next())
    assert.equal("dead", gen:status())
  end)

  it("cannot step or close it while it runs", function()
    local gen, co
    gen = lacus.generator(function()
      co = coroutine.running()
      yield(1)
      yield(pcall(gen.next, gen))
      yield(pcall(gen.close, gen))
    end)()
    gen:next()
    local _, ok, err = coroutine.resume(co)
    assert.same({ false, "generator is already running" }, { ok, err })
    _, ok, err = coroutine.resume(co)
    assert.same({ false, "cannot close a running generator" }, { ok, err })
  end)
end)

describe("lacus.generator", function()
  it("refuses what cannot be called, at the caller's line", function()
    fails("^[^\n]*generator_spec.lua:%d+: bad argument #1 to 'generator' " ..
      "%(function expected, got number%)", function() lacus.generator(42) end)
    fails("got no value", function() lacus.generator() end)
  end)

  it("has methods that refuse other values", function()
    local gen = count(1)
    fails("generator expected, got table", gen.next, {})
    fails("generator expected, got FILE", gen.next, io.stdout)
    fails("generator expected, got no value", gen.close)
  end)
end)

describe("lacus.iter", function()
  it("makes a generator of pairs", function()
    local seen = {}
    for k, v in lacus.iter(pairs { a = 1, b = 2 }) do seen[k] = v end
    assert.same({ a = 1, b = 2 }, seen)
  end)

  it("makes a generator of ipairs that next can step", function()
    local gen = lacus.iter(ipairs { "a", "b" })
    assert.same({ { 1, "a", n = 2 }, { 2, "b", n = 2 } }, items(gen))
    assert.is_false(gen:next())
  end)

  it("makes a generator of io.lines, and closes the file on break", function()
    local name = os.tmpname()
    local f = assert(io.open(name, "w"))
    f:write("one\ntwo\n")
    f:close()
    local file
    do
      local lines, s, c, opened = io.lines(name)
      file = opened
      for line in lacus.iter(lines, s, c, opened) do
        assert.equal("one", line)
        break
      end
    end
    os.remove(name)
    assert.equal("closed file", io.type(file))
  end)

  it("closes the closing value at the end, once", function()
    local log = {}
    local gen = lacus.iter(next, { 1 }, nil, closing(log, "closed"))
    assert.equal(1, gen())
    assert.same({}, log)
    assert.is_nil(gen())
    gen:close()
    assert.same({ "closed" }, log)
  end)

  it("closes the closing value with the generator, begun or not", function()
    local log = {}
    lacus.iter(next, {}, nil, closing(log, "closed")):close()
    assert.same({ "closed" }, log)
  end)

  it("closes the closing value with the error, which has its traceback",
  function()
    local log = {}
    local gen = lacus.iter(function() error("boom", 0) end, nil, nil,
      closing(log, "closed"))
    fails("^boom\ngenerator traceback:\n.*generator_spec.lua", gen.next, gen)
    assert.same({ "closed: boom" }, log)
    assert.is_false(gen:next())
  end)

  it("raises an error of the closing value in place of its function's", function()
    local late = setmetatable({}, { __close = function(_, err) error({ after = err }) end })
    local gen = lacus.iter(function() error("first", 0) end, nil, nil, late)
    local ok, err = pcall(gen)
    assert.is_false(ok)
    assert.matches("^first", err.after)
    assert.is_nil(gen())
  end)

  it("takes false for no closing value, as for does", function()
    assert.same({ 1 }, each(lacus.iter(next, { "x" }, nil, false)))
  end)

  it("refuses yield itself, which is no iterator function", function()
    fails("^an iterator function must return its items, not yield", lacus.iter(yield))
  end)

  it("raises an error of the closing value at the end", function()
    local bad = setmetatable({}, { __close = function() error("bad", 0) end })
    local gen = lacus.iter(next, {}, nil, bad)
    assert.same({ false, "bad" }, { pcall(gen.next, gen) })
    assert.is_false(gen:next())
  end)

  it("takes anything callable", function()
    local n = 0
    local counter = setmetatable({}, { __call = function()
      n = n + 1
      return n <= 2 and n or nil
    end })
    assert.same({ 1, 2 }, each(lacus.iter(counter)))
  end)

  it("gives a generator back as it is", function()
    local gen = count(2)
    assert.equal(gen, lacus.iter(gen))
    assert.equal(gen, (lacus.iter(gen, nil, nil, gen)))
  end)

  it("refuses an iterator that yields, and says where", function()
    local gen = lacus.iter(function() yield(1) end)
    fails("^[^\n]*generator_spec.lua:%d+: an iterator function must return " ..
      "its items, not yield them", gen.next, gen)
  end)

  it("refuses one that is yield itself, and stands nowhere", function()
    fails("^an iterator function must return its items, not yield them", lacus.iter(yield))
  end)

  it("refuses an iterator that steps its own generator", function()
    local gen
    gen = lacus.iter(function() return gen() end)
    fails("generator is already running", gen.next, gen)
  end)

  it("refuses other values, with advice where there is some", function()
    fails("'iter' %(iterator function expected, got table %(use pairs or ipairs%)%)",
      function() lacus.iter({}) end)
    fails("got generator function %(call it first%)", function() lacus.iter(count) end)
    fails("iterator function expected, got nil", function() lacus.iter(nil) end)
    fails("#4 to 'iter' %(closing value has no __close", function()
      lacus.iter(next, {}, nil, {})
    end)
  end)
end)

describe("lacus.range", function()
  local max, min = math.maxinteger, math.mininteger

  -- What a numeric for counts.
  local function loop(lo, hi, step)
    local list = {}
    for v in lacus.range(lo, hi, step) do list[#list + 1] = v end
    return list
  end
  local function native(lo, hi, step)
    local list = {}
    for v = lo, hi, step or 1 do list[#list + 1] = v end
    return list
  end

  it("counts as a numeric for does", function()
    for _, r in ipairs {
      { 1, 5 }, { 1, 1 }, { 2, 1 }, { 5, 1, -2 }, { 1, 10, 3 }, { 1, 2, -1 },
      { 1, 3.7 }, { 3, 1.2, -1 }, { 1.0, 3 }, { 1, 2, 0.25 }, { 0, 1, 0.1 },
      { 1, -math.huge }, { -5, -1.5 }, { max, math.huge }, { min, -math.huge, -1 },
      { max - 2, max }, { min + 2, min, -1 }, { max - 5, max, 4 },
      { min, max, max }, { max, min, min }, { min, max, max // 3 },
    } do
      local want, got = native(table.unpack(r)), loop(table.unpack(r))
      assert.same(want, got)
      for i, v in ipairs(want) do assert.equal(math.type(v), math.type(got[i])) end
    end
  end)

  it("has no items when a limit is not a number at all", function()
    assert.same({}, loop(1, 0 / 0))
    assert.same({}, loop(1.5, 0 / 0))
  end)

  it("may be endless in all but name", function()
    local gen = lacus.range(min, max)
    assert.same({ true, min }, { gen:next() })
    assert.same({ true, min + 1 }, { gen:next() })
  end)

  it("can be closed", function()
    local gen = lacus.range(1, 3)
    assert.equal(1, gen())
    assert.is_true(gen:close())
    assert.is_nil(gen())
    assert.is_false(gen:next())
  end)

  it("refuses a step of zero", function()
    fails("bad argument #3 to 'range' %('step' is zero%)",
      function() lacus.range(1, 2, 0) end)
    fails("'step' is zero", function() lacus.range(1.5, 2, 0.0) end)
  end)

  it("refuses what is no number, at the caller's line", function()
    fails("^[^\n]*generator_spec.lua:%d+: bad argument #2 to 'range' " ..
      "%(number expected, got no value%)", function() lacus.range(1) end)
    fails("#1 .*number expected, got string", function() lacus.range("1", 2) end)
  end)
end)

describe("lacus.chunks", function()
  local function pieces(lo, hi, size)
    local list = {}
    for first, last in lacus.chunks(lo, hi, size) do
      list[#list + 1] = { first, last }
    end
    return list
  end

  it("gives the first and last number of each chunk", function()
    assert.same({ { 1, 4 }, { 5, 8 }, { 9, 10 } }, pieces(1, 10, 4))
    assert.same({ { 1, 5 }, { 6, 10 } }, pieces(1, 10, 5))
    assert.same({ { 1, 3 } }, pieces(1, 3, 100))
    assert.same({ { 7, 7 } }, pieces(7, 7, 1))
    assert.same({}, pieces(2, 1, 1))
  end)

  it("does not overflow near the ends of the integers", function()
    local max, min = math.maxinteger, math.mininteger
    assert.same({ { max - 2, max - 1 }, { max, max } }, pieces(max - 2, max, 2))
    assert.same({ { min, -2 }, { -1, max - 2 }, { max - 1, max } }, pieces(min, max, max))
    assert.same({ { max, max } }, pieces(max, max, max))
  end)

  it("refuses a size below 1 and numbers that are no integers", function()
    fails("bad argument #3 to 'chunks' %(size of a chunk must be at least 1%)",
      function() lacus.chunks(1, 10, 0) end)
    fails("at least 1", function() lacus.chunks(1, 10, -1) end)
    fails("#2 .*no integer representation", function() lacus.chunks(1, 1.5, 1) end)
    fails("#3 .*number expected", function() lacus.chunks(1, 2) end)
  end)
end)
