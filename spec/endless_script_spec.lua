-- Scripts that end, one way or another, while tasks run that never would.
local proc = require "spec.support.proc"

local spinning = [[
  local lacus = require "lacus"
  local pool = lacus.pool(2)
  local function spin() while true do pcall(function() while true do end end) end end
]]

local function script(source)
  return proc.script(spinning .. source)
end

describe("a script whose workers spin #notsan", function()
  it("ends by Ctrl-C in a loop over results, as lua would", function()
    local got = script [[
      for _ in pool:map({ 1, 2 }, function(x)
        if x == 2 then io.popen("kill -INT $PPID"):close() end
        spin()
      end) do end
    ]]
    assert.equal(1, got.status)
    assert.matches("interrupted!\nstack traceback:", got.err, 1, true)
  end)

  it("ends by Ctrl-C in a wait for a future", function()
    local got = script [[
      pool:submit(spin)
      pool:submit(function() io.popen("kill -INT $PPID"):close() spin() end):get()
    ]]
    assert.equal(1, got.status)
    assert.matches("interrupted!\nstack traceback:", got.err, 1, true)
  end)

  it("ends by Ctrl-C in a coroutine that waits for a future, or for results", function()
    for _, wait in ipairs { "pool:submit(stop):get()", "for _ in pool:map({ 1 }, stop) do end",
      "pool:submit(stop) pool:close()", "pool:submit(stop) lacus.sleep(math.huge)",
      "for _ in pool:generate(stop) do end" } do
      local got = script(([[
        local function stop() io.popen("kill -INT $PPID"):close() spin() end
        local gen = lacus.generator(function()
          coroutine.wrap(function() pcall(function() %s end) end)()
        end)
        for _ in gen() do end
        pool:submit(spin):get()              -- and it is not forgotten
      ]]):format(wait))
      assert.equal(1, got.status)
      assert.matches("interrupted!\nstack traceback:", got.err, 1, true)
    end
  end)

  -- #host: the handler of `lua` knows one state.
  it("ends by Ctrl-C in a task that runs in its own thread #host", function()
    local got = script [[
      local inlined = lacus.pool(0)
      inlined:submit(function()
        io.popen("kill -INT $PPID"):close()
        coroutine.wrap(function() while true do end end)()
      end):get()
    ]]
    assert.equal(1, got.status)
    assert.matches("interrupted!\nstack traceback:", got.err, 1, true)
  end)

  it("ends by Ctrl-C when it has come to its end and waits for them", function()
    local got = script [[
      local name = os.tmpname()              -- gone when the script is at its end
      pool:submit(spin)
      pool:submit(function()
        local file
        repeat
          file = io.open(name)
          if file then file:close() end
        until not file
        io.popen("kill -INT $PPID"):close()
        spin()
      end)
      print "end"
      os.remove(name)
    ]]
    assert.equal("end\n", got.out)
    assert.is_true(got.status ~= 0 or got.signal ~= nil)
  end)

  it("ends by an error, with its status, and waits for nothing", function()
    local got = script [[ pool:submit(spin) error "boom" ]]
    assert.equal(1, got.status)
    assert.matches("boom\nstack traceback:", got.err, 1, true)
  end)

  it("ends so when the error comes from a coroutine, or the pool was opened in one", function()
    assert.equal(1, script("pool:submit(spin) coroutine.wrap(error) 'boom'").status)
    assert.equal(1, proc.script([[
      local lacus = require "lacus"
      coroutine.wrap(function()
        pool = lacus.pool(1)
        pool:submit(function() while true do end end)
      end)()
      local x = nil + 1
    ]]).status)
  end)

  it("goes on when it has caught one", function()
    local got = script [[
      print(pcall(error, "caught"))
      print(xpcall(error, function(e) return "handled " .. e end, "this"))
      print(pool:submit(function() return "well" end):get())
      os.exit(4)
    ]]
    assert.equal("false\tcaught\nfalse\thandled this\nwell\n", got.out)
    assert.equal(4, got.status)
  end)

  it("is waited for when it ends well after it has caught one", function()
    local got = proc.script [[
      local lacus = require "lacus"
      local pool = lacus.pool(1)
      pcall(error, "caught")
      pool:submit(function() require "lacus".sleep(0.05) print "done" end)
    ]]
    assert.equal("done\n", got.out)
    assert.equal(0, got.status)
  end)

  -- Word for word what the interpreter says of a script that knows nothing of lacus.
  for what, failing in pairs {
    ["a string"] = 'error "boom"', ["a string without a place"] = 'error("boom", 0)', ["nil"] = "error()",
    ["a table"] = "error {}", ["an operator"] = "local x = {} + 1", ["a call"] = "string.rep()",
    ["a text that looks like a traceback"] = [[error "x\nstack traceback:\n\t[C]: in ?\n\t[C]: in ?"]],
    ["an object with a text"] = "error(setmetatable({}, { __tostring = function() return 'as text' end }))",
    ["a coroutine"] = "coroutine.wrap(function() error 'boom' end)()",
  } do
    it("fails with the message and the traceback that it has otherwise: " .. what, function()
      local plain = proc.script("local pool, spin = 1, 2\n" .. failing)
      local got = proc.script("pool = require 'lacus'.pool(1) pool:submit(function() while true do end end)\n"
        .. failing)
      assert.equal((plain.err:gsub("/%S*/lua_%w+", "NAME")), (got.err:gsub("/%S*/lua_%w+", "NAME")))
      assert.equal(plain.status, got.status)
    end)
  end

  it("ends by an error in a block that has the pool", function()
    local got = proc.script [[
      local lacus = require "lacus"
      local pool <close> = lacus.pool(2)
      pool:submit(function() while true do end end)
      error "boom"
    ]]
    assert.equal(1, got.status)
    assert.matches("boom\nstack traceback:", got.err, 1, true)
  end)

  for _, how in ipairs { "3", "3, false" } do
    it("ends by os.exit(" .. how .. ") with that status", function()
      local got = script("pool:submit(spin) os.exit(" .. how .. ")")
      assert.equal(3, got.status)
      assert.equal("", got.err)
    end)
  end

  it("ends by os.exit(3, true) too", function()
    local got = script "pool:submit(spin) os.exit(3, true)"
    assert.equal(3, got.status)
  end)
end)
