/*
** value_cross.c: what crosses between two states, kind by kind, told by Lua
** chunks (see value.h for the functions that they find).
*/
#include "value.h"

static void scalars_are_exact (void) {
  border_run("=scalars_are_exact",
    "local function same(a, b)\n"
    "  return math.type(a) == math.type(b) and type(a) == type(b)\n"
    "    and (a == b or (a ~= a and b ~= b))\n"
    "    and (math.type(a) ~= 'float' or string.pack('n', a) == string.pack('n', b))\n"
    "end\n"
    "for _, v in ipairs {\n"
    "  0, -1, -16, -17, 111, 112, 127, 128, -128, -129, 32767, 32768, -32768,\n"
    "  -32769, 2^31 | 0, -(2^31 | 0), -(2^31 | 0) - 1, math.mininteger,\n"
    "  math.maxinteger, 0.0, -0.0, 1.0, 2.5, 2^53, 2^63, -2^63, 1e308, 5e-324,\n"
    "  1 / 0, -1 / 0, 0 / 0, -(0 / 0), '', 'a', 'a\\0b\\xff\\xc0', ('x'):rep(31),\n"
    "  ('x'):rep(32), ('x'):rep(255), ('x'):rep(256), ('x'):rep(70000), true, false\n"
    "} do\n"
    "  check(same(copy(v), v), tostring(v):sub(1, 40))\n"
    "  check(same(copy({ v })[1], v), 'in a list')\n"
    "  check(same(copy({ k = v }).k, v), 'in a field')\n"
    "  if v == v then check(next(copy({ [v] = 1 })) == v, 'as a key') end\n"
    "end\n");
}

static void counts_are_kept (void) {
  border_run("=counts_are_kept",
    "check(select('#', copy()) == 0)\n"
    "check(select('#', copy(nil)) == 1)\n"
    "check(select('#', copy(nil, nil, {}, nil)) == 4)\n"
    "local t = {}\n"
    "for i = 1, 200 do t[i] = i end\n"
    "check(select('#', copy(table.unpack(t))) == 200)\n"
    "check(select(200, copy(table.unpack(t))) == 200)\n"
    "t[100] = {}\n"
    "check(select(200, copy(table.unpack(t))) == 200)\n");
}

static void a_string_of_100_megabytes (void) {
  border_run("=a_string_of_100_megabytes",
    "local s = ('0123456789abcdef'):rep(100 * 65536)\n"
    "check(copy(s) == s)\n"
    "local a, b = copy({ s, s }, s)\n"
    "check(a[1] == s and b == s)\n"
    "check(bytes({ s, s }, s) < #s + 100, 'sent once')\n");
}

static void arrays_of_every_shape (void) {
  border_run("=arrays_of_every_shape",
    "local function equal(a, b)\n"
    "  local n = 0\n"
    "  for k, v in next, a do\n"
    "    n = n + 1\n"
    "    local w = rawget(b, k)\n"
    "    if type(v) == 'table' and type(w) == 'table' then\n"
    "      if not equal(v, w) then return false end\n"
    "    elseif w ~= v or math.type(v) ~= math.type(w) then return false end\n"
    "  end\n"
    "  for _ in next, b do n = n - 1 end\n"
    "  return n == 0\n"
    "end\n"
    "for _, n in ipairs { 1, 3, 4, 5, 46, 47, 48, 49, 63, 64, 65, 255, 256, 257, 271, 272, 273, 1000,\n"
    "                     1023, 1024, 1025 } do\n"
    "  local float, int, mixed, back, holes, hash = {}, {}, {}, {}, {}, {}\n"
    "  local tables, late = {}, {}                  -- late: n of them in the hash part\n"
    "  for i = 1, 2 * n do late['k' .. i] = i end\n"
    "  for i = 1, 2 * n do late['k' .. i] = nil end\n"
    "  for i = 1, n // 2 do late[-i] = i end\n"
    "  for i = 1, n do\n"
    "    float[i] = i / 3\n"
    "    int[i] = (i * 2654435761) >> (i % 60)\n"
    "    mixed[i] = i % 3 == 0 and i + 0.5 or i % 5 == 0 and 's' .. i or i\n"
    "    back[n - i + 1] = i\n"
    "    if i % 3 ~= 0 then holes[i] = i end\n"
    "    hash[i] = i; hash['k' .. i] = i; hash[-i] = i\n"
    "    tables[i] = { i, i % 7 == 0 and { i } or nil }\n"
    "    late[i] = i\n"
    "  end\n"
    "  local made, packed = { table.unpack(float) }, table.pack(table.unpack(mixed))\n"
    "  local again = copy(made)\n"
    "  for _, t in ipairs { float, int, mixed, back, holes, hash, tables, late, made, packed, again } do\n"
    "    check(equal(t, copy(t)), 'n = ' .. n)\n"
    "    t.extra = true; t[0] = 1; t[n + 10] = 5\n"
    "    check(equal(t, copy(t)), 'n = ' .. n .. ' and more')\n"
    "    t[n] = nil\n"
    "    check(equal(t, copy(t)), 'n = ' .. n .. ' and less')\n"
    "  end\n"
    "end\n"
    "for _, k in ipairs { math.mininteger, math.maxinteger, -0.5, 1e300 } do\n"
    "  check(equal({ [k] = 1 }, copy { [k] = 1 }))\n"
    "  check(equal({ 1, 2, [k] = 1 }, copy { 1, 2, [k] = 1 }))\n"
    "end\n"
    "local desert = {}\n"
    "for k = 0, 60 do desert[1 << k] = k end\n"
    "check(equal(desert, copy(desert)), 'a border behind a desert')\n"
    "local stack = {}\n"
    "for i = 1, 65 do stack[i] = i end\n"
    "stack[66] = 1; stack.x = 1; stack[66] = nil; stack[65] = nil\n"
    "check(equal(stack, copy(stack)))\n"
    "local million = {}\n"
    "for i = 1, 1000000 do million[i] = i end\n"
    "check(equal(million, copy(million)))\n"
    "local keys = {}\n"
    "for i = 1, 1000 do keys[i + 0.5] = i; keys[{}] = i end\n"
    "keys[true] = 1; keys[false] = 2\n"
    "local n = 0\n"
    "for k in pairs(copy(keys)) do n = n + 1 end\n"
    "check(n == 2002)\n");
}

