// core/middleware/http/maintenance.ts: a page that says so in place of a service that is being worked on. Ours; Traefik has none.
//
// Hot: no. Everybody gets the page but those in allowedRange, who try what was repaired.

import { AddressSet } from '../../address.ts'
import { MAINTENANCE } from '../../errors.ts'
import type { Exchange } from '../../exchange.ts'
import { FORM_HTML, FORM_TEXT, formWantedBy, typeOfForm } from '../answer-form.ts'
import { ANSWERED, NEXT, RequestMiddleware } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { asciiHtml, asciiJson } from '../refusal-pages.ts'
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
    const detail = options.message
    this.json = asciiJson({ type: 'about:blank', title: 'Maintenance', status: 503, detail })
  }

  onRequest(exchange: Exchange): Verdict {
    if (this.isAllowed(exchange)) return NEXT
    const wanted = formWantedBy(exchange.request)
    const form = wanted === FORM_TEXT ? FORM_HTML : wanted // the page is for whoever does not ask for JSON
    exchange.answer(503, MAINTENANCE, form === FORM_HTML ? this.html : this.json, typeOfForm[form])
    exchange.response.add('Vary', 'Accept')
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
