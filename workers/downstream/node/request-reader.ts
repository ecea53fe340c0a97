// workers/downstream/node/request-reader.ts: the reading half of a client connection: bytes in, exchanges out.
//
// Owner:  see connection.ts, which is the writing half and the same object; two files for two directions.
// Hot:    yes.
//
// One exchange at a time: what a pipelining client sends on is kept in `pending`, and reading pauses when that
// is full. A head that arrives whole is parsed where it lies, by a parser that all connections share; only a
// head in pieces takes a parser and a buffer of its own.

import { Buffer } from 'node:buffer'
import { CLIENT_GONE, HTTP2_PREFACE, REQUEST_CUT, REQUEST_LINE } from '../../../core/errors.ts'
import {
  BODY_CHUNKED,
  METHOD_CONNECT,
  SAW_CLOSE,
  SAW_KEEP_ALIVE,
  type TlsFacts,
  hasRequestBody,
} from '../../../core/exchange.ts'
import type { Head } from '../../../core/headers.ts'
import { ForwardedCache } from '../../../core/forwarded.ts'
import { ChunkedDecoder, DATA, END, MORE } from '../../../core/h1/chunked.ts'
import { RequestParser } from '../../../core/h1/request.ts'
import { PIPELINED_BYTES_MAX, READ_BUFFER_BYTES } from '../../../core/limits.ts'
import type { EntryPoint } from '../../entry-point.ts'
import { HeadBuffer } from '../../head-buffer.ts'
import { type LiveExchange, leaseExchange } from '../../live-exchange.ts'
import * as pipeline from '../../pipeline.ts'
import { tunnelDownstreamEnded, tunnelFromDownstream } from '../../tunnel.ts'
import { rounds } from '../../rounds.ts'
import type { Socket, SocketOwner } from '../../socket.ts'
import type { Swept } from '../../sweeper.ts'
import type { Downstream } from '../contract.ts'
import { takeOverAsHttp2 } from './h2/serve.ts'
import { BODY, BUSY, CLOSED, HEAD, IDLE, LINGER, TUNNEL, type Phase } from './phase.ts'

let spareParser = new RequestParser()

export abstract class RequestReader implements SocketOwner, Swept {
  sweepIndex = -1
  phase: Phase = IDLE
  exchange: LiveExchange | null = null
  requests = 0
  activeAt = 0 // sweeper's clock: last byte read, or end of the last response
  startedAt = 0 // of the current phase HEAD or BODY
  bodyBytes = 0 // of the current request, for bodyRateMin
  heldBefore = 0 // bytes held at the last tick, to see whether the client reads
  progressAt = 0
  paused = false // reading, because the server or `pending` is full
  readonly bornAt: number
  readonly socket: Socket
  readonly point: EntryPoint
  readonly tls: TlsFacts | null
  readonly forwarded = new ForwardedCache()
  protected clientAddress = ''
  protected clientPort = 0
  protected closing = false // the connection ends with the current response
  protected processing = false // inside process(): endings are picked up by its loop
  protected chunkedOut = false
  private chunkedIn = false // the body of the current request, whatever became of exchange.bodyKind meanwhile
  protected left = 0 // of a request body with a length, or of LINGER
  protected inHand = 0 // bytes behind the head in the same read
  protected out = ''
  protected pending: Buffer | null = null
  protected parser: RequestParser | null = null
  protected partial: HeadBuffer | null = null
  protected inputEnded = false // the client has half-closed
  protected decoder: ChunkedDecoder | null = null

  // The socket is this connection's from here on; `tls` is null for clear text.
  constructor(socket: Socket, point: EntryPoint, tls: TlsFacts | null, now: number) {
    this.point = point
    this.tls = tls
    this.bornAt = now
    this.activeAt = now
    this.socket = socket
    socket.owner = this
    socket.noDelay()
    socket.resume()
  }

  // ---- reading

  onBytes(bytes: Buffer, length: number): void {
    this.activeAt = this.point.context.sweeper.now
    if (this.pending !== null) return this.keepPending(bytes, 0, length)
    this.process(bytes, 0, length)
  }

