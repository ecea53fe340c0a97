// workers/upstream/response-reader.ts: the reading half of an upstream connection: bytes in, responses out.
//
// Owner:  see h1.ts, which is the writing half and the same object; two files for two directions.
// Hot:    yes.

import { Buffer } from 'node:buffer'
import { UPSTREAM_MALFORMED, UPSTREAM_UPGRADE } from '../../core/errors.ts'
import { BODY_CHUNKED, BODY_CLOSE, BODY_LENGTH } from '../../core/exchange.ts'
import type { Head } from '../../core/headers.ts'
import { ChunkedDecoder, DATA, END, MORE } from '../../core/h1/chunked.ts'
import { ResponseParser } from '../../core/h1/response.ts'
import { INFORMATIONAL_MAX, READ_BUFFER_BYTES, responseLimits } from '../../core/limits.ts'
import { type LiveExchange } from '../live-exchange.ts'
import * as pipeline from '../pipeline.ts'
import { tunnelFromUpstream } from '../tunnel.ts'
import type { Socket, SocketOwner } from '../socket.ts'
import type { Swept } from '../sweeper.ts'
import { HeadBuffer } from '../head-buffer.ts'
import type { Server } from './server.ts'

import {
  BUSY,
  CLOSED,
  DIALING,
  IDLE,
  IN_CHUNKS,
  IN_HEAD,
  IN_LENGTH,
  IN_TUNNEL,
  TO_CLOSE,
  type Phase,
  type State,
} from './phases.ts'

let spareParser = new ResponseParser()

export abstract class ResponseReader implements SocketOwner, Swept {
  state: State = DIALING
  sweepIndex = -1
  exchange: LiveExchange | null = null
  protected dueFrom = 0 // of a coalesced response; exact, unlike askedAt
  queue: LiveExchange[] | null = null // coalesced exchanges behind `exchange`; null = never coalesced
  served = 0 // responses that ended well
  out = '' // text that waits for flush()
  activeAt = 0 // sweeper's clock: last byte in either direction
  askedAt = 0 // sweeper's clock: the response is due from here on
  heldBefore = 0 // bytes held at the last tick, to see whether the server reads
  readonly server: Server
  readonly bornAt: number
  protected socket: Socket | null = null
  protected phase: Phase = IN_HEAD
  protected left = 0 // bytes of a body with a length; of one in chunks only while it is thrown away: more are not read
  protected parser: ResponseParser | null = null // while a head is incomplete
  protected readonly partial = new HeadBuffer()
  protected decoder: ChunkedDecoder | null = null
  protected informational = 0
  protected reusable = false
  protected gotBytes = false // some byte of the current response has arrived
  protected requestDone = false // the current request was sent whole
  protected blocked = false // the client is slow: reading is paused

  constructor(server: Server, now: number) {
    this.server = server
    this.bornAt = now
    this.activeAt = now
  }

  opened(socket: Socket): void {
    this.socket = socket
    this.state = IDLE
    socket.noDelay()
    socket.resume()
  }

  // ---- socket events

  // A byte that nobody asked for, in IDLE or behind the last response. Had another request been here already, it would
  // have been the beginning of its answer.
  private closeUnasked(): void {
    if (this.queue !== null) this.server.distrust()
    this.close()
  }

  onBytes(bytes: Buffer, length: number): void {
    this.activeAt = this.server.context.sweeper.now
    const first = this.exchange
    if (this.state !== BUSY || first === null) return this.closeUnasked()
    let at = 0
    while (at < length) {
      const exchange = this.exchange
      if (exchange === null) return this.closeUnasked()
      at =
        this.phase === IN_HEAD
          ? this.readHead(exchange, bytes, at, length)
          : this.readBody(exchange, bytes, at, length)
      if (at < 0) return
    }
    const exchange = this.exchange
    if (exchange !== null) pipeline.flushResponse(exchange)
  }

  // Returns the position after the head, `end` when more is needed, -1 when the connection is gone.
  protected readHead(exchange: LiveExchange, bytes: Buffer, at: number, end: number): number {
    this.gotBytes = true
    let parser = this.parser
    let result: number
    if (parser === null) {
      parser = spareParser
      parser.reset()
      exchange.response.clear()
      result = parser.parse(exchange, bytes, at, end, responseLimits)
      if (result === 0) this.keepPartial(parser, bytes, at, end)
    } else {
      const before = this.partial.length
      this.partial.append(bytes, at, end)
      result = parser.parse(exchange, this.partial.bytes, 0, this.partial.length, responseLimits)
      if (result > 0) {
        result = at + (result - before)
        this.parser = null
        this.partial.release()
      }
    }
    if (result === 0) return end
    if (result < 0) {
      this.fail(-result)
      return -1
    }
    return this.takeHead(exchange, parser) ? result : -1
  }

