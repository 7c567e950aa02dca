import { compiled, type Script } from "../../scripts/script.js";

/**
 * What the scripts for Celery's keys share. The keys are kombu's, without a prefix; those of our own begin with `KEYS[1]`:
 *
 *     <queue>, <queue>\6\22<step>  list    messages that wait, the next one at the right end
 *     unacked                      hash    tag -> [message, exchange, routing key], of those that somebody has
 *     unacked_index                zset    tag -> since when, in seconds; kombu puts back what is older than its timeout
 *     celery:keys                  hash    tag -> the list it came from, of those that workers of ours have
 *     celery:leases                zset    tag -> when its lease passes
 *     celery:due                   zset    tag -> when it is due, of messages that wait for a time to come
 *     <queue>.dead                 list    parked messages
 *
 * A tag is new with each claim, so a worker that lost its lease finds nothing under its own. What waits for its time is in
 * `unacked` too, with an index that makes kombu put it back at that time: so it is safe when no worker of ours is left.
 */
const PRELUDE = `
local P = KEYS[1]
local call = redis.call
local args = cmsgpack.unpack(ARGV[1])
local time = call('TIME')
local now = time[1] + time[2] / 1000000

local function seconds(value) return string.format('%.6f', value) end

local function routingOf(key) return cjson.encode(string.match(key, '^(.-)\\6\\22%d+$') or key) end

-- Notes a message as somebody's, in kombu's own form.
local function hold(tag, key, raw, since)
  call('HSET', 'unacked', tag, '[' .. raw .. ',"",' .. routingOf(key) .. ']')
  call('ZADD', 'unacked_index', seconds(since), tag)
  call('HSET', P .. 'celery:keys', tag, key)
end

local function rawOf(value, key) return string.sub(value, 2, -(#routingOf(key) + 6)) end

-- Lets go of a message. False where somebody else has put it back, or settled it.
local function drop(tag)
  local held = call('HDEL', 'unacked', tag) == 1
  call('ZREM', 'unacked_index', tag)
  call('ZREM', P .. 'celery:leases', tag)
  call('ZREM', P .. 'celery:due', tag)
  call('HDEL', P .. 'celery:keys', tag)
  return held
end

-- Keeps a message until its time comes.
local function defer(tag, key, raw, due, timeout)
  hold(tag, key, raw, due - timeout)
  call('ZADD', P .. 'celery:due', seconds(due), tag)
end

-- Puts what has become due at the front of its list, the earliest first.
local function promote()
  local due = call('ZRANGEBYSCORE', P .. 'celery:due', '-inf', seconds(now), 'LIMIT', 0, 100)
  for at = #due, 1, -1 do
    local tag = due[at]
    local value, key = call('HGET', 'unacked', tag), call('HGET', P .. 'celery:keys', tag)
    if drop(tag) and key then call('RPUSH', key, rawOf(value, key)) end
  end
end

-- Keeps a result as Celery does, and tells who waits for it. What has succeeded stays so.
local function keep(key, value, ttl, over)
  local before = call('GET', key)
  if before and not over and string.find(string.sub(before, 1, 24), '"SUCCESS"', 1, true) then return end
  if ttl > 0 then call('SETEX', key, ttl, value) else call('SET', key, value) end
  call('PUBLISH', key, value)
end
`;

/** A script on Celery's keys. What it does makes room, or has to be kept all the same: full memory does not stop it. */
export function celeryScript(body: string): Script {
  const { source } = growingCeleryScript(body);
  return { ...compiled(source), whenFull: compiled(`#!lua flags=allow-oom,allow-cross-slot-keys\n${source}`) };
}

/** The same for a script that adds data, which a server refuses when its memory is full. */
export function growingCeleryScript(body: string): Script {
  return compiled(`${PRELUDE}${body}`);
}
