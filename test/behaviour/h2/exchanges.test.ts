// Requests and answers over HTTP/2, frame by frame, in front of a scripted HTTP/1.1 server.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { metricSum } from '../../support/metrics.ts'
import {
  END_HEADERS,
  END_STREAM,
  type Fields,
  H2Client,
  PADDED,
  connectH2,
  data,
  frame,
  headers,
  requestFields,
  reset,
  types,
  windowUpdate,
} from '../../support/h2-client.ts'
import type { OriginConnection } from '../../support/origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { type Scene, responseText, startScene } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

let scene: Scene
const clients: H2Client[] = []

beforeAll(async () => {
  scene = await startScene({}, { static: { accessLog: {} } }, serve)
})
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
})
afterAll(() => scene.stop())

async function serve(connection: OriginConnection): Promise<void> {
  for (;;) {
    const head = await connection.readRequestHead(60_000)
    const path = head.split(' ', 2)[1] ?? ''
    if (path === '/early') {
      connection.send(responseText('no thanks'))
      return
    }
    const { body, trailers } = await connection.readBody(head)
    connection.send(answerTo(path, head, body, trailers))
  }
}

function answerTo(path: string, head: string, body: string, trailers: string): string {
  switch (path) {
    case '/head':
      return responseText(head)
    case '/echo':
      return responseText(body + trailers)
    case '/hints':
      return 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' + responseText('hinted')
    case '/trailers':
      return 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n'
    case '/empty':
      return 'HTTP/1.1 204 No Content\r\nX-Some: thing\r\n\r\n'
    case '/big':
      return responseText('b'.repeat(200_000))
    case '/fields':
      return responseText(
        'f',
        'Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nServer: s\r\n',
      )
    default:
      return responseText(path)
  }
}

async function connect(pairs: readonly (readonly [number, number])[] = []): Promise<H2Client> {
  const client = await connectH2(scene.gateway.port, pairs)
  clients.push(client)
  return client
}

async function ask(method: string, path: string, more: Fields = []): Promise<string> {
  const client = await connect()
  client.send(headers(1, requestFields(method, path, more)))
  return (await client.answer(1)).body
}

test('a request reaches the server as HTTP/1.1 with its fields, Host first, and the forwarded headers', async () => {
  const head = await ask('GET', '/head', [
    ['x-a', 'b'],
    ['cookie', 'a=1'],
    ['te', 'trailers'],
    ['cookie', 'b=2'],
  ])
  expect(head).toMatch(/^GET \/head HTTP\/1\.1\r\nhost: a\.test\r\nx-a: b\r\n/)
  expect(head).toContain('cookie: a=1; b=2\r\n')
  expect(head).toContain('TE: trailers\r\n')
  expect(head).toMatch(/X-Forwarded-For: 127\.0\.0\.1\r\n/)
})

test('many requests at once are each answered with their own answer', async () => {
  const client = await connect()
  const ids = Array.from({ length: 100 }, (_, i) => 2 * i + 1)
  client.send(...ids.map((id) => headers(id, requestFields('GET', `/n${id}`))))
  for (const id of ids) expect((await client.answer(id)).body).toBe(`/n${id}`)
})

test('a body of unknown length is sent on in chunks, with its trailers', async () => {
  const client = await connect()
  client.send(headers(1, requestFields('POST', '/echo'), END_HEADERS))
  client.send(data(1, 'one'), frame(types.DATA, PADDED, 1, '\x03two\0\0\0'))
  client.send(headers(1, [['x-sum', '42']]))
  expect((await client.answer(1)).body).toBe('onetwox-sum: 42\r\n')
})

test('a body larger than the windows is passed on as windows are opened, and comes back whole', async () => {
  const client = await connect()
  const body = Array.from({ length: 600 }, (_, i) => String(i).padStart(1000, '.')).join('')
  client.send(
    headers(1, requestFields('POST', '/echo', [['content-length', '600000']]), END_HEADERS),
  )
  client.send(windowUpdate(0, 1_000_000), windowUpdate(1, 1_000_000))
  let sent = 0
  while (sent < body.length) {
    const opened = client.take().filter((one) => one.type === types.WINDOW_UPDATE && one.id === 1)
    const window = opened.reduce((sum, one) => sum + one.payload.readUInt32BE(0), 256 * 1024)
    const to = Math.min(body.length, sent + 10_000, window)
    if (to > sent) client.send(data(1, body.slice(sent, to), to === body.length ? END_STREAM : 0))
    else
      await client.until(
        'a window update',
        (all) =>
          all.filter((one) => one.type === types.WINDOW_UPDATE && one.id === 1).length >
          opened.length,
      )
    sent = to
  }
  expect((await client.answer(1)).body === body).toBe(true)
})

test('an answer waits for the windows of its stream and of the connection', async () => {
  const client = await connect([[4, 1000]])
  client.send(headers(1, requestFields('GET', '/big')))
  await client.until('the first 1000 bytes', () => client.gather(1).body.length === 1000)
  client.send(windowUpdate(1, 100_000))
  await client.until(
    'all that the connection allows',
    () => client.gather(1).body.length === 65_535,
  )
  client.send(windowUpdate(0, 1_000_000))
  await client.until('all that the stream allows', () => client.gather(1).body.length === 101_000)
  client.send(frame(types.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 16, 0, 0])))
  const { body, reset: code } = await client.answer(1)
  expect([body.length, code]).toEqual([200_000, -1])
})

