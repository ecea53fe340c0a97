// workers/upstream/h2-stream.ts: one exchange on a stream of an HTTP/2 session to a server.
//
// Owner:  its H2Session, until both sides have ended or one has reset it. The exchange may leave earlier
//         (exchange = null): the rest of the stream is nobody's then.
// Memory: at the most one window of the response while its client is slow (inbox), and what one call of sendBody
//         brought while the server gives no window (pending).
// Hot:    yes.
//
//            head            body, trailers       END_STREAM
//   ASKED ----------> IN_BODY ------------------------------> exchange leaves; gone when the request has ended too
//     '-----------------'------- reset, fault, timeout -----> exchange fails, stream is reset

import { Buffer } from 'node:buffer'
import {
  NONE,
  UPSTREAM_HEADER_TIMEOUT,
  UPSTREAM_MALFORMED,
  UPSTREAM_RESET,
  UPSTREAM_STALL,
} from '../../core/errors.ts'
import { BODY_LENGTH, BODY_NONE } from '../../core/exchange.ts'
import {
  CANCEL,
  END_STREAM,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  WINDOW_MAX,
} from '../../core/h2/frames.ts'
import { RequestBlock } from '../../core/h2/upstream-request.ts'
import { readResponse, readTrailers } from '../../core/h2/upstream-response.ts'
import { CONTENT_TYPE, DROPPED } from '../../core/header-ids.ts'
import { Head } from '../../core/headers.ts'
import { HTTP2_WINDOW_BYTES, INFORMATIONAL_MAX } from '../../core/limits.ts'
import type { LiveExchange } from '../live-exchange.ts'
import * as pipeline from '../pipeline.ts'
import type { UpstreamConnection } from './contract.ts'
import type { H2Session } from './h2-session.ts'

const trailerBlock = new RequestBlock()
const noPieces: Buffer[] = []
const trailersNow = new Head() // for the time of one call

export class H2Stream implements UpstreamConnection {
  readonly id: number
  exchange: LiveExchange | null
  touched = false // its client's connection holds bytes of the current read back
  sendWindow: number
  protected readonly session: H2Session
  private receiveWindow = HTTP2_WINDOW_BYTES
  private credit = 0 // bytes that the client has taken and the server was not given back
  protected gotHead = false
  private isGrpc = false // its streams may be silent for as long as they like: deadlines are the client's
  private blocked = false // the client is slow: what comes waits in the inbox
  private inbox: Buffer[] = noPieces
  protected remoteEnded = false // END_STREAM has come
  private trailers: Head | null = null // those that wait behind the inbox
  private informational = 0
  private left = -1 // announced bytes that are still to come; -1: unknown
  private requestDone: boolean // the request is whole, though some of it may be pending
  private localEnded: boolean // END_STREAM is out
  private pending: Buffer[] = noPieces // of the request, for want of the server's window
  private pendingAt = 0 // in the first of them
  private waits = false // sendBody said: no more
  private ownTrailers: Head | null = null
  protected activeAt: number
  private askedAt: number

  constructor(
    session: H2Session,
    id: number,
    exchange: LiveExchange,
    ended: boolean,
    sendWindow: number,
  ) {
    this.session = session
    this.id = id
    this.exchange = exchange
    this.requestDone = ended
    this.localEnded = ended
    this.sendWindow = sendWindow
    this.activeAt = session.now
    this.askedAt = session.now
  }

  // ---- the request

  sendBody(_: LiveExchange, bytes: Buffer, from: number, to: number, _owned: boolean): boolean {
    if (to === from) return true
    const { session } = this
    this.activeAt = session.now
    const at = this.pending.length === 0 ? session.sendData(this, bytes, from, to) : from
    if (at < to) {
      if (this.pending === noPieces) this.pending = []
      this.pending.push(Buffer.from(bytes.subarray(at, to)))
    }
    if (this.pending.length === 0 && session.takesMore) return true
    this.waits = true
    return false
  }

  sendEnd(_: LiveExchange, trailers: Head | null): void {
    this.requestDone = true
    this.askedAt = this.session.now
    if (trailers !== null && trailers.count + trailers.extraCount > 0) this.ownTrailers = trailers
    if (this.pending.length === 0) this.endRequest()
    else if (this.ownTrailers !== null) this.ownTrailers = copyOf(this.ownTrailers)
  }

  private endRequest(): void {
    const { session, ownTrailers } = this
    this.localEnded = true
    if (ownTrailers === null) session.sendEnd(this.id)
    else {
      trailerBlock.writeTrailers(ownTrailers)
      session.sendBlock(this.id, trailerBlock.bytes, trailerBlock.length, END_STREAM)
      this.ownTrailers = null
    }
  }

  flush(): void {} // the session's bytes of one turn leave together

  get hasPending(): boolean {
    return this.pending.length > 0 || this.waits
  }

