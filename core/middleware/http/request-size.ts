// core/middleware/http/request-size.ts: refuses requests with a longer body than the route takes. Ours; Traefik has only buffering,
// which keeps the body.
//
// Hot: yes. A declared length is looked at before anything is sent; a body without one is counted as it passes, and its
// server never sees it end.

import { BODY_TOO_LARGE, NONE } from '../../errors.ts'
import { BODY_CHUNKED, BODY_LENGTH, type Exchange } from '../../exchange.ts'
import { type BodyRewriter, addRequestRewriter } from '../body.ts'
import { NEXT, RequestMiddleware } from '../contract.ts'
import type { Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'

export interface RequestSizeOptions {
  readonly maxBytes: number
}

export class RequestSize extends RequestMiddleware {
  readonly kind = 'requestSize'
  private readonly maxBytes: number

  constructor(name: string, { maxBytes }: RequestSizeOptions) {
    super(name)
    this.maxBytes = maxBytes
  }

  onRequest(exchange: Exchange): Verdict {
    const { bodyKind, bodyLength, keeper } = exchange
    if (bodyKind === BODY_LENGTH && bodyLength > this.maxBytes) return this.refuse(exchange)
    if (bodyKind !== BODY_CHUNKED) return NEXT
    // Somebody has it already, or nobody counts it yet.
    if (keeper !== null && keeper.complete && keeper.bytes > this.maxBytes)
      return this.refuse(exchange)
    addRequestRewriter(exchange, new CountedBody(this.maxBytes))
    return NEXT
  }

  private refuse(exchange: Exchange): Verdict {
    return refuseWith(exchange, BODY_TOO_LARGE, 0)
  }

  explain({ bodyKind, bodyLength }: Exchange): string {
    const isLonger = bodyKind === BODY_LENGTH && bodyLength > this.maxBytes
    if (isLonger)
      return `Refuses a body of ${bodyLength} bytes: at most ${this.maxBytes} are taken.`
    return `Takes bodies of at most ${this.maxBytes} bytes.`
  }
}

// Passes on what it counts: what an earlier middleware has made of the body, where one changes it.
class CountedBody implements BodyRewriter {
  fault = NONE
  readonly keepsTrailers = true
  private readonly maxBytes: number
  private seen = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  piece(bytes: Uint8Array, from: number, to: number): Uint8Array {
    this.seen += to - from
    // Fresh, as is promised; slice() of a Buffer is a view.
    if (this.seen <= this.maxBytes) return Uint8Array.prototype.slice.call(bytes, from, to)
    this.fault = BODY_TOO_LARGE
    return nothing
  }

  end(): Uint8Array {
    return nothing
  }
}

const nothing = new Uint8Array(0)
