-- handler.lua: what busted prints here. One line for each spec file, failures in
-- full as they happen, and the closing line that tools/tally reads.
-- With $LACUS_AT, the name of the running test stands in that file, so that
-- whoever finds a crash or a hang knows where.

local function text(message)
  if message == nil then return "nil" end
  if type(message) == "string" then return message end
  return (require "pl.pretty").write(message)
end

local function indent(s)
  return "    " .. (s:gsub("%s+$", ""):gsub("\n", "\n    "))
end

return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()
  local at = os.getenv "LACUS_AT"
  local begun, before = 0, 0

  local function done()
    return handler.successesCount, handler.failuresCount + handler.errorsCount, handler.pendingsCount
  end

  local function note(name)
    if options.verbose then io.write("  ", name, "\n") io.flush() end
    local f = at and io.open(at, "w")
    if f then f:write(name, "\n") f:close() end
  end

  local function show(t)
    local where = t.element.trace or t.trace or {}
    io.write("  FAILED ", t.name or "?", "  (", where.short_src or "?", ":", where.currentline or 0, ")\n")
    io.write(indent(text(t.message)), "\n")
    local trace = t.trace and t.trace.traceback
    if trace and (t.isError or options.verbose) then io.write(indent(trace:gsub("^\n", "")), "\n") end
    io.flush()
  end

  function handler.testStart(element)
    note(handler.getFullName(element))
    return nil, true
  end

  function handler.testEnd(_, _, status)
    if status == "failure" then show(handler.failures[#handler.failures])
    elseif status == "error" then show(handler.errors[#handler.errors])
    elseif status == "pending" then
      local p = handler.pendings[#handler.pendings]
      io.write("  skipped ", p.name, p.message and ": " .. text(p.message) or "", "\n")
    end
    return nil, true
  end

  -- Outside an `it`: a spec that does not load, a setup that raises.
  function handler.error(element)
    if element.descriptor ~= "it" then show(handler.errors[#handler.errors]) end
    return nil, true
  end

  function handler.fileStart(file)
    begun, before = os.time(), (done())
    note(file.name)
    return nil, true
  end

  function handler.fileEnd(file)
    local passed = done()
    if passed == before then return nil, true end
    io.write(("  %-40s %4d passed %4d s\n"):format(file.name, passed - before, os.time() - begun))
    io.flush()
    return nil, true
  end

  function handler.suiteEnd()
    note "after the last test"
    io.write(("%d passed, %d failed, %d skipped\n"):format(done()))
    io.flush()
    return nil, true
  end

  busted.subscribe({ "file", "start" }, handler.fileStart)
  busted.subscribe({ "file", "end" }, handler.fileEnd)
  busted.subscribe({ "test", "start" }, handler.testStart)
  busted.subscribe({ "test", "end" }, handler.testEnd)
  busted.subscribe({ "error" }, handler.error)
  busted.subscribe({ "failure" }, handler.error)
  busted.subscribe({ "suite", "end" }, handler.suiteEnd)
  return handler
end
