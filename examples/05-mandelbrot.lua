-- 05: a picture, row by row: ordered results are drawn while later rows are still computed.
local lacus = require "lacus"
local pool <close> = lacus.pool()

local COLUMNS, ROWS, MOST = 78, 32, 2000
local SHADES = " .,:;=+*%$@#"

local function row(y)
  local line = {}
  local ci = (y - 0.5) / ROWS * 2.3 - 1.15
  for x = 1, COLUMNS do
    local cr = (x - 0.5) / COLUMNS * 3.1 - 2.15
    local zr, zi, n = 0.0, 0.0, 0
    while n < MOST and zr * zr + zi * zi < 4 do
      zr, zi, n = zr * zr - zi * zi + cr, 2 * zr * zi + ci, n + 1
    end
    local shade = n == MOST and #SHADES or math.min(#SHADES - 1, 1 + n // 2)
    line[x] = SHADES:sub(shade, shade)
  end
  return table.concat(line)
end

-- COLUMNS, ROWS, MOST and SHADES travel with `row`, once to each worker.
local begun = lacus.now()
for _, line in pool:map(lacus.range(1, ROWS), row, { ordered = true }) do
  print(line)
end
print(("%d workers, %.0f ms"):format(lacus.cpus(), (lacus.now() - begun) * 1000))
