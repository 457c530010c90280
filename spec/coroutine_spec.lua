-- The coroutine functions of a worker are lacus's own: in a task they do what the
-- standard ones do.
local lacus = require "lacus"

local pool

setup(function() pool = lacus.pool(1) end)
teardown(function() pool:close() end)

-- What `code` gives here, by the standard functions, and in a task: each is run in
-- a coroutine, as a task is.
local function both(code)
  local f = assert(load(code, "=code"))
  local function done(ok, ...)
    assert.is_true(ok)
    return table.pack(...)
  end
  local here = done(coroutine.resume(coroutine.create(f)))
  local there = table.pack(pool:submit(f):get())
  return here, there
end

local function same(code, ...)
  local here, there = both(code)
  assert.same(table.pack(...), here)
  assert.same(here, there)
end

describe("in a task, coroutine.", function()
  it("resume gives an error value of any type", function()
    same([[return coroutine.resume(coroutine.create(error), "text")]], false, "text")
    same([[return coroutine.resume(coroutine.create(error), { 7 })]], false, { 7 })
    same([[return coroutine.resume(coroutine.create(error))]], false, nil)
  end)

  it("wrap says where it was called, of an error that is text, and leaves others", function()
    same([[local f = coroutine.wrap(error)
      return pcall(function() f("text", 0) end)]], false, "code:2: text")
    same([[return pcall(coroutine.wrap(error), { 7 })]], false, { 7 })
    same([[return pcall(coroutine.wrap(error))]], false, nil)
  end)

  it("wrap leaves running out of memory as it is", function()
    local small <close> = lacus.pool { workers = 1, memory = 16 << 20 }
    local pcall, wrap = pcall, coroutine.wrap
    assert.same({ false, "not enough memory" }, { small:submit(function()
      local ok, err = pcall(wrap(function()
        local t = {}
        for i = 1, 1 << 30 do t[i] = ("x"):rep(1000) .. i end
        return t
      end))
      return ok, err
    end):get() })
  end)

  it("wrap and resume run pending <close> variables as far as Lua's do", function()
    for _, how in ipairs { "wrap", "create" } do
      same(([[local closed = false
        local co = coroutine.%s(function()
          local _ <close> = setmetatable({}, { __close = function() closed = true end })
          error "x"
        end)
        pcall(type(co) == "thread" and coroutine.resume or co, co)
        return closed]]):format(how), how == "wrap")
    end
  end)

  -- Some versions of Lua say "coroutine", others "thread".
  it("resume, close and wrap refuse what is no coroutine or function", function()
    for code, wanted in pairs {
      ["coroutine.resume, 1"] = "bad argument #1 to 'coroutine.resume' (thread expected, got number)",
      ["coroutine.close"] = "bad argument #1 to 'coroutine.close' (thread expected, got no value)",
      ["coroutine.wrap, 1"] = "bad argument #1 to 'coroutine.wrap' (function expected, got number)",
    } do
      same(([[local ok, err = pcall(%s)
        return ok, (err:gsub("coroutine expected", "thread expected"))]]):format(code), false, wanted)
    end
  end)

  it("resume refuses the dead and the running", function()
    same([[local co = coroutine.create(function() end)
      coroutine.resume(co)
      return coroutine.resume(co)]], false, "cannot resume dead coroutine")
    same([[return coroutine.resume(coroutine.running())]], false, "cannot resume non-suspended coroutine")
    same([[local f
      f = coroutine.wrap(function() return pcall(f) end)
      return f()]], false, "cannot resume non-suspended coroutine")
  end)

  it("close takes one that has not begun, one that has ended, and tells how one failed", function()
    same([[return coroutine.close(coroutine.create(print))]], true)
    same([[local co = coroutine.create(function() end)
      coroutine.resume(co)
      return coroutine.close(co)]], true)
    same([[local co = coroutine.create(error)
      coroutine.resume(co, "text")
      return coroutine.close(co)]], false, "text")
    same([[local co = coroutine.create(function()
        local _ <close> = setmetatable({}, { __close = function() error("late", 0) end })
        coroutine.yield()
      end)
      coroutine.resume(co)
      return coroutine.close(co)]], false, "late")
  end)

  it("close refuses the running one, and those that wait for it", function()
    same([[return pcall(coroutine.close, coroutine.running())]], false, "cannot close a running coroutine")
    same([[return coroutine.wrap(function()
        return pcall(coroutine.close, coroutine.running())
      end)()]], false, "cannot close a running coroutine")
    same([[local outer = coroutine.running()
      return coroutine.wrap(function() return pcall(coroutine.close, outer) end)()]],
      false, "cannot close a normal coroutine")
    same([[return coroutine.wrap(function()
        local outer = coroutine.running()
        return coroutine.wrap(function() return pcall(coroutine.close, outer) end)()
      end)()]], false, "cannot close a normal coroutine")
  end)
end)
