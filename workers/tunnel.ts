// workers/tunnel.ts: after 101: bytes pass both ways unread until both sides have ended.
//
// Hot:    yes, for WebSockets and the like. One side that will send no more may still receive.
//
// Of a WebSocket the heads of frames are looked at all the same, so that a drain knows where it may say close: both
// sides are told 1001 after the frame under way, see nothing more of each other, and end as they do after a close.

import { Buffer } from 'node:buffer'
import { DRAINING } from '../core/errors.ts'
import { DOWNSTREAM_DONE, UPSTREAM_DONE } from '../core/exchange.ts'
import { FrameCounter } from '../core/websocket/frame-counter.ts'
import { GOING_AWAY } from '../core/websocket/frames.ts'
import { cryptoModule } from './builtins.ts'
import { finish, leaveUpstream } from './endings.ts'
import type { LiveExchange } from './live-exchange.ts'

const goodbye = Buffer.of(0x88, 2, GOING_AWAY >> 8, GOING_AWAY & 255) // to the client: a whole close frame

export class TunnelFrames {
  readonly fromServer = new FrameCounter()
  readonly fromClient = new FrameCounter()
}

// Called where the tunnel begins, by an engine that does not read frames.
export function watchFrames(exchange: LiveExchange): void {
  if (exchange.response.get('upgrade')?.toLowerCase() === 'websocket')
    exchange.frames = new TunnelFrames()
}

export function tunnelFromUpstream(
  exchange: LiveExchange,
  bytes: Buffer,
  from: number,
  to: number,
): boolean {
  exchange.responseBytes += to - from
  const { downstream, frames } = exchange
  if (downstream === null) return true
  if (frames === null) return downstream.tunnelSend(exchange, bytes, from, to)
  const end = frames.fromServer.count(bytes, from, to)
  const goesOn = end === from || downstream.tunnelSend(exchange, bytes, from, end)
  if (frames.fromServer.takeTurn()) sayGoodbye(exchange)
  return goesOn
}

export function tunnelFromDownstream(
  exchange: LiveExchange,
  bytes: Buffer,
  from: number,
  to: number,
): boolean {
  exchange.requestBytes += to - from
  const { upstream, frames } = exchange
  if (upstream === null) return true
  if (frames === null) return upstream.tunnelSend(bytes, from, to)
  const end = frames.fromClient.count(bytes, from, to)
  const goesOn = end === from || upstream.tunnelSend(bytes, from, end)
  if (frames.fromClient.takeTurn()) sayGoodbyeToServer(exchange)
  return goesOn
}

// The time for draining is over. False: there is nothing to be said, and the tunnel is to be cut. Else it ends by
// itself, unless a side does not do its part: then it is cut a moment later.
export function goAway(exchange: LiveExchange): boolean {
  const { frames } = exchange
  if (frames === null || exchange.tunnelEnds !== 0) return false
  const { fromServer, fromClient } = frames
  if (fromServer.saidClose || fromClient.saidClose) return true // the other answers, and both know why
  exchange.error = DRAINING
  exchange.point?.context.countError(DRAINING)
  fromServer.leave()
  fromClient.leave()
  if (fromServer.takeTurn()) sayGoodbye(exchange)
  if (fromClient.takeTurn()) sayGoodbyeToServer(exchange)
  return true
}

function sayGoodbye(exchange: LiveExchange): void {
  exchange.downstream?.tunnelSend(exchange, goodbye, 0, goodbye.length)
}

function sayGoodbyeToServer(exchange: LiveExchange): void {
  const key = cryptoModule().randomBytes(4) // frames of clients are masked (RFC 6455, section 5.3)
  const code = Buffer.of((GOING_AWAY >> 8) ^ key[0]!, (GOING_AWAY & 255) ^ key[1]!)
  const frame = Buffer.of(0x88, 0x82, ...key, ...code)
  exchange.upstream?.tunnelSend(frame, 0, frame.length)
}

// One side will send no more; the other may still. The tunnel ends when both have ended.
export function tunnelUpstreamEnded(exchange: LiveExchange): void {
  exchange.tunnelEnds |= UPSTREAM_DONE
  exchange.downstream?.tunnelEnd(exchange)
  closeTunnel(exchange)
}

export function tunnelDownstreamEnded(exchange: LiveExchange): void {
  exchange.tunnelEnds |= DOWNSTREAM_DONE
  exchange.upstream?.tunnelEnd()
  closeTunnel(exchange)
}

function closeTunnel(exchange: LiveExchange): void {
  if (exchange.tunnelEnds !== (DOWNSTREAM_DONE | UPSTREAM_DONE)) return
  const downstream = exchange.downstream
  exchange.downstream = null
  leaveUpstream(exchange)
  downstream?.tunnelClosed(exchange)
  finish(exchange, DOWNSTREAM_DONE | UPSTREAM_DONE)
}
