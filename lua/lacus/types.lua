---@meta lacus
-- What lacus gives to scripts, for editors. Never loaded.
-- luacheck: ignore 212 241 (declarations use nothing)

---@class lacus
local lacus = {}

--- Gives one item at a time, each any number of values. Callable, so that
--- `for a, b in gen do` works. A call of a generator function, `lacus.iter`,
--- `lacus.range` and `lacus.chunks` give it as the first of four values, for a
--- generic `for` that closes it when the loop is left.
---@class lacus.Generator
---@overload fun(): any
local Generator = {}

--- The next item: `true` and its values (nil is a value too), or `false` when
--- there are no more. Raises the body's error: a string has the body's own
--- traceback appended, any other value comes as it was raised. After an error
--- there are no more items.
---@return boolean more
---@return any ...
function Generator:next() end

--- As `next`, and the body's pending `coroutine.yield` returns these values.
--- An error before the first `next`, and where there is no body.
---
---     local sum = lacus.generator(function()
---       local n = 0
---       while true do n = n + coroutine.yield(n) end
---     end)()
---     sum:next()
---     sum:send(20)
---     print(sum:send(22))  --> true  42
---@param ... any
---@return boolean more
---@return any ...
function Generator:send(...) end

--- Ends it now: pending `<close>` variables of the body run. Raises what they
--- raise; does nothing the second time. An error while the body is running.
---@return true
function Generator:close() end

--- "dead" after the end, an error or `close`.
---@return "suspended"|"running"|"normal"|"dead"
function Generator:status() end

--- Where the body stands, or stood when it failed; nil when it has not begun
--- or has ended.
---@return string?
function Generator:traceback() end

--- Makes a generator function. Each call of it gives a generator, whose body is
--- `f` with the arguments of the call; it begins with the first step. Every
--- `coroutine.yield(...)` in the body is an item; what it returns is not. A generator
--- function may be sent to a task, as any function; a generator may not.
---
---     local countdown = lacus.generator(function(n)
---       for i = n, 1, -1 do coroutine.yield(i) end
---     end)
---     for i in countdown(3) do print(i) end  --> 3  2  1
---@param f fun(...): ...
---@return fun(...): lacus.Generator, nil, nil, lacus.Generator
function lacus.generator(f) end

--- A generator of what any generic `for` takes, such as
--- `lacus.iter(pairs(t))` or `lacus.iter(io.lines(name))`.
---@param f function an iterator: anything callable
---@param s? any its first argument at each step
---@param c? any its second argument at the first step
---@param closing? any closed with the generator (needs `__close`)
---@return lacus.Generator, nil, nil, lacus.Generator
function lacus.iter(f, s, c, closing) end

--- The numbers of `for i = lo, hi, step do`.
---@param lo number
---@param hi number
---@param step? number default 1; not 0
---@return lacus.Generator, nil, nil, lacus.Generator
function lacus.range(lo, hi, step) end

--- First and last number of each run of `size` integers from `lo` to `hi`; the
--- last run may be shorter.
---
---     for first, last in lacus.chunks(1, 10, 4) do print(first, last) end
---     --> 1 4    5 8    9 10
---@param lo integer
---@param hi integer
---@param size integer at least 1
---@return lacus.Generator, nil, nil, lacus.Generator
function lacus.chunks(lo, hi, size) end

--- A pool of worker threads, each with a Lua state of its own. It is open when
--- this returns; `init` has not run yet. Raises when the system gives no
--- threads or no memory, and when `init` cannot be sent.
---
---     local pool <close> = lacus.pool()       -- one worker for each of lacus.cpus()
---     local two <close> = lacus.pool(2)
---     local named <close> = lacus.pool { workers = 2, name = "render", init = "game.setup" }
---@param options? integer|lacus.PoolOptions a number of workers, or a table
---@return lacus.Pool
function lacus.pool(options) end

