// workers/downstream/uws/downstream.ts: one request on a connection of uWebSockets.js, and its response.
//
// Owner:  its listener, which pools them. uWebSockets.js calls back without an argument, so each carries its
//         handlers for life. One whose request body was still arriving when its response ended is not used
//         again, because uWebSockets.js goes on to call its onData.
// Hot:    yes.
//
//   take --(last of its connection)----> setImmediate --.
//     '--------------------------------------------> begin -> sendHead, sendBody, sendEnd -> finishBody
//                                                      '---> beginTunnel -> WebSocketRelay -> tunnelClosed
//
// Rules that keep a client's bytes from being read as another request (docs/engines.md has the reasons):
// a chunked request, one that wants its connection closed and one that is refused are never answered in the turn
// in which they arrived, and the connection is not read again after them. While a response is pending,
// uWebSockets.js closes a connection on which another request arrives. A response that has ended is forgotten at
// once: a call on it would throw.

import { Buffer } from 'node:buffer'
import {
  BODY_OVERRUN,
  CHUNKED_ENGINE,
  CLIENT_GONE,
  DRAINING,
  NONE,
  UPGRADE_ENGINE,
  errorTable,
} from '../../../core/errors.ts'
import {
  BODY_CHUNKED,
  BODY_NONE,
  SAW_CLOSE,
  SAW_UPGRADE,
  hasRequestBody,
} from '../../../core/exchange.ts'
import { ForwardedCache } from '../../../core/forwarded.ts'
import type { Head } from '../../../core/headers.ts'
import { type LiveExchange, leaseExchange } from '../../live-exchange.ts'
import * as pipeline from '../../pipeline.ts'
import { tunnelUpstreamEnded } from '../../tunnel.ts'
import type { Downstream } from '../contract.ts'
import type { HttpRequest, HttpResponse, SocketContext, WebSocket } from './binding.ts'
import type { UwsListener } from './listener.ts'
import { HeldBody } from './held-body.ts'
import { METHOD_FAULT, isMethodServed, readHead } from './request.ts'
import { headBlock } from './response-head.ts'
import { ResponseWriter } from './response-writer.ts'
import * as handshakes from './websocket-handshake.ts'
import { WebSocketRelay } from './websocket-relay.ts'

export class UwsDownstream implements Downstream {
  forwarded = noForwarded
  tls: LiveExchange['tls'] = null // of the routes that took the request
  private exchange: LiveExchange | null = null
  private deferred = false // setImmediate will begin, or refuse
  private refusal = NONE
  private paused = false // the receiver of the request body is full
  private readonly held = new HeldBody()
  private ending = false // sendEnd was called
  relay: WebSocketRelay | null = null // after 101
  private handshake: handshakes.Handshake | null = null // of a request that asks for a WebSocket
  private readonly listener: UwsListener
  private readonly writer: ResponseWriter
  private readonly onAborted: () => void
  private readonly onData: (chunk: ArrayBuffer, isLast: boolean) => void

  constructor(listener: UwsListener) {
    this.listener = listener
    this.onAborted = () => this.takeAbort()
    this.onData = (chunk, isLast) => {
      try {
        this.takeData(chunk, isLast)
      } catch (defect) {
        this.fail(defect)
      }
    }
    this.writer = new ResponseWriter((offset) => {
      try {
        return this.goOn(offset)
      } catch (defect) {
        this.fail(defect)
        return true
      }
    })
  }

  // ---- the request

  // `method`: '' when the route does not tell it. `context`: null when uWebSockets.js has seen no handshake of
  // a WebSocket.
  take(res: HttpResponse, req: HttpRequest, method: string, context: SocketContext | null): void {
    this.writer.res = res
    res.onAborted(this.onAborted) // first: without it a throw would end the process
    try {
      this.readRequest(res, req, method, context)
    } catch (defect) {
      this.fail(defect)
    }
  }

  private readRequest(
    res: HttpResponse,
    req: HttpRequest,
    routed: string,
    context: SocketContext | null,
  ): void {
    const { point } = this.listener
    const exchange = leaseExchange()
    const peer = this.listener.peers.peerOfRequest(res)
    this.exchange = exchange
    this.forwarded = peer.forwarded
    this.listener.exchangeBegan()
    exchange.downstream = this
    exchange.arriveAt(point, this.tls)
    exchange.clientAddress = peer.address
    const method = routed === '' ? req.getCaseSensitiveMethod() : routed
    if (!isMethodServed(method)) return this.closeOn(res, exchange)
    this.refusal = readHead(exchange, method, req, this.listener.bounds)
    if (exchange.bodyKind === BODY_CHUNKED && !point.plan.trustChunked) this.refuseChunked(res)
    if (this.refusal === NONE && (exchange.facts & SAW_UPGRADE) !== 0) {
      this.handshake = handshakes.readHandshake(exchange, context)
      if (this.handshake === null) this.refusal = UPGRADE_ENGINE
    }
    if (this.refusal !== NONE) return this.defer()
    if (hasRequestBody(exchange)) {
      this.writer.bodyOpen = true
      res.onData(this.onData)
    } else exchange.requestComplete = true
    this.writer.closing = (exchange.facts & SAW_CLOSE) !== 0 || exchange.bodyKind === BODY_CHUNKED
    if (this.writer.closing) this.defer()
    else this.begin(exchange)
  }

