// core/middleware/http/compress.ts: compresses responses for clients that take them compressed.
//
// Hot: yes, for routers that have it; a client that takes no coding costs a few comparisons.
//
//   onResponse: may this body be compressed at all? -> Vary -> does the client want it? -> the rewriter below
//
//   DECIDING ---- minResponseBodyBytes are here, or the server pauses ----> ENCODING
//      '--------- the body has ended before ----> PLAIN, with its length
//
// The head waits for the end of the event that brought it, so that a short body gets a Content-Length. A pause of
// the server flushes the encoder: what a server has sent, its client has.

import type { Codecs, Coding, Encoder } from '../codecs.ts'
import { INTERNAL, NONE } from '../../errors.ts'
import { BODY_CHUNKED, BODY_NONE, METHOD_HEAD, type Exchange } from '../../exchange.ts'
import { ACCEPT_ENCODING } from '../../header-ids.ts'
import type { Head } from '../../headers.ts'
import {
  type ResponseRewriter,
  addResponseRewriter,
  announceLength,
  announceRewritten,
  joined,
} from '../body.ts'
import { KEEP, NEXT, RequestMiddleware } from '../contract.ts'
import type { MiddlewareContext, ResponseVerdict, Verdict } from '../contract.ts'
import type { Counter } from '../worker.ts'
import { type Choice, chooseCoding } from './accept-encoding.ts'
import { MediaTypes } from './media-types.ts'
import {
  dropDigests,
  forbidsTransform,
  lengthOf,
  setCoding,
  varyByEncoding,
  weakenTag,
} from './coded-head.ts'

export interface CompressOptions {
  readonly encodings: readonly Coding[]
  readonly defaultEncoding: Coding | ''
  readonly minResponseBodyBytes: number // 0: the default
  readonly excludedContentTypes: readonly string[]
  readonly includedContentTypes: readonly string[]
}

const LENGTH_MIN = 1024 // below, head and CPU cost more than the bytes that are saved
const REMEMBERED_MAX = 64 // different Accept-Encoding headers, per router
const HELD_MAX = 64 * 1024 // bytes that wait with the head, once they are compressed
const nothing = new Uint8Array(0)
const asItIs: Choice = { coding: null, refusesIdentity: false }

interface Counters {
  readonly responses: Counter
  readonly before: Counter
  readonly after: Counter
}

export class Compress extends RequestMiddleware {
  readonly kind = 'compress'
  override readonly hasResponse = true
  override readonly hasFinish = true
  private readonly options: CompressOptions
  private readonly codecs: Codecs
  private readonly lengthMin: number
  private readonly types: MediaTypes
  private readonly counters: ReadonlyMap<Coding, Counters>
  private readonly shed: Counter
  private readonly inUse: Counter
  private readonly choices = new Map<string, Choice>()
  private readonly unasked: Choice // of a client without Accept-Encoding

  constructor(name: string, options: CompressOptions, context: MiddlewareContext) {
    super(name)
    this.options = options
    this.codecs = context.codecs
    this.lengthMin = options.minResponseBodyBytes > 0 ? options.minResponseBodyBytes : LENGTH_MIN
    this.types = new MediaTypes(options.includedContentTypes, options.excludedContentTypes)
    const counter = (family: string, coding: Coding): Counter =>
      context.worker.counter(`sluice_compress_${family}_total`, { coding })
    const counters = (coding: Coding): [Coding, Counters] => [
      coding,
      {
        responses: counter('responses', coding),
        before: counter('input_bytes', coding),
        after: counter('output_bytes', coding),
      },
    ]
    this.counters = new Map(options.encodings.map(counters))
    this.shed = context.worker.counter('sluice_compress_shed_total', {})
    this.inUse = context.worker.counter('sluice_compress_encoders', {})
    this.unasked = chooseCoding(null, options.encodings, options.defaultEncoding || null)
  }

  // What the client has asked for is taken now: later middlewares may ask the server for something else.
  onRequest(exchange: Exchange): Verdict {
    const choice = this.choiceOf(exchange)
    if (choice.coding === null) return NEXT
    exchange.notes ??= new Map()
    exchange.notes.set(this, choice)
    return NEXT
  }

  override onResponse(exchange: Exchange): ResponseVerdict {
    this.forget(exchange) // of a response that another one has replaced
    const { status, response } = exchange
    if (status === 304) return this.onNotModified(exchange)
    const choice = this.noted(exchange)
    const length = lengthOf(exchange)
    if (length >= 0 && length < this.lengthMin && !choice.refusesIdentity) return KEEP
    if (!mayHaveOtherCoding(exchange) || !this.types.takes(response.get('content-type')))
      return KEEP
    varyByEncoding(response)
    if (choice.coding === null) return KEEP
    if (exchange.methodId === METHOD_HEAD) this.describe(exchange, choice.coding, length)
    else if (exchange.responseKind !== BODY_NONE) this.begin(exchange, choice, length)
    return KEEP
  }

  override onFinish(exchange: Exchange): void {
    this.forget(exchange)
  }

  private forget(exchange: Exchange): void {
    const body = exchange.notes?.get(this)
    if (!(body instanceof CompressedBody)) return
    exchange.notes!.set(this, body.choice)
    body.release()
  }

  private noted(exchange: Exchange): Choice {
    return (exchange.notes?.get(this) as Choice | undefined) ?? asItIs
  }

  // It renews what the client has stored, which may be compressed: the tags have to be the same (RFC 9111, 4.3.4).
  private onNotModified(exchange: Exchange): ResponseVerdict {
    if (!exchange.response.has('etag') || this.noted(exchange).coding === null) return KEEP
    varyByEncoding(exchange.response)
    weakenTag(exchange.response)
    return KEEP
  }

