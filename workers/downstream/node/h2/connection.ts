// workers/downstream/node/h2/connection.ts: one HTTP/2 client connection of the `node` engine.
//
// Owner:  its listener. Its streams hold the exchanges; it holds what they share: both header tables, the two
//         windows of the connection, the bytes that go out, the budgets of what gets a client nothing.
// Hot:    yes.
//
// The protocol is read and written here and in core/h2, on the handles that HTTP/1 uses, TLS or not. Why not
// node:http2, which was tried first: it drops fields that RFC 9113 calls malformed and serves the request, so what
// HTTP/1 refuses would have passed; it failed 10 of 146 cases of h2spec; it answers what it refuses without
// telling anybody, so nothing could be counted or logged; and a request cost 15.7 to 20.9 microseconds
// in front of nothing at all. test/behaviour/h2 holds this to what it and other clients send.

import { Buffer } from 'node:buffer'
import {
  CLIENT_GONE,
  DRAINING,
  H2_FRAMES,
  HEADER_TIMEOUT,
  INTERNAL,
  NONE,
} from '../../../../core/errors.ts'
import { DOWNSTREAM_DONE, UPSTREAM_DONE } from '../../../../core/exchange.ts'
import type { TlsFacts } from '../../../../core/exchange.ts'
import {
  CANCEL,
  CONTINUATION,
  END_HEADERS,
  ENHANCE_YOUR_CALM,
  FRAME_BYTES_MAX,
  GOAWAY,
  HEADERS,
  NO_ERROR,
  PING,
  RST_STREAM,
  SETTINGS,
  WINDOW_MAX,
  WINDOW_START,
  WINDOW_UPDATE,
} from '../../../../core/h2/frames.ts'
import { HpackEncoder } from '../../../../core/h2/hpack-encoder.ts'
import { finish } from '../../../endings.ts'
import type { EntryPoint } from '../../../entry-point.ts'
import type { LiveExchange } from '../../../live-exchange.ts'
import * as pipeline from '../../../pipeline.ts'
import { type Socket, type SocketOwner, tellDefect } from '../../../socket.ts'
import type { Swept } from '../../../sweeper.ts'
import { goAway } from '../../../tunnel.ts'
import { Out } from '../../../frames-out.ts'
import { CLOSED, LEAVING, LINGER, OPEN } from './phase.ts'
import { H2Reader } from './reader.ts'
import { CONNECTION_WINDOW, settingsPayload } from './settings.ts'
import type { H2Stream } from './stream.ts'
import { connectionOverdue, streamOverdue } from './timeouts.ts'

// What may be on its way, with the heads of its frames and of others.
const LINGER_BYTES_MAX = CONNECTION_WINDOW + 64 * 1024
const UNREAD_MAX = 100 // control frames for a client that has more to read than it takes
const LAST_CALL = Buffer.from('lastcall') // opaque data of the PING behind our first GOAWAY

export class H2Connection extends H2Reader implements SocketOwner, Swept {
  sweepIndex = -1
  heldBefore = 0 // bytes held at the last tick, to see whether the client reads
  progressAt: number
  lingerSince = 0
  readonly out: Out
  readonly encoder: HpackEncoder
  private left = LINGER_BYTES_MAX
  private waiting: H2Stream[] = [] // have more to send than the windows allow
  private stalled: H2Stream[] = [] // have more to send once the client has read
  private unread = 0 // control frames since the client stopped to read
  private lastCallAt = 0 // when the first of two GOAWAYs was sent; 0 while none was

  constructor(socket: Socket, point: EntryPoint, tls: TlsFacts | null, now: number) {
    super(socket, point, tls, now)
    this.progressAt = now
    this.out = new Out(socket)
    this.encoder = new HpackEncoder(Math.min(4096, point.plan.http2.encoderTableBytesMax))
    socket.owner = this
    this.greet()
  }

  // Ours may go out before the client's preface is whole (RFC 9113, section 3.4).
  private greet(): void {
    const { http2 } = this.point.plan
    const payload = settingsPayload({
      streamsMax: http2.maxConcurrentStreams,
      tableBytesMax: http2.decoderTableBytesMax,
      headBytesMax: this.point.bounds.headBytesMax,
    })
    this.sendControl(SETTINGS, 0, payload, 0, payload.length)
    this.windowUpdate(0, CONNECTION_WINDOW - WINDOW_START)
  }

  // ---- what streams ask for

