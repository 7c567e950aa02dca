import { script } from "./script.js";

/** Where one job stands: `{id, state, record, history or false, due or false, token or false}`, or `false` if it is nowhere. */
const LOOK = `
local function scoreOf(kind, queue, id)
  local score = call('ZSCORE', P .. kind .. queue, id)
  return score and tonumber(score)
end

local function look(id)
  local record = call('HGET', P .. 'jobs', id)
  if not record then return false end
  local _, queue = placeOf(record)
  local history = call('HGET', P .. 'history', id)
  local held = call('HGET', P .. 'held:' .. queue, id)
  if held then return {id, 'active', record, history, false, sub(held, 14)} end
  for _, state in ipairs({'scheduled', 'retrying', 'dead'}) do
    local due = scoreOf(state .. ':', queue, id)
    if due then return {id, state, record, history, due, false} end
  end
  return {id, 'waiting', record, history, false, false}
end
`;

/** The jobs with these ids, each as `look` answers. Called by `Inspector.find`. */
export const findJobs = script(`${LOOK}
promote()
local found = {}
for at, id in ipairs(args) do found[at] = look(id) end
return cmsgpack.pack(found)
`);

/**
 * Counts jobs: for each queue that has any or is paused `{queue, paused, scheduled, waiting, active, retrying, dead, records
 * and histories of the oldest in each line}`. Forgets queues that have none. Called by `Inspector.queues`. About 20 commands
 * a queue.
 */
export const countJobs = script(`
promote()
local found = {}

local function oldest(queue, priority)
  local id = call('LINDEX', lineOf(queue, priority), 0)
  if not id then return nil end
  return {call('HGET', P .. 'jobs', id), call('HGET', P .. 'history', id)}
end

local function count(queue, flags)
  local waiting, heads = -call('SCARD', P .. 'void:' .. queue), {}
  for priority = 0, 9 do
    waiting = waiting + call('LLEN', lineOf(queue, priority))
    heads[#heads + 1] = oldest(queue, priority)
  end
  local scheduled, retrying = call('ZCARD', P .. 'scheduled:' .. queue), call('ZCARD', P .. 'retrying:' .. queue)
  local active, dead = call('HLEN', P .. 'held:' .. queue), call('ZCARD', P .. 'dead:' .. queue)
  local paused = bit.band(flags, PAUSED) ~= 0
  if not paused and waiting + scheduled + retrying + active + dead == 0 then
    call('HDEL', P .. 'queues', queue)
  else
    found[#found + 1] = {queue, paused, scheduled, waiting, active, retrying, dead, heads}
  end
end

local queues = call('HGETALL', P .. 'queues')
for at = 1, #queues, 2 do count(queues[at], tonumber(queues[at + 1])) end
return cmsgpack.pack(found)
`);

/**
 * Lists jobs of one queue in one state: `{queue, state, limit, position}`. The position is where an earlier page ended: the
 * score and id of its last job, or for a line, its priority and id. Answers `{looked up jobs, position of the last}`; fewer
 * than asked for are the last. Called by `Inspector.list`. Finding the place in a line or among leases reads those before it.
 */
