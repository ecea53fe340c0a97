// How HTTP/2 connections end: drain, limits of connections, deadlines; and what refused requests look like.

import { afterEach, describe, expect, test } from 'vitest'
import { metricSum } from '../../support/metrics.ts'
import {
  END_HEADERS,
  type Fields,
  type H2Client,
  connectH2,
  data,
  frame,
  headers,
  requestFields,
  types,
  windowUpdate,
} from '../../support/h2-client.ts'
import type { Keys } from '../../support/gateway.ts'
import type { OriginConnection } from '../../support/origin.ts'
import { type Scene, responseText, startScene } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

let scene: Scene | null = null
const clients: H2Client[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await scene?.stop()
  scene = null
})

async function start(
  transport: Keys,
  serve?: (connection: OriginConnection) => unknown,
): Promise<Scene> {
  scene = await startScene({}, { web: { transport } }, serve ?? answerAll)
  return scene
}

async function answerAll(connection: OriginConnection): Promise<void> {
  for (;;) {
    const { head } = await connection.readRequest(60_000)
    connection.send(responseText(head.split(' ', 2)[1]!))
  }
}

async function connect(): Promise<H2Client> {
  const client = await connectH2(scene!.gateway.port)
  clients.push(client)
  return client
}

async function counted(code: string): Promise<number> {
  const { body } = await scene!.gateway.admin('/metrics')
  return metricSum(body, 'sluice_errors_total', `code="${code}"`)
}

// Last stream and code of each GOAWAY so far.
function goaways(client: H2Client): number[][] {
  return client
    .take()
    .filter((one) => one.type === types.GOAWAY)
    .map(({ payload }) => [payload.readUInt32BE(0), payload.readUInt32BE(4)])
}

async function answerPing(client: H2Client): Promise<void> {
  await client.until('a PING', (all) =>
    all.some((one) => one.type === types.PING && one.flags === 0),
  )
  const { payload } = client.frames.find((one) => one.type === types.PING)!
  client.send(frame(types.PING, 1, 0, payload))
}

test('a drain says GOAWAY twice, serves what came in between and what was under way, then ends', async () => {
  const running = await start({})
  const origin = running.nextConnection()
  const held = await connect()
  const { gateway } = running
  held.send(headers(1, requestFields('POST', '/held'), END_HEADERS))
  held.send(data(1, 'part'))
  await origin
  gateway.child.kill('SIGTERM')
  await held.until('the first GOAWAY', () => goaways(held).length === 1)
  expect(goaways(held)).toEqual([[0x7fffffff, 0]])
  held.send(headers(3, requestFields('GET', '/late')))
  expect((await held.answer(3)).body).toBe('/late')
  await answerPing(held)
  await held.until('the second GOAWAY', () => goaways(held).length === 2)
  expect(goaways(held)[1]).toEqual([3, 0])
  held.send(headers(5, requestFields('GET', '/too-late')), data(1, '', 1))
  expect((await held.answer(1)).body).toBe('/held')
  await held.raw.untilEnded()
  expect(held.take().filter((one) => one.id === 5)).toEqual([])
  await gateway.untilExit()
  expect(gateway.exit?.code).toBe(0)
})

// The whole window of the connection, in four streams, behind a frame that breaks the protocol.
test('what a client has on its way when its connection ends does not reset it', async () => {
  await start({})
  const client = await connect()
  const ids = [1, 3, 5, 7]
  for (const id of ids) client.send(headers(id, requestFields('POST', '/'), END_HEADERS))
  const pieces = Array.from({ length: 64 }, (_, i) => data(ids[i % 4]!, Buffer.alloc(16_384)))
  client.send(windowUpdate(0, 0x7fffffff), ...pieces.slice(0, 32))
  expect(await client.goaway()).toBe(3)
  client.send(...pieces.slice(32)) // a client that has not read it yet
  client.raw.end()
  await client.raw.until('the end of both sides', () => client.raw.closed)
  expect(client.raw.fault).toBe('')
})

test('requests without end behind our last GOAWAY are a flood', async () => {
  const running = await start({ keepAliveMaxRequests: 1 })
  const origin = running.nextConnection()
  const client = await connect()
  client.send(headers(1, requestFields('POST', '/held'), END_HEADERS))
  client.send(data(1, 'part'))
  await origin
  await answerPing(client)
  await client.until('the second GOAWAY', () => goaways(client).length === 2)
  const many = Array.from({ length: 1100 }, (_, i) => headers(2 * i + 3, requestFields()))
  client.send(...many)
  expect(await client.goaway()).toBe(11)
  expect(await counted('H2_FRAMES')).toBe(1)
})

test('after keepAliveMaxRequests a connection is asked to end', async () => {
  await start({ keepAliveMaxRequests: 3 })
  const client = await connect()
  for (const id of [1, 3, 5]) {
    client.send(headers(id, requestFields('GET', `/${id}`)))
    expect((await client.answer(id)).status).toBe(200)
  }
  await answerPing(client)
  await client.raw.untilEnded()
  expect(goaways(client)).toEqual([
    [0x7fffffff, 0],
    [5, 0],
  ])
})

