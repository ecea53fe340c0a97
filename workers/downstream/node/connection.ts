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
// The reading half is request-reader.ts. Responses are gathered in `out` and written once per event.

import { Buffer } from 'node:buffer'
import { DRAINING, INTERNAL, NONE, WRITE_TIMEOUT } from '../../../core/errors.ts'
import { BODY_CHUNKED, BODY_CLOSE, BODY_LENGTH } from '../../../core/exchange.ts'
import type { Head } from '../../../core/headers.ts'
import { chunkHead, lastChunk, responseHead } from '../../../core/h1/write.ts'
import { READ_BUFFER_BYTES } from '../../../core/limits.ts'
import { type LiveExchange } from '../../live-exchange.ts'
import * as pipeline from '../../pipeline.ts'
import { rounds } from '../../rounds.ts'
import { tellDefect } from '../../socket.ts'
import { goAway, watchFrames } from '../../tunnel.ts'
import type { Downstream } from '../contract.ts'
import { RequestReader } from './request-reader.ts'
import { BODY, CLOSED, HEAD, IDLE, LINGER, TUNNEL } from './phase.ts'
import { overdue } from './timeouts.ts'

const TEXT_MAX = 8 * 1024 // shorter pieces of a body are gathered as text with the head
const LINGER_BYTES_MAX = 64 * 1024 * 1024 // read and thrown away behind a response that ends the connection

export class Connection extends RequestReader implements Downstream {
  protected override asDownstream(): Downstream {
    return this
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
    if (this.point.draining) this.closing = true
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
  protected bodyInHand(exchange: LiveExchange): boolean {
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
      return this.hasRoom() && this.out.length < READ_BUFFER_BYTES
    }
    const before = this.chunkedOut ? this.out + chunkHead(length) : this.out
    this.out = ''
    const slice = bytes.subarray(from, to)
    const after = this.chunkedOut ? '\r\n' : ''
    if (owned) return this.socket.writeParts(before, slice, after)
    return this.socket.writeParts(before, Buffer.from(slice), after) || this.hasRoom()
  }

  // More may be given though the client has not read all: up to the bound, whose bytes are ours to hold.
  protected hasRoom(): boolean {
    return this.socket.held === 0 || this.socket.heldBytes < this.point.slowReaderBytes
  }

  flush(exchange: LiveExchange): void {
    if (!this.writeOut() && this.exchange === exchange)
      this.progressAt = this.point.context.sweeper.now
  }

  protected writeOut(): boolean {
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
    if (this.phase === BODY && !this.closing) return this.skipBody()
    this.endExchange(exchange)
  }

  // The rest of the body is in hand: endRequest goes on when it was passed over.
  private skipBody(): void {
    if (this.processing) return
    this.writeOut()
    if (this.paused) process.nextTick(goOnLater, this)
  }

  protected endExchange(exchange: LiveExchange): void {
    const wasComplete = exchange.requestComplete
    this.exchange = null
    this.activeAt = this.point.context.sweeper.now
    this.progressAt = this.activeAt
    this.phase = IDLE
    if (!this.processing || this.closing) this.writeOut()
    pipeline.downstreamDone(exchange)
    if (this.closing) return this.linger(wasComplete)
    if (this.processing) return
    if (this.paused || this.pending !== null) process.nextTick(goOnLater, this)
  }

  // After a response that ends the connection, the client may still be sending. Closing at once would
  // reset the connection and could take the response with it (RFC 9112, section 9.6).
  protected linger(requestComplete: boolean): void {
    this.socket.disown()
    this.pending = null
    this.paused = false
    this.phase = LINGER
    this.left = LINGER_BYTES_MAX
    this.startedAt = this.point.context.sweeper.now
    this.socket.end()
    if (requestComplete && this.socket.held === 0 && this.isQuiet()) return this.close()
    this.socket.resume()
  }

  // The request was read whole and nothing is behind it: nothing can be lost by closing now.
  protected isQuiet(): boolean {
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
    if (!this.processing) return this.goOn()
    this.paused = false // within the call that has paused it: nothing is pending
    if (this.phase !== CLOSED) this.socket.resume()
  }

  // ---- tunnel

  beginTunnel(exchange: LiveExchange): void {
    watchFrames(exchange)
    this.writeOut()
    this.phase = TUNNEL
    if (!this.processing && this.pending !== null) process.nextTick(goOnLater, this)
  }

  tunnelSend(_exchange: LiveExchange, bytes: Buffer, from: number, to: number): boolean {
    this.activeAt = this.point.context.sweeper.now
    if (to - from <= TEXT_MAX)
      return this.socket.writeText(bytes.latin1Slice(from, to)) || this.hasRoom()
    return this.socket.writeBytes(Buffer.from(bytes.subarray(from, to))) || this.hasRoom()
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
    const lacks = this.phase === HEAD || this.phase === BODY
    if (lacks && !this.paused && rounds.waits(this.socket, this.activeAt, now))
      this.point.countRested()
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

  // After a defect: whatever it was doing, this connection ends and the worker goes on.
  abandon(): void {
    try {
      this.giveUp(INTERNAL)
    } catch (defect) {
      tellDefect(defect)
    }
  }

  cut(isLast: boolean): number {
    if (!isLast && this.exchange !== null && goAway(this.exchange)) return 1
    const through = this.phase === IDLE || this.phase === LINGER
    const busy = through && this.socket.held === 0 ? 0 : 1
    this.giveUp(DRAINING)
    return busy
  }

  close(): void {
    if (this.phase === CLOSED) return
    this.leave()
    this.socket.close()
  }

  protected leave(): void {
    this.phase = CLOSED
    rounds.leave(this.socket)
    this.pending = null
    this.dropPartial()
    this.point.connectionClosed(this)
  }
}

function goOnLater(connection: Connection): void {
  if (connection.phase === CLOSED) return
  try {
    connection.goOn()
  } catch (defect) {
    tellDefect(defect)
    connection.abandon()
  }
}
