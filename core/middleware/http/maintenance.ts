// core/middleware/http/maintenance.ts: a page that says so in place of a service that is being worked on. Ours; Traefik has none.
//
// Hot: no. Everybody gets the page but those in allowedRange, who try what was repaired.

import { AddressSet } from '../../address.ts'
import { MAINTENANCE } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { ANSWERED, NEXT, RequestMiddleware } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { SourceAddress } from '../source-address.ts'
import type { IpStrategyOptions } from '../source-address.ts'

export interface MaintenanceOptions {
  readonly message: string
  readonly retryAfter: number // milliseconds; 0: the header is left out
  readonly allowedRange: readonly string[]
  readonly ipStrategy: IpStrategyOptions | null
}

export class Maintenance extends RequestMiddleware {
  readonly kind = 'maintenance'
  private readonly options: MaintenanceOptions
  private readonly allowed: AddressSet
  private readonly source: SourceAddress
  private readonly html: string
  private readonly json: string

  constructor(name: string, options: MaintenanceOptions) {
    super(name)
    this.options = options
    this.allowed = new AddressSet(options.allowedRange)
    this.source = new SourceAddress(options.ipStrategy)
    const text = asciiHtml(options.message)
    this.html = `<!doctype html><meta charset="utf-8"><title>503</title><h1>${text}</h1>\n`
    this.json = asciiJson(options.message)
  }

  onRequest(exchange: Exchange): Verdict {
    if (this.isAllowed(exchange)) return NEXT
    const isJson = wantsJson(exchange.request.get('accept') ?? '')
    // RFC 9457 for programs.
    const type = isJson ? 'application/problem+json' : 'text/html; charset=utf-8'
    exchange.answer(503, MAINTENANCE, isJson ? this.json : this.html, type)
    exchange.response.add('Cache-Control', 'no-store')
    const seconds = Math.ceil(this.options.retryAfter / 1000)
    if (seconds > 0) exchange.response.add('Retry-After', String(seconds))
    return ANSWERED
  }

  private isAllowed(exchange: Exchange): boolean {
    return this.options.allowedRange.length > 0 && this.allowed.contains(this.source.of(exchange))
  }

  explain(exchange: Exchange): string {
    const address = this.source.of(exchange)
    return this.isAllowed(exchange)
      ? `Lets ${address} pass: it is in allowedRange.`
      : 'Answers 503: the service is under maintenance.'
  }
}

// Programs say so; a browser names text/html first, and curl anything.
function wantsJson(accept: string): boolean {
  const json = accept.search(/\bapplication\/(?:[\w.-]+\+)?json\b/i)
  const html = accept.search(/\btext\/html\b/i)
  return json >= 0 && (html < 0 || json < html)
}

// An answer is one byte per character: what is not ASCII is written as references, or escapes.
function asciiHtml(text: string): string {
  return [...text]
    .map((c) => (/[ -~]/.test(c) && !/[<>&"]/.test(c) ? c : `&#${c.codePointAt(0)};`))
    .join('')
}

function asciiJson(detail: string): string {
  const text = JSON.stringify({ type: 'about:blank', title: 'Maintenance', status: 503, detail })
  return text.replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
