// core/middleware/http/add-prefix.ts: puts a prefix before the path.
//
// Hot: yes. Escapes of the request are kept as they came.

import type { Exchange } from '../../exchange.ts'
import { rewritePath } from '../../normalise.ts'
import { NEXT, RequestMiddleware } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'

export interface AddPrefixOptions {
  readonly prefix: string // begins with '/': config has seen to it
}

export class AddPrefix extends RequestMiddleware {
  readonly kind = 'addPrefix'
  private readonly prefix: string

  constructor(name: string, options: AddPrefixOptions) {
    super(name)
    this.prefix = options.prefix
  }

  onRequest(exchange: Exchange): Verdict {
    const fault = rewritePath(exchange, this.prefix + exchange.path)
    return fault === 0 ? NEXT : refuseWith(exchange, fault, 0)
  }

  explain(_exchange: Exchange): string {
    return `Puts ${this.prefix} before the path.`
  }
}
