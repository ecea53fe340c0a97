// workers/downstream/node/connection.ts: one HTTP/1 client connection of the `node` engine.
//
// Owner:  its listener. Holds an exchange only from the first byte of a request to its last of a response.
// Hot:    yes.
//
//            first byte        head complete           request complete
//   IDLE -------------> HEAD ---------------> BODY ----------------------> BUSY
//     ^                                         |   (no body: at once)      |
//     '------------------ response complete ----+---------------------------'
//                                               '---> LINGER ---> CLOSED   (not to be kept)
//   BUSY ---101---> TUNNEL ---> CLOSED
//
// One exchange at a time: what a pipelining client sends on is kept in `pending`, and reading pauses when
// that is full. Responses are gathered in `out` and written once per event.

import { Buffer } from 'node:buffer'
import { CLIENT_GONE, NONE, REQUEST_CUT, WRITE_TIMEOUT } from '../../../core/errors.ts'
import {
  BODY_CHUNKED,
  BODY_CLOSE,
  BODY_LENGTH,
  BODY_NONE,
  SAW_CLOSE,
  SAW_KEEP_ALIVE,
} from '../../../core/exchange.ts'
import type { Head } from '../../../core/headers.ts'
import { ForwardedCache } from '../../../core/forwarded.ts'
import { ChunkedDecoder, DATA, END, MORE } from '../../../core/h1/chunked.ts'
import { RequestParser } from '../../../core/h1/request.ts'
import { chunkHead, lastChunk, responseHead } from '../../../core/h1/write.ts'
import { PIPELINED_BYTES_MAX, READ_BUFFER_BYTES } from '../../../core/limits.ts'
import type { EntryPoint } from '../../entry-point.ts'
import { HeadBuffer } from '../../head-buffer.ts'
import { type LiveExchange, leaseExchange } from '../../live-exchange.ts'
import * as pipeline from '../../pipeline.ts'
import { Socket, type Handle, type SocketOwner } from '../../socket.ts'
import type { Swept } from '../../sweeper.ts'
import type { Downstream } from '../contract.ts'
import { BODY, BUSY, CLOSED, HEAD, IDLE, LINGER, TUNNEL, type Phase } from './phase.ts'
import { overdue } from './timeouts.ts'

const TEXT_MAX = 8 * 1024 // shorter pieces of a body are gathered as text with the head
const LINGER_BYTES_MAX = 256 * 1024 // thrown away after a response that ends the connection

let spareParser = new RequestParser()

export class Connection implements Downstream, SocketOwner, Swept {
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
  readonly forwarded = new ForwardedCache()
  private clientAddress = ''
  private clientPort = 0
  private closing = false // the connection ends with the current response
  private processing = false // inside process(): endings are picked up by its loop
  private chunkedOut = false
  private left = 0 // of a request body with a length, or of LINGER
  private inHand = 0 // bytes behind the head in the same read
  private out = ''
  private pending: Buffer | null = null
  private parser: RequestParser | null = null
  private partial: HeadBuffer | null = null
  private decoder: ChunkedDecoder | null = null

  constructor(handle: Handle, point: EntryPoint, now: number) {
    this.point = point
    this.bornAt = now
    this.activeAt = now
    this.socket = new Socket(handle, this)
    this.socket.noDelay()
    this.socket.resume()
  }

  // ---- reading

  onBytes(bytes: Buffer, length: number): void {
    this.activeAt = this.point.context.sweeper.now
    if (this.pending !== null) return this.keepPending(bytes, 0, length)
    this.process(bytes, 0, length)
  }

