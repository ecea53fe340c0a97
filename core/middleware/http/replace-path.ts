// core/middleware/http/replace-path.ts: another path in place of the one that came, fixed or by expression.
//
// Hot: yes. The query stays. The server learns the path as it was from X-Replaced-Path; a line of that name
// from the client is removed, because the server would take it for ours.

import type { Exchange } from '../../exchange.ts'
import { rewritePath } from '../../normalise.ts'
import { compileRegex } from '../../regex.ts'
import type { SafeRegex } from '../../regex.ts'
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
  private readonly expression: SafeRegex
  private readonly template: string // '' switches the middleware off, as in Traefik

  constructor(name: string, options: ReplacePathRegexOptions) {
    super(name)
    this.expression = compileRegex(options.regex.trim())
    this.template = options.replacement.trim()
  }

  onRequest(exchange: Exchange): Verdict {
    if (!this.applies(exchange)) return NEXT
    return replaceBy(exchange, this.rewritten(exchange))
  }

  explain(exchange: Exchange): string {
    if (!this.applies(exchange)) {
      return `Leaves the path alone: ${this.expression.source} does not match it.`
    }
    return `Replaces the path by ${this.rewritten(exchange)}.`
  }

  private applies(exchange: Exchange): boolean {
    return this.template !== '' && this.expression.test(exchange.path)
  }

  private rewritten(exchange: Exchange): string {
    return this.expression.replace(exchange.path, this.template)
  }
}
