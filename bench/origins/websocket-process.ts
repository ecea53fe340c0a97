// bench/origins/websocket-process.ts: sends every WebSocket message back as it came. A plain GET is answered with 200,
// by which the harness sees that a peer is up.

import http from 'node:http'
import { WebSocketServer } from 'ws'

const PAYLOAD_BYTES_MAX = 65_536

const server = http.createServer((_request, response) => response.end('up\n'))
const sockets = new WebSocketServer({
  server,
  perMessageDeflate: false,
  maxPayload: PAYLOAD_BYTES_MAX,
})

sockets.on('connection', (socket) => {
  socket.on('error', () => {}) // the load sees its connection end
  socket.on('message', (bytes, isBinary) => socket.send(bytes, { binary: isBinary }))
})
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 })
