// workers/tunnel.ts: after 101: bytes pass both ways unread until both sides have ended.
//
// Hot:    yes, for WebSockets and the like. One side that will send no more may still receive.

import type { Buffer } from 'node:buffer'
import { DOWNSTREAM_DONE, UPSTREAM_DONE } from '../core/exchange.ts'
import { finish, leaveUpstream } from './endings.ts'
import type { LiveExchange } from './live-exchange.ts'

export function tunnelFromUpstream(
  exchange: LiveExchange,
  bytes: Buffer,
  from: number,
  to: number,
): boolean {
  exchange.responseBytes += to - from
  const downstream = exchange.downstream
  return downstream === null || downstream.tunnelSend(exchange, bytes, from, to)
}

export function tunnelFromDownstream(
  exchange: LiveExchange,
  bytes: Buffer,
  from: number,
  to: number,
): boolean {
  exchange.requestBytes += to - from
  return exchange.upstream === null || exchange.upstream.tunnelSend(bytes, from, to)
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