  // False: the client reads too slowly for more; stall() tells when that is over.
  hasRoom(): boolean {
    return this.socket.held === 0 || this.socket.heldBytes < this.point.slowReaderBytes
  }

  stall(stream: H2Stream): void {
    if (stream.stalled) return
    stream.stalled = true
    this.stalled.push(stream)
  }

  // A header block as HEADERS and as many CONTINUATIONs as it takes. Returns the place of the first one's payload.
  sendBlock(id: number, flags: number, block: Buffer, length: number): number {
    const first = Math.min(length, FRAME_BYTES_MAX)
    const last = first === length
    const place = this.out.begin(HEADERS, last ? flags | END_HEADERS : flags, id, first)
    block.copy(this.out.payload, place, 0, first)
    for (let at = first; at < length; at += FRAME_BYTES_MAX) {
      const piece = Math.min(length - at, FRAME_BYTES_MAX)
      const ends = at + piece === length
      const to = this.out.begin(CONTINUATION, ends ? END_HEADERS : 0, id, piece)
      block.copy(this.out.payload, to, at, at + piece)
    }
    return place
  }

  reset(id: number, code: number): void {
    this.noteReset(id)
    const at = this.out.begin(RST_STREAM, 0, id, 4)
    this.out.payload.writeUInt32BE(code, at)
  }

  windowUpdate(id: number, bytes: number): void {
    const at = this.out.begin(WINDOW_UPDATE, 0, id, 4)
    this.out.payload.writeUInt32BE(bytes, at)
    this.calm.earnFrames()
  }

  // The stream is through.
  forget(stream: H2Stream): void {
    if (!this.streams.delete(stream.id)) return
    this.noteClosed(stream.id)
    if (this.streams.size > 0) return
    this.activeAt = this.point.context.sweeper.now
    if (this.phase === LEAVING && this.finalId !== WINDOW_MAX) this.linger()
  }

  // An exchange that never was a request: it is not accounted for.
  release(exchange: LiveExchange): void {
    exchange.point = null
    exchange.downstream = null
    finish(exchange, DOWNSTREAM_DONE | UPSTREAM_DONE)
  }

  // ---- control frames

  // A client that does not read what it makes us answer gets no more answers.
  protected sendControl(
    type: number,
    flags: number,
    payload: Buffer,
    from: number,
    to: number,
  ): void {
    if (this.hasRoom()) this.unread = 0
    else if (++this.unread > UNREAD_MAX) return this.fail(H2_FRAMES, ENHANCE_YOUR_CALM)
    const at = this.out.begin(type, flags, 0, to - from)
    payload.copy(this.out.payload, at, from, to)
  }

  private goaway(lastId: number, code: number): void {
    const at = this.out.begin(GOAWAY, 0, 0, 8)
    this.out.payload.writeUInt32BE(lastId, at)
    this.out.payload.writeUInt32BE(code, at + 4)
  }

  // The connection shall end when what is under way is done. Twice, so that no request that is on its way is lost:
  // the first GOAWAY refuses nothing, and whatever comes before the answer to its PING is still served (RFC
  // 9113, section 6.8).
  leave(): void {
    if (this.phase !== OPEN) return
    this.phase = LEAVING
    this.lastCallAt = this.point.context.sweeper.now
    this.goaway(WINDOW_MAX, NO_ERROR)
    this.sendControl(PING, 0, LAST_CALL, 0, LAST_CALL.length)
  }

  protected pingAnswered(): void {
    if (this.phase === LEAVING) this.lastWord()
  }

  private lastWord(): void {
    if (this.finalId !== WINDOW_MAX) return
    this.finalId = this.lastId
    this.goaway(this.lastId, NO_ERROR)
    if (this.streams.size === 0) this.linger()
  }

  // The stream has bytes for which there is no window.
  queue(stream: H2Stream): void {
    if (stream.queued) return
    stream.queued = true
    this.waiting.push(stream)
  }

  // A window has opened, or the client has read: all who wait take turns, a frame each, until nobody gets on.
  protected sendPending(): void {
    let idle = 0
    while (this.waiting.length > idle && this.sendWindow > 0 && this.hasRoom()) {
      const stream = this.waiting.shift()!
      stream.queued = false
      if (!stream.isBlocked) continue
      const moves = stream.sendWindow > 0
      if (moves) stream.sendPiece()
      if (stream.isBlocked) this.queue(stream)
      idle = moves ? 0 : idle + 1
    }
  }

