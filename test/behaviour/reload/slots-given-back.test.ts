// Names in the shared table come and go by the thousand, as servers of Kubernetes do: what is gone makes room, what stays
// keeps its record, and no record changes hands while a request may still write to it.

import type { ServerResponse } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import type { LoadBalancerPlan } from '../../../config/generation.ts'
import { CELLS, SLOTS, SlotTable } from '../../../core/shared/slot-table.ts'
import { standingName } from '../../../workers/health/standing-name.ts'
import { type Gateway, type Keys, startGateway } from '../../support/gateway.ts'
import { metricSum } from '../../support/metrics.ts'
import { type HttpOrigin, startHttpOrigin } from '../../support/origin.ts'
import { connectRaw } from '../../support/raw-client.ts'
import { type TestSupervisor, startSupervisor } from '../../support/supervisor.ts'
import { eventually } from '../../support/wait.ts'

const opened: { stop(): Promise<void> }[] = []

afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one.stop()
})

async function serve(...given: Parameters<typeof startHttpOrigin>): Promise<HttpOrigin> {
  const origin = await startHttpOrigin(...given)
  opened.push(origin)
  return origin
}

// An hour: what is ejected stays so for as long as any test lasts.
const outlierDetection = {
  consecutive5xx: 1,
  baseEjectionTime: '1h',
  maxEjectionTime: '1h',
  maxEjectionPercent: 50,
}

function ejecting(urls: readonly string[]): Keys {
  return { loadBalancer: { servers: urls.map((url) => ({ url })), outlierDetection } }
}

// Servers that nobody asks, no two rounds with the same ones.
function pods(round: number, count: number): Keys {
  const urls = Array.from({ length: count }, (_, i) => `http://10.${round}.${i >> 8}.${i & 255}:80`)
  return ejecting(urls)
}

function routesOf(services: Keys): Keys {
  const routers = Object.keys(services).map((service) => [
    service,
    { rule: `Host(\`${service}.test\`)`, entryPoints: ['web'], service },
  ])
  return { http: { routers: Object.fromEntries(routers), services } }
}

// ---- a whole gateway

const ROUNDS = 12
const PODS = 2000 // and 12 rounds of them are more than the table has

async function metric(gateway: Gateway, name: string): Promise<number> {
  return metricSum((await gateway.admin('/metrics')).body, name)
}

// Served by all workers, and nothing older is in use.
async function reload(gateway: Gateway, services: Keys): Promise<void> {
  const before = await metric(gateway, 'sluice_generation_number')
  gateway.writeRoutes(routesOf(services))
  await eventually('the reload to be through', async () => {
    const { body } = await gateway.admin('/metrics')
    const number = metricSum(body, 'sluice_generation_number')
    return number > before && metricSum(body, 'sluice_generation_oldest') === number
  })
}

async function get(port: number, service: string): Promise<number> {
  const client = await connectRaw(port)
  client.send(`GET / HTTP/1.1\r\nHost: ${service}.test\r\n\r\n`)
  const { status } = await client.readResponse()
  client.destroy()
  return status
}

async function untilEjected(gateway: Gateway, service: string, url: string): Promise<void> {
  await eventually(`${url} of ${service} to be ejected`, async () => {
    await get(gateway.port, service)
    return await isEjected(gateway, service, url)
  })
}

async function isEjected(gateway: Gateway, service: string, url: string): Promise<boolean> {
  const { body } = await gateway.admin(`/api/http/services/${service}@file`)
  return (JSON.parse(body) as { serverStatus: Record<string, string> }).serverStatus[url] === 'DOWN'
}

test('After reloads with more names than the table has room for, new servers are ejected, and a kept one still is', async () => {
  const bad = await serve((_request, response) => response.writeHead(500).end())
  const worse = await serve((_request, response) => response.writeHead(500).end())
  const good = await serve((_request, response) => response.end())
  const kept = ejecting([bad.url, good.url])
  const gateway = await startGateway({ workers: 2, routes: routesOf({ kept }) })
  opened.push({ stop: () => gateway.stop() })
  await untilEjected(gateway, 'kept', bad.url)
  for (let round = 0; round < ROUNDS; round++)
    await reload(gateway, { kept, pods: pods(round, PODS) })
  await reload(gateway, { kept, pods: pods(ROUNDS, PODS), fresh: ejecting([worse.url, good.url]) })
  expect(ROUNDS * PODS).toBeGreaterThan(SLOTS)
  expect(await isEjected(gateway, 'kept', bad.url)).toBe(true)
  expect(await isEjected(gateway, 'fresh', worse.url)).toBe(false)
  await untilEjected(gateway, 'fresh', worse.url)
  for (let i = 0; i < 10; i++) expect(await get(gateway.port, 'kept')).toBe(200)
  expect(gateway.stderr()).not.toContain('is full')
  expect(await metric(gateway, 'sluice_shared_slots')).toBe(SLOTS)
  expect(await metric(gateway, 'sluice_shared_slots_used')).toBeLessThan(SLOTS / 2)
})