test('a client that does not answer our PING is not waited for', async () => {
  await start({ keepAliveMaxTime: '300ms' })
  const client = await connect()
  await client.raw.untilEnded()
  expect(goaways(client).length).toBe(2)
})

test('an idle connection ends with GOAWAY after idleTimeout', async () => {
  await start({ respondingTimeouts: { idleTimeout: '2s' } })
  const client = await connect()
  client.send(headers(1, requestFields()))
  await client.answer(1)
  await client.raw.untilEnded()
  expect(goaways(client)).toEqual([[1, 0]])
})

test('a body that stalls is answered 408, and others on the connection go on', async () => {
  const running = await start({ respondingTimeouts: { bodyStallTimeout: '400ms' } })
  const origin = running.nextConnection()
  const client = await connect()
  client.send(headers(1, requestFields('POST', '/slow', [['content-length', '10']]), END_HEADERS))
  client.send(data(1, 'some'))
  const { status, reset } = await client.answer(1)
  expect([status, await counted('BODY_TIMEOUT')]).toEqual([408, 1])
  expect(reset).toBeLessThanOrEqual(0)
  await (await origin).untilEnded() // the server must not take it for whole
  client.send(headers(3, requestFields('GET', '/on')))
  expect((await client.answer(3)).body).toBe('/on')
})

test('a server that dies in the middle of an answer resets the stream', async () => {
  await start({}, async (connection) => {
    await connection.readRequest(60_000)
    connection.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
    connection.destroy()
  })
  const client = await connect()
  client.send(headers(1, requestFields()))
  await client.until('RST_STREAM', (all) => all.some((one) => one.type === types.RST_STREAM))
  const { status, reset } = client.gather(1)
  expect([status, reset]).toEqual([200, 2])
})

test('a client that does not come to the end of its preface does not stay', async () => {
  await start({ respondingTimeouts: { headerTimeout: '300ms' } })
  const client = await scene!.client()
  client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n')
  await client.untilEnded()
  expect(await counted('HEADER_TIMEOUT')).toBe(1)
})

describe('a request that HTTP/1 would refuse', () => {
  const cases: readonly (readonly [string, string, Fields, number, number])[] = [
    ['a line in a value', 'HEADER_VALUE', [['x', 'a\r\nb: c']], 400, 1],
    ['a capital letter', 'HEADER_NAME', [['X', 'a']], 400, 1],
    ['a field of one connection', 'H2_HEAD', [['transfer-encoding', 'chunked']], 400, 1],
    ['another Host', 'H2_AUTHORITY', [['host', 'b.test']], 400, 1],
    [
      'two lengths',
      'LENGTH_DOUBLE',
      [
        ['content-length', '0'],
        ['content-length', '0'],
      ],
      400,
      1,
    ],
    ['a length without a body', 'H2_LENGTH', [['content-length', '5']], 400, 1],
    ['too large a head', 'HEADERS_TOO_LARGE', [['x', 'y'.repeat(9000)]], 431, -1],
    [
      'too many fields',
      'HEADERS_TOO_MANY',
      Array.from({ length: 200 }, () => ['x', 'y'] as const),
      431,
      -1,
    ],
  ]

  test('gets the same status and code, is logged and counted, and never reaches a server', async () => {
    const limits = { headBytesMax: 8192 }
    const running = await start({ limits })
    const client = await connect()
    let id = -1
    for (const [name, code, fields, status, reset] of cases) {
      id += 2
      client.send(headers(id, requestFields('GET', '/', fields)))
      await eventually(name, () => {
        const { body, reset: got } = client.gather(id)
        return body.includes(code) && (reset < 0 || got >= 0)
      })
      const answer = client.gather(id)
      expect([name, answer.status, answer.reset]).toEqual([name, status, reset])
      expect([name, await counted(code)]).toEqual([name, 1])
    }
    expect(running.origin.connections.length).toBe(0)
    expect(running.gateway.stderr()).not.toContain('defect')
  })

  test('DATA beyond its Content-Length is an error of the stream, and the server sees no whole request', async () => {
    const running = await start({})
    const origin = running.nextConnection()
    const client = await connect()
    client.send(headers(1, requestFields('POST', '/', [['content-length', '4']]), END_HEADERS))
    client.send(data(1, 'abc'))
    const connection = await origin
    await connection.untilText('abc')
    client.send(data(1, 'def', 1))
    await client.until('RST_STREAM', (all) => all.some((one) => one.type === types.RST_STREAM))
    expect([client.gather(1).status, client.gather(1).reset]).toEqual([400, 1])
    await connection.untilEnded()
    expect(connection.received).not.toContain('abcd')
    expect(await counted('H2_LENGTH')).toBe(1)
  })
})
