// bench/origins/grpc-process.ts: a gRPC server without gRPC's library: HTTP/2 in clear text, the call read to its end,
// one message and `grpc-status: 0` back. The library would cost the load's core three times as much.

import http2 from 'node:http2'
import { MESSAGE_BYTES, framed } from '../grpc.ts'

const HEAD = { ':status': 200, 'content-type': 'application/grpc' }
const TAIL = { 'grpc-status': '0' }
const answer = framed(MESSAGE_BYTES)

// A peer may share one connection among all streams of its clients.
const server = http2.createServer({ settings: { maxConcurrentStreams: 10_000 } })

server.on('stream', (stream) => {
  stream.on('error', () => {}) // a client that went away
  stream.on('wantTrailers', () => stream.sendTrailers(TAIL))
  stream.on('end', () => {
    if (stream.destroyed) return
    stream.respond(HEAD, { waitForTrailers: true })
    stream.end(answer)
  })
  stream.resume()
})
server.on('sessionError', () => {})
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 })
