// core/middleware/http/buffering.ts: takes whole bodies into memory before they go on, limits them, and repeats requests.
//
// Hot: yes, for routers that have it.
//
//   request    collected, so that a slow client holds no server: up to memRequestBodyBytes in memory, what is longer in a
//              file; where the worker has no files it streams from there on. More than maxRequestBodyBytes: 413
//   response   the same with memResponseBodyBytes, so that a slow client holds no server. More than
//              maxResponseBodyBytes: 500, or a connection that is cut where the head is out because it streams
//   retry      while retryExpression is true of what came back
//
// Streams without an end, gRPC and event streams, pass as they come.

import {
  type Expression,
  type FunctionTable,
  compileExpression,
} from '../../expression/expression.ts'
import { BODY_TOO_LARGE, NONE, RESPONSE_BODY_TOO_LARGE, errorTable } from '../../errors.ts'
import {
  BODY_CHUNKED,
  BODY_LENGTH,
  BODY_NONE,
  type Exchange,
  METHOD_HEAD,
  hasRequestBody,
} from '../../exchange.ts'
import type { Head } from '../../headers.ts'
import { isIdempotent, isRepeatable } from '../../idempotency.ts'
import {
  type ResponseRewriter,
  addResponseRewriter,
  announceLength,
  announceRewritten,
} from '../body.ts'
import { BodyKeeper, COLLECT } from '../body-keeper.ts'
import { AGAIN, KEEP, NEXT, RETRY, RequestMiddleware } from '../contract.ts'
import type { MiddlewareContext, ResponseVerdict, Verdict } from '../contract.ts'
import { refuseWith } from '../refuse.ts'
import type { RetryPolicy } from '../retry-policy.ts'
import type { Counter } from '../worker.ts'
import { bareType } from './media-types.ts'

export interface BufferingOptions {
  readonly maxRequestBodyBytes: number // 0: no limit
  readonly memRequestBodyBytes: number
  readonly maxResponseBodyBytes: number // 0: no limit
  readonly memResponseBodyBytes: number
  readonly retryExpression: string
  readonly disableRequestBuffer: boolean
  readonly disableResponseBuffer: boolean
}

const TRIES_MAX = 10 // whatever the expression says, as in Traefik

// What a retryExpression looks at.
interface Outcome {
  readonly attempts: number
  readonly status: number
}

const functions: FunctionTable<Outcome> = {
  Attempts: { type: 'number', parameters: [], read: ({ attempts }) => attempts },
  ResponseCode: { type: 'number', parameters: [], read: ({ status }) => status },
  IsNetworkError: {
    type: 'condition',
    parameters: [],
    read: ({ status }) => status === 502 || status === 504,
  },
}

export function compileRetryExpression(source: string): Expression<Outcome> {
  return compileExpression(source, functions)
}

// What came in chunks and is here whole has a length, which some servers ask for; trailers need the chunks.
function withLength(exchange: Exchange, keeper: BodyKeeper): Verdict {
  const { bytes, overflowed, trailers } = keeper
  if (exchange.bodyKind === BODY_CHUNKED && trailers === null && bytes > 0 && !overflowed) {
    exchange.bodyKind = BODY_LENGTH
    exchange.bodyLength = bytes
  }
  return NEXT
}

export class Buffering extends RequestMiddleware implements RetryPolicy {
  readonly kind = 'buffering'
  override readonly hasResponse = true
  private readonly options: BufferingOptions
  private readonly expression: Expression<Outcome> | null
  private readonly retries: Counter | null
  private readonly files: boolean // what is longer than memory goes there
  private readonly responseFiles: boolean

  constructor(name: string, options: BufferingOptions, context: MiddlewareContext) {
    super(name)
    this.options = options
    const { retryExpression } = options
    const { hasFiles } = context.worker
    this.files = hasFiles && !options.disableRequestBuffer
    this.responseFiles = hasFiles && !options.disableResponseBuffer
    this.expression = retryExpression === '' ? null : compileRetryExpression(retryExpression)
    const labels = { middleware: name, router: context.router, reason: 'expression' }
    this.retries =
      this.expression === null ? null : context.worker.counter('sluice_retries_total', labels)
  }

