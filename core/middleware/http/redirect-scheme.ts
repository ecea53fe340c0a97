// core/middleware/http/redirect-scheme.ts: sends the client to the same URL with another scheme or port.
//
// Hot: yes. A request whose scheme and port are right already passes after a few comparisons. The scheme is
// what X-Forwarded-Proto says (a trusted proxy terminated TLS; from anyone else the entry point has removed
// it), else what the connection was. As in Traefik the port of the request goes away unless it is the
// configured one, so https://a:8443 is sent to https://a when no port is configured.

import { REWRITE_INVALID } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { NEXT, RequestMiddleware } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'
import { requestUri } from '../url.ts'
import { answerRedirect, hostLength, isDefaultPort, redirectStatus, schemeOf } from './redirect.ts'

export interface RedirectSchemeOptions {
  readonly scheme: string
  readonly port?: string | undefined
  readonly permanent: boolean
}

export class RedirectScheme extends RequestMiddleware {
  readonly kind = 'redirectScheme'
  private readonly scheme: string
  private readonly port: string // '' or ':8443'
  private readonly permanent: boolean

  constructor(name: string, options: RedirectSchemeOptions) {
    super(name)
    const port = options.port === undefined || options.port === '' ? '' : ':' + options.port
    this.scheme = options.scheme
    this.port = isDefaultPort(options.scheme, port) ? '' : port
    this.permanent = options.permanent
  }

  onRequest(exchange: Exchange): Verdict {
    if (this.isRight(exchange)) return NEXT
    if (exchange.authority === '') return refuseWith(exchange, REWRITE_INVALID, 0) // HTTP/1.0, no Host
    return answerRedirect(
      exchange,
      this.locationFor(exchange),
      redirectStatus(exchange, this.permanent),
    )
  }

  explain(exchange: Exchange): string {
    if (this.isRight(exchange)) return `Lets it pass: the scheme is ${this.scheme} already.`
    const status = redirectStatus(exchange, this.permanent)
    return `Answers ${status} and sends the client to ${this.locationFor(exchange)}.`
  }

  private isRight(exchange: Exchange): boolean {
    const scheme = schemeOf(exchange)
    if (scheme !== this.scheme) return false
    const port = exchange.authority.slice(hostLength(exchange.authority))
    return (isDefaultPort(scheme, port) ? '' : port) === this.port
  }

  private locationFor(exchange: Exchange): string {
    const host = exchange.authority.slice(0, hostLength(exchange.authority))
    return this.scheme + '://' + host + this.port + requestUri(exchange)
  }
}
