// workers/upstream/h2-stream.ts: one exchange on a stream of an HTTP/2 session to a server.
//
// Owner:  its H2Session, from request() until the stream of node:http2 has closed. The exchange may leave earlier
//         (exchange = null): the rest of the stream is nobody's then.
// Hot:    yes, as hot as node:http2 allows. Listeners are shared functions: h2-listeners.ts.
//
//            response        data, trailers       END_STREAM
//   ASKED ------------> IN_BODY ------------------------------> exchange leaves, stream closes by itself
//     '--------------------'------- reset, fault, timeout ----> exchange fails, stream is reset

import { Buffer } from 'node:buffer'
import { type ClientHttp2Stream, constants } from 'node:http2'
import {
  INTERNAL,
  NONE,
  UPSTREAM_HEADER_TIMEOUT,
  UPSTREAM_HEADERS_TOO_LARGE,
  UPSTREAM_MALFORMED,
  UPSTREAM_RESET,
  UPSTREAM_STALL,
} from '../../core/errors.ts'
import { BODY_LENGTH, BODY_NONE } from '../../core/exchange.ts'
import { readResponse, readTrailers } from '../../core/h2/upstream-response.ts'
import { CONTENT_TYPE } from '../../core/header-ids.ts'
import { Head } from '../../core/headers.ts'
import { INFORMATIONAL_MAX } from '../../core/limits.ts'
import { type LiveExchange, hasRequestBody } from '../live-exchange.ts'
import * as pipeline from '../pipeline.ts'
import { tellDefect } from '../socket.ts'
import type { UpstreamConnection } from './contract.ts'
import { type StreamOwner, beginBody, listen } from './h2-listeners.ts'
import type { H2Session } from './h2-session.ts'

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_PROTOCOL_ERROR } = constants
const { NGHTTP2_FLAG_END_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } = constants

const scratch = new Head() // trailers, for the time of one call

type Fields = Record<string, string | string[]>

export class H2Stream implements UpstreamConnection, StreamOwner {
  exchange: LiveExchange | null
  index = -1 // place in the session's list; -1 once the stream has closed
  sawEnd = false // END_STREAM has come
  flushPlanned = false
  private readonly session: H2Session
  private readonly stream: ClientHttp2Stream
  private gotHead = false
  private isGrpc = false // its streams may be silent for as long as they like: deadlines are the client's
  private blocked = false // the client is slow: reading is paused
  private corked = false
  private requestDone: boolean
  private informational = 0
  private left = -1 // announced bytes that are still to come; -1: unknown
  private fault = NONE // what the response did wrong; told when the stream has closed
  private trailers: readonly string[] | null = null
  private ownTrailers: Fields | null = null
  private activeAt: number
  private askedAt: number
  private heldBefore = 0

  constructor(session: H2Session, exchange: LiveExchange, stream: ClientHttp2Stream) {
    this.session = session
    this.exchange = exchange
    this.stream = stream
    this.requestDone = !hasRequestBody(exchange)
    this.activeAt = session.now
    this.askedAt = session.now
    listen(stream, this)
  }

  get id(): number {
    return this.stream.id ?? 0
  }

  // ---- the request

  sendBody(_: LiveExchange, bytes: Buffer, from: number, to: number, _owned: boolean): boolean {
    const { stream } = this
    if (stream.destroyed || stream.writableEnded || to === from) return true
    this.activeAt = this.session.now
    if (!this.corked) {
      this.corked = true // pieces of one event leave together
      stream.cork()
    }
    // Copied: nghttp2 reads it when the window allows, long after the call.
    return stream.write(Buffer.from(bytes.subarray(from, to)))
  }

  sendEnd(_: LiveExchange, trailers: Head | null): void {
    this.requestDone = true
    this.askedAt = this.session.now
    if (trailers !== null) this.ownTrailers = fieldsOf(trailers)
    this.stream.end()
    this.flush()
  }

  flush(): void {
    if (!this.corked) return
    this.corked = false
    this.stream.uncork()
  }

  onDrain(): void {
    this.activeAt = this.session.now
    if (this.exchange !== null) pipeline.upstreamWritable(this.exchange)
  }

  // HEADERS with END_STREAM follow when there are trailers, an empty DATA frame otherwise.
  onWantTrailers(): void {
    const { stream } = this
    if (!stream.destroyed && !stream.closed) stream.sendTrailers(this.ownTrailers ?? {})
  }

  // ---- the response

