// core/request-protocol.ts: what is spoken over HTTP in an exchange, as the label `protocol` of metrics has it.
//
// Hot: yes, once per request where requests are counted: one walk over the ids of header lines. Asked of the request as it
// came, since middlewares may change it: grpcWeb makes gRPC out of gRPC-Web.

import { type Exchange, SAW_UPGRADE } from './exchange.ts'
import { ACCEPT, CONTENT_TYPE, UPGRADE } from './header-ids.ts'
import type { Head } from './headers.ts'

export const HTTP = 0
export const SSE = 1
export const WEBSOCKET = 2
export const GRPC = 3
export const GRPC_WEB = 4
export const protocolNames = ['http', 'sse', 'websocket', 'grpc', 'grpc-web'] as const

const EVENT_STREAM = 'text/event-stream'
const GRPC_TYPE = 'application/grpc'
const GRPC_WEB_TYPE = 'application/grpc-web'

// The order is Traefik's: a WebSocket that also accepts events is a WebSocket.
export function protocolOf(exchange: Exchange): number {
  if (isWebSocket(exchange)) return WEBSOCKET
  const head = exchange.request
  let found = HTTP
  for (let line = 0; line < head.count; line++) {
    const id = head.ids[line]
    if (id === ACCEPT && found === HTTP && acceptsEvents(head, line)) found = SSE
    else if (id === CONTENT_TYPE) {
      const kind = grpcOf(head, line)
      if (kind !== HTTP) return kind
    }
  }
  return found
}

export function isWebSocket(exchange: Exchange): boolean {
  if ((exchange.facts & SAW_UPGRADE) === 0) return false
  const head = exchange.request
  for (let at = 0; at < head.count; at++) {
    if (head.ids[at] === UPGRADE && /(?:^|,)\s*websocket\s*(?:,|$)/i.test(head.valueAt(at))) {
      return true
    }
  }
  return false
}

// Exactly that, without parameters, is what EventSource sends. Most values are too short to hold it.
function acceptsEvents(head: Head, line: number): boolean {
  const length = head.offsets[line * 4 + 3]! - head.offsets[line * 4 + 2]!
  if (length < EVENT_STREAM.length) return false
  return /(?:^|,)[ \t]*text\/event-stream[ \t]*(?:,|$)/i.test(head.valueAt(line))
}

function grpcOf(head: Head, line: number): number {
  const start = head.offsets[line * 4 + 2]!
  if (!head.text.startsWith(GRPC_TYPE, start)) return HTTP
  return head.text.startsWith(GRPC_WEB_TYPE, start) ? GRPC_WEB : GRPC
}