static void arrays_keep_their_border (void) {
  border_run("=arrays_keep_their_border",
    "check(#copy({ 1, nil, 3 }) == 3)\n"
    "check(#copy({ 1, 2, nil, nil, 5 }) == 5)\n"
    "for _, n in ipairs { 40, 48, 200 } do\n"
    "  local t = table.move({}, 1, n, 1, { table.unpack({}, 1, n) })\n"
    "  for i = 1, n do t[i] = i / 2 end\n"
    "  t[2], t[n // 2], t[n - 1] = nil, nil, nil\n"
    "  check(#copy(t) == #t, n)\n"
    "end\n");
}

/* Keys that only look like the next item. */
static void strings_are_no_items (void) {
  border_run("=strings_are_no_items",
    "for _, n in ipairs { 1, 10, 100 } do\n"
    "  local t, u = {}, {}\n"
    "  for i = 1, n do t[tostring(i)] = i; u[i % 2 == 0 and i or tostring(i)] = i end\n"
    "  for _, v in ipairs { t, u } do\n"
    "    local c, count = copy(v), 0\n"
    "    for k, x in pairs(c) do count = count + 1; check(rawget(v, k) == x) end\n"
    "    check(count == n)\n"
    "  end\n"
    "end\n");
}

/* They go over Lua's stack while that has room; one by one when there are
** too many. */
static void numbers_of_every_width_and_count (void) {
  border_run("=numbers_of_every_width_and_count",
    "for _, n in ipairs { 48, 16384, 16385, 40000 } do\n"
    "  for _, top in ipairs { 100, 30000, 1 << 30, 1 << 40 } do\n"
    "    local t = {}\n"
    "    for i = 1, n do t[i] = i * top // n end\n"
    "    local c, again, shared = copy(t, t, { t })\n"
    "    check(c == again and shared[1] == c and #c == n)\n"
    "    for i = 1, n do check(c[i] == t[i] and math.type(c[i]) == 'integer') end\n"
    "  end\n"
    "end\n"
    "local deep = {}\n"
    "for i = 1, 60 do\n"
    "  local row = { deep }\n"
    "  for j = 2, 3000 do row[j] = j / 2 end\n"
    "  deep = row\n"
    "end\n"
    "local c = copy(deep)\n"
    "for i = 1, 60 do check(#c == 3000 and c[3000] == 1500); c = c[1] end\n");
}

static void shape_is_kept (void) {
  border_run("=shape_is_kept",
    "local t = {}\n"
    "t.self = t; t[t] = t\n"
    "local c = copy(t)\n"
    "check(c.self == c and c[c] == c and c ~= t)\n"
    "local x = {}\n"
    "local a, b, d = copy(x, { x }, { k = { [x] = x } })\n"
    "check(b[1] == a and d.k[a] == a)\n"
    "local ring = {}\n"
    "for i = 1, 500 do ring[i] = { i = i } end\n"
    "for i = 1, 500 do ring[i].next = ring[i % 500 + 1] end\n"
    "local r = copy(ring[1])\n"
    "local p = r\n"
    "for i = 1, 500 do check(p.i == i); p = p.next end\n"
    "check(p == r)\n");
}

