// What a server may send, and what becomes of it.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { metricSum } from '../../support/metrics.ts'
import { type OriginConnection } from '../../support/origin.ts'
import { type RawClient, type Response } from '../../support/raw-client.ts'
import { type Scene, requestText, responseText, startScene } from '../../support/scene.ts'

// What the server sends for a target.
const scripts = new Map<string, string | ((connection: OriginConnection) => unknown)>()
let scene: Scene
let hasty: Scene // whose server is given up on; with the other one a test may take its time

async function serve(connection: OriginConnection): Promise<void> {
  for (;;) {
    const head = await connection.readRequestHead(60_000)
    const script = scripts.get(head.split(' ')[1]!)
    if (typeof script === 'string') connection.send(script)
    else await script?.(connection)
  }
}

beforeAll(async () => {
  scripts.set('/plain', responseText('plain'))
  scene = await startScene({}, {}, serve)
  const forwardingTimeouts = { responseHeaderTimeout: '400ms', dialTimeout: '2s' }
  hasty = await startScene({ forwardingTimeouts, stallTimeout: '400ms' }, {}, serve)
})

afterAll(async () => {
  await scene.stop()
  await hasty.stop()
})

async function ask(
  target: string,
  method = 'GET',
  headers = '',
  by = scene,
): Promise<[RawClient, Response]> {
  const client = await by.client()
  client.send(requestText(method, target, headers))
  return [client, await client.readResponse(method === 'HEAD')]
}

async function expectStillClean(client: RawClient): Promise<void> {
  client.send(requestText('GET', '/plain'))
  expect((await client.readResponse()).body).toBe('plain')
}

async function errors(code: string): Promise<number> {
  const { body } = await hasty.gateway.admin('/metrics')
  return metricSum(body, 'sluice_errors_total', `code="${code}"`)
}

