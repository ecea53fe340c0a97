// workers/downstream/node/h2/stream.ts: one request of an HTTP/2 client and its answer.
//
// Owner:  its connection, from HEADERS to the end of both directions or a reset.
// Hot:    yes.
//
//   OPEN --END_STREAM--> half closed (the client will send no more)  ----.
//     '---our END_STREAM--> RST_STREAM(NO_ERROR): the rest of the request is not wanted --> gone
//
// What the client's window does not take waits in `pending`: one piece, whose receiver has paused. What the
// server does not take waits in `inbox`, bounded by the window that the client was given.

import { Buffer } from 'node:buffer'
import { BODY_TIMEOUT, CLIENT_GONE, NONE } from '../../../../core/errors.ts'
import type { ForwardedCache } from '../../../../core/forwarded.ts'
import {
  CANCEL,
  DATA,
  END_STREAM,
  FRAME_BYTES_MAX,
  INTERNAL_ERROR,
  NO_ERROR,
} from '../../../../core/h2/frames.ts'
import { encodeResponse, encodeTrailers } from '../../../../core/h2/response-head.ts'
import type { Head } from '../../../../core/headers.ts'
import { type LiveExchange, hasRequestBody } from '../../../live-exchange.ts'
import * as pipeline from '../../../pipeline.ts'
import { tunnelDownstreamEnded, tunnelFromDownstream } from '../../../tunnel.ts'
import { tellDefect } from '../../../socket.ts'
import type { Downstream } from '../../contract.ts'
import type { H2Connection } from './connection.ts'

const NO_PLACE = -1
const nothing = Buffer.alloc(0)

export class H2Stream implements Downstream {
  readonly id: number
  readonly connection: H2Connection
  exchange: LiveExchange | null
  sendWindow: number
  receiveWindow: number
  remoteOpen: boolean // the client may send more
  begun = false // the pipeline knows of it
  isConnect = false // an extended CONNECT: its 101 is a 200
  startedAt: number
  activeAt: number // last DATA of the client
  progressAt: number // last time that the client took something, or had nothing to take
  bodyBytes = 0
  paused = false // the server takes no more for now
  stalled = false // the connection was full: told when it is not
  pending: Buffer = nothing
  private pendingFrom = 0
  private pendingTo = 0
  private declared = -1 // Content-Length
  private ending = false // the response is complete, but for what is pending
  private tunnel = false
  private failed = false // ends by a reset, after the answer that says why
  private trailers: Buffer | null = null // encoded, for after what is pending
  private place = NO_PLACE // of our last frame, in the connection's buffer
  private placeSerial = 0
  private inbox: Buffer[] | null = null
  private inputTrailers: Head | null = null
  private inputEnded = false // and told to the pipeline once the inbox is empty
  private unacknowledged = 0 // bytes taken, for which the window was not opened again yet

  constructor(
    connection: H2Connection,
    id: number,
    exchange: LiveExchange | null,
    ended: boolean,
    now: number,
  ) {
    this.connection = connection
    this.id = id
    this.exchange = exchange
    this.sendWindow = connection.peerWindow
    this.receiveWindow = connection.streamWindow
    this.remoteOpen = !ended
    this.startedAt = now
    this.activeAt = now
    this.progressAt = now
  }

  get forwarded(): ForwardedCache {
    return this.connection.forwarded
  }

  get isBlocked(): boolean {
    return this.pendingTo > this.pendingFrom
  }

  // ---- the request

  // The head is whole and understood; its body may have begun to arrive in the same read.
  begin(): void {
    const exchange = this.exchange!
    this.begun = true
    this.declared = exchange.bodyLength
    if (!hasRequestBody(exchange)) exchange.requestComplete = true
    pipeline.begin(exchange)
    if (this.exchange !== exchange) return
    if (exchange.requestHeld) this.paused = true
    if (this.tunnel || exchange.requestComplete) return
    if (this.paused) this.connection.touch(this)
    else this.deliver()
  }

