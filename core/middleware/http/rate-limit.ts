// core/middleware/http/rate-limit.ts: Traefik's rateLimit: a token bucket per source, in which a request may wait a little.
//
// Hot: limiter.ts and core/rate do what is done per request.

import { BucketLimit } from '../../rate/limit.ts'
import { rateOf } from '../../rate/rate.ts'
import type { MiddlewareContext } from '../contract.ts'
import { Limiter } from './limiter.ts'
import type { LimiterOptions, SharedLimit } from './limiter.ts'

export interface RateLimitOptions extends LimiterOptions {
  readonly average: number // 0: no limit
  readonly period: number // ms
  readonly burst: number
  readonly mode: 'delay' | 'reject'
  readonly shared: SharedLimit | null
}

export class RateLimit extends Limiter {
  readonly kind: string

  constructor(name: string, kind: string, options: RateLimitOptions, context: MiddlewareContext) {
    const { average, period, burst, mode, shared } = options
    const { buckets } = context.worker.shared
    const scope = `${context.scope}\n${name}`
    const limit =
      average === 0
        ? null
        : new BucketLimit(buckets, scope, rateOf({ average, period, burst }, mode === 'delay'))
    super(name, kind, options, limit, shared, context)
    this.kind = kind
  }
}