static void depth_takes_no_stack (void) {
  border_run("=depth_takes_no_stack",
    "local list\n"
    "for i = 1, 1000000 do list = { list, i } end\n"
    "local p, n = copy(list), 0\n"
    "while p do n = n + 1; p = p[1] end\n"
    "check(n == 1000000)\n"
    "list, p = nil, nil\n"
    "collectgarbage()\n"
    "local keyed = {}\n"
    "for i = 1, 10000 do keyed = { [keyed] = i } end\n"
    "local n, p = 0, copy(keyed)\n"
    "while next(p) do n = n + 1; p = next(p) end\n"
    "check(n == 10000)\n"
    "local f = function() return 0 end\n"
    "for i = 1, 10000 do local g = f; f = function() return g end end\n"
    "check(there(function(f)\n"
    "  local n = 0\n"
    "  while f() ~= 0 do f = f(); n = n + 1 end\n"
    "  return n\n"
    "end, f) == 10000)\n"
    "local meta\n"
    "for i = 1, 5000 do meta = setmetatable({ i }, { __index = meta }) end\n"
    "check(copy(meta)[1] == 5000)\n"
    "local Node, head = {}\n"
    "Node.__index = Node\n"
    "for i = 1, 10000 do head = setmetatable({ next = head }, Node) end\n"
    "local n, p = 0, copy(head)\n"
    "while p do n = n + 1; check(getmetatable(p) == Node); p = p.next end\n"
    "check(n == 10000)\n");
}

static void functions_take_their_upvalues_along (void) {
  border_run("=functions_take_their_upvalues_along",
    "local n = 10\n"
    "local function count(k) n = n + k; return n end\n"
    "check(there(count, 5) == 15)\n"
    "check(n == 10, 'by value')\n"
    "check(copy(count) == count, 'the original again')\n"
    "n = 20\n"
    "check(there(count, 1) == 21, 'as they are now')\n"
    "local function set(v) n = v end\n"
    "local function get() return n end\n"
    "check(there(function(s, g) s(7); return g() end, set, get) == 7, 'shared')\n"
    "check(n == 20)\n"
    "local function fib(i) return i < 2 and i or fib(i - 1) + fib(i - 2) end\n"
    "check(there(fib, 15) == 610)\n"
    "local even, odd\n"
    "function even(i) if i == 0 then return true end return odd(i - 1) end\n"
    "function odd(i) if i == 0 then return false end return even(i - 1) end\n"
    "check(there(odd, 7) == true)\n"
    "local t = {}\n"
    "function t.f() return t end\n"
    "check(there(function(t) return t.f() == t end, t))\n"
    "check(there(function(f) return f().f == f end, t.f))\n");
}

static void functions_know_their_globals (void) {
  border_run("=functions_know_their_globals",
    "check(there(function() return print ~= nil and _ENV == _G end))\n"
    "there(function() marker = 1 end)\n"
    "check(marker == nil and there(function() return marker end) == 1)\n"
    "local g = _G\n"
    "check(there(function() return g == _G end))\n"
    "check(copy(_G) == _G and copy({ _G })[1] == _G)\n"
    "local function own()\n"
    "  local _ENV = { y = 5 }\n"
    "  return function(v) y = v or y; return y, _ENV end\n"
    "end\n"
    "check(there(own()) == 5)\n"
    "local set, get\n"
    "do local _ENV = { y = 1 }; set = function(v) y = v end; get = function() return y end end\n"
    "check(there(function(s, g) s(9); return g() end, set, get) == 9)\n");
}

/* What is kept for the next time is what was sent, and nothing else. */
static void a_function_that_changes_itself_there_comes_anew (void) {
  border_run("=a_function_that_changes_itself_there_comes_anew",
    "local f = load [[\n"
    "  local before = said\n"
    "  debug.setupvalue(debug.getinfo(1, 'f').func, 1, { said = 'changed', debug = debug })\n"
    "  return before, said]]\n"
    "there(load \"said = 'there'\")\n"
    "for i = 1, 2 do\n"
    "  local before, after = there(f)\n"
    "  check(before == 'there' and after == 'changed', before)\n"
    "end\n");
}

static void errors_name_file_and_line (void) {
  border_run("=errors_name_file_and_line",
    "local ok, err = pcall(there, load(\"\\n\\nerror('boom')\", '@some/file.lua'))\n"
    "check(err:find('some/file.lua:3: boom', 1, true), err)\n");
}

static void a_function_that_comes_back_is_the_original (void) {
  border_run("=a_function_that_comes_back_is_the_original",
    "local up = {}\n"
    "local function f() return up end\n"
    "local a, b = copy(f, { f })\n"
    "check(a == f and b[1] == f)\n"
    "check(there(function(g) return g, function() return g end end, f) == f)\n"
    "local _, wrap = there(function(g) return 1, function() return g end end, f)\n"
    "check(wrap() == f)\n"
    "check(there(function(g) kept = g end, f) == nil)\n"
    "check(there(function() return kept end) == f)\n"
    "up = { 1 }\n"
    "check(there(function(g) return g()[1] end, f) == 1, 'fresh upvalues')\n"
    "check(there(function() return kept()[1] end) == nil, 'not under the first')\n"
    "local plain = function() return 1 end\n"
    "there(function(g) plain1 = g end, plain)\n"
    "check(there(function(g) return g == plain1 end, plain), 'kept there')\n"
    "local p, q = function() end, function() end\n"
    "check(there(function(p, q) return p ~= q end, p, q))\n"
    "local made = there(function() made = function() return 'away' end return made end)\n"
    "check(made() == 'away')\n"
    "check(there(function(g) return g == made end, made))\n");
}