  protected process(bytes: Buffer, from: number, end: number): void {
    let at = from
    this.processing = true
    while (at < end && this.phase !== CLOSED) {
      // A client that does not read its answers gets no more requests served.
      if (this.phase === IDLE && !this.hasRoom()) this.pauseReading()
      if (this.phase === BUSY || this.paused) {
        this.keepPending(bytes, at, end)
        break
      }
      if (this.phase === BODY) at = this.readBody(bytes, at, end)
      else if (this.phase === IDLE || this.phase === HEAD) at = this.readHead(bytes, at, end)
      else if (this.phase === TUNNEL) at = this.readTunnel(bytes, at, end)
      else at = this.throwAway(at, end)
    }
    this.processing = false
    if (this.exchange !== null) pipeline.requestFlush(this.exchange)
    if (this.out !== '') this.writeOut()
    if (this.phase === HEAD || this.phase === BODY) this.awaitMore(end - from)
    else if (this.socket.roundIndex >= 0) rounds.leave(this.socket)
  }

  private awaitMore(bytes: number): void {
    const { now } = this.point.context.sweeper
    if (rounds.lacks(this.socket, bytes, this.startedAt, now)) this.point.countRested()
  }

  protected readHead(bytes: Buffer, at: number, end: number): number {
    const exchange = this.phase === IDLE ? this.beginHead() : this.exchange!
    let parser = this.parser
    let result: number
    if (parser === null) {
      parser = spareParser
      parser.reset()
      result = parser.parse(exchange, bytes, at, end, this.point.bounds)
      if (result === 0) this.keepHead(parser, bytes, at, end)
    } else {
      const partial = this.partial!
      const before = partial.length
      partial.append(bytes, at, end)
      result = parser.parse(exchange, partial.bytes, 0, partial.length, this.point.bounds)
      if (result > 0) result = at + (result - before)
    }
    if (result === 0) return end
    if (result < 0) return this.failHead(exchange, -result, bytes, at, end)
    this.dropPartial()
    this.inHand = end - result
    this.takeHead(exchange)
    return result
  }

  // What is no head of HTTP/1 may be something else, where nothing else was said before.
  private failHead(
    exchange: LiveExchange,
    code: number,
    bytes: Buffer,
    at: number,
    end: number,
  ): number {
    if (this.requests === 0) {
      if (code === HTTP2_PREFACE && this.tls === null) return this.becomeHttp2(bytes, at, end)
      if (code === REQUEST_LINE && namesNoHttp(bytes, at, end)) {
        this.point.context.countError(code)
        this.giveUp(code)
        return end
      }
    }
    this.dropPartial()
    this.refuse(exchange, code)
    return this.phase === LINGER ? end : at
  }

  // The first bytes are those of HTTP/2 (RFC 9113, section 3.3; with TLS only ALPN leads there): its connection takes socket and bytes over.
  private becomeHttp2(bytes: Buffer, at: number, end: number): number {
    const { partial } = this
    const exchange = this.exchange!
    this.exchange = null
    this.phase = CLOSED
    exchange.point = null
    pipeline.downstreamGone(exchange, CLIENT_GONE)
    if (partial === null) takeOverAsHttp2(this, bytes, at, end)
    else takeOverAsHttp2(this, partial.bytes, 0, partial.length)
    this.dropPartial()
    return end
  }

  protected beginHead(): LiveExchange {
    const exchange = leaseExchange()
    exchange.downstream = this.asDownstream()
    exchange.arriveAt(this.point, this.tls)
    this.exchange = exchange
    this.phase = HEAD
    this.startedAt = this.point.context.sweeper.now
    return exchange
  }

  protected keepHead(parser: RequestParser, bytes: Buffer, at: number, end: number): void {
    this.parser = parser
    spareParser = new RequestParser()
    this.partial = new HeadBuffer()
    this.partial.append(bytes, at, end)
  }

  protected dropPartial(): void {
    this.parser = null
    this.partial = null
  }

