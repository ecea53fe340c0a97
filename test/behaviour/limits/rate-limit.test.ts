// Limits of a real gateway: exact over all workers, whatever happens to them, with the headers that clients are told.

import { spawn, spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'
import { startSupervisor } from '../../support/supervisor.ts'
import { eventually } from '../../support/wait.ts'

const WORKERS = 4
// Not SLUICE_...: a gateway would take it for a key of its configuration.
const REQUESTS = Number(process.env['LIMIT_REQUESTS'] ?? 50_000)
const hasH2load = spawnSync('h2load', ['--version']).status === 0

// Each middleware has a router at a path of its own, in front of a service that answers in the worker.
function routes(middlewares: Keys, more: Keys = {}): Keys {
  const routers = Object.keys(middlewares).map((name) => [
    name,
    { rule: `Path(\`/${name}\`)`, middlewares: [name], service: 'noop@internal', ...more },
  ])
  return { http: { routers: Object.fromEntries(routers), middlewares } }
}

async function statuses(port: number, path: string, times: number): Promise<number[]> {
  const one = async (): Promise<number> => {
    const client = await connectRaw(port)
    client.send(requestText('GET', path, 'Connection: close\r\n'))
    const { status } = await client.readResponse()
    client.destroy()
    return status
  }
  return Promise.all(Array.from({ length: times }, one))
}

const count = (all: readonly number[], status: number): number =>
  all.filter((one) => one === status).length

async function decided(gateway: Gateway, decision: string, name: string): Promise<number> {
  const { body } = await gateway.admin('/metrics')
  const labels = [`decision="${decision}"`, `middleware="${name}@file"`]
  return metricSum(body, 'sluice_limit_decisions_total', ...labels)
}

async function answer(port: number, path: string, headers = '') {
  const client = await connectRaw(port)
  client.send(requestText('GET', path, headers))
  const response = await client.readResponse()
  client.destroy()
  return response
}

describe('limits of four workers', () => {
  let gateway: Gateway
  const burst = { average: 1, period: '1h', mode: 'reject' }

  beforeAll(async () => {
    gateway = await startGateway({
      workers: WORKERS,
      routes: routes({
        all: { rateLimit: { ...burst, burst: REQUESTS / 2 } },
        few: { rateLimit: { ...burst, burst: 7 } },
        headers: {
          rateLimit: { ...burst, burst: 1, standardHeaders: true, responseHeaders: true },
        },
        slow: { rateLimit: { average: 4, burst: 1 } },
        keyed: { rateLimit: { ...burst, sourceCriterion: { keys: ['header.X-Tenant'] } } },
        plugin: { plugin: { distributedRateLimit: { limit: 1, period: '1h', burst: 3 } } },
        month: { quota: { limit: 5, period: '720h' } },
      }),
    })
  })
  afterAll(() => gateway?.stop())

  test.skipIf(!hasH2load)(
    `let exactly the burst of ${REQUESTS} requests pass (skipped without h2load)`,
    { timeout: 30_000 + REQUESTS },
    async () => {
      const words = ['--h1', '-n', String(REQUESTS), '-c', '64', '-t', '2']
      const child = spawn('h2load', [...words, `http://127.0.0.1:${gateway.port}/all`])
      onTestFinished(() => void child.kill('SIGKILL'))
      let report = ''
      child.stdout.on('data', (bytes: Buffer) => (report += bytes.toString()))
      await new Promise((resolve) => child.once('close', resolve))
      expect(report).toMatch(new RegExp(`${REQUESTS} total.*, 0 errored`))
      const all = ['allowed', 'limited', 'uncounted']
      const counts = await Promise.all(all.map((decision) => decided(gateway, decision, 'all')))
      expect(counts.reduce((sum, one) => sum + one)).toBe(REQUESTS)
      // In less than an hour the rate gives nothing back.
      expect(counts[0]).toBe(REQUESTS / 2)
    },
  )

  // A worker that the system stops in the middle of a key's first request must not stop the others: what they can't count
  // meanwhile passes, and is told.
  async function expectPassed(path: string, times: number, limit: number): Promise<void> {
    const answers = await statuses(gateway.port, path, times)
    const uncounted = await decided(gateway, 'uncounted', path.slice(1))
    expect([count(answers, 418), count(answers, 429)]).toEqual([
      limit + uncounted,
      times - limit - uncounted,
    ])
  }

  test('hold over connections that the kernel gives to all of them', async () => {
    await expectPassed('/few', 60, 7)
    await expectPassed('/month', 40, 5)
    await expectPassed('/plugin', 30, 3)
  })

  test('are told in headers', async () => {
    const passed = await answer(gateway.port, '/headers')
    expect(passed.headers.get('ratelimit')).toBe('"headers@file";r=0;t=3600')
    expect(passed.headers.get('ratelimit-policy')).toBe('"headers@file";q=1;w=3600')
    expect(passed.headers.get('x-ratelimit-remaining')).toBe('0')
    const refused = await answer(gateway.port, '/headers')
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toMatch(/^3(?:600|59\d)$/)
    expect(refused.headers.get('x-retry-in')).toMatch(/^(?:59m|1h0m)/)
    expect(refused.headers.get('x-ratelimit-limit')).toBe('1')
    expect(refused.body).toContain('RATE_LIMITED')
  })

  test('let a request wait for its turn, and forget one whose client leaves', async () => {
    const metric = (decision: string): Promise<number> => decided(gateway, decision, 'slow')
    await answer(gateway.port, '/slow')
    // One asks until it is held and served; each that is refused comes back at once.
    await eventually('a request to be held and then served', async () => {
      const { status } = await answer(gateway.port, '/slow')
      return status !== 429 && (await metric('delayed')) > 0
    })
    const held = await metric('delayed')
    await eventually('another one to be held, whose client is gone', async () => {
      const client = await connectRaw(gateway.port)
      client.send(requestText('GET', '/slow'))
      await new Promise((resolve) => setImmediate(resolve))
      client.destroy()
      return (await metric('delayed')) > held
    })
    expect(gateway.stderr()).not.toContain('defect')
  })

  test('are counted for each key by itself', async () => {
    const asked = async (tenant: string) =>
      (await answer(gateway.port, '/keyed', `X-Tenant: ${tenant}\r\n`)).status === 429
    expect([await asked('a'), await asked('b'), await asked('a')]).toEqual([false, false, true])
  })

  test('go on counting over a reload that leaves them alone', async () => {
    const { body: before } = await gateway.admin('/metrics')
    const number = (page: string): number => metricSum(page, 'sluice_generation_number')
    gateway.writeRoutes(
      routes({
        few: { rateLimit: { ...burst, burst: 7 } },
        other: { headers: { customRequestHeaders: { 'X-A': 'b' } } },
      }),
    )
    await eventually('the next generation', async () => {
      const { body } = await gateway.admin('/metrics')
      return number(body) > number(before)
    })
    expect(count(await statuses(gateway.port, '/few', 20), 429)).toBe(20)
  })
})

describe('inFlightReq', () => {
  let origin: HttpOrigin
  const held: (() => void)[] = []

  beforeAll(async () => {
    origin = await startHttpOrigin((_request, response) => void held.push(() => response.end('ok')))
  })
  afterAll(() => origin.stop())

  const limited = (url: string): Keys => ({
    http: {
      routers: { all: { rule: 'PathPrefix(`/`)', middlewares: ['limit'], service: 's' } },
      middlewares: { limit: { inFlightReq: { amount: 5 } } },
      services: { s: { loadBalancer: { servers: [{ url }] } } },
    },
  })

  test('is exact over all workers, and what a dead worker had is free again', async () => {
    const running = await startSupervisor(2, limited(origin.url))
    onTestFinished(() => running.stop())
    const clients = await Promise.all(Array.from({ length: 30 }, () => connectRaw(running.port)))
    onTestFinished(() => clients.forEach((client) => client.destroy()))
    for (const client of clients) client.send(requestText())
    await eventually('five to be under way and the rest refused', () => {
      const refused = clients.filter((client) => client.received.includes('429')).length
      return held.length === 5 && refused === 25
    })
    const first = running.worker(0)
    const second = running.worker(1)
    first.end('ended by a test')
    second.end('ended by a test')
    await running.until(
      'both workers to be replaced',
      () =>
        [first, second].every((dead) => !running.supervisor.handles.includes(dead)) &&
        running.supervisor.handles.every((handle) => handle.listening && handle.adopted > 0),
    )
    held.length = 0
    const next = await Promise.all(Array.from({ length: 12 }, () => connectRaw(running.port)))
    onTestFinished(() => next.forEach((client) => client.destroy()))
    for (const client of next) client.send(requestText())
    await eventually('five of the next to be under way', () => {
      const refused = next.filter((client) => client.received.includes('429')).length
      return held.length === 5 && refused === 7
    })
    for (const end of held) end()
    await eventually('their answers', () =>
      next.every((client) => client.received.includes('HTTP')),
    )
  })
})
