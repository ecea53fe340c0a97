// WebSockets through the gateway, on both engines: `node` passes bytes unread, `uws` relays messages as frames.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import WebSocket, { type RawData, WebSocketServer } from 'ws'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { type OriginConnection, startScriptedOrigin } from '../../support/origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

const MIB = 1024 * 1024
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==' // RFC 6455, section 1.3
const GROWTH_MAX = 64 * MIB // see test/engine/cases/bodies.ts

const engines = ['node', 'uws'] as const

interface Closed {
  readonly code: number
  readonly reason: string
}

function closeOf(socket: WebSocket): Promise<Closed> {
  return new Promise((resolve) =>
    socket.once('close', (code: number, reason: Buffer) =>
      resolve({ code, reason: reason.toString() }),
    ),
  )
}

function residentBytes(gateway: Gateway): number {
  const path = `/proc/${gateway.child.pid}/statm`
  return existsSync(path) ? Number(readFileSync(path, 'utf8').split(' ')[1]) * 4096 : 0
}

describe.each(engines)('a WebSocket through engine %s', (engine) => {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    handleProtocols: (offered) => (offered.has('second') ? 'second' : false),
    verifyClient: ({ req }, done) =>
      req.url === '/refused'
        ? done(false, 401, 'who are you?', { 'X-Reason': 'test' })
        : done(true),
  })
  const accepted: WebSocket[] = []
  let gateway: Gateway
  const clients: WebSocket[] = []

  beforeAll(async () => {
    if (server.address() === null) await once(server, 'listening')
    server.on('headers', (lines) => lines.push('X-From: server'))
    server.on('connection', (socket, request) => {
      accepted.push(socket)
      socket.on('error', () => {})
      if (request.url === '/echo')
        socket.on('message', (data: RawData, isBinary: boolean) =>
          socket.send(data, { binary: isBinary }),
        )
    })
    const { port } = server.address() as AddressInfo
    gateway = await startGateway({ engine, routes: routesTo([`http://127.0.0.1:${port}`]) })
  })

  afterEach(() => {
    for (const client of clients.splice(0)) client.terminate()
    for (const socket of accepted.splice(0)) socket.terminate()
    expect(gateway.stderr()).not.toContain('defect')
  })

  afterAll(async () => {
    await gateway.stop()
    server.close()
  })

  async function connect(path: string, protocols: string[] = [], options = {}): Promise<WebSocket> {
    const client = new WebSocket(`ws://127.0.0.1:${gateway.port}${path}`, protocols, options)
    clients.push(client)
    client.on('error', () => {})
    await once(client, 'open')
    return client
  }

  // Both ends of one WebSocket.
  async function pair(path = '/quiet'): Promise<[client: WebSocket, server: WebSocket]> {
    const before = accepted.length
    const client = await connect(path)
    return [client, accepted[before]!]
  }

  test('texts and binaries come back as they were sent, from nothing to 1 MiB', async () => {
    const client = await connect('/echo')
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 300_000, MIB]) {
      for (const sent of ['ü'.repeat(size >> 1), Buffer.alloc(size, size & 255)]) {
        client.send(sent)
        const [data, isBinary] = (await once(client, 'message')) as [Buffer, boolean]
        expect(isBinary).toBe(typeof sent !== 'string')
        expect(Buffer.compare(data, Buffer.from(sent as string))).toBe(0)
      }
    }
  })

  test('many messages at once keep their order', async () => {
    const client = await connect('/echo')
    const seen: string[] = []
    client.on('message', (data: Buffer) => seen.push(data.toString()))
    const sent = Array.from({ length: 5000 }, (_, i) => `message ${i} ${'x'.repeat(i % 300)}`)
    for (const text of sent) client.send(text)
    await eventually('all of them', () => seen.length === sent.length)
    expect(seen).toEqual(sent)
  })

  test('a message in fragments arrives as one, either way', async () => {
    const [client, socket] = await pair()
    for (const [from, to] of [
      [client, socket],
      [socket, client],
    ] as const) {
      const got = once(to, 'message')
      from.send('one ', { fin: false })
      from.send('two ', { fin: false })
      from.ping('between')
      from.send('three', { fin: true })
      const [data, isBinary] = (await got) as [Buffer, boolean]
      expect([data.toString(), isBinary]).toEqual(['one two three', false])
    }
  })

  test('a ping of either side reaches the other, and a pong comes back', async () => {
    const [client, socket] = await pair()
    const heard = once(socket, 'ping')
    const answered = once(client, 'pong')
    client.ping('from client')
    expect(String((await heard)[0])).toBe('from client')
    expect(String((await answered)[0])).toBe('from client')
    const heardBack = once(client, 'ping')
    const answeredBack = once(socket, 'pong')
    socket.ping('from server')
    expect(String((await heardBack)[0])).toBe('from server')
    expect(String((await answeredBack)[0])).toBe('from server')
  })

  test.each([
    [1000, 'done'],
    [1001, ''],
    [4000, 'ü'],
    [4321, 'x'.repeat(123)],
  ])('close code %i reaches the other side with its reason, either way', async (code, reason) => {
    for (const side of ['client', 'server'] as const) {
      const [client, socket] = await pair()
      const [from, to] = side === 'client' ? [client, socket] : [socket, client]
      const closed = Promise.all([closeOf(from), closeOf(to)])
      from.close(code, reason)
      const [own, other] = await closed
      expect(other).toEqual({ code, reason })
      expect(own.code).toBe(code)
    }
  })

  // uWebSockets.js takes 1012 to 3999 from a client for a violation, and cuts.
  test('close codes of libraries (3000 to 3999) pass from the server, and from the client with engine node', async () => {
    for (const side of ['client', 'server'] as const) {
      const [client, socket] = await pair()
      const [from, to] = side === 'client' ? [client, socket] : [socket, client]
      const closed = closeOf(to)
      from.close(3999, 'x')
      expect((await closed).code).toBe(engine === 'uws' && side === 'client' ? 1006 : 3999)
    }
  })

  test('a close frame without a code arrives without one', async () => {
    for (const side of ['client', 'server'] as const) {
      const [client, socket] = await pair()
      const [from, to] = side === 'client' ? [client, socket] : [socket, client]
      const closed = closeOf(to)
      from.close()
      expect(await closed).toEqual({ code: 1005, reason: '' })
    }
  })

  test('a connection that is torn down is no clean close for the other side', async () => {
    for (const side of ['client', 'server'] as const) {
      const [client, socket] = await pair()
      const [from, to] = side === 'client' ? [client, socket] : [socket, client]
      const closed = closeOf(to)
      from.terminate()
      expect((await closed).code).toBe(1006)
    }
  })

  test('the server chooses the subprotocol, and its other headers are passed', async () => {
    const client = new WebSocket(`ws://127.0.0.1:${gateway.port}/quiet`, ['first', 'second'])
    clients.push(client)
    const opened = once(client, 'open')
    const [response] = await once(client, 'upgrade')
    expect(response.headers['x-from']).toBe('server')
    await opened
    expect(client.protocol).toBe('second')
  })

  test('the answer of a server that refuses is passed to the client', async () => {
    const client = new WebSocket(`ws://127.0.0.1:${gateway.port}/refused`)
    client.on('error', () => {})
    const [, response] = await once(client, 'unexpected-response')
    expect([response.statusCode, response.headers['x-reason']]).toEqual([401, 'test'])
    response.destroy()
  })

  test('a request that is not whole as a handshake is not switched', async () => {
    const raw = await connectRaw(gateway.port)
    raw.send(
      `GET /quiet HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
    )
    const { status } = await raw.readResponse()
    expect(status).toBe(engine === 'uws' ? 501 : 400)
    raw.destroy()
  })

  test('a connection that has ended counts no more', async () => {
    await pair()
    const count = async () => {
      const { body } = await gateway.admin('/metrics')
      return /^traefik_open_connections\{entrypoint="web".*\} (\d+)$/m.exec(body)?.[1]
    }
    expect(Number(await count())).toBeGreaterThan(0)
    for (const one of clients.splice(0)) one.terminate()
    await eventually('no connection', async () => (await count()) === '0')
  })

  test('a client that does not read pauses the server', async () => {
    const [client, socket] = await pair()
    const before = residentBytes(gateway)
    client.pause()
    const piece = Buffer.alloc(64 * 1024, 7)
    const total = 256 * MIB
    let sent = 0
    let flushed = 0
    const pump = () => {
      while (sent < total && socket.bufferedAmount < MIB) {
        sent += piece.length
        socket.send(piece, () => {
          flushed += piece.length
          pump()
        })
      }
    }
    pump()
    let same = 0
    let last = -1
    await eventually('the server to stand still', () => {
      same = flushed === last ? same + 1 : 0
      last = flushed
      return same >= 15
    })
    expect(flushed).toBeLessThan(total / 2)
    expect(residentBytes(gateway) - before).toBeLessThan(GROWTH_MAX)
    let received = 0
    client.on('message', (data: Buffer) => (received += data.length))
    client.resume()
    await eventually('the rest', () => received === total, 30_000)
  }, 60_000)
})

// ---- what only an engine that reads frames can do

function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
}

type Talk = (connection: OriginConnection) => unknown

describe('a WebSocket through engine uws, beside a server that is not as it should be', () => {
  let talk: Talk = () => {}
  let lines = ''
  let accept = acceptOf
  let seenHead = ''
  let gateway: Gateway
  let origin: Awaited<ReturnType<typeof startScriptedOrigin>>

  beforeAll(async () => {
    origin = await startScriptedOrigin(async (connection) => {
      const head = await connection.readRequestHead(3_600_000)
      seenHead = head.toLowerCase()
      const key = /sec-websocket-key: (.*)\r\n/i.exec(head)?.[1] ?? ''
      connection.send(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(key)}\r\n${lines}\r\n`,
      )
      await talk(connection)
      await connection.untilEnded(3_600_000)
    })
    gateway = await startGateway({ engine: 'uws', routes: routesTo([origin.url]) })
  })

  afterEach(() => {
    talk = () => {}
    lines = ''
    accept = acceptOf
    expect(gateway.stderr()).not.toContain('defect')
  })

  afterAll(async () => {
    await gateway.stop()
    await origin.stop()
  })

  function open(protocols: string[] = []): WebSocket {
    const client = new WebSocket(`ws://127.0.0.1:${gateway.port}/`, protocols)
    client.on('error', () => {})
    return client
  }

  async function errorCount(code: string): Promise<number> {
    const { body } = await gateway.admin('/metrics')
    return Number(
      new RegExp(`^sluice_errors_total\\{.*"${code}".*\\} (\\d+)$`, 'm').exec(body)?.[1] ?? 0,
    )
  }

  test.each<readonly [string, () => void]>([
    ['a wrong Sec-WebSocket-Accept', () => (accept = () => acceptOf(KEY))],
    ['a subprotocol that was not offered', () => (lines = 'Sec-WebSocket-Protocol: other\r\n')],
    [
      'an extension that was not offered',
      () => (lines = 'Sec-WebSocket-Extensions: permessage-deflate\r\n'),
    ],
  ])('a 101 with %s is answered 502', async (_what, arrange) => {
    arrange()
    const client = open(['mine'])
    const [, response] = await once(client, 'unexpected-response')
    expect(response.statusCode).toBe(502)
    response.destroy()
    expect(await errorCount('UPSTREAM_WEBSOCKET')).toBeGreaterThan(0)
  })

  test('extensions are not offered to the server', async () => {
    const client = open()
    await once(client, 'open')
    expect(client.extensions).toContain('permessage-deflate')
    expect(seenHead).not.toContain('sec-websocket-extensions')
    client.terminate()
  })

  test.each<readonly [string, Buffer]>([
    ['a masked frame', Buffer.from([0x81, 0x81, 1, 2, 3, 4, 5])],
    ['a reserved bit', Buffer.from([0xc1, 0])],
    ['a continuation of nothing', Buffer.from([0x80, 0])],
    ['a close code that may not be sent', Buffer.from([0x88, 2, 0x03, 0xed])],
  ])('%s from the server ends both sides, with 1014 for the client', async (_what, bytes) => {
    let sentBack = ''
    talk = async (connection) => {
      connection.send(bytes)
      await connection.untilEnded()
      sentBack = Buffer.from(connection.received, 'latin1').subarray(0, 2).toString('hex')
    }
    const client = open()
    expect((await closeOf(client)).code).toBe(1014)
    await eventually('the server to see the end', () => sentBack !== '')
    expect(sentBack.slice(0, 2)).toBe('88')
    expect(await errorCount('UPSTREAM_MALFORMED')).toBeGreaterThan(0)
  })

  test('frames in pieces of one byte are read as they were meant', async () => {
    const frames = Buffer.concat([
      Buffer.from([0x01, 2, 0x68, 0x65]),
      Buffer.from([0x89, 1, 0x70]),
      Buffer.from([0x80, 3, 0x6c, 0x6c, 0x6f]),
    ])
    talk = async (connection) => {
      for (const byte of frames) {
        connection.send(Buffer.from([byte]))
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const client = open()
    const [data] = await once(client, 'message')
    expect(String(data)).toBe('hello')
    client.terminate()
  })

  test('a server that does not end after the close is left after a while', async () => {
    const accounted = async () =>
      Number(
        /^traefik_entrypoint_requests_total\{code="101".*\} (\d+)$/m.exec(
          (await gateway.admin('/metrics')).body,
        )?.[1] ?? 0,
      )
    let leave = () => {}
    talk = () => new Promise<void>((resolve) => (leave = resolve)) // and its side is never ended
    const before = await accounted()
    const client = open()
    await once(client, 'open')
    client.close(1000)
    await closeOf(client)
    await eventually('the exchange to be over', async () => (await accounted()) > before, 15_000)
    leave()
  }, 30_000)

  async function upgraded(): Promise<Awaited<ReturnType<typeof connectRaw>>> {
    const raw = await connectRaw(gateway.port)
    raw.send(
      `GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
    )
    await raw.untilText('\r\n\r\n')
    return raw
  }

  test.each<readonly [string, Buffer]>([
    ['an unknown opcode', Buffer.from([0x83, 0x82, 0, 0, 0, 0, 0x68, 0x69])],
    ['a continuation of nothing', Buffer.from([0x80, 0x82, 0, 0, 0, 0, 0x68, 0x69])],
    ['a text that is no UTF-8', Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xff, 0xff])],
    ['a ping in fragments', Buffer.from([0x09, 0x82, 0, 0, 0, 0, 0x68, 0x69])],
  ])('%s from the client cuts it, and the server gets no message', async (_what, bytes) => {
    let received = 'nothing yet'
    talk = async (connection) => {
      await connection.untilEnded()
      received = connection.received
      connection.end()
    }
    const raw = await upgraded()
    raw.send(bytes)
    await raw.untilEnded()
    await eventually('the server to see the end', () => received !== 'nothing yet')
    expect(Buffer.from(received, 'latin1').every((byte, i) => i > 0 || byte === 0x88)).toBe(true)
    raw.destroy()
  })

  test('a message that inflates beyond bufferedBytesMax is not inflated further, and not passed', async () => {
    let received = 0
    let isOver = false
    talk = async (connection) => {
      await connection.untilEnded()
      received = connection.received.length
      isOver = true
    }
    const client = open()
    await once(client, 'open')
    const before = residentBytes(gateway)
    client.send(Buffer.alloc(256 * MIB)) // 256 KiB on the wire
    await closeOf(client)
    await eventually('the server to see the end', () => isOver, 20_000)
    expect(received).toBeLessThan(MIB)
    expect(residentBytes(gateway) - before).toBeLessThan(GROWTH_MAX)
  }, 30_000)

  test('a client that sends on while the server does not read is closed with 1013', async () => {
    talk = (connection) => connection.socket.pause()
    const client = open()
    await once(client, 'open')
    const before = residentBytes(gateway)
    const piece = Buffer.alloc(512 * 1024, 7)
    const closed = closeOf(client)
    const pump = () => {
      while (client.readyState === WebSocket.OPEN && client.bufferedAmount < 4 * MIB)
        client.send(piece, { compress: false }, pump)
    }
    pump()
    expect((await closed).code).toBe(1013)
    expect(residentBytes(gateway) - before).toBeLessThan(GROWTH_MAX)
    expect(await errorCount('BODY_OVERRUN')).toBe(1)
  }, 30_000)

  test('a drain closes with 1001 once the grace is over, on both sides', async () => {
    const own = await startGateway({
      engine: 'uws',
      web: { transport: { lifeCycle: { graceTimeOut: '300ms' } } },
      routes: routesTo([origin.url]),
    })
    let received = Buffer.alloc(0)
    talk = async (connection) => {
      await connection.untilEnded()
      received = Buffer.from(connection.received, 'latin1')
    }
    const client = new WebSocket(`ws://127.0.0.1:${own.port}/`)
    await once(client, 'open')
    const closed = closeOf(client)
    await own.stop()
    expect((await closed).code).toBe(1001)
    await eventually('the server to see its close frame', () => received.length > 0)
    const code = (received[6]! ^ received[2]!) * 256 + (received[7]! ^ received[3]!)
    expect([received[0], code]).toEqual([0x88, 1001])
  })
})
