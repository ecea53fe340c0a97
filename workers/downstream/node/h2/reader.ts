// workers/downstream/node/h2/reader.ts: the reading half of an HTTP/2 connection: frames in, streams out.
//
// Owner:  see connection.ts, which is the writing half and the same object; two files for two directions.
// Hot:    yes.
//
//   PREFACE --24 bytes--> OPEN --GOAWAY, ours--> LEAVING --no stream left--> LINGER --> CLOSED
//                           '---error: GOAWAY---------------------------------^
//
// Requests begin when everything that arrived with them was looked at: one that is reset in the same read never
// reaches a server (CVE-2023-44487), and those that came together go out together.

import { Buffer } from 'node:buffer'
import { BODY_CHUNKED, BODY_NONE, SAW_UPGRADE } from '../../../../core/exchange.ts'
import {
  CLIENT_GONE,
  H2_BLOCK,
  H2_COMPRESSION,
  H2_FRAMES,
  H2_HEAD,
  H2_LENGTH,
  H2_PROTOCOL,
  H2_RESETS,
  NONE,
  errorTable,
} from '../../../../core/errors.ts'
import { ForwardedCache } from '../../../../core/forwarded.ts'
import { Calm } from '../../../../core/h2/calm.ts'
import {
  ACK,
  COMPRESSION_ERROR,
  CONTINUATION,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  FRAME,
  FRAME_SIZE_ERROR,
  FrameReader,
  GOAWAY,
  HAS_PRIORITY,
  HEADERS,
  MORE,
  NO_ERROR,
  PADDED,
  PING,
  PREFACE,
  PRIORITY,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  RST_STREAM,
  SETTINGS,
  STREAM_CLOSED,
  WINDOW_MAX,
  WINDOW_START,
  WINDOW_UPDATE,
} from '../../../../core/h2/frames.ts'
import { HpackDecoder } from '../../../../core/h2/hpack-decoder.ts'
import type { HpackEncoder } from '../../../../core/h2/hpack-encoder.ts'
import { RequestHead } from '../../../../core/h2/request-head.ts'
import { RequestTrailers } from '../../../../core/h2/request-trailers.ts'
import type { TlsFacts } from '../../../../core/exchange.ts'
import { randomBytes } from 'node:crypto'
import type { EntryPoint } from '../../../entry-point.ts'
import { HeadBuffer } from '../../../head-buffer.ts'
import { type LiveExchange, leaseExchange } from '../../../live-exchange.ts'
import * as pipeline from '../../../pipeline.ts'
import type { Socket } from '../../../socket.ts'
import { CONNECTION_WINDOW, PeerSettings, STREAM_WINDOW } from './settings.ts'
import { H2Stream } from './stream.ts'
import type { H2Connection } from './connection.ts'

// What the connection is doing.
export const AT_PREFACE = 0
export const OPEN = 1
export const LEAVING = 2 // GOAWAY was sent: what is under way is finished
export const LINGER = 3 // nothing is sent any more; what still comes is thrown away
export const CLOSED = 4

const BLOCK_FRAMES_MAX = 64 // HEADERS and its CONTINUATIONs; five carry 64 KiB
const CLOSED_KEPT = 128 // ids of ended streams that are told apart from ones that never were
const SETTINGS_COST = 10 // an answer, and maybe work for every stream
const REFUSED_COST = 1
const MALFORMED_COST = 5

const requestHead = new RequestHead()
const peerSettings = new PeerSettings()
const ignored = { field(): void {} }

// RFC 6455, section 4.1: what a server of HTTP/1 wants to see answered. Nobody else looks at it.
function webSocketKey(): string {
  return randomBytes(16).toString('base64')
}

