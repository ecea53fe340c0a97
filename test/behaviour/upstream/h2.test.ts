// Servers that speak HTTP/2 in clear text (h2c://), asked by clients that speak HTTP/1.1.

import type { ServerHttp2Stream } from 'node:http2'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { type H2Origin, readAll, startH2Origin } from '../../support/h2-origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'

type Script = (stream: ServerHttp2Stream, path: string) => unknown

const scripts = new Map<string, Script>()
const clients: RawClient[] = []
let origin: H2Origin
let gateway: Gateway

function tunnel(stream: ServerHttp2Stream, path: string): void {
  if (path === '/refuses') {
    stream.respond({ ':status': 403 })
    stream.end('no')
    return
  }
  stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' })
  stream.on('data', (bytes: Buffer) => stream.write(bytes))
  stream.on('end', () => stream.end('bye'))
  stream.resume()
}

const handshake =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' // the sample of RFC 6455

beforeAll(async () => {
  origin = await startH2Origin(
    (stream, headers) => {
      const path = String(headers[':path'])
      if (headers[':protocol'] === 'websocket') return tunnel(stream, path)
      const script = scripts.get(path.split('?')[0]!)
      if (script === undefined) {
        stream.respond({ ':status': 200 })
        stream.end(path)
      } else script(stream, path)
    },
    { settings: { enableConnectProtocol: true } },
  )
  gateway = await startGateway({
    routes: routesTo([origin.url]),
  })
})

afterAll(async () => {
  for (const client of clients) client.destroy()
  await gateway.stop()
  await origin.stop()
})

async function open(): Promise<RawClient> {
  const client = await connectRaw(gateway.port)
  clients.push(client)
  return client
}

async function ask(target: string, method = 'GET', headers = '', body = '') {
  const client = await open()
  client.send(requestText(method, target, headers, body))
  return client.readResponse(method === 'HEAD')
}

test('a request arrives with pseudo fields, lower-case names and forwarded headers, and without framing of HTTP/1', async () => {
  const answer = await ask(
    '/a?b=c',
    'GET',
    'X-Mixed-Case:  v \r\nConnection: close, X-Gone\r\nX-Gone: 1\r\nTE: trailers\r\n',
  )
  expect([answer.status, answer.body]).toEqual([200, '/a?b=c'])
  const head = origin.asked.at(-1)!
  expect(head[':method']).toBe('GET')
  expect(head[':scheme']).toBe('http')
  expect(head[':authority']).toBe('a.test')
  expect(head[':path']).toBe('/a?b=c')
  expect(head['x-mixed-case']).toBe('v')
  expect(head['te']).toBe('trailers')
  expect(head['x-forwarded-proto']).toBe('http')
  expect(head['x-forwarded-host']).toBe('a.test')
  expect(head['x-gone']).toBeUndefined()
  expect(head['connection']).toBeUndefined()
  expect(head['host']).toBeUndefined()
})

test('requests of many clients share one session', async () => {
  const before = origin.sessions.length
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(`/many/${i}`)))
  expect(answers.map((a) => a.body)).toEqual(Array.from({ length: 40 }, (_, i) => `/many/${i}`))
  expect(origin.sessions.length).toBe(before)
  expect(origin.sessions.length).toBe(1)
})

test('bodies of both framings arrive whole', async () => {
  scripts.set('/echo', async (stream) => {
    const { body } = await readAll(stream)
    stream.respond({ ':status': 200, 'content-length': body.length })
    stream.end(Buffer.from(body, 'latin1'))
  })
  const body = 'x'.repeat(300_000)
  expect((await ask('/echo', 'POST', '', body)).body).toBe(body)
  const client = await open()
  client.send(
    'POST /echo HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
  )
  client.send('6\r\n world\r\n0\r\n\r\n')
  expect((await client.readResponse()).body).toBe('hello world')
})

test('trailers pass both ways', async () => {
  scripts.set('/trailers', async (stream) => {
    const { body, trailers } = await readAll(stream)
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': String(trailers['x-count']) }))
    stream.end(body)
  })
  const client = await open()
  client.send(
    'POST /trailers HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n' +
      '2\r\nab\r\n0\r\nX-Count: 7\r\n\r\n',
  )
  const answer = await client.readResponse()
  expect([answer.body, answer.trailers]).toEqual(['ab', ['x-sum: 7']])
})

test('a response without a body, or to HEAD, ends with its head', async () => {
  scripts.set('/204', (stream) => stream.respond({ ':status': 204 }, { endStream: true }))
  scripts.set('/head', (stream) => stream.respond({ ':status': 200, 'content-length': 12 }))
  expect((await ask('/204')).status).toBe(204)
  const answer = await ask('/head', 'HEAD')
  expect([answer.status, answer.headers.get('content-length')]).toEqual([200, '12'])
})

test('a WebSocket becomes an extended CONNECT, and bytes pass both ways until both sides have ended', async () => {
  const client = await open()
  client.send(requestText('GET', '/chat', handshake))
  await client.untilText('\r\n\r\n')
  const head = client.take(client.received.indexOf('\r\n\r\n') + 4).toLowerCase()
  expect(head).toMatch(/^http\/1.1 101 /)
  expect(head).toContain('sec-websocket-accept: ' + 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='.toLowerCase())
  expect(head).toContain('\r\nupgrade: websocket\r\n')
  expect(head).toContain('\r\nsec-websocket-protocol: chat\r\n')
  const asked = origin.asked.at(-1)!
  expect([asked[':method'], asked[':protocol'], asked[':path']]).toEqual([
    'CONNECT',
    'websocket',
    '/chat',
  ])
  expect(asked['sec-websocket-key']).toBeUndefined()
  client.send('hello')
  await client.untilText('hello')
  const large = 'x'.repeat(1_000_000)
  client.send(large)
  await client.until('1 MB', () => client.receivedBytes > 1_000_000)
  client.end()
  await client.untilText('bye')
  await client.untilEnded()
})

test('a server that refuses a WebSocket answers as it likes', async () => {
  const answer = await ask('/refuses', 'GET', handshake)
  expect([answer.status, answer.body]).toEqual([403, 'no'])
})

test('another upgrade has no form in HTTP/2: the server sees a plain request', async () => {
  const answer = await ask('/plain', 'GET', 'Connection: Upgrade\r\nUpgrade: other\r\n')
  expect([answer.status, answer.body]).toEqual([200, '/plain'])
})

test('a client that leaves a WebSocket resets its stream', async () => {
  const client = await open()
  client.send(requestText('GET', '/chat', handshake))
  await client.untilText('\r\n\r\n')
  client.reset()
  await origin.until('no stream to be open', () => origin.open() === 0)
})
