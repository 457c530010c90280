-- A userdata whose __name is no string (any script can do that) was refused with a value
-- too many on the stack: the message had the way in the place of the thing.
local lacus = require "lacus"
local fails = require "spec.support.fails"

describe("a userdata with an odd __name", function()
  it("is refused as any other, with the way to it", function()
    local pool <close> = lacus.pool(1)
    for _, name in ipairs { 7, {}, true, print } do
      local odd = debug.setmetatable(io.tmpfile(), { __name = name })
      fails.with("cannot send args%[2%]%.at: a userdata", pool.submit, pool, print, 1, { at = odd })
    end
  end)
end)
