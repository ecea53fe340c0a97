// core/middleware/http/redirect-regex.ts: sends the client to a URL that an expression makes of the old one.
//
// Hot: yes. The expression sees scheme://host[:port]/path?query; the scheme is that of the connection. An
// expression that does not match, or that changes nothing, lets the request pass.

import type { Exchange } from '../../exchange.ts'
import { compileRegex } from '../../regex.ts'
import type { SafeRegex } from '../../regex.ts'
import { NEXT, RequestMiddleware } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { escapeUrl, requestUri } from '../url.ts'
import { answerRedirect, redirectStatus } from './redirect.ts'

export interface RedirectRegexOptions {
  readonly regex: string
  readonly replacement: string
  readonly permanent: boolean
}

export class RedirectRegex extends RequestMiddleware {
  readonly kind = 'redirectRegex'
  private readonly expression: SafeRegex
  private readonly template: string
  private readonly permanent: boolean

  constructor(name: string, options: RedirectRegexOptions) {
    super(name)
    this.expression = compileRegex(options.regex)
    this.template = options.replacement
    this.permanent = options.permanent
  }

  onRequest(exchange: Exchange): Verdict {
    const location = this.locationFor(exchange)
    if (location === null) return NEXT
    return answerRedirect(exchange, location, redirectStatus(exchange, this.permanent))
  }

  explain(exchange: Exchange): string {
    const location = this.locationFor(exchange)
    if (location === null) return `Lets it pass: ${this.expression.source} changes nothing.`
    const status = redirectStatus(exchange, this.permanent)
    return `Answers ${status} and sends the client to ${location}.`
  }

  private locationFor(exchange: Exchange): string | null {
    const url =
      (exchange.secure ? 'https://' : 'http://') + exchange.authority + requestUri(exchange)
    if (!this.expression.test(url)) return null
    const location = this.expression.replace(url, this.template)
    return location === url ? null : escapeUrl(location)
  }
}