test('streams that wait for the window of the connection share it when it opens', async () => {
  const client = await connect([[4, 1_000_000]])
  client.send(headers(1, requestFields('GET', '/big')), headers(3, requestFields('GET', '/big')))
  await client.until(
    'the first window',
    () => client.gather(1).body.length + client.gather(3).body.length === 65_535,
  )
  for (let i = 0; i < 8; i++) {
    const before = client.gather(1).body.length + client.gather(3).body.length
    client.send(windowUpdate(0, 16_384))
    await client.until(
      'more',
      () => client.gather(1).body.length + client.gather(3).body.length === before + 16_384,
    )
  }
  const share = client.gather(3).body.length / (8 * 16_384)
  expect(share).toBeGreaterThan(0.4)
  expect(share).toBeLessThan(0.6)
  client.send(windowUpdate(0, 1_000_000))
  expect((await client.answer(1)).body.length + (await client.answer(3)).body.length).toBe(400_000)
})

test('early hints, trailers, empty answers and answers to HEAD come as HTTP/2 has them', async () => {
  const client = await connect()
  client.send(
    headers(1, requestFields('GET', '/hints')),
    headers(3, requestFields('GET', '/trailers')),
  )
  client.send(
    headers(5, requestFields('GET', '/empty')),
    headers(7, requestFields('HEAD', '/nothing')),
  )
  const hints = await client.answer(1)
  expect([hints.informational, hints.status, hints.body]).toEqual([[103], 200, 'hinted'])
  const trailers = await client.answer(3)
  expect([trailers.body, trailers.trailers?.get('x-sum')]).toEqual(['abc', '6'])
  const empty = await client.answer(5)
  expect([empty.status, empty.headers.get('x-some'), empty.body]).toEqual([204, 'thing', ''])
  const head = await client.answer(7)
  expect([head.status, head.headers.get('content-length'), head.body]).toEqual([200, '8', ''])
  expect(client.frames.filter((one) => one.id === 5 && one.type === types.DATA)).toEqual([])
})

test('no field of one connection reaches the client, and repeated fields stay apart', async () => {
  const client = await connect()
  for (const id of [1, 3]) {
    client.send(headers(id, requestFields('GET', '/fields')))
    const { headers: fields } = await client.answer(id)
    expect([...fields.keys()].sort()).toEqual([
      ':status',
      'content-length',
      'date',
      'server',
      'set-cookie',
    ])
    expect(fields.get('set-cookie')).toBe('a=1, b=2')
  }
})

test('a request that its client takes back is taken back from the server', async () => {
  const origin = scene.origin.connections.length
  const client = await connect()
  client.send(headers(1, requestFields('POST', '/upload', [['content-length', '10']]), END_HEADERS))
  client.send(data(1, '12345'))
  const ours = await eventually(
    'the half request',
    () =>
      scene.origin.connections
        .slice(0, origin + 1)
        .find((one) => one.received.includes('12345')) !== undefined,
  ).then(() => scene.origin.connections.find((one) => one.received.includes('12345'))!)
  client.send(reset(1))
  await ours.untilEnded()
  client.send(headers(3, requestFields('GET', '/after')))
  expect((await client.answer(3)).body).toBe('/after')
})

test('an answer before the end of the request tells the client to stop, without an error', async () => {
  const client = await connect()
  client.send(
    headers(1, requestFields('POST', '/early', [['content-length', '100000']]), END_HEADERS),
  )
  client.send(data(1, 'x'))
  await client.until('RST_STREAM', (all) =>
    all.some((one) => one.type === types.RST_STREAM && one.id === 1),
  )
  const early = client.gather(1)
  expect([early.body, early.reset]).toEqual(['no thanks', 0])
  client.send(data(1, 'still sending')) // it could not know yet
  client.send(headers(3, requestFields('GET', '/on')))
  expect((await client.answer(3)).body).toBe('/on')
})

test('a preface that arrives byte by byte is as good as a whole one, and so is everything behind it', async () => {
  const raw = await connectRaw(scene.gateway.port)
  const client = new H2Client(raw)
  clients.push(client)
  const bytes = Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(types.SETTINGS, 0, 0),
    headers(1, requestFields('POST', '/echo'), END_HEADERS),
    frame(types.DATA, PADDED | END_STREAM, 1, '\x02byte by byte\0\0'),
  ])
  for (const byte of bytes) {
    await new Promise<void>((resolve) => raw.socket.write(Buffer.from([byte]), () => resolve()))
  }
  expect((await client.answer(1)).body).toBe('byte by byte')
})

test('HTTP/1.1 and HTTP/2 share the port, and the access log says which was spoken', async () => {
  const client = await scene.client()
  client.send('GET /one HTTP/1.1\r\nHost: a.test\r\n\r\n')
  expect((await client.readResponse()).body).toBe('/one')
  expect(await ask('GET', '/two')).toBe('/two')
  await eventually('both lines', () => {
    const log = scene.gateway.stdout()
    return log.includes('"GET /one HTTP/1.1" 200') && log.includes('"GET /two HTTP/2.0" 200')
  })
  client.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') // not the first thing that is said
  expect((await client.readResponse()).status).toBe(505)
})

test('a client that closes leaves nothing behind, though its answer waits for a window', async () => {
  const client = await connect([[4, 1000]])
  client.send(headers(1, requestFields('GET', '/big')))
  await client.until('the first 1000 bytes', () => client.gather(1).body.length === 1000)
  client.raw.end()
  await client.raw.untilEnded()
})

test('requests are counted as those of HTTP/1 are, and none is left over', async () => {
  await eventually('everything to have ended', async () => {
    const { body } = await scene.gateway.admin('/metrics')
    return metricSum(body, 'traefik_open_connections', 'entrypoint="web"') === 0
  })
  const { body } = await scene.gateway.admin('/metrics')
  expect(metricSum(body, 'traefik_entrypoint_requests_total', 'entrypoint="web"')).toBeGreaterThan(
    110,
  )
  expect(scene.gateway.stderr()).not.toContain('defect')
})