export abstract class H2Reader {
  phase = AT_PREFACE
  readonly socket: Socket
  readonly point: EntryPoint
  readonly tls: TlsFacts | null
  readonly forwarded = new ForwardedCache()
  readonly streams = new Map<number, H2Stream>()
  readonly calm: Calm
  readonly streamWindow = STREAM_WINDOW
  readonly bornAt: number
  sendWindow = WINDOW_START // of the connection: what we may send
  peerWindow = WINDOW_START // of a new stream
  inboxBytes = 0 // that wait for servers, in all streams
  activeAt: number
  waitingSince = 0 // of a frame or header block that is in pieces; 0 when there is none
  lastId = 0 // the highest stream of the client
  requests = 0
  inputEnded = false
  protected gotSettings = false
  protected finalId = WINDOW_MAX // streams above it are not looked at: our GOAWAY said so
  protected clientAddress = ''
  protected clientPort = 0
  protected receiveWindow = CONNECTION_WINDOW
  private credit = 0 // bytes received that the client was not given back yet
  private prefaceAt = 0
  private readonly frames = new FrameReader()
  private readonly decoder: HpackDecoder
  private block: HeadBuffer | null = null // of a header block in several frames
  private blockId = 0 // the stream whose CONTINUATION must be next; 0 for none
  private blockEnds = false // END_STREAM
  private blockFrames = 0
  private fresh: H2Stream[] = [] // complete heads that were not begun yet
  private touched: H2Stream[] = [] // bodies that have moved in this read
  private readonly closedIds = new Int32Array(CLOSED_KEPT)
  private closedAt = 0
  private readonly resetIds = new Int32Array(CLOSED_KEPT) // by us: frames of theirs may still be on their way
  private resetAt = 0

  constructor(socket: Socket, point: EntryPoint, tls: TlsFacts | null, now: number) {
    this.socket = socket
    this.point = point
    this.tls = tls
    this.bornAt = now
    this.activeAt = now
    this.calm = new Calm(now)
    this.decoder = new HpackDecoder(point.plan.http2.decoderTableBytesMax)
  }

  // ---- bytes

  onBytes(bytes: Buffer, length: number): void {
    this.read(bytes, 0, length)
  }

  read(bytes: Buffer, at: number, end: number): void {
    this.activeAt = this.point.context.sweeper.now
    if (this.phase === AT_PREFACE) at = this.readPreface(bytes, at, end)
    const { frames } = this
    while (this.phase === OPEN || this.phase === LEAVING) {
      const event = frames.next(bytes, at, end)
      at = frames.pos
      if (event === MORE) {
        if (frames.error !== NO_ERROR) this.fail(H2_PROTOCOL, frames.error)
        break
      }
      if (event === FRAME) this.takeFrame()
      else this.takePiece()
      if (at >= end) break
    }
    if (this.phase === LINGER) return this.throwAway(end - at)
    this.noteWaiting()
    this.beginFresh()
    this.flushTouched()
  }

  private readPreface(bytes: Buffer, at: number, end: number): number {
    while (at < end && this.prefaceAt < PREFACE.length) {
      if (bytes[at] !== PREFACE.charCodeAt(this.prefaceAt)) {
        this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
        return end
      }
      at++
      this.prefaceAt++
    }
    if (this.prefaceAt === PREFACE.length) this.phase = OPEN
    return at
  }

  private noteWaiting(): void {
    const waits = this.phase === AT_PREFACE || this.blockId !== 0 || this.frames.isWaiting
    if (!waits) this.waitingSince = 0
    else if (this.waitingSince === 0) this.waitingSince = this.activeAt
  }

  private beginFresh(): void {
    while (this.fresh.length > 0 && this.phase < LINGER) {
      const list = this.fresh
      this.fresh = []
      for (const stream of list) if (stream.exchange !== null) stream.begin()
    }
  }

  // The body of this stream has moved: its server gets what was gathered at the end of the read.
  touch(stream: H2Stream): void {
    if (this.touched.length === 0 || this.touched[this.touched.length - 1] !== stream)
      this.touched.push(stream)
  }

  private flushTouched(): void {
    if (this.touched.length === 0) return
    for (const { exchange } of this.touched) if (exchange !== null) pipeline.requestFlush(exchange)
    this.touched.length = 0
  }

  // ---- frames

  private takeFrame(): void {
    const { frames } = this
    const { type, streamId } = frames
    if (!this.gotSettings && (type !== SETTINGS || (frames.flags & ACK) !== 0))
      return this.fail(H2_PROTOCOL, PROTOCOL_ERROR) // RFC 9113, section 3.4
    if (this.blockId !== 0 && (type !== CONTINUATION || streamId !== this.blockId))
      return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    switch (type) {
      case HEADERS:
        return this.takeHeaders()
      case CONTINUATION:
        return this.takeContinuation()
      case RST_STREAM:
        return this.takeReset(streamId)
      case SETTINGS:
        return this.takeSettings()
      case PING:
        return this.takePing()
      case GOAWAY:
        return this.leave()
      case WINDOW_UPDATE:
        return this.takeWindowUpdate(streamId)
      case PRIORITY:
        return this.takePriority(streamId)
      default:
        this.spend(1) // an unknown type
    }
  }

