// core/middleware/http/circuit-breaker.ts: stops asking a service that is in trouble, by what came back from it.
//
// Hot: yes. One breaker per router and middleware for all workers (core/resilience/breaker.ts). What is counted is what
// reaches this middleware: answers of those behind it, and of the gateway when a server could not be asked.

import { CIRCUIT_OPEN } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { Breaker, type BreakerState, breakerName, stateNames } from '../../resilience/breaker.ts'
import { compileCondition } from '../../resilience/breaker-expression.ts'
import { claimCells } from '../../resilience/cells.ts'
import { KEEP, NEXT, RequestMiddleware } from '../contract.ts'
import type { MiddlewareContext, ResponseVerdict, Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'
import type { WorkerServices } from '../worker.ts'

export interface CircuitBreakerOptions {
  readonly expression: string
  readonly checkPeriod: number // ms
  readonly fallbackDuration: number
  readonly recoveryDuration: number
  readonly responseCode: number
}

export class CircuitBreaker extends RequestMiddleware {
  readonly kind = 'circuitBreaker'
  override readonly hasResponse = true
  private readonly options: CircuitBreakerOptions
  private readonly breaker: Breaker
  private readonly worker: WorkerServices
  private readonly router: string
  private refuses = false // from onRequest to onResponse of its own answer, which is not counted

  constructor(name: string, options: CircuitBreakerOptions, context: MiddlewareContext) {
    super(name)
    this.options = options
    this.worker = context.worker
    this.router = context.router
    const { states } = context.worker.shared
    const place = breakerName(context.scope, name)
    this.breaker = new Breaker(
      (part) => claimCells(states, part === 'state' ? place : `${place}\n${part}`),
      compileCondition(options.expression),
      {
        checkPeriodMs: Math.max(1, options.checkPeriod),
        fallbackMs: options.fallbackDuration,
        recoveryMs: options.recoveryDuration,
      },
      (to) => this.changed(to),
    )
  }

  // One who changes the state counts it, so the sum over workers is right.
  private changed(to: BreakerState): void {
    const labels = { middleware: this.name, router: this.router, to: stateNames[to] }
    this.worker.counter('sluice_breaker_transitions_total', labels).add(1)
  }

  onRequest(exchange: Exchange): Verdict {
    const now = this.worker.preciseNow()
    if (this.breaker.admits(now)) return NEXT
    this.refuses = true
    const verdict = refuseWith(exchange, CIRCUIT_OPEN, this.options.responseCode)
    const seconds = Math.max(1, Math.ceil(this.breaker.waitMs(now) / 1000))
    exchange.response.add('Retry-After', String(seconds))
    return verdict
  }

  // A network error is a 502 or 504, whoever has answered it, as in Traefik.
  override onResponse(exchange: Exchange): ResponseVerdict {
    if (this.refuses) {
      this.refuses = false
      return KEEP
    }
    const { status } = exchange
    const isNetworkError = status === 502 || status === 504
    const { worker } = this
    this.breaker.record(worker.preciseNow(), status, isNetworkError, worker.elapsed(exchange))
    return KEEP
  }

  explain(_exchange: Exchange): string {
    const { expression, fallbackDuration, responseCode } = this.options
    const state = stateNames[this.breaker.state]
    return `The circuit breaker is ${state}; it answers ${responseCode} for ${fallbackDuration} ms once ${expression}.`
  }
}
