// RFC 8441: a WebSocket in a stream of HTTP/2, to a server that speaks HTTP/1.1. Frames pass as they are.

import { createHash } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import {
  END_HEADERS,
  END_STREAM,
  type Fields,
  type H2Client,
  connectH2,
  data,
  headers,
  requestFields,
  reset,
  types,
  windowUpdate,
} from '../../support/h2-client.ts'
import { eventually } from '../../support/wait.ts'

let gateway: Gateway
let server: http.Server
let sockets: WebSocketServer
let seen: http.IncomingMessage | null = null
const clients: H2Client[] = []

beforeAll(async () => {
  server = http.createServer((_, response) => response.writeHead(426).end('upgrade'))
  sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (names) => [...names][0] ?? false,
  })
  server.on('upgrade', (request, socket, head) => {
    seen = request
    if (request.url === '/no')
      return void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
    sockets.handleUpgrade(request, socket, head, (ws) => {
      ws.on('message', (message: Buffer, binary) => {
        if (message.toString() === 'close') ws.close(4000, 'as you like')
        else if (message.toString() === 'big') ws.send(Buffer.alloc(300_000, 'b'))
        else ws.send(message, { binary })
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  gateway = await startGateway({ routes: routesTo([`http://127.0.0.1:${port}`]) })
})
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
})
afterAll(async () => {
  await gateway.stop()
  sockets.close()
  server.closeAllConnections()
  server.close()
})

async function open(path: string, more: Fields = []): Promise<H2Client> {
  const client = await connectH2(gateway.port)
  clients.push(client)
  const fields: Fields = [
    [':method', 'CONNECT'],
    [':protocol', 'websocket'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'a.test'],
    ['sec-websocket-version', '13'],
    ['origin', 'http://a.test'],
    ...more,
  ]
  client.send(headers(1, fields, END_HEADERS))
  return client
}

function masked(opcode: number, text: string): Buffer {
  const payload = Buffer.from(text)
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}

async function untilBody(client: H2Client, length: number): Promise<string> {
  await client.until(`${length} bytes`, () => client.gather(1).body.length >= length)
  return client.gather(1).body
}

test('SETTINGS offer it', async () => {
  const client = await connectH2(gateway.port)
  clients.push(client)
  const { payload } = client.find(types.SETTINGS)!
  expect(payload.includes(Buffer.from([0, 8, 0, 0, 0, 1]))).toBe(true)
})

test('the 101 of the server is a 200 here, and messages pass both ways', async () => {
  const client = await open('/chat', [['sec-websocket-protocol', 'one, two']])
  await client.until('the head', () => client.gather(1).status !== 0)
  const { status, headers: fields } = client.gather(1)
  expect([status, fields.get('sec-websocket-protocol')]).toEqual([200, 'one'])
  for (const name of ['upgrade', 'connection', 'sec-websocket-accept', 'content-length'])
    expect(fields.has(name)).toBe(false)
  expect(seen!.headers['upgrade']).toBe('websocket')
  expect(seen!.headers['x-forwarded-proto']).toBe('ws')
  const key = Buffer.from(String(seen!.headers['sec-websocket-key']), 'base64')
  expect(key.length).toBe(16)
  expect(createHash('sha1').update(key).digest().length).toBe(20)
  client.send(data(1, masked(1, 'hello')))
  expect(await untilBody(client, 7)).toBe('\x81\x05hello')
})

test('bytes that come before the answer wait for it', async () => {
  const client = await open('/chat')
  client.send(data(1, masked(1, 'early')))
  expect(await untilBody(client, 7)).toBe('\x81\x05early')
})

test('a large message waits for windows, and passes whole', async () => {
  const client = await open('/chat')
  client.send(data(1, masked(1, 'big')))
  expect((await untilBody(client, 65_535)).length).toBe(65_535)
  client.send(windowUpdate(0, 1_000_000), windowUpdate(1, 1_000_000))
  expect((await untilBody(client, 300_010)).length).toBe(300_010)
})

test('a close of the server ends the stream, without an error', async () => {
  const client = await open('/chat')
  client.send(data(1, masked(1, 'close')))
  const body = await untilBody(client, 4)
  expect(body.slice(0, 4)).toBe('\x88\x0d\x0f\xa0') // 4000
  client.send(data(1, masked(8, '')), data(1, '', END_STREAM))
  const { reset: code } = await client.answer(1)
  expect(code).toBe(-1)
})

test('a reset of the client closes the socket of the server', async () => {
  const client = await open('/chat')
  await client.until('the head', () => client.gather(1).status === 200)
  const before = sockets.clients.size
  client.send(data(1, masked(1, 'x')))
  await untilBody(client, 3)
  client.send(reset(1))
  await eventually(
    'the socket to be closed',
    () => [...sockets.clients].length < Math.max(1, before),
  )
})

test('a refusal of the server is its answer', async () => {
  const client = await open('/no')
  const { status, body } = await client.answer(1)
  expect([status, body]).toEqual([403, 'no'])
})

test('other protocols, and CONNECT to anywhere, are answered 501', async () => {
  const client = await connectH2(gateway.port)
  clients.push(client)
  const more: Fields = [[':protocol', 'connect-udp'], ...requestFields('CONNECT').slice(1)]
  client.send(headers(1, [[':method', 'CONNECT'], ...more], END_HEADERS))
  client.send(
    headers(
      3,
      [
        [':method', 'CONNECT'],
        [':authority', 'b.test:443'],
      ],
      END_HEADERS,
    ),
  )
  for (const id of [1, 3]) expect((await client.answer(id)).status).toBe(501)
})
