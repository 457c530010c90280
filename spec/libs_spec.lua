-- The option `libs`: a pool for code that one does not trust.

local lacus = require "lacus"
local fails = require "spec.support.fails"

-- What a task finds in its state: chunks of `load` have the true globals.
local has = load "local name = ... return _G[name] ~= nil"

local function run(pool, code, ...) return pool:submit(load(code), ...):get() end

local function failure(pool, f, ...)
  local future = pool:submit(f, ...)
  local ok, err = pcall(future.get, future)
  assert.is_false(ok)
  return err.kind, err.message
end

local names = { "coroutine", "debug", "io", "math", "os", "package", "string", "table", "utf8" }

describe("a pool with libs", function()
  it("has these libraries, and no others", function()
    for _, only in ipairs(names) do
      local pool <close> = lacus.pool { workers = 1, libs = { only } }
      for _, name in ipairs(names) do
        assert.equal(name == only, pool:submit(has, name):get(), name)
      end
    end
  end)

  it("has base in any case", function()
    local pool <close> = lacus.pool { workers = 1, libs = {} }
    assert.equal("number", run(pool, "return type(select('#', pcall(error)))"))
    local with <close> = lacus.pool { workers = 1, libs = { "base", "_G", "math" } }
    assert.equal(3, run(with, "return math.max(1, 3)"))
  end)

  it("gives strings no methods without the library string", function()
    local pool <close> = lacus.pool { workers = 1, libs = { "table" } }
    assert.same({ "error" }, { (failure(pool, load "return ('x'):rep(3)")) })
    local with <close> = lacus.pool { workers = 1, libs = { "string" } }
    assert.equal("xxx", run(with, "return ('x'):rep(3)"))
  end)

  it("refuses a name that is no library's", function()
    fails.with("option 'libs': there is no standard library 'strings'", lacus.pool, { libs = { "math", "strings" } })
    fails.with("option 'libs': there is no standard library '12'", lacus.pool, { libs = { 12 } })
    fails.with("option 'libs' must be an array of names", lacus.pool, { libs = "math" })
  end)

  it("runs functions of the script, their upvalues and what they require", function()
    local pool <close> = lacus.pool { workers = 1, libs = { "string" } }
    local n, rep = 2, string.rep
    assert.equal("abab", pool:submit(function(s) return rep(s, n) end, "ab"):get())
    assert.equal("AB", pool:submit("string.upper", "ab"):get())
  end)

  it("says which library is missing", function()
    local pool <close> = lacus.pool { workers = 1, libs = { "string" } }
    local time = os.time
    local _, message = failure(pool, function() return time() end)
    assert.matches("module 'os' is not found in this state", message)
    _, message = failure(pool, "os.time")
    assert.matches("module 'os' not found: the option 'libs' of this pool has no 'package'", message)
  end)

  it("has lacus by require, and nothing that is only called alike", function()
    local pool <close> = lacus.pool { workers = 1, libs = { "base", "string" } }
    local require, type = require, type
    assert.equal("function", pool:submit(function() return type(require("lacus").pool) end):get())
    for name, where in pairs { ["lacus.no_such"] = "no field package.preload",
                               lacusno = "option 'libs'", ["no.lacus"] = "option 'libs'" } do
      local _, message = failure(pool, function() require(name) end)
      assert.matches("module '" .. name .. "' not found:.*" .. where, message)
    end
  end)

  it("has lacus, and all that it can do with its own pool", function()
    for _, libs in ipairs { {}, { "package" }, names } do
      local pool <close> = lacus.pool { workers = 2, libs = libs }
      local got = pool:submit(load [[
        local pool = ...
        local lacus = require "lacus"
        local sum = 0
        for _, v in pool:map(lacus.range(1, 10), function(x) return x * x end) do sum = sum + v end
        local r = pool:reduce(lacus.range(1, 10), function(x) return x end, function(a, b) return a + b end)
        local f = pool:submit(function(x) return x + 1 end, 41)
        for done in lacus.as_completed { f } do sum = sum + done:get() end
        local g = 0
        for v in pool:generate(function() return 7 end) do g = g + v end
        return sum + r, pool:each({ 1, 2 }, function() end), #pool:broadcast(function() return 1 end)
      ]], pool)
      assert.same({ 385 + 42 + 55, 2, 2 }, { got:get() })
    end
  end)

  it("runs its init in such a state", function()
    local pool <close> = lacus.pool { workers = 1, libs = {}, init = load "mine, none = 1, io" }
    assert.same({ 1, nil }, { run(pool, "return mine, none") })
  end)

  it("has memory and recycling as others", function()
    local pool <close> = lacus.pool { workers = 1, libs = { "string" }, memory = 1 << 20 }
    assert.equal("memory", (failure(pool, load "local t = {} while true do t[#t + 1] = {} end")))
    pool:recycle()
    assert.is_false(pool:submit(has, "io"):get())
  end)

  it("cannot open a pool, nor use another", function()
    local pool <close> = lacus.pool { workers = 1, libs = {} }
    local other <close> = lacus.pool(1)
    local _, message = failure(pool, load "require 'lacus'.pool(1)")
    assert.matches("a task of a pool with 'libs' cannot open a pool", message)
    for _, code in ipairs {
      "(...):submit('os.time')", "(...):map({ 1 }, 'os.time')", "(...):map(function() coroutine.yield(print) end)()",
      "(...):generate('os.time')", "(...):broadcast('os.time')", "(...):each({ 1 }, 'os.time')",
    } do
      _, message = failure(pool, load(code:gsub("coroutine%.yield%(print%)", "return print")), other)
      assert.matches("may use its own pool alone", message)
    end
  end)
end)