  // uWebSockets.js reads chunk sizes and trailers too laxly to know where such a body ends. What comes of it
  // is thrown away; while some is missing the connection is left unread, so that the answer is not reset.
  private refuseChunked(res: HttpResponse): void {
    if (this.refusal === NONE) this.refusal = CHUNKED_ENGINE
    this.writer.bodyOpen = true
    res.onData(this.onData)
  }

  // No method at all: most likely the trailer section of the request before. No answer would be safe.
  private closeOn(res: HttpResponse, exchange: LiveExchange): void {
    this.writer.res = null
    res.close()
    exchange.requestComplete = true
    pipeline.beginRefused(exchange, METHOD_FAULT)
  }

  private defer(): void {
    this.deferred = true
    setImmediate(runDeferred, this)
  }

  runDeferred(): void {
    this.deferred = false
    const exchange = this.exchange
    if (exchange === null) return this.recycle() // the client left
    if (this.refusal === NONE) return this.begin(exchange)
    this.writer.closing = true
    exchange.requestComplete = true
    exchange.bodyKind = BODY_NONE
    pipeline.beginRefused(exchange, this.refusal)
  }

  private begin(exchange: LiveExchange): void {
    pipeline.begin(exchange)
    if (this.exchange !== exchange) return
    if (exchange.requestHeld) this.pauseBody()
    else if (this.held.isHeld) this.resumeBody()
  }

  private takeData(chunk: ArrayBuffer, isLast: boolean): void {
    const exchange = this.exchange
    if (isLast) this.writer.bodyOpen = false
    if (exchange === null || this.refusal !== NONE) return
    if (this.deferred || this.paused) return this.keep(exchange, chunk, isLast)
    this.passBody(exchange, Buffer.from(chunk), isLast)
    if (this.exchange === exchange) pipeline.requestFlush(exchange)
  }

  // Pausing stops the reading, but not always at once: see RECEIVE_BUFFER_BYTES in listener.ts.
  private keep(exchange: LiveExchange, chunk: ArrayBuffer, isLast: boolean): void {
    const { bufferedBytesMax } = this.listener.bounds
    if (!this.held.add(chunk, isLast, bufferedBytesMax)) this.cut(exchange, BODY_OVERRUN)
  }

  // The client is given up on: the server must not take what it got for whole.
  private cut(exchange: LiveExchange, code: number): void {
    const { res } = this.writer
    this.writer.bodyOpen = false
    this.writer.res = null
    res?.close()
    if (this.deferred) return pipeline.beginRefused(exchange, code) // accounted for; nothing is sent
    this.leave()
    pipeline.downstreamGone(exchange, code)
  }

  private passBody(exchange: LiveExchange, bytes: Buffer, isLast: boolean): void {
    const { length } = bytes
    const takesMore = length === 0 || pipeline.requestBody(exchange, bytes, 0, length, false)
    if (this.exchange !== exchange) return
    if (isLast) pipeline.requestEnd(exchange, null)
    else if (!takesMore) this.pauseBody()
  }

  pauseBody(): void {
    this.paused = true
    if (this.writer.bodyOpen) this.writer.pauseSocket()
  }

  resumeBody(): void {
    const exchange = this.exchange
    if (this.relay !== null) return this.relay.serverWritable()
    if (exchange === null || this.deferred) return
    this.paused = false
    while (this.held.isHeld && !this.paused && this.exchange === exchange) {
      const bytes = this.held.take()
      this.passBody(exchange, bytes, this.held.isLast)
    }
    if (this.exchange !== exchange) return
    pipeline.requestFlush(exchange)
    if (!this.paused) this.writer.resumeSocket()
  }

  // ---- the response

  sendContinue(): void {} // uWebSockets.js has sent it before it told us of the request
  sendInformational(): void {} // it has no way to send 103; a 100 of the server comes second

  sendHead(exchange: LiveExchange): void {
    if (exchange.tunnel) return // see beginTunnel
    const { context, draining } = this.listener.point
    if (draining || context.overload.closesConnections) this.writer.closing = true
    this.writer.takeHead(exchange)
  }