  // A complete head: what it means for the connection, then on to the pipeline.
  protected takeHead(exchange: LiveExchange): void {
    this.requests++
    if (this.clientAddress === '') this.learnPeer()
    exchange.clientAddress = this.clientAddress
    exchange.clientPort = this.clientPort
    this.closing = this.mustClose(exchange)
    this.left = exchange.bodyLength
    this.bodyBytes = 0
    exchange.bodyAtHand = this.inHand
    if (hasRequestBody(exchange)) this.beginBody(exchange)
    else {
      exchange.requestComplete = true
      this.phase = BUSY
    }
    pipeline.begin(exchange)
    if (this.exchange === exchange && exchange.requestHeld) this.pauseReading()
  }

  protected beginBody(exchange: LiveExchange): void {
    this.phase = BODY
    this.startedAt = this.point.context.sweeper.now
    this.chunkedIn = exchange.bodyKind === BODY_CHUNKED
    if (this.chunkedIn) {
      this.decoder ??= new ChunkedDecoder()
      this.decoder.reset()
    } else if (this.left > READ_BUFFER_BYTES / 2) {
      this.socket.own() // its slices can then be passed on without a copy
    }
  }

  protected learnPeer(): void {
    const peer: { address?: string; port?: number } = {}
    this.socket.peer(peer)
    const address = peer.address ?? ''
    this.clientAddress = address.startsWith('::ffff:') ? address.slice(7) : address
    this.clientPort = peer.port ?? 0
  }

  protected mustClose(exchange: LiveExchange): boolean {
    const { facts } = exchange
    if ((facts & SAW_CLOSE) !== 0) return true
    // A client that didn't wait for its tunnel would have the bytes behind the head read as requests.
    if (exchange.methodId === METHOD_CONNECT) return true
    if (exchange.versionMinor === 0 && (facts & SAW_KEEP_ALIVE) === 0) return true
    const { times, context, draining } = this.point
    if (times.keepAliveMaxRequests > 0 && this.requests >= times.keepAliveMaxRequests) return true
    if (draining || context.overload.closesConnections) return true
    return (
      times.keepAliveMaxTimeMs > 0 && context.sweeper.now - this.bornAt > times.keepAliveMaxTimeMs
    )
  }

  protected readBody(bytes: Buffer, at: number, end: number): number {
    const exchange = this.exchange!
    if (this.chunkedIn) return this.readChunks(exchange, bytes, at, end)
    const to = end - at > this.left ? at + this.left : end
    this.left -= to - at
    this.passBody(exchange, bytes, at, to)
    if (this.left === 0 && this.phase === BODY) this.endRequest(exchange, null)
    return to
  }

  protected readChunks(exchange: LiveExchange, bytes: Buffer, at: number, end: number): number {
    const decoder = this.decoder!
    const event = decoder.next(bytes, at, end)
    if (event === DATA) this.passBody(exchange, bytes, decoder.dataStart, decoder.dataEnd)
    else if (event === END) this.endRequest(exchange, decoder.trailers)
    else if (event !== MORE) {
      this.failRequest(exchange, -event)
      return end
    }
    return event === MORE ? end : decoder.pos
  }

  protected passBody(exchange: LiveExchange, bytes: Buffer, from: number, to: number): void {
    this.bodyBytes += to - from
    this.inHand = Math.max(0, this.inHand - (to - from))
    const owned = this.socket.owns(bytes)
    if (pipeline.requestBody(exchange, bytes, from, to, owned)) return
    this.socket.lent = owned
    this.pauseReading()
  }

  protected endRequest(exchange: LiveExchange, trailers: Head | null): void {
    this.phase = BUSY
    pipeline.requestEnd(exchange, trailers)
    if (exchange.downstream === null) this.endExchange(exchange) // its response was out before
  }

  // The request can't be read to its end: it must not look complete to the server.
  protected failRequest(exchange: LiveExchange, code: number): void {
    this.closing = true
    if (exchange.downstream !== null && !exchange.wroteHead)
      return pipeline.requestFailed(exchange, code)
    this.giveUp(code)
  }

