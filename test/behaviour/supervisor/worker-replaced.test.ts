// A worker that ends is replaced while the others serve. What no request can do to a worker is done here from
// inside: the supervisor runs in the test's process, its workers are real threads with real listeners.

import { readdirSync } from 'node:fs'
import net from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONNECTIONS, IN_FLIGHT, rowOf } from '../../../core/shared/control.ts'
import type { ToWorker } from '../../../workers/messages.ts'
import { routesTo } from '../../support/gateway.ts'
import { startLoad } from '../../support/load.ts'
import { metricSum } from '../../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { type TestSupervisor, startSupervisor } from '../../support/supervisor.ts'
import { eventually } from '../../support/wait.ts'

const WORKERS = 2
let origin: HttpOrigin
let running: TestSupervisor
const REPLACED_WITHIN_MS = 25_000 // only a hang takes that long; make faults has the figures

beforeAll(async () => {
  origin = await startHttpOrigin((_request, response) => response.end('served'))
  running = await startSupervisor(WORKERS, routesTo([origin.url]))
})

afterAll(async () => {
  await running.stop()
  await origin.stop()
})

// Resolves with the time it took from `harm` until another worker serves in that place.
async function replacementAfter(index: number, harm: () => void): Promise<number> {
  const before = running.worker(index)
  const from = performance.now()
  harm()
  await running.until(
    `worker ${index} to be replaced`,
    () => running.worker(index) !== before && running.worker(index).listening,
    REPLACED_WITHIN_MS,
  )
  return performance.now() - from
}

// Keep-alive connections that were spread over all workers, each used once.
async function openConnections(count: number) {
  const clients = await Promise.all(Array.from({ length: count }, () => connectRaw(running.port)))
  for (const client of clients) {
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    expect((await client.readResponse()).status).toBe(200)
  }
  return clients
}

test('a worker that exits is replaced', async () => {
  await replacementAfter(0, () => running.worker(0).end('ended by a test'))
  expect(running.log.join('\n')).toContain('worker 0 ended (ended by a test) and is replaced')
})