  sendBody(
    _exchange: LiveExchange,
    bytes: Buffer,
    from: number,
    to: number,
    owned: boolean,
  ): boolean {
    return this.writer.send(bytes.subarray(from, to), owned)
  }

  private goOn(offset: number): boolean {
    const exchange = this.exchange
    if (exchange === null) return true
    if (!this.writer.goOn(offset)) return false
    if (this.ending) this.finishBody()
    else pipeline.downstreamWritable(exchange)
    return true
  }

  flush(_exchange: LiveExchange): void {
    this.writer.flush()
  }

  sendEnd(exchange: LiveExchange, _trailers: Head | null): void {
    exchange.downstream = null
    this.ending = true
    // With bytes still held the last ones wait for onWritable, so that a connection that must not be read
    // again is not: a write that fails turns reading on.
    if (!this.writer.blocked) this.finishBody()
  }

  private finishBody(): void {
    const exchange = this.exchange!
    this.writer.end()
    this.leave()
    pipeline.downstreamDone(exchange)
  }

  abort(_exchange: LiveExchange): void {
    const { res } = this.writer
    this.leave()
    res?.close()
  }

  // ---- tunnel

  beginTunnel(exchange: LiveExchange): void {
    const handshake = this.handshake!
    const fault = handshakes.faultOfAnswer(exchange, handshake)
    if (fault !== NONE) return this.refuseSwitch(exchange, fault)
    const protocol = handshakes.takeProtocol(exchange)
    this.writer.upgrade(this, headBlock(exchange), protocol, handshake)
  }

  // The client must not believe that it speaks with a WebSocket server.
  private refuseSwitch(exchange: LiveExchange, code: number): void {
    exchange.tunnel = false
    exchange.status = errorTable[code]!.status
    this.writer.refuseSwitch(errorTable[code]!)
    this.leave()
    pipeline.downstreamGone(exchange, code)
  }

  opened(ws: WebSocket): void {
    this.relay = new WebSocketRelay(ws, this.exchange!, this.listener.bounds.bufferedBytesMax)
    this.listener.relayOpened(this)
  }

  onWebSocketClose(code: number, reason: ArrayBuffer): void {
    this.relay?.onClose(code, reason, this.listener.point.context.sweeper.now)
  }

  tunnelSend(_exchange: LiveExchange, bytes: Buffer, from: number, to: number): boolean {
    return this.relay === null || this.relay.fromServer(bytes, from, to)
  }

  tunnelEnd(_exchange: LiveExchange): void {
    this.relay?.serverEnd()
  }

  tunnelClosed(_exchange: LiveExchange): void {
    this.leave()
  }

  // A client that has gone is not waited for by a server that says nothing.
  onTick(now: number): void {
    const { exchange, relay } = this
    if (exchange !== null && relay !== null && relay.isOverdue(now)) tunnelUpstreamEnded(exchange)
  }

  // ---- endings

  private leave(): void {
    if (this.exchange !== null) this.listener.exchangeEnded()
    if (this.relay !== null) this.endRelay(this.relay)
    this.exchange = null
    this.writer.res = null
    if (!this.deferred) this.recycle()
  }

  private endRelay(relay: WebSocketRelay): void {
    this.relay = null
    this.listener.relayClosed(this)
    relay.abandon()
  }

  private recycle(): void {
    this.handshake = null
    this.forwarded = noForwarded
    this.refusal = NONE
    this.paused = false
    if (this.held.isHeld) this.held.clear()
    this.ending = false
    if (this.writer.bodyOpen) return
    this.writer.reset()
    this.listener.takeBack(this)
  }

  private clientGone(): void {
    if (this.writer.res === null) return // we have closed it ourselves
    this.writer.res = null
    const exchange = this.exchange
    if (exchange === null) return
    const begun = !this.deferred
    this.writer.bodyOpen = false
    this.leave()
    if (!begun) exchange.point = null // never told to the pipeline: it is not accounted for
    if (exchange.downstream === null) return pipeline.downstreamDone(exchange)
    pipeline.downstreamGone(exchange, this.listener.cutting ? DRAINING : CLIENT_GONE)
  }

  private takeAbort(): void {
    try {
      this.clientGone()
    } catch (defect) {
      this.listener.defect(defect)
    }
  }

  // A defect of ours: this exchange ends, the worker goes on.
  fail(defect: unknown): void {
    this.listener.defect(defect)
    const { exchange } = this
    const { res } = this.writer
    this.leave()
    if (exchange !== null && exchange.downstream !== null)
      pipeline.downstreamGone(exchange, CLIENT_GONE)
    res?.close()
  }
}

const noForwarded = new ForwardedCache()

function runDeferred(downstream: UwsDownstream): void {
  try {
    downstream.runDeferred()
  } catch (defect) {
    downstream.fail(defect)
  }
}
