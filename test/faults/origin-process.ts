// test/faults/origin-process.ts: a server with an event loop of its own, for rows that measure how long good requests take:
// in the process that asks and counts, its work for an attacker's requests would be measured as the gateway's.
//
// Answers every request once its body is there; a WebSocket is opened and held. Tells its port to its parent.

import { createHash } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11' // RFC 6455, section 1.3

const server = http.createServer((request, response) => {
  request.on('error', () => undefined)
  response.on('error', () => undefined)
  request.on('end', () => response.end('got'))
  request.resume()
})
server.requestTimeout = 0
server.on('upgrade', (request, socket) => {
  const key = String(request.headers['sec-websocket-key'])
  const accept = createHash('sha1')
    .update(key + GUID)
    .digest('base64')
  socket.on('error', () => undefined)
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  socket.resume()
})
server.listen(0, '127.0.0.1', 4096, () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
)
process.on('disconnect', () => process.exit(0))
