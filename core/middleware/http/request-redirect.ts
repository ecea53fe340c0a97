// core/middleware/http/request-redirect.ts: sends every client elsewhere, as the filter RequestRedirect of the Gateway API
// does.
//
// Hot: yes, on entry points that only redirect. What is not given stays as it is in the request. A scheme without a
// port means the port of that scheme; without either, the port that the client has named stays (what listens here may
// be published under another one). 80 and 443 are left out where they are the default.

import { REWRITE_INVALID } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { legalRewrite } from '../../normalise.ts'
import { RequestMiddleware } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'
import { PathChange } from './path-change.ts'
import type { PathChangeOptions } from './path-change.ts'
import { answerRedirect, hostLength, isDefaultPort, schemeOf } from './redirect.ts'

export interface RequestRedirectOptions extends PathChangeOptions {
  readonly scheme: string // 'http' or 'https'; '' for that of the request
  readonly hostname: string // '' for that of the request
  readonly port: string // '' as above
  readonly statusCode: number
}

export class RequestRedirect extends RequestMiddleware {
  readonly kind = 'requestRedirect'
  private readonly options: RequestRedirectOptions
  private readonly change: PathChange

  constructor(name: string, options: RequestRedirectOptions) {
    super(name)
    this.options = options
    this.change = new PathChange(options)
  }

  onRequest(exchange: Exchange): Verdict {
    const location = this.locationFor(exchange)
    if (location === null) return refuseWith(exchange, REWRITE_INVALID, 0)
    return answerRedirect(exchange, location, this.options.statusCode)
  }

  explain(exchange: Exchange): string {
    const location = this.locationFor(exchange)
    if (location === null) return 'Answers 400: there is no URL to send the client to.'
    return `Answers ${this.options.statusCode} and sends the client to ${location}.`
  }

  // null: the request has no host (HTTP/1.0) or no path ("OPTIONS *"), or the new path may not be sent.
  private locationFor(exchange: Exchange): string | null {
    const { authority } = exchange
    const host = this.options.hostname || authority.slice(0, hostLength(authority))
    const changed = this.change.of(exchange)
    const path = changed === null ? exchange.path : legalRewrite(changed)
    if (host === '' || path === null || !path.startsWith('/')) return null
    const scheme = this.options.scheme || schemeOf(exchange)
    const query = exchange.hasQuery ? '?' + exchange.query : ''
    return scheme + '://' + host + this.portFor(exchange, scheme) + path + query
  }

  // '' or ':8443'
  private portFor({ authority }: Exchange, scheme: string): string {
    const { port, scheme: given } = this.options
    if (port === '' && given !== '') return ''
    const shown = port !== '' ? ':' + port : authority.slice(hostLength(authority))
    return isDefaultPort(scheme, shown) ? '' : shown
  }
}