  // ---- the request

  onRequest(exchange: Exchange): Verdict {
    if (this.expression !== null) exchange.retry = this
    const { keeper } = exchange
    if (!hasRequestBody(exchange)) return NEXT
    if (this.isTooLong(exchange)) return refuseWith(exchange, BODY_TOO_LARGE, 0)
    if (keeper?.complete === true) return withLength(exchange, keeper)
    if (isStream(exchange.request)) return NEXT
    return keeper === null ? this.collect(exchange) : this.limit(keeper)
  }

  private isTooLong({ bodyKind, bodyLength, keeper }: Exchange): boolean {
    const { maxRequestBodyBytes: max } = this.options
    const known = bodyKind === BODY_LENGTH ? bodyLength : 0
    return max > 0 && Math.max(known, keeper === null ? 0 : keeper.bytes) > max
  }

  // Somebody keeps it already, or this middleware did and it was too long for memory: what is still to come counts.
  private limit(keeper: BodyKeeper): Verdict {
    const { maxRequestBodyBytes: max } = this.options
    if (max > 0) keeper.bodyMax = keeper.bodyMax > 0 ? Math.min(keeper.bodyMax, max) : max
    return NEXT
  }

  private collect(exchange: Exchange): Verdict {
    const { maxRequestBodyBytes: max, memRequestBodyBytes, disableRequestBuffer } = this.options
    const memory = disableRequestBuffer ? 0 : memRequestBodyBytes
    const isLong = exchange.bodyKind === BODY_LENGTH && exchange.bodyLength > memory
    if (isLong && !this.files) return NEXT
    if (memory === 0 && max === 0 && !this.files) return NEXT
    const keeper = new BodyKeeper(max > 0 ? Math.min(max, memory) : memory, COLLECT)
    keeper.spills = max === 0 || max > memory
    keeper.files = keeper.spills && this.files
    keeper.bodyMax = max
    exchange.keeper = keeper
    return AGAIN
  }

  // ---- the response

  override onResponse(exchange: Exchange): ResponseVerdict {
    if (
      exchange.retry === this &&
      exchange.error === NONE &&
      this.repeats(exchange, exchange.status)
    )
      return RETRY
    const { responseKind, responseLength, response } = exchange
    if (responseKind === BODY_NONE || exchange.methodId === METHOD_HEAD || isStream(response))
      return KEEP
    if (exchange.error === NONE)
      this.collectResponse(exchange, responseKind === BODY_LENGTH ? responseLength : -1)
    return KEEP
  }

  // `length` is -1 where nobody knows it. What is in memory already (of a cache, say) holds no server: no file is made.
  private collectResponse(exchange: Exchange, length: number): void {
    const { maxResponseBodyBytes: max, memResponseBodyBytes, disableResponseBuffer } = this.options
    const memory = disableResponseBuffer ? 0 : memResponseBodyBytes
    const files = this.responseFiles && exchange.answerBody.length === 0
    if (memory === 0 && max === 0 && !files) return
    const isTooLong = max > 0 && length > max
    const isLong = length > memory
    if (isLong && !isTooLong && !files) return // it would stream at once
    const body = new BufferedBody(exchange, isTooLong || isLong ? 0 : memory, max, length, files)
    if (length < 0) announceRewritten(exchange)
    addResponseRewriter(exchange, body)
  }

  // ---- retries

  allows(exchange: Exchange, code: number, mayHaveRun: boolean): boolean {
    if (mayHaveRun && !isIdempotent(exchange.methodId)) return false
    return this.repeats(exchange, errorTable[code]!.status)
  }

  delayMs(_exchange: Exchange): number {
    return 0
  }