static void a_million_closures_cost_nothing_for_ever (void) {
  border_run("=a_million_closures_cost_nothing_for_ever",
    "local function counter(i) return function() return i end end\n"
    "for i = 1, 2000 do there(counter(i)) end\n"
    "collectgarbage(); there(collectgarbage); collectgarbage()\n"
    "local home, away = memory()\n"
    "for i = 1, 20000 do there(counter(i)) end\n"
    "collectgarbage(); there(collectgarbage); collectgarbage()\n"
    "there(collectgarbage)\n"
    "local home2, away2, mem = memory()\n"
    "check(home2 < home + 200000 and away2 < away + 200000,   -- a leak: 5 MB\n"
    "  ('%d %d, %d %d'):format(home, home2, away, away2))\n");
}

static void classes_are_themselves (void) {
  border_run("=classes_are_themselves",
    "local Point = {}\n"
    "Point.__index = Point\n"
    "function Point.new(x) return setmetatable({ x = x }, Point) end\n"
    "function Point:get() return self.x end\n"
    "function Point.__add(a, b) return Point.new(a.x + b.x) end\n"
    "function Point.__eq(a, b) return a.x == b.x end\n"
    "local p = copy(Point.new(4))\n"
    "check(getmetatable(p) == Point and p:get() == 4)\n"
    "check(copy(Point) == Point and copy({ Point }, Point)[1] == Point)\n"
    "local sum = there(function(a, b)\n"
    "  assert(getmetatable(a) == getmetatable(b))\n"
    "  first = first or getmetatable(a)\n"
    "  assert(first == getmetatable(a))\n"
    "  return a + b\n"
    "end, Point.new(1), Point.new(2))\n"
    "check(getmetatable(sum) == Point and sum:get() == 3)\n"
    "check(there(function(a) return getmetatable(a) == first end, Point.new(3)))\n"
    "Point.unit = 7\n"
    "check(there(function(p) return p.unit end, Point.new(1)) == nil, 'as at begin')\n"
    "begin()\n"
    "check(there(function(p) return p.unit end, Point.new(1)) == 7)\n"
    "Point.unit = nil\n"
    "begin()\n"
    "check(there(function(p) return p.unit end, Point.new(1)) == nil)\n"
    "check(there(function(p) return getmetatable(p) == first end, Point.new(3)))\n"
    "local only = { __add = function() return 'added' end }\n"
    "check(there(function(a) return a + a end, setmetatable({}, only)) == 'added')\n"
    "check(getmetatable(copy(setmetatable({}, only))) == only)\n"
    "check(copy(only) == only, 'a class by now')\n"
    "local late = { __call = function() return 1 end }\n"
    "local a, b = copy(late, setmetatable({}, late))\n"
    "check(a == late and getmetatable(b) == late)\n");
}

static void classes_know_each_other (void) {
  border_run("=classes_know_each_other",
    "local Base, Derived, Other = {}, {}, {}\n"
    "Base.__index = Base; Derived.__index = Derived; Other.__index = Other\n"
    "function Base:name() return 'base' end\n"
    "setmetatable(Derived, { __index = Base, __call = function(c) return setmetatable({}, c) end })\n"
    "Derived.other = Other; Other.friend = Derived; Other.base = Base\n"
    "local d = Derived()\n"
    "local back = copy(d)\n"
    "check(getmetatable(back) == Derived and back:name() == 'base')\n"
    "check(there(function(d)\n"
    "  local D = getmetatable(d)\n"
    "  return D.other.friend == D and d:name() == 'base'\n"
    "    and D.other.base == getmetatable(D).__index\n"
    "end, d))\n"
    "check(there(function(d) return getmetatable(d)() end, d):name() == 'base')\n"
    "local selfish = {}\n"
    "selfish.__index = selfish\n"
    "setmetatable(selfish, selfish)\n"
    "check(copy(selfish) == selfish)\n"
    "local hidden = setmetatable({}, { __metatable = false, __index = { v = 3 } })\n"
    "check(there(function(h) return h.v end, hidden) == 3)\n");
}

