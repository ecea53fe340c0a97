// Responses of an HTTP/2 server that HTTP/1 would refuse are refused, and none of their bytes reach a client.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, routesTo, startGateway } from '../../support/gateway.ts'
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  type FrameConnection,
  type FrameServer,
  GOAWAY,
  HEADERS,
  RST_STREAM,
  block,
  frame,
  startFrameServer,
} from '../../support/frame-server.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'

type Fields = readonly (readonly [string, string])[]
type Answer = (stream: number) => readonly Buffer[]

const clients: RawClient[] = []
let answers: Answer[] = [] // to the requests that come next
let splitting = false // each piece of an answer is a write, and a read, of its own
let server: FrameServer
let gateway: Gateway

const OK: Fields = [[':status', '200']]

function head(fields: Fields, flags = END_STREAM): Answer {
  return (stream) => [frame(HEADERS, END_HEADERS | flags, stream, block(fields))]
}

async function sendEach(connection: FrameConnection, pieces: readonly Buffer[]): Promise<void> {
  connection.socket.setNoDelay(true)
  for (const piece of pieces) {
    await new Promise<void>((resolve) => connection.socket.write(piece, () => resolve()))
    await new Promise((resolve) => setImmediate(resolve))
  }
}

beforeAll(async () => {
  server = await startFrameServer((connection, { type, stream }) => {
    if (type !== HEADERS) return
    const answer = answers.shift() ?? head([...OK, ['x-plain', '1']])
    if (splitting) void sendEach(connection, answer(stream))
    else connection.send(...answer(stream))
  })
  gateway = await startGateway({
    routes: routesTo([server.url], { forwardingTimeouts: { dialTimeout: '2s' } }),
  })
})

afterAll(async () => {
  for (const client of clients) client.destroy()
  await gateway.stop()
  await server.stop()
})

async function open(): Promise<RawClient> {
  const client = await connectRaw(gateway.port)
  clients.push(client)
  return client
}

async function ask(answer: Answer, method = 'GET', headers = '') {
  answers = [answer]
  const client = await open()
  client.send(requestText(method, '/', headers))
  return client.readResponse(method === 'HEAD')
}

test.each<[string, Fields]>([
  ['no :status', [['x-a', '1']]],
  ['two :status', [...OK, [':status', '204']]],
  ['a :status that is no number', [[':status', '2x0']]],
  ['a :status above 599', [[':status', '600']]],
  ['101', [[':status', '101']]],
  ['a pseudo field of requests', [...OK, [':path', '/']]],
  ['an unknown pseudo field', [...OK, [':odd', '1']]],
  ['a pseudo field behind others', [['x-a', '1'], ...OK]],
  ['a name with capitals', [...OK, ['X-A', '1']]],
  ['connection', [...OK, ['connection', 'close']]],
  ['keep-alive', [...OK, ['keep-alive', 'timeout=5']]],
  ['proxy-connection', [...OK, ['proxy-connection', 'close']]],
  ['transfer-encoding', [...OK, ['transfer-encoding', 'chunked']]],
  ['upgrade', [...OK, ['upgrade', 'websocket']]],
  ['two lengths', [...OK, ['content-length', '0'], ['content-length', '0']]],
  ['a length with a sign', [...OK, ['content-length', '+0']]],
  ['a length above what follows', [...OK, ['content-length', '5']]],
  ['CR LF in a value', [...OK, ['x-a', '1\r\nx-injected: 1']]],
  ['NUL in a value', [...OK, ['x-a', '1\0']]],
  ['a space before a value', [...OK, ['x-a', ' 1']]],
  ['a space in a name', [...OK, ['x-a x-injected', '1']]],
  ['an empty name', [...OK, ['', 'x-injected']]],
])('a response with %s is a 502', async (_, fields) => {
  const answer = await ask(head(fields))
  expect([answer.status, answer.body]).toEqual([502, 'Bad Gateway (UPSTREAM_MALFORMED)\n'])
})

test('a response of more than 256 fields, or of more than 128 KiB, is a 502', async () => {
  const many: Fields = [...OK, ...Array.from({ length: 300 }, () => ['a', ''] as const)]
  expect((await ask(head(many))).body).toBe('Bad Gateway (UPSTREAM_HEADERS_TOO_LARGE)\n')
  const pieces = Array.from({ length: 15 }, (_, i) => [`x-${i}`, 'v'.repeat(1000)] as const)
  const huge = (stream: number): Buffer[] => {
    const whole = block([
      ...OK,
      ...Array.from({ length: 9 }, () => pieces).flat(),
      ...pieces.slice(0, 3),
    ])
    const frames = [frame(HEADERS, END_STREAM, stream, whole.subarray(0, 16_384))]
    for (let at = 16_384; at < whole.length; at += 16_384) {
      const last = at + 16_384 >= whole.length
      frames.push(frame(9, last ? END_HEADERS : 0, stream, whole.subarray(at, at + 16_384)))
    }
    return frames
  }
  expect((await ask(huge)).body).toBe('Bad Gateway (UPSTREAM_HEADERS_TOO_LARGE)\n')
})

