-- wordcount.lua teaches: a lazy source, tasks of a sensible size, merging as results arrive.
--
--   lacus examples/wordcount.lua [folder or file]...
--
-- Counts the words of every text file below the places named, on all processors,
-- and says what one worker alone would have taken. Without arguments: licence
-- texts and C headers, the first 64 MB that it meets.

local lacus = require "lacus"

local SHOWN = 20                 -- words to print
local GROUP = 512 * 1024         -- bytes of text that make one task
local ENOUGH = 64 * 1024 * 1024  -- bytes that do when nobody said what to count

-- The walk: runs here, one step at a time, as workers ask for more ------------------

local function quote(word)
  if word:find "^[^/.]" then word = "./" .. word end  -- or find may take it for an option
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- Every regular file below `places`. NUL ends each name, so that any name will do.
local files = lacus.generator(function(places, only)
  local words = {}
  for i, place in ipairs(places) do words[i] = quote(place) end
  local find = ("find -H %s -type f %s -print0"):format(table.concat(words, " "), only or "")
  local pipe <close> = assert(io.popen(find))
  local rest = ""
  for block in pipe:lines(8192) do
    rest = rest .. block
    for name in rest:gmatch "([^\0]+)\0" do coroutine.yield(name) end
    rest = rest:match "[^\0]*$"
  end
end)

local function size_of(path)
  local f <close> = io.open(path, "rb")
  return f and f:seek "end" or 0
end

-- Items for the map: lists of parts of files, each list about GROUP bytes of text.
-- A small file is one part; a large one is several, for several workers.
local groups = lacus.generator(function(places, only, enough)
  local group, filled, total = {}, 0, 0
  for path in files(places, only) do
    local size, from = size_of(path), 0
    repeat
      local to = math.min(size, from + GROUP)
      group[#group + 1] = { path = path, from = from, to = to }
      filled, total = filled + to - from, total + to - from
      if filled >= GROUP or #group >= 1000 then
        coroutine.yield(group)
        group, filled = {}, 0
      end
      from = to
    until from >= size
    if enough and total >= enough then break end
  end
  if #group > 0 then coroutine.yield(group) end
end)

-- The count: runs in a worker ----------------------------------------------------------

-- The lines that begin in the part: the one cut at its start belongs to the part before.
local function read(part)
  local f <close>, problem = io.open(part.path, "rb")
  if not f then error(problem, 0) end
  if part.from > 0 then
    f:seek("set", part.from - 1)
    f:read "L"
  end
  local text, why = f:read(math.max(part.to - f:seek(), 0))
  if why then error(part.path .. ": " .. why, 0) end
  text = text or ""
  if text ~= "" and text:byte(-1) ~= 10 then text = text .. (f:read "L" or "") end
  if text:find("\0", 1, true) then error(part.path .. ": not text", 0) end
  return text
end

local function count(group)
  local found = { counts = {}, files = 0, bytes = 0, left_out = {} }
  local counts = found.counts
  for _, part in ipairs(group) do
    local ok, text = pcall(read, part)
    if not ok then
      table.insert(found.left_out, text)
    else
      for word in text:lower():gmatch "%a+" do counts[word] = (counts[word] or 0) + 1 end
      found.bytes = found.bytes + #text
      if part.from == 0 then found.files = found.files + 1 end
    end
  end
  return found
end

-- The merge: here again, while the workers count the next groups --------------------------

local function count_all(workers, ...)
  local sum = { counts = {}, files = 0, bytes = 0, left_out = {} }
  local counts, begun = sum.counts, lacus.now()
  local pool <close> = lacus.pool(workers)
  for _, found in pool:map(groups(...), count) do
    for word, n in pairs(found.counts) do counts[word] = (counts[word] or 0) + n end
    sum.files, sum.bytes = sum.files + found.files, sum.bytes + found.bytes
    for _, why in ipairs(found.left_out) do sum.left_out[why] = true end
  end
  sum.seconds = lacus.now() - begun
  return sum
end

-- The report ---------------------------------------------------------------------------------

local function commas(n)
  return (("%d"):format(n):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

local function some(n, things)
  return commas(n) .. " " .. (n == 1 and things:gsub("s$", "") or things)
end

local function report(sum, what)
  local words, total = {}, 0
  for word, n in pairs(sum.counts) do
    words[#words + 1], total = word, total + n
  end
  table.sort(words, function(a, b)
    local m, n = sum.counts[a], sum.counts[b]
    return m > n or m == n and a < b
  end)
  print(("The commonest words of %s:\n"):format(what))
  for i = 1, math.min(SHOWN, #words) do
    local n = sum.counts[words[i]]
    print(("%14s %12s  %s"):format(words[i], commas(n), ("="):rep(math.ceil(48 * n / sum.counts[words[1]]))))
  end
  print(("\n%s, %s different, in %s: %s"):format(
    some(total, "words"), commas(#words), some(sum.files, "files"), some(sum.bytes, "bytes")))
  local left_out = {}
  for why in pairs(sum.left_out) do left_out[#left_out + 1] = why end
  table.sort(left_out)
  if #left_out > 0 then print(some(#left_out, "files") .. " left out:") end
  for i = 1, math.min(5, #left_out) do print("  " .. left_out[i]) end
end

local function compare(cpus, ...)
  local all = count_all(cpus, ...).seconds
  print(("\n%10s  %6.2f s"):format(some(cpus, "workers"), all))
  if cpus == 1 then return end
  local one = count_all(1, ...).seconds
  print(("%10s  %6.2f s   so all of them are %.2f times as fast"):format("1 worker", one, one / all))
end

local function exists(path)
  local f <close>, why, code = io.open(path)
  if f or code == 13 then return true end  -- 13: it is there, but not for us
  return false, why
end

local function give_up(why)
  io.stderr:write("wordcount: ", why, "\n")
  os.exit(1)
end

local places, only, enough, what = { table.unpack(arg) }, nil, nil, table.concat(arg, ", ")
for _, place in ipairs(places) do
  local ok, why = exists(place)
  if not ok then give_up(why) end
end
if #places == 0 then
  for _, place in ipairs { "/usr/share/common-licenses", "/usr/share/doc", "/usr/include" } do
    if exists(place) then places[#places + 1] = place end
  end
  if #places == 0 then give_up "name some folders or files to count" end
  only = [[\( -name copyright -o -name '*.h' -o -path '*/common-licenses/*' \)]]
  enough, what = ENOUGH, "licence texts and C headers"
end

-- The first pass brings the files into the system's cache; the two after it are timed.
report(count_all(lacus.cpus(), places, only, enough), what)
compare(lacus.cpus(), places, only, enough)