static void classes_made_there (void) {
  border_run("=classes_made_there",
    "local obj = there(function()\n"
    "  Made = {}\n"
    "  Made.__index = Made\n"
    "  function Made:hi() return 'hi ' .. self.name end\n"
    "  return setmetatable({ name = 'bob' }, Made)\n"
    "end)\n"
    "check(obj:hi() == 'hi bob')\n"
    "check(there(function(o) return getmetatable(o) == Made end, obj))\n"
    "check(getmetatable(there(function() return setmetatable({}, Made) end))\n"
    "  == getmetatable(obj))\n"
    "there(function() Made.more = 1 end)\n"
    "check(obj.more == nil)\n"
    "begin()\n"
    "there(function() return setmetatable({}, Made) end)\n"
    "check(obj.more == 1)\n");
}

static void classes_survive_collection (void) {
  border_run("=classes_survive_collection",
    "local C = {}\n"
    "C.__index = C\n"
    "for i = 1, 5 do\n"
    "  local o = copy(setmetatable({}, C))\n"
    "  check(getmetatable(o) == C)\n"
    "  collectgarbage(); there(collectgarbage); collectgarbage()\n"
    "end\n"
    "for i = 1, 600 do\n"
    "  local K = {}\n"
    "  K.__index = K; K.i = i\n"
    "  check(copy(setmetatable({}, K)).i == i)\n"
    "end\n");
}

static void weak_and_closing_tables (void) {
  border_run("=weak_and_closing_tables",
    "local weak = copy(setmetatable({ [1] = 'x' }, { __mode = 'k' }))\n"
    "check(getmetatable(weak).__mode == 'k')\n"
    "local closed = 0\n"
    "do\n"
    "  local c <close> = copy(setmetatable({}, { __close = function() closed = closed + 1 end }))\n"
    "end\n"
    "check(closed == 1)\n");
}

static void names_are_not_copied (void) {
  border_run("=names_are_not_copied",
    "for _, v in ipairs { print, string, string.format, math, io, io.stdout,\n"
    "  io.stdout.write, io.open, coroutine.wrap, require, package, package.loaded,\n"
    "  table.unpack, os.time, utf8.char, debug.traceback, select } do\n"
    "  check(copy(v) == v)\n"
    "  check(copy({ [v] = v })[v] == v)\n"
    "end\n"
    "check(there(function(f) return f == print end, print))\n"
    "local out, write = io.stdout, io.stdout.write\n"
    "check(there(function() return out == io.stdout and write == out.write end))\n"
    "fmt = string.format; aprint = print\n"
    "begin()\n"
    "check(there(function(f, p) return f == string.format and p == print end, fmt, aprint))\n"
    "mine = { 1 }\n"
    "begin()\n"
    "check(copy(mine) ~= mine, 'a global of the script is data')\n");
}

static void modules_go_by_name (void) {
  border_run("=modules_go_by_name",
    "package.preload.shapes = function()\n"
    "  local M = { list = { 1, 2 }, Shape = {} }\n"
    "  M.Shape.__index = M.Shape\n"
    "  function M.Shape:area() return self.a end\n"
    "  function M.new(a) return setmetatable({ a = a }, M.Shape) end\n"
    "  return setmetatable(M, { __index = function() error 'strict' end,\n"
    "    __newindex = function() error 'strict' end })\n"
    "end\n"
    "local shapes = require 'shapes'\n"
    "local ok, err = pcall(copy, shapes.new)\n"
    "check(not ok and err:find(\"module 'shapes' is not found in this state\", 1, true), err)\n"
    "there(load \"package.preload.shapes = load(...)\", [[\n"
    "  local M = { list = {}, Shape = {}, where = 'there' }\n"
    "  M.Shape.__index = M.Shape\n"
    "  function M.Shape:area() return self.a * 2 end\n"
    "  function M.new(a) return setmetatable({ a = a }, M.Shape) end\n"
    "  return M]])\n"
    "check(copy(shapes.new) == shapes.new and copy(shapes) == shapes)\n"
    "check(there(function() return shapes.where end) == 'there')\n"
    "check(there(function(s) return s:area() end, shapes.new(4)) == 8)\n"
    "check(getmetatable(copy(shapes.new(1))) == shapes.Shape)\n"
    "check(copy(shapes.Shape.area) == shapes.Shape.area)\n"
    "check(copy({ shapes.list })[1] == shapes.list)\n"
    "rawset(shapes, 'late', function() end)\n"
    "package.loaded.nothing = false\n"
    "package.loaded[1] = {}\n"
    "check(copy(shapes.late) == shapes.late, 'by value before the next look')\n"
    "package.loaded.other = {}\n"
    "begin()\n"
    "local ok, err = pcall(copy, shapes.late)\n"
    "check(err:find(\"module 'shapes' has no 'late' in this state\", 1, true), err)\n"
    "package.loaded.answer = function() return 42 end\n"
    "begin()\n"
    "there(function() package.loaded.answer = function() return 43 end end)\n"
    "check(there(function(f) return f() end, package.loaded.answer) == 43)\n");
}

