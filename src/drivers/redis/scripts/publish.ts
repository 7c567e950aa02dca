import { growingScript } from "./script.js";

/**
 * Takes new jobs in, all of them or, where Redis refuses, none. Arguments: runs of consecutive jobs that go the same way,
 * `{queue, priority, unique, {id, record, ...}}`, and jobs with times of their own, `{queue, priority, unique, {id, record},
 * due, due is relative, expires, expires is relative}`. Answers the time, and "1" for each job that was
 * created or "0" for each whose id was there.
 *
 * Called by `Broker.publish`. Two commands a run, however many jobs are in it; about six a job with an id of the caller's.
 */
export const publish = growingScript(`
promote()
local created = {}

local function isKnown(id)
  return call('HEXISTS', P .. 'jobs', id) == 1 or outcomeOf(id)
end

local function publishRun(queue, priority, pairs)
  local ids = {}
  for at = 1, #pairs, 2 do ids[#ids + 1] = pairs[at] end
  many('HSET', P .. 'jobs', pairs)
  enter(queue, priority, ids)
  for _ = 1, #ids do created[#created + 1] = '1' end
  return #ids
end

local function publishOne(queue, priority, unique, pair, due, dueIn, expires, expiresIn)
  local id = pair[1]
  if unique and isKnown(id) then
    created[#created + 1] = '0'
    return 0
  end
  call('HSET', P .. 'jobs', id, pair[2])
  created[#created + 1] = '1'
  if dueIn then due = now + due end
  if expires > 0 and expiresIn then expires = now + expires end
  if due > now or expires ~= 0 then setHistory(id, {0, 0, math.max(due, now), expires, '', ''}) end
  if due > now then
    delay(queue, id, due, 0)
    return 0
  end
  enter(queue, priority, {id})
  return 1
end

for _, run in ipairs(args) do
  local queue, priority = run[1], run[2]
  local entered
  if #run == 3 then entered = publishRun(queue, priority, run[3])
  else entered = publishOne(queue, priority, run[3], run[4], run[5], run[6], run[7], run[8]) end
  wake(queue, entered)
end
return {tostring(now), table.concat(created)}
`);