test('a worker that throws outside of requests is replaced', async () => {
  const nonsense = null as unknown as ToWorker
  await replacementAfter(1, () => running.worker(1).post(nonsense))
  expect(running.log.join('\n')).toMatch(/worker 1 ended \(TypeError/)
})

test('a worker that stops answering for 5 s is replaced', async () => {
  const block = { type: 'block', ms: 120_000 } as const
  const ms = await replacementAfter(0, () => running.worker(0).post(block))
  expect(ms).toBeGreaterThan(4500)
})

test('connections of the other workers stay open and serve while one is replaced', async () => {
  const clients = await openConnections(16)
  await replacementAfter(0, () => running.worker(0).end('ended by a test'))
  const kept = clients.filter((client) => !client.ended && !client.closed)
  expect(kept.length).toBeGreaterThan(0)
  expect(kept.length).toBeLessThan(16)
  for (const client of kept) {
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    expect((await client.readResponse()).status).toBe(200)
    client.destroy()
  }
})

test('only requests on the connections of the worker that ended can fail', async () => {
  const load = startLoad({ port: running.port, keepAlive: 8, fresh: 0 })
  await load.untilMore(200)
  const { restarts } = running.supervisor
  await replacementAfter(1, () => running.worker(1).end('ended by a test'))
  await load.untilMore(500)
  await load.stop()
  expect(load.failures.length).toBeLessThanOrEqual(8)
  expect(running.supervisor.restarts).toBe(restarts + 1)
})

test('gauges of a worker that ended start again at nothing', async () => {
  const clients = await openConnections(8)
  await replacementAfter(0, () => running.worker(0).end('ended by a test'))
  await replacementAfter(1, () => running.worker(1).end('ended by a test'))
  for (const client of clients) client.destroy()
  await eventually('no connection to be counted', () => {
    const { control } = running.supervisor
    const cells = [0, 1].flatMap((i) => [
      control[rowOf(i) + CONNECTIONS],
      control[rowOf(i) + IN_FLIGHT],
    ])
    return cells.every((count) => count === 0)
  })
})

test('counters never go down, whoever ends, and restarts are counted', async () => {
  const name = 'traefik_entrypoint_requests_total'
  const requests = async (): Promise<number> => metricSum(await running.metrics(), name)
  const load = startLoad({ port: running.port, keepAlive: 4, fresh: 0 })
  await load.untilMore(100)
  const restarts = metricSum(await running.metrics(), 'sluice_worker_restarts_total')
  let highest = await requests()
  let isOver = false
  const watch = (async () => {
    while (!isOver) {
      const now = await requests()
      expect(now).toBeGreaterThanOrEqual(highest)
      highest = now
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  await replacementAfter(0, () => running.worker(0).end('ended by a test'))
  await replacementAfter(1, () => running.worker(1).end('ended by a test'))
  await load.untilMore(100)
  await load.stop()
  isOver = true
  await watch
  expect(metricSum(await running.metrics(), 'sluice_worker_restarts_total')).toBe(restarts + 2)
})

test('a worker that cannot listen again tries until it can, and the gateway does not end', async () => {
  let failures = 0
  running.supervisor.on('failed', () => failures++)
  const intruder = net.createServer()
  const before = [running.worker(0), running.worker(1)]
  for (const worker of before) worker.end('ended by a test')
  await running.until('both to be gone', () => before.every((worker) => !worker.isAlive))
  await new Promise<void>((resolve) => intruder.listen(running.port, '127.0.0.1', resolve))
  await running.until('a worker to fail', () =>
    running.log.some((line) => line.includes('EADDRINUSE')),
  )
  await new Promise((resolve) => intruder.close(resolve))
  await running.until('both workers to listen', () =>
    running.supervisor.handles.every((handle) => !before.includes(handle) && handle.listening),
  )
  expect(failures).toBe(0)
})

test('a worker that ends in the middle of a publish does not hold it up', async () => {
  const routes = routesTo([origin.url])
  let number = running.supervisor.generation.number
  const moments = [
    () => undefined, // before any worker has read it
    () => new Promise((resolve) => setImmediate(resolve)),
    () => running.until('one to be prepared', () => prepared(number) > 0),
    () => running.until('all to be prepared', () => prepared(number) === WORKERS),
  ]
  for (const moment of moments) {
    number++
    running.supervisor.publish(running.generationOf(withExtra(routes, number), number))
    await moment()
    const ended = running.worker(number % WORKERS)
    ended.end('ended by a test')
    // A worker that was told to end can still adopt: it counts only once another is in its place.
    await running.until(`generation ${number} to be served by all`, () =>
      running.supervisor.handles.every(
        (h) => h !== ended && h.isAlive && h.listening && h.adopted === number,
      ),
    )
  }
})

function prepared(number: number): number {
  return running.supervisor.handles.filter((handle) => handle.prepared === number).length
}

test('20 ends lose neither a worker nor the configuration', async () => {
  const routes = routesTo([origin.url])
  const first = running.supervisor.generation.number + 1
  const descriptors = openDescriptors()
  for (let round = 0; round < 10; round++) {
    const before = [running.worker(0), running.worker(1)]
    for (const worker of before) worker.end('ended by a test')
    // Published while no worker is there: it must reach those that come.
    if (round % 3 === 0) {
      running.supervisor.publish(running.generationOf(withExtra(routes, round), first + round))
    }
    await running.until(`round ${round}: all workers to serve the newest generation`, () =>
      running.supervisor.handles.every(
        (handle) =>
          !before.includes(handle) &&
          handle.listening &&
          handle.adopted === running.supervisor.generation.number,
      ),
    )
  }
  expect(running.supervisor.generation.number).toBe(first + 9)
  await eventually('their descriptors to be closed', () => openDescriptors() <= descriptors + 4)
  const [client] = await openConnections(1)
  client!.send('GET /extra-9 HTTP/1.1\r\nHost: a.test\r\n\r\n')
  expect((await client!.readResponse()).body).toBe('served')
  client!.destroy()
}, 240_000)

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}

function withExtra(routes: ReturnType<typeof routesTo>, number: number) {
  const { http } = routes as { http: { routers: Record<string, unknown> } }
  const extra = { rule: `Path(\`/extra-${number}\`)`, entryPoints: ['web'], service: 'origin' }
  return { http: { ...http, routers: { ...http.routers, extra } } }
}
