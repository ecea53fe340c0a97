// core/middleware/http/distributed-rate-limit.ts: Traefik Hub's distributedRateLimit: the bucket of rateLimit under Hub's keys.
//
// Hot: limiter.ts and core/rate do what is done per request.

import type { MiddlewareContext } from '../contract.ts'
import type { LimiterOptions, SharedLimit } from './limiter.ts'
import { RateLimit } from './rate-limit.ts'

export interface DistributedRateLimitOptions extends LimiterOptions {
  readonly limit: number // 0: no limit
  readonly period: number // ms
  readonly burst: number
  readonly mode: 'delay' | 'reject'
  readonly shared: SharedLimit | null
}

export class DistributedRateLimit extends RateLimit {
  constructor(name: string, options: DistributedRateLimitOptions, context: MiddlewareContext) {
    super(name, 'distributedRateLimit', { ...options, average: options.limit }, context)
  }
}