describe("bytecode in a pool with libs", function()
  local pool, name

  setup(function()
    pool = lacus.pool { workers = 1, libs = names }
    name = os.tmpname()
    local f = assert(io.open(name, "wb"))
    f:write(string.dump(load "return 'loaded'"))
    f:close()
  end)
  teardown(function()
    pool:close()
    os.remove(name)
  end)

  local binary = string.dump(load "return 'loaded'")

  it("is refused by load, from a string or a function, in any mode", function()
    for _, mode in ipairs { "b", "bt", "t" } do
      local f, why = run(pool, "return load(...)", binary, "=x", mode)
      assert.is_nil(f)
      assert.matches("bytecode is refused", why)
    end
    assert.is_nil((run(pool, "return load((...))", binary)))
    local f, why = run(pool, [[
      local s = ...
      return load(function() local r = s s = nil return r end, '=x', 'bt')
    ]], binary)
    assert.is_nil(f)
    assert.matches("attempt to load a binary chunk", why)
  end)

  it("is refused by loadfile, dofile and require", function()
    assert.is_nil((run(pool, "return loadfile(...)", name)))
    assert.is_nil((run(pool, "return loadfile(..., 'b')", name)))
    local kind, message = failure(pool, load "dofile(...)", name)
    assert.equal("error", kind)
    assert.matches("binary chunk", message)
    kind, message = failure(pool, load "package.path = ... require 'x'", name)
    assert.equal("error", kind)
    assert.matches("error loading module 'x'.*binary chunk", message)
  end)

  it("is not made, and no C code is loaded", function()
    assert.same({ "nil", "nil" }, { run(pool, "return type(string.dump), type(package.loadlib)") })
    local _, message = failure(pool, load "package.path, package.cpath = '', ... require 'x'", name)
    assert.matches("no C module is loaded in a pool with 'libs'", message)
  end)

  it("leaves text as it is", function()
    local f = assert(io.open(name .. ".lua", "w"))
    f:write("return ...")
    f:close()
    assert.equal(7, run(pool, "local env = { x = 7 } return load('return x', '=x', 't', env)()"))
    assert.equal(7, run(pool, "x = 7 return load('return x')()"))
    assert.is_true(run(pool, "return not pcall(load('return x', '=x', nil, nil))"))
    assert.equal(5, run(pool, "return loadfile(...)(5)", name .. ".lua"))
    assert.is_nil(run(pool, "return dofile(...)", name .. ".lua"))
    assert.equal("m", run(pool, "package.path = ... return (require 'm')", name .. ".lua"))
    os.remove(name .. ".lua")
  end)
end)

describe("what comes out of a pool with libs", function()
  local pool

  setup(function() pool = lacus.pool { workers = 1, libs = { "package", "string", "coroutine" } } end)
  teardown(function() pool:close() end)

  it("is data", function()
    assert.same({ 1, "x", { { a = 1 } } }, { run(pool, "return 1, 'x', { { a = 1 } }") })
  end)

  it("is never a function, a class or a metatable made there", function()
    for code, what in pairs {
      ["return function() end"] = "a function made in a pool with 'libs'",
      ["return { { f = function() end } }"] = "a function made in a pool with 'libs'",
      ["return setmetatable({}, { __tostring = print })"] = "a class or metatable made in a pool with 'libs'",
      ["return { { __index = print } }"] = "a class or metatable made in a pool with 'libs'",
      ["return setmetatable({}, { __transfer = function() return function() return 1 end end })"] =
        "a function made in a pool with 'libs'",
      ["coroutine.yield(function() end)"] = "a function made in a pool with 'libs'",
    } do
      local results = pool:map({ 1 }, load(code))
      local ok, err = pcall(results)
      assert.is_false(ok)
      assert.equal("transfer", err.kind)
      assert.matches("cannot send result%[1%].*" .. fails.plain(what), err.message)
    end
  end)

  it("names no module of the receiver's but standard ones", function()
    local kind, message = failure(pool, load [[
      package.loaded.busted = { f = print, g = function() end }
      return package.loaded.busted.g
    ]])
    assert.equal("transfer", kind)
    assert.matches("a function made in", message)
    assert.equal(string.rep, run(pool, "return string.rep"))
  end)

  it("may be what the script had sent", function()
    local class = { twice = function(self) return self.x * 2 end }
    class.__index = class
    local function f() return class end
    local back, same = pool:submit(function(o, g) return o, g end, setmetatable({ x = 21 }, class), f):get()
    assert.equal(42, back:twice())
    assert.equal(class, getmetatable(back))
    assert.equal(f, same)
  end)

  it("is an error whose value had to stay, and that says so", function()
    local kind, message = failure(pool, load "error(setmetatable({}, { __tostring = function() return 'mine' end }))")
    assert.equal("error", kind)
    assert.matches("^mine %(the error value cannot be sent: .*made in a pool with 'libs'", message)
  end)
end)

