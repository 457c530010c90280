-- A long key in a message was cut within a character of UTF-8: the message was
-- text no more.
local lacus = require "lacus"

describe("a long key on the way to what cannot be sent", function()
  it("is cut between characters", function()
    local pool <close> = lacus.pool(1)
    for _, sign in ipairs { "é", "€", "😀" } do
      local co = coroutine.create(print)
      for lead = 0, 3 do
        local key = ("-"):rep(lead) .. sign:rep(30)
        local _, err = pcall(pool.submit, pool, print, { [key] = co })
        local shown = tostring(err):match '%["(.*)%.%.%."%]'
        assert.is_not_nil(utf8.len(shown))
        assert.equal(shown, key:sub(1, #shown))
        assert.is_true(#shown > 36 and #shown <= 40)
      end
    end
  end)
end)