// ---- from inside: what the supervisor and its workers know

const MANY = SLOTS / 4 // so many are used that what is gone is given back

class Inside {
  readonly running: TestSupervisor
  readonly table: SlotTable
  private number = 1

  constructor(running: TestSupervisor) {
    this.running = running
    this.table = new SlotTable(running.supervisor.shared.states)
  }

  async publish(services: Keys): Promise<number> {
    const { supervisor } = this.running
    const number = ++this.number
    supervisor.publish(this.running.generationOf(routesOf(services), number))
    await this.running.until('it to be adopted', () => this.adoptedBy(number))
    return number
  }

  private adoptedBy(number: number): boolean {
    return this.running.supervisor.handles.every(({ adopted }) => adopted === number)
  }

  async untilOldest(number: number): Promise<void> {
    const { supervisor } = this.running
    await this.running.until('older ones to end', () => supervisor.oldestGeneration === number)
  }

  namesOf(service: string): string[] {
    const plan = this.running.supervisor.generation.services.get(`${service}@file`)
    return (plan as LoadBalancerPlan).servers.map(({ url }) =>
      standingName(plan as LoadBalancerPlan, url),
    )
  }

  has(name: string): boolean {
    return this.table.find(name) >= 0
  }

  warningsOf(number: number): number {
    return this.running.log.filter((line) => line.includes(`generation ${number} has no room`))
      .length
  }
}

async function startInside(workers: number, services: Keys): Promise<Inside> {
  const running = await startSupervisor(workers, routesOf(services))
  opened.push(running)
  return new Inside(running)
}

test('A request that is under way keeps the record of its server, though the server is gone', async () => {
  const held: ServerResponse[] = []
  const origin = await serve((_request, response) => held.push(response))
  const inside = await startInside(2, { slow: ejecting([origin.url]) })
  const [name = ''] = inside.namesOf('slow')
  const client = await connectRaw(inside.running.port)
  client.send('GET / HTTP/1.1\r\nHost: slow.test\r\n\r\n')
  await eventually('the request to be there', () => held.length === 1)
  for (let round = 0; round < 3; round++) await inside.publish({ pods: pods(round, MANY) })
  const last = await inside.publish({ pods: pods(3, 10) })
  expect(inside.running.supervisor.oldestGeneration).toBe(1)
  expect(inside.has(name)).toBe(true)
  expect(inside.table.used).toBe(1 + 3 * MANY + 10)
  held[0]!.writeHead(500).end()
  expect((await client.readResponse()).status).toBe(500)
  await inside.untilOldest(last)
  expect(inside.has(name)).toBe(false)
  expect(inside.table.used).toBe(10)
  client.destroy()
})

test('A worker that is replaced finds what was known, and holds nothing back for ever', async () => {
  const bad = await serve((_request, response) => response.writeHead(500).end())
  const good = await serve((_request, response) => response.end())
  const kept = ejecting([bad.url, good.url])
  const inside = await startInside(1, { kept })
  const { running, table } = inside
  const [name = ''] = inside.namesOf('kept')
  const until = (): number => table.numbers[table.find(name) * CELLS]!
  await eventually('it to be ejected', async () => {
    await get(running.port, 'kept')
    return until() > 0
  })
  const ejectedUntil = until()
  const before = running.worker(0)
  before.end('ended by a test')
  await running.until(
    'it to be replaced',
    () => running.worker(0) !== before && running.worker(0).listening,
  )
  const replacedAt = inside.running.supervisor.generation.number
  await inside.untilOldest(replacedAt)
  await inside.publish({ kept, pods: pods(0, MANY) })
  const last = await inside.publish({ kept })
  await inside.untilOldest(last)
  expect(table.used).toBe(2)
  expect(until()).toBe(ejectedUntil)
  for (let i = 0; i < 10; i++) expect(await get(running.port, 'kept')).toBe(200)
})

test('A full table is said once per generation, and what found no room has it after the next reload', async () => {
  const inside = await startInside(2, { some: pods(1, 1) })
  const full = await inside.publish({ pods: pods(2, SLOTS + 1000) })
  expect(inside.warningsOf(full)).toBe(1)
  const late = pods(3, 2000)
  const lacking = await inside.publish({ pods: pods(2, SLOTS + 1000), late })
  expect(inside.warningsOf(lacking)).toBe(1)
  const names = inside.namesOf('late')
  expect(names.every((name) => inside.has(name))).toBe(false)
  await inside.untilOldest(await inside.publish({ late }))
  const enough = await inside.publish({ late, other: pods(4, 1) })
  expect(inside.warningsOf(enough)).toBe(0)
  expect(names.every((name) => inside.has(name))).toBe(true)
})
