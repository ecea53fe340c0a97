// config/dynamic/services.ts: http.services.<name>: load balancers and the services made of others. Hot: no.

import { z } from 'zod'
import { duration, meta, signedDuration } from '../schema.ts'
import {
  block,
  extension,
  flag,
  list,
  map,
  noted,
  notYet,
  off,
  text,
  time,
} from '../static/blocks.ts'

export const weight = () => z.int().min(0).max(1_000_000).default(1)

const server = z.object({
  url: z.string().min(1),
  weight: weight(),
  preservePath: flag(false),
  fenced: flag(false),
  terminating: extension(
    flag(false),
    'about to end: asked by its sticky clients, and by others when nothing else is up',
  ),
})

const sticky = () =>
  off({
    cookie: off({
      name: text(),
      secure: flag(false),
      httpOnly: flag(false),
      sameSite: text(),
      maxAge: z.int().default(0),
      path: text('/'),
      domain: text(),
    }),
  })

const healthCheck = off({
  scheme: text(),
  mode: z.enum(['', 'http', 'grpc']).default(''),
  path: text(),
  method: text('GET'),
  status: z.int().default(0),
  port: z.int().default(0),
  interval: time(30_000),
  unhealthyInterval: duration.nullable().default(null),
  timeout: time(5000),
  hostname: text(),
  followRedirects: flag(true),
  headers: map(),
})

const passiveHealthCheck = off({
  failureWindow: time(10_000),
  maxFailedAttempts: z.int().min(1).max(1000).default(1),
})

const hashOn = extension(
  off({ header: text(), cookie: text(), query: text(), ip: flag(false) }),
  'what `hrw` and `maglev` go by; the address of the client when nothing is said',
)

const outlierDetection = extension(
  off({
    consecutive5xx: z.int().min(0).default(5),
    consecutiveGatewayErrors: z.int().min(0).default(5),
    interval: time(10_000),
    baseEjectionTime: time(30_000),
    maxEjectionTime: time(300_000),
    maxEjectionPercent: z.int().min(0).max(100).default(10),
    successRate: off({
      minServers: z.int().min(2).max(1_000_000).default(5),
      minRequests: z.int().min(1).max(1_000_000).default(100),
      stdevFactor: noted(z.number().min(0.1).max(10).default(1.9), 'Envoy writes it as `1900`'),
    }),
    failurePercentage: off({
      threshold: z.int().min(1).max(100).default(85),
      minServers: z.int().min(1).max(1_000_000).default(5),
      minRequests: z.int().min(1).max(1_000_000).default(50),
    }),
  }),
  'takes servers out that answer with errors in a row, or with more errors than the others',
)

const loadBalancer = off({
  servers: z.array(server).default([]),
  strategy: noted(
    z.enum(['wrr', 'p2c', 'hrw', 'leasttime', 'maglev']).default('wrr'),
    '`maglev` is an extension',
  ),
  hashOn,
  passHostHeader: flag(true),
  serversTransport: text(),
  responseForwarding: block({
    flushInterval: noted(
      signedDuration.default(100),
      'every byte is passed on in the turn in which it came, so no interval is ever waited for',
    ),
  }),
  sticky: sticky(),
  healthCheck,
  passiveHealthCheck,
  slowStart: extension(time(0), 'the share of a server that has come up grows for so long; 0: off'),
  outlierDetection,
  nginxUpstreamHashBy: notYet(text(), 'internal to Traefik'),
})

// `{}` in composite services: take part in health as the children do.
const healthOfChildren = () => off({})
const children = () => z.array(z.object({ name: z.string().min(1), weight: weight() })).min(1)

const rollout = extension(
  off({
    to: z.string().min(1),
    steps: z.array(z.number().min(0.1).max(100)).min(1).max(100).default([1, 5, 25, 50, 100]),
    interval: time(300_000),
    startsPaused: flag(false),
    maxErrorRatio: z.number().min(0).max(1).default(0.05),
    maxP99: time(0),
    minRequests: z.int().min(1).max(1_000_000).default(50),
  }),
  'one of the two services takes the place of the other, step by step, and back at the first bad sign',
)

const weighted = off({
  services: children(),
  rollout,
  sticky: sticky(),
  healthCheck: healthOfChildren(),
})

const highestRandomWeight = off({ services: children(), healthCheck: healthOfChildren() })

const mirroring = off({
  service: z.string().min(1),
  mirrorBody: flag(true),
  maxBodySize: noted(
    z.int().default(-1),
    'without a bound of its own a body is copied up to 16 MiB, since copies are kept in memory',
  ),
  mirrors: z
    .array(z.object({ name: z.string().min(1), percent: z.int().min(0).max(100).default(0) }))
    .default([]),
  when: extension(z.enum(['after', 'during']).default('after'), 'when copies are sent'),
  healthCheck: healthOfChildren(),
})

const failover = off({
  service: z.string().min(1),
  fallback: z.string().min(1),
  healthCheck: healthOfChildren(),
  errors: off({
    maxRequestBodyBytes: noted(
      z.int().default(-1),
      'without a bound of its own a request with a longer body than 16 MiB is not asked again',
    ),
    status: list(),
  }),
})

export const serviceSchema = z.object({
  middlewares: list(),
  loadBalancer: meta(loadBalancer, { status: 'works' }),
  weighted,
  highestRandomWeight,
  mirroring,
  failover,
})

export const serviceKinds = [
  'loadBalancer',
  'weighted',
  'highestRandomWeight',
  'mirroring',
  'failover',
] as const

export type ServiceConfig = z.output<typeof serviceSchema>
export type LoadBalancerConfig = NonNullable<ServiceConfig['loadBalancer']>
export type WeightedConfig = NonNullable<ServiceConfig['weighted']>
export type HighestRandomWeightConfig = NonNullable<ServiceConfig['highestRandomWeight']>
export type StickyConfig = LoadBalancerConfig['sticky']
export type HealthCheckConfig = NonNullable<LoadBalancerConfig['healthCheck']>
export type MirroringConfig = NonNullable<ServiceConfig['mirroring']>
export type FailoverConfig = NonNullable<ServiceConfig['failover']>
