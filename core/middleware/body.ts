// core/middleware/body.ts: what a middleware gives the pipeline that wants a body changed as it passes.
//
// A middleware gives one to addRequestRewriter (in onRequest) or to addResponseRewriter (in onResponse), and sees to the
// head: what a rewritten body's length is, nobody knows before its end (announceRewritten).
// Hot: yes, per piece of such bodies.

import type { BodyRecorder } from '../cache/recorder.ts'
import { NONE } from '../errors.ts'
import { BODY_CHUNKED, BODY_LENGTH, BODY_NONE, METHOD_HEAD, type Exchange } from '../exchange.ts'
import { CONTENT_LENGTH } from '../header-ids.ts'
import type { Head } from '../headers.ts'

export interface BodyRewriter {
  // A code of core/errors.ts once the body turned out to be none of its kind. It goes no further then.
  readonly fault: number
  // Whether trailers still follow the rewritten body.
  readonly keepsTrailers: boolean
  // What goes on in place of bytes[from..to), maybe nothing yet. The result is fresh: nobody writes to it again.
  piece(bytes: Uint8Array, from: number, to: number): Uint8Array
  // What comes behind the last piece; `trailers` came with it, null when there were none.
  end(trailers: Head | null): Uint8Array
}

export interface ResponseRewriter extends BodyRewriter {
  // While it is true the head of the response waits, because it depends on what the body is: piece() gives
  // nothing then. It is false after end().
  readonly holdsHead: boolean
  // Whether the fields of the head, apart from its framing, are what they will be. A cache stores no others.
  readonly fieldsAreFinal: boolean
  // Whether the client gets nothing before all of it is here, though it is too long for memory: what is given goes to a
  // file. It may become true with holdsHead false, never after a byte went on.
  readonly goesToFile: boolean
  // The server has sent all that it has for now: what need not be held back goes on.
  flush(): Uint8Array
}

const nothing = new Uint8Array(0)

// False: the response has no body that could be rewritten. (An answer of ours to HEAD has its length, but no body.)
export function announceRewritten(exchange: Exchange): boolean {
  if (exchange.responseKind === BODY_NONE || exchange.methodId === METHOD_HEAD) return false
  exchange.response.removeId(CONTENT_LENGTH)
  exchange.responseKind = BODY_CHUNKED
  exchange.responseLength = 0
  return true
}

// The body turned out to have this length, and its head still waits.
export function announceLength(exchange: Exchange, length: number): void {
  exchange.responseKind = BODY_LENGTH
  exchange.responseLength = length
}

// Several middlewares may change one body: the later one gets what the earlier one has made.
export function addRequestRewriter(exchange: Exchange, rewriter: BodyRewriter): void {
  const { requestRewriter: inner } = exchange
  exchange.requestRewriter = inner === null ? rewriter : new Pair(inner, rewriter)
}

// What both bodies have in common, which is all that a request's has.
class Pair<Rewriter extends BodyRewriter> implements BodyRewriter {
  protected readonly inner: Rewriter
  protected readonly outer: Rewriter

  constructor(inner: Rewriter, outer: Rewriter) {
    this.inner = inner
    this.outer = outer
  }

  get fault(): number {
    return this.inner.fault !== NONE ? this.inner.fault : this.outer.fault
  }

  get keepsTrailers(): boolean {
    return this.inner.keepsTrailers && this.outer.keepsTrailers
  }

  piece(bytes: Uint8Array, from: number, to: number): Uint8Array {
    return this.passOn(this.inner.piece(bytes, from, to))
  }

  end(trailers: Head | null): Uint8Array {
    const before = this.passOn(this.inner.end(trailers))
    return joined(before, this.outer.end(this.inner.keepsTrailers ? trailers : null))
  }

  protected passOn(bytes: Uint8Array): Uint8Array {
    return bytes.length === 0 ? nothing : this.outer.piece(bytes, 0, bytes.length)
  }
}

// The same, where later is nearer to the client. A cache between the two records what passes there.
export function addResponseRewriter(exchange: Exchange, rewriter: ResponseRewriter): void {
  const { responseRewriter: inner, recorder } = exchange
  if (inner === null) {
    exchange.responseRewriter = rewriter
    return
  }
  const between = recorder !== null && recorder.afterRewriter ? recorder : null
  if (between !== null) exchange.recorder = null
  exchange.responseRewriter = new ResponsePair(inner, rewriter, between)
}

class ResponsePair extends Pair<ResponseRewriter> implements ResponseRewriter {
  private readonly between: BodyRecorder | null

  constructor(inner: ResponseRewriter, outer: ResponseRewriter, between: BodyRecorder | null) {
    super(inner, outer)
    this.between = between
  }

  get holdsHead(): boolean {
    return this.inner.holdsHead || this.outer.holdsHead
  }

  get fieldsAreFinal(): boolean {
    return this.inner.fieldsAreFinal && this.outer.fieldsAreFinal
  }

  get goesToFile(): boolean {
    return this.inner.goesToFile || this.outer.goesToFile
  }

  flush(): Uint8Array {
    const before = this.passOn(this.inner.flush())
    return this.inner.holdsHead ? before : joined(before, this.outer.flush())
  }

  override end(trailers: Head | null): Uint8Array {
    const before = this.passOn(this.inner.end(trailers))
    if (this.inner.fault === NONE) this.between?.end()
    return joined(before, this.outer.end(this.inner.keepsTrailers ? trailers : null))
  }

  protected override passOn(bytes: Uint8Array): Uint8Array {
    if (bytes.length > 0) this.between?.piece(bytes, 0, bytes.length)
    return super.passOn(bytes)
  }
}

export function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second
  if (second.length === 0) return first
  const both = new Uint8Array(first.length + second.length)
  both.set(first, 0)
  both.set(second, first.length)
  return both
}
