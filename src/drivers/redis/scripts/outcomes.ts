import { growingScript, script } from "./script.js";

/**
 * Keeps outcomes: `{id, name, attempt, value, ttl}` each. One that is older, by its attempt, than the one there is ignored.
 * Called by `ResultBackend.store`. Four to six commands an outcome.
 */
export const storeOutcomes = script(`
local kept, seen = {}, {}

local function keepSoFar()
  keepAll(kept)
  kept, seen = {}, {}
end

for _, outcome in ipairs(args) do
  local id, name, attempt, value, ttl = unpack(outcome)
  if seen[id] then keepSoFar() end
  local earlier = outcomeOf(id)
  if not earlier or struct.unpack('>I4', earlier, 2) <= attempt then
    if earlier then forgetOutcome(id) end
    seen[id] = true
    kept[#kept + 1], kept[#kept + 2], kept[#kept + 3] = id, value, ttl
    tell(name, value)
  end
end
keepSoFar()
`);

/** Answers, packed, the outcome of each job, or `false`. Called by `ResultBackend.read`. Up to two commands a job. */
export const readOutcomes = script(`
local found = {}
for at, id in ipairs(args) do found[at] = outcomeOf(id) end
return cmsgpack.pack(found)
`);

/** Deletes the outcomes and reports of jobs, `{id, name}` each, and answers how many outcomes there were. Called by `ResultBackend.forget`. */
export const forgetOutcomes = script(`
local forgotten = 0
for _, job in ipairs(args) do
  local id, name = unpack(job)
  forgotten = forgotten + forgetOutcome(id)
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
