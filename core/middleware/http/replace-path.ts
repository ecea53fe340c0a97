// core/middleware/http/replace-path.ts: another path in place of the one that came, fixed or by expression.
//
// Hot: yes. The query stays. The server learns the path as it was from X-Replaced-Path; a line of that name
// from the client is removed, because the server would take it for ours.

import { REWRITE_INVALID } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { rewritePath } from '../../normalise.ts'
import { UrlReplacing } from '../../regex/url-replacing.ts'
import { NEXT, RequestMiddleware } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'

export interface ReplacePathOptions {
  readonly path: string
}

export interface ReplacePathRegexOptions {
  readonly regex: string
  readonly replacement: string // $1, ${1} and ${name} as in Go
}

const TOO_MUCH = 'Refuses the request: its path takes too much to replace.'

function replaceBy(exchange: Exchange, path: string): Verdict {
  const before = exchange.path
  const fault = rewritePath(exchange, path)
  if (fault !== 0) return refuseWith(exchange, fault, 0)
  exchange.request.set('X-Replaced-Path', before)
  return NEXT
}

export class ReplacePath extends RequestMiddleware {
  readonly kind = 'replacePath'
  private readonly path: string

  constructor(name: string, options: ReplacePathOptions) {
    super(name)
    this.path = options.path === '' ? '/' : options.path
  }

  onRequest(exchange: Exchange): Verdict {
    return replaceBy(exchange, this.path)
  }

  explain(_exchange: Exchange): string {
    return `Replaces the path by ${this.path}.`
  }
}

export class ReplacePathRegex extends RequestMiddleware {
  readonly kind = 'replacePathRegex'
  private readonly expression: UrlReplacing
  private readonly isOff: boolean // nothing is to replace the path, as in Traefik

  constructor(name: string, options: ReplacePathRegexOptions) {
    super(name)
    const replacement = options.replacement.trim()
    this.expression = new UrlReplacing(options.regex.trim(), replacement)
    this.isOff = replacement === ''
  }

  onRequest(exchange: Exchange): Verdict {
    if (!this.applies(exchange)) return NEXT
    const path = this.expression.replace(exchange.path)
    return path === null ? refuseWith(exchange, REWRITE_INVALID, 0) : replaceBy(exchange, path)
  }

  explain(exchange: Exchange): string {
    if (!this.applies(exchange)) {
      return `Leaves the path alone: ${this.expression.source} does not match it.`
    }
    const path = this.expression.replace(exchange.path)
    return path === null ? TOO_MUCH : `Replaces the path by ${path}.`
  }

  private applies(exchange: Exchange): boolean {
    return !this.isOff && this.expression.test(exchange.path)
  }
}
