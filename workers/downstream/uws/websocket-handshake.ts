// workers/downstream/uws/websocket-handshake.ts: the handshake of RFC 6455, which uWebSockets.js answers in our name.
//
// The server answers first: the client is switched only when the server's 101 is what a client of it must
// demand. uWebSockets.js then writes the fields of the handshake itself; the server's other lines go with them.
// Extensions end here: they are agreed between the client and uWebSockets.js, never offered to the server.
// Hot: no, once per WebSocket.

import { createHash } from 'node:crypto'
import { NONE, UPSTREAM_WEBSOCKET } from '../../../core/errors.ts'
import type { Exchange } from '../../../core/exchange.ts'
import type { SocketContext } from './binding.ts'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11' // RFC 6455, section 1.3
const KEY = /^[A-Za-z0-9+/]{22}==$/ // 16 bytes
const VERSION = '13'

export interface Handshake {
  readonly key: string
  readonly offered: readonly string[] // subprotocols
  readonly extensions: string
  readonly context: SocketContext
}

// Null: not a handshake that this engine can relay.
export function readHandshake(exchange: Exchange, context: SocketContext | null): Handshake | null {
  const { request } = exchange
  const [key = '', ...moreKeys] = request.getAll('sec-websocket-key')
  const [version, ...moreVersions] = request.getAll('sec-websocket-version')
  if (context === null || moreKeys.length > 0 || moreVersions.length > 0) return null
  if (version !== VERSION || !KEY.test(key) || !isWebSocket(request.get('upgrade'))) return null
  const extensions = request.getAll('sec-websocket-extensions').join(', ')
  request.remove('sec-websocket-extensions')
  const offered = tokensOf(request.getAll('sec-websocket-protocol'))
  return { key, offered, extensions, context }
}

function isWebSocket(upgrade: string | null): boolean {
  return upgrade !== null && upgrade.toLowerCase() === 'websocket'
}

function tokensOf(lines: readonly string[]): string[] {
  return lines.flatMap((line) => line.split(',')).map((token) => token.trim())
}

// What section 4.1 tells a client to check.
export function faultOfAnswer({ response }: Exchange, { key, offered }: Handshake): number {
  const wanted = createHash('sha1')
    .update(key + GUID)
    .digest('base64')
  const accepts = response.getAll('sec-websocket-accept')
  const protocols = response.getAll('sec-websocket-protocol')
  const isGood =
    isWebSocket(response.get('upgrade')) &&
    accepts.length === 1 &&
    accepts[0] === wanted &&
    !response.has('sec-websocket-extensions') &&
    (protocols.length === 0 || (protocols.length === 1 && offered.includes(protocols[0]!)))
  return isGood ? NONE : UPSTREAM_WEBSOCKET
}

const written = ['upgrade', 'connection', 'sec-websocket-accept', 'sec-websocket-protocol']

// The subprotocol that the server has chosen; the lines that uWebSockets.js writes are taken from its answer.
export function takeProtocol({ response }: Exchange): string {
  const protocol = response.get('sec-websocket-protocol') ?? ''
  for (const name of written) response.remove(name)
  return protocol
}
