import { celeryScript } from "./script.js";

/** Keeps results: `{key, value, ttl in seconds or 0}` each. Called by `ResultBackend.store` and `mark`. */
export const storeResults = celeryScript(`
for _, one in ipairs(args) do keep(one[1], one[2], one[3]) end
`);

/** Says how many parts a group will have: `{key, parts, ttl}`. Called by `Joiner.expect`. */
export const expectParts = celeryScript(`
if args[3] > 0 then call('SETEX', args[1], args[3], args[2]) else call('SET', args[1], args[2]) end
`);

/**
 * Adds a part: `{key of the parts, of the changes of their number, of their number, part, index or 'inf', ttl}`. Answers all
 * parts in order if it was the last. A part that comes again replaces itself, so that it is not counted twice. A list is
 * what Celery makes with \`result_chord_ordered = False\`. Called by `Joiner.arrive`.
 */
export const addPart = celeryScript(`
local parts, changes, size, part, index, ttl = unpack(args)
local listed = call('TYPE', parts).ok == 'list'
if listed then
  call('RPUSH', parts, part)
else
  if index ~= 'inf' then call('ZREMRANGEBYSCORE', parts, index, index) end
  call('ZADD', parts, index, part)
end
if ttl > 0 then for _, key in ipairs({parts, changes, size}) do call('EXPIRE', key, ttl) end end
local expected = call('GET', size)
local arrived = listed and call('LLEN', parts) or call('ZCARD', parts)
if not expected or arrived ~= expected + (call('GET', changes) or 0) then return false end
return cmsgpack.pack(listed and call('LRANGE', parts, 0, -1) or call('ZRANGE', parts, 0, -1))
`);