test('a body that is longer than its length is cut and never a clean end', async () => {
  answers = [
    (stream) => [
      ...head([...OK, ['content-length', '3']], 0)(stream),
      frame(DATA, END_STREAM, stream, Buffer.from('abcdef')),
    ],
  ]
  const client = await open()
  client.send(requestText('GET', '/'))
  await client.untilEnded()
  expect(client.received).not.toContain('abcdef')
})

test('a body that breaks a rule ends its own stream only', async () => {
  const waiting = await open()
  let waitingStream = 0
  answers = [
    (stream) => {
      waitingStream = stream
      return []
    },
    (stream) => [
      ...head([...OK, ['content-length', '3']], 0)(stream),
      frame(DATA, END_STREAM, stream, Buffer.from('abcdef')),
    ],
  ]
  waiting.send(requestText('POST', '/', 'Content-Length: 0\r\n'))
  await server.until('the first request', () => waitingStream > 0)
  const client = await open()
  client.send(requestText('GET', '/'))
  await client.untilEnded()
  server.connections.at(-1)!.send(...head([...OK, ['x-late', '1']])(waitingStream))
  expect((await waiting.readResponse()).headers.get('x-late')).toBe('1')
})

test.each<[string, (stream: number) => Buffer]>([
  ['DATA on a stream that was never opened', () => frame(DATA, 0, 99_999, Buffer.from('x'))],
  ['HEADERS on a stream of its own', () => frame(HEADERS, END_HEADERS, 2, block(OK))],
  [
    'a push',
    (stream) => frame(5, END_HEADERS, stream, Buffer.concat([Buffer.alloc(4), block(OK)])),
  ],
  [
    'a block that refers to nothing',
    (stream) => frame(HEADERS, END_HEADERS, stream, Buffer.of(0xff, 0x80)),
  ],
  ['a window of more than 2^31-1', () => frame(8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]))],
  ['a frame above 16 KiB', (stream) => frame(DATA, 0, stream, Buffer.alloc(20_000))],
])('%s ends the connection with GOAWAY, and the next request finds another one', async (_, bad) => {
  const before = server.connections.length
  answers = [(stream) => [bad(stream)]]
  const client = await open()
  client.send(requestText('POST', '/', 'Content-Length: 0\r\n'))
  expect((await client.readResponse()).status).toBe(502)
  const { frames } = server.connections[before - 1]!
  await server.until('GOAWAY', () => frames.some((f) => f.type === GOAWAY))
  client.send(requestText('GET', '/'))
  expect((await client.readResponse()).status).toBe(200)
  expect(server.connections.length).toBe(before + 1)
})

const floods: readonly (readonly [string, () => Buffer])[] = [
  ['pings', () => frame(6, 0, 0, Buffer.alloc(8))],
  ['settings', () => frame(4, 0, 0, Buffer.from([0, 4, 0, 0, 255, 255]))],
  ['origins (CVE-2026-48619)', () => frame(12, 0, 0, Buffer.from('\0\x10https://a.test/1'))],
  ['frames of a type that nobody knows', () => frame(0xbb, 0, 0, Buffer.alloc(100))],
  ['window updates', () => frame(8, 0, 0, Buffer.from([0, 0, 0, 1]))],
  ['acknowledgements of pings that nobody sent', () => frame(6, 1, 0, Buffer.alloc(8))],
  ['acknowledgements of settings', () => frame(4, 1, 0, Buffer.alloc(0))],
]

test.each(floods)('a server that floods us with %s is left', async (_, flood) => {
  const one = flood()
  answers = [() => Array.from({ length: 3000 }, () => one)]
  const client = await open()
  client.send(requestText('POST', '/', 'Content-Length: 0\r\n'))
  expect((await client.readResponse()).status).toBe(502)
})

test.each(floods)('%s without end on a connection that is idle end it', async (_, flood) => {
  await ask(head(OK)) // so that there is one
  const connection = server.connections.at(-1)!
  const one = Buffer.concat(Array.from({ length: 100 }, flood))
  let sent = 0
  while (!connection.socket.destroyed && sent < 100_000) {
    await new Promise<void>((resolve) => connection.socket.write(one, () => resolve()))
    await new Promise((resolve) => setImmediate(resolve))
    sent += 100
  }
  expect(sent).toBeLessThan(100_000)
  expect((await ask(head(OK))).status).toBe(200)
})

test.each([
  ['NO_ERROR', 0],
  ['INTERNAL_ERROR', 2],
  ['CANCEL', 8],
])('a reset with %s in the middle of a body is never a clean end', async (_, code) => {
  const why = Buffer.alloc(4)
  why.writeUInt32BE(code)
  answers = [
    (stream) => [
      ...head(OK, 0)(stream),
      frame(DATA, 0, stream, Buffer.from('half')),
      frame(RST_STREAM, 0, stream, why),
    ],
  ]
  const client = await open()
  client.send(requestText('GET', '/'))
  await client.untilEnded()
  expect(client.received).not.toContain('\r\n0\r\n\r\n')
})

