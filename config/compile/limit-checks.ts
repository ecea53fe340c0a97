// config/compile/limit-checks.ts: the closer look at limits: whom they count, how much they let pass, where they count.
// Hot: no.

import { BURST_MAX, RATE_MAX } from '../../core/rate/rate.ts'
import { CLAIM_PREFIX, KEYS_MAX, parseKey } from '../../core/rate/source.ts'
import type {
  DistributedRateLimitConfig,
  HubRedisConfig,
  QuotaConfig,
  RateLimitConfig,
  RedisConfig,
  SourceCriterionConfig,
} from '../dynamic/limits.ts'
import type { Path } from '../problem.ts'
import { type Fault, failing, one, quoted, wantName, wantRange } from './middleware-words.ts'

const QUOTA_MAX = 1_000_000_000
const PERIOD_MAX_MS = 9999 * 3_600_000 // as Traefik Hub's quotas
const ENDPOINTS_MAX = 100

const fault = (key: Path, message: string): Fault => ({ key, message })

const under = (key: string, faults: readonly Fault[]): Fault[] =>
  faults.map((found) => ({ ...found, key: [key, ...found.key] }))

export function checkCriterion(options: {
  sourceCriterion: SourceCriterionConfig | null
}): Fault[] {
  const criterion = options.sourceCriterion
  if (criterion === null) return []
  const { ipStrategy, requestHeaderName, requestHost, keys, jwtHeader } = criterion
  const hasClaim = keys.some((key) => key.startsWith(CLAIM_PREFIX))
  const hasKeys = keys.length > 0
  const given = [ipStrategy !== null && !hasKeys, requestHeaderName !== '', requestHost, hasKeys]
  if (given.filter(Boolean).length > 1)
    return [fault(['sourceCriterion'], 'sourceCriterion: only one criterion can be given')]
  const faults = [
    ...failing('excludedIPs', ipStrategy?.excludedIPs ?? [], wantRange),
    ...(requestHeaderName === '' ? [] : one('requestHeaderName', requestHeaderName, wantName)),
    ...failing('keys', keys, wantKey),
    ...one('jwtHeader', jwtHeader, wantName),
  ]
  if (keys.length > KEYS_MAX) faults.push(fault(['keys'], `keys: more than ${KEYS_MAX} parts`))
  if (ipStrategy !== null && hasKeys && !keys.includes('ip') && !hasClaim)
    faults.push(fault(['ipStrategy'], 'ipStrategy: keys does not name "ip"'))
  if (jwtHeader !== 'Authorization' && !hasClaim)
    faults.push(fault(['jwtHeader'], 'jwtHeader: keys names no jwtClaim'))
  return under('sourceCriterion', faults)
}

const wantKey = (value: string): string =>
  parseKey(value) === null
    ? `${quoted(value)} is none of ip, host, header.X, query.x, cookie.x, jwtClaim.x`
    : ''

function checkRate(key: string, average: number, period: number, burst: number): Fault[] {
  const faults: Fault[] = []
  const periodMs = period === 0 ? 1000 : period
  if (average / periodMs > RATE_MAX / 1000)
    faults.push(fault([key], `${key}: more than ${RATE_MAX} per second can not be counted`))
  if (periodMs > PERIOD_MAX_MS) faults.push(fault(['period'], 'period: at most 9999h'))
  if (burst > BURST_MAX) faults.push(fault(['burst'], `burst: at most ${BURST_MAX}`))
  return faults
}

function checkLease(lease: number, key: string, most: number): Fault[] {
  if (lease <= Math.max(1, most)) return []
  return [fault(['lease'], `lease: ${lease} is more than ${key} gives at once`)]
}

export function checkRateLimit(options: RateLimitConfig): Fault[] {
  const { average, period, burst, redis, lease } = options
  return [
    ...checkCriterion(options),
    ...checkRate('average', average, period, burst),
    ...checkLease(lease, 'burst', burst),
    ...(redis === null ? [] : under('redis', checkRedis(redis))),
  ]
}

export function checkDistributedRateLimit(options: DistributedRateLimitConfig): Fault[] {
  const { limit, period, burst, store, lease } = options
  return [
    ...checkCriterion(options),
    ...checkRate('limit', limit, period, burst),
    ...checkLease(lease, 'burst', burst),
    ...checkStore(store),
  ]
}

export function checkQuota(options: QuotaConfig): Fault[] {
  const { limit, period, store, lease } = options
  const faults: Fault[] = []
  if (limit > QUOTA_MAX) faults.push(fault(['limit'], `limit: at most ${QUOTA_MAX}`))
  if (period < 1000 || period > PERIOD_MAX_MS)
    faults.push(fault(['period'], 'period: between 1s and 9999h'))
  return [
    ...checkCriterion(options),
    ...faults,
    ...checkLease(lease, 'limit', limit),
    ...checkStore(store),
  ]
}

export function checkStore(store: { redis: HubRedisConfig | null } | null): Fault[] {
  if (store === null) return []
  if (store.redis === null) return [fault(['store'], 'store: redis is missing')]
  const { cluster, database } = store.redis
  const faults = checkRedis(store.redis)
  if (cluster !== null && store.redis.sentinel !== null)
    faults.push(fault(['sentinel'], 'sentinel: can not be given with cluster'))
  if (cluster !== null && database !== 0)
    faults.push(fault(['database'], 'database: a cluster has 0 only'))
  return under('store', under('redis', faults))
}

function checkRedis(redis: RedisConfig | HubRedisConfig): Fault[] {
  const { endpoints, sentinel, tls } = redis
  const faults = failing('endpoints', endpoints, wantEndpoint)
  if (endpoints.length === 0 || endpoints.length > ENDPOINTS_MAX)
    faults.push(fault(['endpoints'], `endpoints: between 1 and ${ENDPOINTS_MAX}`))
  if (sentinel !== null && sentinel.masterSet === '')
    faults.push(fault(['sentinel', 'masterSet'], 'masterSet: is missing'))
  if (tls !== null && (tls.cert === '') !== (tls.key === ''))
    faults.push(fault(['tls'], 'tls: cert and key are given together or not at all'))
  return faults
}

export function parseEndpoint(text: string): { host: string; port: number } | null {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?$/.exec(text)
  const port = Number(match?.[2] ?? 6379)
  if (match === null || port < 1 || port > 65_535) return null
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port }
}

// Somebody may have written a URL with a password: the value stays out of the message.
const wantEndpoint = (value: string): string =>
  parseEndpoint(value) === null ? 'is not host:port' : ''
