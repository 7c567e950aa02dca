import { script } from "./script.js";

/**
 * Leases jobs. Arguments: `{consumer, token, lease, max, wait, was waiting, queues}`. Answers, packed, `{time, when the next
 * job is due or -1, {index of the queue, ids, records, histories or nothing}, ...}`. What is claimed is leased under the
 * token; its attempt needs no writing down, because it is the one after those in the history. A consumer that finds
 * nothing and will wait is noted as idle in the same step, so no job can come in between. Where it was waiting and is noted
 * no longer, it may have been handed a job: the answer is `{time, -2}`, and nothing is claimed.
 *
 * Called by `Consumer.claim`. Five commands for each line that is not empty, two for a queue that is.
 */
export const claim = script(`
local consumer, token, lease, max, wait, waited, queues = unpack(args)
local HANDED = '-2'
if waited and call('DEL', P .. 'waiter:' .. consumer) == 0 then return cmsgpack.pack({tostring(now), HANDED}) end
promote()
local found, left = {tostring(now), '-1'}, max
local someHistory = call('EXISTS', P .. 'history') == 1

-- Leaves out the entries that no longer count.
local function counting(queue, ids)
  local key = P .. 'void:' .. queue
  if call('EXISTS', key) == 0 then return ids end
  local kept = {}
  for _, id in ipairs(ids) do
    if call('SREM', key, id) == 0 then kept[#kept + 1] = id end
  end
  return kept
end

local function take(index, queue, ids)
  hold(queue, ids, token, lease)
  local records = call('HMGET', P .. 'jobs', unpack(ids))
  local histories = someHistory and call('HMGET', P .. 'history', unpack(ids)) or {}
  found[#found + 1] = {index, ids, records, histories}
end

-- Answers what is left of the flags: a line that gave less than it was asked for is empty.
local function drain(index, queue, flags)
  for priority = 9, 0, -1 do
    local line = bit.lshift(1, priority)
    while left > 0 and bit.band(flags, line) ~= 0 do
      local popped = call('LPOP', lineOf(queue, priority), left) or {}
      if #popped < left then flags = bit.bxor(flags, line) end
      local ids = counting(queue, popped)
      left = left - #ids
      if #ids > 0 then take(index, queue, ids) end
    end
  end
  return flags
end

local flags = call('HMGET', P .. 'queues', unpack(queues))
for index, queue in ipairs(queues) do
  local before = tonumber(flags[index] or 0)
  if left > 0 and before > 0 and bit.band(before, PAUSED) == 0 then
    local after = drain(index, queue, before)
    if after ~= before then call('HSET', P .. 'queues', queue, after) end
    if after ~= 0 and waited then wake(queue, 1) end
  end
end

if left < max then
  if waited then
    for _, queue in ipairs(queues) do call('ZREM', P .. 'idle:' .. queue, consumer) end
    watchClock(queues)
  end
elseif wait > 0 then
  local first
  call('SET', P .. 'waiter:' .. consumer, cmsgpack.pack({token, lease, queues}), 'PX', wait)
  for _, queue in ipairs(queues) do
    call('ZADD', P .. 'idle:' .. queue, now + wait, consumer)
    call('PEXPIRE', P .. 'idle:' .. queue, wait)
    local due = call('ZSCORE', P .. 'due', queue)
    if due and (not first or tonumber(due) < first) then first = tonumber(due) end
  end
  if first then found[2] = tostring(first) end
end
return cmsgpack.pack(found)
`);
