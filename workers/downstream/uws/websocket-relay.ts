// workers/downstream/uws/websocket-relay.ts: one WebSocket: messages of uWebSockets.js on the client's side, frames
// in a tunnel on the server's.
//
//   client ==(uWebSockets.js)== message, ping, pong, close -> masked frames ==(upstream tunnel)== server
//                               send, ping, end            <- FrameReader
//
// Owner:  a UwsDownstream, from the switch of protocols to the end of its exchange.
// Memory: nothing is gathered. What a server sends is passed on piece by piece, as fragments; the server is
//         paused while more than bufferedBytesMax wait for the client. A client can't be paused (there is no
//         call for it): when it sends on though the server does not read, the WebSocket is closed (1013).
// Hot:    yes, once per message.
//
// Pings of the server go to the client, whose pongs go back. A client's ping is answered by uWebSockets.js and
// told to the server; the server's pong ends here, because there is no call to send one.

import { Buffer } from 'node:buffer'
import { randomFillSync } from 'node:crypto'
import { DOWNSTREAM_DONE } from '../../../core/exchange.ts'
import { BODY_OVERRUN, CLIENT_GONE, DRAINING, UPSTREAM_MALFORMED } from '../../../core/errors.ts'
import { CONTROL, FAULT, FrameReader, MORE } from '../../../core/websocket/frame-reader.ts'
import { FrameWriter } from '../../../core/websocket/frame-writer.ts'
import {
  ABNORMAL,
  BAD_GATEWAY,
  BINARY,
  CLOSE,
  GOING_AWAY,
  NO_STATUS,
  PING,
  PONG,
  TEXT,
  TRY_AGAIN_LATER,
} from '../../../core/websocket/frames.ts'
import type { LiveExchange } from '../../live-exchange.ts'
import * as pipeline from '../../pipeline.ts'
import { tunnelDownstreamEnded, tunnelFromDownstream } from '../../tunnel.ts'
import type { WebSocket } from './binding.ts'

const CLOSING_MS_MAX = 5000 // for the server to answer a close frame by its own and by its end
const KEYS = 1024 // masking keys that are drawn at once
const PINGS_MAX = 64 // of the server, whose pongs are awaited
const nothing = Buffer.alloc(0)

const writer = new FrameWriter()
let view = Buffer.from(writer.bytes.buffer) // the same memory
const keys = new Uint32Array(KEYS)
let keyAt = KEYS

// Not to be foreseen by what runs in the client (RFC 6455, section 10.3).
function nextKey(): number {
  if (keyAt === KEYS) {
    randomFillSync(keys)
    keyAt = 0
  }
  return keys[keyAt++]!
}

export class WebSocketRelay {
  closedAt = 0 // sweeper's clock when the client's side ended; 0 = it is open
  private ws: WebSocket | null // null once it is closed: a call would throw
  private readonly exchange: LiveExchange
  private readonly heldMax: number
  private readonly reader = new FrameReader()
  private serverEnded = false
  private serverSaidClose = false
  private saidClose = false // to the server
  private serverBlocked = false // it does not read; heldBytes wait for it
  private heldBytes = 0
  private pings = 0 // of the server, on their way to the client

  constructor(ws: WebSocket, exchange: LiveExchange, heldMax: number) {
    this.ws = ws
    this.exchange = exchange
    this.heldMax = heldMax
  }

  // ---- from the client

  onMessage(message: ArrayBuffer, isBinary: boolean): void {
    if (this.serverEnded || this.saidClose) return
    writer.write(isBinary ? BINARY : TEXT, new Uint8Array(message), nextKey())
    this.sendFrame()
  }

  onPing(payload: ArrayBuffer): void {
    if (this.serverEnded || this.saidClose) return
    writer.write(PING, new Uint8Array(payload), nextKey())
    this.sendFrame()
  }

  // Those of uWebSockets.js's own pings end here.
  onPong(payload: ArrayBuffer): void {
    if (this.pings === 0 || this.serverEnded || this.saidClose) return
    this.pings--
    writer.write(PONG, new Uint8Array(payload), nextKey())
    this.sendFrame()
  }

