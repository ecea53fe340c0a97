// config/compile/middleware-checks-hub.ts: the closer look at middlewares that Traefik has in Hub only. Hot: no.

import { HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, headerIdOf } from '../../core/header-ids.ts'
import { isFraming } from '../../core/middleware/header-line.ts'
import type { MiddlewareOptions } from '../dynamic/middlewares.ts'
import type { CacheRedisConfig } from '../dynamic/middlewares-hub.ts'
import { checkStore } from './limit-checks.ts'
import { failing, quoted, wantName, type Fault } from './middleware-words.ts'

const operations = ['set', 'append', 'remove', 'rename'] as const

export function checkQueryParam(options: MiddlewareOptions<'queryParam'>): Fault[] {
  const given = operations.filter((operation) => options[operation].length > 0)
  if (given.length !== 1) {
    const found = given.length === 0 ? 'none is given' : `found ${given.join(' and ')}`
    return [{ key: [], message: `expected one of ${operations.join(', ')}: ${found}` }]
  }
  return (['set', 'append'] as const).flatMap((operation) =>
    options[operation].flatMap(({ value, fromHeader }, at) => {
      const key = [operation, at]
      if (value !== '' && fromHeader !== '')
        return [{ key, message: `${operation}: value and fromHeader exclude each other` }]
      const fault = fromHeader === '' ? '' : wantName(fromHeader)
      const message = `${operation}: fromHeader: ${fault}`
      return fault === '' ? [] : [{ key: [...key, 'fromHeader'], message }]
    }),
  )
}

// A line that is spelled anew counts as ours: it would not be dropped as one for a single connection.
const refused: readonly number[] = [HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION]

export function checkForceCase({ headers }: MiddlewareOptions<'forceCase'>): Fault[] {
  if (headers.length === 0) return [{ key: ['headers'], message: 'headers: must not be empty' }]
  const seen = new Set<string>()
  return failing('headers', headers, (name) => {
    const lower = name.toLowerCase()
    if (seen.has(lower)) return `${quoted(name)} is given twice`
    seen.add(lower)
    if (isFraming(name) || refused.includes(headerIdOf(lower)))
      return `${quoted(name)} belongs to the gateway itself`
    return wantName(name)
  })
}

const CACHE_LIMIT_MIN = 1_048_576 // below that hardly anything fits beside its own overhead

export function checkHttpCache({ store }: MiddlewareOptions<'httpCache'>): Fault[] {
  const { limit, entryLimit } = store.memory
  const key = ['store', 'memory']
  if (limit < CACHE_LIMIT_MIN) {
    const message = `store.memory.limit: ${limit} bytes are too few; 1Mi is the least`
    return [{ key: [...key, 'limit'], message }]
  }
  if (entryLimit > limit) {
    const message = 'store.memory.entryLimit is more than store.memory.limit'
    return [{ key: [...key, 'entryLimit'], message }]
  }
  return store.redis === null ? [] : checkTier(store.redis, entryLimit)
}

const TIER_WAIT_MAX_MS = 10_000 // of a request, for what is meant to be faster than its server

function checkTier(redis: CacheRedisConfig, memoryEntryLimit: number): Fault[] {
  const faults = checkStore({ redis })
  const wrong = (name: string, message: string): void =>
    void faults.push({ key: ['store', 'redis', name], message: `store.redis.${name}: ${message}` })
  if (redis.timeout < 1 || redis.timeout > TIER_WAIT_MAX_MS) wrong('timeout', 'between 1ms and 10s')
  if (redis.entryLimit < 1) wrong('entryLimit', 'at least 1 byte')
  if (redis.entryLimit > memoryEntryLimit)
    wrong('entryLimit', 'is more than store.memory.entryLimit, which nothing goes beyond')
  return faults
}