---@class lacus.PoolOptions
---@field workers? integer 0 to 1024; default `lacus.cpus()`. 0: no threads; tasks run
---  one after the other in a state of their own on the caller's thread, while it
---  waits for results: for debugging, with the same copying and the same errors
---@field name? string beginning of the workers' names; default "worker"
---@field init? function|string run once in each worker before its first task: a
---  function without arguments, or a module to require. If it raises, the pool is
---  broken: whoever waits for results, and later calls of `map`, are told why.
---@field recycle? integer at least 1: tasks after which a worker's state is replaced by
---  a new one, once none of its tasks waits; default: never
---  Warnings (`warn`) are on in a worker where they are on in the script, in the host;
---  stock Lua cannot tell: `init = function() warn "@on" end`
---@field linger? number seconds, not negative, that what was submitted has when the Lua
---  state closes (the script has ended): then it is cancelled. Default: no limit.
---  Without effect when the script fails, or ends by `os.exit`: then nothing is
---  waited for (stock Lua: if that does not close the state)
---@field libs? string[] the standard libraries that a worker's state has besides base:
---  "coroutine", "debug", "io", "math", "os", "package", "string", "table", "utf8". Then
---  it takes no bytecode and no C modules, and only data comes out of it; see
---  "Sandbox" in docs/reference.md. Default: all, and none of these limits
---@field memory? integer bytes that one worker's state may hold, its libraries and `init`
---  included; a task that goes over fails with kind "memory". A state that is left
---  with too little room is replaced. In a task, default: that of its own worker;
---  else none
---@field stack? integer bytes of a worker's C stack, for C modules that nest deeply; at least
---  524288, which holds all the nested calls that Lua allows. Default: 2 MiB
---@field seed? integer task i has the `math.random` that follows
---  `math.randomseed(seed, i)`, whatever the number of workers, the batches, and
---  what else runs. `i` is the item's place in the source of its map; for `submit`
---  and `generate`, how many there were so far, with this one. What a task of the
---  pool starts is seeded from that task, as by a seed of its own. `broadcast`
---  has the worker's id for i, `init` has 0
---@field shuffle? integer a seed: results of `map` are handed over in a random order
---  that is the same each time, so that a dependence on their order shows. Within
---  blocks of 16 items, or of `window` if that is less; `ordered = true` wins
---@field grace? number seconds that a worker has to stop what it is told to stop; then
---  it is abandoned and replaced, and its tasks fail with kind "lost"; default 2
---@field watchdog? number seconds: a task that runs longer is reported once, through
---  `warn` in the state that opened the pool, with the place where it stands

--- Closes itself when collected, and at the end of a block that has it `<close>`.
---@class lacus.Pool
local Pool = {}

--- Runs `fn` on every item of `source`, in the workers, and gives the results
--- for a generic `for` that ends the work when it is left: the item's place in
--- the source, from 1, and what `fn` returned. Work starts at the call; later
--- the source is pulled, here, only as there is room in the window.
---
---     for i, y in pool:map(lacus.range(1, 3), function(x) return x * x end) do
---       print(i, y)  --> 1 1    2 4    3 9, in any order
---     end
---
--- A task may be a generator: each `coroutine.yield(...)` in it is a result at once,
--- under the same index; what it returns is the last, if it is anything.
---
--- A failure raises a `lacus.Error` in the loop, unless `on_error` says
--- otherwise. What the source raises is raised, as it was, after the results of
--- the items before it. Raises at the call what is wrong with the arguments, and
--- "cannot send the function: ..." with the way to what cannot be sent.
---@param source lacus.Source
---@param fn? lacus.Task without it each item is a call: a task and its arguments
---@param options? lacus.MapOptions
---@return lacus.Results results, nil, nil, lacus.Results
function Pool:map(source, fn, options) end

