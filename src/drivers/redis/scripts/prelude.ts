/**
 * What the scripts share. Every script gets the prefix of all keys as `KEYS[1]`, so that they lie in one slot of a
 * cluster, and its arguments packed as `ARGV[1]`; `ARGV[2]` is the prefix of channels, `ARGV[3]` is `"1"` in a cluster.
 *
 * The keys, behind the prefix. Ids are as in `ids.ts`, records as in `record.ts`, histories as in `history.ts`:
 *
 *     jobs               hash    id -> record, of every job that is not over; written once
 *     history            hash    id -> what happened to it since; most jobs have none
 *     queues             hash    queue -> which of its ten lines may hold jobs (bits 0..9), and whether it is paused (bit 10)
 *     line:<p>:<queue>   list    ids of waiting jobs of priority p, the oldest first
 *     void:<queue>       set     ids of which one entry in a line no longer counts
 *     scheduled:<q>      zset    id -> when it is due, of jobs that never ran
 *     retrying:<q>       zset    the same of jobs that ran before
 *     due                zset    queue -> when the first of these is due, or earlier
 *     held:<queue>       hash    id -> until when (13 digits), token
 *     cancels            set     ids of active jobs that are to stop
 *     leases             zset    queue -> when the first of its leases passes, or earlier
 *     dead:<queue>       zset    id -> when it died
 *     idle:<queue>       zset    consumer -> until when it waits for a job
 *     waiter:<consumer>  string  terms of its claim: token, lease, queues; there while it waits
 *     outcome:<id>       string  state (1), attempt (4), body; or in outcomes:<begin of the id>, see keeping.ts
 *     report:<name>      hash    v: version, p: progress;  log:<name>  list  lines
 *     entries            zset    keys of the coordinator;  entry:<key>  string  version (8), value;  counter:<key>
 *     version            string  the last version of an entry
 *
 * Measured in batches of 100 and 500 with records of 26 bytes (Redis 7.0, 2 cores; microseconds of Redis's thread a job,
 * to publish, then to claim and complete; bytes a waiting job):
 *
 *     lists, one hash of jobs, leases in a hash (this one)    1.1   3.0 and 2.9   125
 *     the same, and each lease in a sorted set                1.1   4.4 and 5.0   125
 *     one sorted set by time of visibility, hash of jobs      2.4   9.1 and 3.0   234
 *     stream with a consumer group, bare XACK and XDEL        1.4   3.7 and 3.3    56
 *
 * Streams are the smallest, but know no priorities, no delays, no fencing and no look-up by id; with an index of ids they
 * are as large. Leases are kept in a hash, so a sweep has to read all of a queue's; `leases` tells when that is worth it:
 * once in about `lease - heartbeat`, 20 s, while nothing is lost.
 */
