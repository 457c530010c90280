--- script: functions whose globals are those of Lua itself, as in a script of its own
-- (busted gives spec files another _ENV, which would be sent with them).
local M = {}

--- The chunk `code` as a function.
function M.plain(code) return assert(load(code, "=script")) end

--- Likewise; it knows `lacus`.
function M.with_lacus(code) return M.plain("local lacus = require 'lacus' " .. code) end

return M