  // The client's side is over: by itself, by the server's close frame, or by giveUp.
  onClose(code: number, reason: ArrayBuffer, now: number): void {
    this.ws = null
    this.closedAt = now
    if (this.serverEnded) return
    // No close frame has come from the client (1006): the server sees the same, an end without one.
    if (code === ABNORMAL) this.note(CLIENT_GONE)
    else if (!this.saidClose) this.sayClose(code, new Uint8Array(reason))
    if (this.exchange.upstream !== null) pipeline.downstreamWritable(this.exchange) // its end is awaited
    tunnelDownstreamEnded(this.exchange)
  }

  onDrain(): void {
    if (this.ws !== null && this.ws.getBufferedAmount() < this.heldMax)
      pipeline.downstreamWritable(this.exchange)
  }

  private sayClose(code: number, reason: Uint8Array): void {
    writer.writeClose(code === NO_STATUS ? 0 : code, reason, nextKey())
    this.sendFrame()
    this.saidClose = true
  }

  private sendFrame(): void {
    const { start, end, bytes } = writer
    if (view.buffer !== bytes.buffer) view = Buffer.from(bytes.buffer)
    if (this.serverBlocked) {
      this.heldBytes += end - start
      if (this.ws !== null && this.heldBytes > this.heldMax)
        return this.giveUp(BODY_OVERRUN, TRY_AGAIN_LATER)
    }
    if (!tunnelFromDownstream(this.exchange, view, start, end)) this.serverBlocked = true
  }

  // The server has taken all that waited for it.
  serverWritable(): void {
    this.serverBlocked = false
    this.heldBytes = 0
  }

  // ---- from the server

  // False: the server is to wait for onDrain.
  fromServer(bytes: Buffer, from: number, to: number): boolean {
    for (let at = from; this.ws !== null && !this.serverSaidClose;) {
      const event = this.reader.next(bytes, at, to)
      at = this.reader.pos
      if (event === MORE) break
      if (event === FAULT) {
        this.giveUp(UPSTREAM_MALFORMED, BAD_GATEWAY)
        return true
      }
      if (event === CONTROL) this.takeControl()
      else this.pass(bytes)
    }
    return this.ws === null || this.ws.getBufferedAmount() < this.heldMax
  }

  private pass(bytes: Buffer): void {
    const { isFirst, isLast, isText, dataStart, dataEnd } = this.reader
    const ws = this.ws!
    const piece = bytes.subarray(dataStart, dataEnd)
    if (isFirst && isLast) ws.send(piece, !isText, false)
    else if (isFirst) ws.sendFirstFragment(piece, !isText, false)
    else if (isLast) ws.sendLastFragment(piece, false)
    else if (piece.length > 0) ws.sendFragment(piece, false)
  }

  private takeControl(): void {
    const { opcode, control, controlLength } = this.reader
    if (opcode === PING) {
      if (this.pings < PINGS_MAX) this.pings++
      this.ws!.ping(control.subarray(0, controlLength))
    } else if (opcode === CLOSE) {
      this.serverSaidClose = true
      const code = this.reader.closeCode()
      this.sayClose(code === 0 ? NO_STATUS : code, nothing)
      // Calls onClose.
      if (code === 0) this.ws!.end()
      else this.ws!.end(code, this.reader.closeReason())
    }
  }

  // The server sends no more. Without its close frame the client must not take it for a good end. Whoever
  // calls goes on to close the tunnel when both sides have ended.
  serverEnd(): void {
    this.serverEnded = true
    this.abandon()
    this.exchange.tunnelEnds |= DOWNSTREAM_DONE
  }

  // ---- endings

  // The grace of a drain is over.
  goAway(): void {
    this.giveUp(DRAINING, GOING_AWAY)
  }

  // The server has not ended its side, though the client's is over. Returns false while there is time.
  isOverdue(now: number): boolean {
    return this.closedAt !== 0 && now - this.closedAt > CLOSING_MS_MAX
  }

  // The exchange is over: nothing is to be said to anybody.
  abandon(): void {
    const { ws } = this
    this.ws = null
    ws?.close()
  }

  private giveUp(code: number, closeCode: number): void {
    this.note(code)
    this.ws?.end(closeCode) // calls onClose
  }

  private note(code: number): void {
    this.exchange.error = code
    this.exchange.point!.context.countError(code)
  }
}
