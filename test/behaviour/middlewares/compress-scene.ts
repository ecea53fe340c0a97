// test/behaviour/middlewares/compress-scene.ts: a server with a page for each case of compression, behind a gateway.

import { randomBytes } from 'node:crypto'
import http from 'node:http'
import type http2 from 'node:http2'
import zlib from 'node:zlib'
import { type Gateway, startGateway } from '../../support/gateway.ts'
import { startH2Origin } from '../../support/h2-origin.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'

export interface CompressScene {
  readonly origin: HttpOrigin
  readonly gateway: Gateway
  readonly waiting: http.ServerResponse[] // of /slow, /slow-length and /slow-events, in order
  readonly waitingStreams: http2.ServerHttp2Stream[]
  taken(): number // bytes of /endless that the gateway has taken
  ask(
    path: string,
    headers?: http.OutgoingHttpHeaders,
    method?: string,
  ): Promise<http.IncomingMessage>
  stop(): Promise<void>
}

export const text = Array.from({ length: 2000 }, (_, i) => `${i}: a line of text\n`).join('')
const etag = '"v1"'
const waiting: http.ServerResponse[] = [] // of /slow and /slow-length, in order
const waitingStreams: http2.ServerHttp2Stream[] = []
let taken = 0 // bytes of /endless that the gateway has taken

type Serve = (response: http.ServerResponse, request: http.IncomingMessage) => void

const plain = { 'Content-Type': 'text/plain; charset=utf-8' }
const withLength = (
  body: string | Buffer,
  headers: http.OutgoingHttpHeaders = {},
  status = 200,
): Serve => {
  return (response) =>
    void response
      .writeHead(status, { ...plain, 'Content-Length': body.length, ...headers })
      .end(body)
}
const chunked = (body: string, headers: http.OutgoingHttpHeaders = {}): Serve => {
  return (response) => {
    response.writeHead(200, { ...plain, ...headers }).write(body)
    response.end()
  }
}

const pages: Readonly<Record<string, Serve>> = {
  '/text': withLength(text, {
    ETag: etag,
    'Accept-Ranges': 'bytes',
    'Content-MD5': 'x',
    Vary: 'Origin',
  }),
  '/chunked': chunked(text),
  '/cached': withLength(text, { 'Cache-Control': 'max-age=60', ETag: etag }),
  '/cached-chunked': chunked(text, { 'Cache-Control': 'max-age=60', ETag: etag }),
  '/short': withLength('short', { ETag: etag }),
  '/short-chunked': chunked('short'),
  '/empty': withLength(''),
  '/image': withLength(text, { 'Content-Type': 'image/png' }),
  '/typeless': (response) => void response.writeHead(200).end(text),
  '/events': chunked(text, { 'Content-Type': 'text/event-stream' }),
  '/grpc': chunked(text, { 'Content-Type': 'application/grpc+proto' }),
  '/packed': withLength(zlib.gzipSync(text), { 'Content-Encoding': 'gzip' }),
  '/part': withLength(text, { 'Content-Range': `bytes 0-${text.length - 1}/99999` }, 206),
  '/private': withLength(text, { 'Cache-Control': 'max-age=5, no-transform' }),
  '/varies': withLength(text, { Vary: 'accept-encoding, Origin' }),
  '/missing': withLength(text, {}, 404),
  '/broken': withLength(text, {}, 503),
  '/unchanged': (response) => void response.writeHead(304, { ETag: etag }).end(),
  '/nothing': (response) => void response.writeHead(204).end(),
  '/trailers': (response) => {
    response.writeHead(200, { ...plain, Trailer: 'X-Sum, Content-Digest' })
    response.write(text)
    response.addTrailers({ 'X-Sum': '42', 'Content-Digest': 'sha-256=:AA==:' })
    response.end()
  },
  '/slow': (response) => {
    response.writeHead(200, plain).write('first ')
    waiting.push(response)
  },
  '/slow-length': (response) => {
    response.writeHead(200, { ...plain, 'Content-Length': 4096 }).write('first ')
    waiting.push(response)
  },
  '/slow-events': (response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: first\n\n')
    waiting.push(response)
  },
  '/endless': (response, request) => {
    response.writeHead(200, plain)
    const noise = randomBytes(65_536) // it does not become smaller
    const more = (): void => {
      do taken += noise.length
      while (response.write(noise))
    }
    response.on('drain', more)
    request.socket.on('close', () => response.off('drain', more))
    more()
  },
}

const serve: http.RequestListener = (request, response) => pages[request.url!]!(response, request)

export async function startCompressScene(): Promise<CompressScene> {
  const origin = await startHttpOrigin(serve)
  const h2Origin = await startH2Origin((stream) => {
    stream.on('error', () => {})
    stream.respond({ ':status': 200, 'content-type': 'text/plain' })
    stream.write('first ')
    waitingStreams.push(stream)
  })
  const service = (url: string) => ({ loadBalancer: { servers: [{ url }] } })
  const router = (host: string, middlewares: string[], to = 'origin') => {
    return { rule: `Host(\`${host}\`)`, entryPoints: ['web'], service: to, middlewares }
  }
  const gateway = await startGateway({
    routes: {
      http: {
        routers: {
          all: router('all.test', ['all']),
          br: router('br.test', ['br']),
          events: router('events.test', ['events']),
          pages: router('pages.test', ['all', 'pages']),
          stored: router('stored.test', ['all', 'cache']),
          packed: router('packed.test', ['cache', 'all']),
          inner: router('inner.test', ['pages', 'all']),
          h2: router('h2.test', ['all'], 'h2'),
        },
        middlewares: {
          all: { compress: {} },
          cache: { httpCache: {} },
          br: { compress: { encodings: ['br'], defaultEncoding: 'br', minResponseBodyBytes: 5 } },
          events: { compress: { includedContentTypes: ['text/*'] } },
          pages: { errors: { status: ['503'], service: 'origin', query: '/text' } },
        },
        services: {
          origin: service(origin.url),
          h2: service(h2Origin.url.replace(/^http:/, 'h2c:')),
        },
      },
    },
  })
  return {
    origin,
    gateway,
    waiting,
    waitingStreams,
    taken: () => taken,
    ask: (path, headers = {}, method = 'GET') => ask(gateway.port, path, headers, method),
    stop: async () => {
      await gateway.stop()
      await origin.stop()
      await h2Origin.stop()
    },
  }
}

function ask(
  port: number,
  path: string,
  headers: http.OutgoingHttpHeaders,
  method: string,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', path, method, agent: false }
    http
      .request({ ...options, headers: { Host: 'all.test', ...headers } }, resolve)
      .on('error', reject)
      .end()
  })
}
