// workers/store/scripts.ts: what Redis decides by itself, each script as one step that nothing interrupts. Hot: no.
//
// Time is Redis's own, so clocks of hosts do not matter. Each script has one key (a cluster asks the node that has it), and
// answers integers: permits given, microseconds to wait, requests that are left, milliseconds until all of it is there again.
// Asked for several permits it gives those that are there, at least one if one may wait. Scripts of caches: cache-scripts.ts.

import { cacheScripts } from './cache-scripts.ts'

// The hash that Traefik's rateLimit keeps: `tokens` at the time `last`, in microseconds.
//   ARGV: tokens per microsecond, burst, seconds after which the bucket is full anyway, longest wait in microseconds, wanted
const bucketScript = `
local rate, burst, ttl = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local longest, wanted = tonumber(ARGV[4]), tonumber(ARGV[5])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local kept = redis.call('HMGET', KEYS[1], 'last', 'tokens')
local tokens = burst
if kept[1] and kept[2] then
  local passed = math.max(0, now - tonumber(kept[1]))
  tokens = math.min(burst, tonumber(kept[2]) + passed * rate)
end
local given = math.min(wanted, math.floor(tokens))
local wait = 0
if given < 1 then
  given = 1
  wait = math.ceil((1 - tokens) / rate)
  if wait > longest then given = 0 end
end
tokens = tokens - given
if given > 0 then
  redis.call('HSET', KEYS[1], 'last', now, 'tokens', tokens)
  redis.call('EXPIRE', KEYS[1], ttl)
end
return {given, wait, math.max(0, math.floor(tokens)), math.ceil((burst - tokens) / rate / 1000)}
`

// A sliding period of two counts, as core/rate/limit.ts has it: `now` is the number of the period under way.
//   ARGV: limit, period in milliseconds, wanted
const quotaScript = `
local limit, period, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
local number = math.floor(ms / period)
local share = ms / period - number
local kept = redis.call('HMGET', KEYS[1], 'now', 'count', 'before')
local count, before = 0, 0
if kept[1] then
  local known = tonumber(kept[1])
  if known == number then
    count, before = tonumber(kept[2]), tonumber(kept[3])
  elseif known == number - 1 then
    before = tonumber(kept[2])
  end
end
local used = before * (1 - share) + count
local given = math.max(0, math.min(wanted, math.floor(limit - used)))
local wait = 0
if given > 0 then
  count = count + given
  used = used + given
  redis.call('HSET', KEYS[1], 'now', number, 'count', count, 'before', before)
  redis.call('PEXPIRE', KEYS[1], period * 2)
else
  local room = limit - 1 - count
  local periods = 0
  if room >= 0 then
    periods = 1 - room / before - share
  else
    periods = 1 - share + math.max(0, 1 - (limit - 1) / count)
  end
  wait = math.max(1, math.ceil(periods * period * 1000))
end
return {given, wait, math.max(0, math.floor(limit - used)), math.ceil((1 - share) * period)}
`

// Whether the node of a key answers at all.
const probeScript = `return {1, 0, 0, 0}`

export const scripts = {
  bucket: bucketScript,
  quota: quotaScript,
  probe: probeScript,
  ...cacheScripts,
} as const
export type ScriptName = keyof typeof scripts
