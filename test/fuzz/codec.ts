// test/fuzz/codec.ts: a whole stream of messages read by core/h1, in pieces of any size, as one plain value.
//
// It does with the parsers what a connection does, and nothing else: the codec is what is under test. Two
// readings of the same bytes are equal exactly when Sluice would treat them alike.

import { UPSTREAM_UPGRADE, errorTable } from '../../core/errors.ts'
import {
  BODY_CHUNKED,
  BODY_CLOSE,
  BODY_LENGTH,
  Exchange,
  METHOD_CONNECT,
  METHOD_GET,
  METHOD_HEAD,
  SAW_CLOSE,
  SAW_KEEP_ALIVE,
  SAW_UPGRADE,
} from '../../core/exchange.ts'
import { ChunkedDecoder, DATA, END, MORE } from '../../core/h1/chunked.ts'
import { RequestParser } from '../../core/h1/request.ts'
import { ResponseParser } from '../../core/h1/response.ts'
import type { Head } from '../../core/headers.ts'
import { HEADER_COUNT_MAX, HEAD_BYTES_MAX, responseLimits } from '../../core/limits.ts'
import type { HeadLimits } from '../../core/limits.ts'

export interface Message {
  readonly start: string // "GET /a 1.1" or "200 1.1 reason"
  readonly headers: readonly string[] // "name: value"
  readonly facts: string
  body: string // latin1
  trailers: readonly string[]
  complete: boolean
}

export interface Reading {
  readonly messages: Message[]
  error: string // name of a code, '' for none
  tunnel: boolean // what follows belongs to another protocol
  rest: number // bytes behind the last message of a connection that ends with it
}

const BODY_WAIT = -1

const requestLimits: HeadLimits = { headBytesMax: HEAD_BYTES_MAX, headerCountMax: HEADER_COUNT_MAX }

function linesIn(head: Head): string[] {
  const lines: string[] = []
  for (let i = 0; i < head.count; i++) {
    const name = head.text.slice(head.offsets[i * 4]!, head.offsets[i * 4 + 1]!).toLowerCase()
    lines.push(name + ': ' + head.valueAt(i))
  }
  return lines
}

export class StreamReader {
  readonly reading: Reading = { messages: [], error: '', tunnel: false, rest: 0 }
  private readonly exchange = new Exchange()
  private readonly request = new RequestParser()
  private readonly response = new ResponseParser()
  private readonly decoder = new ChunkedDecoder()
  private readonly ofRequests: boolean
  private readonly head: boolean
  private readonly limits: HeadLimits
  private held = Buffer.alloc(0) // of an incomplete head
  private message: Message | null = null
  private kind: number = BODY_LENGTH
  private left = 0
  private over = false

  constructor(ofRequests: boolean, limits: HeadLimits | null = null, head = false) {
    this.ofRequests = ofRequests
    this.head = head
    this.limits = limits ?? (ofRequests ? requestLimits : responseLimits)
    this.beginHead()
  }

  feed(piece: Buffer): void {
    let at = 0
    while (at < piece.length && this.reading.error === '') {
      if (this.over || this.reading.tunnel) {
        this.reading.rest += piece.length - at
        return
      }
      const next = this.message === null ? this.feedHead(piece, at) : this.feedBody(piece, at)
      if (next === BODY_WAIT) return
      at = next
    }
  }

  finish(): Reading {
    if (this.message !== null && this.kind === BODY_CLOSE) this.endMessage()
    return this.reading
  }

  private beginHead(): void {
    this.exchange.reset()
    this.exchange.methodId = this.head ? METHOD_HEAD : METHOD_GET
    this.request.reset()
    this.response.reset()
    this.held = Buffer.alloc(0)
    this.message = null
  }

