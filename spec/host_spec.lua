-- The `lacus` command against stock `lua`: the same words, input and environment
-- must give the same output, the same errors and the same status. #host

local proc = require "spec.support.proc"

-- Messages begin with the program's own name; nothing else may differ.
local function run(program, words, options)
  local result = proc.run({ program, table.unpack(words) }, options)
  for _, stream in ipairs { "out", "err" } do
    local plain = program:gsub("%p", "%%%0")
    result[stream] = result[stream]:gsub(plain, "PROGRAM")
  end
  return result
end

local function same(words, options)
  local wanted = run(proc.lua, words, options)
  assert.same(wanted, run(proc.lacus, words, options))
  return wanted
end

local function with_file(source, check)
  local name = os.tmpname()
  local f = assert(io.open(name, "wb"))
  f:write(source)
  f:close()
  local ok, err = pcall(check, name)
  os.remove(name)
  if not ok then error(err, 0) end
end

local show_arg = [[
  for i = -6, 6 do io.write(i, "=", tostring(arg[i]), " ") end
  print(#arg, ...)
]]

describe("lacus as lua #host", function()
  describe("scripts", function()
    it("get their arguments in arg and in ...", function()
      with_file(show_arg, function(name) same { name, "one", "two words", "" } end)
    end)

    it("see the options before them at negative indices", function()
      with_file(show_arg, function(name) same { "-W", "-e", "x = 1", "--", name, "-v" } end)
    end)

    it("come from standard input with - and keep their arguments", function()
      same({ "-", "one", "-e" }, { stdin = show_arg })
      same({ "-E", "-", "two" }, { stdin = show_arg })
    end)

    it("come from standard input when there is nothing else to do", function()
      same({}, { stdin = show_arg })
      same({ "-W" }, { stdin = show_arg })
      same({}, { stdin = "error 'no status'" })
    end)

    it("called - are files after --", function()
      same({ "--", "-" }, { stdin = "print 'not me'" })
    end)

    it("may begin with a #! line and keep their line numbers", function()
      with_file("#!/usr/bin/env lua\nerror 'line two'", function(name) same { name } end)
    end)

    it("may be bytecode", function()
      with_file(string.dump(load "print('compiled', ...)"), function(name) same { name, 7 } end)
    end)

    it("that do not exist or do not parse fail with status 1", function()
      same { "/nowhere/at/all.lua" }
      with_file("x = = 1", function(name) same { name } end)
    end)

    it("get what an earlier -e left in arg", function()
      with_file("print(...)", function(name)
        same { "-e", "arg = {'a', 'b'}", name, "c" }
        same { "-e", "arg = nil", name }
      end)
    end)
  end)

  describe("options", function()
    it("-e runs in order, and ends the program when nothing follows", function()
      same({ "-e", "x = 1", "-ex = x + 1", "-e", "print(x)" }, { stdin = "print 'unread'" })
      same { "-e", "error 'stop'", "-e", "print 'never'" }
      same { "-e", "x = = 1" }
    end)

    it("-l requires a module into a global", function()
      same { "-l", "string", "-lm=math", "-e", "print(m == math, string.rep('x', 3))" }
      same { "-l", "no.such.module" }
    end)

    it("-W turns warnings on, which are off before", function()
      same { "-W", "-e", "warn('a ', 'b')" }
      same { "-e", "warn 'silent' warn '@on' warn 'loud'" }
    end)

    it("LUA_INIT runs first, the versioned name before the other", function()
      same({ "-e", "print(x)" }, { env = { LUA_INIT = "x = 'init'" } })
      same({ "-e", "print(x)" }, { env = { LUA_INIT = "x = 'init'", LUA_INIT_5_4 = "x = '5.4'" } })
      same({ "-e", "print(x)" }, { env = { LUA_INIT = "error 'early'" } })
      with_file("x = 'from a file'", function(name)
        same({ "-e", "print(x)" }, { env = { LUA_INIT = "@" .. name } })
      end)
    end)

    it("LUA_PATH and LUA_CPATH set the search paths, and -E ignores all of them", function()
      local env = { LUA_INIT = "print 'init'", LUA_PATH = "here/?;;", LUA_CPATH_5_4 = "there/?;;" }
      local paths = "print(package.path, package.cpath)"
      same({ "-e", paths }, { env = env })
      same({ "-E", "-e", paths }, { env = env })
    end)

    it("that are unknown or lack their argument end with the usage text and status 1", function()
      for _, words in ipairs { { "-x" }, { "-e" }, { "-l" }, { "-e", "-l" }, { "-vv" }, { "-Ex" }, { "--help-me" } } do
        local wanted, got = run(proc.lua, words), run(proc.lacus, words)
        assert.equal(wanted.status, got.status)
        assert.equal(wanted.out, got.out)
        assert.equal(wanted.err:match "^[^\n]*\n[^\n]*", got.err:match "^[^\n]*\n[^\n]*")
        for line in wanted.err:gmatch "[^\n]+" do assert.truthy(got.err:find(line, 1, true)) end
      end
    end)

    local function workers(words, env)
      local all = { proc.lacus, table.unpack(words) }
      table.move({ "-e", "print(require 'lacus'.pool():workers())" }, 1, 2, #all + 1, all)
      return proc.run(all, { env = env })
    end

    it("-j and LACUS_WORKERS give pools their number of workers", function()
      assert.equal("3\n", workers({ "-j3" }).out)
      assert.equal("3\n", workers({ "-j", "3" }).out)
      assert.equal("0\n", workers({ "-j", "0" }).out)
      assert.equal("4\n", workers({}, { LACUS_WORKERS = "4" }).out)
      assert.equal("5\n", workers({ "-j5" }, { LACUS_WORKERS = "4" }).out)
    end)

    it("-E ignores LACUS_WORKERS", function()
      assert.equal(workers({}).out, workers({ "-E" }, { LACUS_WORKERS = "nonsense" }).out)
    end)

    it("-j is not asked by pools with a number of their own, and by those of tasks is", function()
      local got = proc.run { proc.lacus, "-j", "3", "-e", [[
        local lacus = require "lacus"
        print(lacus.pool(2):workers(), lacus.pool { workers = 1 }:workers())
        print(lacus.pool(1):submit(function() return require "lacus".pool():workers() end):get())
      ]] }
      assert.same({ out = "2\t1\n3\n", err = "", status = 0 }, got)
    end)

    it("-j stands in arg as the others do", function()
      local words = { proc.lacus, "-j", "2", "-", "one" }
      local got = proc.run(words, { stdin = "print(arg[-2], arg[-1], arg[0], arg[1])" })
      assert.equal("-j\t2\t-\tone\n", got.out)
    end)

    it("-j and LACUS_WORKERS refuse what is no number of workers", function()
      for _, word in ipairs { "x", "1.5", "1025", " 2", "99999999999999999999" } do
        local got = run(proc.lacus, { "-j", word, "-e", "print 'never'" })
        assert.equal(1, got.status)
        assert.equal("", got.out)
        assert.equal(("PROGRAM: '-j' needs a number of workers from 0 to 1024, got '%s'"):format(word),
          got.err:match "^[^\n]*")
        assert.matches("\nusage: PROGRAM ", got.err)
        got = run(proc.lacus, { "-e", "print 'never'" }, { env = { LACUS_WORKERS = word } })
        assert.same({ out = "", status = 1,
          err = ("PROGRAM: LACUS_WORKERS must be a number of workers from 0 to 1024, got '%s'\n"):format(word) }, got)
      end
      assert.equal("PROGRAM: '-j' needs argument", run(proc.lacus, { "-j" }).err:match "^[^\n]*")
      assert.equal("PROGRAM: '-j' needs argument", run(proc.lacus, { "-j", "-e" }).err:match "^[^\n]*")
    end)

    it("--help prints the usage, and does nothing else", function()
      local got = run(proc.lacus, { "-e", "print 'never'", "--help", "--nonsense" })
      assert.same({ 0, "" }, { got.status, got.err })
      assert.matches("^usage: PROGRAM %[options%] %[script %[args%]%]\n", got.out)
      for _, word in ipairs { "-e", "-i", "-l", "-v", "-E", "-W", "-j", "--help", "LACUS_WORKERS", "LACUS_HISTORY" } do
        assert.truthy(got.out:find("\n  " .. word, 1, true))
      end
      assert.is_nil(got.out:find("never", 1, true))
    end)

    it("-v names lacus and the Lua it holds", function()
      local result = proc.run { proc.lacus, "-v" }
      assert.matches("^lacus %S+\nLua 5%.4%.%d+  Copyright.-\n$", result.out)
      assert.equal(0, result.status)
      assert.equal(proc.run({ proc.lua, "-v" }).out, result.out:match "\n(.*)")
    end)
  end)

  describe("errors", function()
    it("print a traceback of the script", function()
      with_file("local function f() error 'deep' end\nlocal function g() f() end\ng()", function(name)
        same { name }
      end)
    end)

    it("that are not strings are shown as lua shows them", function()
      for _, value in ipairs { "nil", "{}", "42", "print", "true", "coroutine.create(print)",
        "setmetatable({}, {__tostring = function() return 'my own words' end})",
        "setmetatable({}, {__tostring = function() return 7 end})",
        "setmetatable({}, {__name = 'Named'})" } do
        same { "-e", "error(" .. value .. ")" }
      end
    end)

    it("in finalizers warn and do not change the status", function()
      local source = "setmetatable({}, {__gc = function() error 'in gc' end})"
      same { "-W", "-e", source }
      same { "-e", source }
    end)

    it("run pending to-be-closed variables when the script ends", function()
      same { "-e", "local x <close> = setmetatable({}, {__close = function() print 'closed' end}) error 'end'" }
    end)

    it("of memory are plain messages #noasan #notsan", function()
      same { "-e", "local s = ('x'):rep(1 << 20) string.rep(s, 1 << 40)" }
    end)
  end)

  describe("endings", function()
    it("have the status that os.exit asks for", function()
      for _, status in ipairs { "", "true", "false", "0", "7", "true, true", "3, true" } do
        same { "-e", "setmetatable({}, {__gc = function() print 'gc' end}) os.exit(" .. status .. ")" }
      end
    end)

    -- A shell sends the signals when it reads the line that close writes: so they
    -- arrive in close, which waits for the shell to end.
    local function interrupt(commands)
      return ("local f = io.popen([=[ read x; %s ]=], 'w') f:write '\\n' f:close() "):format(commands)
    end

    it("by Ctrl-C raise an error that a script may catch", function()
      local once = interrupt "kill -INT $PPID" .. "while true do end"
      same { "-e", once }
      same { "-e", "print(pcall(function() " .. once .. " end))" }
    end)

    it("by a second Ctrl-C before the first was seen are deaths #notsan", function()
      if not io.open "/proc/self/status" then return pending "no /proc" end
      local taken = "while grep -Eq '^SigCgt:.*[2367abef]$' /proc/$PPID/status; do :; done; "
      local twice = interrupt("kill -INT $PPID; " .. taken .. "kill -INT $PPID")
      same { "-e", twice }
      assert.equal(2, proc.run({ proc.lacus, "-e", twice }).signal)
    end)
  end)

  describe("the one Lua core", function()
    it("is shared by stock C modules", function()
      for _, name in ipairs { "lfs", "lpeg", "cjson", "luv", "socket", "term", "system" } do
        if proc.run({ proc.lua, "-l", name, "-e", "" }).status == 0 then
          same { "-l", name, "-e", ("print(type(%s), next(%s) ~= nil)"):format(name, name) }
        end
      end
    end)

    it("is the only one in the process, whatever is loaded", function()
      if not io.open "/proc/self/maps" then return pending "no /proc" end
      local got = proc.run { proc.lacus, "-e", [[
        for _, name in ipairs { "lfs", "lpeg", "cjson", "luv", "socket", "term", "system", "yaml" } do
          pcall(require, name)
        end
        for line in io.lines "/proc/self/maps" do
          if line:find "/liblua[%d.]*%.so" then print(line) end
        end
      ]] }
      assert.same({ out = "", err = "", status = 0 }, got)
    end)

    it("collects as stock Lua does", function()
      same { "-e", "print(collectgarbage 'incremental')" }
    end)
  end)

  it("has lacus within: no file is needed", function()
    local result = proc.run({ proc.lacus, "-e", "print(require 'lacus' == package.loaded.lacus)" },
      { env = { LUA_PATH = "", LUA_CPATH = "" } })
    assert.same({ out = "true\n", err = "", status = 0 }, result)
  end)
end)
