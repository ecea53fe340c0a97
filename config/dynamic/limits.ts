// config/dynamic/limits.ts: options of the middlewares that limit: rateLimit, distributedRateLimit, quota, inFlightReq, and
// the Redis that several hosts count in. Hot: no.

import { z } from 'zod'
import {
  clientTls,
  extension,
  flag,
  list,
  noted,
  off,
  secret,
  text,
  time,
  whole,
} from '../static/blocks.ts'

export const ipStrategy = () =>
  off({
    depth: z.int().min(0).max(1000).default(0),
    excludedIPs: list(),
    ipv6Subnet: z.int().min(0).max(128).nullable().default(null),
  })

export const sourceCriterion = () =>
  off({
    ipStrategy: ipStrategy(),
    requestHeaderName: text(),
    requestHost: flag(false),
    keys: extension(
      list(),
      'several parts: `ip`, `host`, `header.X`, `query.x`, `cookie.x`, `jwtClaim.x`',
    ),
    jwtHeader: extension(text('Authorization'), 'where the JWT of `jwtClaim.x` stands'),
  })

const sentinel = () => off({ masterSet: text(), username: text(), password: secret() })

const one = 'each worker has one connection, which carries many commands at once'

// As Traefik's own rateLimit has it.
const redis = off({
  endpoints: list('127.0.0.1:6379'),
  tls: clientTls(),
  username: text(),
  password: secret(),
  db: whole(0),
  poolSize: noted(whole(0), one),
  minIdleConns: noted(whole(0), one),
  maxActiveConns: noted(whole(0), one),
  readTimeout: time(3000),
  writeTimeout: noted(time(3000), 'the time of an answer is that of readTimeout'),
  dialTimeout: time(5000),
  sentinel: extension(sentinel(), 'endpoints are sentinels'),
})

// As Traefik Hub has it.
export const hubRedisKeys = () => ({
  endpoints: list('127.0.0.1:6379'),
  username: text(),
  password: secret(),
  database: whole(0),
  timeout: time(3000),
  cluster: off({}),
  sentinel: sentinel(),
  tls: clientTls(),
})

const hubRedis = off(hubRedisKeys())

const store = off({ redis: hubRedis })

const headers = () => ({
  standardHeaders: extension(flag(false), 'sends `RateLimit` and `RateLimit-Policy`'),
})

const plainHeaders = 'sends `X-RateLimit-Limit`, `-Remaining`, `-Reset`'
const errors = ['allow', 'deny', 'local'] as const
const sharing = () => ({
  lease: extension(
    z.int().min(1).max(10_000).default(1),
    'permits that a worker takes from Redis at once',
  ),
  leaseTime: extension(time(100), 'and keeps for so long'),
})

export const limits = {
  rateLimit: off({
    average: whole(0),
    period: time(1000),
    burst: whole(1),
    sourceCriterion: sourceCriterion(),
    redis,
    mode: extension(z.enum(['delay', 'reject']).default('delay'), 'whether a request may wait'),
    ...headers(),
    responseHeaders: extension(flag(false), plainHeaders),
    onStoreError: extension(z.enum(errors).default('deny'), 'when Redis can not be asked'),
    ...sharing(),
  }),
  distributedRateLimit: off({
    limit: whole(0),
    period: time(1000),
    burst: whole(1),
    denyOnError: flag(true),
    responseHeaders: flag(false),
    sourceCriterion: sourceCriterion(),
    store,
    mode: extension(z.enum(['delay', 'reject']).default('reject'), 'whether a request may wait'),
    ...headers(),
    onStoreError: extension(z.enum(['', ...errors]).default(''), 'in place of denyOnError'),
    ...sharing(),
  }),
  quota: extension(
    off({
      limit: z.int().min(0),
      period: time(3_600_000),
      sourceCriterion: sourceCriterion(),
      store,
      ...headers(),
      responseHeaders: flag(false),
      onStoreError: z.enum(errors).default('deny'),
      ...sharing(),
    }),
    'requests in a sliding period',
  ),
  inFlightReq: off({ amount: z.int().min(0), sourceCriterion: sourceCriterion() }),
}

type Block<T extends z.ZodType> = NonNullable<z.output<T>>
export type RateLimitConfig = Block<typeof limits.rateLimit>
export type DistributedRateLimitConfig = Block<typeof limits.distributedRateLimit>
export type QuotaConfig = Block<typeof limits.quota>
export type SourceCriterionConfig = Block<ReturnType<typeof sourceCriterion>>
export type RedisConfig = Block<typeof redis>
export type HubRedisConfig = Block<typeof hubRedis>
