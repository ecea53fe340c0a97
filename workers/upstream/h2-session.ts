// workers/upstream/h2-session.ts: one HTTP/2 connection to a server, shared by many exchanges.
//
// Owner:  its H2Pool.
// Memory: what is sent is gathered in a pooled buffer for one write per turn (out.ts); what comes is passed on from
//         the worker's read buffer, and waits in a stream only while its client is slow.
// Hot:    begin, and what is read.
//
//             SETTINGS of the server          GOAWAY, too old, not used, told to
//   OPENING -------------------------> OPEN ------------------------------------> DRAINING
//      '-------------------------------'---- socket or protocol failed ---------------'----> CLOSED
//
// New streams begin in OPEN only. The server's SETTINGS are waited for because they say how many streams it takes,
// and because nothing has been sent when it turns out that the server does not speak HTTP/2.
//
// Why not node:http2: measured with the same server, 32 clients of HTTP/1.1: 48 against 13 microseconds of CPU per
// request; it leaves illegal fields out instead of refusing them, and one bad response ends all streams.

import { Buffer } from 'node:buffer'
import { hasRequestBody } from '../../core/exchange.ts'
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FRAME_BYTES_MAX,
  GOAWAY,
  HEADERS,
  NO_ERROR,
  PING,
  PREFACE,
  RST_STREAM,
  SETTINGS,
  WINDOW_START,
  WINDOW_UPDATE,
} from '../../core/h2/frames.ts'
import { RequestBlock } from '../../core/h2/upstream-request.ts'
import {
  HTTP2_CONNECTION_BYTES,
  HTTP2_STREAMS_MAX,
  HTTP2_WINDOW_BYTES,
  responseLimits,
} from '../../core/limits.ts'
import { Out } from '../frames-out.ts'
import type { LiveExchange } from '../live-exchange.ts'
import type { Socket } from '../socket.ts'
import type { Swept } from '../sweeper.ts'
import type { H2Pool } from './h2-pool.ts'
import { H2Reader } from './h2-reader.ts'
import { H2Stream } from './h2-stream.ts'
import { H2Tunnel, asksForWebSocket } from './h2-tunnel.ts'

export const OPENING = 0
export const OPEN = 1
export const DRAINING = 2
export const CLOSED = 3

const REFUSED_MS = 1000 // from a refusal on, the server is not asked for more than it took then
const STREAM_IDS_END = 2 ** 31 - 2048 // then a new session is due
const nothing = Buffer.alloc(0)

// A field counts 32 bytes more than its text (RFC 9113, section 6.5.2).
const headerListBytes = responseLimits.headBytesMax + 32 * responseLimits.headerCountMax

const ourSettings = settings([
  [2, 0], // ENABLE_PUSH
  [4, HTTP2_WINDOW_BYTES], // INITIAL_WINDOW_SIZE
  [6, headerListBytes], // MAX_HEADER_LIST_SIZE
])

function settings(pairs: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6)
  pairs.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6)
    payload.writeUInt32BE(value, i * 6 + 2)
  })
  return payload
}

const block = new RequestBlock()
const small = Buffer.alloc(8)

export class H2Session extends H2Reader implements Swept {
  state: typeof OPENING | typeof OPEN | typeof DRAINING | typeof CLOSED = OPENING
  sweepIndex = -1
  served = 0 // responses that ended well
  readonly pool: H2Pool
  private readonly socket: Socket
  private readonly out: Out
  private readonly scheme: 'http' | 'https'
  private readonly bornAt: number
  private streamsNow = 0 // as many as the server seems to take: what it has announced, or fewer since it refused one
  private refusedAt = 0
  private wasOpen = false
  private quietSince: number // sweeper's clock: no stream since then
  private readAt: number // last byte from the server
  private pingedAt = 0 // 0: no ping is under way

  constructor(pool: H2Pool, socket: Socket, secure: boolean) {
    const { now } = pool.server.context.sweeper
    super(now)
    this.pool = pool
    this.socket = socket
    this.scheme = secure ? 'https' : 'http'
    this.bornAt = now
    this.quietSince = now
    this.readAt = now
    this.out = new Out(socket)
    socket.owner = this
    socket.noDelay()
    socket.resume()
    socket.writeText(PREFACE)
    this.sendFrame(SETTINGS, 0, 0, ourSettings, 0, ourSettings.length)
    this.sendWindowUpdate(0, HTTP2_CONNECTION_BYTES - WINDOW_START)
    this.out.flush()
  }

