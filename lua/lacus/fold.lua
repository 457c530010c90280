-- What pool:reduce keeps in a worker's state: shares, each the combination of
-- what this worker's tasks of one reduce gave, until the end, when it is taken.
-- Tasks of one reduce may take turns here, since `fn` and `combine` may wait.
-- Strings may have no methods: see sandbox.c.

local M = {}

local shares = {}

--- Told how many shares more (or less: -1) there are; set by lacus.sugar, which
--- comes with `require "lacus"`.
M.keep = nil

--- "module.function" by what `require` gives; a function as it is.
function M.resolve(fn)
  if type(fn) ~= "string" then return fn end
  local module, name = string.match(fn, "^(.*)%.([^.]*)$")
  local found = require(module)[name]
  if found == nil then
    error(string.format("module '%s' has no function '%s'", module, name), 0)
  end
  return found
end

-- A module that is loaded for the first time may wait, too.
local function open(key, fn, combine)
  local share = {
    fn = M.resolve(fn), combine = M.resolve(combine), n = 0, full = false,
  }
  if not M.keep then require "lacus" end
  if shares[key] then return shares[key] end
  shares[key] = share
  M.keep(1)
  return share
end

-- `combine` may wait, and another task add meanwhile: so what is being combined
-- is taken out of the share, and what has come by the end is combined too.
local function add(share, ...)
  share.n = share.n + 1
  if select("#", ...) == 0 then return end
  local value = ...
  while share.full do
    local before = share.value
    share.full, share.value = false, nil
    value = share.combine(before, value)
  end
  share.full, share.value = true, value
end

--- Runs `fn(...)` and adds the first value that it gives, if it gives any, to
--- the share under `key`. Gives the worker's id when that share is new.
function M.fold(key, fn, combine, ...)
  local share = shares[key]
  if share then
    add(share, share.fn(...))
    return
  end
  share = open(key, fn, combine)
  add(share, share.fn(...))
  return (require "lacus").worker.id
end

--- The share under `key`, which is gone then: how many items it has seen,
--- whether they gave anything, and the combination of what they gave.
function M.take(key)
  local share = shares[key]
  if not share then return 0, false end
  shares[key] = nil
  M.keep(-1)
  return share.n, share.full, share.value
end

return M
