/**
 * How scripts keep outcomes. An outcome lies in one of two places:
 *
 *     outcomes:<first 10 digits of an id>   hash    id -> outcome, of jobs whose ids were made in the same 256 ms: a shelf
 *     outcome:<name>                        string  the outcome, by the id as text
 *
 * A shelf needs two commands for all outcomes that are put on it together, where keys of their own need one each, with a time
 * to live each: 2.0 microseconds of Redis's thread an outcome instead of 0.5 (Redis 7.0). With every result kept, a worker
 * went from 122,000 to 154,000 jobs a second. A shelf has one time to live, so only what is small, and is to be kept as long
 * as what lies there, is put on it.
 */
export const KEEPING = `
-- An outcome may be kept so much longer than was asked for, in ms.
local SLACK = 60000
-- What is larger has a key of its own, so that a shelf is freed in a moment.
local LARGE = 1024
-- Fewer at once do not begin a shelf.
local FEW = 4

local FIRST = '%02x%02x%02x%02x%02x'
local UUID = '%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x'

-- Ids are as in \`id-bytes.ts\`: 16 bytes of a UUID, or a text behind a mark or two.
local function shelfOf(id)
  return P .. 'outcomes:' .. string.format(FIRST, byte(id, 1, 5))
end

local function aloneOf(id)
  return P .. 'outcome:' .. (#id == 16 and string.format(UUID, byte(id, 1, 16)) or (string.gsub(id, '^\\255+', '')))
end

local function outcomeOf(id)
  return #id == 16 and call('HGET', shelfOf(id), id) or call('GET', aloneOf(id))
end

-- Answers how many there were.
local function forgetOutcome(id)
  return (#id == 16 and call('HDEL', shelfOf(id), id) or 0) + call('DEL', aloneOf(id))
end

local function tell(name, value)
  call('PUBLISH', CHANNEL .. 'outcome:' .. name, value)
end

local function keepAlone(id, value, ttl)
  if ttl > 0 then call('SET', aloneOf(id), value, 'PX', ttl) else call('SET', aloneOf(id), value) end
end

-- Keeps an outcome of its own, and tells who waits for it.
local function keep(id, name, value, ttl)
  keepAlone(id, value, ttl)
  tell(name, value)
end

-- Puts {id, value, ...} on their shelf, which may be there already, with a life that suits them or not.
local function keepTogether(ttl, pairs)
  local shelf = shelfOf(pairs[1])
  local left, slack = call('PTTL', shelf), math.min(SLACK, math.floor(ttl / 16))
  if left >= ttl and left <= ttl + slack then
    call('HSET', shelf, unpack(pairs))
  elseif left == -2 and #pairs >= 2 * FEW then
    call('HSET', shelf, unpack(pairs))
    call('PEXPIRE', shelf, ttl + slack)
  else
    for at = 1, #pairs, 2 do keepAlone(pairs[at], pairs[at + 1], ttl) end
  end
end

-- Keeps outcomes of jobs that had none, {id, value, ttl} in a row, each shelf's together.
local function keepAll(kept)
  local begin, life, pairs = nil, nil, {}
  for at = 1, #kept, 3 do
    local id, value, ttl = kept[at], kept[at + 1], kept[at + 2]
    if ttl == 0 or #id ~= 16 or #value > LARGE then
      keepAlone(id, value, ttl)
    else
      local own = sub(id, 1, 5)
      if own ~= begin or ttl ~= life then
        if begin then keepTogether(life, pairs) end
        begin, life, pairs = own, ttl, {}
      end
      pairs[#pairs + 1], pairs[#pairs + 2] = id, value
    end
  end
  if begin then keepTogether(life, pairs) end
end
`;
