// core/middleware/http/strip-prefix.ts: takes a prefix off the path, given as text or as expression.
//
// Hot: yes. The prefix is looked for in the routing path, which is what rules match, and taken off the path
// as it is sent, escapes kept. The server learns it from X-Forwarded-Prefix. `forceSlash` is accepted and
// ignored: what is left always begins with "/".

import type { Exchange } from '../../exchange.ts'
import { rewritePath } from '../../normalise.ts'
import { compileRegex } from '../../regex.ts'
import type { SafeRegex } from '../../regex.ts'
import { REWRITE_INVALID } from '../../errors.ts'
import { NEXT, RequestMiddleware } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { type HeaderLine, headerLine } from '../header-line.ts'
import { refuseWith } from '../refuse.ts'
import { rawEndOf } from '../url.ts'

export interface StripPrefixOptions {
  readonly prefixes: readonly string[]
}

export interface StripPrefixRegexOptions {
  readonly regex: readonly string[]
}

// What the server is told of a prefix; null when that can't be sent.
const announced = (prefix: string): HeaderLine | null => headerLine('X-Forwarded-Prefix', prefix)

// Takes a prefix of the routing path off the path.
function strip(exchange: Exchange, prefix: string, line: HeaderLine | null): Verdict {
  const end = rawEndOf(exchange, prefix.length)
  if (end < 0) return NEXT // the prefix ends inside an escape, so it is not a prefix of the path
  if (line === null) return refuseWith(exchange, REWRITE_INVALID, 0)
  const rest = exchange.path.slice(end)
  const fault = rewritePath(exchange, rest.startsWith('/') ? rest : '/' + rest)
  if (fault !== 0) return refuseWith(exchange, fault, 0)
  // Added, not set: two middlewares that strip tell the server about both, in order.
  exchange.request.addLine(line)
  return NEXT
}

export class StripPrefix extends RequestMiddleware {
  readonly kind = 'stripPrefix'
  private readonly prefixes: readonly string[]
  private readonly lines: readonly (HeaderLine | null)[] // of each

  constructor(name: string, options: StripPrefixOptions) {
    super(name)
    this.prefixes = options.prefixes
    this.lines = options.prefixes.map(announced)
  }

  onRequest(exchange: Exchange): Verdict {
    const index = this.indexOf(exchange)
    return index < 0 ? NEXT : strip(exchange, this.prefixes[index]!, this.lines[index]!)
  }

  explain(exchange: Exchange): string {
    const index = this.indexOf(exchange)
    if (index >= 0) return `Takes ${this.prefixes[index]} off the path.`
    return `Leaves the path alone: it begins with none of ${this.prefixes.join(', ')}.`
  }

  private indexOf(exchange: Exchange): number {
    for (let i = 0; i < this.prefixes.length; i++)
      if (exchange.routingPath.startsWith(this.prefixes[i]!)) return i
    return -1
  }
}

export class StripPrefixRegex extends RequestMiddleware {
  readonly kind = 'stripPrefixRegex'
  private readonly expressions: readonly SafeRegex[]

  constructor(name: string, options: StripPrefixRegexOptions) {
    super(name)
    this.expressions = options.regex.map((source) => compileRegex(source.trim()))
  }

  onRequest(exchange: Exchange): Verdict {
    const prefix = this.prefixOf(exchange)
    return prefix === null ? NEXT : strip(exchange, prefix, announced(prefix))
  }

  explain(exchange: Exchange): string {
    const prefix = this.prefixOf(exchange)
    if (prefix !== null) return `Takes ${prefix} off the path.`
    return 'Leaves the path alone: no expression matches its beginning.'
  }

  // The first match of the first expression that matches something at the very beginning.
  private prefixOf(exchange: Exchange): string | null {
    for (let i = 0; i < this.expressions.length; i++) {
      const match = this.expressions[i]!.exec(exchange.routingPath)?.[0] ?? ''
      if (match !== '' && exchange.routingPath.startsWith(match)) return match
    }
    return null
  }
}
