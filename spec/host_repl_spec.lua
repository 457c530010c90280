-- The prompt of the host: what is typed, from a pipe and from a terminal. #host

local gate = require "spec.support.gate"
local proc = require "spec.support.proc"

local function type_in(text, options)
  options = options or {}
  options.stdin = text
  return proc.run({ proc.lacus, table.unpack(options.words or { "-i" }) }, options)
end

-- What the results print: no prompts, none of what was typed.
local function prints(text)
  local got = type_in(text .. "\n", { words = { "-e", "_PROMPT, _PROMPT2 = '', ''", "-i" } })
  assert.equal("", got.err)
  local lines, typed = {}, {}
  for line in text:gmatch "[^\n]+" do typed[line] = true end
  for line in got.out:gmatch "[^\n]+" do
    if not typed[line] then lines[#lines + 1] = line end
  end
  return table.concat(lines, "\n", 3)
end

describe("the prompt #host", function()
  local function same_as_lua(text, words)
    words = words or { "-i" }
    local wanted = proc.run({ proc.lua, table.unpack(words) }, { stdin = text })
    local got = proc.run({ proc.lacus, table.unpack(words) }, { stdin = text })
    assert.equal(wanted.out, (got.out:gsub("^lacus [^\n]*\n", "")))
    assert.equal((wanted.err:gsub("^lua[^:]*", "PROGRAM")), (got.err:gsub("^%S*lacus", "PROGRAM")))
    assert.equal(wanted.status, got.status)
  end

  describe("from a pipe", function()
    it("prints what expressions give, as lua does", function()
      same_as_lua "1 + 1\n'a', nil, 2.5\n= 7\nx = 3\nx\n"
      same_as_lua "(function() end)()\nselect('#')\nprint == 1\n"
    end)

    it("asks for more lines until a statement is whole, as lua does", function()
      same_as_lua "for i = 1, 2 do\nprint(i)\nend\nx = [[a\nb]]\nx\n1 +\n2\n"
    end)

    it("reports errors as lua does, and goes on", function()
      same_as_lua "x = = 1\nerror 'boo'\nerror {}\nlocal function f() error 'deep' end f()\nprint 'alive'\n"
    end)

    it("reports a statement that the input leaves unfinished", function()
      local got = type_in "if x then\n"
      assert.equal("stdin:1: 'end' expected near <eof>\n", got.err)
      assert.equal(0, got.status)
    end)

    it("says when print fails, as lua does", function()
      same_as_lua "print = nil\n1\nprint 'x'\n"
      same_as_lua "local m = debug.getmetatable('') m.__name = 's' m.__tostring = error\n'x'\n"
    end)

    it("takes its prompts from _PROMPT and _PROMPT2, as lua does", function()
      same_as_lua "_PROMPT = 'first '\n_PROMPT2 = 'second '\nx =\n1\n"
      same_as_lua("x = 1\n\n", { "-e", "n = 0 _PROMPT = setmetatable({}, { __tostring = function() \
        n = n + 1 return n .. ' ' end })", "-i" })
    end)

    it("uses its own prompt where the global raises", function()
      local got = type_in "_PROMPT = setmetatable({}, { __tostring = error })\n7\n"
      assert.matches("> 7\n7\n> ", got.out, 1, true)
      got = type_in "setmetatable(_G, { __index = function() error 'strict' end }) _PROMPT = nil\n7\n"
      assert.matches("> 7\n7\n> ", got.out, 1, true)
    end)

    it("comes after scripts and options with -i, and has their globals", function()
      same_as_lua("x\n", { "-e", "x = 'from -e'", "-i" })
      same_as_lua("...\narg[1]\n", { "-i", "-", "one" })
    end)

    it("does not come after a script that fails", function()
      same_as_lua("print 'never'\n", { "-i", "/nowhere/at/all.lua" })
    end)
  end)

  describe("shows tables", function()
    it("as one line where they are short", function()
      assert.equal('{ 1, 2, { "a\\n" }, [-1] = 0.5, ["end"] = {}, ["not a name"] = true, x = 5 }',
        prints '({ 1, 2, { "a\\n" }, x = 5, ["not a name"] = true, ["end"] = {}, [-1] = 0.5 })')
    end)

    it("as many lines where they are long, lists filled", function()
      local text = prints "t = { name = 'n' } for i = 1, 90 do t[i] = i end\nt"
      assert.matches("^{\n  1, 2, 3, [^\n]* 22,\n  23, [^\n]*\n", text)
      assert.matches(" 89, 90,\n  name = \"n\",\n}$", text)
    end)

    it("that hold themselves, are deep or very long, without end", function()
      assert.equal("{ { (a table around this one) } }", prints "(function() local t = {} t[1] = t return t end)()")
      assert.equal("{ { { { {...} } } } }", prints "{ { { { { 1 } } } } }")
      assert.matches("%.%.%. 800 more,\n}$", prints "t = {} for i = 1, 1000 do t[i] = i end\nt")
    end)

    it("that have a text of their own by that", function()
      assert.equal("my words", prints "setmetatable({ 1 }, { __tostring = function() return 'my words' end })")
      assert.equal("{ my words }", prints "{ setmetatable({}, { __tostring = function() return 'my words' end }) }")
      assert.equal("{ (table: __tostring failed) }", prints "{ setmetatable({}, { __tostring = error }) }")
    end)

    it("to a print of the user's own as they are", function()
      assert.equal("table", prints "do local p = print function print(t) p(type(t)) end end\n{}")
    end)

    it("calling no other metamethod", function()
      assert.equal("{ 1 }", prints "setmetatable({ 1 }, { __index = error, __len = error, __pairs = error })")
    end)
  end)

  describe("and the pool", function()
    it("sends functions that were typed to workers", function()
      local text = [[
lacus = require "lacus"
pool = lacus.pool(2)
function square(x) return x * x end
pool:map({ 1, 2, 3 }, square, { ordered = true }):collect()
step = 10
pool:submit(function(x) return x + 1 end, step):get()
]]
      assert.equal("{ 1, 4, 9, n = 3 }\n11", prints(text))
    end)
  end)

  -- A terminal, by `script`, which copies what it reads to it.
  describe("on a terminal", function()
    local there = proc.run("script --version").status == 0

    -- Types each text when the prompt, or what the text before it is to print,
    -- is there. Gives all that stood on the terminal. `first` is for the shell there.
    local function session(steps, env, first)
      local log, home = os.tmpname(), os.tmpname()
      os.remove(home)
      os.execute("mkdir " .. home)
      local words = { "HOME=" .. home, "TERM=dumb", "INPUTRC=/dev/null" }
      for name, value in pairs(env or {}) do words[#words + 1] = name .. "=" .. proc.quote(value) end
      local terminal = io.popen(("env %s timeout -k 1 60 script -qefc %s %s >/dev/null 2>&1"):format(
        table.concat(words, " "), proc.quote((first or "") .. proc.lacus), log), "w")
      local at = 1
      local function read()
        local f <close> = assert(io.open(log, "rb"))
        return (f:read "a":gsub("\r", ""))
      end
      local function await(text)
        gate.await(function()
          local _, to = read():find(text, at, true)
          if to then at = to + 1 end
          return to
        end, function() return (" for %q after:\n%s"):format(text, read()) end)
      end
      await "> "
      for _, step in ipairs(steps) do
        terminal:write(step[1])
        terminal:flush()
        await(step[2])
      end
      terminal:write "os.exit()\n"
      terminal:close()
      local all = read()
      local history = io.open(home .. "/.lacus_history")
      local kept = history and history:read "a"
      if history then history:close() end
      os.remove(log)
      os.execute("rm -r " .. home)
      return all, kept
    end

    local function on_terminal(what, f)
      it(what, function()
        if not there then return pending "no script" end
        f()
      end)
    end

    local readline = proc.run({ "ldd", proc.lacus }).out:find "readline" ~= nil

    local function with_readline(what, f)
      on_terminal(what, function()
        if not readline then return pending "built without readline" end
        f()
      end)
    end

    on_terminal("it is what lacus without words gives, with both versions", function()
      local all = session { { "6 * 7\n", "\n42\n" } }
      assert.matches("^[^\n]*\n?lacus %S+\nLua 5%.4", (all:gsub("^Script started[^\n]*\n", "")))
    end)

    on_terminal("Ctrl-C stops what runs, and not the prompt #notsan", function()
      session {
        { "do io.write 'be' print 'gun' while true do end end\n", "begun\n" },
        { "\3", "interrupted!" },
        { "'still' .. 'here'\n", "stillhere\n" },
      }
    end)

    on_terminal("Ctrl-C drops what was typed #notsan", function()
      session {
        { "if true then\n", ">> " },
        { "\3", "> " },
        { "'still' .. 'here'\n", "stillhere\n" },
      }
    end)

    on_terminal("Ctrl-C cancels tasks that run or wait in a pool, which lives on #notsan", function()
      session {
        { "pool = require 'lacus'.pool(1)\n", "> " },
        { "a = pool:submit(function() while true do end end)\n", "> " },
        { "b = pool:submit(print)\n", "> " },
        { "io.write 'be' print 'gun' b:get()\n", "begun\n" },
        { "\3", "interrupted!" },
        { "a:state(), b:state()\n", "cancelled\tcancelled\n" },
        { "pool:submit(function() return 'still' .. 'here' end):get()\n", "stillhere\n" },
      }
    end)

    on_terminal("Ctrl-C cancels tasks whose futures nobody holds #notsan", function()
      session {
        { "pool = require 'lacus'.pool(2)\n", "> " },
        { "for _ = 1, 9 do pool:submit(function() while true do end end) end\n", "> " },
        { "collectgarbage() io.write 'be' print 'gun' while true do end\n", "begun\n" },
        { "\3", "interrupted!" },
        { "pool:submit(function() return 'still' .. 'here' end):get()\n", "stillhere\n" },
      }
    end)

    on_terminal("shows tables as wide as that is", function()
      local all = session({
        { "t = {} for i = 1, 90 do t[i] = i end\n", "> " },
        { "t\n", " 89, 90,\n}" },
      }, nil, "stty cols 30; exec ")
      local lines = 0
      for line in all:gmatch "\n  (%d+,[^\n]*)" do
        lines = lines + 1
        assert.is_true(#line <= 28)
      end
      assert.is_true(lines > 10)
    end)

    on_terminal("keeps no history where it cannot be written, and says nothing of it", function()
      local all = session({ { "6 * 7\n", "\n42\n" } }, { HOME = "/nowhere/at/all" })
      assert.not_matches("nowhere", all)
    end)

    with_readline("keeps the last thousand lines", function()
      local name = os.tmpname()
      local f = assert(io.open(name, "w"))
      for i = 1, 1200 do f:write("#", i, "\nline = ", i, "\n") end
      f:close()
      session({ { "line == nil\n", "true\n" } }, { LACUS_HISTORY = name })
      f = assert(io.open(name))
      local kept = f:read "a"
      f:close()
      os.remove(name)
      assert.not_matches("line = 100\n", kept, 1, true)
      assert.matches("line = 300\n", kept, 1, true)
      assert.matches("line = 1200\n#%d+\nline == nil\n", kept)
    end)

    with_readline("completes nothing where a script has taken away what that needs", function()
      session {
        { "ipairs = nil\n", "> " },
        { "stri\t == nil\n", "true" },
      }
    end)

    with_readline("completes globals, keywords, fields and methods", function()
      session {
        { "colle\t'step', 0)", "collectgarbage" },
        { "\3", "> " },
        { "stri\t.re\t\t", "string.rep      string.reverse" },
        { "\3", "> " },
        { "io.stdout:wri\t", "io.stdout:write" },
        { "\3", "> " },
        { "os.exec\t", "os.execute" },
        { "\3", "> " },
        { "functi\t", "function" },
        { "\3", "> " },
        { "setmetatable(_G, { __index = { from_index = 1 } })\n", "> " },
        { "from_in\t\n", "from_index" },
      }
    end)

    with_readline("keeps what was typed for later sessions", function()
      local _, kept = session {
        { "x = {\n", ">> " }, { "7 }\n", "> " }, { "'one'\n", "one\n" }, { "'one'\n", "one\n" },
      }
      assert.matches("^#%d+\nx = {\n7 }\n#%d+\n'one'\n#%d+\nos%.exit%(%)\n$", kept)
    end)

    with_readline("recalls lines of an earlier session, in the file of LACUS_HISTORY", function()
      local name = os.tmpname()
      session({ { "'ear' .. 'lier'\n", "earlier\n" } }, { LACUS_HISTORY = name })
      local _, kept = session({ { "\27[A\27[A\n", "earlier\n" } }, { LACUS_HISTORY = name })
      os.remove(name)
      assert.is_nil(kept)
    end)

    -- As under nohup. `script` holds the terminal, and is killed by what it is typed.
    with_readline("ends in good order when its terminal is gone", function()
      local ended, name = gate.new(), os.tmpname()
      local f = assert(io.open(name, "w"))
      f:write(([[function leave(word) io.open(%q, "a"):write(word, "\n"):close() end
        kept = setmetatable({}, { __gc = function() leave "ended" end })]]):format(ended))
      f:close()
      local terminal = io.popen(("TERM=dumb HOME=/nowhere timeout -k 1 60 script -qefc %s /dev/null >/dev/null 2>&1")
        :format(proc.quote(("trap '' HUP; exec %s -i %s"):format(proc.lacus, name))), "w")
      terminal:write "leave 'typed' os.execute 'kill -9 `ps -o ppid= -p $PPID`' leave 'killed'\n"
      terminal:flush()
      local words
      gate.await(function()
        local left = io.open(ended)
        words = left and left:read "a" or ""
        if left then left:close() end
        return words:find "ended"
      end, function() return words end)
      assert.equal("typed\nkilled\nended\n", words)
      terminal:close()
      os.remove(ended)
      os.remove(name)
    end)

    with_readline("keeps nothing where LACUS_HISTORY is empty", function()
      local _, kept = session({ { "1\n", "> " } }, { LACUS_HISTORY = "" })
      assert.is_nil(kept)
    end)
  end)
end)