  // A server that has answered has acted on the request.
  private repeats(exchange: Exchange, status: number): boolean {
    const attempts = exchange.retries + 1
    if (attempts >= TRIES_MAX || !isRepeatable(exchange)) return false
    if (exchange.status >= 200 && !isIdempotent(exchange.methodId)) return false
    if (!this.expression!.test({ attempts, status })) return false
    this.retries!.add(1)
    return true
  }

  explain(exchange: Exchange): string {
    const { maxRequestBodyBytes: max, retryExpression } = this.options
    if (max > 0 && exchange.bodyLength > max)
      return `Refuses the request: its body is longer than ${max} bytes.`
    const again = retryExpression === '' ? '' : ` Asks again while ${retryExpression}.`
    return `${this.explainRequest()} ${this.explainResponse()}${again}`
  }

  private explainRequest(): string {
    const { disableRequestBuffer, memRequestBodyBytes } = this.options
    if (disableRequestBuffer) return 'Takes no request body before the server is asked.'
    const rest = this.files ? 'a longer one goes to a file first' : 'a longer one streams'
    return `Takes up to ${memRequestBodyBytes} bytes of the body into memory before the server is asked, ${rest}.`
  }

  private explainResponse(): string {
    const { disableResponseBuffer, memResponseBodyBytes, maxResponseBodyBytes } = this.options
    const most =
      maxResponseBodyBytes > 0 ? ` One above ${maxResponseBodyBytes} bytes becomes 500.` : ''
    if (disableResponseBuffer) return `The response streams.${most}`
    const rest = this.responseFiles ? 'a longer one goes to a file first' : 'a longer one streams'
    return `Of the response up to ${memResponseBodyBytes} bytes are in memory before the client gets any, ${rest}.${most}`
  }
}

// They have no end to wait for.
function isStream(head: Head): boolean {
  const type = head.get('content-type')
  if (type === null) return false
  const bare = bareType(type)
  return bare === 'text/event-stream' || bare.startsWith('application/grpc')
}

const nothing = new Uint8Array(0)

class BufferedBody implements ResponseRewriter {
  fault = NONE
  readonly keepsTrailers = true
  readonly fieldsAreFinal = true
  holdsHead = true
  goesToFile = false
  private readonly exchange: Exchange
  private readonly memory: number
  private readonly bytesMax: number // 0: no limit
  private readonly length: number // -1: unknown
  private readonly files: boolean
  private bytes = 0
  private held: Uint8Array[] = []

  constructor(
    exchange: Exchange,
    memory: number,
    bytesMax: number,
    length: number,
    files: boolean,
  ) {
    this.exchange = exchange
    this.memory = memory
    this.bytesMax = bytesMax
    this.length = length
    this.files = files
  }

  piece(bytes: Uint8Array, from: number, to: number): Uint8Array {
    this.bytes += to - from
    if (this.bytesMax > 0 && Math.max(this.bytes, this.length) > this.bytesMax) {
      this.fault = RESPONSE_BODY_TOO_LARGE
      this.held = []
      return nothing
    }
    const copy = Uint8Array.prototype.slice.call(bytes, from, to)
    if (!this.holdsHead) return copy
    this.held.push(copy)
    if (this.bytes <= this.memory) return nothing
    this.goesToFile = this.files
    return this.takeHeld()
  }

  flush(): Uint8Array {
    return nothing
  }

  end(trailers: Head | null): Uint8Array {
    if (!this.holdsHead) return nothing
    if (trailers === null) announceLength(this.exchange, this.bytes)
    return this.takeHeld()
  }

  private takeHeld(): Uint8Array {
    const { held } = this
    this.holdsHead = false
    this.held = []
    if (held.length === 1) return held[0]!
    const whole = new Uint8Array(held.reduce((sum, piece) => sum + piece.length, 0))
    let at = 0
    for (const piece of held) {
      whole.set(piece, at)
      at += piece.length
    }
    return whole
  }
}