  private process(bytes: Buffer, at: number, end: number): void {
    this.processing = true
    while (at < end && this.phase !== CLOSED) {
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
  }

  private readHead(bytes: Buffer, at: number, end: number): number {
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
    this.dropPartial()
    if (result < 0) {
      this.refuse(exchange, -result)
      return this.phase === LINGER ? end : at
    }
    this.inHand = end - result
    this.takeHead(exchange)
    return result
  }

  private beginHead(): LiveExchange {
    const exchange = leaseExchange()
    exchange.downstream = this
    exchange.point = this.point
    this.exchange = exchange
    this.phase = HEAD
    this.startedAt = this.point.context.sweeper.now
    return exchange
  }

  private keepHead(parser: RequestParser, bytes: Buffer, at: number, end: number): void {
    this.parser = parser
    spareParser = new RequestParser()
    this.partial = new HeadBuffer()
    this.partial.append(bytes, at, end)
  }

  private dropPartial(): void {
    this.parser = null
    this.partial = null
  }

  // A complete head: what it means for the connection, then on to the pipeline.
  private takeHead(exchange: LiveExchange): void {
    this.requests++
    if (this.clientAddress === '') this.learnPeer()
    exchange.clientAddress = this.clientAddress
    exchange.clientPort = this.clientPort
    exchange.entryPoint = this.point.name
    this.closing = this.mustClose(exchange)
    this.left = exchange.bodyLength
    this.bodyBytes = 0
    if (exchange.bodyKind === BODY_NONE) {
      exchange.requestComplete = true
      this.phase = BUSY
    } else {
      this.beginBody(exchange)
    }
    pipeline.begin(exchange)
    if (this.exchange === exchange && exchange.requestHeld) this.pauseReading()
  }

  private beginBody(exchange: LiveExchange): void {
    this.phase = BODY
    this.startedAt = this.point.context.sweeper.now
    if (exchange.bodyKind === BODY_CHUNKED) {
      this.decoder ??= new ChunkedDecoder()
      this.decoder.reset()
    } else if (this.left > READ_BUFFER_BYTES / 2) {
      this.socket.own() // its slices can then be passed on without a copy
    }
  }

  private learnPeer(): void {
    const peer: { address?: string; port?: number } = {}
    this.socket.peer(peer)
    const address = peer.address ?? ''
    this.clientAddress = address.startsWith('::ffff:') ? address.slice(7) : address
    this.clientPort = peer.port ?? 0
  }

  private mustClose(exchange: LiveExchange): boolean {
    const { facts } = exchange
    if ((facts & SAW_CLOSE) !== 0) return true
    if (exchange.versionMinor === 0 && (facts & SAW_KEEP_ALIVE) === 0) return true
    const { times, context } = this.point
    if (times.keepAliveMaxRequests > 0 && this.requests >= times.keepAliveMaxRequests) return true
    if (context.draining) return true
    return (
      times.keepAliveMaxTimeMs > 0 && context.sweeper.now - this.bornAt > times.keepAliveMaxTimeMs
    )
  }

  private readBody(bytes: Buffer, at: number, end: number): number {
    const exchange = this.exchange!
    if (exchange.bodyKind === BODY_CHUNKED || this.decoderRuns(exchange))
      return this.readChunks(exchange, bytes, at, end)
    const to = end - at > this.left ? at + this.left : end
    this.left -= to - at
    this.passBody(exchange, bytes, at, to)
    if (this.left === 0 && this.phase === BODY) this.endRequest(exchange, null)
    return to
  }

  // An answered exchange may have had its bodyKind cleared; the wire is still chunked.
  private decoderRuns(exchange: LiveExchange): boolean {
    return exchange.bodyKind === BODY_NONE && this.left === 0 && this.decoder !== null
  }

  private readChunks(exchange: LiveExchange, bytes: Buffer, at: number, end: number): number {
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

  private passBody(exchange: LiveExchange, bytes: Buffer, from: number, to: number): void {
    this.bodyBytes += to - from
    const owned = this.socket.ownsBuffer && this.pending === null
    if (pipeline.requestBody(exchange, bytes, from, to, owned)) return
    this.socket.lent = owned
    this.pauseReading()
  }

  private endRequest(exchange: LiveExchange, trailers: Head | null): void {
    this.phase = BUSY
    pipeline.requestEnd(exchange, trailers)
    if (exchange.downstream === null) this.endExchange(exchange) // its response was out before
  }

  // The request can't be read to its end: it must not look complete to the server.
  private failRequest(exchange: LiveExchange, code: number): void {
    this.closing = true
    if (exchange.downstream !== null && !exchange.wroteHead)
      return pipeline.requestFailed(exchange, code)
    this.giveUp(code)
  }

  // A request that was not understood: answered without a route, and the connection ends.
  refuse(exchange: LiveExchange, code: number): void {
    this.closing = true
    this.phase = BUSY
    exchange.requestComplete = true
    if (this.clientAddress === '') this.learnPeer()
    exchange.clientAddress = this.clientAddress
    exchange.clientPort = this.clientPort
    exchange.entryPoint = this.point.name
    pipeline.beginRefused(exchange, code)
    if (!this.processing) this.writeOut()
  }

  private readTunnel(bytes: Buffer, at: number, end: number): number {
    if (!pipeline.tunnelFromDownstream(this.exchange!, bytes, at, end)) this.pauseReading()
    return end
  }

  private throwAway(at: number, end: number): number {
    this.left -= end - at
    if (this.left < 0) this.close()
    return end
  }

  private keepPending(bytes: Buffer, at: number, end: number): void {
    const rest = bytes.subarray(at, end)
    this.pending = this.pending === null ? Buffer.from(rest) : Buffer.concat([this.pending, rest])
    if (this.pending.length >= PIPELINED_BYTES_MAX) this.socket.pause()
  }

  private pauseReading(): void {
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
    }
    if (!this.paused && this.pending === null && this.phase !== CLOSED) this.socket.resume()
  }

  onEnd(): void {
    if (this.phase === IDLE || this.phase === LINGER) return this.close()
    if (this.phase === HEAD) return this.refuse(this.exchange!, REQUEST_CUT)
    if (this.phase === TUNNEL) return pipeline.tunnelDownstreamEnded(this.exchange!)
    if (this.phase === BODY) return this.failRequest(this.exchange!, REQUEST_CUT)
    this.closing = true // BUSY: the client only half-closed and still wants its answer
  }

  onGone(_reason: string): void {
    this.giveUp(CLIENT_GONE)
  }

  onWritable(): void {
    if (this.phase === LINGER || this.exchange === null) return
    pipeline.downstreamWritable(this.exchange)
  }

  // ---- Downstream

  sendContinue(_exchange: LiveExchange): void {
    this.out += 'HTTP/1.1 100 Continue\r\n\r\n'
    this.writeOut()
  }

  sendInformational(exchange: LiveExchange): void {
    if (exchange.versionMinor === 0) return // RFC 9110, section 15.2: never to an HTTP/1.0 client
    this.out += responseHead(exchange, '', '')
    this.writeOut()
  }

  sendHead(exchange: LiveExchange): void {
    if (!exchange.requestComplete && !this.bodyInHand(exchange)) this.closing = true
    if (this.point.context.draining) this.closing = true
    const unframed = exchange.responseKind === BODY_CHUNKED || exchange.responseKind === BODY_CLOSE
    this.chunkedOut = unframed && exchange.versionMinor === 1
    if (unframed && !this.chunkedOut) this.closing = true
    const connection = this.closing ? 'close' : exchange.versionMinor === 0 ? 'keep-alive' : ''
    this.out += responseHead(
      exchange,
      exchange.status === 101 ? '' : connection,
      this.point.context.date,
    )
  }

  // A short body that is already here costs nothing to skip, so the connection can be kept.
  private bodyInHand(exchange: LiveExchange): boolean {
    return this.phase === BODY && exchange.bodyLength > 0 && this.left <= this.inHand
  }

  sendBody(
    _exchange: LiveExchange,
    bytes: Buffer,
    from: number,
    to: number,
    owned: boolean,
  ): boolean {
    const length = to - from
    if (length <= TEXT_MAX) {
      const text = bytes.latin1Slice(from, to)
      this.out += this.chunkedOut ? chunkHead(length) + text + '\r\n' : text
      return this.socket.held === 0 && this.out.length < READ_BUFFER_BYTES
    }
    const before = this.chunkedOut ? this.out + chunkHead(length) : this.out
    this.out = ''
    const slice = bytes.subarray(from, to)
    return this.socket.writeParts(
      before,
      owned ? slice : Buffer.from(slice),
      this.chunkedOut ? '\r\n' : '',
    )
  }

  flush(exchange: LiveExchange): void {
    if (!this.writeOut() && this.exchange === exchange)
      this.progressAt = this.point.context.sweeper.now
  }

  private writeOut(): boolean {
    if (this.out === '') return true
    const out = this.out
    this.out = ''
    return this.socket.writeText(out)
  }

  sendEnd(exchange: LiveExchange, trailers: Head | null): void {
    if (this.chunkedOut) {
      this.out += lastChunk(trailers)
    }
    this.chunkedOut = false
    exchange.downstream = null
    if (this.phase === BODY && !this.closing) return // the rest of the body is in hand: endRequest goes on
    this.endExchange(exchange)
  }

  private endExchange(exchange: LiveExchange): void {
    const wasComplete = exchange.requestComplete
    this.exchange = null
    this.activeAt = this.point.context.sweeper.now
    this.phase = IDLE
    if (!this.processing || this.closing) this.writeOut()
    pipeline.downstreamDone(exchange)
    if (this.closing) return this.linger(wasComplete)
    if (this.processing) return
    if (this.paused || this.pending !== null) process.nextTick(goOnLater, this)
  }

  // After a response that ends the connection, the client may still be sending. Closing at once would
  // reset the connection and could take the response with it (RFC 9112, section 9.6).
  private linger(requestComplete: boolean): void {
    this.socket.disown()
    this.pending = null
    this.phase = LINGER
    this.left = LINGER_BYTES_MAX
    this.startedAt = this.point.context.sweeper.now
    this.socket.end()
    if (requestComplete && this.socket.held === 0 && this.isQuiet()) return this.close()
    this.socket.resume()
  }

  // The request was read whole and nothing is behind it: nothing can be lost by closing now.
  private isQuiet(): boolean {
    return this.requests > 0 && this.inHand === 0
  }

  abort(exchange: LiveExchange): void {
    const framed = this.chunkedOut || exchange.responseKind === BODY_LENGTH
    this.exchange = null
    this.out = ''
    // Framed: the missing end tells. Delimited by close: only a reset can tell.
    if (framed || !exchange.wroteHead) this.close()
    else {
      this.leave()
      this.socket.reset()
    }
  }

  pauseBody(_exchange: LiveExchange): void {
    this.pauseReading()
  }

  resumeBody(_exchange: LiveExchange): void {
    if (!this.paused) return
    if (this.processing) this.paused = false
    else this.goOn()
  }

  // ---- tunnel

  beginTunnel(_exchange: LiveExchange): void {
    this.writeOut()
    this.phase = TUNNEL
    if (!this.processing && this.pending !== null) process.nextTick(goOnLater, this)
  }

  tunnelSend(_exchange: LiveExchange, bytes: Buffer, from: number, to: number): boolean {
    if (to - from <= TEXT_MAX) return this.socket.writeText(bytes.latin1Slice(from, to))
    return this.socket.writeBytes(Buffer.from(bytes.subarray(from, to)))
  }

  tunnelEnd(_exchange: LiveExchange): void {
    this.socket.end()
  }

  tunnelClosed(_exchange: LiveExchange): void {
    this.exchange = null
    this.socket.end()
    this.phase = LINGER
    this.left = LINGER_BYTES_MAX
    this.startedAt = this.point.context.sweeper.now
    if (this.socket.held === 0) this.close()
  }

  // ---- time and endings

  onTick(now: number): void {
    const code = overdue(this, now)
    if (code < 0) return
    if (code === NONE) return this.close()
    if (this.phase === HEAD) return this.refuse(this.exchange!, code)
    if (code === WRITE_TIMEOUT) return this.giveUp(code)
    this.failRequest(this.exchange!, code)
    this.writeOut()
  }

  // The client is gone, or is given up on: no word to it.
  giveUp(code: number): void {
    const exchange = this.exchange
    this.exchange = null
    const begun = this.phase !== HEAD
    this.close()
    if (exchange === null) return
    if (!begun) exchange.point = null // never a request: it is not accounted for
    if (exchange.downstream === null && begun) return pipeline.downstreamDone(exchange)
    pipeline.downstreamGone(exchange, code)
  }

  close(): void {
    if (this.phase === CLOSED) return
    this.leave()
    this.socket.close()
  }

  private leave(): void {
    this.phase = CLOSED
    this.pending = null
    this.dropPartial()
    this.point.connectionClosed(this)
  }
}

function goOnLater(connection: Connection): void {
  if (connection.phase !== CLOSED) connection.goOn()
}
