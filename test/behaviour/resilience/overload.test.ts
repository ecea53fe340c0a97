// Overload in real workers: who is shed when a loop is blocked or memory runs out, and who never is.

import { afterEach, expect, test } from 'vitest'
import { type Keys, freePorts, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { startHttpOrigin } from '../../support/origin.ts'
import { type Response, connectRaw } from '../../support/raw-client.ts'
import { requestText } from '../../support/scene.ts'
import { type TestSupervisor, startSupervisor } from '../../support/supervisor.ts'
import { eventually } from '../../support/wait.ts'

const stops: (() => unknown)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

async function originUrl(): Promise<string> {
  const origin = await startHttpOrigin((_request, response) => response.end('good'))
  stops.push(() => origin.stop())
  return origin.url
}

function routesOfClasses(url: string): Keys {
  const classes = ['low', 'normal', 'high', 'critical']
  const router = (name: string) => ({
    rule: `Path(\`/${name}\`)`,
    service: 'origin',
    priorityClass: name,
  })
  return {
    http: {
      routers: {
        ...Object.fromEntries(classes.map((name) => [name, router(name)])),
        ping: { rule: 'Path(`/own-ping`)', service: 'ping@internal' },
      },
      services: { origin: { loadBalancer: { servers: [{ url }] } } },
    },
  }
}

async function ask(port: number, path: string): Promise<Response> {
  const client = await connectRaw(port)
  const answer = await client.send(requestText('GET', path, 'Connection: close\r\n')).readResponse()
  client.destroy()
  return answer
}

async function statuses(port: number): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const name of ['low', 'normal', 'high', 'critical', 'own-ping'])
    found[name] = (await ask(port, `/${name}`)).status
  return found
}

interface Blocked {
  readonly started: TestSupervisor
  readonly shop: number // a second entry point
  letGo(): void
}

// One worker whose loop is blocked again and again, until it is let go.
async function blocked(overload: Keys): Promise<Blocked> {
  const [shop = 0] = await freePorts(1)
  const started = await startSupervisor(
    1,
    routesOfClasses(await originUrl()),
    'complete',
    { shop: { address: `127.0.0.1:${shop}` } },
    { overload, ping: { entryPoint: 'web', manualRouting: true } },
  )
  stops.push(() => started.stop())
  const timer = setInterval(() => started.worker(0).post({ type: 'block', ms: 60 }), 80)
  const letGo = (): void => clearInterval(timer)
  stops.push(letGo)
  return { started, shop, letGo }
}

const stagesAt = (shedLow: string, shedNormal: string, refuseConnections: string): Keys => ({
  turnTarget: '10s',
  loop: { shedLow, shedNormal, refuseConnections },
})

test('class low is shed first, with Retry-After, and served again when the loop is free', async () => {
  const { started, letGo } = await blocked(stagesAt('8ms', '100s', '100s'))
  await eventually(
    'class low to be shed',
    async () => (await ask(started.port, '/low')).status === 503,
  )
  const answer = await ask(started.port, '/low')
  expect([answer.body, answer.headers.get('retry-after')]).toEqual([
    'Service Unavailable (SHED_PRIORITY)\n',
    '1',
  ])
  expect(await statuses(started.port)).toEqual({
    low: 503,
    normal: 200,
    high: 200,
    critical: 200,
    'own-ping': 200,
  })
  const page = await started.metrics()
  expect(metricSum(page, 'sluice_worker_overload_stage', 'worker="0"')).toBe(2)
  expect(
    metricSum(page, 'sluice_shed_requests_total', 'class="low"', 'stage="shed-low"'),
  ).toBeGreaterThan(0)
  letGo()
  await eventually(
    'class low to be served',
    async () => (await ask(started.port, '/low')).status === 200,
  )
  expect(started.log.join('\n')).toMatch(/overload: stage shed-low after calm/)
})

test('then class normal; high, critical and services of the gateway itself are always served', async () => {
  const { started } = await blocked(stagesAt('4ms', '8ms', '100s'))
  await eventually(
    'class normal to be shed',
    async () => (await ask(started.port, '/normal')).status === 503,
  )
  expect(await statuses(started.port)).toEqual({
    low: 503,
    normal: 503,
    high: 200,
    critical: 200,
    'own-ping': 200,
  })
})

test('at the last stage new connections are closed, but on the entry point of metrics', async () => {
  const { started, shop, letGo } = await blocked(stagesAt('2ms', '4ms', '8ms'))
  const refused = async (): Promise<boolean> => {
    const client = await connectRaw(shop)
    const answer = await client.readResponse(false, 300).catch(() => null) // without having asked
    client.destroy()
    return answer !== null && answer.status === 503
  }
  await eventually('connections to be refused', refused)
  expect((await ask(started.port, '/own-ping')).status).toBe(200)
  letGo()
  await eventually('connections to be taken', async () => !(await refused()))
})

test('by memory: connections end after their exchange first, then classes are shed', async () => {
  const memory = (shedLow: number) => ({
    closeConnections: 1,
    shedLow,
    shedNormal: 1000,
    refuseConnections: 1000,
  })
  for (const shedLow of [1, 1000]) {
    const gateway = await startGateway({
      routes: routesOfClasses(await originUrl()),
      static: { overload: { memoryLimit: '64MiB', memory: memory(shedLow) } },
    })
    stops.push(() => gateway.stop())
    await gateway.untilStderr('overload: memory stage')
    await eventually('connections to end after their exchange', async () => {
      const client = await connectRaw(gateway.port)
      const answer = await client.send(requestText('GET', '/normal')).readResponse()
      client.destroy()
      return answer.status === 200 && answer.headers.get('connection') === 'close'
    })
    expect((await ask(gateway.port, '/low')).status).toBe(shedLow === 1 ? 503 : 200)
    expect((await ask(gateway.adminPort, '/ping')).status).toBe(200)
  }
})