  // A piece of DATA. False: more than was announced.
  takeData(bytes: Buffer, from: number, to: number): boolean {
    const exchange = this.exchange
    this.bodyBytes += to - from
    this.activeAt = this.connection.point.context.sweeper.now
    if (exchange === null) return true
    if (!this.isConnect && !this.fits(exchange)) return false
    if (!this.begun || this.paused || this.inbox !== null || (this.isConnect && !this.tunnel)) {
      this.inbox ??= []
      this.inbox.push(Buffer.from(bytes.subarray(from, to)))
      this.connection.inboxBytes += to - from
      return true
    }
    this.pass(exchange, bytes, from, to, false)
    this.acknowledge(to - from)
    return true
  }

  private fits(exchange: LiveExchange): boolean {
    if (!this.begun) this.declared = exchange.bodyLength
    const hasBody = this.begun ? !exchange.requestComplete : hasRequestBody(exchange)
    return hasBody && (this.declared === 0 || this.bodyBytes <= this.declared)
  }

  private pass(
    exchange: LiveExchange,
    bytes: Buffer,
    from: number,
    to: number,
    owned: boolean,
  ): void {
    const taken = this.tunnel
      ? tunnelFromDownstream(exchange, bytes, from, to)
      : pipeline.requestBody(exchange, bytes, from, to, owned)
    if (!taken) this.paused = true
    this.connection.touch(this)
  }

  // The client will send no more. False: less than was announced.
  takeEnd(trailers: Head | null): boolean {
    this.remoteOpen = false
    const exchange = this.exchange
    if (exchange === null) return true
    if (!this.begun) this.declared = exchange.bodyLength
    if (!this.isConnect && this.declared > 0 && this.bodyBytes < this.declared) return false
    this.inputEnded = true
    this.inputTrailers = trailers
    if (this.begun && !this.paused && this.inbox === null) this.deliverEnd(exchange)
    return true
  }

  private deliverEnd(exchange: LiveExchange): void {
    this.inputEnded = false
    if (this.tunnel) return tunnelDownstreamEnded(exchange)
    if (exchange.requestComplete) return
    pipeline.requestEnd(exchange, this.inputTrailers)
    this.inputTrailers = null
  }

  // Hands on what has waited, until the server is full again.
  deliver(): void {
    const exchange = this.exchange
    const inbox = this.inbox
    if (exchange === null) return
    if (inbox !== null) {
      while (inbox.length > 0 && !this.paused && this.exchange === exchange) {
        const piece = inbox.shift()!
        this.connection.inboxBytes -= piece.length
        this.pass(exchange, piece, 0, piece.length, true)
        if (this.exchange === exchange) this.acknowledge(piece.length)
      }
      if (inbox.length > 0) return
      this.inbox = null
    }
    if (this.inputEnded && !this.paused && this.exchange === exchange) this.deliverEnd(exchange)
  }

  // Opens the window again once half of it was used; a client that has ended has no use for it.
  private acknowledge(bytes: number): void {
    this.unacknowledged += bytes
    if (!this.remoteOpen || this.unacknowledged < this.connection.streamWindow / 2) return
    this.receiveWindow += this.unacknowledged
    this.connection.windowUpdate(this.id, this.unacknowledged)
    this.unacknowledged = 0
  }

  creditPadding(bytes: number): void {
    this.acknowledge(bytes)
  }

  private dropInbox(): void {
    const inbox = this.inbox
    if (inbox === null) return
    for (const piece of inbox) this.connection.inboxBytes -= piece.length
    this.inbox = null
  }

  // ---- Downstream

  sendContinue(_exchange: LiveExchange): void {
    const { encoder } = this.connection
    encoder.begin()
    encoder.status(100)
    this.sendBlock()
  }

  sendInformational(exchange: LiveExchange): void {
    encodeResponse(this.connection.encoder, exchange, '', false)
    this.sendBlock()
  }

