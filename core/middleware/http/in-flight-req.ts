// core/middleware/http/in-flight-req.ts: refuses a source that has `amount` requests under way already.
//
// Hot: yes. Counted per router, in a table of all workers that outlives generations (core/shared/in-flight-counts.ts). The
// place is written into the exchange's notes when it is counted, so it is released exactly once, whatever later middlewares
// change.

import { IN_FLIGHT } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { NEXT, RequestMiddleware } from '../contract.ts'
import type { MiddlewareContext, Verdict } from '../contract.ts'
import { Source } from '../../rate/source.ts'
import type { SourceCriterionOptions } from '../../rate/source.ts'
import { REFUSED } from '../../shared/in-flight-counts.ts'
import type { InFlightCounts } from '../../shared/in-flight-counts.ts'
import type { KeyedHash } from '../../shared/keyed-hash.ts'
import { refuseWith } from '../refuse.ts'

export interface InFlightReqOptions {
  readonly amount: number
  readonly sourceCriterion?: SourceCriterionOptions | null | undefined // default: the host
}

export class InFlightReq extends RequestMiddleware {
  readonly kind = 'inFlightReq'
  override readonly hasFinish = true
  private readonly amount: number
  private readonly counts: InFlightCounts
  private readonly key: KeyedHash
  private readonly source: Source

  constructor(name: string, options: InFlightReqOptions, context: MiddlewareContext) {
    super(name)
    this.amount = options.amount
    this.counts = context.worker.shared.inFlight
    this.key = this.counts.hashFor(context.scope + '\n' + name)
    this.source = new Source(options.sourceCriterion, 'host')
  }

  onRequest(exchange: Exchange): Verdict {
    this.key.of(this.source.of(exchange))
    const place = this.counts.enter(this.key, this.amount)
    if (place === REFUSED) return refuseWith(exchange, IN_FLIGHT, 0)
    exchange.notes ??= new Map()
    exchange.notes.set(this, place)
    return NEXT
  }

  override onFinish(exchange: Exchange): void {
    const place = exchange.notes?.get(this)
    if (typeof place !== 'number') return // refused here: nothing was counted
    exchange.notes!.delete(this)
    this.counts.leave(place)
  }

  explain(exchange: Exchange): string {
    const source = this.source.of(exchange)
    this.key.of(source)
    const count = this.counts.countOf(this.key)
    return `Counts ${count} of ${this.amount} requests in flight for "${source}".`
  }
}
