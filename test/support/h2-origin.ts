// test/support/h2-origin.ts: servers of HTTP/2 for the gateway to talk to, on node:http2.

import http2 from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { Wait } from './wait.ts'

export type H2Serve = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void

export interface H2Origin {
  readonly port: number
  readonly url: string // h2c://
  readonly server: http2.Http2Server
  readonly sessions: readonly http2.ServerHttp2Session[] // in the order in which they came
  readonly asked: readonly http2.IncomingHttpHeaders[] // heads of all requests
  open(): number // streams at the moment
  until(what: string, isThere: () => boolean, withinMs?: number): Promise<void>
  stop(): Promise<void>
}

export interface H2OriginOptions extends http2.ServerOptions {
  readonly port?: number
}

export async function startH2Origin(
  serve: H2Serve,
  options: H2OriginOptions = {},
): Promise<H2Origin> {
  const server = http2.createServer(options)
  return listenH2(server, serve, options.port ?? 0)
}

export async function listenH2(
  server: http2.Http2Server,
  serve: H2Serve,
  at: number | string,
): Promise<H2Origin> {
  const sessions: http2.ServerHttp2Session[] = []
  const asked: http2.IncomingHttpHeaders[] = []
  const sockets = new Set<Socket>()
  let openStreams = 0
  const wait = new Wait()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => {
      sockets.delete(socket)
      wait.look()
    })
  })
  server.on('session', (session) => {
    sessions.push(session)
    session.on('error', () => {})
    session.on('close', () => wait.look())
    wait.look()
  })
  server.on('stream', (stream: http2.ServerHttp2Stream, headers) => {
    asked.push(headers)
    openStreams++
    stream.once('close', () => openStreams--)
    stream.on('error', () => {})
    stream.on('close', () => wait.look())
    stream.on('data', () => setImmediate(() => wait.look()))
    stream.pause()
    serve(stream, headers)
    wait.look()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(at as number, () => resolve())
  })
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? (address as AddressInfo).port : 0
  return {
    port,
    url: `h2c://127.0.0.1:${port}`,
    server,
    sessions,
    asked,
    open: () => openStreams,
    until: (what, isThere, withinMs) => wait.until(isThere, () => what, withinMs),
    stop: () =>
      new Promise((resolve) => {
        for (const session of sessions) session.destroy()
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}

// The whole body of a stream as latin1 text; trailers too.
export function readAll(
  stream: http2.Http2Stream,
): Promise<{ body: string; trailers: http2.IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    let body = ''
    let trailers: http2.IncomingHttpHeaders = {}
    stream.on('data', (bytes: Buffer) => (body += bytes.latin1Slice()))
    stream.on('trailers', (fields) => (trailers = fields))
    stream.once('end', () => resolve({ body, trailers }))
    stream.once('close', () => reject(new Error('the stream closed before its end')))
    stream.resume()
  })
}
