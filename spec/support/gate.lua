--- gate: files by which tasks in workers and specs wait for each other, so that
--- no spec sleeps. The functions may be sent to workers.
local M = {}

-- However slow the machine: what has not happened by then will not.
local PATIENCE = 60

--- The name of a gate that is shut.
function M.new()
  local name = os.tmpname()
  os.remove(name)
  return name
end

--- Waits until `ready()`, and raises when it takes too long; with what `tell()` gives.
function M.await(ready, tell)
  local deadline = os.time() + PATIENCE
  while not ready() do
    if os.time() > deadline then
      error("waited in vain" .. (tell and tell() or ""), 2)
    end
  end
end

--- Is the gate open?
function M.is_open(name)
  local f = io.open(name)
  if f then f:close() end
  return f ~= nil
end

--- Waits until somebody opens the gate.
function M.wait(name)
  M.await(function() return M.is_open(name) end)
end

--- Opens it. Several words may be left there, one line each.
function M.open(name, word)
  local f = assert(io.open(name, "a"))
  if word then f:write(word, "\n") end
  f:close()
end

--- The words that were left there, and the gate is gone.
function M.words(name)
  local list = {}
  if M.is_open(name) then
    for word in io.lines(name) do list[#list + 1] = word end
  end
  os.remove(name)
  return list
end

return M
