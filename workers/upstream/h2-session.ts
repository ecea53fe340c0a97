// workers/upstream/h2-session.ts: one HTTP/2 connection to a server, shared by many exchanges.
//
// Owner:  its H2Pool. node:http2 does frames, HPACK and windows; what is counted, timed and retried is here.
// Hot:    begin, flushSoon.
//
//             SETTINGS of the server          GOAWAY, too old, not used, told to
//   OPENING -------------------------> OPEN ------------------------------------> DRAINING
//      '-------------------------------'---- socket or protocol failed ---------------'----> CLOSED
//
// New streams begin in OPEN only. The server's SETTINGS are waited for because they say how many streams it takes,
// and because nothing has been sent when it turns out that the server does not speak HTTP/2.

import { connect, type ClientHttp2Session } from 'node:http2'
import { HEADER_REPEATED, INTERNAL, UPSTREAM_RESET } from '../../core/errors.ts'
import { BODY_CHUNKED } from '../../core/exchange.ts'
import { fieldsOfHead } from '../../core/h2/upstream-request.ts'
import { HTTP2_STREAMS_MAX, HTTP2_WINDOW_BYTES, responseLimits } from '../../core/limits.ts'
import { type LiveExchange, hasRequestBody } from '../live-exchange.ts'
import * as pipeline from '../pipeline.ts'
import { tellDefect } from '../socket.ts'
import type { Swept } from '../sweeper.ts'
import type { ByteStream } from './contract.ts'
import type { H2Pool } from './h2-pool.ts'
import { H2Stream } from './h2-stream.ts'

export const OPENING = 0
export const OPEN = 1
export const DRAINING = 2
export const CLOSED = 3

const STREAM_IDS_MAX = 2 ** 30 - 1024 // odd numbers below 2^31; then a new session is due
const SESSION_MEMORY_MB = 64 // of headers and frames in work inside node:http2
const REQUEST_HEAD_BYTES_MAX = 256 * 1024 // as HTTP/1 servers may get, forwarded lines included

// A field counts 32 bytes more than its text (RFC 9113, section 6.5.2); one line is ":status".
const headerListBytes = responseLimits.headBytesMax + 32 * (responseLimits.headerCountMax + 1)

const sessionOptions = {
  settings: {
    enablePush: false,
    initialWindowSize: HTTP2_WINDOW_BYTES,
    maxHeaderListSize: headerListBytes,
  },
  maxHeaderListPairs: responseLimits.headerCountMax + 1,
  maxSendHeaderBlockLength: REQUEST_HEAD_BYTES_MAX,
  maxSessionMemory: SESSION_MEMORY_MB,
}

export class H2Session implements Swept {
  state: typeof OPENING | typeof OPEN | typeof DRAINING | typeof CLOSED = OPENING
  sweepIndex = -1
  served = 0 // responses that ended well
  speaksWebSocket = false // RFC 8441: the server takes extended CONNECT
  readonly pool: H2Pool
  private readonly session: ClientHttp2Session
  private readonly socket: ByteStream
  private readonly scheme: 'http' | 'https'
  private readonly bornAt: number
  private readonly streams: H2Stream[] = []
  private readonly dirty: H2Stream[] = [] // their clients' connections hold bytes back
  private flushing = false
  private wasOpen = false
  private limit = 0 // streams at once, by the server's SETTINGS
  private begun = 0
  private quietSince: number // sweeper's clock: no stream since then
  private readAt: number // when bytesRead was seen to grow
  private readBytes = 0
  private pingedAt = 0 // 0: no ping is under way
  private readonly flushAll = (): void => this.flushDirty() // made once: setImmediate needs a function

  constructor(pool: H2Pool, socket: ByteStream, secure: boolean) {
    this.pool = pool
    this.socket = socket
    this.scheme = secure ? 'https' : 'http'
    const { now } = this
    this.bornAt = now
    this.quietSince = now
    this.readAt = now
    const createConnection = (): ByteStream => socket
    this.session = connect('http://localhost', { ...sessionOptions, createConnection })
    this.listen()
  }

  private listen(): void {
    const { session } = this
    session.on('remoteSettings', (settings) => {
      const { maxConcurrentStreams, enableConnectProtocol } = settings
      this.limit = Math.min(maxConcurrentStreams ?? HTTP2_STREAMS_MAX, HTTP2_STREAMS_MAX)
      this.speaksWebSocket = enableConnectProtocol === true
      if (this.state !== OPENING) return this.pool.roomMade()
      this.state = OPEN
      this.wasOpen = true
      this.pool.opened(this)
    })
    session.on('goaway', (_code, lastStreamId) => this.onGoaway(lastStreamId))
    session.on('error', () => this.lose())
    session.on('close', () => this.lose())
  }

  get now(): number {
    return this.pool.server.context.sweeper.now
  }

  get hasRoom(): boolean {
    return this.state === OPEN && this.streams.length < this.limit
  }

  // The connection has died or was given up. Streams hear of it before the session does.
  get isGone(): boolean {
    return this.session.destroyed
  }

  get isOpen(): boolean {
    return this.state === OPEN
  }

  get active(): number {
    return this.streams.length
  }

