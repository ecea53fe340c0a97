// What came while the process stood still (a host that is short of cores, a snapshot, a live migration) came in time: it
// is read before any deadline is believed.

import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type Gateway, type Keys, routesTo, startGateway } from '../../support/gateway.ts'
import {
  type HttpOrigin,
  type ScriptedOrigin,
  startHttpOrigin,
  startScriptedOrigin,
} from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

const REQUEST = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
const CLIENTS = 8
const DRAIN_QUIET_MS = 1000 // after which a draining process ends a connection
let origin: HttpOrigin
let gateway: Gateway
const clients: RawClient[] = []

beforeAll(async () => {
  origin = await startHttpOrigin((_request, response) => response.end('served'))
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  if (gateway.exit === null) await gateway.stop('SIGKILL')
})

afterAll(() => origin.stop())

async function connect(): Promise<RawClient> {
  const client = await connectRaw(gateway.port)
  clients.push(client)
  return client
}

async function whileStopped(ms: number, action: () => void): Promise<void> {
  gateway.child.kill('SIGSTOP')
  action()
  await pause(ms) // the time itself is the case
  gateway.child.kill('SIGCONT')
}

// Connections that have been used, on a process that drains and was stopped before it ended them. Null: it was stopped
// too late.
async function stoppedWhileDraining(engine: 'node' | 'uws'): Promise<RawClient[] | null> {
  gateway = await startGateway({ workers: 2, engine, routes: routesTo([origin.url]) })
  const kept = await Promise.all(Array.from({ length: CLIENTS }, connect))
  for (const client of kept) await client.send(REQUEST).readResponse()
  gateway.child.kill('SIGTERM')
  await eventually('new connections to be refused', () =>
    connectRaw(gateway.port).then(
      (extra) => (extra.destroy(), false),
      () => true,
    ),
  )
  gateway.child.kill('SIGSTOP')
  await pause(50) // what it ended before is seen as such
  if (kept.every((client) => !client.ended && !client.closed)) return kept
  await gateway.stop('SIGKILL')
  return null
}

test.each(['node', 'uws'] as const)(
  'engine %s answers what was asked while it stood still and drained',
  async (engine) => {
    let kept: RawClient[] | null = null
    for (let attempt = 0; kept === null && attempt < 20; attempt++)
      kept = await stoppedWhileDraining(engine)
    await whileStopped(DRAIN_QUIET_MS * 1.5, () => {
      for (const client of kept!) client.send(REQUEST)
    })
    for (const client of kept!) {
      const answer = await client.readResponse()
      expect([answer.status, answer.body]).toEqual([200, 'served'])
      expect(answer.headers.get('connection')).toBe('close')
    }
    await gateway.untilExit()
    expect(gateway.exit).toEqual({ code: 0, signal: null })
  },
  120_000,
)

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nserved'
const TIMEOUT_MS = 3000 // more than the machine takes away between the request and the stop
const timeout = `${TIMEOUT_MS}ms`

// One router, with these middlewares and this transport to its servers.
function routesOf(
  server: string,
  more: { middlewares?: Keys; transport?: Keys; service?: Keys },
): Keys {
  const { middlewares = {}, transport = {}, service = {} } = more
  const chain = Object.keys(middlewares)
  const all = { rule: 'PathPrefix(`/`)', entryPoints: ['web'], service: 'all', middlewares: chain }
  const servers = [{ url: server }]
  return {
    http: {
      routers: { all },
      ...(chain.length > 0 && { middlewares }),
      services: { all: { loadBalancer: { servers, serversTransport: 'own', ...service } } },
      serversTransports: { own: transport },
    },
  }
}

async function startServer(): Promise<ScriptedOrigin> {
  const server = await startScriptedOrigin()
  onTestFinished(() => server.stop())
  return server
}

test.each([
  [
    'responseHeaderTimeout',
    { transport: { forwardingTimeouts: { responseHeaderTimeout: timeout } } },
  ],
  ['the timeout middleware', { middlewares: { slow: { timeout: { firstByte: timeout } } } }],
] as const)('%s takes an answer that came while it stood still', async (_what, more) => {
  const server = await startServer()
  gateway = await startGateway({ routes: routesOf(server.url, more) })
  const client = (await connect()).send(REQUEST)
  const connection = await server.connection(0)
  await connection.readRequest()
  await whileStopped(TIMEOUT_MS * 1.3, () => connection.send(OK))
  const answer = await client.readResponse()
  expect([answer.status, answer.body]).toEqual([200, 'served'])
})

test('so does forwardAuth with the verdict of its server', async () => {
  const server = await startServer()
  const forwardAuth = { address: `${server.url}/verdict`, timeout }
  gateway = await startGateway({
    routes: routesOf(origin.url, { middlewares: { asked: { forwardAuth } } }),
  })
  const client = (await connect()).send(REQUEST)
  const connection = await server.connection(0)
  await connection.readRequest()
  await whileStopped(TIMEOUT_MS * 1.3, () => connection.send(OK))
  expect((await client.readResponse()).status).toBe(200)
})

test('so does a health check', async () => {
  const server = await startServer()
  const healthCheck = { path: '/health', interval: '100ms', timeout }
  gateway = await startGateway({ routes: routesOf(server.url, { service: { healthCheck } }) })
  const first = await server.connection(0)
  await first.readRequest()
  await whileStopped(TIMEOUT_MS * 1.3, () => first.send(OK))
  await server.connection(1) // it goes on
  expect(gateway.stderr()).not.toContain('no answer in time')
})
