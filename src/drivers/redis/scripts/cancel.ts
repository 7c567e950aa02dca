import { script } from "./script.js";

/**
 * Stops jobs: `{id, name, value, ttl}` each, with the outcome to keep where the job had not started, or an empty name.
 * Answers, for each, "c" cancelled, "r" requested of its worker, or "a" absent.
 *
 * Called by `Broker.cancel`. Up to seven commands a job.
 */
export const cancel = script(`
local function cancelOne(id, name, value, ttl)
  local record = call('HGET', P .. 'jobs', id)
  if not record then return 'a' end
  local priority, queue = placeOf(record)
  local held = call('HGET', P .. 'held:' .. queue, id)
  if held then
    call('SADD', P .. 'cancels', id)
    call('PUBLISH', CHANNEL .. 'worker:' .. sub(held, 14, 25), 'c' .. id)
    return 'r'
  end
  if call('ZSCORE', P .. 'dead:' .. queue, id) then return 'a' end
  takeOut(queue, priority, id)
  if name ~= '' then keep(id, name, value, ttl) end
  return 'c'
end

local statuses = {}
for at, request in ipairs(args) do statuses[at] = cancelOne(unpack(request)) end
return table.concat(statuses)
`);
