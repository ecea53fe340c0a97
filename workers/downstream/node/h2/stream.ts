// workers/downstream/node/h2/stream.ts: one request of an HTTP/2 client and its answer.
//
// Owner:  its connection, from HEADERS to the end of both directions or a reset.
// Hot:    yes.
//
//   OPEN --END_STREAM--> half closed (the client will send no more)  ----.
//     '---our END_STREAM--> RST_STREAM(NO_ERROR): the rest of the request is not wanted --> gone
//
// What the client's window does not take waits in `pending`: one piece, whose sender has paused. The request is in
// request-half.ts.

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
import type { LiveExchange } from '../../../live-exchange.ts'
import * as pipeline from '../../../pipeline.ts'
import { tellDefect } from '../../../socket.ts'
import { watchFrames } from '../../../tunnel.ts'
import type { Downstream } from '../../contract.ts'
import type { H2Connection } from './connection.ts'
import { RequestHalf } from './request-half.ts'

const NO_PLACE = -1
const nothing = Buffer.alloc(0)

export class H2Stream extends RequestHalf implements Downstream {
  sendWindow: number
  progressAt: number // last time that the client took something, or had nothing to take
  stalled = false // the connection was full: told when it is not
  queued = false // waits for a window, in the connection's list
  private pending: Buffer = nothing
  private pendingFrom = 0
  private pendingTo = 0
  private ending = false // the response is complete, but for what is pending
  private failed = false // ends by a reset, after the answer that says why
  private trailers: Buffer | null = null // encoded, for after what is pending
  private place = NO_PLACE // of our last frame, in the connection's buffer
  private placeSerial = 0

  constructor(
    connection: H2Connection,
    id: number,
    exchange: LiveExchange,
    ended: boolean,
    now: number,
  ) {
    super(connection, id, exchange, ended, now)
    this.sendWindow = connection.peerWindow
    this.progressAt = now
  }

  get forwarded(): ForwardedCache {
    return this.connection.forwarded
  }

  get isBlocked(): boolean {
    return this.pendingTo > this.pendingFrom
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
    const sent = this.connection.hasRoom() ? this.sendFrames(bytes, from, to) : from
    if (sent === to) {
      if (this.connection.hasRoom()) return true
      this.connection.stall(this)
      return false
    }
    this.pending = owned ? bytes : Buffer.from(bytes.subarray(sent, to))
    this.pendingFrom = owned ? sent : 0
    this.pendingTo = owned ? to : to - sent
    this.progressAt = this.connection.point.context.sweeper.now
    this.connection.queue(this)
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
      connection.calm.earnFrames() // for the window updates that it brings
      at += length
    }
    return at
  }

  // A window was opened, and it is this stream's turn: one frame.
  sendPiece(): void {
    const to = Math.min(this.pendingTo, this.pendingFrom + FRAME_BYTES_MAX)
    const sent = this.sendFrames(this.pending, this.pendingFrom, to)
    if (sent > this.pendingFrom) this.progressAt = this.connection.point.context.sweeper.now
    this.pendingFrom = sent
    if (!this.isBlocked) this.pendingSent()
  }

  private pendingSent(): void {
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

  beginTunnel(exchange: LiveExchange): void {
    watchFrames(exchange)
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
      this.failed = resetCode !== NO_ERROR
      if (this.failed) this.remoteOpen = false
      if (this.begun) pipeline.requestFailed(exchange, code)
      else {
        this.begun = true
        pipeline.beginRefused(exchange, code)
      }
      if (this.failed) connection.reset(this.id, resetCode)
      else if (this.exchange !== null) return // its answer waits for a window
      if (this.exchange === null) return
    } else connection.reset(this.id, resetCode === NO_ERROR ? CANCEL : resetCode)
    this.gone(code === NONE ? CLIENT_GONE : code)
  }

  // Nothing more is said to the client about this request.
  giveUp(code: number, resetCode: number): void {
    this.connection.reset(this.id, resetCode)
    this.gone(code)
  }

  // A deadline was missed.
  late(code: number): void {
    if (code === BODY_TIMEOUT) this.fail(code, NO_ERROR)
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
