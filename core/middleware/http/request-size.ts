// core/middleware/http/request-size.ts: refuses requests with a longer body than the route takes. Ours; Traefik has only buffering,
// which keeps the body.
//
// Hot: yes. A declared length is looked at before anything is sent; a body without one is counted as it passes, and its
// server never sees it end.

import { BODY_TOO_LARGE, NONE } from '../../errors.ts'
import { BODY_CHUNKED, BODY_LENGTH, type Exchange } from '../../exchange.ts'
import type { Head } from '../../headers.ts'
import type { BodyRewriter } from '../body.ts'
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
    exchange.requestRewriter = new CountedBody(this.maxBytes, exchange.requestRewriter)
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

// Passes on what it counts, by way of the rewriter of an earlier middleware where there is one.
class CountedBody implements BodyRewriter {
  private readonly maxBytes: number
  private readonly inner: BodyRewriter | null
  private seen = 0
  private isTooLong = false

  constructor(maxBytes: number, inner: BodyRewriter | null) {
    this.maxBytes = maxBytes
    this.inner = inner
  }

  get fault(): number {
    return this.isTooLong ? BODY_TOO_LARGE : (this.inner?.fault ?? NONE)
  }

  get keepsTrailers(): boolean {
    return this.inner?.keepsTrailers ?? true
  }

  piece(bytes: Uint8Array, from: number, to: number): Uint8Array {
    this.seen += to - from
    this.isTooLong = this.seen > this.maxBytes
    if (this.isTooLong) return nothing
    if (this.inner !== null) return this.inner.piece(bytes, from, to)
    return Uint8Array.prototype.slice.call(bytes, from, to) // fresh, as is promised; slice() of a Buffer is a view
  }

  end(trailers: Head | null): Uint8Array {
    return this.inner === null ? nothing : this.inner.end(trailers)
  }
}

const nothing = new Uint8Array(0)
