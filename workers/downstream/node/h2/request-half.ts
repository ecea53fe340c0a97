// workers/downstream/node/h2/request-half.ts: the request of a stream on its way to the server.
//
// Owner:  see stream.ts, which is the other half and the same object.
// Hot:    yes.
//
// What the server does not take waits in `inbox`, as copies, bounded by the window that the client was given: it
// is opened again only for bytes that the server took.

import { Buffer } from 'node:buffer'
import { hasRequestBody } from '../../../../core/exchange.ts'
import type { Head } from '../../../../core/headers.ts'
import type { LiveExchange } from '../../../live-exchange.ts'
import * as pipeline from '../../../pipeline.ts'
import { tunnelDownstreamEnded, tunnelFromDownstream } from '../../../tunnel.ts'
import type { H2Connection } from './connection.ts'

export abstract class RequestHalf {
  readonly id: number
  readonly connection: H2Connection
  exchange: LiveExchange | null
  receiveWindow: number
  remoteOpen: boolean // the client may send more
  begun = false // the pipeline knows of it
  isConnect = false // an extended CONNECT: its 101 is a 200
  startedAt: number
  activeAt: number // last DATA of the client
  bodyBytes = 0
  paused = false // the server takes no more for now
  protected tunnel = false
  protected inputEnded = false // and told to the pipeline once the inbox is empty
  protected inbox: Buffer[] | null = null
  private declared = -1 // Content-Length
  private inputTrailers: Head | null = null
  private unacknowledged = 0 // bytes taken, for which the window was not opened again yet

  constructor(
    connection: H2Connection,
    id: number,
    exchange: LiveExchange,
    ended: boolean,
    now: number,
  ) {
    this.connection = connection
    this.id = id
    this.exchange = exchange
    this.receiveWindow = connection.streamWindow
    this.remoteOpen = !ended
    this.startedAt = now
    this.activeAt = now
  }

  // The head is whole and understood; its body may have begun to arrive in the same read.
  begin(): void {
    const exchange = this.exchange!
    this.begun = true
    this.declared = exchange.bodyLength
    if (!hasRequestBody(exchange)) exchange.requestComplete = true
    pipeline.begin(exchange)
    if (this.exchange !== exchange) return
    if (exchange.requestHeld) this.paused = true
    if (this.tunnel || exchange.requestComplete) return
    if (this.paused) this.connection.touch(this)
    else this.deliver()
  }

  // A piece of DATA. False: more than was announced.
  takeData(bytes: Buffer, from: number, to: number): boolean {
    const exchange = this.exchange
    this.bodyBytes += to - from
    this.activeAt = this.connection.point.context.sweeper.now
    if (exchange === null) return true
    if (!this.isConnect && !this.fits(exchange)) return false
    if (!this.begun || this.paused || this.inbox !== null || (this.isConnect && !this.tunnel)) {
      this.inbox ??= []
      this.inbox.push(Buffer.from(bytes.subarray(from, to)))
      this.connection.inboxBytes += to - from
      return true
    }
    this.pass(exchange, bytes, from, to, false)
    this.acknowledge(to - from)
    return true
  }

  private fits(exchange: LiveExchange): boolean {
    if (!this.begun) this.declared = exchange.bodyLength
    const hasBody = this.begun ? !exchange.requestComplete : hasRequestBody(exchange)
    return hasBody && (this.declared === 0 || this.bodyBytes <= this.declared)
  }

  private pass(
    exchange: LiveExchange,
    bytes: Buffer,
    from: number,
    to: number,
    owned: boolean,
  ): void {
    const taken = this.tunnel
      ? tunnelFromDownstream(exchange, bytes, from, to)
      : pipeline.requestBody(exchange, bytes, from, to, owned)
    if (!taken) this.paused = true
    this.connection.touch(this)
  }

  // The client will send no more. False: less than was announced.
  takeEnd(trailers: Head | null): boolean {
    this.remoteOpen = false
    const exchange = this.exchange
    if (exchange === null) return true
    if (!this.begun) this.declared = exchange.bodyLength
    if (!this.isConnect && this.declared > 0 && this.bodyBytes < this.declared) return false
    this.inputEnded = true
    this.inputTrailers = trailers
    if (this.begun && !this.paused && this.inbox === null) this.deliverEnd(exchange)
    return true
  }

  private deliverEnd(exchange: LiveExchange): void {
    this.inputEnded = false
    if (this.tunnel) return tunnelDownstreamEnded(exchange)
    if (exchange.requestComplete) return
    pipeline.requestEnd(exchange, this.inputTrailers)
    this.inputTrailers = null
  }

  // Hands on what has waited, until the server is full again.
  deliver(): void {
    const exchange = this.exchange
    const inbox = this.inbox
    if (exchange === null) return
    if (inbox !== null) {
      while (inbox.length > 0 && !this.paused && this.exchange === exchange) {
        const piece = inbox.shift()!
        this.connection.inboxBytes -= piece.length
        this.connection.giveCredit(0)
        this.pass(exchange, piece, 0, piece.length, true)
        if (this.exchange === exchange) this.acknowledge(piece.length)
      }
      if (inbox.length > 0) return
      this.inbox = null
    }
    if (this.inputEnded && !this.paused && this.exchange === exchange) this.deliverEnd(exchange)
  }

  // Opens the window again once half of it was used; a client that has ended has no use for it.
  private acknowledge(bytes: number): void {
    this.unacknowledged += bytes
    if (!this.remoteOpen || this.unacknowledged < this.connection.streamWindow / 2) return
    this.receiveWindow += this.unacknowledged
    this.connection.windowUpdate(this.id, this.unacknowledged)
    this.unacknowledged = 0
  }

  creditPadding(bytes: number): void {
    this.acknowledge(bytes)
  }

  protected dropInbox(): void {
    const inbox = this.inbox
    if (inbox === null) return
    for (const piece of inbox) this.connection.inboxBytes -= piece.length
    this.inbox = null
    this.connection.giveCredit(0)
  }
}
