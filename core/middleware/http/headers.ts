// core/middleware/http/headers.ts: sets, replaces and removes headers; CORS and security headers included.
//
// Hot: yes. Parts that are not configured are null and cost one comparison. Order as in Traefik: a preflight
// is answered before anything else; on the way back the security headers come first, then custom ones,
// which may overrule them, then CORS.

import { REFUSED_HOST } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { isHostPort } from '../../h1/host.ts'
import { ANSWERED, KEEP, NEXT, RequestMiddleware } from '../contract.ts'
import type { ResponseVerdict, Verdict } from '../contract.ts'
import { applyLine, describeLine, headerLines, isHost } from '../header-line.ts'
import type { HeaderLine } from '../header-line.ts'
import { refuseWith } from '../refuse.ts'
import { Cors, hasCors } from './headers-cors.ts'
import type { CorsOptions } from './headers-cors.ts'
import { Security } from './headers-security.ts'
import type { SecurityOptions } from './headers-security.ts'

export interface HeadersOptions extends CorsOptions, SecurityOptions {
  readonly customRequestHeaders?: Readonly<Record<string, string>> | undefined
  readonly customResponseHeaders?: Readonly<Record<string, string>> | undefined
}

export class Headers extends RequestMiddleware {
  readonly kind = 'headers'
  override readonly hasResponse: boolean
  private readonly requestLines: readonly HeaderLine[] | null
  private readonly responseLines: readonly HeaderLine[] | null
  private readonly host: string // sent in place of Host; '' leaves it
  private readonly cors: Cors | null
  private readonly security: Security | null

  constructor(name: string, options: HeadersOptions) {
    super(name)
    const lines = headerLines(options.customRequestHeaders ?? {})
    const host = lines?.find(isHost)?.value ?? ''
    const others = lines?.filter((line) => !isHost(line)) ?? []
    const security = new Security(options)
    this.requestLines = others.length === 0 ? null : others
    this.responseLines = headerLines(options.customResponseHeaders ?? {})
    this.host = isHostPort(host) ? host : ''
    this.cors = hasCors(options) ? new Cors(options) : null
    this.security = security.isOn ? security : null
    this.hasResponse = this.responseLines !== null || this.cors !== null || security.hasLines
  }

  onRequest(exchange: Exchange): Verdict {
    if (this.cors !== null && this.cors.isPreflight(exchange)) {
      this.cors.answerPreflight(exchange)
      return ANSWERED
    }
    if (this.security !== null && !this.security.allowsHost(exchange)) {
      return refuseWith(exchange, REFUSED_HOST, 0)
    }
    if (this.requestLines !== null) {
      for (let i = 0; i < this.requestLines.length; i++) {
        applyLine(exchange.request, this.requestLines[i]!)
      }
    }
    if (this.host !== '') exchange.forwardHost = this.host
    return NEXT
  }

  override onResponse(exchange: Exchange): ResponseVerdict {
    if (this.cors !== null && this.cors.isPreflight(exchange)) return KEEP // its answer is complete
    if (this.security !== null) this.security.onResponse(exchange)
    if (this.responseLines !== null) {
      for (let i = 0; i < this.responseLines.length; i++) {
        applyLine(exchange.response, this.responseLines[i]!)
      }
    }
    if (this.cors !== null) this.cors.onResponse(exchange)
    return KEEP
  }

  explain(exchange: Exchange): string {
    if (this.cors !== null && this.cors.isPreflight(exchange)) {
      const allowed = this.cors.allowedOrigin(exchange) === null ? 'is not' : 'is'
      return `Answers the CORS preflight with 200; the origin ${allowed} allowed.`
    }
    if (this.security !== null && !this.security.allowsHost(exchange)) {
      return `Refuses host ${this.security.hostOf(exchange)}: it is not in allowedHosts.`
    }
    return this.explainLines()
  }

  // Names only: values may be secrets.
  private explainLines(): string {
    const parts: string[] = []
    if (this.host !== '') parts.push(`sends Host ${this.host} to the server`)
    if (this.requestLines !== null) {
      parts.push(`${this.requestLines.map(describeLine).join(', ')} in the request`)
    }
    if (this.responseLines !== null) {
      parts.push(`${this.responseLines.map(describeLine).join(', ')} in the response`)
    }
    if (this.security?.hasLines === true) parts.push('sets security headers in the response')
    if (this.cors !== null) parts.push('sets CORS headers in the response')
    if (parts.length === 0) return 'Lets it pass unchanged.'
    const sentence = parts.join('; ')
    return sentence[0]!.toUpperCase() + sentence.slice(1) + '.'
  }
}