  onHead(fields: readonly string[], flags: number): void {
    const { exchange } = this
    if (exchange === null) return
    if (this.gotHead) return this.refuse(UPSTREAM_MALFORMED)
    this.activeAt = this.session.now
    const ended = (flags & NGHTTP2_FLAG_END_STREAM) !== 0
    const fault = readResponse(exchange, fields, ended)
    if (fault !== NONE) return this.refuse(fault)
    if (exchange.status < 200) return this.onInformational(exchange)
    this.gotHead = true
    this.left = exchange.responseKind === BODY_LENGTH ? exchange.responseLength : -1
    this.isGrpc = isGrpc(exchange)
    pipeline.upstreamHead(exchange)
    if (this.exchange !== exchange) return // it went elsewhere
    if (exchange.responseKind === BODY_NONE) return this.endWithHead(exchange, ended)
    this.session.flushSoon(this)
    beginBody(this.stream) // only now, so that no body comes before its head
  }

  // A 204, a 304 or an answer to HEAD. What the server sends behind it is nobody's.
  private endWithHead(exchange: LiveExchange, ended: boolean): void {
    this.leave(exchange)
    this.session.responded()
    pipeline.upstreamEnd(exchange, null)
    if (ended && this.requestDone) this.stream.resume()
    else this.reset(NGHTTP2_CANCEL)
  }

  private onInformational(exchange: LiveExchange): void {
    if (++this.informational > INFORMATIONAL_MAX) return this.refuse(UPSTREAM_MALFORMED)
    pipeline.upstreamInformational(exchange)
  }

  onBytes(bytes: Buffer): void {
    const { exchange } = this
    if (exchange === null) return
    this.activeAt = this.session.now
    if (this.left >= 0) {
      this.left -= bytes.length
      if (this.left < 0) return this.refuse(UPSTREAM_MALFORMED)
    }
    if (!pipeline.upstreamBody(exchange, bytes, 0, bytes.length, true)) {
      this.blocked = true
      this.stream.pause()
    }
    if (this.exchange === exchange) this.session.flushSoon(this)
  }

  onTrailers(fields: readonly string[]): void {
    this.trailers = fields
  }

  // All of the body was read. Without END_STREAM it was cut; then 'close' tells why.
  onEnd(): void {
    const { exchange } = this
    if (exchange === null || !this.sawEnd || !this.gotHead) return
    if (this.left > 0) return this.refuse(UPSTREAM_MALFORMED)
    let trailers: Head | null = null
    if (this.trailers !== null) {
      const fault = readTrailers(scratch, this.trailers)
      if (fault !== NONE) return this.refuse(fault)
      if (scratch.count > 0) trailers = scratch
    }
    this.leave(exchange)
    this.session.responded()
    pipeline.upstreamEnd(exchange, trailers)
    // A server may answer before the request is whole; the rest of it is not wanted.
    if (!this.requestDone) this.reset(NGHTTP2_CANCEL)
  }

  // The stream is gone. Whoever is still on it did not get a whole response.
  onClose(): void {
    this.session.closed(this)
    if (this.sawEnd && this.gotHead) this.takeRest()
    const { exchange } = this
    if (exchange === null) return
    const { rstCode } = this.stream
    const code = this.fault !== NONE ? this.fault : codeOfReset(rstCode, this.gotHead)
    this.failNow(exchange, code, this.retryAnswer(rstCode))
  }

  // The response is whole, the session went away before a slow client had taken all of it. At the most one
  // window of bytes is left; the client's connection holds them.
  private takeRest(): void {
    for (;;) {
      const rest = this.exchange === null ? null : (this.stream.read() as Buffer | null)
      if (rest === null) break
      this.onBytes(rest)
    }
    this.onEnd()
  }

  private retryAnswer(rstCode: number): pipeline.RetryAnswer {
    if (this.gotHead || this.informational > 0 || this.fault !== NONE) return pipeline.RETRY_NEVER
    // RFC 9113, section 8.7: such a stream was not processed at all.
    if (rstCode === NGHTTP2_REFUSED_STREAM) {
      this.session.refused()
      return pipeline.RETRY_ANYWHERE
    }
    // The whole session died, as an idle connection may at any time; a reset of this stream is an answer.
    if (this.session.isGone && this.session.served > 0) return pipeline.RETRY_IF_IDEMPOTENT
    return pipeline.RETRY_NEVER
  }