  private spend(cost: number): void {
    if (!this.calm.spendFrame(cost)) this.fail(H2_FRAMES, ENHANCE_YOUR_CALM)
  }

  private takePiece(): void {
    const { frames } = this
    const { streamId, from, to } = frames
    if (!this.gotSettings || this.blockId !== 0) return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    const stream = this.streams.get(streamId)
    if (frames.takeBegun() && !this.beginData(stream, streamId)) return
    if (stream === undefined) return
    const ends = frames.dataDone && (frames.flags & END_STREAM) !== 0
    if (to > from && !stream.takeData(frames.payload, from, to)) return this.failLength(stream)
    if (ends && stream.remoteOpen && !stream.takeEnd(null)) this.failLength(stream)
  }

  private failLength(stream: H2Stream): void {
    this.spendReset(MALFORMED_COST)
    if (this.phase < LINGER) stream.fail(H2_LENGTH, PROTOCOL_ERROR)
  }

  // Flow control counts whole frames, padding included. False: its stream takes no DATA.
  private beginData(stream: H2Stream | undefined, id: number): boolean {
    const { length, flags } = this.frames
    this.receiveWindow -= length
    if (this.receiveWindow < 0) {
      this.fail(H2_PROTOCOL, FLOW_CONTROL_ERROR)
      return false
    }
    this.giveCredit(length)
    if (stream === undefined) return this.refuseData(id)
    if (!stream.remoteOpen) {
      this.fail(H2_PROTOCOL, STREAM_CLOSED)
      return false
    }
    stream.receiveWindow -= length
    if (stream.receiveWindow < 0) {
      this.spendReset(MALFORMED_COST)
      if (this.phase < LINGER) stream.fail(H2_PROTOCOL, FLOW_CONTROL_ERROR)
      return false
    }
    if ((flags & PADDED) !== 0) stream.creditPadding(this.frames.paddingBytes)
    if (length === 0 && (flags & END_STREAM) === 0) this.spend(1)
    return true
  }

  // What we have reset may still be sent to for a while; what has ended may not.
  private refuseData(id: number): boolean {
    if (id > this.finalId || this.resetIds.includes(id)) return false
    this.fail(H2_PROTOCOL, id > this.lastId ? PROTOCOL_ERROR : STREAM_CLOSED)
    return false
  }

  // The connection's window is opened as bytes come: one server that does not read must not hold up the others.
  // Only when much waits for servers is it kept shut.
  private giveCredit(bytes: number): void {
    this.credit += bytes
    if (this.credit < CONNECTION_WINDOW / 2) return
    if (this.inboxBytes > this.point.bounds.bufferedBytesMax) return
    this.receiveWindow += this.credit
    this.windowUpdate(0, this.credit)
    this.credit = 0
  }

  // ---- header blocks

  private takeHeaders(): void {
    const { frames } = this
    const { flags, streamId, payload } = frames
    let { from, to } = frames
    if ((streamId & 1) === 0) return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    if ((flags & PADDED) !== 0) {
      if (from === to) return this.fail(H2_PROTOCOL, FRAME_SIZE_ERROR)
      to -= payload[from]!
      from++
    }
    let dependsOnItself = false
    if ((flags & HAS_PRIORITY) !== 0) {
      if (to - from < 5) return this.fail(H2_PROTOCOL, FRAME_SIZE_ERROR)
      dependsOnItself = (payload.readUInt32BE(from) & WINDOW_MAX) === streamId
      from += 5
    }
    if (to < from || dependsOnItself) return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    this.blockEnds = (flags & END_STREAM) !== 0
    if ((flags & END_HEADERS) !== 0) return this.takeBlock(streamId, payload, from, to)
    this.blockId = streamId
    this.blockFrames = 1
    this.block = new HeadBuffer()
    this.block.append(payload, from, to)
  }

