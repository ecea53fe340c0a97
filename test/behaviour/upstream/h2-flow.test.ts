// Streams to HTTP/2 servers: how many, how fast, how long; who leaves, and who is told.

import type { ServerHttp2Stream } from 'node:http2'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { type FrameServer, HEADERS, startFrameServer } from '../../support/frame-server.ts'
import { type H2Origin, readAll, startH2Origin } from '../../support/h2-origin.ts'
import { metricSum } from '../../support/metrics.ts'
import { type ScriptedOrigin, startScriptedOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

const MIB = 1024 * 1024
const clients: RawClient[] = []
const held: ServerHttp2Stream[] = [] // of the narrow server: answered by hand
let origin: H2Origin
let narrow: H2Origin
let mute: FrameServer // speaks HTTP/2, answers no request and, when told so, no ping
let http1: ScriptedOrigin
let gateway: Gateway

const services: Record<string, Keys> = {}
const serversTransports: Record<string, Keys> = {}
const routers: Record<string, Keys> = {}

function route(name: string, url: string, transport: Keys): void {
  serversTransports[name] = transport
  services[name] = { loadBalancer: { serversTransport: name, servers: [{ url }] } }
  routers[name] = { rule: `PathPrefix(\`/${name}\`)`, entryPoints: ['web'], service: name }
}

function stall(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200 })
  stream.write('half')
}

// What is not to be given up on goes to /patient: this process may stand still while it should answer.
const scripts: Record<string, (stream: ServerHttp2Stream) => unknown> = {
  '/main/never': () => {},
  '/main/stall': stall,
  '/patient/stall': stall,
  '/main/grpc-watch': (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
    stream.write('first')
  },
  '/patient/large': (stream) => {
    stream.respond({ ':status': 200 })
    const piece = Buffer.alloc(64 * 1024, 'x')
    let sent = 0
    const more = () => {
      while (sent < 64 * MIB && !stream.destroyed) {
        sent += piece.length
        if (!stream.write(piece)) return void stream.once('drain', more)
      }
      stream.end()
    }
    more()
  },
  '/patient/held': () => {},
  '/patient/early': (stream) => {
    stream.respond({ ':status': 413 })
    stream.end('too large')
  },
  '/patient/sum': async (stream) => {
    const { body } = await readAll(stream)
    stream.respond({ ':status': 200 })
    stream.end(String(body.length))
  },
  '/main/deaf': (stream) => {
    stream.pause()
  },
}