  get now(): number {
    return this.pool.server.context.sweeper.now
  }

  get hasRoom(): boolean {
    return this.state === OPEN && this.streams.size < this.streamsNow
  }

  get isOpen(): boolean {
    return this.state === OPEN
  }

  get isGone(): boolean {
    return this.state === CLOSED
  }

  get active(): number {
    return this.streams.size
  }

  // The caller has seen that there is room.
  begin(exchange: LiveExchange, head: string): void {
    const id = this.nextId
    this.nextId += 2
    const tunnels = exchange.wantsUpgrade && this.takesConnect && asksForWebSocket(exchange)
    const open = tunnels || hasRequestBody(exchange)
    const stream = tunnels
      ? new H2Tunnel(this, id, exchange, this.peerWindow)
      : new H2Stream(this, id, exchange, !open, this.peerWindow)
    this.streams.set(id, stream)
    exchange.upstream = stream
    const { authority } = this.pool.server.address
    block.write(head, this.scheme, authority, tunnels ? 'websocket' : '')
    this.sendBlock(id, block.bytes, block.length, open ? 0 : END_STREAM)
    if (this.nextId > STREAM_IDS_END) this.drain()
  }

  responded(): void {
    this.served++
    this.calm.earn()
  }

  // The stream has ended on both sides, or was reset.
  remove(stream: H2Stream): void {
    if (!this.streams.delete(stream.id) || this.state === CLOSED) return
    if (this.streams.size === 0) {
      this.quietSince = this.now
      if (this.state === DRAINING || this.pool.server.users === 0) return this.close()
      if (this.isWorn()) return this.drain()
    }
    if (this.pool.isWaitedFor) this.pool.roomMade()
  }

  // The server refused a stream though it had announced room: it means fewer than it said, for now.
  refused(): void {
    this.streamsNow = Math.min(this.streamsNow, Math.max(1, this.streams.size))
    this.refusedAt = this.now
  }

  private isWorn(): boolean {
    const { lifetimeMs } = this.pool.server.transport
    return lifetimeMs > 0 && this.now - this.bornAt > lifetimeMs
  }

  // ---- writing

  // Whether more may be given to the connection: the kernel took what it got.
  get takesMore(): boolean {
    return this.socket.held === 0
  }

  override sendFrame(
    type: number,
    flags: number,
    id: number,
    bytes: Buffer,
    from: number,
    to: number,
  ): void {
    const at = this.out.begin(type, flags, id, to - from)
    if (to > from) bytes.copy(this.out.payload, at, from, to)
  }

  override sendWindowUpdate(id: number, bytes: number): void {
    small.writeUInt32BE(bytes, 0)
    this.sendFrame(WINDOW_UPDATE, 0, id, small, 0, 4)
  }

  sendReset(id: number, code: number): void {
    if (this.state === CLOSED) return
    small.writeUInt32BE(code, 0)
    this.sendFrame(RST_STREAM, 0, id, small, 0, 4)
  }

  sendBlock(id: number, bytes: Buffer, length: number, flags: number): void {
    let to = Math.min(length, FRAME_BYTES_MAX)
    this.sendFrame(HEADERS, flags | (to === length ? END_HEADERS : 0), id, bytes, 0, to)
    while (to < length) {
      const from = to
      to = Math.min(length, from + FRAME_BYTES_MAX)
      this.sendFrame(CONTINUATION, to === length ? END_HEADERS : 0, id, bytes, from, to)
    }
  }

  // As much as both windows allow; returns where it stopped.
  sendData(stream: H2Stream, bytes: Buffer, from: number, to: number): number {
    while (from < to) {
      const room = Math.min(to - from, FRAME_BYTES_MAX, stream.sendWindow, this.sendWindow)
      if (room <= 0) break
      this.sendFrame(DATA, 0, stream.id, bytes, from, from + room)
      stream.sendWindow -= room
      this.sendWindow -= room
      this.calm.earnFrames()
      from += room
    }
    return from
  }

  sendEnd(id: number): void {
    this.sendFrame(DATA, END_STREAM, id, nothing, 0, 0)
  }

