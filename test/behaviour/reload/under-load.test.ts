// Reloads lose nothing: 200 generations are published while clients send requests without a pause.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Keys, routesTo } from '../../support/gateway.ts'
import { startLoad } from '../../support/load.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { type TestSupervisor, startSupervisor } from '../../support/supervisor.ts'

const RELOADS = 200
let origin: HttpOrigin
let other: HttpOrigin
let running: TestSupervisor
let upstreamConnections = 0

beforeAll(async () => {
  origin = await startHttpOrigin((_request, response) => response.end('served'))
  origin.server.on('connection', () => upstreamConnections++)
  other = await startHttpOrigin((_request, response) => response.end('served'))
  running = await startSupervisor(2, routesTo([origin.url]))
})

afterAll(async () => {
  await running.stop()
  await origin.stop()
  await other.stop()
})

// Every generation differs in a router, a middleware, and every third one in its servers.
function routesOf(number: number): Keys {
  const servers = number % 3 === 0 ? [origin.url, other.url] : [origin.url]
  const { http } = routesTo(servers) as { http: Record<string, Keys> }
  const all = {
    rule: 'PathPrefix(`/`)',
    entryPoints: ['web'],
    service: 'origin',
    middlewares: ['mark'],
  }
  const extra = { ...all, rule: `Path(\`/extra-${number}\`)` }
  const mark = { headers: { customResponseHeaders: { 'X-Generation': String(number) } } }
  return { http: { ...http, routers: { all, extra }, middlewares: { mark } } }
}

async function publishAndConverge(number: number): Promise<void> {
  running.supervisor.publish(running.generationOf(routesOf(number), number))
  await running.until(`generation ${number} to be adopted by all`, () =>
    running.supervisor.handles.every((handle) => handle.adopted === number),
  )
}

test('200 reloads under load fail no request and reset no connection', async () => {
  const load = startLoad({ port: running.port, keepAlive: 6, fresh: 2 })
  await load.untilMore(100)
  const connectionsBefore = upstreamConnections
  for (let number = 2; number < 2 + RELOADS; number++) await publishAndConverge(number)
  await load.untilMore(100)
  await load.stop()
  expect(load.failures).toEqual([])
  expect(load.closed).toBe(0)
  expect(load.done).toBeGreaterThan(RELOADS)
  // The server that is in every list keeps its connections: a few may be opened for want of an idle one.
  expect(upstreamConnections - connectionsBefore).toBeLessThan(40)
}, 240_000)

test('of many publishes in a row the newest is served in the end', async () => {
  const first = running.supervisor.generation.number + 1
  const from = performance.now()
  for (let number = first; number < first + 50; number++) {
    running.supervisor.publish(running.generationOf(routesOf(number), number))
  }
  const newest = first + 49
  await running.until('the newest generation to be adopted by all workers', () =>
    running.supervisor.handles.every((handle) => handle.adopted === newest),
  )
  expect(running.supervisor.generation.number).toBe(newest)
  expect(running.supervisor.convergenceMs).toBeGreaterThan(0)
  expect(running.supervisor.convergenceMs).toBeLessThanOrEqual(performance.now() - from)
})

test('a generation that says nothing new is not published', async () => {
  const { number } = running.supervisor.generation
  running.supervisor.publish(running.generationOf(routesOf(number), number + 1))
  running.supervisor.publish(running.generationOf(routesOf(number + 2), number + 2))
  await running.until('the next one to be adopted', () =>
    running.supervisor.handles.every((handle) => handle.adopted === number + 2),
  )
})
