-- The part of lacus that is Lua: what needs no state shared between threads.
-- Called once for each Lua state, by the C core, with the module, the method
-- tables of its classes, and a table of private functions.

local function add_to_results(Results, private)

  --- Waits for all that is left and gives it as a table in source order: the
  --- first value of each result, or a list of them where the task yielded;
  --- `n` is the number of items. Raises as the loop would; with `on_error =
  --- "return"` the error objects stand among the values.
  ---
  ---     pool:map({1, 2, 3}, function(x) return x * x end):collect()  --> {1, 4, 9, n = 3}
  ---@return table
  function Results:collect()
    local list, lists = {}, {}
    local returns = self:on_error() == "return"

    local function add(i, yielded, value, second)
      if returns then value = second end
      if yielded and not lists[i] then
        lists[i] = {}
        list[i] = lists[i]
      end
      if lists[i] then lists[i][#lists[i] + 1] = value else list[i] = value end
    end

    local function step(i, ...)
      if i == nil then
        list.n = ...
        return false
      end
      add(i, ...)
      return true
    end

    while step(private.entry(self)) do end
    return list
  end

end

local function add_to_pool(Pool, private)

  --- Runs `fn` for each item of `source`, for what it does, and gives the
  --- number of items. An error in a task is raised here.
  ---
  ---     pool:each({"a", "b"}, function(name) print(name) end)  --> 2
  ---@return integer
  function Pool:each(source, fn, options)
    local n = 0
    for _ in self:map(source, fn, options) do n = n + 1 end
    return n
  end

  --- Runs `fn(...)` once on every worker and gives a table of first results by
  --- worker. An error in a task is raised here, when all have ended.
  ---
  ---     pool:broadcast(function() return lacus.worker.id end)  --> {1, 2}
  ---@return table
  function Pool:broadcast(fn, ...)
    local futures, list = {}, {}
    for i = 1, math.max(1, self:workers()) do
      futures[i] = private.submit_to(self, i, fn, ...)
    end
    for _, future in ipairs(futures) do future:wait() end
    for i, future in ipairs(futures) do list[i] = future:get() end
    return list
  end

end

local function add_to_lacus(lacus, private)

  --- Gives each future as it ends. `timeout` (seconds, for all of them): then an
  --- error of kind "timeout" is raised.
  ---
  ---     for future in lacus.as_completed(futures, 10) do print(future:get()) end
  ---@return function
  function lacus.as_completed(futures, timeout)
    local deadline = timeout and lacus.now() + timeout
    local ready, rest, at = {}, table.move(futures, 1, #futures, 1, {}), 0
    return function()
      at = at + 1
      if ready[at] then return ready[at] end
      if #rest == 0 then return nil end
      ready, rest = lacus.wait(rest, {
        any = true, timeout = deadline and math.max(0, deadline - lacus.now()),
      })
      at = 1
      if not ready[1] then
        private.raise("timeout", "futures have not ended within the timeout", 2)
      end
      return ready[1]
    end
  end

end

return function(lacus, Pool, Results, private)
  add_to_results(Results, private)
  add_to_pool(Pool, private)
  add_to_lacus(lacus, private)
end
