// core/middleware/http/errors.ts: shows the page of another service in place of responses with some statuses.
//
// Hot: onResponse is, and it is one comparison per range. The pipeline asks `replacement` only after
// REPLACE, sends a GET without body there, and never replaces a replacement.

import type { Exchange } from '../../exchange.ts'
import { legalPath } from '../../normalise-path.ts'
import { KEEP, NEXT, REPLACE, RequestMiddleware } from '../contract.ts'
import type { Replacement, ResponseVerdict, Verdict } from '../contract.ts'
import { escapeQuery, escapeUrl, requestUri } from '../url.ts'
import { schemeOf } from './redirect.ts'

export interface ErrorsOptions {
  readonly status: readonly string[] // '404', '500-599'
  readonly statusRewrites?: Readonly<Record<string, number>> | undefined // '502-504': 500
  readonly service: string
  readonly query?: string | undefined
  readonly errorRequestHeaders?: readonly string[] | null | undefined // null: all
}

interface StatusRange {
  readonly from: number
  readonly to: number
  readonly shown: number // what the client sees; 0: the status itself
}

// null for text that is no status or range, which config has refused before.
function rangeOf(text: string, shown: number): StatusRange | null {
  const match = /^([1-9][0-9]{2})(?:-([1-9][0-9]{2}))?$/.exec(text.trim())
  if (match === null) return null
  return { from: Number(match[1]), to: Number(match[2] ?? match[1]), shown }
}

function isRange(range: StatusRange | null): range is StatusRange {
  return range !== null
}

function lowerCase(names: readonly string[]): readonly string[] {
  return names.map((name) => name.toLowerCase())
}

export class Errors extends RequestMiddleware {
  readonly kind = 'errors'
  override readonly hasResponse = true
  private readonly ranges: readonly StatusRange[]
  private readonly rewrites: readonly StatusRange[] // narrowest first
  private readonly service: string
  private readonly query: string
  private readonly requestHeaders: readonly string[] | null

  constructor(name: string, options: ErrorsOptions) {
    super(name)
    const headers = options.errorRequestHeaders ?? null
    const rewrites = Object.entries(options.statusRewrites ?? {})
    this.ranges = options.status.map((text) => rangeOf(text, 0)).filter(isRange)
    this.rewrites = rewrites
      .map(([text, shown]) => rangeOf(text, shown))
      .filter(isRange)
      .sort((a, b) => a.to - a.from - (b.to - b.from))
    this.service = options.service
    this.query = options.query ?? ''
    this.requestHeaders = headers === null ? null : lowerCase(headers)
  }

  onRequest(_exchange: Exchange): Verdict {
    return NEXT
  }

  override onResponse(exchange: Exchange): ResponseVerdict {
    const { status } = exchange
    if (status < 200) return KEEP // a tunnel is open; there is nothing left to replace
    for (let i = 0; i < this.ranges.length; i++) {
      if (status >= this.ranges[i]!.from && status <= this.ranges[i]!.to) return REPLACE
    }
    return KEEP
  }

  override replacement(exchange: Exchange): Replacement {
    const target = this.targetFor(exchange)
    const mark = target.indexOf('?')
    return {
      service: this.service,
      path: legalPath(mark < 0 ? target : target.slice(0, mark)) ?? '/',
      query: mark < 0 ? '' : escapeUrl(target.slice(mark + 1)),
      status: this.shownFor(exchange.status),
      requestHeaders: this.requestHeaders,
    }
  }

  explain(_exchange: Exchange): string {
    const ranges = this.ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`))
    return `Replaces responses with status ${ranges.join(', ')} by those of ${this.service}.`
  }

  // {status} is what the client will see, {originalStatus} what the server answered, {url} the whole URL, as in Traefik.
  private targetFor(exchange: Exchange): string {
    const { authority } = exchange
    const url = escapeQuery(`${schemeOf(exchange)}://${authority}${requestUri(exchange)}`)
    const filled = this.query
      .replaceAll('{status}', String(this.shownFor(exchange.status)))
      .replaceAll('{originalStatus}', String(exchange.status))
      .replaceAll('{url}', () => url)
    return filled.startsWith('/') ? filled : '/' + filled
  }

  private shownFor(status: number): number {
    for (const { from, to, shown } of this.rewrites)
      if (status >= from && status <= to) return shown
    return status
  }
}
