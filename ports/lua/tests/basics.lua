-- What every Lua does: numbers, strings, tables, closures, coroutines, errors, the collector.
assert(_VERSION == "Lua 5.4")
-- numbers
assert(1 // 0.0 == math.huge and -7 // 2 == -4 and -7 % 3 == 2 and 7.0 == 7)
assert(math.maxinteger + 1 == math.mininteger and 2^53 == 9007199254740992.0)
assert(0x7fffffffffffffff == math.maxinteger and 1e308 * 10 == math.huge)
assert(tostring(1e15) == "1e+15" and tostring(-0.0) == "-0.0" and tostring(3.14159265358979) == "3.1415926535898")
assert(string.format("%5.2f|%x|%q|%10s|%-5d|%a", math.pi, 255, "a\n", "x", 42, 1) ==
    " 3.14|ff|\"a\\\n\"|         x|42   |0x1p+0")
assert(tonumber("0x1p4") == 16.0 and tonumber("1e1") == 10 and tonumber("zz", 36) == 1295 and not tonumber("1z"))
assert(math.type(1) == "integer" and math.type(1.0) == "float" and math.ult(1, -1))
-- strings
assert(("hello world"):gsub("o", "0") == "hell0 w0rld" and ("key = value"):match("^(%w+)%s*=%s*(%w+)$") == "key")
assert(("abc"):rep(3, ",") == "abc,abc,abc" and ("\u{20AC}"):byte(1, -1) == 0xE2 and utf8.len("h\u{e9}") == 2)
local packed = string.pack(">I4z<d", 258, "name", 1.5)
local a, b, c = string.unpack(">I4z<d", packed)
assert(#packed == 17 and a == 258 and b == "name" and c == 1.5)
-- tables
local t = {5, 2, 8, 1}
table.sort(t, function(x, y) return x > y end)
assert(table.concat(t, " ") == "8 5 2 1" and select("#", table.unpack({1, nil, 3}, 1, 3)) == 3)
table.insert(t, 1, 9); table.move(t, 1, 3, 4)
assert(table.concat(t, " ") == "9 8 5 9 8 5")
local many = {}
for i = 1, 1e5 do many[i] = i end
for i = 1, 1e5, 2 do many[i] = nil end
local n = 0
for _ in pairs(many) do n = n + 1 end
assert(n == 5e4)
-- metatables and closures
local Point = {}
Point.__index = Point
Point.__add = function(p, q) return setmetatable({x = p.x + q.x}, Point) end
Point.__close = function(p) p.closed.x = true end
assert((setmetatable({x = 1}, Point) + setmetatable({x = 2}, Point)).x == 3)
local seen = {}
do local p <close> = setmetatable({closed = seen}, Point) end
assert(seen.x)
-- coroutines
local function numbers(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
local sum = 0
for i in numbers(1000) do sum = sum + i end
assert(sum == 500500)
local co = coroutine.create(function() local x = coroutine.yield(1); error({code = x}) end)
assert(select(2, coroutine.resume(co)) == 1)
local ok, e = coroutine.resume(co, 7)
assert(not ok and e.code == 7 and coroutine.status(co) == "dead")
-- Errors are longjmps, through C as well.
assert(select(2, pcall(error, "x", 0)) == "x" and not pcall(string.rep))
local ok, e = pcall(table.sort, {3, 1, 2}, function() error("within", 0) end)
assert(not ok and e == "within")
for i = 1, 1000 do assert(not pcall(function() error(i) end)) end
local ok, trace = xpcall(function() local x = nil; return x.y end, debug.traceback)
assert(not ok and trace:find("attempt to index") and trace:find("stack traceback"))
assert(select(2, pcall(function() return 1 + {} end)):find("attempt to perform arithmetic"))
-- Recursion without end is an error and no crash, in Lua and in C.
local function deep(n) return 1 + deep(n + 1) end
assert(select(2, pcall(deep, 1)):find("stack overflow"))
assert(select(2, pcall(function() local s = string.rep("(", 1e5); return assert(load("return " .. s)) end)))
local nested = "x"
local ok, e = pcall(string.gsub, nested, "x", function() return ("y"):rep(-1) end)
assert(ok and e == "")
local function through_c() return (("x"):gsub("x", through_c)) end
local ok, e = pcall(through_c)
assert(not ok and e:find("overflow"), e)
-- load, goto, integer for, varargs
assert(load("local a <const> = 5; goto l; a = 6; ::l:: return a") == nil and load("return ...")(4) == 4)
assert(load(string.dump(function(x) return x * 2 end))(21) == 42)
-- the collector
local weak = setmetatable({}, {__mode = "v"})
weak[1] = {}
local finalized = false
setmetatable({}, {__gc = function() finalized = true end})
collectgarbage(); collectgarbage()
assert(weak[1] == nil and finalized)
for mode = 1, 2 do
    collectgarbage(mode == 1 and "generational" or "incremental")
    local garbage
    for i = 1, 1e5 do garbage = {garbage and i, tostring(i)} end
end
assert(collectgarbage("count") < 64 * 1024)
print("basics: ok")
