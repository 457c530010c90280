--- fails: calls that are expected to raise, for specs.
local assert = require "luassert"

local M = {}

--- `f(...)` raises, and the error as a string matches `pattern`. Gives the error.
function M.with(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
  return err
end

--- Likewise without arguments, and the error points at a line of `f` itself, who
--- made the mistake; `pattern` is for what stands behind that.
function M.here(pattern, f)
  local ok, err = pcall(f)
  assert.is_false(ok)
  local info = debug.getinfo(f, "S")
  local file, line, message = tostring(err):match "^([^\n:]+):(%d+): (.*)$"
  assert.equal(info.short_src, file)
  line = tonumber(line)
  assert.is_true(info.linedefined <= line and line <= info.lastlinedefined)
  assert.matches(pattern, message)
  return err
end

--- Text as a pattern that matches just that.
function M.plain(text)
  return (tostring(text):gsub("%p", "%%%0"))
end

return M
