--- proc: other programs, for specs: run one, get its output, errors and status.
local M = {}

-- The interpreter that runs these specs stands at the lowest index of `arg`.
local function interpreter()
  local i = 0
  while arg and arg[i - 1] do i = i - 1 end
  return arg and arg[i] or "lua5.4"
end

--- "host" under build/lacus, "lua" under stock Lua with the module.
M.on = os.getenv "LACUS_ON" or "host"
--- The host binary, stock Lua, and the interpreter that the specs run on.
M.lacus = os.getenv "LACUS_BIN" or interpreter()
M.lua = os.getenv "LACUS_LUA" or "lua5.4"
M.this = M.on == "lua" and M.lua or M.lacus

--- Quotes one word for sh.
function M.quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

local function spill(text)
  local name = os.tmpname()
  if text then
    local f = assert(io.open(name, "wb"))
    f:write(text)
    f:close()
  end
  return name
end

local function slurp(name)
  local f = assert(io.open(name, "rb"))
  local text = f:read "a"
  f:close()
  os.remove(name)
  return text
end

local function words(command)
  if type(command) == "string" then return command end
  local quoted = {}
  for i = 1, #command do quoted[i] = M.quote(command[i]) end
  return table.concat(quoted, " ")
end

local function settings(env)
  local list = {}
  for name, value in pairs(env or {}) do list[#list + 1] = name .. "=" .. M.quote(value) end
  return #list > 0 and "env " .. table.concat(list, " ") .. " " or ""
end

--- Runs a command: a list of words, or a string for sh.
---@param command string[]|string
---@param options? { stdin?: string, env?: table<string, string>, dir?: string, limit?: integer }
---  limit: seconds until it is killed (default 60)
---@return { out: string, err: string, status: integer, signal: integer? }
function M.run(command, options)
  options = options or {}
  local input, out, err = spill(options.stdin or ""), spill(), spill()
  local line = ("%sexec timeout -k 1 %d %s%s <%s >%s 2>%s"):format(
    options.dir and "cd " .. M.quote(options.dir) .. " && " or "", options.limit or 60,
    settings(options.env), words(command), input, out, err)
  local _, how, code = os.execute(line)
  os.remove(input)
  local result = { out = slurp(out), err = slurp(err), status = code }
  if how == "signal" then result.signal = code
  elseif code > 128 then result.signal = code - 128 end
  return result
end

--- Runs Lua source, from a file, on the interpreter that runs the specs.
function M.script(source, ...)
  local name = spill(source)
  local result = M.run { M.this, name, ... }
  os.remove(name)
  return result
end

return M