  protected override sendPending(): void {
    for (const stream of this.streams.values()) if (stream.hasPending) stream.sendPending()
  }

  override onWritable(): void {
    this.sendPending()
  }

  // ---- what the server says of the connection

  protected override noteRead(): void {
    this.readAt = this.now
    this.pingedAt = 0
  }

  protected override settled(streamsMax: number): void {
    const announced = Math.min(streamsMax, HTTP2_STREAMS_MAX)
    if (announced !== this.streamsMax) this.streamsNow = announced
    this.streamsMax = announced
    if (this.state === OPENING) {
      this.state = OPEN
      this.wasOpen = true
      this.pool.opened(this)
    } else if (this.state === OPEN) this.pool.roomMade()
  }

  // RFC 9113, section 6.8: streams above `lastId` were not processed and never will be. A server that drains sends
  // 2^31-1 first and the real number later.
  protected override onGoaway(lastId: number, code: number): void {
    this.drain()
    for (const stream of Array.from(this.streams.values()))
      if (stream.id > lastId) stream.neverProcessed()
    if (code !== NO_ERROR) this.lose()
  }

  override onEnd(): void {
    this.lose()
  }

  override onGone(_reason: string): void {
    this.lose()
  }

  // ---- endings

  // No new streams; those under way go on.
  drain(): void {
    if (this.state >= DRAINING) return
    if (this.state === OPENING) return this.lose()
    this.state = DRAINING
    this.pool.withdraw(this)
    if (this.streams.size === 0) this.close()
  }

  close(): void {
    if (this.state === CLOSED) return
    this.sayGoaway(NO_ERROR)
    this.end()
  }

  // The server broke a rule of HTTP/2.
  protected override fail(code: number): void {
    if (this.state === CLOSED) return
    this.sayGoaway(code)
    this.lose()
  }

  private sayGoaway(code: number): void {
    small.writeUInt32BE(0, 0)
    small.writeUInt32BE(code, 4)
    this.sendFrame(GOAWAY, 0, 0, small, 0, 8)
    this.out.flush()
  }

  private lose(): void {
    if (this.state === CLOSED) return
    this.end()
    for (const stream of Array.from(this.streams.values())) stream.takeLoss()
    this.flushTouched()
    if (!this.wasOpen) this.pool.failedToOpen(this)
  }

  private end(): void {
    this.state = CLOSED
    this.isClosed = true
    this.out.drop()
    this.socket.close()
    this.pool.server.context.sweeper.remove(this)
    this.pool.forget(this)
  }

  abandon(): void {
    this.lose()
  }

  // ---- time

  onTick(now: number): void {
    this.calm.refill(now)
    for (const stream of this.streams.values()) stream.onTick(now)
    const { dialTimeoutMs, idleConnTimeoutMs } = this.pool.server.transport
    if (this.state === OPENING) {
      if (dialTimeoutMs > 0 && now - this.bornAt > dialTimeoutMs) this.lose()
      return
    }
    if (this.isSilent(now)) return this.lose()
    if (this.streamsNow < this.streamsMax) this.widen(now)
    if (this.streams.size > 0 || this.state !== OPEN) return
    const quiet = now - this.quietSince
    if (quiet > DISOWN_AFTER_MS) this.socket.settle()
    if (idleConnTimeoutMs > 0 && quiet > idleConnTimeoutMs) this.close()
  }

  // What the server could not take at one time it may take later: what it has announced is still its word. By time and not
  // by responses, for those under way may be streams without an end.
  private widen(now: number): void {
    if (now - this.refusedAt < REFUSED_MS) return
    this.streamsNow++
    this.pool.roomMade()
  }

  // A ping after readIdleTimeout without a byte from the server; no answer within pingTimeout: it is gone.
  private isSilent(now: number): boolean {
    const { readIdleTimeoutMs, pingTimeoutMs } = this.pool.server.transport
    if (readIdleTimeoutMs === 0) return false
    if (this.pingedAt > 0) return pingTimeoutMs > 0 && now - this.pingedAt > pingTimeoutMs
    if (now - this.readAt > readIdleTimeoutMs) {
      this.pingedAt = now
      small.fill(0)
      this.sendFrame(PING, 0, 0, small, 0, 8)
    }
    return false
  }
}

const DISOWN_AFTER_MS = 5000 // an idle connection has the kernel ask whether its peer is still there
