import { expect, test } from 'vitest'
import { gatewayFacts, processFacts, workerFacts } from '../../admin/metrics/catalogue.ts'
import { MetricsPage, type MetricsSources } from '../../admin/metrics/page.ts'
import type { WorkerSeries } from '../../admin/metrics/series-index.ts'
import type { WorkerRow } from '../../admin/state.ts'
import { LOOP_DELAY_MAX_US, controlBytes, rowOf } from '../../core/shared/control.ts'
import {
  REQUESTS,
  RequestSeries,
  SERIES_BYTES,
  SERIES_MAX,
  SeriesTable,
} from '../../core/shared/series.ts'
import { METHOD_GET, METHOD_OTHER, METHOD_POST, methodNames } from '../../core/exchange.ts'
import { TestAuthority } from '../support/certificates.ts'

const buckets = [0.1, 0.3, 1.2, 5]

function row(index: number, more: Partial<WorkerRow> = {}): WorkerRow {
  const idle = { overload: 'calm' as const, connections: 0, inFlight: 0, upstreamConnections: 0 }
  return { index, state: 'serving', generation: 1, restarts: 0, ...idle, ...more }
}

function pageOf(more: Partial<MetricsSources> = {}): MetricsPage {
  return new MetricsPage({
    control: new Int32Array(new SharedArrayBuffer(controlBytes(4))),
    buckets,
    workers: () => [row(0)],
    generation: () => ({ number: 4, convergenceMs: 250, loadedAt: 0 }),
    reloads: () => 4,
    lastReloadAt: () => 1_700_000_000_900,
    configErrors: () => 2,
    accessLogLost: () => 9,
    spooledBytes: () => 0,
    oldestGeneration: () => 1,
    sharedSlots: () => ({ slots: 16_384, used: 5 }),
    knows: () => true,
    caches: () => [
      { name: 'static@file', bytes: 100, bytesMax: 1000, entries: 3, redis: '' as const },
    ],
    health: () => [],
    certificates: () => [],
    svidNotAfter: () => 0,
    breakers: () => [],
    ...more,
  })
}

interface Counting {
  readonly table: SeriesTable
  readonly worker: WorkerSeries
  series(family: string, labels: Record<string, string>): RequestSeries
}

// A worker that counts as workers do.
function startWorker(page: MetricsPage): Counting {
  const memory = new SharedArrayBuffer(SERIES_BYTES)
  const worker = page.workerStarted(memory)
  const table = new SeriesTable(memory, (block, labels) => worker.add(block, labels))
  return {
    table,
    worker,
    series: (family, labels) => new RequestSeries(table, family, labels, buckets, methodNames),
  }
}

// The value of a sample, by its whole name with labels.
function sample(text: string, name: string): number | null {
  const line = text.split('\n').find((each) => each.startsWith(name + ' '))
  return line === undefined ? null : Number(line.slice(name.length + 1))
}

const webGet = 'code="200",entrypoint="web",method="GET",protocol="http"'

test('requests of two workers are summed, with the labels of Traefik', async () => {
  const page = pageOf()
  const first = startWorker(page).series('entrypoint', { entrypoint: 'web' })
  const second = startWorker(page).series('entrypoint', { entrypoint: 'web' })
  first.count(METHOD_GET, 200, 0.05, 10, 100)
  first.count(METHOD_GET, 200, 0.1, 10, 100)
  second.count(METHOD_GET, 200, 2, 5, 50)
  second.count(METHOD_GET, 200, 60, 5, 50)
  second.count(METHOD_POST, 500, 0.2, 1, 2)
  second.count(METHOD_OTHER, 200, 0.2, 1, 2)
  const text = await page.render()
  expect(sample(text, `traefik_entrypoint_requests_total{${webGet}}`)).toBe(4)
  expect(sample(text, `traefik_entrypoint_requests_bytes_total{${webGet}}`)).toBe(30)
  expect(sample(text, `traefik_entrypoint_responses_bytes_total{${webGet}}`)).toBe(300)
  expect(text).toContain('code="500",entrypoint="web",method="POST",protocol="http"} 1\n')
  expect(text).toContain('method="EXTENSION_METHOD"')
  const bucket = (le: string) =>
    sample(text, `traefik_entrypoint_request_duration_seconds_bucket{${webGet},le="${le}"}`)
  expect(['0.1', '0.3', '1.2', '5', '+Inf'].map(bucket)).toEqual([2, 2, 2, 3, 4])
  expect(sample(text, `traefik_entrypoint_request_duration_seconds_count{${webGet}}`)).toBe(4)
  expect(sample(text, `traefik_entrypoint_request_duration_seconds_sum{${webGet}}`)).toBeCloseTo(
    62.15,
  )
})

