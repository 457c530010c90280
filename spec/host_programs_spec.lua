-- Programs in Lua that know nothing of lacus run under the host as under stock Lua: the
-- same output, the same status. #host

local proc = require "spec.support.proc"

local function which(name)
  local got = proc.run { "sh", "-c", "command -v " .. name }
  return got.out:match "^(%S+)"
end

-- `words` with `path` as the script, under both; times, and the name of the
-- interpreter where the program prints that, are nobody's promise.
local function same(path, words, options)
  local results = {}
  for i, program in ipairs { proc.lua, proc.lacus } do
    local got = proc.run({ program, path, table.unpack(words) }, options)
    for _, stream in ipairs { "out", "err" } do
      got[stream] = got[stream]:gsub("%d+%.%d+ seconds", "N seconds"):gsub("%S*lacus:", "PROGRAM:")
        :gsub("lua5%.4:", "PROGRAM:"):gsub("not found at %S+", "not found at PROGRAM"):gsub("0x%x+", "ADDRESS")
    end
    results[i] = got
  end
  assert.same(results[1], results[2])
  return results[1]
end

local function program(name, what, f)
  it(name .. " " .. what, function()
    local path = which(name)
    -- Its first line must name Lua: some systems have a wrapper in sh there.
    local file = path and io.open(path)
    local first = file and file:read "l" or ""
    if file then file:close() end
    if not first:find "lua" then return pending(name .. " is not installed") end
    f(path)
  end)
end

local function folder(files)
  local name = os.tmpname()
  os.remove(name)
  assert(os.execute("mkdir " .. name))
  for file, text in pairs(files) do
    local f = assert(io.open(name .. "/" .. file, "w"))
    f:write(text)
    f:close()
  end
  return name
end

describe("programs #host", function()
  program("busted", "runs a spec", function(path)
    local dir = folder { ["x_spec.lua"] = [[
      describe("x", function()
        it("passes", function() assert.equal(1, 1) end)
        it("fails", function() assert.same({ 1, { 2 } }, { 1, { 3 } }) end)
        it("raises", function() error "on purpose" end)
        pending "waits"
      end)]] }
    local got = same(path, { "--pattern=_spec", "-o", "plainTerminal", dir })
    assert.matches("1 success / 1 failure / 1 error / 1 pending", got.out)
    os.execute("rm -r " .. dir)
  end)

  program("ldoc", "writes pages", function(path)
    local dir = folder { ["m.lua"] = "--- A module.\n-- @module m\nlocal m = {}\n--- Adds.\n-- @param a first\n"
      .. "function m.add(a, b) return a + b end\nreturn m\n" }
    local got = same(path, { "-d", dir .. "/doc", "--date", "now", dir .. "/m.lua" })
    assert.equal(0, got.status)
    local pages = {}
    for i, interpreter in ipairs { proc.lua, proc.lacus } do
      proc.run { interpreter, path, "-d", dir .. "/doc", "--date", "now", dir .. "/m.lua" }
      local f <close> = assert(io.open(dir .. "/doc/index.html"))
      pages[i] = f:read "a"
    end
    assert.matches("Adds", pages[1])
    assert.equal(pages[1], pages[2])
    os.execute("rm -r " .. dir)
  end)

  program("luarocks", "checks rockspecs and lists rocks", function(path)
    local dir = folder {}
    local words = { "--lua-version=5.4", "--tree", dir }
    local lint = { table.unpack(words) }
    table.move({ "lint", "lacus-scm-1.rockspec" }, 1, 2, #lint + 1, lint)
    assert.equal(0, same(path, lint).status)
    words[#words + 1] = "list"
    assert.equal(0, same(path, words).status)
    local missing = same(path, { "--lua-version=5.4", "lint", "/nowhere/at-all-1.rockspec" })
    assert.matches("^%s*Error: ", missing.err)
    os.execute("rm -r " .. dir)
  end)

  program("luacheck", "checks a file", function(path)
    local dir = folder { ["x.lua"] = "local unused = 1\nprint(undefined)\n" }
    assert.equal(1, same(path, { "--no-config", "--no-color", dir .. "/x.lua" }).status)
    os.execute("rm -r " .. dir)
  end)
end)