  // The answer to HEAD says what GET would (RFC 9110, section 9.3.2), where that is known.
  private describe(exchange: Exchange, coding: Coding, length: number): void {
    if (length < 0) return
    setCoding(exchange.response, coding)
    exchange.responseKind = BODY_NONE
  }

  private begin(exchange: Exchange, choice: Choice, length: number): void {
    const lengthMin = length >= 0 ? 0 : choice.refusesIdentity ? 1 : this.lengthMin
    const body = new CompressedBody(this, exchange, choice, lengthMin)
    if (length >= 0 && !body.startEncoding()) return
    announceRewritten(exchange)
    addResponseRewriter(exchange, body)
    exchange.notes ??= new Map()
    exchange.notes.set(this, body)
  }

  private choiceOf(exchange: Exchange): Choice {
    const { request } = exchange
    const first = request.getId(ACCEPT_ENCODING)
    if (first === null) return this.unasked
    const known = this.choices.get(first)
    if (known !== undefined) return known
    const all = request.getAll('accept-encoding')
    const { encodings, defaultEncoding } = this.options
    const choice = chooseCoding(all.join(','), encodings, defaultEncoding || null)
    if (all.length > 1) return choice
    if (this.choices.size >= REMEMBERED_MAX) this.choices.clear()
    this.choices.set(first, choice)
    return choice
  }

  // null: there is no memory for another one; the response goes out as it is.
  encoder(coding: Coding): Encoder | null {
    const encoder = this.codecs.encoder(coding)
    if (encoder === null) {
      this.shed.add(1)
      return null
    }
    this.inUse.add(1)
    this.counters.get(coding)!.responses.add(1)
    return encoder
  }

  takeBack(encoder: Encoder, coding: Coding, before: number, after: number): void {
    encoder.release()
    this.inUse.add(-1)
    const counters = this.counters.get(coding)!
    counters.before.add(before)
    counters.after.add(after)
  }

  explain(exchange: Exchange): string {
    const { coding } = this.choiceOf(exchange)
    return coding === null
      ? 'Leaves the response as it is: the client takes none of its codings.'
      : `Compresses the response with ${coding} if its type is taken and it is not shorter than ${this.lengthMin} bytes.`
  }
}

// Whether the body, of whatever type, may be sent in another coding than it came in.
function mayHaveOtherCoding({ status, request, response }: Exchange): boolean {
  if (status < 200 || status === 204 || status === 206) return false
  if (response.has('content-encoding') || response.has('content-range')) return false
  return !forbidsTransform(response) && !forbidsTransform(request)
}

class CompressedBody implements ResponseRewriter {
  fault = NONE
  readonly keepsTrailers = true
  holdsHead = true
  readonly fieldsAreFinal: boolean
  readonly goesToFile = false
  private readonly owner: Compress
  private readonly exchange: Exchange
  readonly choice: Choice
  private readonly coding: Coding
  private readonly lengthMin: number
  private encoder: Encoder | null = null
  private decided = false
  private pending = false // the encoder has bytes that it has not given out
  private held: Uint8Array = nothing // before it is decided: the body; then: what waits for the head
  private before = 0
  private after = 0

  // lengthMin 0: the length is known, and enough.
  constructor(owner: Compress, exchange: Exchange, choice: Choice, lengthMin: number) {
    this.owner = owner
    this.exchange = exchange
    this.choice = choice
    this.coding = choice.coding!
    this.lengthMin = lengthMin
    this.fieldsAreFinal = lengthMin === 0
  }

  // False: there is no encoder.
  startEncoding(): boolean {
    this.decided = true
    this.encoder = this.owner.encoder(this.coding)
    if (this.encoder === null) return false
    setCoding(this.exchange.response, this.coding)
    return true
  }

  piece(bytes: Uint8Array, from: number, to: number): Uint8Array {
    if (!this.decided) {
      this.held = joined(this.held, Uint8Array.prototype.slice.call(bytes, from, to))
      if (this.held.length >= this.lengthMin) this.start()
      return nothing
    }
    const out = this.encoded(bytes, from, to)
    if (!this.holdsHead) return out
    this.held = joined(this.held, out)
    return this.held.length < HELD_MAX ? nothing : this.takeHeld()
  }

  flush(): Uint8Array {
    if (!this.decided) this.start()
    const out = this.takeHeld()
    if (!this.pending || this.encoder === null) return out
    this.pending = false
    return joined(out, this.counted(this.encoder.flush()))
  }

  end(trailers: Head | null): Uint8Array {
    const { holdsHead } = this
    let out = this.takeHeld()
    if (this.encoder !== null) {
      out = joined(out, this.counted(this.encoder.end()))
      if (trailers !== null) dropDigests(trailers)
    }
    this.release()
    if (!holdsHead) return out
    if (trailers === null) announceLength(this.exchange, out.length)
    else this.exchange.responseKind = BODY_CHUNKED
    return out
  }

  // However the exchange ends.
  release(): void {
    if (this.encoder === null) return
    this.owner.takeBack(this.encoder, this.coding, this.before, this.after)
    this.encoder = null
  }

  private start(): void {
    this.startEncoding()
    const { held } = this
    this.held = this.encoded(held, 0, held.length)
  }

  private takeHeld(): Uint8Array {
    const { held } = this
    this.held = nothing
    this.holdsHead = false
    return held
  }

  private encoded(bytes: Uint8Array, from: number, to: number): Uint8Array {
    if (this.encoder === null) return Uint8Array.prototype.slice.call(bytes, from, to)
    this.before += to - from
    this.pending = true
    return this.counted(this.encoder.piece(bytes, from, to))
  }

  private counted(out: Uint8Array): Uint8Array {
    if (this.encoder!.failed) this.fault = INTERNAL
    this.after += out.length
    return out
  }
}
