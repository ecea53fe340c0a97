// core/middleware/http/timeout.ts: how long an exchange, a try, or a silence may be. Ours; Traefik has none.
//
// Hot: yes; one object per request. Who looks at it is workers/watch.ts, what is over is core/resilience/deadlines.ts.

import { TIMEOUT_FIRST_BYTE, TIMEOUT_IDLE, TIMEOUT_TOTAL } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import type { ExchangeTimes } from '../../resilience/deadlines.ts'
import { NEXT, RequestMiddleware } from '../contract.ts'
import type { MiddlewareContext, Verdict } from '../contract.ts'
import type { Counter, WorkerServices } from '../worker.ts'

export type TimeoutOptions = ExchangeTimes

export class Timeout extends RequestMiddleware {
  readonly kind = 'timeout'
  private readonly times: ExchangeTimes
  private readonly worker: WorkerServices
  private readonly router: string
  private readonly counters = new Map<string, Counter>() // by kind, of which there are four
  private readonly onOver = (code: number): void => this.count(code) // one for all exchanges

  constructor(name: string, options: TimeoutOptions, context: MiddlewareContext) {
    super(name)
    this.times = options
    this.worker = context.worker
    this.router = context.router
  }

  onRequest(exchange: Exchange): Verdict {
    this.worker.watch(exchange, this.times, this.onOver)
    return NEXT
  }

  private count(code: number): void {
    const kind = kindOf(code)
    let counter = this.counters.get(kind)
    if (counter === undefined) {
      const labels = { kind, middleware: this.name, router: this.router }
      counter = this.worker.counter('sluice_timeouts_total', labels)
      this.counters.set(kind, counter)
    }
    counter.add(1)
  }

  explain(_exchange: Exchange): string {
    const { total, perTry, firstByte, idle } = this.times
    const parts = [
      ...(total > 0 ? [`${total} ms in all`] : []),
      ...(perTry > 0 ? [`${perTry} ms for each server to begin its answer`] : []),
      ...(firstByte > 0 ? [`${firstByte} ms after the whole request is there`] : []),
      ...(idle > 0 ? [`${idle} ms of silence in a body`] : []),
    ]
    return `Allows ${parts.join(', ')}; then 504.`
  }
}

function kindOf(code: number): string {
  if (code === TIMEOUT_TOTAL) return 'total'
  if (code === TIMEOUT_IDLE) return 'idle'
  return code === TIMEOUT_FIRST_BYTE ? 'firstByte' : 'perTry'
}
