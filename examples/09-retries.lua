-- 09: tasks that fail now and then are tried again; a map that takes too long is ended.
local lacus = require "lacus"
local pool <close> = lacus.pool()

-- A radio that hears every third call. An item is tried again by the same worker,
-- whose copy of `calls` can count.
local calls = {}
local function call(station)
  calls[station] = (calls[station] or 0) + 1
  if station == "Far Side" then error("no line of sight", 0) end
  if calls[station] < 3 then error("static", 0) end
  return "hears you"
end

local stations = { "Tranquility", "Tycho", "Far Side", "Copernicus" }

-- The pause grows, and holds no worker.
for i, ok, answer in pool:map(stations, call, {
  ordered = true, on_error = "return", retries = 4, retry_delay = { 0.001, 0.01, 0.02 },
}) do
  print(stations[i], ok and answer or answer.message .. ", after attempt " .. answer.attempt)
end
--> Tranquility hears you
--> Tycho hears you
--> Far Side no line of sight, after attempt 5
--> Copernicus hears you

-- All of a map's work has until the deadline; what is left then is cancelled.
local _, err = pcall(function()
  pool:each({ 0, 1e9 }, lacus.sleep, { deadline = 0.05 })
end)
print(err.kind, (err.message:gsub("^.-: ", "")))
--> timeout map: not done within its deadline of 0.05 s
