-- lists.lua: nothing is built by the Makefile that a rock would lack, and no file
-- lies in src/ unbuilt.
--
--   lua5.4 tools/lists.lua CORE.c... -- SUGAR.lua... -- HOST.c...
--
-- The arguments are the Makefile's lists; they are compared with what is in the
-- folders and with the rockspec's.

local failed, passed = 0, 0

local function compare(what, wanted, got)
  local seen, wrong = {}, {}
  for _, name in ipairs(wanted) do seen[name] = true end
  for _, name in ipairs(got) do
    if not seen[name] then wrong[#wrong + 1] = "more: " .. name end
    seen[name] = nil
  end
  for name in pairs(seen) do wrong[#wrong + 1] = "lacks " .. name end
  table.sort(wrong)
  if #wrong == 0 then passed = passed + 1 return end
  failed = failed + 1
  print(("FAILED  %s\n          %s"):format(what, table.concat(wrong, "\n          ")))
end

local function find(command)
  local list, names = {}, assert(io.popen(command))
  for name in names:lines() do list[#list + 1] = name end
  names:close()
  return list
end

local lists = { {} }
for _, word in ipairs(arg) do
  if word == "--" then lists[#lists + 1] = {}
  elseif not word:find "^build/" then table.insert(lists[#lists], word) end
end
local core, sugar, host = lists[1], lists[2], lists[3]

local all = table.move(host, 1, #host, #core + 1, { table.unpack(core) })
compare("src/ against the Makefile", find "find src -name '*.c'", all)

local rock = {}
assert(loadfile(find "ls lacus-*.rockspec"[1], "t", rock))()
local modules = rock.build.modules
compare("the rockspec's sources against the Makefile", core, modules.lacus.sources)

local files = {}
for name, file in pairs(modules) do
  if name ~= "lacus" then
    files[#files + 1] = file
    if "lua/" .. name:gsub("%.", "/") .. ".lua" ~= file then compare("module " .. name, { file }, {}) end
  end
end
compare("the rockspec's Lua files against lua/", find "find lua -name '*.lua'", files)

local types = find "find lua/lacus -name types.lua"
compare("the embedded Lua files against lua/lacus", find "find lua -name '*.lua'",
  table.move(types, 1, #types, #sugar + 1, { table.unpack(sugar) }))

print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