  // A window has opened, or the kernel has taken what it got.
  sendPending(): void {
    const { session } = this
    while (this.pending.length > 0) {
      const piece = this.pending[0]!
      const at = session.sendData(this, piece, this.pendingAt, piece.length)
      if (at > this.pendingAt) this.activeAt = session.now
      this.pendingAt = at
      if (at < piece.length) return
      this.pending.shift()
      this.pendingAt = 0
    }
    if (this.requestDone && !this.localEnded) this.endRequest()
    if (!this.waits || !session.takesMore) return
    this.waits = false
    if (this.exchange !== null) pipeline.upstreamWritable(this.exchange)
  }

  addSendWindow(bytes: number): boolean {
    this.sendWindow += bytes
    return this.sendWindow <= WINDOW_MAX
  }

  // ---- the response

  // A header block: an informational response, the response, or its trailers.
  takeFields(fields: readonly string[], ended: boolean): void {
    this.activeAt = this.session.now
    if (this.gotHead) return this.takeTrailers(fields, ended)
    const exchange = this.exchange!
    const fault = readResponse(exchange, fields, ended)
    if (fault !== NONE) return this.refuse(fault)
    if (exchange.status < 200) return this.takeInformational(exchange)
    this.gotHead = true
    this.left = exchange.responseKind === BODY_LENGTH ? exchange.responseLength : -1
    this.isGrpc = isGrpc(exchange)
    pipeline.upstreamHead(exchange)
    if (this.exchange !== exchange) return // it went elsewhere
    if (exchange.responseKind === BODY_NONE) return this.endWithHead(exchange, ended)
    this.session.touch(this)
    if (ended) this.takeEnd(null)
  }

  private takeInformational(exchange: LiveExchange): void {
    if (++this.informational > INFORMATIONAL_MAX) return this.refuse(UPSTREAM_MALFORMED)
    pipeline.upstreamInformational(exchange)
  }

  // A 204, a 304 or an answer to HEAD. What the server sends behind it is nobody's.
  private endWithHead(exchange: LiveExchange, ended: boolean): void {
    this.remoteEnded = ended
    this.finish(exchange, null)
  }

  private takeTrailers(fields: readonly string[], ended: boolean): void {
    const head = this.inbox.length > 0 ? new Head() : trailersNow
    const fault = ended ? readTrailers(head, fields) : UPSTREAM_MALFORMED
    if (fault !== NONE) return this.refuse(fault)
    this.takeEnd(head.count > 0 ? head : null)
  }

  // False: the server has sent more than the window.
  countReceived(bytes: number, padding: number): boolean {
    this.receiveWindow -= bytes
    this.credit += padding
    return this.receiveWindow >= 0
  }

  takeData(bytes: Buffer, from: number, to: number): void {
    this.activeAt = this.session.now
    if (!this.gotHead || this.remoteEnded) return this.refuse(UPSTREAM_MALFORMED)
    if (this.left >= 0) {
      this.left -= to - from
      if (this.left < 0) return this.refuse(UPSTREAM_MALFORMED)
    }
    if (!this.blocked) return this.deliver(this.exchange!, bytes, from, to)
    if (this.inbox === noPieces) this.inbox = []
    this.inbox.push(Buffer.from(bytes.subarray(from, to)))
  }

  private deliver(exchange: LiveExchange, bytes: Buffer, from: number, to: number): void {
    this.session.touch(this)
    if (!this.pass(exchange, bytes, from, to)) this.blocked = true
    this.credit += to - from
    if (!this.blocked) this.giveCredit()
  }

  protected pass(exchange: LiveExchange, bytes: Buffer, from: number, to: number): boolean {
    return pipeline.upstreamBody(exchange, bytes, from, to, false)
  }

  // The server may go on when half of the window has been taken.
  private giveCredit(): void {
    if (this.credit < HTTP2_WINDOW_BYTES / 2 || this.remoteEnded || this.session.isGone) return
    this.receiveWindow += this.credit
    this.session.sendWindowUpdate(this.id, this.credit)
    this.credit = 0
  }

  takeEnd(trailers: Head | null): void {
    if (!this.gotHead || this.remoteEnded || this.left > 0) return this.refuse(UPSTREAM_MALFORMED)
    this.remoteEnded = true
    if (this.inbox.length > 0) this.trailers = trailers
    else this.finish(this.exchange!, trailers)
  }

  protected finish(exchange: LiveExchange, trailers: Head | null): void {
    const { session } = this
    this.leave(exchange)
    session.responded()
    // A server may answer before the request is whole; the rest of it is not wanted, nor is a body behind the end.
    if (this.remoteEnded && this.localEnded) session.remove(this)
    else this.reset(CANCEL)
    pipeline.upstreamEnd(exchange, trailers)
  }

