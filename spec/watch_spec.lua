-- What one sees of tasks that run: pool:tasks(), the watchdog, what is reported.
local lacus = require "lacus"
local gate = require "spec.support.gate"
local fails = require "spec.support.fails"
local proc = require "spec.support.proc"

local spin = load([[
  local open, name = ...
  local function inner() while true do end end
  open(name)
  inner()
  return 1
]], "=spin")

describe("pool:tasks #notsan", function()
  it("says which item runs on which worker, since when, and where", function()
    local pool <close> = lacus.pool(1)
    local held = gate.new()
    local call = load [[
      local f, open, name = ...
      return function(x) if x == 2 then return f(open, name) end return x end
    ]]
    local results = pool:map({ 1, 2, 3 }, call(spin, gate.open, held))
    assert.equal(1, results:next())
    gate.wait(held)
    local tasks
    gate.await(function()
      tasks = pool:tasks()
      return #tasks == 1 and tasks[1].traceback ~= nil
    end)
    assert.equal(1, tasks[1].worker)
    assert.equal(2, tasks[1].index)
    assert.is_true(tasks[1].seconds >= 0)
    assert.matches("spin:2: in local 'inner'", tasks[1].traceback, 1, true)
    results:close()
    os.remove(held)
  end)

  it("is empty when nothing runs", function()
    local pool <close> = lacus.pool(2)
    pool:submit(function() end):get()
    gate.await(function() return #pool:tasks() == 0 end)
  end)

  it("leaves out where, for a worker in a long call of C #noasan", function()
    local got = proc.script [[
      local lacus = require "lacus"
      local pool <close> = lacus.pool { workers = 1, grace = 0.1 }
      local future = pool:submit(function() return (("a"):rep(40)):find(("a-"):rep(40) .. "b") end)
      local where, begun = "not begun", lacus.now()
      repeat                                  -- for a moment, it is on its way to find
        local task = pool:tasks()[1]
        if task then where = task.traceback end
      until where == nil or lacus.now() - begun > 30
      print(where)
      future:cancel()
    ]]
    assert.equal("nil\n", got.out)
  end)

  it("may be asked by a task, which is among them", function()
    local pool <close> = lacus.pool(1)
    local tasks = pool:submit(load [[ return (...):tasks() ]], pool):get()
    assert.equal(1, #tasks)
    assert.is_nil(tasks[1].traceback)
  end)
end)

describe("the watchdog #notsan", function()
  local function warned(source)
    local got = proc.script("warn '@on' local lacus = require 'lacus'\n" .. source)
    assert.equal(0, got.status)
    return got.err
  end

  it("warns of a task that runs too long, once, and says where", function()
    local err = warned [[
      local pool <close> = lacus.pool { workers = 1, watchdog = 0.05 }
      local function inner() local t = lacus.now() while lacus.now() < t + 0.6 do end end
      pool:submit(function() inner() return 1 end):get()
    ]]
    local _, n = err:gsub("lacus: a task has run for", "")
    assert.equal(1, n)
    assert.matches("on worker worker%-1\nstack traceback:", err)
    assert.matches("in upvalue 'inner'", err, 1, true)
  end)

  it("says nothing of those that do not", function()
    assert.equal("", warned [[
      local pool <close> = lacus.pool { workers = 1, watchdog = 60 }
      pool:submit(function() return 1 end):get()
    ]])
  end)

  it("is a time", function()
    for _, wrong in ipairs { 0, -1, "soon", true } do
      fails.here("option 'watchdog' must be a number of seconds above 0", function()
        lacus.pool { watchdog = wrong }
      end)
    end
  end)
end)

describe("an abandoned worker #notsan #noasan", function()
  it("is reported by a warning", function()
    local got = proc.script [[
      warn "@on"
      local lacus = require "lacus"
      local pool <close> = lacus.pool { workers = 1, grace = 0.05 }
      local f = pool:submit(function() return (("a"):rep(40)):find(("a-"):rep(40) .. "b") end)
      repeat local t = pool:tasks() until #t == 1 and not t[1].traceback      -- in C
      f:cancel()
      print(pool:submit(function() return 42 end):get())
    ]]
    assert.equal("42\n", got.out)
    assert.equal("Lua warning: lacus: worker worker-1 did not stop within its grace of 0.05 seconds: "
      .. "it was abandoned\n", got.err)
  end)
end)
