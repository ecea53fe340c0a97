// A server has at the most maxConnections of a worker; who finds none waits, and of those no more than maxPending. That is no
// failure of the server.

import { afterEach, expect, test } from 'vitest'
import { type Gateway, type Keys, routesTo, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import {
  type OriginConnection,
  type ScriptedOrigin,
  startScriptedOrigin,
} from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { requestText, responseText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

const stops: (() => unknown)[] = []
let asked: { connection: OriginConnection; body: string }[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

interface Scene {
  readonly origin: ScriptedOrigin
  readonly gateway: Gateway
}

async function sceneOf(transport: Keys, service: Keys = {}): Promise<Scene> {
  asked = []
  const origin = await startScriptedOrigin(async (connection) => {
    for (;;) {
      const { body } = await connection.readRequest(60_000)
      asked.push({ connection, body })
    }
  })
  const gateway = await startGateway({ routes: routesOf(origin.url, transport, service) })
  stops.push(
    () => origin.stop(),
    () => gateway.stop(),
  )
  return { origin, gateway }
}

function routesOf(url: string, transport: Keys, service: Keys): Keys {
  const { http } = routesTo([url], transport) as { http: Record<string, Keys> }
  const { loadBalancer } = http['services']!['origin'] as { loadBalancer: Keys }
  const hasty = { rule: 'PathPrefix(`/hasty`)', service: 'origin', middlewares: ['hasty'] }
  return {
    http: {
      ...http,
      routers: { ...http['routers'], hasty },
      services: { origin: { loadBalancer: { ...loadBalancer, ...service } } },
      middlewares: { hasty: { timeout: { perTry: '200ms' } } },
    },
  }
}

async function ask(gateway: Gateway, method = 'GET', body = '', target = '/'): Promise<RawClient> {
  const client = await connectRaw(gateway.port)
  stops.push(() => client.destroy())
  return client.send(requestText(method, target, '', body))
}

const answer = (at: number): unknown => asked[at]!.connection.send(responseText(`answer ${at}`))

test('requests wait for a connection, bodies and all, and are served one after the other', async () => {
  const { origin, gateway } = await sceneOf({
    maxConnections: 2,
    maxPending: 10,
    forwardingTimeouts: { dialTimeout: '20s' },
  })
  const clients = []
  for (let i = 0; i < 6; i++) clients.push(await ask(gateway, 'POST', `body of ${i}`))
  const bodies: string[] = []
  for (let i = 0; i < 6; i++) {
    await eventually(`request ${i} to come`, () => asked.length > i)
    answer(i)
  }
  for (const client of clients) bodies.push((await client.readResponse()).body)
  expect(bodies.toSorted()).toEqual([0, 1, 2, 3, 4, 5].map((i) => `answer ${i}`))
  expect(asked.map(({ body }) => body).toSorted()).toEqual(
    [0, 1, 2, 3, 4, 5].map((i) => `body of ${i}`),
  )
  expect(origin.connections.length).toBe(2)
})

test('one more than maxPending is answered 503 at once', async () => {
  const { gateway } = await sceneOf({
    maxConnections: 1,
    maxPending: 1,
    forwardingTimeouts: { dialTimeout: '20s' },
  })
  const first = await ask(gateway)
  await eventually('the first to be there', () => asked.length === 1)
  const others = [await ask(gateway), await ask(gateway)]
  const refused = await Promise.race(others.map((client) => client.readResponse()))
  expect([refused.status, refused.body]).toEqual([503, 'Service Unavailable (UPSTREAM_FULL)\n'])
  answer(0)
  expect((await first.readResponse()).body).toBe('answer 0')
  await eventually('the one that waited to be there', () => asked.length === 2)
})

test('who has waited for dialTimeout is answered 503, and who leaves gives up its place', async () => {
  const forwardingTimeouts = { dialTimeout: '3s' } // who leaves is seen to wait before that
  const { gateway } = await sceneOf({ maxConnections: 1, maxPending: 1, forwardingTimeouts })
  await ask(gateway)
  await eventually('the first to be there', () => asked.length === 1)
  const leaving = await ask(gateway)
  await eventually('both to be under way', async () => {
    return metricSum((await gateway.admin('/metrics')).body, 'sluice_in_flight') === 3
  })
  leaving.reset()
  await eventually('it to be gone', async () => {
    return metricSum((await gateway.admin('/metrics')).body, 'sluice_in_flight') === 2
  })
  const late = await ask(gateway)
  const { status, body } = await late.readResponse()
  expect([status, body]).toEqual([503, 'Service Unavailable (UPSTREAM_FULL)\n'])
  expect(asked.length).toBe(1)
})

const full = [503, 'Service Unavailable (UPSTREAM_FULL)\n']
const patient = { forwardingTimeouts: { dialTimeout: '1m' } }
const late = [504, 'Gateway Timeout (TIMEOUT_TRY)\n']

test.each([
  ['finds no place to wait', { maxPending: 0 }, '/', full],
  ['waits for dialTimeout', { forwardingTimeouts: { dialTimeout: '200ms' } }, '/', full],
  ['waits for longer than a try may take', patient, '/hasty', late],
])('a server is not down because a request %s', async (_what, transport, target, refusal) => {
  const { gateway } = await sceneOf(
    { maxConnections: 1, ...transport },
    {
      passiveHealthCheck: { failureWindow: '1h', maxFailedAttempts: 1 },
      outlierDetection: { consecutive5xx: 1, consecutiveGatewayErrors: 1 },
    },
  )
  const held = await ask(gateway)
  await eventually('the first to be there', () => asked.length === 1)
  for (let i = 0; i < 3; i++) {
    const { status, body } = await (await ask(gateway, 'GET', '', target)).readResponse()
    expect([status, body]).toEqual(refusal)
  }
  const { body } = await gateway.admin('/metrics')
  expect(metricSum(body, 'sluice_service_passive_downs_total')).toBe(0)
  expect(metricSum(body, 'sluice_service_ejections_total')).toBe(0)
  answer(0)
  expect((await held.readResponse()).body).toBe('answer 0')
})
