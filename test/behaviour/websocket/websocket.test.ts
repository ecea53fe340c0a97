// WebSockets through the gateway, on both engines: `node` passes bytes unread, `uws` relays messages as frames.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import WebSocket, { type RawData, WebSocketServer } from 'ws'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'
import { GROWTH_MAX, KEY, MIB, closeOf, residentBytes } from './support.ts'

const engines = ['node', 'uws'] as const

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