test('a counter never goes down when a worker is replaced, a gauge of it ends', async () => {
  const page = pageOf()
  const first = startWorker(page)
  const labels = { entrypoint: 'web', protocol: 'TCP' }
  const open = first.table.give({ family: 'open_connections', labels })
  first.table.add(open, REQUESTS, 7)
  first.series('service', { service: 'a@file' }).count(METHOD_GET, 200, 0.2, 3, 4)
  first.worker.end()
  first.worker.end()
  const second = startWorker(page)
  second.series('service', { service: 'a@file' }).count(METHOD_GET, 200, 0.2, 3, 4)
  const again = second.table.give({ family: 'open_connections', labels })
  second.table.add(again, REQUESTS, 2)
  const text = await page.render()
  const names = 'code="200",method="GET",protocol="http",service="a@file"'
  expect(sample(text, `traefik_service_requests_total{${names}}`)).toBe(2)
  expect(sample(text, `traefik_service_request_duration_seconds_count{${names}}`)).toBe(2)
  expect(sample(text, 'traefik_open_connections{entrypoint="web",protocol="TCP"}')).toBe(2)
})

test('a series that is told after its worker has ended is counted too', async () => {
  const page = pageOf()
  const { worker } = startWorker(page)
  worker.cells[16] = 3
  worker.end()
  worker.add(1, { family: 'sluice_errors_total', labels: { code: 'NO_ROUTER' } })
  expect(sample(await page.render(), 'sluice_errors_total{code="NO_ROUTER"}')).toBe(3)
})

test('series of routers and services that are gone vanish after one scrape', async () => {
  let there = true
  const page = pageOf({ knows: (_kind, name) => there || name === 'b@file' })
  const worker = startWorker(page)
  const ofRouter = { router: 'a@file', service: 'b@file' }
  worker.series('router', ofRouter).count(METHOD_GET, 200, 1, 0, 0)
  worker.series('service', { service: 'a@file' }).count(METHOD_GET, 200, 1, 0, 0)
  worker.series('service', { service: 'b@file' }).count(METHOD_GET, 200, 1, 0, 0)
  const retries = { family: 'service_retries_total', labels: { service: 'a@file' } }
  worker.table.add(worker.table.give(retries), REQUESTS, 1)
  expect(await page.render()).toContain('traefik_service_retries_total{service="a@file"} 1\n')
  there = false
  expect(await page.render()).toContain('router="a@file"')
  const text = await page.render()
  expect(text).not.toContain('a@file')
  expect(text).toContain('service="b@file"')
})

test('label values are escaped', async () => {
  const page = pageOf()
  const name = 'a"b\\c\nd@file'
  startWorker(page).series('service', { service: name }).count(METHOD_GET, 200, 1, 0, 0)
  expect(await page.render()).toContain('service="a\\"b\\\\c\\nd@file"}')
})

test('the gateway says what it is doing, and the longest turn once', async () => {
  const control = new Int32Array(new SharedArrayBuffer(controlBytes(4)))
  control[rowOf(1) + LOOP_DELAY_MAX_US] = 12_500
  const rows = [
    row(0, { inFlight: 2, upstreamConnections: 3, restarts: 1 }),
    row(1, { inFlight: 1, upstreamConnections: 4 }),
    row(2, { state: 'gone', restarts: 4 }),
  ]
  const page = pageOf({ control, workers: () => rows })
  const text = await page.render()
  expect(sample(text, 'traefik_config_reloads_total')).toBe(4)
  expect(sample(text, 'traefik_config_last_reload_success')).toBe(1_700_000_000)
  expect(sample(text, 'sluice_generation_number')).toBe(4)
  expect(sample(text, 'sluice_generation_convergence_seconds')).toBe(0.25)
  expect(sample(text, 'sluice_config_errors')).toBe(2)
  expect(sample(text, 'sluice_workers')).toBe(2)
  expect(sample(text, 'sluice_worker_restarts_total')).toBe(5)
  expect(sample(text, 'sluice_in_flight')).toBe(3)
  expect(sample(text, 'sluice_upstream_connections')).toBe(7)
  expect(sample(text, 'sluice_access_log_lost_total')).toBe(9)
  const delay = 'sluice_worker_event_loop_delay_max_seconds{worker="1"}'
  expect(sample(text, delay)).toBe(0.0125)
  expect(sample(await page.render(), delay)).toBe(0)
})

