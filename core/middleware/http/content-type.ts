// core/middleware/http/content-type.ts: gives responses a Content-Type whose server has sent none, by how the body begins.
//
// Hot: yes, for routers that have it: one look-up per response; only those without a type are copied. Their head waits
// for the first piece of the body, which alone is looked at. Off (autoDetect: false) it does nothing: without this
// middleware nobody guesses here anyway.

import { NONE } from '../../errors.ts'
import { BODY_LENGTH, BODY_NONE, METHOD_HEAD } from '../../exchange.ts'
import type { Exchange } from '../../exchange.ts'
import { addResponseRewriter } from '../body.ts'
import type { ResponseRewriter } from '../body.ts'
import { KEEP, NEXT, RequestMiddleware } from '../contract.ts'
import type { MiddlewareContext, ResponseVerdict, Verdict } from '../contract.ts'
import type { Counter } from '../worker.ts'
import { typeOf } from './sniff.ts'

export interface ContentTypeOptions {
  readonly autoDetect: boolean | null // Traefik v3: null is true
}

const nothing = new Uint8Array(0)

export class ContentType extends RequestMiddleware {
  readonly kind = 'contentType'
  override readonly hasResponse: boolean
  private readonly detected: Counter

  constructor(name: string, options: ContentTypeOptions, context: MiddlewareContext) {
    super(name)
    this.hasResponse = options.autoDetect ?? true
    const family = 'sluice_content_types_detected_total'
    this.detected = context.worker.counter(family, { middleware: name })
  }

  onRequest(_exchange: Exchange): Verdict {
    return NEXT
  }

  override onResponse(exchange: Exchange): ResponseVerdict {
    if (this.hasResponse && mayHaveType(exchange))
      addResponseRewriter(exchange, new TypedBody(exchange, this.detected))
    return KEEP
  }

  explain(_exchange: Exchange): string {
    return this.hasResponse
      ? 'Gives the response a Content-Type by its first bytes if the server sends none.'
      : 'Leaves the response alone: autoDetect is false.'
  }
}

// A coded body shows its coding, not its type; a part of one begins anywhere; and a server that says nosniff has asked
// that nobody guesses.
function mayHaveType(exchange: Exchange): boolean {
  const { status, response, responseKind } = exchange
  if (response.has('content-type') || response.has('content-encoding')) return false
  if (status < 200 || status === 204 || status === 206 || status === 304) return false
  if (exchange.methodId === METHOD_HEAD || responseKind === BODY_NONE) return false
  if (responseKind === BODY_LENGTH && exchange.responseLength === 0) return false
  return response.get('x-content-type-options')?.trim().toLowerCase() !== 'nosniff'
}

// Passes the body as it is, with the framing that it has.
class TypedBody implements ResponseRewriter {
  readonly fault = NONE
  readonly keepsTrailers = true
  readonly fieldsAreFinal = false
  readonly goesToFile = false
  holdsHead = true
  private readonly exchange: Exchange
  private readonly detected: Counter
  private readonly mayBeCoded: boolean // by a middleware behind this one, which decides when the body comes

  constructor(exchange: Exchange, detected: Counter) {
    this.exchange = exchange
    this.detected = detected
    this.mayBeCoded = exchange.responseRewriter !== null
  }

  piece(bytes: Uint8Array, from: number, to: number): Uint8Array {
    if (to === from) return nothing
    if (this.holdsHead) this.decide(bytes, from, to)
    return Uint8Array.prototype.slice.call(bytes, from, to)
  }

  // A head that came alone goes on waiting: else chance would decide, by where the server's packets end.
  flush(): Uint8Array {
    return nothing
  }

  end(): Uint8Array {
    this.holdsHead = false
    return nothing
  }

  private decide(bytes: Uint8Array, from: number, to: number): void {
    this.holdsHead = false
    const { response } = this.exchange
    if (response.has('content-type')) return // of a middleware in front, meanwhile
    if (this.mayBeCoded && response.has('content-encoding')) return
    response.add('Content-Type', typeOf(bytes, from, to))
    this.detected.add(1)
  }
}
