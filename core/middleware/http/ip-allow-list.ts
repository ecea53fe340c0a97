// core/middleware/http/ip-allow-list.ts: serves only clients whose address is in a list.
//
// Hot: yes. Fails closed: an address that is missing or can't be read is not in the list.

import { AddressSet } from '../../address.ts'
import { REFUSED_ADDRESS } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { NEXT, RequestMiddleware } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'
import { SourceAddress } from '../source-address.ts'
import type { IpStrategyOptions } from '../source-address.ts'

export interface IpAllowListOptions {
  readonly sourceRange: readonly string[]
  readonly ipStrategy?: IpStrategyOptions | null | undefined
  readonly rejectStatusCode?: number | undefined // 403
}

export class IpAllowList extends RequestMiddleware {
  readonly kind = 'ipAllowList'
  private readonly allowed: AddressSet
  private readonly source: SourceAddress
  private readonly status: number

  constructor(name: string, options: IpAllowListOptions) {
    super(name)
    this.allowed = new AddressSet(options.sourceRange)
    this.source = new SourceAddress(options.ipStrategy)
    this.status = options.rejectStatusCode ?? 0
  }

  onRequest(exchange: Exchange): Verdict {
    if (this.allowed.contains(this.source.of(exchange))) return NEXT
    return refuseWith(exchange, REFUSED_ADDRESS, this.status)
  }

  explain(exchange: Exchange): string {
    const address = this.source.of(exchange)
    const shown = `${address === '' ? 'no address' : address} (${this.source.describe()})`
    if (this.allowed.contains(address)) return `Lets ${shown} pass: it is in sourceRange.`
    return `Refuses ${shown}: it is not in sourceRange.`
  }
}
