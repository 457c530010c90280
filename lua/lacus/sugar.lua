-- The part of lacus that is Lua: what needs no state shared between threads.
-- Called once for each Lua state, by the C core, with the module, the method
-- tables of its classes, and a table of private functions.

-- In a pool with `libs` strings may have no methods: see sandbox.c.
local format, gsub = string.format, string.gsub
local require = require

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

-- Calls `f`, map or submit, for the method `name`, whose caller is at `level` as
-- `error` counts: what is wrong with the arguments is said there, in its name.
local function start(f, name, level, ...)
  local ok, results, nothing, start_at, closing = pcall(f, ...)
  if ok then return results, nothing, start_at, closing end
  if type(results) == "string" then
    results = gsub(results, "^bad argument #(%d+) to '%?'", function(n)
      if n == "0" or n == "1" then return format("calling '%s' on bad self", name) end
      return format("bad argument #%d to '%s'", n - 1, name)
    end)
    results = gsub(results, "the function: upvalue '(%w+)' of function at [^,]*sugar%.lua:%d+,", "%1:")
  end
  error(results, level + 1)
end

local function check_function(fn, n, name, level)
  if type(fn) == "function" or type(fn) == "string" and string.find(fn, ".", 1, true) then
    return
  end
  error(format("bad argument #%d to '%s' (function or \"module.function\" expected, got %s)",
    n, name, type(fn) == "string" and format("'%s'", fn) or type(fn)), level + 1)
end

-- --- reduce ------------------------------------------------------------------

-- What is sent. Workers keep shares by `key`: any state may use the same pool, now
-- or when this one is gone, so a key names the state, when it began, and how
-- many it has made.
-- (No globals in it: those of a sandbox's sugar are not its tasks'.)
local function folding(key, fn, combine)
  return function(...) return require "lacus.fold".fold(key, fn, combine, ...) end
end

local function take(key) return require "lacus.fold".take(key) end

-- Combines one more value each time it is called with one, and gives the total.
local function combiner(combine, init)
  local any, total = init ~= nil, init
  return function(...)
    if select("#", ...) > 0 then
      if any then total = combine(total, (...)) else any, total = true, (...) end
    end
    return total
  end
end

-- Unless it ended well, no share is left behind. Nobody waits for that: it comes
-- after the last task that could have added to one.
local function dropping(pool, private, key)
  local done = false
  return function() done = true end, setmetatable({}, { __close = function()
    if done then return end
    for id = 1, math.max(1, pool:workers()) do
      pcall(private.submit_to, pool, id, take, key)
    end
  end })
end

-- Until the results end. Gives the ids of workers that have a share, and the
-- number of items. What a task yields comes here, and is combined here.
local function run_fold(results, private, total)
  local ids = {}
  local function step(i, yielded, ...)
    if i == nil then return yielded end
    if yielded then total((...)) elseif ... then ids[#ids + 1] = ... end
  end
  local items
  repeat items = step(private.entry(results)) until items
  return ids, items
end

local function collect(pool, private, key, ids, items, total)
  local futures, seen = {}, 0
  local function add(n, full, value)
    seen = seen + n
    if full then total(value) end
  end
  table.sort(ids)
  for i, id in ipairs(ids) do
    futures[i] = private.submit_to(pool, id, take, key)
  end
  for _, future in ipairs(futures) do add(future:get()) end
  if seen ~= items then
    private.raise("lost", "reduce: a worker's share is lost", 3)
  end
end

local function add_reduce(Pool, private)
  local map, state, count = Pool.map, format("%p %.9f", Pool, private.now()), 0

  --- Runs `fn` for each item of `source` and combines what it gives, two values
  --- at a time, to one, which is returned. Each worker combines its own share,
  --- and the shares are combined here: so little travels. `combine(a, b)` must be
  --- associative and commutative, for nothing is in order. `init`, if it is not
  --- nil, is combined once, here; what an empty source gives. A task that returns
  --- nothing adds nothing; each value that it yields is added. An error in a task
  --- is raised here.
  ---
  ---     local function longer(a, b) return #a > #b and a or b end
  ---     pool:reduce(io.lines "words.txt", string.lower, longer)
  ---@return any
  function Pool:reduce(source, fn, combine, init)
    check_function(fn, 2, "reduce", 2)
    check_function(combine, 3, "reduce", 2)
    count = count + 1
    local key = format("%s %d", state, count)
    local total = combiner(private.fold.resolve(combine), init)
    local done, _ <close> = dropping(self, private, key)
    local results <close> =
      start(map, "reduce", 2, self, source, folding(key, fn, combine))
    local ids, items = run_fold(results, private, total)
    collect(self, private, key, ids, items, total)
    done()
    return total()
  end
end

local function add_to_pool(Pool, private)
  local map = Pool.map

  --- Runs `fn` for each item of `source`, for what it does, and gives the
  --- number of items. An error in a task is raised here.
  ---
  ---     pool:each({"a", "b"}, function(name) print(name) end)  --> 2
  ---@return integer
  function Pool:each(source, fn, options)
    local n = 0
    for _ in start(map, "each", 2, self, source, fn, options) do n = n + 1 end
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
      futures[i] = start(private.submit_to, "broadcast", 2, self, i, fn, ...)
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
  local fold = require "lacus.fold"
  fold.keep = private.keep
  private.fold, private.now = fold, lacus.now
  add_to_results(Results, private)
  add_to_pool(Pool, private)
  add_reduce(Pool, private)
  add_to_lacus(lacus, private)
end