  private takeContinuation(): void {
    const { frames, block, blockId } = this
    if (blockId === 0 || block === null) return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    block.append(frames.payload, frames.from, frames.to)
    this.blockFrames++
    const whole = (frames.flags & END_HEADERS) !== 0
    if (this.blockFrames > BLOCK_FRAMES_MAX || block.length > this.point.bounds.headBytesMax)
      return this.fail(H2_BLOCK, ENHANCE_YOUR_CALM)
    if (!whole) return
    this.blockId = 0
    this.block = null
    this.takeBlock(blockId, block.bytes, 0, block.length)
  }

  private takeBlock(id: number, bytes: Buffer, from: number, to: number): void {
    const stream = this.streams.get(id)
    if (stream !== undefined) return this.takeTrailers(stream, bytes, from, to)
    if (id > this.finalId || (id <= this.lastId && this.resetIds.includes(id)))
      return this.skipBlock(bytes, from, to)
    if (id <= this.lastId) {
      const ended = this.closedIds.includes(id)
      return this.fail(H2_PROTOCOL, ended ? STREAM_CLOSED : PROTOCOL_ERROR)
    }
    this.lastId = id
    if (this.streams.size >= this.point.plan.http2.maxConcurrentStreams) {
      this.skipBlock(bytes, from, to)
      this.reset(id, REFUSED_STREAM)
      return this.spendReset(REFUSED_COST)
    }
    this.openStream(id, bytes, from, to)
  }

  // The decoder has to see every block.
  private skipBlock(bytes: Buffer, from: number, to: number): void {
    if (!this.decoder.decode(bytes, from, to, ignored)) this.fail(H2_COMPRESSION, COMPRESSION_ERROR)
  }

  private openStream(id: number, bytes: Buffer, from: number, to: number): void {
    const exchange = leaseExchange()
    requestHead.begin(exchange, this.point.bounds)
    const decoded = this.decoder.decode(bytes, from, to, requestHead)
    const code = requestHead.finish(webSocketKey)
    if (!decoded) {
      this.release(exchange)
      return this.fail(H2_COMPRESSION, COMPRESSION_ERROR)
    }
    const ended = this.blockEnds
    const stream = new H2Stream(this as unknown as H2Connection, id, exchange, ended, this.activeAt)
    this.streams.set(id, stream)
    this.introduce(exchange, stream)
    if (code !== NONE) return this.refuseHead(stream, code)
    stream.isConnect = requestHead.isConnect
    if (!ended && !stream.isConnect && exchange.bodyKind === BODY_NONE)
      exchange.bodyKind = BODY_CHUNKED
    if (ended && exchange.bodyLength > 0) return this.failLength(stream)
    if (stream.isConnect && (ended || (exchange.facts & SAW_UPGRADE) === 0))
      return this.refuseHead(stream, H2_HEAD)
    this.fresh.push(stream)
  }

  private introduce(exchange: LiveExchange, stream: H2Stream): void {
    if (this.clientAddress === '') this.learnPeer()
    this.requests++
    exchange.downstream = stream
    exchange.point = this.point
    exchange.clientAddress = this.clientAddress
    exchange.clientPort = this.clientPort
    exchange.entryPoint = this.point.name
    exchange.tls = this.tls
    exchange.secure = this.tls !== null
    exchange.http2 = true
  }

  protected learnPeer(): void {
    const peer: { address?: string; port?: number } = {}
    this.socket.peer(peer)
    const address = peer.address ?? ''
    this.clientAddress = address.startsWith('::ffff:') ? address.slice(7) : address
    this.clientPort = peer.port ?? 0
  }

  // A malformed request is an error of its stream (RFC 9113, section 8.1.1); what HTTP/1 answers without closing
  // in anger (431, 501) is an answer here as well.
  private refuseHead(stream: H2Stream, code: number): void {
    const malformed = errorTable[code]!.status === 400
    this.spendReset(MALFORMED_COST)
    if (this.phase >= LINGER) return
    if (malformed) stream.fail(code, PROTOCOL_ERROR)
    else stream.refuse(code)
  }

  private takeTrailers(stream: H2Stream, bytes: Buffer, from: number, to: number): void {
    const trailers = new RequestTrailers()
    trailers.begin()
    if (!this.decoder.decode(bytes, from, to, trailers))
      return this.fail(H2_COMPRESSION, COMPRESSION_ERROR)
    if (!stream.remoteOpen) return this.fail(H2_PROTOCOL, STREAM_CLOSED)
    const code = this.blockEnds && !stream.isConnect ? trailers.finish() : H2_HEAD
    if (code !== NONE) {
      this.spendReset(MALFORMED_COST)
      if (this.phase < LINGER) stream.fail(code, PROTOCOL_ERROR)
    } else if (!stream.takeEnd(trailers.head)) this.failLength(stream)
  }