/* The index of names is older than what it names. */
static void what_a_module_has_dropped_goes_by_value (void) {
  border_run("=what_a_module_has_dropped_goes_by_value",
    "local shapes = { area = function() return 'old' end, Shape = {} }\n"
    "shapes.Shape.__index = shapes.Shape\n"
    "function shapes.Shape.name() return 'shape' end\n"
    "local area, name = shapes.area, shapes.Shape.name\n"
    "package.loaded.shapes = shapes\n"
    "there(load \"package.loaded.shapes = { area = function() return 'there' end }\")\n"
    "begin()\n"
    "check(there(area) == 'there')\n"
    "local ok, err = pcall(there, name)\n"
    "check(err:find(\"module 'shapes' has no 'Shape.name' in this state\", 1, true), err)\n"
    "shapes.area, shapes.Shape = function() return 'new' end, 5\n"
    "check(there(area) == 'old')\n"
    "check(there(name) == 'shape')\n");
}

static void methods_of_userdata_go_by_name (void) {
  border_run("=methods_of_userdata_go_by_name",
    "local meta = getmetatable(io.stdout)\n"
    "check(copy(meta.__tostring) == meta.__tostring)\n"
    "check(there(function(f) return f == getmetatable(io.stdout).__tostring end,\n"
    "            meta.__tostring))\n"
    "package.loaded.device = { screen = debug.setmetatable(io.tmpfile(), { draw = function()\n"
    "  return 'here' end }) }\n"
    "begin()\n"
    "local draw = debug.getmetatable(package.loaded.device.screen).draw\n"
    "there(load [[package.loaded.device = { screen = debug.setmetatable(io.tmpfile(), {\n"
    "  draw = function() return 'there' end }) }]])\n"
    "check(there(draw) == 'there')\n"
    "local pen = debug.setmetatable(io.tmpfile(), { ink = function() return 'black' end })\n"
    "debug.getmetatable(pen).__index = debug.getmetatable(pen)\n"
    "package.loaded.device = { pen = pen }\n"
    "begin()\n"
    "local ok, err = pcall(there, pen.ink)\n"
    "check(err:find(\"module 'device' has no 'pen.ink' in this state\", 1, true), err)\n");
}

/* "tab" is the beginning of a standard library's name, and no such name. */
static void of_two_modules_the_first_by_the_alphabet_names (void) {
  border_run("=of_two_modules_the_first_by_the_alphabet_names",
    "local M = { f = function() return 'here' end }\n"
    "package.loaded.tab, package.loaded.us = M, M\n"
    "begin()\n"
    "there(load \"package.loaded.tab = { f = function() return 'tab' end }\")\n"
    "there(load \"package.loaded.us = { f = function() return 'us' end }\")\n"
    "check(there(M.f) == 'tab')\n"
    "package.loaded.tab = nil\n"
    "begin()\n"
    "check(there(M.f) == 'us')\n");
}

static void a_state_without_require_has_no_modules (void) {
  border_run("=a_state_without_require_has_no_modules",
    "package.loaded.shapes = { area = function() end }\n"
    "begin()\n"
    "there(load 'require = nil')\n"
    "local ok, err = pcall(copy, package.loaded.shapes.area)\n"
    "check(err:find(\"module 'shapes' is not found in this state: there is no 'require' in it\",\n"
    "  1, true), err)\n"
    "check(copy(string.format) == string.format)\n");
}

static void debian_modules (void) {
  border_run("=debian_modules",
    "for _, name in ipairs { 'lpeg', 'cjson', 'lfs' } do\n"
    "  local ok, M = pcall(require, name)\n"
    "  if ok then\n"
    "    begin()\n"
    "    check(copy(M) == M, name)\n"
    "    for k, f in pairs(M) do\n"
    "      if type(f) == 'function' then check(copy(f) == f, k) end\n"
    "    end\n"
    "  end\n"
    "end\n"
    "local ok, cjson = pcall(require, 'cjson')\n"
    "if ok then\n"
    "  check(there(function(s) return cjson.decode(s)[2] end, '[1,2]') == 2)\n"
    "  check(copy(cjson.null) == cjson.null)\n"
    "end\n");
}

