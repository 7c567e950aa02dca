import { growingScript, script } from "./script.js";

/**
 * Keeps outcomes: `{name, attempt, value, ttl}` each. One that is older, by its attempt, than the one there is ignored.
 * Called by `ResultBackend.store`. Three commands an outcome.
 */
export const storeOutcomes = script(`
for _, outcome in ipairs(args) do
  local name, attempt, value, ttl = unpack(outcome)
  local earlier = call('GETRANGE', P .. 'outcome:' .. name, 1, 4)
  if earlier == '' or struct.unpack('>I4', earlier) <= attempt then keep(name, value, ttl) end
end
`);

/** Deletes the outcomes and reports of jobs, by name, and answers how many outcomes there were. Called by `ResultBackend.forget`. */
export const forgetOutcomes = script(`
local forgotten = 0
for _, name in ipairs(args) do
  forgotten = forgotten + call('DEL', P .. 'outcome:' .. name)
  call('DEL', P .. 'report:' .. name, P .. 'log:' .. name)
end
return forgotten
`);

/**
 * Adds to what jobs told: `{name, has progress, progress, lines, ttl}` each. Called by `ResultBackend.report`. Up to six
 * commands a report.
 */
export const report = growingScript(`
for _, one in ipairs(args) do
  local name, hasProgress, progress, lines, ttl = unpack(one)
  local key, log = P .. 'report:' .. name, P .. 'log:' .. name
  if hasProgress then
    call('HINCRBY', key, 'v', 1)
    call('HSET', key, 'p', progress)
  else
    call('HSETNX', key, 'v', 0)
  end
  if #lines > 0 then many('RPUSH', log, lines) end
  call('PEXPIRE', key, ttl)
  call('PEXPIRE', log, ttl)
  call('PUBLISH', CHANNEL .. 'report:' .. name, '')
end
`);

/** Answers `{version, progress or nothing, lines}` of a job, by name, or nothing. Called by `ResultBackend.readReport`. */
export const readReport = script(`
local key = P .. 'report:' .. args[1]
local version = call('HGET', key, 'v')
if not version then return false end
return cmsgpack.pack({tonumber(version), call('HGET', key, 'p'), call('LRANGE', P .. 'log:' .. args[1], 0, -1)})
`);
