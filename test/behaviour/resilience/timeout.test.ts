// The timeout middleware: what ends when, on routers and on services.

import { afterEach, expect, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type OriginConnection, startScriptedOrigin } from '../../support/origin.ts'
import { type RawClient, connectRaw } from '../../support/raw-client.ts'
import { requestText, responseText } from '../../support/scene.ts'
import { eventually } from '../../support/wait.ts'

const TICK_MS = 100 // how late a time may be noticed
// Of what is to be in time: longer than the machine may stand still while an answer is awaited.
const PATIENT_MS = 2500
const stops: (() => unknown)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

async function originOf(serve: (connection: OriginConnection) => unknown): Promise<string> {
  const origin = await startScriptedOrigin(serve)
  stops.push(() => origin.stop())
  return origin.url
}

const silent = () => originOf((connection) => connection.readRequest(60_000))

async function gatewayTo(
  urls: readonly string[],
  router: Keys,
  service: Keys = {},
): Promise<Gateway> {
  const gateway = await startGateway({
    routes: {
      http: {
        routers: {
          all: { rule: 'PathPrefix(`/`)', entryPoints: ['web'], service: 'origin', ...router },
        },
        middlewares: {
          total: { timeout: { total: '300ms' } },
          try: { timeout: { perTry: '300ms' } },
          first: { timeout: { firstByte: '300ms' } },
          again: { retry: { attempts: 2 } },
          patient: { timeout: { firstByte: `${PATIENT_MS}ms` } },
          moving: { timeout: { idle: `${PATIENT_MS}ms` } },
          all: {
            timeout: Object.fromEntries(
              ['total', 'perTry', 'firstByte', 'idle'].map((kind) => [kind, `${PATIENT_MS}ms`]),
            ),
          },
        },
        services: {
          origin: { loadBalancer: { servers: urls.map((url) => ({ url })) }, ...service },
        },
      },
    },
  })
  stops.push(() => gateway.stop())
  return gateway
}

async function clientOf(gateway: Gateway): Promise<RawClient> {
  const client = await connectRaw(gateway.port)
  stops.push(() => client.destroy())
  return client
}

async function timed<T>(action: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const from = performance.now()
  const value = await action()
  return { value, ms: performance.now() - from }
}

test.each([
  ['total', 'TIMEOUT_TOTAL', 'total'],
  ['try', 'TIMEOUT_TRY', 'perTry'],
  ['first', 'TIMEOUT_FIRST_BYTE', 'firstByte'],
])('%s: a silent server is a 504 in time, on a router', async (middleware, code, kind) => {
  const gateway = await gatewayTo([await silent()], { middlewares: [middleware] })
  const client = await clientOf(gateway)
  const { value, ms } = await timed(() => client.send(requestText()).readResponse())
  expect([value.status, value.body]).toEqual([504, `Gateway Timeout (${code})\n`])
  expect(ms).toBeGreaterThan(299)
  const { body } = await gateway.admin('/metrics')
  expect(metricSum(body, 'sluice_timeouts_total', `kind="${kind}"`)).toBe(1)
  expect(metricSum(body, 'sluice_in_flight')).toBe(1) // the page itself
})

test('a service has times of its own', async () => {
  const gateway = await gatewayTo([await silent()], {}, { middlewares: ['total'] })
  const client = await clientOf(gateway)
  expect((await client.send(requestText()).readResponse()).status).toBe(504)
})

test('total: after the head the response breaks off, and the server is left', async () => {
  let left = false
  const url = await originOf(async (connection) => {
    await connection.readRequest()
    const end = connection.until(
      'the gateway to leave',
      () => connection.ended || connection.closed,
      5000,
    )
    for (let i = 0; i < 1000 && !connection.closed; i++) {
      connection.send(i === 0 ? responseText('x'.repeat(5000)).slice(0, -4900) : '.')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await end
    left = true
  })
  const gateway = await gatewayTo([url], { middlewares: ['total'] })
  const client = await clientOf(gateway)
  await expect(client.send(requestText()).readResponse()).rejects.toThrow()
  await eventually('the server to be left', () => left)
  const { body } = await gateway.admin('/metrics')
  expect(metricSum(body, 'sluice_errors_total', 'code="TIMEOUT_TOTAL"')).toBe(1)
})

test('perTry: with a retry middleware another server is asked, for what may be repeated', async () => {
  const good = await originOf(async (connection) => {
    for (;;) {
      await connection.readRequest(60_000)
      connection.send(responseText('good'))
    }
  })
  const gateway = await gatewayTo([await silent(), good], { middlewares: ['again', 'try'] })
  const client = await clientOf(gateway)
  const answers = []
  for (const method of ['GET', 'GET', 'POST', 'POST'])
    answers.push((await client.send(requestText(method)).readResponse()).status)
  expect(answers.slice(0, 2)).toEqual([200, 200])
  expect(answers.slice(2).toSorted()).toEqual([200, 504])
})

test('firstByte: the time of an upload does not count', async () => {
  const url = await originOf(async (connection) => {
    await connection.readRequest(60_000)
    connection.send(responseText('got it'))
  })
  const gateway = await gatewayTo([url], { middlewares: ['patient'] })
  const client = await clientOf(gateway)
  client.send('PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 20\r\n\r\n')
  const from = performance.now()
  for (let i = 0; i < 20; i++) {
    client.send('x')
    await new Promise((resolve) => setTimeout(resolve, 140))
  }
  expect(performance.now() - from).toBeGreaterThan(PATIENT_MS + 2 * TICK_MS)
  expect((await client.readResponse()).body).toBe('got it')
})

test('idle: a trickle passes, a silence ends the response', async () => {
  const url = await originOf(async (connection) => {
    const { head } = await connection.readRequest()
    const parts = head.startsWith('GET /trickle') ? 10 : 2
    connection.send('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n')
    for (let i = 0; i < parts; i++) {
      connection.send('.')
      await new Promise((resolve) => setTimeout(resolve, (PATIENT_MS * 1.2) / 10))
    }
  })
  const gateway = await gatewayTo([url], { middlewares: ['moving'] })
  const trickle = await clientOf(gateway)
  expect((await trickle.send(requestText('GET', '/trickle')).readResponse()).body).toBe(
    '.'.repeat(10),
  )
  const cut = await clientOf(gateway)
  await expect(cut.send(requestText('GET', '/silence')).readResponse()).rejects.toThrow()
})

test('an answer in time is not touched, and leaves nothing behind', async () => {
  const url = await originOf(async (connection) => {
    for (;;) {
      await connection.readRequest(60_000)
      connection.send(responseText('good'))
    }
  })
  const gateway = await gatewayTo([url], { middlewares: ['all'] })
  const client = await clientOf(gateway)
  const from = performance.now()
  while (performance.now() - from < PATIENT_MS + 3 * TICK_MS)
    expect((await client.send(requestText()).readResponse()).body).toBe('good')
  const { body } = await gateway.admin('/metrics')
  expect(metricSum(body, 'sluice_timeouts_total')).toBe(0)
})