export const PRELUDE = `
local P, CHANNEL, CLUSTER = KEYS[1], ARGV[2], ARGV[3] == '1'
local call, sub, byte = redis.call, string.sub, string.byte
local args = cmsgpack.unpack(ARGV[1])
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local PAUSED = 1024

-- A command of any number of arguments; Lua's stack holds 8,000.
local function many(command, key, values)
  for from = 1, #values, 4000 do
    call(command, key, unpack(values, from, math.min(from + 3999, #values)))
  end
end

local function flagsOf(queue)
  return tonumber(call('HGET', P .. 'queues', queue) or 0)
end

local function lineOf(queue, priority)
  return P .. 'line:' .. priority .. ':' .. queue
end

-- The priority and queue of a record.
local function placeOf(record)
  local flags = byte(record, 1)
  if flags % 32 >= 16 then return flags % 16, 'default' end
  return flags % 16, sub(record, 4, 3 + byte(record, 2) * 256 + byte(record, 3))
end

-- History: {attempts, losses, due, expires, history, reason}; 0 and '' for none.
local function historyOf(id)
  local packed = call('HGET', P .. 'history', id)
  if packed then return cmsgpack.unpack(packed) end
  return {0, 0, 0, 0, '', ''}
end

local function setHistory(id, history)
  call('HSET', P .. 'history', id, cmsgpack.pack(history))
end

local function indexOf(values, wanted)
  for index, value in ipairs(values) do
    if value == wanted then return index end
  end
end

-- The consumer that has waited longest for jobs of a queue, the terms of its claim, and the queue's index in them. Notes of
-- those that wait no longer, or for other queues, are dropped.
local function nextIdle(queue)
  while true do
    local idle = call('ZPOPMIN', P .. 'idle:' .. queue)
    if #idle == 0 then return end
    local packed = call('GET', P .. 'waiter:' .. idle[1])
    local terms = packed and cmsgpack.unpack(packed)
    local index = terms and indexOf(terms[3], queue)
    if index then return idle[1], terms, index end
  end
end

-- Tells consumers that wait that there is work: as many as there are jobs, each of them by its own channel. One that is gone
-- hears nothing, so the next is told (a cluster does not say who heard).
local function wake(queue, jobs)
  while jobs > 0 do
    local consumer = nextIdle(queue)
    if not consumer then return end
    if call('PUBLISH', CHANNEL .. 'worker:' .. consumer, 'w') > 0 or CLUSTER then jobs = jobs - 1 end
  end
end

-- One that waited for jobs of these queues does so no longer: whoever waits now has to watch the clock instead of it.
local function watchClock(queues)
  for _, queue in ipairs(queues) do
    if call('ZSCORE', P .. 'due', queue) then wake(queue, 1) end
  end
end

-- Leases jobs for so many ms.
local function hold(queue, ids, token, lease)
  local held, value = {}, string.format('%013d', now + lease) .. token
  for at, id in ipairs(ids) do
    held[2 * at - 1] = id
    held[2 * at] = value
  end
  many('HSET', P .. 'held:' .. queue, held)
  call('ZADD', P .. 'leases', 'LT', now + lease, queue)
end

-- Puts ids in a line: at its end, or with LPUSH at its front.
local function enter(queue, priority, ids, push)
  many(push or 'RPUSH', lineOf(queue, priority), ids)
  local flags, line = flagsOf(queue), bit.lshift(1, priority)
  if bit.band(flags, line) == 0 then call('HSET', P .. 'queues', queue, bit.bor(flags, line)) end
end

-- Delays a job. Who waits has to learn of a moment that comes before the next one it knew of.
local function delay(queue, id, due, attempts)
  call('ZADD', P .. (attempts > 0 and 'retrying:' or 'scheduled:') .. queue, due, id)
  local first = call('ZSCORE', P .. 'due', queue)
  if not first or due < tonumber(first) then
    call('ZADD', P .. 'due', due, queue)
    wake(queue, 1)
  end
  if not first and flagsOf(queue) == 0 then call('HSETNX', P .. 'queues', queue, 0) end
end

local function dueOf(kind, queue)
  return call('ZRANGEBYSCORE', P .. kind .. queue, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1000)
end

-- Two lists of ids and their times as one, in the order of their times.
local function merge(scheduled, retrying)
  local ids, s, r = {}, 1, 1
  while s <= #scheduled or r <= #retrying do
    if r > #retrying or (s <= #scheduled and tonumber(scheduled[s + 1]) <= tonumber(retrying[r + 1])) then
      ids[#ids + 1], s = scheduled[s], s + 2
    else
      ids[#ids + 1], r = retrying[r], r + 2
    end
  end
  return ids
end

-- Puts jobs in their lines, in this order within each. Answers how many are still there.
local function enterAll(queue, ids)
  local records, lines, moved = call('HMGET', P .. 'jobs', unpack(ids)), {}, 0
  for at, id in ipairs(ids) do
    if records[at] then
      local priority = placeOf(records[at])
      local line = lines[priority] or {}
      lines[priority], line[#line + 1], moved = line, id, moved + 1
    end
  end
  for priority, line in pairs(lines) do enter(queue, priority, line) end
  return moved
end

-- Moves up to 2,000 jobs of a queue whose time has come into their lines, in the order of their times.
local function promoteQueue(queue)
  local ids = merge(dueOf('scheduled:', queue), dueOf('retrying:', queue))
  local moved, first = 0, nil
  if #ids > 0 then
    many('ZREM', P .. 'scheduled:' .. queue, ids)
    many('ZREM', P .. 'retrying:' .. queue, ids)
    moved = enterAll(queue, ids)
  end
  for _, kind in ipairs({'scheduled:', 'retrying:'}) do
    local head = call('ZRANGE', P .. kind .. queue, 0, 0, 'WITHSCORES')
    if head[2] and (not first or tonumber(head[2]) < first) then first = tonumber(head[2]) end
  end
  if first then call('ZADD', P .. 'due', first, queue) else call('ZREM', P .. 'due', queue) end
  wake(queue, moved)
end

-- What became due before this moment stands in line before what is published in it.
local function promote()
  for _, queue in ipairs(call('ZRANGEBYSCORE', P .. 'due', '-inf', now, 'LIMIT', 0, 100)) do promoteQueue(queue) end
end

local function forgetJobs(ids)
  many('HDEL', P .. 'jobs', ids)
  if call('EXISTS', P .. 'history') == 1 then many('HDEL', P .. 'history', ids) end
  if call('EXISTS', P .. 'cancels') == 1 then many('SREM', P .. 'cancels', ids) end
end

-- Takes one job that is neither active nor dead out of its queue. An entry in a line is found in no time, so it is left
-- there and counts no longer; only a second one of the same id has to be looked for.
local function takeOut(queue, priority, id)
  if call('ZREM', P .. 'scheduled:' .. queue, id) + call('ZREM', P .. 'retrying:' .. queue, id) == 0 then
    if call('SADD', P .. 'void:' .. queue, id) == 0 then call('LREM', lineOf(queue, priority), 1, id) end
  end
  forgetJobs({id})
end
`;