test('what a worker has no more room for is counted without labels', async () => {
  const page = pageOf()
  const { table, series } = startWorker(page)
  for (let i = 1; i < SERIES_MAX; i++) table.give({ family: 'sluice_x', labels: { i: String(i) } })
  series('service', { service: 'late@file' }).count(METHOD_GET, 200, 1, 0, 0)
  expect(sample(await page.render(), 'sluice_series_overflow_total')).toBe(1)
})

test('the process tells its memory, time and files', async () => {
  const text = await pageOf().render()
  expect(sample(text, 'process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
  expect(sample(text, 'process_cpu_seconds_total')).toBeGreaterThan(0)
  expect(sample(text, 'process_open_fds')).toBeGreaterThan(3)
  expect(sample(text, 'process_max_fds')).toBeGreaterThan(100)
  expect(text).toContain(`nodejs_version_info{version="${process.version}"} 1\n`)
})

test('every line is legal, every family has one head, and every name is in the catalogue', async () => {
  const authority = new TestAuthority()
  const { certPem } = authority.root
  authority.remove()
  const page = pageOf({
    health: () => [{ service: 's', address: '10.0.0.7:1', up: true }],
    breakers: () => [{ router: 'r', middleware: 'm', state: 'open', code: 1, opened: 1 }],
    certificates: () => [{ id: 'root', certPem, isDefault: false, issued: false }],
  })
  const worker = startWorker(page)
  for (const series of [
    worker.series('entrypoint', { entrypoint: 'web' }),
    worker.series('router', { router: 'r', service: 's' }),
    worker.series('service', { service: 's' }),
  ]) {
    series.count(METHOD_GET, 200, 1, 0, 0)
    series.countTls('TLSv1.3', 'TLS_AES_128_GCM_SHA256')
  }
  worker.table.give({ family: 'open_connections', labels: { entrypoint: 'web', protocol: 'TCP' } })
  worker.table.give({ family: 'service_retries_total', labels: { service: 's' } })
  for (const { name, labels } of workerFacts.filter((f) => f.name.startsWith('sluice_')))
    worker.table.give({ family: name, labels: Object.fromEntries(labels.map((l) => [l, 'x'])) })
  const text = await page.render()
  const LINE =
    /^(?:# (?:HELP \w+ .+|TYPE \w+ (?:counter|gauge|histogram))|\w+(?:\{(?:\w+="(?:[^"\\]|\\.)*",?)+\})? [\d.e+-]+)$/
  for (const line of text.trimEnd().split('\n')) expect(line).toMatch(LINE)
  const heads = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map((m) => `${m[1]} ${m[2]}`)
  expect(new Set(heads).size).toBe(heads.length)
  const facts = [...workerFacts, ...gatewayFacts, ...processFacts]
  expect(heads.sort()).toEqual(facts.map((f) => `${f.name} ${f.type}`).sort())
  for (const { name, type, labels } of facts) {
    const shown = type === 'histogram' ? name + '_sum' : name
    const found = new RegExp(`^${shown}(?:\\{(.*)\\})? `, 'm').exec(text)
    const names = [...(found![1] ?? '').matchAll(/(\w+)="/g)].map((m) => m[1])
    expect(names, name).toEqual(labels)
  }
})

test('a page of 10,000 services does not hold up the supervisor', async () => {
  const page = pageOf()
  const worker = startWorker(page)
  for (let i = 0; i < 10_000; i++) {
    worker.series('service', { service: `service-${i}@file` }).count(METHOD_GET, 200, 1, 0, 0)
  }
  await page.render() // compiled
  let turns = 0
  let rendering = true
  const turn = (): void => {
    turns++
    if (rendering) setImmediate(turn)
  }
  setImmediate(turn)
  const [text, same] = await Promise.all([page.render(), page.render()])
  rendering = false
  expect(same).toBe(text)
  expect(text.split('\n').length).toBeGreaterThan(100_000)
  expect(turns).toBeGreaterThan(30) // others have their turn while it is made
})