  // The client can take more: first what waits here.
  resume(exchange: LiveExchange): void {
    if (!this.blocked || this.exchange !== exchange) return
    this.blocked = false
    this.activeAt = this.session.now
    while (this.inbox.length > 0 && !this.blocked && this.exchange === exchange) {
      const bytes = this.inbox.shift()!
      this.deliver(exchange, bytes, 0, bytes.length)
    }
    if (this.exchange !== exchange) return
    if (!this.blocked) this.giveCredit()
    if (this.inbox.length === 0 && this.remoteEnded) this.finish(exchange, this.trailers)
    this.flushResponse()
  }

  flushResponse(): void {
    this.touched = false
    const { exchange } = this
    if (exchange !== null) pipeline.flushResponse(exchange)
  }

  // ---- endings

  // RST_STREAM. What has come whole stays whole: the server only wants no more of the request.
  takeReset(code: number): void {
    this.session.remove(this)
    const { exchange } = this
    if (exchange === null || this.remoteEnded) return
    const fault = code === PROTOCOL_ERROR ? UPSTREAM_MALFORMED : UPSTREAM_RESET
    // RFC 9113, section 8.7: such a stream was not processed at all.
    const untouched = code === REFUSED_STREAM && !this.answered
    if (untouched) this.session.refused()
    this.fail(exchange, fault, untouched ? pipeline.RETRY_ANYWHERE : pipeline.RETRY_NEVER)
  }

  private get answered(): boolean {
    return this.gotHead || this.informational > 0
  }

  // The whole session has died, as an idle connection may at any time.
  takeLoss(): void {
    const { exchange, session } = this
    if (exchange === null || this.remoteEnded) return
    const clean = !this.answered && session.served > 0
    const retry = clean ? pipeline.RETRY_IF_IDEMPOTENT : pipeline.RETRY_NEVER
    this.fail(exchange, UPSTREAM_RESET, retry)
  }

  // The server has said that it did not and will not look at this stream (GOAWAY).
  neverProcessed(): void {
    this.session.remove(this)
    const { exchange } = this
    if (exchange !== null) this.fail(exchange, UPSTREAM_RESET, pipeline.RETRY_ANYWHERE)
  }

  cancel(exchange: LiveExchange): void {
    this.leave(exchange)
    this.reset(CANCEL)
  }

  discardBody(exchange: LiveExchange): void {
    this.cancel(exchange)
  }

  // The response breaks a rule: no byte of it goes further.
  refuse(code: number): void {
    this.reset(PROTOCOL_ERROR)
    if (this.exchange !== null) this.fail(this.exchange, code, pipeline.RETRY_NEVER)
  }

  protected giveUp(exchange: LiveExchange, code: number): void {
    this.reset(CANCEL)
    this.fail(exchange, code, pipeline.RETRY_NEVER)
  }

  private fail(exchange: LiveExchange, code: number, retry: pipeline.RetryAnswer): void {
    this.leave(exchange)
    pipeline.upstreamFailed(exchange, code, retry)
  }

  private leave(exchange: LiveExchange): void {
    this.exchange = null
    this.inbox = noPieces
    exchange.upstream = null
  }

  private reset(code: number): void {
    this.pending = noPieces
    this.waits = false
    if (!(this.remoteEnded && this.localEnded)) this.session.sendReset(this.id, code)
    this.session.remove(this)
  }

  // ---- time

  onTick(now: number): void {
    const { exchange } = this
    if (exchange === null || this.blocked) return
    const { stallTimeoutMs, responseHeaderTimeoutMs } = this.session.pool.server.transport
    if (!this.gotHead && this.hasAsked) {
      if (responseHeaderTimeoutMs > 0 && now - this.askedAt > responseHeaderTimeoutMs)
        this.giveUp(exchange, UPSTREAM_HEADER_TIMEOUT)
      return
    }
    // Before the head only the server can stall, by giving no window.
    if (this.isGrpc || stallTimeoutMs === 0 || !(this.gotHead || this.hasPending)) return
    if (now - this.activeAt > stallTimeoutMs) this.giveUp(exchange, UPSTREAM_STALL)
  }

  // From here on the response is due.
  protected get hasAsked(): boolean {
    return this.localEnded
  }

  tunnelSend(_bytes: Buffer, _from: number, _to: number): boolean {
    return true // H2Tunnel has one
  }

  tunnelEnd(): void {}
}

function isGrpc(exchange: LiveExchange): boolean {
  const head = exchange.response
  const line = head.lineOf(CONTENT_TYPE)
  return line >= 0 && head.text.startsWith('application/grpc', head.offsets[line * 4 + 2]!)
}

// Trailers are valid during the call that brings them.
function copyOf(head: Head): Head {
  const copy = new Head()
  for (let line = 0; line < head.count; line++) {
    if (head.ids[line] !== DROPPED) copy.add(head.nameAt(line), head.valueAt(line))
  }
  for (let i = 0; i < head.extraCount; i++) copy.add(head.extraNames[i]!, head.extraValues[i]!)
  return copy
}