  // ---- the other frames

  private takeReset(id: number): void {
    if (id > this.lastId) return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    const stream = this.streams.get(id)
    if (stream === undefined) return this.spend(1)
    this.spendReset(1)
    if (this.phase < LINGER) stream.gone(CLIENT_GONE)
  }

  protected spendReset(cost: number): void {
    if (!this.calm.spendReset(cost)) this.fail(H2_RESETS, ENHANCE_YOUR_CALM)
  }

  private takeSettings(): void {
    const { flags, payload, from, to } = this.frames
    if ((flags & ACK) !== 0) return this.spend(1)
    this.gotSettings = true
    this.spend(SETTINGS_COST)
    if (this.phase >= LINGER) return
    const error = peerSettings.read(payload, from, to)
    if (error !== NO_ERROR) return this.fail(H2_PROTOCOL, error)
    const { tableBytes, window } = peerSettings
    if (tableBytes >= 0)
      this.encoder.resize(Math.min(tableBytes, this.point.plan.http2.encoderTableBytesMax))
    if (window >= 0 && !this.setPeerWindow(window))
      return this.fail(H2_PROTOCOL, FLOW_CONTROL_ERROR)
    this.sendControl(SETTINGS, ACK, payload, from, from)
  }

  private setPeerWindow(window: number): boolean {
    const change = window - this.peerWindow
    this.peerWindow = window
    for (const stream of this.streams.values()) {
      stream.sendWindow += change
      if (stream.sendWindow > WINDOW_MAX) return false
    }
    if (change > 0) this.sendPending()
    return true
  }

  private takePing(): void {
    const { flags, payload, from, to } = this.frames
    this.spend(1)
    if (this.phase >= LINGER) return
    if ((flags & ACK) !== 0) return this.pingAnswered()
    this.sendControl(PING, ACK, payload, from, to)
  }

  private takePriority(id: number): void {
    const { payload, from, to } = this.frames
    if (to - from !== 5) return this.fail(H2_PROTOCOL, FRAME_SIZE_ERROR)
    if ((payload.readUInt32BE(from) & WINDOW_MAX) === id)
      return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    this.spend(1) // deprecated by RFC 9113, section 5.3: nothing follows from it
  }

  private takeWindowUpdate(id: number): void {
    const { payload, from } = this.frames
    const increment = payload.readUInt32BE(from) & WINDOW_MAX
    this.spend(1)
    if (this.phase >= LINGER) return
    if (id === 0) return this.openConnection(increment)
    if (id > this.lastId) return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    const stream = this.streams.get(id)
    if (stream === undefined) return
    stream.sendWindow += increment
    if (increment > 0 && stream.sendWindow <= WINDOW_MAX) return stream.sendPending()
    this.spendReset(MALFORMED_COST)
    const error = increment === 0 ? PROTOCOL_ERROR : FLOW_CONTROL_ERROR
    if (this.phase < LINGER) stream.giveUp(CLIENT_GONE, error)
  }

  private openConnection(increment: number): void {
    this.sendWindow += increment
    if (increment === 0) return this.fail(H2_PROTOCOL, PROTOCOL_ERROR)
    if (this.sendWindow > WINDOW_MAX) return this.fail(H2_PROTOCOL, FLOW_CONTROL_ERROR)
    this.sendPending()
  }

  // ---- streams that are no more

  protected noteClosed(id: number): void {
    this.closedIds[this.closedAt++ & (CLOSED_KEPT - 1)] = id
  }

  protected noteReset(id: number): void {
    this.resetIds[this.resetAt++ & (CLOSED_KEPT - 1)] = id
  }

  // ---- the writing half

  abstract readonly encoder: HpackEncoder
  abstract release(exchange: LiveExchange): void
  abstract reset(id: number, code: number): void
  abstract windowUpdate(id: number, bytes: number): void
  protected abstract sendControl(
    type: number,
    flags: number,
    payload: Buffer,
    from: number,
    to: number,
  ): void
  protected abstract sendPending(): void
  protected abstract pingAnswered(): void
  protected abstract throwAway(bytes: number): void
  abstract leave(): void
  abstract fail(code: number, error: number): void
}
