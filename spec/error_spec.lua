-- luacheck: ignore 512 (loops that break at once are what is tested)
-- What fails in a worker, and how the reader learns of it.
local lacus = require "lacus"
local fails = require "spec.support.fails"
local proc = require "spec.support.proc"

-- Tasks use no globals, for busted's are not Lua's.
local error, pcall = error, pcall
local function same(...) return ... end

local script = require("spec.support.script").plain

local pool

setup(function() pool = lacus.pool(2) end)
teardown(function() pool:close() end)

-- The error object of the one task f(...).
local function failure(f, ...)
  local args = table.pack(...)
  local results <close> = pool:map(lacus.generator(function()
    coroutine.yield(table.unpack(args, 1, args.n))
  end)(), f)
  local ok, err = pcall(results)
  assert.is_false(ok)
  return err
end

describe("an error in a task", function()
  it("is raised where its result is awaited", function()
    fails.with("bad item", function()
      for _ in pool:map({ 1 }, function() error "bad item" end) do end
    end)
    local results = pool:map({ 1 }, function() error "bad item" end)
    fails.with("bad item", results.next, results)
  end)

  it("is an object that says what, where and why", function()
    local function deep(x) error("bad " .. x) end
    local err = failure(function(x, y) deep(x) return y end, "item", 2)
    assert.equal("error", err.kind)
    assert.matches("^[^\n]*error_spec.lua:%d+: bad item$", err.message)
    assert.equal(err.message, err.value)
    assert.equal(1, err.index)
    assert.equal("item", err.item)
    assert.same({ "item", 2, n = 2 }, err.items)
    assert.is_true(err.worker == 1 or err.worker == 2)
    assert.equal(1, err.attempt)
  end)

  it("has the worker's traceback, with files and lines", function()
    local function deep() error "bad" end
    local function task() deep() return 1 end
    local at = debug.getinfo(task, "S").linedefined
    local err = failure(task)
    assert.matches("^stack traceback:\n", err.traceback)
    assert.matches("error_spec.lua:" .. at - 1 .. ": in ", err.traceback)
    assert.matches("error_spec.lua:" .. at .. ": in ", err.traceback)
  end)

  it("shows none of lacus's own frames", function()
    local err = failure(function() error "bad" end)
    assert.not_matches("%[C%]: in %?", err.traceback)
  end)

  it("reads like an error of Lua, tracebacks under it: the worker's, then ours", function()
    local err = failure(function() error "bad" end)
    local head = err.message .. "\n" .. err.traceback .. "\n\t(in worker " .. err.worker .. ", awaited by)\n"
    local text = tostring(err)
    assert.equal(head, text:sub(1, #head))
    assert.equal("stack traceback:\n" .. text:sub(#head + 1), err.caller)
  end)

  it("says who waited for it, if it was raised", function()
    local at = debug.getinfo(1, "l").currentline + 1
    local ok, err = pcall(function() return pool:submit(error, "x"):get() end)
    assert.is_false(ok)
    assert.matches("error_spec.lua:" .. at .. ": in ", err.caller)
    local _, _, returned = pool:map({ 1 }, function() error "x" end, { on_error = "return" })()
    assert.is_nil(returned.caller)
    assert.equal(returned.message .. "\n" .. returned.traceback, tostring(returned))
  end)

  it("joins the tracebacks of tasks that wait for tasks, under the first message", function()
    local err = fails.with("", function()
      pool:submit(function()
        pool:submit(function()
          pool:submit(function() error "deep" end):get()
        end):get()
      end):get()
    end)
    local at = debug.getinfo(1, "l").currentline - 4
    assert.matches("^[^\n]*:" .. at .. ": deep$", err.message)
    local where = {}
    for line in tostring(err):gmatch "error_spec.lua:(%d+): in function <" do
      where[#where + 1] = tonumber(line) - at
    end
    assert.same({ 0, 0, -1, -2 }, { where[1], where[2], where[3], where[4] })
    assert.equal("error", err.kind)
    assert.equal("deep", err.value.value.value:match "deep$")
  end)

  it("joins text as text does", function()
    local err = failure(function() error("bad", 0) end)
    assert.equal("it is " .. tostring(err), "it is " .. err)
    assert.equal(tostring(err) .. 7, err .. 7)
  end)

  it("reads like one still when a script has taken its fields away", function()
    local err = failure(function() error "bad" end)
    err.caller = err.traceback
    err.worker = nil
    assert.equal(err.message .. "\n" .. err.traceback .. "\n\t(awaited by)\n",
      tostring(err):match "^.-awaited by%)\n")
    err.message, err.traceback, err.caller = nil, 7, {}
    assert.equal("lacus error", tostring(err))
  end)

  it("is raised anew without its message all the same", function()
    local err = failure(function(inner)
      local _, object = pcall(inner.get, inner)
      object.message = nil
      error(object)
    end, pool:submit(function() error "bad" end))
    assert.matches("^lacus error\nstack traceback:\n", err.message)
    assert.equal("error", err.value.kind)
  end)

  it("goes through error, assert, pcall and coroutines as it is", function()
    local err = failure(function() error "bad" end)
    assert.equal(err, select(2, pcall(error, err)))
    assert.equal(err, select(2, pcall(_G.assert, false, err)))
    assert.equal(err, select(2, coroutine.resume(coroutine.create(error), err)))
    assert.equal(lacus.Error, getmetatable(err))
  end)

  it("knows its place in the source", function()
    local seen = {}
    for i, ok, err in pool:map(lacus.range(1, 100), function(x)
      if x % 10 == 0 then error(x) end
    end, { on_error = "return" }) do
      if not ok then
        assert.same({ i, i, i }, { err.index, err.item, err.value })
        seen[#seen + 1] = i
      end
    end
    assert.equal(10, #seen)
  end)

  it("may have any value, which is kept", function()
    for _, value in ipairs { 42, 1.5, true, false, "text", { code = 7, list = { 1 } } } do
      assert.same(value, failure(function(v) error(v, 0) end, value).value)
    end
    assert.is_nil(failure(function() error() end).value)
  end)

  it("has a message whatever its value is", function()
    assert.equal("text", failure(function() error("text", 0) end).message)
    assert.equal("42", failure(function() error(42) end).message)
    assert.equal("(error object is a nil value)", failure(function() error() end).message)
    assert.equal("(error object is a table value)", failure(function() error {} end).message)
    assert.equal("(error object is a function value)", failure(function() error(error) end).message)
  end)

  it("takes its message from __tostring", function()
    local setmetatable = setmetatable
    local err = failure(function()
      error(setmetatable({}, { __tostring = function() return "mine" end }))
    end)
    assert.matches("^mine", err.message)
  end)

  it("survives a __tostring that fails of the same error, without end", function()
    local err = failure(function()
      local value = setmetatable({}, {})
      getmetatable(value).__tostring = function() error(value) end
      error(value)
    end)
    assert.equal("error", err.kind)
    assert.matches("stack overflow", err.message)
  end)

  it("survives a __tostring that fails", function()
    local setmetatable = setmetatable
    local err = failure(function()
      error(setmetatable({}, { __tostring = function() error "worse" end }))
    end)
    assert.equal("error", err.kind)
    assert.is_string(err.message)
  end)

  it("with a value that cannot be sent is told all the same", function()
    local create = coroutine.create
    local err = failure(function() error { co = create(same) } end)
    assert.equal("error", err.kind)
    assert.is_nil(err.value)
    assert.matches("cannot be sent: value.co: a coroutine", err.message)
    assert.matches("error_spec.lua:%d+", err.traceback)
  end)

  it("with a value whose __transfer fails is told all the same", function()
    local setmetatable = setmetatable
    local err = failure(function()
      error(setmetatable({}, {
        __tostring = function() return "what went wrong" end,
        __transfer = function() error("not this one", 0) end,
      }))
    end)
    assert.equal("error", err.kind)
    assert.is_nil(err.value)
    assert.equal("what went wrong (the error value cannot be sent: not this one)", err.message)
  end)

  it("comes without its item where that cannot be sent back", function()
    local err = failure(script [[
      local t = ...
      error("oops", 0)
    ]], setmetatable({}, { __transfer = function()
      return load [[
        local t = setmetatable({}, { __transfer = function() error "once only" end })
        return t
      ]]
    end }))
    assert.same({ "error", "oops" }, { err.kind, err.message })
    assert.is_nil(err.item)
  end)

  it("may come from C, or from Lua itself", function()
    assert.matches("attempt to index a nil value", failure(function(t) return t.x.y end, {}).message)
    assert.matches("bad argument #1 to '[%a.]*rep'", failure(string.rep).message)
  end)

  it("may be an endless recursion", function()
    local err = failure(script "local function f() return 1 + f() end return f()")
    assert.matches("stack overflow", err.message)
  end)

  it("may come out of <close>", function()
    local setmetatable = setmetatable
    local err = failure(function()
      local _ <close> = setmetatable({}, { __close = function() error "in closing" end })
      return 1
    end)
    assert.matches("in closing", err.message)
  end)

  it("caught in the task is none", function()
    assert.is_false(select(2, pool:map({ 1 }, function() return (pcall(error, "x")) end)()))
  end)

  it("of a map in a task reaches the outer reader", function()
    local err = failure(script [[
      local pool <close> = require "lacus".pool(1)
      for _ in pool:map({ 1 }, function() local x = nil; return x.y end) do end
    ]])
    assert.matches("attempt to index a nil value %(local 'x'%)", tostring(err))
  end)
end)

describe("after an error", function()
  it("the loop is over, and its source closed", function()
    local gen = lacus.range(1, 1000000)
    pcall(function() for _ in pool:map(gen, function() error "x" end) do end end)
    assert.equal("dead", gen:status())
  end)

  it("whoever asks on gets the other results", function()
    local results = pool:map(lacus.range(1, 10), function(x)
      if x % 2 == 0 then error(x) end
      return x
    end, { ordered = true })
    for i = 1, 10 do
      local ok, a, b = pcall(results.next, results)
      if i % 2 == 0 then assert.same({ false, i }, { ok, a.index })
      else assert.same({ true, i, i }, { ok, a, b }) end
    end
    assert.is_nil(results:next())
  end)

  it("the worker lives on, globals and all", function()
    local single <close> = lacus.pool(1)
    local results = single:map({ 1, 2, 3 }, script [[
      count = (count or 0) + 1
      if ... == 2 then error "x" end
      return count
    ]], { ordered = true, on_error = "return" })
    assert.same({ 1, true, 1 }, { results() })
    assert.is_false(select(2, results()))
    assert.same({ 3, true, 3 }, { results() })
  end)

  it("the worker lives on after a thousand more", function()
    local failed = 0
    for _, ok in pool:map(lacus.range(1, 1000), function(x) error { x } end,
      { on_error = "return" }) do
      if not ok then failed = failed + 1 end
    end
    assert.equal(1000, failed)
    assert.same({ 1, n = 1 }, pool:map({ 1 }, same):collect())
  end)

  -- (Lua takes long for a traceback of so deep a stack: few will do.)
  it("the worker lives on after stack overflows", function()
    local overflow = script "local function f() return 1 + f() end return f()"
    for _, ok in pool:map({ 1, 2, 3 }, overflow, { on_error = "return" }) do
      assert.is_false(ok)
    end
    assert.same({ 1, n = 1 }, pool:map({ 1 }, same):collect())
  end)
end)

describe("on_error", function()
  local function picky(x)
    if x == 2 then error("no twos", 0) end
    return x * 10
  end

  it("= 'return' gives what pcall would", function()
    local list = {}
    for i, ok, value in pool:map({ 1, 2, 3 }, picky, { on_error = "return" }) do
      list[i] = { ok, ok and value or value.message }
    end
    assert.same({ { true, 10 }, { false, "no twos" }, { true, 30 } }, list)
  end)

  it("= 'return' gives nil and false as what they are: values of an error", function()
    for _, value in ipairs { false, "nil" } do
      local _, ok, err = pool:map({ value }, function(v)
        if v == false then error(false) end
        error(nil)
      end, { on_error = "return" })()
      assert.is_false(ok)
      assert.equal(value == false and "boolean" or "nil", type(err.value))
      assert.equal("error", err.kind)
    end
  end)

  it("= 'return' gives true and no more for a task without results", function()
    local results <close> = pool:map({ 1 }, function() end, { on_error = "return" })
    assert.same({ 1, true, n = 2 }, table.pack(results()))
  end)

  it("= 'skip' leaves failures out, and keeps the places", function()
    local list = {}
    for i, value in pool:map({ 1, 2, 3 }, picky, { on_error = "skip" }) do list[i] = value end
    assert.same({ 10, nil, 30 }, list)
  end)

  it("= 'skip' ends well when all fail", function()
    for _ in pool:map(lacus.range(1, 500), function() error "x" end, { on_error = "skip" }) do
      error "there is nothing to see"
    end
  end)

  it("= 'raise' is what happens when nothing is said", function()
    for _, options in ipairs { {}, { on_error = "raise" } } do
      fails.with("no twos", function()
        for _ in pool:map({ 1, 2, 3 }, picky, options) do end
      end)
    end
  end)

  it("treats items that cannot be sent like tasks that fail", function()
    local co = coroutine.create(same)
    local list = {}
    for i, v in pool:map({ 1, co, 3 }, same, { on_error = "skip" }) do list[i] = v end
    assert.same({ 1, nil, 3 }, list)
    local err = fails.with("item 2: cannot send a coroutine", function()
      for _ in pool:map({ 1, co, 3 }, same, { ordered = true }) do end
    end)
    assert.same({ "transfer", 2 }, { err.kind, err.index })
  end)
end)

describe("os.exit in a task", function()
  it("fails the task, and nothing else", function()
    local exit = os.exit
    local err = failure(function() exit(3) end)
    assert.equal("error", err.kind)
    assert.matches("os.exit called in a worker", err.message)
    assert.matches("os.exit", failure(script "os.exit()").message)
    assert.same({ 1, n = 1 }, pool:map({ 1 }, same):collect())
  end)
end)

describe("an error in a finalizer of a worker", function()
  -- What the script says on stderr when one happens, under these options of the host.
  local function said(init, ...)
    local name = os.tmpname()
    local f = _G.assert(io.open(name, "w"))
    f:write(([[
      local pool <close> = require "lacus".pool { workers = 1, init = %s }
      pool:submit(function()
        setmetatable({}, { __gc = function() error "in gc" end })
        collectgarbage()
      end):get()
    ]]):format(init))
    f:close()
    local args = { proc.this, ... }
    args[#args + 1] = name
    local got = proc.run(args)
    os.remove(name)
    assert.equal(0, got.status)
    return got.err
  end

  it("is a warning, which is off as in any Lua", function()
    assert.equal("", said "nil")
  end)

  it("is seen where init turns warnings on", function()
    assert.matches("^Lua warning: error in __gc.*in gc%)\n$", said "function() warn '@on' end")
  end)

  it("is hidden again by @off, and by no other control message", function()
    assert.matches("^Lua warning: error in __gc", said "function() warn '@on' warn '@strange' end")
    assert.equal("", said "function() warn '@on' warn '@off' end")
  end)

  it("is seen where they are on in the script of the host #host", function()
    assert.matches("^Lua warning: error in __gc.*in gc%)\n$", said("nil", "-W"))
  end)
end)

describe("an item that the worker cannot read", function()
  it("fails alone, of whatever was raised there", function()
    local function broken(value)
      return setmetatable({}, { __transfer = function() return error, value end })
    end
    local said = {}
    for i, ok, v in pool:map({ broken "dry", 2, broken {}, broken(false) }, same, { on_error = "return" }) do
      said[i] = ok and v or v.kind .. ": " .. v.message
    end
    assert.same({ "transfer: dry", 2, "transfer: (error object is a table value)",
      "transfer: (error object is a boolean value)" }, said)
  end)
end)

describe("a result that this side cannot read", function()
  it("fails its item alone, with what is missing", function()
    local only_there = script [[
      package.loaded["spec.only_there"] = { print2 = string.gmatch("x", ".") }
      if ... == 2 then return package.loaded["spec.only_there"].print2 end
      return ...
    ]]
    local list = {}
    for i, ok, v in pool:map({ 1, 2, 3 }, only_there, { on_error = "return" }) do
      list[i] = ok and v or v
      if i == 2 then
        assert.is_false(ok)
        assert.equal("transfer", v.kind)
        assert.equal(2, v.index)
        assert.matches("spec.only_there", v.message)
      end
    end
    assert.same({ 1, 3 }, { list[1], list[3] })
  end)
end)

describe("an uncaught error of a task", function()
  local uncaught = [[
    local lacus = require "lacus"
    local pool = lacus.pool(2)
    local function deep(x) error("bad " .. x) end
    for i in pool:map({ "item" }, function(x) deep(x) return i end) do end
  ]]

  it("ends the script with a message, both tracebacks and status 1", function()
    local got = proc.script(uncaught)
    assert.equal(1, got.status)
    assert.matches(":3: bad item\n", got.err)
    assert.matches(":3: in .*:4: in .*awaited by.*:4: in main chunk", got.err)
    assert.equal("", got.out)
  end)
end)
