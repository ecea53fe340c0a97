// config/compile/limit-plan.ts: limits as workers want them: where they are counted, with the content of its TLS files.
// Hot: no.

import type { DistributedRateLimitOptions } from '../../core/middleware/http/distributed-rate-limit.ts'
import type { OnStoreError, SharedLimit } from '../../core/middleware/http/limiter.ts'
import type { QuotaOptions } from '../../core/middleware/http/quota.ts'
import type { RateLimitOptions } from '../../core/middleware/http/rate-limit.ts'
import { rateOf } from '../../core/rate/rate.ts'
import type { StoreAsk, StorePlan, StoreTlsPlan } from '../../core/rate/store.ts'
import type {
  DistributedRateLimitConfig,
  HubRedisConfig,
  QuotaConfig,
  RateLimitConfig,
} from '../dynamic/limits.ts'
import type { Entry } from '../merge.ts'
import type { Path } from '../problem.ts'
import type { Compilation } from './compilation.ts'
import { parseEndpoint } from './limit-checks.ts'

const TTL_MAX_SECONDS = 10 * 365 * 86_400 // Redis takes no time that ends after its clock does

// Where the middleware stands, for messages, and where its errors go.
export interface Place {
  readonly shared: Compilation
  readonly entry: Entry<unknown>
  readonly at: Path
  readonly errors: string[]
}

export function planRateLimit(place: Place, config: RateLimitConfig): RateLimitOptions {
  const { redis, onStoreError, ...options } = config
  const period = config.period === 0 ? 1000 : config.period
  const rate = { average: config.average, period, burst: Math.max(1, config.burst) }
  let shared: SharedLimit | null = null
  if (redis !== null) {
    const { db, readTimeout, dialTimeout } = redis
    const cluster = redis.sentinel === null && redis.endpoints.length > 1 // as Traefik's client decides
    const asHub = { ...redis, database: db, timeout: readTimeout, cluster: cluster ? {} : null }
    const plan = planStore({ ...place, at: [...place.at, 'redis'] }, asHub, dialTimeout)
    shared = sharedBucket(place, config, rate, plan, onStoreError)
  }
  return { ...options, ...rate, shared }
}

export function planDistributed(
  place: Place,
  config: DistributedRateLimitConfig,
): DistributedRateLimitOptions {
  const { store, denyOnError, onStoreError, ...options } = config
  const period = config.period === 0 ? 1000 : config.period
  const rate = { average: config.limit, period, burst: Math.max(1, config.burst) }
  const onError = onStoreError === '' ? (denyOnError ? 'deny' : 'allow') : onStoreError
  const plan = planHubStore(place, store)
  const shared = plan === null ? null : sharedBucket(place, config, rate, plan, onError)
  return { ...options, period, burst: rate.burst, shared }
}

export function planQuota(place: Place, config: QuotaConfig): QuotaOptions {
  const { store, onStoreError, ...options } = config
  const plan = planHubStore(place, store)
  if (plan === null) return { ...options, shared: null }
  const ask: StoreAsk = {
    script: 'quota',
    prefix: `quota:${place.entry.qualified}:`,
    parameters: [String(config.limit), String(config.period)],
    maxDelayMs: 0,
    lease: config.lease,
    leaseMs: config.leaseTime,
  }
  return { ...options, shared: { plan, ask, onStoreError } }
}

// The key and the hash {last, tokens} are those of Traefik's rateLimit, so that both can count in one Redis.
function sharedBucket(
  place: Place,
  { mode, lease, leaseTime }: { mode: 'delay' | 'reject'; lease: number; leaseTime: number },
  options: { average: number; period: number; burst: number },
  plan: StorePlan,
  onStoreError: OnStoreError,
): SharedLimit | null {
  if (options.average === 0) return null
  const { perSecond, maxDelayMs } = rateOf(options, mode === 'delay')
  // Until it is full again, whoever forgets it then loses nothing. (Traefik's own forgets a burst after 2 s.)
  const ttlSeconds = Math.min(TTL_MAX_SECONDS, Math.ceil((options.burst + 1) / perSecond) + 1)
  const ask: StoreAsk = {
    script: 'bucket',
    prefix: `rate:${place.entry.qualified}:`,
    parameters: [
      String(perSecond / 1_000_000),
      String(options.burst),
      String(ttlSeconds),
      String(Math.floor(maxDelayMs * 1000)),
    ],
    maxDelayMs,
    lease,
    leaseMs: leaseTime,
  }
  return { plan, ask, onStoreError }
}

function planHubStore(place: Place, store: { redis: HubRedisConfig | null } | null) {
  if (store === null || store.redis === null) return null
  const { redis } = store
  return planStore({ ...place, at: [...place.at, 'store', 'redis'] }, redis, redis.timeout)
}

export function planStore(place: Place, redis: HubRedisConfig, dialTimeoutMs: number): StorePlan {
  const { sentinel, cluster } = redis
  return {
    kind: sentinel !== null ? 'sentinel' : cluster !== null ? 'cluster' : 'single',
    nodes: redis.endpoints.map((text) => parseEndpoint(text) ?? { host: '', port: 0 }),
    username: redis.username,
    password: redis.password,
    database: redis.database,
    masterSet: sentinel?.masterSet ?? '',
    sentinelUsername: sentinel?.username ?? '',
    sentinelPassword: sentinel?.password ?? '',
    tls: redis.tls === null ? null : planTls(place, redis.tls),
    dialTimeoutMs: dialTimeoutMs === 0 ? 5000 : dialTimeoutMs,
    timeoutMs: redis.timeout === 0 ? 3000 : redis.timeout,
  }
}

function planTls(place: Place, tls: NonNullable<HubRedisConfig['tls']>): StoreTlsPlan {
  const { shared, entry, errors } = place
  const at = [...place.at, 'tls']
  if (tls.insecureSkipVerify) {
    const message = 'insecureSkipVerify: whoever stands in the way may read and change everything'
    shared.warning(
      entry,
      [...at, 'insecureSkipVerify'],
      'CONFIG_TLS_WEAK',
      `${entry.qualified}: ${message}`,
    )
  }
  let caPem = ''
  if (tls.ca !== '') {
    const { text, fault } = shared.files.read(tls.ca)
    if (fault !== '') shared.fail(entry, [...at, 'ca'], 'CONFIG_FILE', `ca: ${fault}`, errors)
    caPem = text
  }
  const client = { certPem: '', keyPem: '' }
  if (tls.cert !== '') {
    const { plan, fault } = shared.files.pair(tls.cert, tls.key)
    if (plan === null) shared.fail(entry, [...at, 'cert'], 'CONFIG_CERTIFICATE', fault, errors)
    client.certPem = plan?.certPem ?? ''
    client.keyPem = plan?.keyPem ?? ''
  }
  return { caPem, ...client, insecureSkipVerify: tls.insecureSkipVerify }
}
