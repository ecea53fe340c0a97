// core/middleware/http/url-rewrite.ts: another host or path towards the server, as the filter URLRewrite of the Gateway
// API has it.
//
// Hot: yes. The query stays. Rules of child routers and middlewares behind it see the new path; the server is told
// nothing of the old one, because the filter has no header for that.

import type { Exchange } from '../../exchange.ts'
import { isHostPort } from '../../h1/host.ts'
import { rewritePath } from '../../normalise.ts'
import { NEXT, RequestMiddleware } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'
import { PathChange } from './path-change.ts'
import type { PathChangeOptions } from './path-change.ts'

export interface UrlRewriteOptions extends PathChangeOptions {
  readonly hostname: string // sent in place of Host; '' leaves it
}

export class UrlRewrite extends RequestMiddleware {
  readonly kind = 'URLRewrite'
  private readonly host: string
  private readonly change: PathChange

  constructor(name: string, options: UrlRewriteOptions) {
    super(name)
    this.host = isHostPort(options.hostname) ? options.hostname : '' // config has refused others
    this.change = new PathChange(options)
  }

  onRequest(exchange: Exchange): Verdict {
    const path = this.change.of(exchange)
    const fault = path === null ? 0 : rewritePath(exchange, path)
    if (fault !== 0) return refuseWith(exchange, fault, 0)
    if (this.host !== '') exchange.forwardHost = this.host
    return NEXT
  }

  explain(exchange: Exchange): string {
    const path = this.change.of(exchange)
    const parts: string[] = []
    if (this.host !== '') parts.push(`the host by ${this.host}`)
    if (path !== null) parts.push(`the path by ${path}`)
    return parts.length === 0 ? 'Changes nothing.' : `Replaces ${parts.join(' and ')}.`
  }
}