  sendHead(exchange: LiveExchange): void {
    const tunnel = this.isConnect && exchange.status === 101
    encodeResponse(this.connection.encoder, exchange, this.connection.point.context.date, tunnel)
    this.place = this.sendBlock()
    this.placeSerial = this.connection.out.serial
  }

  // Returns the place of the frame that may be made to end the stream.
  private sendBlock(): number {
    const { encoder } = this.connection
    return this.connection.sendBlock(this.id, 0, encoder.bytes, encoder.length)
  }

  sendBody(
    _exchange: LiveExchange,
    bytes: Buffer,
    from: number,
    to: number,
    owned: boolean,
  ): boolean {
    return this.send(bytes, from, to, owned)
  }

  private send(bytes: Buffer, from: number, to: number, owned: boolean): boolean {
    if (from === to) return true
    if (this.isBlocked) return this.keepMore(bytes, from, to)
    const sent = this.sendFrames(bytes, from, to)
    if (sent === to) {
      if (this.connection.hasRoom()) return true
      this.connection.stall(this)
      return false
    }
    this.pending = owned ? bytes : Buffer.from(bytes.subarray(sent, to))
    this.pendingFrom = owned ? sent : 0
    this.pendingTo = owned ? to : to - sent
    this.progressAt = this.connection.point.context.sweeper.now
    return false
  }

  // For a sender that did not wait: nothing is lost, and it waits now.
  private keepMore(bytes: Buffer, from: number, to: number): boolean {
    const before = this.pending.subarray(this.pendingFrom, this.pendingTo)
    // tidy: a sender is told to wait, so this happens at most once per piece that it had in hand
    this.pending = Buffer.concat([before, bytes.subarray(from, to)])
    this.pendingFrom = 0
    this.pendingTo = this.pending.length
    return false
  }

  // As much as both windows allow. Returns where it ended.
  private sendFrames(bytes: Buffer, from: number, to: number): number {
    const { connection } = this
    let at = from
    while (at < to) {
      const length = Math.min(to - at, this.sendWindow, connection.sendWindow, FRAME_BYTES_MAX)
      if (length <= 0) break
      this.place = connection.out.begin(DATA, 0, this.id, length)
      this.placeSerial = connection.out.serial
      bytes.copy(connection.out.payload, this.place, at, at + length)
      this.sendWindow -= length
      connection.sendWindow -= length
      at += length
    }
    return at
  }

  // A window was opened.
  sendPending(): void {
    if (!this.isBlocked) return
    const sent = this.sendFrames(this.pending, this.pendingFrom, this.pendingTo)
    if (sent > this.pendingFrom) this.progressAt = this.connection.point.context.sweeper.now
    this.pendingFrom = sent
    if (this.isBlocked) return
    this.pending = nothing
    if (this.ending && this.tunnel && this.exchange !== null) return this.endTunnelOutput()
    if (this.ending) return this.finish()
    const exchange = this.exchange
    if (exchange === null) return
    if (this.connection.hasRoom()) pipeline.downstreamWritable(exchange)
    else this.connection.stall(this)
  }

  flush(_exchange: LiveExchange): void {} // the connection flushes once per turn

  sendEnd(exchange: LiveExchange, trailers: Head | null): void {
    exchange.downstream = null
    if (trailers !== null && trailers.count + trailers.extraCount > 0) {
      const { encoder } = this.connection
      encodeTrailers(encoder, trailers)
      this.trailers = Buffer.from(encoder.bytes.subarray(0, encoder.length))
    }
    this.ending = true
    if (!this.isBlocked) this.finish()
  }

  private finish(): void {
    if (!this.failed) {
      this.writeEnd()
      this.connection.calm.earn()
    }
    const { exchange } = this
    this.exchange = null
    this.leave()
    if (exchange !== null) pipeline.downstreamDone(exchange)
  }

  private writeEnd(): void {
    const { connection, trailers } = this
    if (trailers !== null) {
      connection.sendBlock(this.id, END_STREAM, trailers, trailers.length)
      this.trailers = null
    } else if (this.place === NO_PLACE || !connection.out.endWith(this.place, this.placeSerial)) {
      connection.out.begin(DATA, END_STREAM, this.id, 0)
    }
  }

