import { growingScript, script } from "./script.js";

/** Entries that have expired are still listed; whoever meets one takes it off. */
const ENTRIES = `
local function valueOf(key)
  local value = call('GET', P .. 'entry:' .. key)
  if not value then call('ZREM', P .. 'entries', key) end
  return value
end
`;

/** Writes an entry: `{key, value, ttl or 0, version asked for or -1}`. Answers 1, or 0 where the version is another. */
export const putEntry = growingScript(`${ENTRIES}
local key, value, ttl, wanted = unpack(args)
if wanted >= 0 then
  local present = valueOf(key)
  if (present and struct.unpack('>I8', present) or 0) ~= wanted then return 0 end
end
local packed = struct.pack('>I8', call('INCR', P .. 'version')) .. value
if ttl > 0 then call('SET', P .. 'entry:' .. key, packed, 'PX', ttl) else call('SET', P .. 'entry:' .. key, packed) end
call('ZADD', P .. 'entries', 0, key)
return 1
`);

/** Deletes the entry of a key, and answers 1 if there was one. */
export const removeEntry = script(`
call('ZREM', P .. 'entries', args[1])
return call('DEL', P .. 'entry:' .. args[1])
`);

/** Answers all entries whose keys begin with a prefix, in their order: `{key, value, ...}`. One command an entry. */
export const listEntries = script(`${ENTRIES}
local found, prefix = {}, args[1]
for _, key in ipairs(call('ZRANGEBYLEX', P .. 'entries', '[' .. prefix, prefix == '' and '+' or '(' .. prefix .. '\\255')) do
  local value = valueOf(key)
  if value then
    found[#found + 1] = key
    found[#found + 1] = value
  end
end
return cmsgpack.pack(found)
`);

/** Adds to a counter: `{key, by, ttl or 0}`. Answers its new value. */
export const increment = growingScript(`
local key, by, ttl = unpack(args)
local value = call('INCRBY', P .. 'counter:' .. key, by)
if ttl > 0 then call('PEXPIRE', P .. 'counter:' .. key, ttl) end
return value
`);
