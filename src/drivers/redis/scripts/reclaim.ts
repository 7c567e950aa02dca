import { script } from "./script.js";

/**
 * Answers, as the claim would have, what was leased under a token, and renews it: `{token, lease, queues}`. A claim whose
 * answer was lost with its connection is asked again by this, so its jobs need not wait for their leases to pass.
 *
 * Called by `Consumer.claim` after a failure. Reads all leases of the queues.
 */
export const reclaim = script(`
local token, lease, queues = unpack(args)
local found = {tostring(now), '-1'}
local value = string.format('%013d', now + lease)

for index, queue in ipairs(queues) do
  local held, ids = call('HGETALL', P .. 'held:' .. queue), {}
  for at = 1, #held, 2 do
    if sub(held[at + 1], 14) == token then
      ids[#ids + 1] = held[at]
      call('HSET', P .. 'held:' .. queue, held[at], value .. sub(held[at + 1], 14))
    end
  end
  if #ids > 0 then
    local records = call('HMGET', P .. 'jobs', unpack(ids))
    found[#found + 1] = {index, ids, records, call('HMGET', P .. 'history', unpack(ids))}
  end
end
return cmsgpack.pack(found)
`);