test('a reset after the whole response is no failure', async () => {
  const answer = await ask((stream) => [
    ...head(OK, 0)(stream),
    frame(DATA, END_STREAM, stream, Buffer.from('whole')),
    frame(RST_STREAM, 0, stream, Buffer.alloc(4)),
  ])
  expect([answer.status, answer.body]).toEqual([200, 'whole'])
})

test('a response that comes byte by byte is the same response', async () => {
  const trailers = block([['x-sum', '7']])
  const whole = (stream: number) =>
    Buffer.concat([
      ...head([...OK, ['x-a', '1']], 0)(stream),
      frame(DATA, 8, stream, Buffer.from('\x03abc\0\0\0', 'latin1')), // padded
      frame(DATA, 0, stream, Buffer.alloc(0)),
      frame(DATA, 0, stream, Buffer.from('def')),
      frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers),
    ])
  answers = [(stream) => Array.from(whole(stream), (byte) => Buffer.of(byte))]
  splitting = true
  const client = await open()
  client.send(requestText('GET', '/', 'TE: trailers\r\n'))
  const answer = await client.readResponse().finally(() => (splitting = false))
  expect([answer.headers.get('x-a'), answer.body, answer.trailers]).toEqual([
    '1',
    'abcdef',
    ['x-sum: 7'],
  ])
})

test('trailers that HTTP/1 would refuse cut the response', async () => {
  answers = [
    (stream) => [
      ...head(OK, 0)(stream),
      frame(DATA, 0, stream, Buffer.from('x')),
      frame(HEADERS, END_HEADERS | END_STREAM, stream, block([['content-length', '7']])),
    ],
  ]
  const client = await open()
  client.send(requestText('GET', '/', 'TE: trailers\r\n'))
  await client.untilEnded()
  expect(client.received).not.toContain('\r\n0\r\n')
})

test.each([
  ['a 204', 'GET', [[':status', '204']]],
  ['a 304', 'GET', [[':status', '304']]],
  ['an answer to HEAD', 'HEAD', OK],
] as [string, string, Fields][])('%s with a body keeps it to itself', async (_, method, fields) => {
  answers = [
    (stream) => [
      ...head(fields, 0)(stream),
      frame(DATA, END_STREAM, stream, Buffer.from('smuggled')),
    ],
  ]
  const client = await open()
  client.send(requestText(method, '/'))
  expect((await client.readResponse(true)).status).toBe(Number(fields[0]![1]))
  client.send(requestText('GET', '/'))
  expect((await client.readResponse()).headers.get('x-plain')).toBe('1')
})

test('16 informational responses are passed on, and 17 are a 502', async () => {
  const early = (count: number) => (stream: number) => [
    ...Array.from(
      { length: count },
      () =>
        head(
          [
            [':status', '103'],
            ['link', '</a>'],
          ],
          0,
        )(stream)[0]!,
    ),
    ...head(OK)(stream),
  ]
  answers = [early(16), early(17)]
  const client = await open()
  client.send(requestText('GET', '/'))
  await client.untilText('HTTP/1.1 200')
  expect(client.received.split('HTTP/1.1 103').length).toBe(17)
  client.destroy()
  const second = await open()
  second.send(requestText('GET', '/'))
  await second.untilText('HTTP/1.1 502')
})

test('streams above the last id of a GOAWAY are asked anew on another connection, whatever the method', async () => {
  const goaway = Buffer.alloc(8) // last id 0: none was processed
  answers = [() => [frame(GOAWAY, 0, 0, goaway)]]
  const before = server.connections.length
  const client = await open()
  client.send(requestText('POST', '/', 'Content-Length: 0\r\n'))
  expect((await client.readResponse()).status).toBe(200)
  expect(server.connections.length).toBe(before + 1)
})

test('a GOAWAY with an error fails the streams that the server may have processed', async () => {
  const goaway = Buffer.alloc(8)
  goaway.writeUInt32BE(0x7fffffff, 0)
  goaway.writeUInt32BE(2, 4)
  answers = [() => [frame(GOAWAY, 0, 0, goaway)]]
  const client = await open()
  client.send(requestText('POST', '/', 'Content-Length: 0\r\n'))
  expect((await client.readResponse()).body).toBe('Bad Gateway (UPSTREAM_RESET)\n')
})

test('a refused stream is asked anew once', async () => {
  const refused = Buffer.from([0, 0, 0, 7])
  const refuse: Answer = (stream) => [frame(RST_STREAM, 0, stream, refused)]
  expect((await ask(refuse, 'POST', 'Content-Length: 0\r\n')).status).toBe(200)
  answers = [refuse, refuse]
  const client = await open()
  client.send(requestText('POST', '/', 'Content-Length: 0\r\n'))
  expect((await client.readResponse()).body).toBe('Bad Gateway (UPSTREAM_RESET)\n')
})
