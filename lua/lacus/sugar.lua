-- The part of lacus that is Lua: what needs no state shared between threads.
-- Called once for each Lua state, by the C core, with the module and the
-- method tables of its classes.

local function add_to_results(Results)

  --- Waits for all that is left and gives it as a table in source order:
  --- the first value of each result; `n` is the number of items.
  --- Raises as the loop would.
  ---
  ---     pool:map({1, 2, 3}, function(x) return x * x end):collect()  --> {1, 4, 9, n = 3}
  ---@return table
  function Results:collect()
    local list, n = {}, 0
    for i, value in self do
      list[i] = value
      if i > n then n = i end
    end
    list.n = n
    return list
  end

end

return function(_, _, Results)
  add_to_results(Results)
end
