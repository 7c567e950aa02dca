import { celeryScript } from "./script.js";

/**
 * Puts dead letters back and drops their results: `{key of the dead, {its element, key, message, key of the result}, ...}`,
 * where they still are. Answers "1" for each that was. Called by `QueueInspector.retry`. It looks through the list for each.
 */
export const requeueDead = celeryScript(`
local answers = {}
for at = 2, #args do
  local raw, key, message, result = unpack(args[at])
  local found = call('LREM', args[1], -1, raw) == 1
  if found then
    call('DEL', result)
    call('LPUSH', key, message)
  end
  answers[#answers + 1] = found and '1' or '0'
end
return table.concat(answers)
`);

/** Deletes dead letters: `{key of the dead, element, ...}`. Answers "1" for each that was there. Called by `QueueInspector.discard`. */
export const discardDead = celeryScript(`
local answers = {}
for at = 2, #args do answers[#answers + 1] = call('LREM', args[1], -1, args[at]) == 1 and '1' or '0' end
return table.concat(answers)
`);

/** Empties lists: `{key, ...}`. Answers how many elements they had. Called by `QueueInspector.purge`. */
export const purgeLists = celeryScript(`
local count = 0
for _, key in ipairs(args) do
  count = count + call('LLEN', key)
  call('UNLINK', key)
end
return count
`);
