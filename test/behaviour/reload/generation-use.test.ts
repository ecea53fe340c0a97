// However an exchange ends, its generation is let go of: one that was forgotten would keep records of the shared table for ever.

import http2 from 'node:http2'
import type { Duplex } from 'node:stream'
import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Keys, freePorts } from '../../support/gateway.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { type TestSupervisor, startSupervisor } from '../../support/supervisor.ts'
import { eventually } from '../../support/wait.ts'

let origin: HttpOrigin
let running: TestSupervisor
let uwsPort = 0
let refused = ''
let stored = 0 // answers of /stale
let mirrored = 0
const held: ServerResponse[] = []
const tunnels: Duplex[] = []

function routes(more: Keys = {}): Keys {
  const router = (path: string, service: string, middlewares: readonly string[] = []): Keys => {
    return { rule: `PathPrefix(\`${path}\`)`, service, middlewares }
  }
  const to = (url: string): Keys => ({ loadBalancer: { servers: [{ url }] } })
  return {
    http: {
      routers: {
        held: router('/held', 'origin'),
        plain: router('/plain', 'origin', ['copied']),
        tunnel: router('/tunnel', 'origin'),
        refused: router('/refused', 'refused', ['again']),
        stale: router('/stale', 'origin', ['cached']),
        limited: router('/limited', 'origin', ['limited']),
        ...more,
      },
      middlewares: {
        again: { retry: { attempts: 3, initialInterval: '10ms' } },
        cached: { httpCache: {} },
        copied: { mirror: { service: 'mirror' } },
        limited: { buffering: { maxRequestBodyBytes: 10 } },
      },
      services: { origin: to(origin.url), mirror: to(`${origin.url}`), refused: to(refused) },
    },
  }
}

beforeAll(async () => {
  const [port = 0, dead = 0] = await freePorts(2)
  uwsPort = port
  refused = `http://127.0.0.1:${dead}`
  origin = await startHttpOrigin((request, response) => {
    if (request.url === '/held') return void held.push(response)
    if (request.url === '/stale') stored++
    if (request.url === '/plain') mirrored++
    const cached = { 'Cache-Control': 'max-age=0, stale-while-revalidate=600' }
    request.resume()
    response.writeHead(200, request.url === '/stale' ? cached : {}).end('served')
  })
  origin.server.on('upgrade', (_request, socket) => {
    tunnels.push(socket)
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')
    socket.on('end', () => socket.end()).on('error', () => undefined)
  })
  const uws = { address: `127.0.0.1:${uwsPort}`, engine: 'uws' }
  running = await startSupervisor(1, routes(), 'complete', { uws })
})

afterAll(async () => {
  await running.stop()
  await origin.stop()
})

let path = 0

// Another generation; resolves with its number once it serves.
async function reload(): Promise<number> {
  const { supervisor } = running
  const number = supervisor.generation.number + 1
  const more = { more: { rule: `Path(\`/more-${path++}\`)`, service: 'origin' } }
  supervisor.publish(running.generationOf(routes(more), number))
  await running.until('it to be adopted', () => running.worker(0).adopted === number)
  return number
}

async function untilOldest(number: number): Promise<void> {
  const { supervisor } = running
  await running.until('older ones to end', () => supervisor.oldestGeneration === number)
}

const head = (target: string, more = ''): string => {
  return `GET ${target} HTTP/1.1\r\nHost: a.test\r\n${more}\r\n`
}

async function ask(port: number, bytes: string): Promise<number> {
  const client = await connectRaw(port)
  client.send(bytes)
  const { status } = await client.readResponse()
  client.destroy()
  return status
}

async function openTunnel(): Promise<RawClient> {
  const client = await connectRaw(running.port)
  client.send(head('/tunnel', 'Connection: Upgrade\r\nUpgrade: x\r\n'))
  await client.untilText('101 Switching')
  return client
}

// One whose client leaves while the server has it.
async function abandon(port: number): Promise<void> {
  const before = held.length
  const client = await connectRaw(port)
  client.send(head('/held'))
  await eventually('the server to have it', () => held.length > before)
  client.reset() // half a connection may still want its answer
}

async function overHttp2(): Promise<void> {
  const session = http2.connect(`http://127.0.0.1:${running.port}`)
  session.on('error', () => undefined)
  const before = held.length
  const left = session.request({ ':path': '/held' }).on('error', () => undefined)
  await eventually('the server to have it', () => held.length > before)
  left.close(http2.constants.NGHTTP2_CANCEL)
  for (const target of ['/plain', '/nowhere', '/refused']) {
    const stream = session.request({ ':path': target })
    await new Promise((resolve) => stream.on('response', resolve).resume())
  }
  session.destroy()
}

// Ways to end. Each resolves when the client has its answer, or is gone.
const ways: Readonly<Record<string, (port: number) => Promise<unknown>>> = {
  'no router': async (port) => expect(await ask(port, head('/nowhere'))).toBe(404),
  'a malformed head': async (port) =>
    expect(await ask(port, head('/plain', 'Content-Length: x\r\n'))).toBe(400),
  'a server that is not there, and retries': async (port) =>
    expect(await ask(port, head('/refused'))).toBe(502),
  'a mirrored request': async (port) => {
    const before = mirrored
    expect(await ask(port, head('/plain'))).toBe(200)
    await eventually('the copy', () => mirrored === before + 2)
  },
  'a body that is too long': async (port) => {
    const long = 'POST /limited HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\n'
    expect(await ask(port, long)).toBe(413)
  },
  'a client that leaves within its head': async (port) => {
    const half = await connectRaw(port)
    half.send('GET /plain HTTP/1.1\r\nHost')
    half.destroy()
  },
  'a client that leaves before its answer': abandon,
  'a refresh in the background': async (port) => {
    const before = stored
    expect(await ask(port, head('/stale'))).toBe(200)
    await eventually('a refresh', async () => {
      expect(await ask(port, head('/stale'))).toBe(200)
      return stored > before + 1
    })
  },
}

for (const [way, end] of Object.entries(ways)) {
  test.each(['node', 'uws'] as const)(
    `${way}, with engine %s, holds nothing back`,
    async (engine) => {
      await end(engine === 'node' ? running.port : uwsPort)
      await untilOldest(await reload())
    },
  )
}

test('streams of HTTP/2 that have ended, or were reset, hold nothing back', async () => {
  await overHttp2()
  await untilOldest(await reload())
})

test('a tunnel holds its generation for as long as it is open, and no longer', async () => {
  const before = await reload()
  await untilOldest(before)
  const client = await openTunnel()
  await reload()
  const last = await reload()
  expect(await ask(running.port, head('/plain'))).toBe(200)
  expect(running.supervisor.oldestGeneration).toBe(before)
  client.destroy()
  for (const socket of tunnels) socket.destroy()
  await untilOldest(last)
})