  // A request that was not understood: answered without a route, and the connection ends.
  refuse(exchange: LiveExchange, code: number): void {
    this.closing = true
    this.phase = BUSY
    this.inHand = 1 // or more: what follows a head that was not understood is unknown
    exchange.requestComplete = true
    if (this.clientAddress === '') this.learnPeer()
    exchange.clientAddress = this.clientAddress
    exchange.clientPort = this.clientPort
    pipeline.beginRefused(exchange, code)
    if (!this.processing) this.writeOut()
  }

  protected readTunnel(bytes: Buffer, at: number, end: number): number {
    if (!tunnelFromDownstream(this.exchange!, bytes, at, end)) this.pauseReading()
    return end
  }

  protected throwAway(at: number, end: number): number {
    this.left -= end - at
    if (this.left < 0) this.socket.pause() // what is unread would make a reset of closing: that waits for its time
    return end
  }

  protected keepPending(bytes: Buffer, at: number, end: number): void {
    const rest = bytes.subarray(at, end)
    // tidy: for clients that pipeline only, and PIPELINED_BYTES_MAX bounds what is joined
    this.pending = this.pending === null ? Buffer.from(rest) : Buffer.concat([this.pending, rest])
    if (this.pending.length >= PIPELINED_BYTES_MAX) this.socket.pause()
  }

  protected pauseReading(): void {
    this.paused = true
    this.socket.pause()
  }

  // Goes on with what was kept, then with the socket.
  goOn(): void {
    this.paused = false
    this.socket.lent = false
    const pending = this.pending
    if (pending !== null) {
      this.pending = null
      this.process(pending, 0, pending.length)
    } else if (this.exchange !== null) {
      pipeline.requestFlush(this.exchange) // a head that waits for a body that the client holds back (Expect)
    }
    if (this.inputEnded && this.pending === null) return this.endInput()
    if (!this.paused && this.pending === null && this.phase !== CLOSED) this.socket.resume()
  }

  onEnd(): void {
    this.inputEnded = true
    if (this.pending === null) this.endInput()
  }

  // Nothing more will come, and all that came was looked at. What was asked for is still answered.
  protected endInput(): void {
    if (this.phase === CLOSED) return
    if (this.phase === HEAD) return this.refuse(this.exchange!, REQUEST_CUT)
    if (this.phase === TUNNEL) return tunnelDownstreamEnded(this.exchange!)
    if (this.phase === BODY) return this.failRequest(this.exchange!, REQUEST_CUT)
    this.closing = true // BUSY: the client only half-closed and still wants its answer
    if (this.phase === BUSY) return
    if (this.socket.held === 0) this.close()
    else this.phase = LINGER // what it has not read yet is still written
  }

  onGone(_reason: string): void {
    this.giveUp(CLIENT_GONE)
  }

  onWritable(): void {
    if (this.phase === LINGER) {
      this.startedAt = this.point.context.sweeper.now
      if (this.inputEnded) this.close()
      return
    }
    if (this.phase === IDLE && this.paused) return this.goOn()
    if (this.exchange === null) return
    pipeline.downstreamWritable(this.exchange)
  }

  // The writing half.
  protected abstract writeOut(): boolean
  protected abstract hasRoom(): boolean
  protected abstract endExchange(exchange: LiveExchange): void
  abstract giveUp(code: number): void
  abstract close(): void
  abstract onTick(now: number): void
  abstract abandon(): void
  protected abstract asDownstream(): Downstream
}

// A first line of another protocol, an HTTP/2 preface that is wrong among them, gets no answer: whoever sent it would
// take one for something else (RFC 9113, section 3.4).
function namesNoHttp(bytes: Buffer, at: number, end: number): boolean {
  const lineEnd = bytes.indexOf('\r\n', at)
  const line = bytes.latin1Slice(at, lineEnd < 0 || lineEnd > end ? end : lineEnd)
  return lineEnd >= 0 && !/http/i.test(line)
}
