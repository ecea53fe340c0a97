// Each entry point ends at its own pace: by its own requestAcceptGraceTimeout and its own graceTimeOut.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Gateway, type Keys, freePorts, startGateway } from '../../support/gateway.ts'
import { type ScriptedOrigin, startScriptedOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { eventually } from '../../support/wait.ts'

const REQUEST = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone'
let origin: ScriptedOrigin
let gateway: Gateway | null = null
const clients: RawClient[] = []

beforeAll(async () => {
  origin = await startScriptedOrigin()
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  if (gateway !== null && gateway.exit === null) await gateway.stop('SIGKILL')
  gateway = null
})

afterAll(() => origin.stop())

function lifeCycle(acceptGrace: string, grace: string): Keys {
  return {
    transport: { lifeCycle: { requestAcceptGraceTimeout: acceptGrace, graceTimeOut: grace } },
  }
}

async function inFlight(port: number) {
  const client = await connectRaw(port)
  clients.push(client)
  const next = origin.connections.length
  client.send(REQUEST)
  const server = await origin.connection(next)
  await server.readRequest()
  return { client, server }
}

async function isRefused(port: number): Promise<boolean> {
  return connectRaw(port).then(
    (extra) => (extra.destroy(), false),
    () => true,
  )
}

function routes(): Keys {
  return {
    http: {
      routers: { all: { rule: 'PathPrefix(`/`)', entryPoints: ['web', 'slow'], service: 'all' } },
      services: { all: { loadBalancer: { servers: [{ url: origin.url }] } } },
    },
  }
}

test.each(['node', 'uws'] as const)(
  'one entry point of engine %s refuses and cuts while another accepts and finishes',
  async (engine) => {
    const [slow = 0] = await freePorts(1)
    gateway = await startGateway({
      engine,
      workers: 2,
      web: lifeCycle('0s', '700ms'),
      entryPoints: { slow: { address: `127.0.0.1:${slow}`, ...lifeCycle('5s', '10s') } },
      routes: routes(),
      static: { accessLog: {} },
    })
    const { port, admin } = gateway
    const cut = await inFlight(port)
    const kept = await inFlight(slow)
    const from = performance.now()
    gateway.child.kill('SIGTERM')
    await eventually('/ready to be 503', async () => (await admin('/ready')).status === 503)
    await cut.client.until('the end', () => cut.client.ended || cut.client.closed)
    expect(performance.now() - from).toBeGreaterThan(690)
    expect(cut.client.received).toBe('')
    const late = await inFlight(slow) // which still accepts
    expect((await admin('/ready')).status).toBe(503)
    await eventually('the port of web to be closed', () => isRefused(port))
    late.server.send(ANSWER)
    expect((await late.client.readResponse()).status).toBe(200)
    await eventually('the port of slow to be closed', () => isRefused(slow))
    expect(performance.now() - from).toBeGreaterThan(4990)
    kept.server.send(ANSWER)
    expect((await kept.client.readResponse()).status).toBe(200)
    await gateway.untilExit()
    expect(gateway.exit).toEqual({ code: 1, signal: null })
    expect(gateway.stderr()).toContain('connections cut after graceTimeOut: 1')
    expect(gateway.stdout().match(/"GET \/ HTTP\/1.1" 200/g)).toHaveLength(2)
    expect(gateway.stdout()).toContain('"GET / HTTP/1.1" 503')
  },
)

test('the entry point that is asked for /ready accepts for as long as any other does', async () => {
  gateway = await startGateway({
    web: lifeCycle('4s', '10s'), // /ready is asked for meanwhile
    flags: ['--entryPoints.traefik.transport.lifeCycle.requestAcceptGraceTimeout=0s'],
  })
  const from = performance.now()
  gateway.child.kill('SIGTERM')
  const { port, adminPort } = gateway
  await eventually('/ready to be 503', async () => (await gateway!.admin('/ready')).status === 503)
  await eventually('the port of web to be closed', () => isRefused(port))
  expect(performance.now() - from).toBeGreaterThan(3990)
  await eventually('the port of traefik to be closed', () => isRefused(adminPort))
  await gateway.untilExit()
  expect(gateway.exit).toEqual({ code: 0, signal: null })
})

test('connections that are cut while idle are no reason for another exit code', async () => {
  gateway = await startGateway({ web: lifeCycle('0s', '300ms'), routes: routes() })
  const { client, server } = await inFlight(gateway.port)
  server.send(ANSWER)
  await client.readResponse()
  gateway.child.kill('SIGTERM')
  await gateway.untilExit()
  expect(gateway.exit).toEqual({ code: 0, signal: null })
})
