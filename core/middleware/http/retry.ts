// core/middleware/http/retry.ts: sends a request again that has failed, elsewhere if it can.
//
// Hot: onRequest counts the request and, when it has a body, has it kept. The rest is for requests that failed: the
// pipeline asks here (workers/retrying.ts) and does it.
//
//   failed before a server had it     any method
//   a server may have acted on it     what is idempotent; else only with retryNonIdempotentMethod
//   a server answered, with `status`  the same
//
// And never more than `attempts` in all, after `timeout`, beyond the budget, or with a body that was not kept.

import {
  NONE,
  TIMEOUT_FIRST_BYTE,
  TIMEOUT_TRY,
  UPSTREAM_HEADER_TIMEOUT,
  UPSTREAM_RESET,
  errorTable,
} from '../../errors.ts'
import { type Exchange, hasRequestBody } from '../../exchange.ts'
import { isIdempotent, isRepeatable } from '../../idempotency.ts'
import { BodyKeeper, TEE } from '../body-keeper.ts'
import { KEEP, NEXT, RETRY, RequestMiddleware } from '../contract.ts'
import type { MiddlewareContext, ResponseVerdict, Verdict } from '../contract.ts'
import { RetryBudget } from '../retry-budget.ts'
import type { RetryPolicy } from '../retry-policy.ts'
import { StatusRanges } from '../status-ranges.ts'
import type { Counter } from '../worker.ts'

export interface RetryOptions {
  readonly attempts: number // in all
  readonly timeout: number // ms since the request came; 0: none
  readonly initialInterval: number // ms; 0: at once
  readonly maxRequestBodyBytes: number
  readonly status: readonly string[]
  readonly disableRetryOnNetworkError: boolean
  readonly retryNonIdempotentMethod: boolean
  readonly budget: { readonly percent: number; readonly minPerSecond: number }
}

const GROWTH = 1.5 // of the interval, from one retry to the next
const GROWTH_MAX = 2 // times initialInterval, as in Traefik

type Reason = 'network' | 'timeout' | 'status'

export class Retry extends RequestMiddleware implements RetryPolicy {
  readonly kind = 'retry'
  override readonly hasResponse: boolean
  private readonly options: RetryOptions
  private readonly context: MiddlewareContext
  private readonly statuses: StatusRanges
  private readonly budget: RetryBudget
  private readonly counters: Record<Reason, Counter | null> = {
    network: null,
    timeout: null,
    status: null,
  }
  private exhausted: Counter | null = null
  private random: number

  constructor(name: string, options: RetryOptions, context: MiddlewareContext) {
    super(name)
    this.options = options
    this.context = context
    this.statuses = new StatusRanges(options.status)
    this.hasResponse = options.status.length > 0
    this.budget = new RetryBudget(options.budget.percent, options.budget.minPerSecond)
    this.random = Math.floor(context.worker.preciseNow() * 1000) | 0 || 1
  }

  onRequest(exchange: Exchange): Verdict {
    exchange.retry = this
    this.budget.count(this.context.now())
    if (hasRequestBody(exchange)) this.keep(exchange)
    return NEXT
  }

  // Somebody may want the body already, and more of it.
  private keep(exchange: Exchange): void {
    const { maxRequestBodyBytes } = this.options
    const { keeper } = exchange
    if (keeper === null) exchange.keeper = new BodyKeeper(maxRequestBodyBytes, TEE)
    else if (!keeper.collects && !keeper.refusesMore && keeper.bytes === 0)
      keeper.bytesMax = Math.max(keeper.bytesMax, maxRequestBodyBytes)
  }

  // The gateway's own answers are not retried by status: what failed has been to allows() already.
  override onResponse(exchange: Exchange): ResponseVerdict {
    if (exchange.retry !== this || exchange.error !== NONE) return KEEP
    if (!this.statuses.has(exchange.status)) return KEEP
    return this.grants(exchange, 'status', true) ? RETRY : KEEP
  }

  allows(exchange: Exchange, code: number, mayHaveRun: boolean): boolean {
    if (this.options.disableRetryOnNetworkError) return false
    const isTimeout = errorTable[code]!.status === 504
    if (mayHaveRun && !isTimeout && code !== UPSTREAM_RESET) return false // a server that misbehaves will again
    if (mayHaveRun && isTimeout && !isRetriedTimeout(code)) return false
    return this.grants(exchange, isTimeout ? 'timeout' : 'network', mayHaveRun)
  }

  private grants(exchange: Exchange, reason: Reason, mayHaveRun: boolean): boolean {
    const { attempts, timeout, retryNonIdempotentMethod } = this.options
    if (exchange.retries + 1 >= attempts || !isRepeatable(exchange)) return false
    if (mayHaveRun && !retryNonIdempotentMethod && !isIdempotent(exchange.methodId)) return false
    const now = this.context.now()
    if (timeout > 0 && now - exchange.startedAt >= timeout) return false
    if (!this.budget.take(now)) {
      this.exhausted ??= this.counterOf('sluice_retry_budget_exhausted_total', {})
      this.exhausted.add(1)
      return false
    }
    this.counters[reason] ??= this.counterOf('sluice_retries_total', { reason })
    this.counters[reason].add(1)
    return true
  }

  private counterOf(family: string, labels: Readonly<Record<string, string>>): Counter {
    const { router, worker } = this.context
    return worker.counter(family, { middleware: this.name, router, ...labels })
  }

  // Between a half and one and a half of the interval, so that those who failed together do not come back together.
  delayMs(exchange: Exchange): number {
    const { initialInterval } = this.options
    if (initialInterval === 0) return 0
    const grown = Math.min(GROWTH ** exchange.retries, GROWTH_MAX)
    const jitter = 0.5 + this.draw()
    return Math.min(initialInterval * grown * jitter, initialInterval * GROWTH_MAX)
  }

  // 0 <= x < 1; xorshift, which need not be unguessable.
  private draw(): number {
    let x = this.random
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.random = x
    return (x >>> 0) / 0x100000000
  }

  explain(exchange: Exchange): string {
    const { attempts, status, disableRetryOnNetworkError, retryNonIdempotentMethod } = this.options
    const causes = [
      ...(disableRetryOnNetworkError ? [] : ['a failure of the network']),
      ...(status.length > 0 ? [`a response with status ${status.join(', ')}`] : []),
    ]
    const safe = retryNonIdempotentMethod || isIdempotent(exchange.methodId)
    const only = safe ? '' : ', but only while no server can have acted on it'
    return `Sends the request up to ${attempts} times after ${causes.join(' or ') || 'nothing'}${only}.`
  }
}

// Those that end before the client was told anything, and that another server may keep.
function isRetriedTimeout(code: number): boolean {
  return code === UPSTREAM_HEADER_TIMEOUT || code === TIMEOUT_TRY || code === TIMEOUT_FIRST_BYTE
}
