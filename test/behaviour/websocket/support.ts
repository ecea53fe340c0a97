// test/behaviour/websocket/support.ts: what the tests of WebSockets share.

import { existsSync, readFileSync } from 'node:fs'
import type WebSocket from 'ws'
import type { Gateway } from '../../support/gateway.ts'

export const MIB = 1024 * 1024
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==' // RFC 6455, section 1.3
export const GROWTH_MAX = 64 * MIB // see test/engine/cases/bodies.ts

export interface Closed {
  readonly code: number
  readonly reason: string
}

export function closeOf(socket: WebSocket): Promise<Closed> {
  return new Promise((resolve) =>
    socket.once('close', (code: number, reason: Buffer) =>
      resolve({ code, reason: reason.toString() }),
    ),
  )
}

// Linux only, as is CI; elsewhere the figure is 0 and the tests hold the rest.
export function residentBytes(gateway: Gateway): number {
  const path = `/proc/${gateway.child.pid}/statm`
  return existsSync(path) ? Number(readFileSync(path, 'utf8').split(' ')[1]) * 4096 : 0
}