beforeAll(async () => {
  origin = await startH2Origin((stream, headers) => {
    const script = scripts[String(headers[':path'])]
    if (script !== undefined) return void script(stream)
    stream.respond({ ':status': 200 })
    stream.end('ok')
  })
  narrow = await startH2Origin((stream) => held.push(stream), {
    settings: { maxConcurrentStreams: 2 },
  })
  mute = await startFrameServer(() => {})
  http1 = await startScriptedOrigin((connection) => {
    connection.send('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
  })
  const short = { responseHeaderTimeout: '400ms', dialTimeout: '2s' }
  route('main', origin.url, { forwardingTimeouts: short, stallTimeout: '600ms' })
  route('patient', origin.url, { forwardingTimeouts: { dialTimeout: '2s' } })
  route('narrow', narrow.url, { forwardingTimeouts: { dialTimeout: '2s' } })
  const pings = { dialTimeout: '2s', readIdleTimeout: '300ms', pingTimeout: '300ms' }
  route('mute', mute.url, { forwardingTimeouts: pings })
  route('http1', http1.url.replace('http:', 'h2c:'), { forwardingTimeouts: { dialTimeout: '2s' } })
  gateway = await startGateway({ routes: { http: { routers, services, serversTransports } } })
})

afterAll(async () => {
  for (const client of clients) client.destroy()
  await gateway.stop()
  await Promise.all([origin.stop(), narrow.stop(), mute.stop(), http1.stop()])
})

async function open(): Promise<RawClient> {
  const client = await connectRaw(gateway.port)
  clients.push(client)
  return client
}

async function ask(target: string, method = 'GET', headers = '', body = '') {
  const client = await open()
  client.send(requestText(method, target, headers, body))
  return client.readResponse()
}

// Streams of a server that are open at the moment.
function lastStream(): Promise<ServerHttp2Stream> {
  return new Promise((resolve) => origin.server.once('stream', resolve))
}

async function errors(code: string): Promise<number> {
  const { body } = await gateway.admin('/metrics')
  return metricSum(body, 'sluice_errors_total', `code="${code}"`)
}

test('further sessions are opened only when all are full, eight at the most, and all who wait are served', async () => {
  const answers = Array.from({ length: 40 }, (_, i) => ask(`/narrow/${i}`))
  let answered = 0
  while (answered < 40) {
    await narrow.until('a request', () => held.length > 0)
    // Never more than the two that the server takes, on any of its sessions.
    expect(held.length).toBeLessThanOrEqual(16)
    for (const stream of held.splice(0)) {
      stream.respond({ ':status': 200 })
      stream.end('ok')
      answered++
    }
  }
  const bodies = await Promise.all(answers)
  expect(bodies.every((a) => a.status === 200 && a.body === 'ok')).toBe(true)
  expect(narrow.sessions.length).toBeLessThanOrEqual(8)
})

test('who finds no stream within dialTimeout gets 503 UPSTREAM_FULL', async () => {
  const waiting = Array.from({ length: 17 }, () => ask('/narrow/full'))
  await narrow.until('16 requests', () => held.length === 16)
  const first = await Promise.race(waiting)
  expect([first.status, first.body]).toEqual([503, 'Service Unavailable (UPSTREAM_FULL)\n'])
  for (const stream of held.splice(0)) {
    stream.respond({ ':status': 200 })
    stream.end('ok')
  }
  await Promise.all(waiting)
})

test('a client that leaves resets its stream with CANCEL, and the session serves on', async () => {
  const arrived = lastStream()
  const client = await open()
  client.send(requestText('GET', '/patient/stall'))
  const stream = await arrived
  await client.untilText('half')
  const sessions = origin.sessions.length
  client.reset()
  await origin.until('the reset', () => stream.closed)
  expect(stream.rstCode).toBe(8)
  expect((await ask('/patient/x')).status).toBe(200)
  expect(origin.sessions.length).toBe(sessions)
})

test('a server that does not begin to answer within responseHeaderTimeout is a 504, and is told', async () => {
  const arrived = lastStream()
  const answer = ask('/main/never')
  const stream = await arrived
  expect((await answer).body).toBe('Gateway Timeout (UPSTREAM_HEADER_TIMEOUT)\n')
  await origin.until('the reset', () => stream.closed)
  expect(stream.rstCode).toBe(8)
})

test('a body that stalls for stallTimeout is cut', async () => {
  const before = await errors('UPSTREAM_STALL')
  const client = await open()
  client.send(requestText('GET', '/main/stall'))
  await client.untilEnded()
  expect(client.received).toContain('half')
  expect(client.received).not.toContain('\r\n0\r\n')
  expect(await errors('UPSTREAM_STALL')).toBe(before + 1)
})

test('a gRPC stream may be silent for longer than stallTimeout', async () => {
  const arrived = lastStream()
  const client = await open()
  client.send(requestText('GET', '/main/grpc-watch'))
  const stream = await arrived
  await client.untilText('first')
  const cut = ask('/main/stall').catch(() => null) // measures more than a stallTimeout
  const other = await open()
  other.send(requestText('GET', '/main/stall'))
  await other.untilEnded()
  await cut
  stream.end('second')
  await client.untilText('\r\n0\r\n\r\n')
  expect(client.received).toContain('second')
})

test('an upload that the server does not read is a 504 after stallTimeout', async () => {
  const client = await open()
  client.send(`POST /main/deaf HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${4 * MIB}\r\n\r\n`)
  client.send('x'.repeat(4 * MIB))
  await client.untilText('UPSTREAM_STALL')
})

test('a slow reader holds the server back, and gets every byte in the end', async () => {
  const arrived = lastStream()
  const client = await open()
  client.socket.pause()
  client.send(requestText('GET', '/patient/large'))
  const stream = await arrived
  // The server can send no more: what is on its way fills windows and socket buffers.
  await eventually('the server to be held back', async () => {
    const before = stream.session!.socket.bytesWritten
    await new Promise((resolve) => setTimeout(resolve, 100))
    return before > 0 && stream.session!.socket.bytesWritten === before
  })
  expect(stream.writableNeedDrain).toBe(true)
  expect((await ask('/patient/x')).status).toBe(200) // others on the session are not held back
  client.socket.resume()
  await client.until('64 MiB', () => client.receivedBytes > 64 * MIB, 20_000)
  await client.untilText('\r\n0\r\n\r\n')
}, 60_000)

test('an upload of 20 MiB arrives whole', async () => {
  const client = await open()
  client.send(`POST /patient/sum HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${20 * MIB}\r\n\r\n`)
  client.send('x'.repeat(20 * MIB))
  expect((await client.readResponse()).body).toBe(String(20 * MIB))
})

test('an answer before the end of the request reaches the client', async () => {
  const client = await open()
  client.send('POST /patient/early HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\nxxx')
  await client.untilText('too large')
  expect(client.received).toContain('413')
})

test('a server that answers no ping within pingTimeout is given up', async () => {
  const client = await open()
  client.send(requestText('POST', '/mute/', 'Content-Length: 0\r\n'))
  await mute.until(
    'the request',
    () => mute.connections[0]?.frames.some((f) => f.type === HEADERS) === true,
  )
  mute.connections[0]!.answersPings = false
  expect((await client.readResponse()).body).toBe('Bad Gateway (UPSTREAM_RESET)\n')
})

test('a server behind h2c:// that speaks HTTP/1.1 is a 502 UPSTREAM_PROTOCOL', async () => {
  expect((await ask('/http1/')).body).toBe('Bad Gateway (UPSTREAM_PROTOCOL)\n')
})

test('a header that stands twice arrives twice', async () => {
  await ask('/patient/x', 'GET', 'X-Twice: a\r\nX-Twice: b\r\nUser-Agent: a\r\nUser-Agent: b\r\n')
  expect(origin.asked.at(-1)!['x-twice']).toBe('a, b')
})

test('2,000 requests, a third of them given up at some point, leave nothing under way', async () => {
  let [given, done] = [0, 0]
  const one = async (i: number) => {
    const client = await connectRaw(gateway.port)
    client.send(requestText('GET', i % 5 === 0 ? '/main/never' : '/main/x'))
    if (i % 3 === 0) {
      given++
      if (i % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
      client.reset()
      return
    }
    const { status } = await client.readResponse()
    expect([200, 504]).toContain(status)
    done++
    client.destroy()
  }
  for (let i = 0; i < 2000; i += 100)
    await Promise.all(Array.from({ length: 100 }, (_, j) => one(i + j)))
  expect(given + done).toBe(2000)
  await eventually('no request to be under way', async () => {
    const { body } = await gateway.admin('/metrics')
    return metricSum(body, 'sluice_in_flight') <= 1 // the one that asks
  })
  await origin.until('no stream to be open', () => origin.open() === 0)
}, 60_000)

test('a changed transport opens a new session, and the old one ends with its last stream', async () => {
  const arrived = lastStream()
  const client = await open()
  client.send(requestText('GET', '/patient/held'))
  const stream = await arrived
  const session = stream.session!
  const patient = { forwardingTimeouts: { dialTimeout: '3s' } }
  const http = { routers, services, serversTransports: { ...serversTransports, patient } }
  gateway.writeRoutes({ http })
  await eventually('another session', async () => {
    await ask('/patient/x')
    return origin.sessions.at(-1) !== session && !origin.sessions.at(-1)!.closed
  })
  expect(session.closed).toBe(false)
  stream.respond({ ':status': 200 })
  stream.end('held')
  expect((await client.readResponse()).body).toBe('held')
  await origin.until('the old session to end', () => session.closed)
})
