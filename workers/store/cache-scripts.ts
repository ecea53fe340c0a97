// workers/store/cache-scripts.ts: what caches ask of Redis, each as one step. Hot: no.
//
// All that is stored of a URL is one hash, a field per response: so one command ends it whole, whatever Vary and routers made
// of it. Purges are a stream, in the order and by the clock of Redis; who reads it learns that clock too.

// A response. '': there is something, but more than the reader takes.
//   ARGV: field, bytes that it takes
const cacheGet = `
local size = redis.call('HSTRLEN', KEYS[1], ARGV[1])
if size == 0 then return false end
if size > tonumber(ARGV[2]) then return '' end
return redis.call('HGET', KEYS[1], ARGV[1])
`

// Stores a response, and the mark of its Vary if it has one. Clients choose how many variants there are: one too many
// takes the place of all.
//   ARGV: milliseconds, fields at the most, then field and bytes of each
const cachePut = `
local ttl = tonumber(ARGV[1])
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[2]) then redis.call('DEL', KEYS[1]) end
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
return 1
`

const cacheDrop = `return redis.call('UNLINK', KEYS[1])`

// Purges since one that is known: the time, how many are kept, the first that is kept, and those since.
//   ARGV: first id that is wanted, how many at the most
const cacheLog = `
local clock = redis.call('TIME')
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
local id = first[1] and first[1][1] or ''
return {clock[1], clock[2], redis.call('XLEN', KEYS[1]), id,
  redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', tonumber(ARGV[2]))}
`

// Tells all gateways of a purge.
//   ARGV: the wish, how many are kept, milliseconds that they are kept for
const cacheTell = `
redis.call('XADD', KEYS[1], 'MAXLEN', tonumber(ARGV[2]), '*', 'w', ARGV[1])
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[3]))
return 1
`

export const cacheScripts = { cacheGet, cachePut, cacheDrop, cacheLog, cacheTell } as const
