// core/middleware/http/quota.ts: so many requests of a source in a sliding period, which may be months.
//
// Hot: limiter.ts and core/rate do what is done per request.

import { QuotaLimit } from '../../rate/limit.ts'
import type { MiddlewareContext } from '../contract.ts'
import { Limiter } from './limiter.ts'
import type { LimiterOptions, SharedLimit } from './limiter.ts'

export interface QuotaOptions extends LimiterOptions {
  readonly limit: number
  readonly period: number // ms
  readonly shared: SharedLimit | null
}

export class Quota extends Limiter {
  readonly kind = 'quota'

  constructor(name: string, options: QuotaOptions, context: MiddlewareContext) {
    const { limit, period, shared } = options
    const scope = `${context.scope}\n${name}`
    const counted = new QuotaLimit(context.worker.shared.buckets, scope, limit, period)
    super(name, 'quota', options, counted, shared, context)
  }
}