  // The server has said that it did not and will not look at this stream (GOAWAY).
  neverProcessed(): void {
    const { exchange } = this
    if (exchange === null) return
    this.failNow(exchange, UPSTREAM_RESET, pipeline.RETRY_ANYWHERE)
    this.reset(NGHTTP2_CANCEL)
  }

  // ---- flow, time

  resume(exchange: LiveExchange): void {
    if (!this.blocked || this.exchange !== exchange) return
    this.blocked = false
    this.activeAt = this.session.now
    this.stream.resume()
  }

  flushResponse(): void {
    const { exchange } = this
    if (exchange === null || exchange.downstream === null || !exchange.wroteHead) return
    exchange.downstream.flush(exchange)
  }

  onTick(now: number): void {
    const { exchange } = this
    if (exchange === null || this.blocked) return
    const { stallTimeoutMs, responseHeaderTimeoutMs } = this.session.pool.server.transport
    if (!this.gotHead && this.requestDone) {
      if (responseHeaderTimeoutMs > 0 && now - this.askedAt > responseHeaderTimeoutMs)
        this.failWith(UPSTREAM_HEADER_TIMEOUT)
      return
    }
    if (this.isGrpc || stallTimeoutMs === 0 || !(this.gotHead || this.isUploadHeld(now))) return
    if (now - this.activeAt > stallTimeoutMs) this.failWith(UPSTREAM_STALL)
  }

  // The server gives no window for what the client has sent. Bytes that leave are progress.
  private isUploadHeld(now: number): boolean {
    const held = this.stream.bufferSize
    if (held === 0) return false
    if (held !== this.heldBefore) this.activeAt = now
    this.heldBefore = held
    return true
  }

  // ---- endings

  cancel(exchange: LiveExchange): void {
    this.leave(exchange)
    this.reset(NGHTTP2_CANCEL)
  }

  discardBody(exchange: LiveExchange): void {
    this.cancel(exchange)
  }

  // The response breaks a rule: no byte of it goes further.
  private refuse(code: number): void {
    this.fault = code
    const { exchange } = this
    if (exchange !== null) this.failNow(exchange, code, pipeline.RETRY_NEVER)
    this.reset(NGHTTP2_PROTOCOL_ERROR)
  }

  private failWith(code: number): void {
    const { exchange } = this
    if (exchange !== null) this.failNow(exchange, code, pipeline.RETRY_NEVER)
    this.reset(NGHTTP2_CANCEL)
  }

  private failNow(exchange: LiveExchange, code: number, retry: pipeline.RetryAnswer): void {
    this.leave(exchange)
    pipeline.upstreamFailed(exchange, code, retry)
  }

  private leave(exchange: LiveExchange): void {
    this.exchange = null
    exchange.upstream = null
  }

  // A throw in a callback is a defect of ours; this exchange ends, the worker goes on.
  defect(defect: unknown): void {
    tellDefect(defect)
    const { exchange } = this
    if (exchange !== null) this.failNow(exchange, INTERNAL, pipeline.RETRY_NEVER)
    this.reset(NGHTTP2_INTERNAL_ERROR)
  }

  // What has come is thrown away: a paused stream would never close.
  private reset(code: number): void {
    const { stream } = this
    if (!stream.closed && !stream.destroyed) stream.close(code)
    stream.resume()
  }

  tunnelSend(): boolean {
    return true
  }

  tunnelEnd(): void {}
}

function codeOfReset(rstCode: number, gotHead: boolean): number {
  // nghttp2 resets what exceeds maxHeaderListSize or maxHeaderListPairs with this code.
  if (rstCode === NGHTTP2_ENHANCE_YOUR_CALM && !gotHead) return UPSTREAM_HEADERS_TOO_LARGE
  return rstCode === NGHTTP2_PROTOCOL_ERROR ? UPSTREAM_MALFORMED : UPSTREAM_RESET
}

function isGrpc(exchange: LiveExchange): boolean {
  const head = exchange.response
  const line = head.lineOf(CONTENT_TYPE)
  return line >= 0 && head.text.startsWith('application/grpc', head.offsets[line * 4 + 2]!)
}

function fieldsOf(head: Head): Fields {
  const fields: Fields = {}
  for (let line = 0; line < head.count; line++) {
    const name = head.nameAt(line)
    const before = fields[name]
    const value = head.valueAt(line)
    fields[name] = before === undefined ? value : ([] as string[]).concat(before, value)
  }
  return fields
}
