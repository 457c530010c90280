-- What crosses between states, as a script sees it: sent to a task as it is,
-- and back.
local lacus = require "lacus"
local fails = require "spec.support.fails"

local function same(...) return ... end

local script = require("spec.support.script").plain

local pool

setup(function() pool = lacus.pool(1) end)
teardown(function() pool:close() end)

-- `f(...)` in a worker.
local function call(f, ...)
  local args = table.pack(...)
  local results <close> = pool:map(lacus.generator(function()
    coroutine.yield(table.unpack(args, 1, args.n))
  end)(), f)
  return select(2, results())
end

local function echo(...) return call(same, ...) end

describe("plain values", function()
  it("cross exactly", function()
    for _, v in ipairs { true, false, 0, 1, -1, 127, 128, 255, 256, 65535, 65536,
      math.maxinteger, math.mininteger, 2 ^ 53, 0.1, -1.5, 1e308, 5e-324,
      math.huge, -math.huge, "", "x", "a\0b", ("x"):rep(255), ("x"):rep(70000) } do
      local got = echo(v)
      assert.equal(v, got)
      assert.equal(math.type(v), math.type(got))
    end
  end)

  it("keep the difference of 1 and 1.0, and of 0.0 and -0.0", function()
    assert.equal("integer", math.type(echo(1)))
    assert.equal("float", math.type(echo(1.0)))
    assert.equal(math.huge, 1 / echo(0.0))
    assert.equal(-math.huge, 1 / echo(-0.0))
  end)

  it("may be no number at all", function()
    local nan = echo(0 / 0)
    assert.is_true(nan ~= nan)
  end)

  it("may be strings of any bytes and length", function()
    local bytes = {}
    for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
    local all = table.concat(bytes)
    assert.equal(all, echo(all))
    local long = all:rep(8192)
    assert.is_true(long == echo(long))
  end)

  it("keep their number, nil at the end included", function()
    assert.same({ nil, 1, nil, n = 3 }, table.pack(echo(nil, 1, nil)))
    assert.same({ n = 0 }, table.pack(echo()))
  end)

  it("may be many, of all lengths, one after the other", function()
    local function source() for i = 0, 2000 do coroutine.yield(("s"):rep(i)) end end
    for i, s in pool:map(source, same) do
      if #s ~= i - 1 then error("wrong length") end
    end
  end)
end)

