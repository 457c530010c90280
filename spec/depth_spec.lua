-- Depth: what overflows a stack, Lua's or C's, is an ordinary error of its task.

local lacus = require "lacus"

-- Chunks of `load` have the true globals. `where` is the message it must have.
local deep = {
  ["Lua calls without end"] = { "stack overflow", [[
    local function f() return 1 + f() end
    return f()
  ]] },
  ["a metamethod that calls itself"] = { "overflow", [[
    local t = setmetatable({}, {})
    getmetatable(t).__index = function(u, k) return u[k + 1] end
    return t[1]
  ]] },
  ["__concat, __eq and __tostring that call themselves"] = { "overflow", [[
    local t = setmetatable({}, {})
    getmetatable(t).__tostring = function(u) return tostring(u) end
    return tostring(t)
  ]] },
  ["a sort whose order sorts"] = { "overflow", [[
    local function f(a, b) table.sort({ 3, 2, 1 }, f) return a < b end
    return f(1, 2)
  ]] },
  ["gsub within gsub"] = { "overflow", [[
    local function f() return (("x"):gsub("x", f)) end
    return f()
  ]] },
  ["coroutines in coroutines"] = { "overflow", [[
    local function f() return coroutine.wrap(f)() end
    return f()
  ]] },
  ["pcall in pcall"] = { "overflow", [[
    local function f() return select(2, pcall(f)) end
    local e = f()
    error(e, 0)
  ]] },
  ["require of itself in many names"] = { "overflow", [[
    for i = 1, 500 do package.preload["m" .. i] = function() return require("m" .. i + 1) end end
    return require "m1"
  ]] },
  ["source nested too deep"] = { "overflow", [[
    return assert(load("return " .. ("("):rep(100000) .. "1" .. (")"):rep(100000)))
  ]] },
  ["tables nested too deep in source"] = { "overflow", [[
    return assert(load("return " .. ("{"):rep(100000) .. ("}"):rep(100000)))
  ]] },
  ["functions nested too deep in source"] = { "overflow", [[
    return assert(load(("return function() "):rep(1000) .. (" end"):rep(1000)))
  ]] },
  ["a pattern too complex"] = { "pattern too complex", [[
    return ("x"):rep(300000):find(("(.-)"):rep(1) .. ("x?"):rep(300000) .. "y")
  ]] },
  ["too many values to unpack"] = { "too many results to unpack", [[
    return table.unpack({}, 1, 1e8)
  ]] },
  ["too many captures"] = { "too many captures", [[
    return ("x"):rep(100):find(("(x)"):rep(40))
  ]] },
  ["a string that is too long"] = { "too large", [[
    return ("x"):rep(1 << 62)
  ]] },
  ["an error in an error handler"] = { "", [[
    local ok, e = xpcall(error, function(m) error(m) end, "first")
    assert(not ok)
    error(e, 0)
  ]] },
  ["an error whose __tostring overflows"] = { "", [[
    local function f() return 1 + f() end
    error(setmetatable({}, { __tostring = f }))
  ]] },
  ["an error whose __tostring raises"] = { "", [[
    error(setmetatable({}, { __tostring = function() error "no" end }))
  ]] },
  ["a <close> variable that overflows"] = { "stack overflow", [[
    local function f() return 1 + f() end
    local c <close> = setmetatable({}, { __close = f })
    error "first"
  ]] },
}

local after = load "local function f(i) return i == 0 and 42 or f(i - 1) end return (f(10000))"

for where, options in pairs {
  ["in a worker"] = { workers = 1 },
  ["in a worker with the smallest stack #noasan #notsan"] = { workers = 1, stack = 2^19 },
  ["without threads"] = { workers = 0 },
} do
  describe(where, function()
    local pool

    setup(function() pool = lacus.pool(options) end)
    teardown(function() pool:close() end)

    for name, case in pairs(deep) do
      it(name .. " fails the task, and no more", function()
        local future = pool:submit(load(case[2], "=deep"))
        local ok, err = pcall(future.get, future)
        assert.is_false(ok)
        assert.equal("error", err.kind)
        assert.matches(case[1], err.message)
        assert.equal(42, pool:submit(after):get())
      end)
    end

    it("recursion as deep as Lua allows returns", function()
      assert.equal(150000, pool:submit(load [[
        local function f(i) if i == 0 then return 0 end return 1 + f(i - 1) end
        return f(150000)
      ]]):get())
    end)

    it("an overflow within a yielding task is the task's", function()
      local results = pool:map({ 1 }, load [[
        coroutine.yield(1)
        local function f() return 1 + f() end
        return f()
      ]])
      local _, first = results:next()
      local ok, err = pcall(results.next, results)
      assert.same({ 1, false, "error" }, { first, ok, err.kind })
    end)
  end)
end