  onWritable(): void {
    if (this.phase >= LINGER) return
    this.sendPending()
    const list = this.stalled
    this.stalled = []
    for (const stream of list) {
      stream.stalled = false
      if (stream.exchange !== null && !stream.isBlocked)
        pipeline.downstreamWritable(stream.exchange)
    }
  }

  // ---- endings

  // The client has broken the protocol or our patience: GOAWAY, and everything under way ends.
  fail(code: number, error: number): void {
    if (this.phase >= LINGER) return
    this.point.context.countError(code)
    this.goaway(this.lastId, error)
    this.dropStreams(CLIENT_GONE)
    this.linger()
  }

  private dropStreams(code: number): void {
    const streams = [...this.streams.values()]
    this.phase = Math.max(this.phase, LINGER)
    for (const stream of streams) stream.gone(code)
  }

  // What was said is still delivered; what still comes is thrown away. Closing at once would reset the connection
  // and could take the GOAWAY with it.
  private linger(): void {
    if (this.lingerSince > 0 || this.phase === CLOSED) return
    this.phase = LINGER
    this.lingerSince = this.point.context.sweeper.now
    this.out.flush()
    this.socket.end()
    if (this.inputEnded) this.close()
  }

  protected throwAway(bytes: number): void {
    this.left -= bytes
    if (this.left < 0) this.close()
  }

  // A client that will send no more can open no window and take nothing back: it is gone, as it is for others who
  // speak HTTP/2. Waiting as HTTP/1 does would let a call without an end outlive the process that made it.
  onEnd(): void {
    this.inputEnded = true
    if (this.phase >= LINGER) return this.close()
    this.dropStreams(CLIENT_GONE)
    this.linger()
  }

  onGone(_reason: string): void {
    this.end(CLIENT_GONE)
  }

  private end(code: number): void {
    if (this.phase === CLOSED) return
    this.dropStreams(code)
    this.close()
  }

  // The time for draining is over.
  cut(isLast: boolean): number {
    const busy = this.streams.size > 0 ? 1 : 0
    if (!isLast && this.endWebSockets()) return busy
    if (this.phase < LINGER) this.goaway(this.lastId, NO_ERROR)
    this.out.flush()
    this.end(DRAINING)
    return busy
  }

  // False: there is none. All other streams end at once.
  private endWebSockets(): boolean {
    const streams = [...this.streams.values()]
    const others = streams.filter(({ exchange }) => exchange === null || !goAway(exchange))
    if (others.length === streams.length) return false
    this.leave()
    this.lastWord()
    for (const stream of others) stream.giveUp(DRAINING, CANCEL)
    this.out.flush()
    return true
  }

  close(): void {
    if (this.phase === CLOSED) return
    this.phase = CLOSED
    this.out.drop()
    this.stalled = []
    this.waiting = []
    this.socket.close()
    this.point.connectionClosed(this)
  }

  // After a defect: whatever it was doing, this connection ends and the worker goes on.
  abandon(): void {
    try {
      this.end(INTERNAL)
    } catch (defect) {
      tellDefect(defect)
      this.close()
    }
  }

  // ---- time

  onTick(now: number): void {
    this.calm.refill(now)
    if (this.lastCallAt > 0 && now - this.lastCallAt > 1000) this.lastWord()
    const code = connectionOverdue(this, now)
    if (code === NONE) return this.quietEnd()
    if (code > 0) {
      if (this.phase === LINGER) return this.close()
      if (code === HEADER_TIMEOUT) return this.fail(code, NO_ERROR)
      return this.end(code)
    }
    if (this.mustLeave(now)) this.leave()
    for (const stream of this.streams.values()) {
      const fault = streamOverdue(this, stream, now)
      if (fault > 0) stream.late(fault)
    }
  }

  private quietEnd(): void {
    if (this.phase >= LINGER) return this.close()
    this.goaway(this.lastId, NO_ERROR)
    this.linger()
  }

  private mustLeave(now: number): boolean {
    if (this.phase !== OPEN) return false
    const { times, context, draining } = this.point
    if (draining || context.overload.closesConnections) return true
    if (times.keepAliveMaxRequests > 0 && this.requests >= times.keepAliveMaxRequests) return true
    return times.keepAliveMaxTimeMs > 0 && now - this.bornAt > times.keepAliveMaxTimeMs
  }
}