  // The caller has seen that there is room.
  begin(exchange: LiveExchange, head: string): void {
    const fields = fieldsOfHead(head, this.scheme, this.pool.server.address.authority)
    const hasBody = hasRequestBody(exchange)
    try {
      const stream = this.session.request(fields as never, {
        endStream: !hasBody,
        waitForTrailers: hasBody && exchange.bodyKind === BODY_CHUNKED,
      })
      const owner = new H2Stream(this, exchange, stream)
      owner.index = this.streams.length
      this.streams.push(owner)
      this.begun++
      exchange.upstream = owner
    } catch (fault) {
      this.couldNotBegin(exchange, fault as NodeJS.ErrnoException)
    }
  }

  private couldNotBegin(exchange: LiveExchange, fault: NodeJS.ErrnoException): void {
    if (this.session.destroyed || this.session.closed) {
      this.drain()
      return pipeline.upstreamFailed(exchange, UPSTREAM_RESET, pipeline.RETRY_ANYWHERE)
    }
    // node:http2 sends no second User-Agent, Authorization and the like.
    const isRepeated = fault.code === 'ERR_HTTP2_HEADER_SINGLE_VALUE'
    if (!isRepeated) tellDefect(fault)
    const code = isRepeated ? HEADER_REPEATED : INTERNAL
    pipeline.upstreamFailed(exchange, code, pipeline.RETRY_NEVER)
  }

  responded(): void {
    this.served++
  }

  // A stream of node:http2 has closed: the server counts it no longer.
  closed(stream: H2Stream): void {
    if (stream.index < 0) return
    const last = this.streams.pop()!
    if (last !== stream) {
      this.streams[stream.index] = last
      last.index = stream.index
    }
    stream.index = -1
    if (this.streams.length === 0) {
      this.quietSince = this.now
      if (this.state === DRAINING || this.pool.server.users === 0) return this.close()
      if (this.isWorn()) return this.drain()
    }
    this.pool.roomMade()
  }

  // The server refused a stream though it had announced room: it means fewer than it said.
  refused(): void {
    this.limit = Math.max(1, Math.min(this.limit, this.streams.length))
  }

  private isWorn(): boolean {
    const { lifetimeMs } = this.pool.server.transport
    if (this.begun > STREAM_IDS_MAX) return true
    return lifetimeMs > 0 && this.now - this.bornAt > lifetimeMs
  }

  // Heads and bodies of one turn leave together, as they came.
  flushSoon(stream: H2Stream): void {
    if (stream.flushPlanned) return
    stream.flushPlanned = true
    this.dirty.push(stream)
    if (this.flushing) return
    this.flushing = true
    setImmediate(this.flushAll)
  }

  private flushDirty(): void {
    this.flushing = false
    for (let i = 0; i < this.dirty.length; i++) {
      const stream = this.dirty[i]!
      stream.flushPlanned = false
      stream.flushResponse()
    }
    this.dirty.length = 0
  }

  // ---- endings

  // RFC 9113, section 6.8: streams above `lastStreamId` were not processed and never will be. A server that
  // drains sends 2^31-1 first and the real number later.
  private onGoaway(lastStreamId: number): void {
    this.drain()
    for (const stream of this.streams.slice()) if (stream.id > lastStreamId) stream.neverProcessed()
  }

  // No new streams; those under way go on.
  drain(): void {
    if (this.state === CLOSED) return
    const wasOpening = this.state === OPENING
    this.state = DRAINING
    if (wasOpening) return this.lose()
    this.pool.withdraw(this)
    if (this.streams.length === 0) this.close()
  }

  // GOAWAY goes out, then the connection closes.
  close(): void {
    if (this.state === CLOSED) return
    this.end()
    this.session.close()
  }

  // Streams under way are told by their own 'close'.
  private lose(): void {
    if (this.state === CLOSED) return
    this.end()
    this.session.destroy()
    if (!this.wasOpen) this.pool.failedToOpen(this)
  }

  private end(): void {
    this.state = CLOSED
    this.pool.server.context.sweeper.remove(this)
    this.pool.forget(this)
  }

  abandon(): void {
    this.lose()
  }

  // ---- time

  onTick(now: number): void {
    for (let i = this.streams.length - 1; i >= 0; i--) this.streams[i]?.onTick(now)
    const { transport } = this.pool.server
    if (this.state === OPENING) {
      if (transport.dialTimeoutMs > 0 && now - this.bornAt > transport.dialTimeoutMs) this.lose()
      return
    }
    if (this.isSilent(now)) return this.lose()
    if (this.streams.length > 0 || this.state !== OPEN) return
    const quiet = now - this.quietSince
    if (transport.idleConnTimeoutMs > 0 && quiet > transport.idleConnTimeoutMs) this.close()
  }

  // A ping after readIdleTimeout without a byte from the server; no answer within pingTimeout: it is gone.
  private isSilent(now: number): boolean {
    const { readIdleTimeoutMs, pingTimeoutMs } = this.pool.server.transport
    if (readIdleTimeoutMs === 0) return false
    const { bytesRead } = this.socket
    if (bytesRead !== this.readBytes) {
      this.readBytes = bytesRead
      this.readAt = now
      this.pingedAt = 0
    }
    if (this.pingedAt > 0) return pingTimeoutMs > 0 && now - this.pingedAt > pingTimeoutMs
    if (now - this.readAt > readIdleTimeoutMs) {
      this.pingedAt = now
      this.session.ping(ignore)
    }
    return false
  }
}

function ignore(): void {}