--- Runs `fn` on every item of `source`, for what it does: `map` without a loop.
--- An error in a task is raised here, unless `on_error` says otherwise.
---
---     pool:each({ "a", "b" }, function(name) os.remove(name .. ".tmp") end)  --> 2
---@param source lacus.Source
---@param fn? lacus.Task
---@param options? lacus.MapOptions
---@return integer n the number of results
function Pool:each(source, fn, options) end

--- Runs `fn` on every item of `source` and combines what the tasks give, two
--- values at a time, to one. Each worker combines its own share, and the shares are
--- combined here, so that little travels.
---
--- Nothing is in order, so `combine` must be associative and commutative: sums,
--- maxima, unions, not the joining of strings. It may change its first argument
--- and return that, and it is sent to the workers as `fn` is. A task that returns
--- nothing adds nothing; of what one returns, the first value is added, and of each
--- of its `coroutine.yield(...)` too. Raises as the loop of a map would; then
--- no worker keeps anything.
---
---     local function longer(a, b) return #b > #a and b or a end
---     pool:reduce(io.lines "words.txt", string.lower, longer)
---@generic T
---@param source lacus.Source
---@param fn lacus.Task
---@param combine (fun(a: T, b: T): T)|"module.function"
---@param init? T combined once, here; and what an empty source gives
---@return T? total
function Pool:reduce(source, fn, combine, init) end

--- Runs one task. What cannot be sent is an error at once.
---
---     local future = pool:submit(string.rep, "na", 8)
---     print(future:get(), "batman")
---@param fn lacus.Task
---@param ... any its arguments
---@return lacus.Future
function Pool:submit(fn, ...) end

--- A generator whose body, `fn(...)`, runs in a worker; each `coroutine.yield(...)`
--- in it is an item. The body begins at the call, and waits at its first item.
--- What its reader does next settles how it goes on. `next`, or a loop: the body
--- runs ahead, at most 64 items, and can be sent nothing any more. `send`: from then
--- on each yield waits for its reader and returns what that sends (`next` sends
--- nothing). What is sent is copied as arguments are.
---
---     for line in pool:generate(function(name)
---       for l in io.lines(name) do coroutine.yield(l) end
---     end, "big.log") do print(line) end
---
---     local sum = pool:generate(function()
---       local n = 0
---       while true do n = n + coroutine.yield(n) end
---     end)
---     sum:next()
---     sum:send(20)
---     print(sum:send(22))  --> true  42
---@param fn lacus.Task
---@param ... any its arguments
---@return lacus.Generator generator, nil, nil, lacus.Generator
function Pool:generate(fn, ...) end

--- Runs `fn(...)` once on every worker and gives the first result of each, by its
--- worker's id. An error in a task is raised when all have ended.
---
---     pool:broadcast(function() collectgarbage() end)
---@param fn lacus.Task
---@param ... any its arguments
---@return any[]
function Pool:broadcast(fn, ...) end

--- Every worker gets a new state before its next task, once none of its tasks
--- waits: what was loaded is loaded again, and `init` runs again.
function Pool:recycle() end

--- How many there are; 0 for a pool that runs on its caller's thread.
---@return integer
function Pool:workers() end

--- What runs now. Waits up to a tenth of a second for the workers to say where they stand.
---
---     for _, task in ipairs(pool:tasks()) do
---       print(task.worker, task.seconds, task.traceback or "in a call of C")
---     end
---@return lacus.Running[]
function Pool:tasks() end

---@class lacus.Running
---@field worker integer the worker's id
---@field seconds number since when
---@field index? integer the item's place in the source of its map
---@field traceback? string where it stands; nil in a call of C, and for the task that asks

--- Takes no more tasks, waits for what was submitted, drops what is left, stops
--- what runs for results that are open, and ends the workers. Does nothing the
--- second time. Results that are still open raise when they are asked for more.
--- Only where the pool was opened. A block that has the pool `<close>` does it
--- when it is left; when it is left by an error, with `cancel = true`.
---
---     pool:close { timeout = 2 }
---@param options? lacus.CloseOptions
---@return integer dropped tasks that were dropped or cut
function Pool:close(options) end

