-- A task that waits in a pool without threads, which a task has opened, was cancelled from
-- elsewhere: the worker where that pool runs was not told, and went on sleeping. And if
-- nobody held that pool any more, it ended only with its worker's state.
local lacus = require "lacus"
local gate = require "spec.support.gate"

-- It runs in a worker; gives a future, and the pool for who wants to hold it.
local function wait_inside(name)
  local inner = lacus.pool(0)
  local future = inner:submit(function()
    local _ <close> = setmetatable({}, { __close = function() gate.open(name) end })
    lacus.sleep(1e9)
  end)
  while future:state() == "queued" do future:wait(0.001) end
  return future, inner
end

local function cancel_and_wait(future, name)
  lacus.sleep(0.02)     -- its worker sleeps by then, or nothing is shown
  assert.is_true(future:cancel())
  gate.wait(name)
  os.remove(name)
end

describe("a task of a pool without threads in a worker", function()
  it("ends when somebody else cancels it", function()
    local pool <close> = lacus.pool(1)
    for _ = 1, 5 do
      local name = gate.new()
      local future, inner = pool:submit(wait_inside, name):get()
      cancel_and_wait(future, name)
      assert.is_not_nil(inner)
    end
  end)

  it("ends, too, when its pool was collected", function()
    local pool <close> = lacus.pool(1)
    for _ = 1, 5 do
      local name = gate.new()
      local future = pool:submit(function()
        local future = wait_inside(name)
        collectgarbage()
        collectgarbage()
        return future
      end):get()
      cancel_and_wait(future, name)
    end
  end)
end)