describe("a table", function()
  it("is copied deeply", function()
    local t = { 1, { 2, { 3 } }, name = "x", [true] = false, [1.5] = "f", nested = { a = { b = 1 } } }
    local got = echo(t)
    assert.same(t, got)
    assert.is_false(rawequal(t, got))
    assert.is_false(rawequal(t.nested, got.nested))
  end)

  it("of the sender does not change with the receiver's", function()
    local t = { 1 }
    call(function(u) u[1] = 2 end, t)
    assert.same({ 1 }, t)
  end)

  it("may contain itself", function()
    local t = {}
    t.self, t.list = t, { t }
    local got = echo(t)
    assert.is_true(rawequal(got, got.self))
    assert.is_true(rawequal(got, got.list[1]))
  end)

  it("keeps references that are shared, also between arguments", function()
    local shared = { 1 }
    local a, b, c = echo({ shared, shared }, { x = shared }, shared)
    assert.is_true(rawequal(a[1], a[2]))
    assert.is_true(rawequal(a[1], b.x))
    assert.is_true(rawequal(a[1], c))
  end)

  it("may have tables as keys", function()
    local key = { "key" }
    local got = echo { [key] = key }
    local k, v = next(got)
    assert.same({ "key" }, k)
    assert.is_true(rawequal(k, v))
  end)

  it("may have holes and odd keys", function()
    local t = { 1, nil, 3, [0] = "zero", [-1] = "minus", [2 ^ 53] = "big", [""] = "empty" }
    assert.same(t, echo(t))
  end)

  it("may be nested to any depth", function()
    local function depth(t)
      local n = 0
      while t do t, n = t.next, n + 1 end
      return n
    end
    local t = {}
    for _ = 2, 200000 do t = { next = t } end
    assert.equal(200000, call(depth, t))
    assert.equal(200000, depth((echo(t))))
  end)

  it("may be wide", function()
    local t = {}
    for i = 1, 100000 do t[i] = i end
    for i = 1, 10000 do t["k" .. i] = i end
    local got = echo(t)
    assert.equal(100000, #got)
    assert.equal(10000, got.k10000)
  end)

  it("is read as it is, whatever another state remembers of it", function()
    local t = { n = 1 }
    assert.equal(1, echo(t).n)
    t.n = 2
    assert.equal(2, echo(t).n)
  end)
end)

describe("a function", function()
  it("runs in the other state with copies of its upvalues", function()
    local base, names = 100, { "a", "b" }
    local function f(i) return base + i, names[i] end
    assert.same({ 102, "b" }, { call(f, 2) })
    assert.same({ 101, "a" }, { (echo(f))(1) })
  end)

  it("leaves the sender's upvalues alone", function()
    local n = 1
    local function inc() n = n + 1 return n end
    assert.equal(2, call(inc))
    assert.equal(1, n)
  end)

  it("of a map keeps its upvalues between tasks, and starts anew with the next map", function()
    local n = 0
    local function inc() n = n + 1 return n end
    assert.same({ 1, 2, 3, n = 3 }, pool:map({ 0, 0, 0 }, inc):collect())
    assert.same({ 1, n = 1 }, pool:map({ 0 }, inc):collect())
    n = 10
    assert.same({ 11, n = 1 }, pool:map({ 0 }, inc):collect())
  end)

  it("shares upvalues with the functions that come with it", function()
    local n = 0
    local counter = {
      inc = function() n = n + 1 end,
      get = function() return n end,
    }
    assert.equal(3, call(function(c)
      c.inc() c.inc() c.inc()
      return c.get()
    end, counter))
    assert.equal(0, n)
  end)

  it("may be recursive", function()
    local function fact(n) return n < 2 and 1 or n * fact(n - 1) end
    assert.equal(3628800, call(fact, 10))
  end)

  it("may be recursive with others", function()
    local even, odd
    function even(n) if n == 0 then return true end return odd(n - 1) end
    function odd(n) if n == 0 then return false end return even(n - 1) end
    assert.same({ true, false }, { call(even, 10), call(even, 7) })
  end)

  it("may use functions that use functions", function()
    local function double(x) return 2 * x end
    local function twice(f) return function(x) return f(f(x)) end end
    assert.equal(48, call(twice(twice(double)), 3))
  end)

  it("may be made in a task and used here", function()
    local add = call(function(n) return function(x) return n + x end end, 5)
    assert.equal(12, add(7))
  end)

  it("that comes back is the original again", function()
    local n = 0
    local function f() n = n + 1 end
    local got = echo(f)
    assert.is_true(rawequal(f, got))
    got()
    assert.equal(1, n)
  end)

  it("uses the globals of the state that it runs in", function()
    local f = script "return answer"
    _G.answer = "here"
    call(script "answer = 'there'")
    local there = call(f)
    local here = f()
    _G.answer = nil
    assert.same({ "there", "here" }, { there, here })
  end)

  it("keeps an _ENV of its own", function()
    local f = load("x = x + 1 return x", "=own", "t", { x = 41 })
    assert.equal(42, call(f))
  end)

  it("may be stripped of its names", function()
    local f = load(string.dump(function(x) return x + 1 end, true), "stripped", "b")
    assert.equal(8, call(f, 7))
  end)

  it("may take and give any number of values", function()
    local select = select
    assert.same({ 3, "a", nil, "c", n = 4 },
      table.pack(call(function(...) return select("#", ...), ... end, "a", nil, "c")))
  end)

  it("may be a key, or lie deep in a table", function()
    local function f() return "f" end
    local got = call(function(t) return t.list[1][1]() .. t[t.list[1][1]] end,
      { list = { { f } }, [f] = "!" })
    assert.equal("f!", got)
  end)
end)

describe("what has a name in a module", function()
  it("is that of the receiver: C functions, libraries, files", function()
    assert.is_true(call(script "local f = ... return rawequal(f, print)", print))
    assert.is_true(call(script "local t = ... return rawequal(t, string)", string))
    assert.is_true(call(script "local f = ... return rawequal(f, io.stdout)", io.stdout))
    assert.is_true(rawequal(print, (echo(print))))
    assert.is_true(rawequal(io.stderr, (echo(io.stderr))))
    assert.is_true(rawequal(math, (echo(math))))
  end)

  it("includes the globals", function()
    assert.is_true(call(script "local g = ... return rawequal(g, _G)", _G))
    assert.is_true(rawequal(_G, (echo(_G))))
  end)

  it("may be an upvalue", function()
    local floor, concat = math.floor, table.concat
    assert.equal("2,3", call(function(a, b) return concat({ floor(a), floor(b) }, ",") end, 2.5, 3.5))
  end)

  it("includes modules of the user's own, loaded there when needed", function()
    package.preload["spec.shapes"] = function()
      return { area = function(s) return s.side ^ 2 end }
    end
    local shapes = require "spec.shapes"
    local other <close> = lacus.pool(1)
    local _, mine, area = other:map(coroutine.wrap(function()
      coroutine.yield(script "local s, m = ... return rawequal(m, require 'spec.shapes'), m.area(s)",
        { side = 3 }, shapes)
    end))()
    package.preload["spec.shapes"], package.loaded["spec.shapes"] = nil, nil
    assert.same({ true, 9.0 }, { mine, area })
  end)
end)

describe("a generator function", function()
  local yield, select, pcall = coroutine.yield, select, pcall
  local count = lacus.generator(function(n) for i = 1, n do yield(i) end end)

  it("crosses as a function does, and comes back as itself", function()
    local sum = function(gen, n)
      local total = 0
      for i in gen(n) do total = total + i end
      return total
    end
    assert.equal(10, call(sum, count, 4))
    assert.equal(10, call(function() return sum(count, 4) end))
    assert.equal(count, echo(count))
  end)

  it("is one there too: a source, and no iterator", function()
    local inner = lacus.generator(function() yield "one" yield "two" end)
    local pool2 <close> = lacus.pool(1)
    assert.same({ "one", "two", n = 2 }, call(function() return pool2:map(inner, same):collect() end))
    assert.matches("iterator function expected, got generator function",
      call(function() return select(2, pcall(lacus.iter, inner)) end))
  end)

  it("that a worker made is one here", function()
    local made = call(script [[
      local step = ...
      return require "lacus".generator(function(n) for i = step, n, step do coroutine.yield(i) end end)
    ]], 3)
    local list = {}
    for i in made(9) do list[#list + 1] = i end
    assert.same({ 3, 6, 9 }, list)
  end)

  it("is refused if its body cannot be sent, with the way to it", function()
    local co = coroutine.create(same)
    fails.with("upvalue 'co' of function at spec/values_spec.lua:%d+: cannot send a coroutine",
      function() echo(lacus.generator(function() return co end)) end)
  end)
end)

describe("what cannot be sent", function()
  -- The error of sending `...` to a task.
  local function refusal(...)
    local ok, err = pcall(echo, ...)
    assert.is_false(ok)
    assert.equal("transfer", err.kind)
    return err.message
  end

  it("is refused with its name", function()
    assert.matches("cannot send a coroutine$", refusal(coroutine.create(same)))
    assert.matches("cannot send a FILE%* handle$", refusal(io.tmpfile()))
    assert.matches("cannot send a C function$", refusal((("x"):gmatch ".")))
    assert.matches("cannot send a lacus.generator$", refusal((lacus.range(1, 2))))
    assert.matches("cannot send a lacus.results$", refusal((pool:map({}, same))))
  end)

  it("is refused with the way to it", function()
    local co = coroutine.create(same)
    assert.matches("item 1, field .log.files%[2%]%.handle: cannot send a coroutine",
      refusal { log = { files = { 1, { handle = co } } } })
    assert.matches("item 1, value 3: cannot send", refusal(1, 2, co))
    assert.matches("value 2, field %[\"odd key\"%]%[true%]: cannot", refusal(1, { ["odd key"] = { [true] = co } }))
    assert.matches("a key: cannot send a coroutine", refusal { [co] = 1 })
  end)

  it("is refused with any key on the way, in print", function()
    local co = coroutine.create(same)
    local function way(key) return refusal({ [key] = co }):match "field (.*): cannot send" end
    assert.equal([=[["say \"\\\" twice"]]=], way [[say "\" twice]])
    assert.equal([=[["a\000b\010\127"]]=], way "a\0b\n\127")
    assert.equal([=[[""]]=], way "")
    assert.equal([=[["2nd"]]=], way "2nd")
    assert.equal("." .. ("x"):rep(60), way(("x"):rep(60)))
    assert.equal('["' .. ("x"):rep(40) .. '..."]', way(("x"):rep(61)))
    assert.equal("[false]", way(false))
    assert.equal("[-7]", way(-7))
    assert.equal("[1.5]", way(1.5))
    assert.equal("[a function]", way(same))
  end)

  it("is refused with the way through functions", function()
    local state = { co = coroutine.create(same) }
    local function inner() return state end
    assert.matches("item 1, field .f, upvalue 'inner' of function at .*values_spec.lua:%d+" ..
      ", upvalue 'state' of function at .*values_spec.lua:%d+, field .co: cannot send a coroutine",
      refusal { f = function() return inner end })
  end)

  it("fails its item alone", function()
    local co = coroutine.create(same)
    local good, bad = {}, {}
    for i, ok, v in pool:map({ 1, co, 3, { co }, 5 }, same, { on_error = "return" }) do
      if ok then good[#good + 1] = v else bad[#bad + 1] = { i, v.kind, v.index } end
    end
    assert.same({ 1, 3, 5 }, good)
    assert.same({ { 2, "transfer", 2 }, { 4, "transfer", 4 } }, bad)
  end)

  it("cannot be a result either, and the error tells which and where", function()
    local create, stdout = coroutine.create, io.tmpfile
    local err = fails.with("cannot send result%[2%]%.x%[1%]: a coroutine", call,
      function(f) return 1, { x = { create(f) } } end, same)
    assert.equal("transfer", err.kind)
    assert.equal(1, err.index)
    fails.with("cannot send result%[1%]: a FILE%* handle", call, function() return stdout() end)
  end)

  it("leaves the pool as it was", function()
    for _ = 1, 50 do pcall(echo, { { io.tmpfile() } }) end
    assert.same({ 1, { 2 } }, { echo(1, { 2 }) })
  end)
end)