export const listJobs = script(`${LOOK}
local queue, state, limit, score, last = unpack(args)
local found = {}
promote()

local function add(id, position)
  local seen = look(id)
  if seen and seen[2] == state then
    found[#found + 1] = seen
    score, last = position, id
  end
end

-- Lua compares texts by the server's locale, Redis by their bytes.
local function isAfter(one, other)
  for at = 1, math.min(#one, #other) do
    local a, b = byte(one, at), byte(other, at)
    if a ~= b then return a > b end
  end
  return #one > #other
end

local function listLine(priority)
  local line, from = lineOf(queue, priority), 0
  -- What stood before the last one has left with it, where it is gone.
  if last ~= '' and priority == score then from = (call('LPOS', line, last) or -1) + 1 end
  while #found < limit do
    local ids = call('LRANGE', line, from, from + 99)
    for _, id in ipairs(ids) do
      if #found < limit then add(id, priority) end
    end
    from = from + 100
    if #ids < 100 then return end
  end
end

local function listByScore()
  local after, key = last, P .. state .. ':' .. queue
  local from, offset = score, 0
  while #found < limit do
    local ids = call('ZRANGEBYSCORE', key, from, '+inf', 'WITHSCORES', 'LIMIT', offset, 100)
    for at = 1, #ids, 2 do
      local position = tonumber(ids[at + 1])
      local passed = after ~= '' and position == from and not isAfter(ids[at], after)
      if not passed and #found < limit then add(ids[at], position) end
    end
    offset = offset + 100
    if #ids < 200 then return end
  end
end

local function listHeld()
  local ids, after = call('HKEYS', P .. 'held:' .. queue), last
  table.sort(ids, function(one, other) return isAfter(other, one) end)
  for _, id in ipairs(ids) do
    if #found >= limit then return end
    if isAfter(id, after) then add(id, 0) end
  end
end

if state == 'waiting' then
  local from = last == '' and 9 or score
  for priority = from, 0, -1 do listLine(priority) end
elseif state == 'active' then
  listHeld()
else
  listByScore()
end
return cmsgpack.pack({found, score, last})
`);

/** Puts dead letters back as new: by id. Answers "1" for each that was dead, or "0". */
export const retryDead = script(`
local function retry(id)
  local record = call('HGET', P .. 'jobs', id)
  if not record then return '0' end
  local priority, queue = placeOf(record)
  if call('ZREM', P .. 'dead:' .. queue, id) == 0 then return '0' end
  setHistory(id, {0, 0, now, historyOf(id)[4], '', ''})
  forgetOutcome(id)
  enter(queue, priority, {id})
  wake(queue, 1)
  return '1'
end

local statuses = {}
for at, request in ipairs(args) do statuses[at] = retry(request) end
return table.concat(statuses)
`);

/** Deletes jobs that are not active. Answers "1" for each that was there, or "0". */
export const discardJobs = script(`
local function discard(id)
  local record = call('HGET', P .. 'jobs', id)
  if not record then return '0' end
  local priority, queue = placeOf(record)
  if call('HEXISTS', P .. 'held:' .. queue, id) == 1 then return '0' end
  if call('ZREM', P .. 'dead:' .. queue, id) == 1 then forgetJobs({id}) else takeOut(queue, priority, id) end
  return '1'
end

local statuses = {}
for at, id in ipairs(args) do statuses[at] = discard(id) end
return table.concat(statuses)
`);

/**
 * Deletes up to 1,000 jobs of a queue in a state other than active: `{queue, state}`. Answers how many, and how many entries
 * it went through, which is 0 when none are left. Called by `Inspector.purge`, again and again.
 */
export const purgeJobs = script(`
local queue, state = unpack(args)
promote()

local function popLine(priority)
  local ids = call('LPOP', lineOf(queue, priority), 1000) or {}
  local kept = {}
  for _, id in ipairs(ids) do
    if call('SREM', P .. 'void:' .. queue, id) == 0 then kept[#kept + 1] = id end
  end
  return kept, #ids
end

local function popScores()
  local key = P .. state .. ':' .. queue
  local ids = call('ZRANGE', key, 0, 999)
  if #ids > 0 then many('ZREM', key, ids) end
  return ids, #ids
end

local purged, seen = 0, 0
local function purge(ids, popped)
  seen = seen + popped
  if #ids > 0 then forgetJobs(ids) end
  purged = purged + #ids
end

if state == 'waiting' then
  for priority = 0, 9 do purge(popLine(priority)) end
else
  purge(popScores())
end
return {purged, seen}
`);

/** Pauses a queue or resumes it: `{queue, pause}`. */
export const setPaused = script(`
local queue, pause = unpack(args)
local flags = flagsOf(queue)
local paused = bit.band(flags, PAUSED) ~= 0
if pause and not paused then
  call('HSET', P .. 'queues', queue, flags + PAUSED)
elseif paused and not pause then
  call('HSET', P .. 'queues', queue, flags - PAUSED)
  wake(queue, 1)
end
`);
