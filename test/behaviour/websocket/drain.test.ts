// WebSockets at the end of a drain, engine node: bytes pass unread, and yet both sides are told 1001, between two frames.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import WebSocket, { WebSocketServer } from 'ws'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import {
  END_HEADERS,
  END_STREAM,
  connectH2,
  data,
  headers,
  types,
} from '../../support/h2-client.ts'
import { type OriginConnection, startScriptedOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { KEY, closeOf } from './support.ts'

const GOODBYE = '\x88\x02\x03\xe9'
const web = { transport: { lifeCycle: { graceTimeOut: '500ms' } } }
const accepted = createHash('sha1')
  .update(KEY + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11')
  .digest('base64')

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
beforeAll(async () => {
  if (server.address() === null) await once(server, 'listening')
})
afterAll(() => server.close())

const start = (url: string): Promise<Gateway> => startGateway({ web, routes: routesTo([url]) })
const libraryUrl = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

test('client and server are closed with 1001 once the grace is over', async () => {
  const gateway = await start(libraryUrl())
  const connected = once(server, 'connection')
  const client = new WebSocket(`ws://127.0.0.1:${gateway.port}/`)
  await once(client, 'open')
  const [far] = (await connected) as [WebSocket]
  const closed = [closeOf(client), closeOf(far)]
  far.send('before')
  expect(String((await once(client, 'message'))[0])).toBe('before')
  const stopped = gateway.stop()
  // Until then it is a WebSocket like any other.
  far.send('in the grace')
  expect(String((await once(client, 'message'))[0])).toBe('in the grace')
  expect((await Promise.all(closed)).map(({ code }) => code)).toEqual([1001, 1001])
  await stopped
})

test('a close that is under way keeps its code', async () => {
  const gateway = await start(libraryUrl())
  const connected = once(server, 'connection')
  const client = new WebSocket(`ws://127.0.0.1:${gateway.port}/`)
  await once(client, 'open')
  await connected
  const closed = closeOf(client)
  client.pause() // it does not answer
  const [far] = (await connected) as [WebSocket]
  far.close(4000, 'own')
  await gateway.stop()
  client.resume()
  expect((await closed).code).toBe(4000)
})

const handshake =
  'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`

async function open(gateway: Gateway): Promise<RawClient> {
  const client = await connectRaw(gateway.port)
  client.send(handshake)
  expect((await client.readResponse()).status).toBe(101)
  return client
}

function scripted(
  talk: (connection: OriginConnection) => Promise<void>,
): Promise<Awaited<ReturnType<typeof startScriptedOrigin>>> {
  return startScriptedOrigin(async (connection) => {
    await connection.readRequestHead(3_600_000)
    connection.send(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accepted}\r\n\r\n`,
    )
    await talk(connection)
    await connection.untilEnded(3_600_000)
  })
}

// The code of the masked close frame that has come; 0 for anything else.
async function goodbyeTo(connection: OriginConnection): Promise<number> {
  await connection.until('a close frame', () => connection.received.length >= 8)
  const frame = Buffer.from(connection.received, 'latin1')
  if (frame.readUInt16BE(0) !== 0x8882 || frame.length !== 8) return 0
  return (frame[6]! ^ frame[2]!) * 256 + (frame[7]! ^ frame[3]!)
}

test('a frame under way is passed to its end, and then the client is told', async () => {
  let code = 0
  const origin = await scripted(async (connection) => {
    connection.send('\x82\x0ahalf ')
    code = await goodbyeTo(connection) // the grace is over
    connection.send('frame\x82\x05never')
  })
  const gateway = await start(origin.url)
  const client = await open(gateway)
  await client.untilText('half ')
  const stopped = gateway.stop()
  await client.untilText(GOODBYE)
  expect(client.received).toBe('\x82\x0ahalf frame' + GOODBYE)
  expect(code).toBe(1001)
  client.destroy()
  await stopped
  await origin.stop()
})

test('a frame that does not end is cut off, and nothing is put into its middle', async () => {
  const origin = await scripted(async (connection) => {
    connection.send('\x82\x0ahalf ')
    await goodbyeTo(connection)
  })
  const gateway = await start(origin.url)
  const client = await open(gateway)
  await gateway.stop()
  await client.untilEnded()
  expect(client.received).toBe('\x82\x0ahalf ')
  client.destroy()
  await origin.stop()
})

test('another upgrade has no frames, and is only cut', async () => {
  const origin = await startScriptedOrigin(async (connection) => {
    await connection.readRequestHead(3_600_000)
    connection.send(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: own\r\nConnection: Upgrade\r\n\r\nhello',
    )
    await connection.untilEnded(3_600_000)
  })
  const gateway = await start(origin.url)
  const client = await connectRaw(gateway.port)
  client.send('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: own\r\n\r\n')
  expect((await client.readResponse()).status).toBe(101)
  await gateway.stop()
  await client.untilEnded()
  expect(client.received).toBe('hello')
  client.destroy()
  await origin.stop()
})

test('over HTTP/2 the close frame is the last of its stream', async () => {
  const gateway = await start(libraryUrl())
  const client = await connectH2(gateway.port)
  const connected = once(server, 'connection')
  const fields: [string, string][] = [
    [':method', 'CONNECT'],
    [':protocol', 'websocket'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'a.test'],
    ['sec-websocket-version', '13'],
  ]
  client.send(headers(1, fields, END_HEADERS))
  await client.until('the head', () => client.gather(1).status !== 0)
  const [far] = (await connected) as [WebSocket]
  const closed = closeOf(far)
  const stopped = gateway.stop()
  await client.until('its close frame', () => client.gather(1).body === GOODBYE)
  expect((await closed).code).toBe(1001)
  client.send(data(1, Buffer.from([0x88, 0x82, 0, 0, 0, 0, 3, 0xe9]), END_STREAM))
  expect((await client.answer(1)).body).toBe(GOODBYE)
  expect(client.find(types.GOAWAY)).toBeDefined()
  client.destroy()
  await stopped
})
