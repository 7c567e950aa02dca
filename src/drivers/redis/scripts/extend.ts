import { script } from "./script.js";

/**
 * Renews leases. Arguments: `{lease, {queue, {id, token, ...}}, ...}`. Answers, for each id, "h" held, "l" lost, or "c" held
 * but to be cancelled.
 *
 * Called by `Consumer.extend` with every heartbeat. Two commands a queue.
 */
export const extend = script(`
local statuses = {}
local cancelling = call('EXISTS', P .. 'cancels') == 1
local untilWhen = string.format('%013d', now + args[1])

local function extendAll(queue, pairs)
  local ids, held = {}, {}
  for at = 1, #pairs, 2 do ids[#ids + 1] = pairs[at] end
  local values = call('HMGET', P .. 'held:' .. queue, unpack(ids))
  for at, id in ipairs(ids) do
    local value = values[at]
    if value and sub(value, 14) == pairs[2 * at] then
      statuses[#statuses + 1] = cancelling and call('SISMEMBER', P .. 'cancels', id) == 1 and 'c' or 'h'
      held[#held + 1] = id
      held[#held + 1] = untilWhen .. sub(value, 14)
    else
      statuses[#statuses + 1] = 'l'
    end
  end
  if #held > 0 then call('HSET', P .. 'held:' .. queue, unpack(held)) end
end

for at = 2, #args do extendAll(args[at][1], args[at][2]) end
return table.concat(statuses)
`);