  // Both directions are through. A client that still sends is told to stop (RFC 9113, section 8.1).
  private leave(): void {
    if (this.remoteOpen) this.connection.reset(this.id, NO_ERROR)
    this.dropInbox()
    this.connection.forget(this)
  }

  abort(_exchange: LiveExchange): void {
    this.exchange = null
    this.remoteOpen = false
    this.connection.reset(this.id, INTERNAL_ERROR)
    this.leave()
  }

  pauseBody(_exchange: LiveExchange): void {
    this.paused = true
  }

  resumeBody(_exchange: LiveExchange): void {
    if (!this.paused) return
    this.paused = false
    this.activeAt = this.connection.point.context.sweeper.now
    if (this.tunnel || !this.isConnect) this.deliver()
    const { exchange } = this
    if (exchange !== null) pipeline.requestFlush(exchange)
  }

  // ---- tunnel

  beginTunnel(_exchange: LiveExchange): void {
    this.tunnel = true
    this.paused = false
    if (this.inbox !== null || this.inputEnded) process.nextTick(deliverLater, this)
  }

  tunnelSend(_exchange: LiveExchange, bytes: Buffer, from: number, to: number): boolean {
    return this.send(bytes, from, to, false)
  }

  tunnelEnd(_exchange: LiveExchange): void {
    this.ending = true
    if (!this.isBlocked) this.endTunnelOutput()
  }

  private endTunnelOutput(): void {
    this.writeEnd()
    this.ending = false
    this.place = NO_PLACE
  }

  tunnelClosed(_exchange: LiveExchange): void {
    this.exchange = null
    if (this.isBlocked) this.ending = true // what the server sent last is still on its way
    else this.leave()
  }

  // ---- endings

  // The client takes its request back, or is gone. No frame is sent.
  gone(code: number): void {
    const { exchange } = this
    this.exchange = null
    this.remoteOpen = false
    this.dropInbox()
    this.pending = nothing
    this.pendingTo = 0
    this.pendingFrom = 0
    this.connection.forget(this)
    if (exchange === null) return
    if (!this.begun) return this.connection.release(exchange)
    if (exchange.downstream === null) return pipeline.downstreamDone(exchange)
    pipeline.downstreamGone(exchange, code)
  }

  // The request can't be read to its end: it must not look complete to the server. The client gets an answer where
  // there is still time for one, and the stream is reset in any case.
  fail(code: number, resetCode: number): void {
    const { exchange, connection } = this
    this.inputEnded = false
    this.dropInbox()
    if (exchange !== null && exchange.downstream !== null && !exchange.wroteHead && !this.tunnel) {
      this.remoteOpen = false
      this.failed = true
      if (this.begun) pipeline.requestFailed(exchange, code)
      else {
        this.begun = true
        pipeline.beginRefused(exchange, code)
      }
      connection.reset(this.id, resetCode)
      if (this.exchange === null) return
    } else connection.reset(this.id, resetCode)
    this.gone(code === NONE ? CLIENT_GONE : code)
  }

  // Nothing more is said to the client about this request.
  giveUp(code: number, resetCode: number): void {
    this.connection.reset(this.id, resetCode)
    this.gone(code)
  }

  // A deadline was missed.
  late(code: number): void {
    if (code === BODY_TIMEOUT) this.fail(code, CANCEL)
    else this.giveUp(code, CANCEL)
  }

  // A head that is answered without a route: too large, a method or version of no use.
  refuse(code: number): void {
    const exchange = this.exchange!
    this.begun = true
    exchange.requestComplete = true
    pipeline.beginRefused(exchange, code)
  }
}

function deliverLater(stream: H2Stream): void {
  try {
    stream.deliver()
  } catch (defect) {
    tellDefect(defect)
    stream.connection.abandon()
  }
}
