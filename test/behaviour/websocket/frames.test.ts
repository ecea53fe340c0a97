// What an engine that reads frames (uws) does with servers and clients that are not as they should be.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import { type OriginConnection, startScriptedOrigin } from '../../support/origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'
import { GROWTH_MAX, KEY, MIB, closeOf, residentBytes } from './support.ts'

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
    await eventually('the exchange to be over', async () => (await accounted()) > before, 30_000)
    leave()
  }, 60_000)

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
  }, 60_000)

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
  }, 60_000)

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
