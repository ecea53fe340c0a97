// workers/downstream/uws/websocket-behavior.ts: what uWebSockets.js is told of WebSockets, and where its events go.
//
// Owner:  one listener. A WebSocket names its UwsDownstream, whose relay is there until the exchange is over.
// Hot:    yes, once per message. A throw of ours ends one WebSocket.

import type { TlsFacts } from '../../../core/exchange.ts'
import type { Uws, WebSocket, WebSocketBehavior } from './binding.ts'
import type { UwsListener } from './listener.ts'

// Seconds without a byte of the client, pongs included; half of it later uWebSockets.js sends a ping.
const IDLE_S = 120

export function webSockets(
  listener: UwsListener,
  uws: Uws,
  tls: TlsFacts | null,
  left: () => void,
): WebSocketBehavior {
  return {
    // Messages of clients are inflated, up to maxPayloadLength; what servers send goes out as it is.
    compression: uws.SHARED_COMPRESSOR | uws.SHARED_DECOMPRESSOR,
    maxPayloadLength: listener.bounds.bufferedBytesMax,
    maxBackpressure: 0,
    idleTimeout: IDLE_S,
    sendPingsAutomatically: true,
    upgrade: (response, request, context) =>
      listener.lease(tls).take(response, request, 'GET', context),
    open: (ws) => ws.downstream.opened(ws),
    message: onMessage,
    ping: onPing,
    pong: onPong,
    drain: onDrain,
    close: (ws, code, reason) => {
      left()
      onClose(ws, code, reason)
    },
  }
}

function onMessage({ downstream }: WebSocket, message: ArrayBuffer, isBinary: boolean): void {
  try {
    downstream.relay?.onMessage(message, isBinary)
  } catch (defect) {
    downstream.fail(defect)
  }
}

function onPing({ downstream }: WebSocket, payload: ArrayBuffer): void {
  try {
    downstream.relay?.onPing(payload)
  } catch (defect) {
    downstream.fail(defect)
  }
}

function onPong({ downstream }: WebSocket, payload: ArrayBuffer): void {
  try {
    downstream.relay?.onPong(payload)
  } catch (defect) {
    downstream.fail(defect)
  }
}

function onDrain({ downstream }: WebSocket): void {
  try {
    downstream.relay?.onDrain()
  } catch (defect) {
    downstream.fail(defect)
  }
}

function onClose({ downstream }: WebSocket, code: number, reason: ArrayBuffer): void {
  try {
    downstream.onWebSocketClose(code, reason)
  } catch (defect) {
    downstream.fail(defect)
  }
}