  protected keepPartial(parser: ResponseParser, bytes: Buffer, at: number, end: number): void {
    this.parser = parser
    spareParser = new ResponseParser()
    this.partial.append(bytes, at, end)
  }

  // What the head means for this connection. False: it is gone, or the exchange left it.
  protected takeHead(exchange: LiveExchange, parser: ResponseParser): boolean {
    const status = exchange.status
    if (status < 200) return this.takeInformational(exchange, parser, status)
    if (this.queue !== null) this.server.coalescer!.answered(this.waited())
    this.reusable = parser.keepAlive && exchange.responseKind !== BODY_CLOSE
    this.phase = phaseOf(exchange)
    this.left = exchange.responseKind === BODY_LENGTH ? exchange.responseLength : 0
    if (this.phase === IN_CHUNKS) {
      this.decoder ??= new ChunkedDecoder()
      this.decoder.reset()
    }
    // A body that will not fit the shared buffer is read into one of our own from here on.
    if (this.left > READ_BUFFER_BYTES / 2 || this.phase === TO_CLOSE) this.socket!.own()
    pipeline.upstreamHead(exchange)
    const current = this.exchange // a ghost when the pipeline wants another response instead
    if (current === null || this.state !== BUSY) return false
    if (this.phase === IN_LENGTH && this.left === 0) {
      this.end(current, null)
      return true
    }
    if (current === exchange && current.downstream === null) this.beginDiscarding() // its client has left before
    return this.exchange !== null
  }

  protected takeInformational(
    exchange: LiveExchange,
    parser: ResponseParser,
    status: number,
  ): boolean {
    if (status === 101) {
      if (!exchange.wantsUpgrade || !parser.upgrade) {
        this.fail(UPSTREAM_UPGRADE)
        return false
      }
      this.phase = IN_TUNNEL
      this.reusable = false
      pipeline.upstreamSwitched(exchange)
      return this.state !== CLOSED
    }
    if (++this.informational > INFORMATIONAL_MAX) {
      this.fail(UPSTREAM_MALFORMED)
      return false
    }
    pipeline.upstreamInformational(exchange)
    return this.state !== CLOSED
  }

  protected readBody(exchange: LiveExchange, bytes: Buffer, at: number, end: number): number {
    if (this.phase === IN_CHUNKS) return this.readChunks(bytes, at, end)
    const owned = this.socket!.owns(bytes)
    if (this.phase === IN_TUNNEL) {
      if (!tunnelFromUpstream(exchange, bytes, at, end)) this.block(false)
      return this.state === CLOSED ? -1 : end
    }
    const to = this.phase === IN_LENGTH && end - at > this.left ? at + this.left : end
    this.left -= to - at
    if (!pipeline.upstreamBody(exchange, bytes, at, to, owned)) this.block(owned)
    if (this.state === CLOSED) return -1
    // The exchange may have left within the call: the rest is its ghost's then.
    if (this.phase === IN_LENGTH && this.left === 0) this.end(this.exchange!, null)
    return to
  }

  protected readChunks(bytes: Buffer, at: number, end: number): number {
    const decoder = this.decoder!
    const from = at
    const owned = this.socket!.owns(bytes)
    while (true) {
      const event = decoder.next(bytes, at, end)
      at = decoder.pos
      const exchange = this.exchange! // a ghost, where the one before has left within the call
      if (event === DATA) {
        if (!pipeline.upstreamBody(exchange, bytes, decoder.dataStart, decoder.dataEnd, owned))
          this.block(owned)
        if (this.state === CLOSED) return -1
      } else if (event === MORE) {
        return this.left > 0 ? this.discarded(end, end - from) : end
      } else if (event === END) {
        this.end(exchange, decoder.trailers)
        return at
      } else {
        this.fail(UPSTREAM_MALFORMED)
        return -1
      }
    }
  }

  // All of this read was thrown away.
  private discarded(end: number, length: number): number {
    this.left -= length
    if (this.left > 0) return end
    this.stopDiscarding()
    return -1
  }

  // How long the response that is due has been the next one.
  private waited(): number {
    return this.server.context.sweeper.turnNow() - this.dueFrom
  }

  // The other half.
  protected abstract block(owned: boolean): void
  protected abstract beginDiscarding(): void
  protected abstract stopDiscarding(): void
  protected abstract end(exchange: LiveExchange, trailers: Head | null): void
  abstract fail(code: number): void
  abstract close(): void
  abstract onEnd(): void
  abstract onGone(reason: string): void
  abstract onWritable(): void
  abstract onTick(now: number): void
  abstract abandon(): void
}

function phaseOf(exchange: LiveExchange): Phase {
  if (exchange.responseKind === BODY_CHUNKED) return IN_CHUNKS
  if (exchange.responseKind === BODY_CLOSE) return TO_CLOSE
  return IN_LENGTH // a response without body is one of length 0
}