static void transfer (void) {
  border_run("=transfer",
    "local function made(a, b) return { sum = a + b } end\n"
    "local mt = { __transfer = function(t) return made, t[1], t[2] end }\n"
    "local t = setmetatable({ 1, 2 }, mt)\n"
    "local c = copy({ t, t, k = { t } })\n"
    "check(c[1].sum == 3 and c[1] == c[2] and c.k[1] == c[1])\n"
    "local inner = setmetatable({}, { __transfer = function()\n"
    "  return function(x) return { got = x } end, t end })\n"
    "check(copy(inner).got.sum == 3)\n"
    "local deep = {}\n"
    "local d = deep\n"
    "for i = 1, 300 do d.next = {}; d = d.next end\n"
    "d.stop = true\n"
    "local whole = setmetatable({}, { __transfer = function()\n"
    "  return function(x)\n"
    "    local n = 0\n"
    "    while x.next do x = x.next; n = n + 1 end\n"
    "    return { n = n, stop = x.stop }\n"
    "  end, deep end })\n"
    "local w = copy({ whole })[1]\n"
    "check(w.n == 300 and w.stop, 'values are complete when the function runs')\n"
    "local file = setmetatable({ gone = 0 }, { __gc = function() end,\n"
    "  __transfer = function() return io.tmpfile end })\n"
    "check(there(function(f) return io.type(f) end, file) == 'file')\n"
    "local made = 0\n"
    "local fresh = setmetatable({}, { __transfer = function()\n"
    "  made = made + 1\n"
    "  local big = {}\n"
    "  for i = 1, 100 do big[i] = { tostring(i) } end\n"
    "  collectgarbage()\n"
    "  return function(...) return { ... } end, big, made end })\n"
    "local many = {}\n"
    "for i = 1, 50 do many[i] = setmetatable({}, getmetatable(fresh)) end\n"
    "local back = copy(many)\n"
    "for i = 1, 50 do\n"
    "  for k = 1, 100 do check(back[i][1][k][1] == tostring(k)) end\n"
    "end\n"
    "local ok, err = pcall(copy, setmetatable({}, { __transfer = function() error 'boo' end }))\n"
    "check(not ok and err:find 'boo')\n"
    "local ok, err = pcall(copy, setmetatable({}, { __transfer = function() end }))\n"
    "check(not ok and err:find 'must return a function')\n"
    "local ok, err = pcall(copy, setmetatable({}, { __transfer = function() return {} end }))\n"
    "check(not ok and err:find 'must return a function and its arguments, not table', err)\n"
    "check(copy(1) == 1)\n"
    "local again = setmetatable({}, { __transfer = function()\n"
    "  copy({ 'inside' }, print)\n"
    "  return function() return 'nested' end end })\n"
    "check(copy({ again, again })[2] == 'nested')\n");
}

static void refusals_say_where (void) {
  border_run("=refusals_say_where",
    "local function why(...)\n"
    "  local n, way, what = refused(...)\n"
    "  return n and n .. way .. ': ' .. what\n"
    "end\n"
    "local function is(got, want) check(got == want, tostring(got)) end\n"
    "local co = coroutine.create(print)\n"
    "is(why(co), '1: a coroutine')\n"
    "is(why(1, 2, { co }), '3[1]: a coroutine')\n"
    "is(why({ config = { handlers = { 1, 2, co } } }), '1.config.handlers[3]: a coroutine')\n"
    "is(why({ log = { file = io.tmpfile() } }), '1.log.file: a FILE* handle')\n"
    "is(why({ ['odd key'] = co }), '1[\"odd key\"]: a coroutine')\n"
    "is(why({ ['a\"\\n'] = co }), '1[\"a\\\\\"\\\\010\"]: a coroutine')\n"
    "is(why({ [1.5] = co }), '1[1.5]: a coroutine')\n"
    "is(why({ [true] = { [-3] = co } }), '1[true][-3]: a coroutine')\n"
    "is(why({ [co] = 1 }), '1, a key: a coroutine')\n"
    "is(why({ [{}] = co }), '1[a table]: a coroutine')\n"
    "is(why(setmetatable({}, { __index = co })), '1, metatable, field .__index: a coroutine')\n"
    "is(why(setmetatable({}, { __gc = function() end })), '1: a table with a __gc metamethod')\n"
    "is(why(string.gmatch('a', 'a')), '1: a C function')\n"
    "local done = load([[\n"
    "local file = ...\n"
    "return { done = function() return file end }]], '@script.lua')(io.tmpfile())\n"
    "is(why(done),\n"
    "  \"1.done, upvalue 'file' of function at script.lua:2: a FILE* handle\")\n"
    "local outer = load([[\n"
    "local g = ...\n"
    "return function() return g() end]], '@outer.lua')(done.done)\n"
    "is(why(outer), \"1, upvalue 'g' of function at outer.lua:2, \"\n"
    "  .. \"upvalue 'file' of function at script.lua:2: a FILE* handle\")\n"
    "local stripped = load(string.dump(load 'local a = ... return function() return a end', true))(co)\n"
    "is(why(stripped), '1, upvalue 1 of function at ?:1: a coroutine')\n"
    "local long = co\n"
    "for i = 1, 100 do long = { n = long } end\n"
    "is(why(long), '1' .. ('.n'):rep(12) .. '...' .. ('.n'):rep(12) .. ': a coroutine')\n"
    "is(why({ a = { b = { c = co } }, z = { co } }), '1.z[1]: a coroutine')\n"
    "is(why(setmetatable({}, { __transfer = function() return rawequal, { x = co } end })),\n"
    "  '1, value 1 of its __transfer, field .x: a coroutine')\n"
    "local t = {}\n"
    "setmetatable(t, { __transfer = function() return rawequal, t end })\n"
    "is(why({ t }), '1[1]: a table that its own __transfer leads to')\n"
    "local chain = 1\n"
    "for i = 1, 500 do\n"
    "  local inner = chain\n"
    "  chain = setmetatable({}, { __transfer = function() return rawequal, inner end })\n"
    "end\n"
    "check(why(chain):find 'a __transfer too deep')\n"
    "local main = load('return log', '=main.lua', 't', { log = io.tmpfile() })\n"
    "is(why(main), \"1, upvalue '_ENV' of main chunk at main.lua, field .log: a FILE* handle\")\n"
    "local hidden = { { setmetatable({}, { __transfer = function(t)\n"
    "  t.of[1] = nil\n"
    "  return rawequal\n"
    "end }), co } }\n"
    "hidden[1][1].of = hidden\n"
    "is(why(hidden), '1: a coroutine')\n"
    "is(why(1, 'x', {}), nil)\n"
    "local ok, err = pcall(there, function() return coroutine.create(print) end)\n"
    "check(err == 'there: cannot send args[1]: a coroutine', err)\n"
    "check(copy({ 1 })[1] == 1)\n");
}

