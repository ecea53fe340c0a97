// core/middleware/http/in-flight-req.ts: refuses a source that has `amount` requests under way already.
//
// Hot: yes. Counted per router and worker, in a table that outlives generations (in-flight-table.ts). The
// source is written into the exchange's notes when it is counted, so it is released exactly once and under
// the name that it was counted by, whatever later middlewares change.

import { IN_FLIGHT } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { NEXT, RequestMiddleware } from '../contract.ts'
import type { MiddlewareContext, Verdict } from '../contract.ts'
import type { InFlightTable } from '../in-flight-table.ts'
import { refuseWith } from '../refuse.ts'
import { SourceAddress } from '../source-address.ts'
import type { IpStrategyOptions } from '../source-address.ts'

export interface SourceCriterionOptions {
  readonly ipStrategy?: IpStrategyOptions | null | undefined
  readonly requestHeaderName?: string | undefined
  readonly requestHost?: boolean | undefined
}

export interface InFlightReqOptions {
  readonly amount: number
  readonly sourceCriterion?: SourceCriterionOptions | null | undefined // default: the host
}

export class InFlightReq extends RequestMiddleware {
  readonly kind = 'inFlightReq'
  override readonly hasFinish = true
  private readonly amount: number
  private readonly table: InFlightTable
  private readonly scope: string
  private readonly address: SourceAddress | null // set when the address is the criterion
  private readonly header: string // set when a header is; the host else

  constructor(name: string, options: InFlightReqOptions, context: MiddlewareContext) {
    super(name)
    const criterion = options.sourceCriterion
    const strategy = criterion?.ipStrategy
    this.amount = options.amount
    this.table = context.inFlight
    this.scope = context.router + '\n' + name + '\n'
    this.address = strategy === undefined || strategy === null ? null : new SourceAddress(strategy)
    this.header = criterion?.requestHeaderName?.toLowerCase() ?? ''
  }

  onRequest(exchange: Exchange): Verdict {
    const source = this.scope + this.sourceOf(exchange)
    if (!this.table.enter(source, this.amount)) return refuseWith(exchange, IN_FLIGHT, 0)
    exchange.notes ??= new Map()
    exchange.notes.set(this, source)
    return NEXT
  }

  override onFinish(exchange: Exchange): void {
    const source = exchange.notes?.get(this)
    if (typeof source !== 'string') return // refused here: nothing was counted
    exchange.notes!.delete(this)
    this.table.leave(source)
  }

  explain(exchange: Exchange): string {
    const source = this.sourceOf(exchange)
    const count = this.table.countOf(this.scope + source)
    return `Counts ${count} of ${this.amount} requests in flight for "${source}".`
  }

  // The host without port and in lower case, so that spellings of it do not multiply the amount.
  private sourceOf(exchange: Exchange): string {
    if (this.address !== null) return this.address.of(exchange)
    if (this.header !== '') return exchange.request.get(this.header) ?? ''
    return exchange.host
  }
}
