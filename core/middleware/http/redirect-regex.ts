// core/middleware/http/redirect-regex.ts: sends the client to a URL that an expression makes of the old one.
//
// Hot: yes. The expression sees scheme://host[:port]/path?query; the scheme is that of the connection. An
// expression that does not match, or that changes nothing, lets the request pass.

import { REWRITE_INVALID } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { UrlReplacing } from '../../regex/url-replacing.ts'
import { NEXT, RequestMiddleware } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'
import { escapeUrl, requestUri } from '../url.ts'
import { answerRedirect, redirectStatus } from './redirect.ts'

export interface RedirectRegexOptions {
  readonly regex: string
  readonly replacement: string
  readonly permanent: boolean
}

export class RedirectRegex extends RequestMiddleware {
  readonly kind = 'redirectRegex'
  private readonly expression: UrlReplacing
  private readonly permanent: boolean

  constructor(name: string, options: RedirectRegexOptions) {
    super(name)
    this.expression = new UrlReplacing(options.regex, options.replacement)
    this.permanent = options.permanent
  }

  onRequest(exchange: Exchange): Verdict {
    const url = urlOf(exchange)
    if (!this.expression.test(url)) return NEXT
    const location = this.expression.replace(url)
    if (location === null) return refuseWith(exchange, REWRITE_INVALID, 0)
    if (location === url) return NEXT
    return answerRedirect(exchange, escapeUrl(location), redirectStatus(exchange, this.permanent))
  }

  explain(exchange: Exchange): string {
    const url = urlOf(exchange)
    const location = this.expression.test(url) ? this.expression.replace(url) : url
    if (location === null) return 'Refuses the request: its URL takes too much to replace.'
    if (location === url) return `Lets it pass: ${this.expression.source} changes nothing.`
    const status = redirectStatus(exchange, this.permanent)
    return `Answers ${status} and sends the client to ${escapeUrl(location)}.`
  }
}

const urlOf = (exchange: Exchange): string =>
  (exchange.secure ? 'https://' : 'http://') + exchange.authority + requestUri(exchange)