  private feedHead(piece: Buffer, at: number): number {
    const before = this.held.length
    this.held = Buffer.concat([this.held, piece.subarray(at)])
    // A copy behind padding: positions may not depend on where a buffer begins, nor on its identity.
    const padded = Buffer.concat([Buffer.from('\r\n!'), this.held, Buffer.from('\n:')])
    const parser = this.ofRequests ? this.request : this.response
    const result = parser.parse(this.exchange, padded, 3, 3 + this.held.length, this.limits)
    if (result < 0) return this.fail(result)
    if (result === 0) return BODY_WAIT
    if (!this.ofRequests && this.exchange.status === 101 && !this.response.upgrade) {
      return this.fail(-UPSTREAM_UPGRADE) // as the upstream connection does
    }
    this.takeHead()
    return at + result - 3 - before
  }

  private fail(code: number): number {
    this.reading.error = errorTable[-code]!.name
    return BODY_WAIT
  }

  private takeHead(): void {
    const exchange = this.exchange
    const head = this.ofRequests ? exchange.request : exchange.response
    const target = head.text.slice(exchange.targetStart, exchange.targetEnd)
    this.message = {
      start: this.ofRequests
        ? `${exchange.method} ${target} 1.${exchange.versionMinor}`
        : `${exchange.status} 1.${this.response.versionMinor} ${head.text.slice(13, head.linesStart - 2)}`,
      headers: linesIn(head),
      facts: this.ofRequests
        ? `${exchange.facts} ${exchange.form} ${exchange.authority}`
        : `${this.response.keepAlive} ${this.response.upgrade}`,
      body: '',
      trailers: [],
      complete: false,
    }
    this.reading.messages.push(this.message)
    this.kind = this.ofRequests ? exchange.bodyKind : exchange.responseKind
    this.left = this.ofRequests ? exchange.bodyLength : exchange.responseLength
    this.decoder.reset()
    if (this.kind === BODY_CHUNKED || this.kind === BODY_CLOSE) return
    if (this.kind !== BODY_LENGTH || this.left === 0) this.endMessage()
  }

  private feedBody(piece: Buffer, at: number): number {
    const message = this.message!
    if (this.kind !== BODY_CHUNKED) {
      const to = this.kind === BODY_CLOSE ? piece.length : Math.min(piece.length, at + this.left)
      message.body += piece.latin1Slice(at, to)
      this.left -= to - at
      if (this.kind === BODY_LENGTH && this.left === 0) this.endMessage()
      return to
    }
    const event = this.decoder.next(piece, at, piece.length)
    if (event < 0) return this.fail(event)
    if (event === DATA)
      message.body += piece.latin1Slice(this.decoder.dataStart, this.decoder.dataEnd)
    if (event === END) {
      if (this.decoder.trailers !== null) message.trailers = linesIn(this.decoder.trailers)
      this.endMessage()
    }
    return event === MORE ? piece.length : this.decoder.pos
  }

  private endMessage(): void {
    const exchange = this.exchange
    this.message!.complete = true
    if (this.ofRequests) {
      const tunnel = (exchange.facts & SAW_UPGRADE) !== 0 || exchange.methodId === METHOD_CONNECT
      this.reading.tunnel = tunnel
      const kept = exchange.versionMinor === 1 || (exchange.facts & SAW_KEEP_ALIVE) !== 0
      this.over = !kept || (exchange.facts & SAW_CLOSE) !== 0
    } else {
      this.reading.tunnel = this.response.upgrade
      this.over = !this.response.keepAlive && exchange.status >= 200
    }
    this.beginHead()
  }
}

export function readStream(
  ofRequests: boolean,
  bytes: Buffer,
  pieceBytes = bytes.length,
  head = false,
): Reading {
  const reader = new StreamReader(ofRequests, null, head)
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    reader.feed(bytes.subarray(at, Math.min(bytes.length, at + pieceBytes)))
  }
  return reader.finish()
}

export function readInTwo(ofRequests: boolean, bytes: Buffer, cut: number): Reading {
  const reader = new StreamReader(ofRequests)
  reader.feed(bytes.subarray(0, cut))
  reader.feed(bytes.subarray(cut))
  return reader.finish()
}