---@class lacus.CloseOptions
---@field cancel? boolean does not wait for what was submitted: drops it, and stops
---  what runs
---@field timeout? number seconds to wait for that; default: as long as it takes

--- The result of a task, whenever it comes. May be sent to tasks. One that nobody
--- holds runs all the same.
---@class lacus.Future
local Future = {}

--- What the task returned. Waits for it; in a task, other tasks run meanwhile.
--- Raises the task's error as a `lacus.Error`; of kind "cancelled" if it was; of kind
--- "timeout" if there is no result in time: then it can still be had later.
---@param timeout? number seconds; default: as long as it takes
---@return any ...
function Future:get(timeout) end

--- Waits until the task has ended, well or not.
---@param timeout? number seconds; default: as long as it takes
---@return boolean ended
function Future:wait(timeout) end

--- The task shall not run; one that runs is stopped, and its `<close>` variables run.
---@return boolean cancelled false: it had ended
function Future:cancel() end

---@return "queued"|"running"|"done"|"failed"|"cancelled"
function Future:state() end

--- Where a map gets its items: a generator; an array, with the items 1 to `#t`;
--- an iterator function, called until it gives nil; or a function that yields,
--- whose first step settles which of the two it is.
---@alias lacus.Source lacus.Generator|any[]|fun(): ...

--- What a worker runs: a function, which is sent with its upvalues as they are at
--- the call of `map`; or the name of one, which each worker looks up by `require`.
---@alias lacus.Task function|"module.function"

---@class lacus.MapOptions
---@field ordered? boolean results in the order of the source; default: as they arrive
---@field window? integer at least 1: items whose results have not been handed over;
---  default: as many as keep the workers busy, a few hundred for each at most
---@field batch? integer|"auto" at least 1: items that travel together; default "auto",
---  from the measured time of the tasks
---@field timeout? number seconds that a task may run, from its start, the time that it waits
---  for its reader left out; then it fails with kind "timeout"; default: no limit
---@field on_error? "raise"|"return"|"skip" a failed task raises in the loop (default);
---  gives `i, false, err` where others give `i, true, ...`; or is left out
---@field deadline? number seconds, not negative, for the whole map, from the call: then
---  what is left is cancelled, and whoever asks for a result gets an error of kind
---  "timeout", whatever `on_error` says. No result is handed over after that.
---  While a source that runs here gives its next item nothing can be raised
---@field retries? integer not negative: how often an item that fails is tried again, by the
---  same worker; default 0. So a task may run several times, wholly or in part. One
---  that has yielded is not tried again, since its values have been handed
---  over. Each attempt has the same random numbers in a pool with a `seed`
---@field retry_on? ("error"|"timeout"|"memory"|"lost")[] after which kinds of failure; default:
---  all of these. What cannot be sent, or was cancelled, is never tried again
---@field retry_delay? number|number[]|fun(attempt: integer): number seconds between attempts,
---  default 0; a list: after the first attempt, the second..., and its last one after
---  all that follow; a function: called in the worker, with the number of the attempt
---  that has failed. Holds no worker: other tasks run meanwhile

--- Results on their way. Callable, as a generic `for` wants it.
---@class lacus.Results
---@overload fun(): integer?, ...
local Results = {}

--- The next result; waits for it. Nil at the end; `nil, "timeout"` when it has
--- not come in time, and then it can still be had later.
---
---     local i, value = results:next(0.5)
---     if not i then print(value == "timeout" and "not yet" or "that was all") end
---@param timeout? number seconds; default: as long as it takes
---@return integer? index
---@return any ... the values, or "timeout"
function Results:next(timeout) end

--- As `next`, without waiting: `nil, "pending"` when no result is there. It may
--- pull items from the source, and then takes as long as the source does (but does
--- not wait for one that runs in a worker).
---@return integer? index
---@return any ... the values, or "pending"
function Results:poll() end

