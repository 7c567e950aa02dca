import { celeryScript, growingCeleryScript } from "./script.js";

/**
 * Publishes messages: `{key, message, ...}`, then the bindings `{exchange and queue, member, ...}`. Called by
 * `Broker.publish`. One command a message.
 */
export const publish = growingCeleryScript(`
for at = 1, #args[1], 2 do call('LPUSH', args[1][at], args[1][at + 1]) end
for at = 1, #args[2], 2 do call('SADD', '_kombu.binding.' .. args[2][at], args[2][at + 1]) end
`);

/**
 * Claims messages: `{token, lease, max, {key, key of the dead, ...}}`. Answers `{when the next is due or -1, {index of the key
 * from 1, tag, message, whether it is parked already}, ...}`. What is no JSON object cannot be held in kombu's form: it goes
 * to the dead at once. Called by `Consumer.claim`. Four commands a message.
 */
export const claim = celeryScript(`
local token, lease, max, keys = unpack(args)
promote()
local claimed, left = {}, max
local function take(at, raw)
  local tag = token .. '.' .. #claimed
  local readable, message = pcall(cjson.decode, raw)
  local parked = not readable or type(message) ~= 'table' or string.sub(raw, 1, 1) ~= '{'
  if parked then
    call('LPUSH', keys[at + 1], raw)
  else
    hold(tag, keys[at], raw, now)
    call('ZADD', P .. 'celery:leases', seconds(now + lease), tag)
  end
  claimed[#claimed + 1] = {(at + 1) / 2, tag, raw, parked}
end
for at = 1, #keys, 2 do
  if left <= 0 then break end
  local taken = call('RPOP', keys[at], left) or {}
  for _, raw in ipairs(taken) do take(at, raw) end
  left = left - #taken
end
local next = call('ZRANGE', P .. 'celery:due', 0, 0, 'WITHSCORES')[2]
return cmsgpack.pack({next and math.max(0, (next - now) * 1000) or -1, claimed})
`);

/**
 * Ends attempts, one each of
 *
 *     {'c', tag, result}                  it is done
 *     {'d', tag, result, dead, message}   it goes to the dead
 *     {'p', '', result, dead, message, raw}  it is there already, and gets its reason
 *     {'r', tag, {}, key, message}        another message takes its place at once
 *     {'l', tag, {}, message or '', delay, timeout, next tag}  it comes back after a delay
 *
 * with a result `{key, value, ttl}` or `{}`. Answers "1" for each that was held. Called by `Consumer.settle`.
 */
export const settle = celeryScript(`
local answers = {}
local function release(one)
  local _, tag, _, message, delay, timeout, nextTag = unpack(one)
  local value, key = call('HGET', 'unacked', tag), call('HGET', P .. 'celery:keys', tag)
  if not drop(tag) or not key then return false end
  local raw = message ~= '' and message or rawOf(value, key)
  if delay > 0 then defer(nextTag, key, raw, now + delay, timeout) else call('RPUSH', key, raw) end
  return true
end
local function settleOne(one)
  local kind, tag, result = one[1], one[2], one[3]
  if kind == 'l' then return release(one) end
  if kind == 'p' then
    if call('LREM', one[4], 1, one[6]) == 0 then return false end
  elseif not drop(tag) then
    return false
  end
  if kind == 'd' or kind == 'p' or kind == 'r' then call('LPUSH', one[4], one[5]) end
  if result[1] then keep(result[1], result[2], result[3]) end
  return true
end
for at, one in ipairs(args) do answers[at] = settleOne(one) and '1' or '0' end
return table.concat(answers)
`);

/** Renews leases: `{lease, tag, ...}`. Answers "h" held or "l" lost for each. Called by `Consumer.extend`. Three commands each. */
export const extend = celeryScript(`
local answers = {}
for at = 2, #args do
  local tag = args[at]
  if call('HEXISTS', 'unacked', tag) == 1 then
    call('ZADD', 'unacked_index', seconds(now), tag)
    call('ZADD', P .. 'celery:leases', 'XX', seconds(now + args[1]), tag)
    answers[#answers + 1] = 'h'
  else
    answers[#answers + 1] = 'l'
  end
end
return table.concat(answers)
`);

/**
 * Finds what was lost: `{max, visibility timeout}`. Answers `{{tag, key, message}, ...}` of our own workers whose leases have
 * passed, and `{{tag, what unacked holds}, ...}` of Celery's whose time is over. Called by `Broker.sweep`.
 */
export const findLost = celeryScript(`
local max, timeout = unpack(args)
local ours, theirs = {}, {}
for _, tag in ipairs(call('ZRANGEBYSCORE', P .. 'celery:leases', '-inf', seconds(now), 'LIMIT', 0, max)) do
  local value, key = call('HGET', 'unacked', tag), call('HGET', P .. 'celery:keys', tag)
  if value and key then ours[#ours + 1] = {tag, key, rawOf(value, key)} else drop(tag) end
end
for _, tag in ipairs(call('ZRANGEBYSCORE', 'unacked_index', '-inf', seconds(now - timeout), 'LIMIT', 0, max)) do
  if call('HEXISTS', P .. 'celery:keys', tag) == 0 then
    local value = call('HGET', 'unacked', tag)
    if value then theirs[#theirs + 1] = {tag, value} else call('ZREM', 'unacked_index', tag) end
  end
end
return cmsgpack.pack({ours, theirs})
`);

/**
 * Puts back what was lost: `{tag, key, message, delay, next tag, timeout}` each, where nobody has meanwhile. Answers how many.
 * Called by `Broker.sweep`.
 */
export const restore = celeryScript(`
local restored = 0
for _, one in ipairs(args) do
  local tag, key, message, delay, nextTag, timeout = unpack(one)
  local lease = call('ZSCORE', P .. 'celery:leases', tag)
  if (not lease or tonumber(lease) <= now) and drop(tag) then
    if delay > 0 then defer(nextTag, key, message, now + delay, timeout) else call('RPUSH', key, message) end
    restored = restored + 1
  end
end
return restored
`);