static void refusals_name_userdata_as_they_name_themselves (void) {
  border_run("=refusals_name_userdata_as_they_name_themselves",
    "local function why(name)\n"
    "  local u = debug.setmetatable(io.tmpfile(), { __name = name })\n"
    "  local n, way, what = refused({ u = u })\n"
    "  return n .. way .. ': ' .. what\n"
    "end\n"
    "for name, want in pairs { Image = 'an Image', Socket = 'a Socket', [''] = 'a ',\n"
    "                          ['lacus.thing'] = 'a lacus.thing' } do\n"
    "  check(why(name) == '1.u: ' .. want, why(name))\n"
    "end\n"
    "check(why(nil) == '1.u: a userdata', why(nil))\n"
    "check(why({}) == '1.u: a userdata', why({}))\n"
    "check(why(7) == '1.u: a userdata', why(7))\n");
}

static void transfer_is_called_once (void) {
  border_run("=transfer_is_called_once",
    "local calls = 0\n"
    "local odd = setmetatable({}, { __transfer = function()\n"
    "  calls = calls + 1\n"
    "  return function(c, o) return { c, o } end, { __index = 5 }, setmetatable({}, { __index = {} })\n"
    "end })\n"
    "local back = copy({ odd, { __index = odd }, setmetatable({}, { __index = function() end }) })\n"
    "check(calls == 1 and back[1][1].__index == 5)\n");
}

static void values_may_change_while_they_are_sent (void) {
  border_run("=values_may_change_while_they_are_sent",
    "local t = {}\n"
    "for i = 1, 200 do t['k' .. i] = setmetatable({}, { __transfer = function()\n"
    "  for k = 1, 50 do t['new' .. i .. k] = {} end\n"
    "  t['k' .. (i % 7)] = nil\n"
    "  return function() return 1 end\n"
    "end }) end\n"
    "pcall(copy, t)\n"
    "local big = {}\n"
    "for i = 1, 100 do big[i] = setmetatable({}, { __gc = nil, __index = function() end }) end\n"
    "for i = 1, 100 do\n"
    "  setmetatable({}, { __gc = function() big[i] = nil; copy(big); begin() end })\n"
    "  pcall(copy, big, function() return big end)   -- wrong perhaps, never wild\n"
    "end\n"
    "check(copy(7) == 7)\n");
}

int main (void) {
  RUN(scalars_are_exact);
  RUN(counts_are_kept);
  RUN(a_string_of_100_megabytes);
  RUN(arrays_of_every_shape);
  RUN(arrays_keep_their_border);
  RUN(strings_are_no_items);
  RUN(numbers_of_every_width_and_count);
  RUN(shape_is_kept);
  RUN(depth_takes_no_stack);
  RUN(functions_take_their_upvalues_along);
  RUN(functions_know_their_globals);
  RUN(a_function_that_changes_itself_there_comes_anew);
  RUN(errors_name_file_and_line);
  RUN(a_function_that_comes_back_is_the_original);
  RUN(a_million_closures_cost_nothing_for_ever);
  RUN(classes_are_themselves);
  RUN(classes_know_each_other);
  RUN(classes_made_there);
  RUN(classes_survive_collection);
  RUN(weak_and_closing_tables);
  RUN(names_are_not_copied);
  RUN(modules_go_by_name);
  RUN(what_a_module_has_dropped_goes_by_value);
  RUN(methods_of_userdata_go_by_name);
  RUN(of_two_modules_the_first_by_the_alphabet_names);
  RUN(a_state_without_require_has_no_modules);
  RUN(debian_modules);
  RUN(transfer);
  RUN(refusals_say_where);
  RUN(refusals_name_userdata_as_they_name_themselves);
  RUN(transfer_is_called_once);
  RUN(values_may_change_while_they_are_sent);
  return check_end();
}