--- For a loop without the index. Ends, as every `for` does, at a result whose
--- first value is nil.
---
---     for y in pool:map({ 1, 2, 3 }, math.sqrt):values() do print(y) end
---@return fun(): ..., nil, nil, lacus.Results
function Results:values() end

--- Waits for all that is left and gives it as a table in source order: the first
--- value of each result, or a list of them where the task yielded; `n` is the number
--- of items. Raises as the loop would; with `on_error = "return"` the error objects
--- stand among the values.
---
---     pool:map({ 1, 2, 3 }, function(x) return x * x end):collect()  --> {1, 4, 9, n = 3}
---@return table
function Results:collect() end

--- What becomes of a failed item: the option `on_error` of the map.
---@return "raise"|"return"|"skip"
function Results:on_error() end

--- Wants no more: drops what has not started, and closes the source, whose
--- pending `<close>` variables run (and may raise). A task that runs goes on to
--- its end, unheard. Leaving the loop does the same.
---@return integer left items whose results were not handed over
function Results:close() end

--- What a failed task raises in the loop. `tostring(err)` reads like an error of
--- `lua`: the message, and under it the worker's traceback and that of who waited.
--- Text may be joined to it by `..`.
---
---     local ok, err = pcall(function()
---       pool:map({ 7 }, function(x) error({ code = x }) end):collect()
---     end)
---     print(err.kind, err.index, err.item, err.value.code)  --> error  1  7  7
---@class lacus.Error
---@field kind "error"|"memory"|"transfer"|"timeout"|"cancelled"|"lost" raised by the task; no
---  memory for it; an item or a result that cannot be sent; no result in time; the
---  task did not run; what a worker kept is gone
---@field value any what was raised, tables too
---@field message string `value` as text
---@field traceback? string where it was raised, in the worker; where that came from a
---  task that it had waited for, from there on
---@field caller? string where it was waited for; nil if it was not raised (`on_error`)
---@field index? integer the item's place in the source, from 1; nil for one task alone
---@field item? any the first value of the item
---@field items? table all of them, with their number in `n`
---@field worker? integer the worker's id; nil when the failure came about here
---@field attempt integer from 1; more when `retries` has tried it again

--- The processors that this process may use: its affinity mask, cut by the
--- control group's quota; not the machine's total.
---@return integer
function lacus.cpus() end

--- Seconds on a clock that only goes forward, from an arbitrary start.
---
---     local begun = lacus.now()
---     work()
---     print(lacus.now() - begun .. " s")
---@return number
function lacus.now() end

--- Waits until all of them have ended, or for what `options` says.
---
---     local done, rest = lacus.wait({ one, two }, { any = true, timeout = 1 })
---@param futures lacus.Future[]
---@param options? lacus.WaitOptions
---@return lacus.Future[] done those that have ended, well or not
---@return lacus.Future[] rest
function lacus.wait(futures, options) end

---@class lacus.WaitOptions
---@field timeout? number seconds; default: as long as it takes
---@field any? boolean one is enough
---@field first_error? boolean one that did not end well is enough

--- Gives each of them as it ends. When that takes longer than `timeout` for all
--- of them, an error of kind "timeout" is raised.
---
---     for future in lacus.as_completed(futures, 10) do print(future:get()) end
---@param futures lacus.Future[]
---@param timeout? number seconds; default: as long as it takes
---@return fun(): lacus.Future?
function lacus.as_completed(futures, timeout) end

--- Waits. In a task, other tasks run meanwhile.
---@param seconds number not negative
function lacus.sleep(seconds) end

--- In a worker, which one; nil everywhere else.
---@type { id: integer, name: string }?
lacus.worker = nil

--- The version of lacus, such as "0.1".
---@type string
lacus._VERSION = nil

return lacus