test('a response to HEAD has the length of the body that it does not have', async () => {
  scripts.set('/head', 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n')
  const [client, answer] = await ask('/head', 'HEAD')
  expect([answer.status, answer.headers.get('content-length')]).toEqual([200, '1234'])
  await expectStillClean(client)
})

test.each([
  ['204 No Content', ''],
  ['304 Not Modified', 'Content-Length: 500\r\nETag: "a"\r\n'],
])('a %s has no body', async (status, headers) => {
  scripts.set('/empty', `HTTP/1.1 ${status}\r\n${headers}\r\n`)
  const [client, answer] = await ask('/empty')
  expect([answer.status, answer.body]).toEqual([Number(status.slice(0, 3)), ''])
  await expectStillClean(client)
})

test('103 Early Hints is passed on before the response', async () => {
  scripts.set(
    '/hints',
    'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n' + responseText('later'),
  )
  const client = await scene.client()
  client.send(requestText('GET', '/hints'))
  const hints = await client.readResponse()
  expect([hints.status, hints.headers.get('link')]).toEqual([103, '</a.css>'])
  expect((await client.readResponse()).body).toBe('later')
  await expectStillClean(client)
})

test('16 informational responses are passed on, and 17 are a 502', async () => {
  const hint = 'HTTP/1.1 103 Early Hints\r\n\r\n'
  scripts.set('/16', hint.repeat(16) + responseText('later'))
  scripts.set('/17', hint.repeat(17) + responseText('later'))
  const client = await scene.client()
  client.send(requestText('GET', '/16'))
  for (let i = 0; i < 16; i++) expect((await client.readResponse()).status).toBe(103)
  expect((await client.readResponse()).body).toBe('later')
  client.send(requestText('GET', '/17'))
  for (let i = 0; i < 16; i++) expect((await client.readResponse()).status).toBe(103)
  expect((await client.readResponse()).status).toBe(502)
  await expectStillClean(client)
})

test('a 101 that nobody asked for is a 502', async () => {
  scripts.set(
    '/101',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
  )
  const [client, answer] = await ask('/101')
  expect(answer.status).toBe(502)
  await expectStillClean(client)
})

test.each([
  ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
  [
    'length and chunked',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na',
  ],
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['a folded header', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n'],
  ['HTTP/2.0', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
])('a response with %s is a 502, and its connection is not used again', async (_what, text) => {
  scripts.set('/bad', text)
  const before = scene.origin.connections.length
  const [client, answer] = await ask('/bad')
  expect(answer.status).toBe(502)
  await expectStillClean(client)
  expect(scene.origin.connections.length).toBeGreaterThan(before - 1)
})

test('a reset in the middle of a body with a length is seen as an aborted body', async () => {
  scripts.set('/cut', (connection) => {
    connection.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
    connection.end()
  })
  const client = await scene.client()
  client.send(requestText('GET', '/cut'))
  await client.untilEnded()
  expect(client.received).toContain('Content-Length: 100')
  expect(client.received.endsWith('half')).toBe(true)
})

test('an end in the middle of a chunked body is never a clean end', async () => {
  scripts.set('/cut-chunks', (connection) => {
    connection.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n')
    connection.end()
  })
  const client = await scene.client()
  client.send(requestText('GET', '/cut-chunks'))
  await client.untilEnded()
  expect(client.received).toContain('4\r\nhalf\r\n')
  expect(client.received).not.toContain('0\r\n\r\n')
})

test('a reset of a body that ends with the connection is never a clean end', async () => {
  scripts.set('/cut-close', async (connection) => {
    connection.send('HTTP/1.1 200 OK\r\n\r\nhalf')
    await client.untilText('half')
    connection.reset()
  })
  const client = await scene.client()
  client.send(requestText('GET', '/cut-close'))
  await client.untilEnded()
  expect(client.received).not.toContain('0\r\n\r\n')
})

test('a body that ends with the connection arrives whole, in chunks', async () => {
  scripts.set('/close', (connection) => {
    connection.send('HTTP/1.1 200 OK\r\n\r\nall of it')
    connection.end()
  })
  const [client, answer] = await ask('/close')
  expect([answer.body, answer.framing]).toEqual(['all of it', 'chunked'])
  await expectStillClean(client)
})

test('a server that does not begin to answer within responseHeaderTimeout is a 504', async () => {
  scripts.set('/silent', () => undefined)
  const from = performance.now()
  const [client, answer] = await ask('/silent', 'GET', '', hasty)
  expect(answer.status).toBe(504)
  expect(performance.now() - from).toBeGreaterThan(300)
  expect(performance.now() - from).toBeLessThan(10_000)
  expect(await errors('UPSTREAM_HEADER_TIMEOUT')).toBe(1)
  await expectStillClean(client)
})

test('a head that trickles is not given more time than responseHeaderTimeout', async () => {
  scripts.set('/trickle', (connection) => {
    connection.send('HTTP/1.1 200 OK\r\n')
    const timer = setInterval(() => connection.send('A: b\r\n'), 100)
    connection.socket.once('close', () => clearInterval(timer))
  })
  const from = performance.now()
  const [, answer] = await ask('/trickle', 'GET', '', hasty)
  expect(answer.status).toBe(504)
  expect(performance.now() - from).toBeLessThan(10_000) // it trickled on
})

test('a body that stalls for stallTimeout is cut', async () => {
  scripts.set('/stall', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
  const client = await hasty.client()
  const from = performance.now()
  client.send(requestText('GET', '/stall'))
  await client.untilText('half')
  await client.untilEnded()
  expect(performance.now() - from).toBeGreaterThan(200)
  expect(performance.now() - from).toBeLessThan(10_000)
  expect(await errors('UPSTREAM_STALL')).toBe(1)
})

test('an upload that the server does not read is a 504 after stallTimeout', async () => {
  scripts.set('/stuck', (connection) => {
    connection.socket.pause()
    return new Promise(() => undefined)
  })
  const client = await hasty.client()
  client.send('POST /stuck HTTP/1.1\r\nHost: a.test\r\nContent-Length: 90000000\r\n\r\n')
  const piece = Buffer.alloc(1024 * 1024)
  for (let i = 0; i < 20; i++) client.send(piece)
  const answer = await client.readResponse()
  expect(answer.status).toBe(504)
  await client.untilEnded()
})

test('an early response to an unfinished upload reaches the client, and the connections end', async () => {
  scripts.set('/early', responseText('too large', '', '413 Content Too Large'))
  const client = await scene.client()
  client.send(
    'POST /early HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\nthe beginning',
  )
  const answer = await client.readResponse()
  expect([answer.status, answer.body]).toEqual([413, 'too large'])
  expect(answer.headers.get('connection')).toBe('close')
  await client.untilEnded()
})

test('a body of 10 MiB passes unharmed in both directions', async () => {
  const size = 10 * 1024 * 1024
  scripts.set('/echo-length', async (connection) => {
    await connection.until('the body', () => connection.received.length >= size, 20_000)
    const body = connection.take(size)
    connection.send(responseText(body))
  })
  const client = await scene.client()
  const piece = Array.from({ length: 1024 }, (_, i) => String.fromCharCode(i % 256)).join('')
  const body = piece.repeat(size / 1024)
  client.send(requestText('POST', '/echo-length', '', body))
  const answer = await client.readResponse(false, 20_000)
  expect(answer.body === body).toBe(true)
  await expectStillClean(client)
})
