import { script } from "./script.js";

/**
 * Ends attempts. Arguments: groups of completed jobs of one claim and queue, `{queue, token, ids, outcomes}` with a name, a
 * value and a ttl for each id or no outcomes at all; then, after `false`, single settlements `{kind, queue, token, id, delay,
 * history, reason, name, value, ttl}`. A settlement whose token is not that of the lease changes nothing. Answers "1" or "0"
 * for each id, in this order.
 *
 * Called by `Consumer.settle`. Four commands a group, one more for each outcome and two for all of them.
 */
export const settle = script(`
local statuses = {}

local function complete(queue, token, ids, outcomes)
  local held = call('HMGET', P .. 'held:' .. queue, unpack(ids))
  local settled, kept = {}, {}
  for at, id in ipairs(ids) do
    local mine = held[at] and sub(held[at], 14) == token
    statuses[#statuses + 1] = mine and '1' or '0'
    if mine then
      settled[#settled + 1] = id
      if #outcomes > 0 then
        local value = outcomes[3 * at - 1]
        kept[#kept + 1], kept[#kept + 2], kept[#kept + 3] = id, value, outcomes[3 * at]
        tell(outcomes[3 * at - 2], value)
      end
    end
  end
  if #settled == 0 then return end
  call('HDEL', P .. 'held:' .. queue, unpack(settled))
  forgetJobs(settled)
  keepAll(kept)
end

-- Back into its line, or behind its delay.
local function putBack(queue, id, wait, history, push)
  history[3] = now + wait
  setHistory(id, history)
  if wait > 0 then return delay(queue, id, now + wait, history[1]) end
  enter(queue, (placeOf(call('HGET', P .. 'jobs', id))), {id}, push)
  wake(queue, 1)
end

local function settleOne(kind, queue, token, id, wait, note, reason, name, value, ttl)
  local held = call('HGET', P .. 'held:' .. queue, id)
  if not held or sub(held, 14) ~= token then
    statuses[#statuses + 1] = '0'
    return
  end
  statuses[#statuses + 1] = '1'
  call('HDEL', P .. 'held:' .. queue, id)
  local history = historyOf(id)
  if note ~= '' then history[5] = note end
  if kind == 'release' then return putBack(queue, id, wait, history, 'LPUSH') end
  history[1] = history[1] + 1
  if kind == 'retry' then return putBack(queue, id, wait, history) end
  history[6] = reason
  call('SREM', P .. 'cancels', id)
  setHistory(id, history)
  call('ZADD', P .. 'dead:' .. queue, now, id)
  if name ~= '' then keep(id, name, value, ttl) end
end

local at = 1
while args[at] do
  complete(unpack(args[at]))
  at = at + 1
end
for index = at + 1, #args do settleOne(unpack(args[index])) end
return table.concat(statuses)
`);
