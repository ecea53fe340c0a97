// admin/metrics/page.ts: the text that /metrics answers: counters of workers, the gateway's, the process's.
//
// Owner:  the supervisor. Hot: no, but bounded: 10,000 services are some 100,000 lines, so the page is made in
//         slices with a turn of the event loop between them, and whoever asks meanwhile gets the same page.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { stageNames } from '../../core/overload/stages.ts'
import { LOOP_DELAY_MAX_US, rowOf } from '../../core/shared/control.ts'
import {
  DURATION_SUM,
  LABELLED,
  REQUESTS,
  REQUEST_BYTES,
  RESPONSE_BYTES,
} from '../../core/shared/series.ts'
import type { CertificateStatus } from '../../config/generation.ts'
import type { BreakerRow, CacheRow, GenerationInfo, WorkerRow } from '../state.ts'
import { gatewayFacts, workerFacts } from './catalogue.ts'
import { certificateFacts } from './certificates.ts'
import { processRegistry } from './process.ts'
import { type Series, SeriesIndex, type WorkerSeries } from './series-index.ts'
import { headText, histogramText, labelText, sampleText } from './text.ts'

export interface MetricsSources {
  readonly control: Int32Array // the control block; read, and LOOP_DELAY_MAX_US of each row taken
  readonly buckets: readonly number[] // seconds
  workers(): readonly WorkerRow[]
  generation(): GenerationInfo
  reloads(): number // configurations that were taken over
  lastReloadAt(): number // milliseconds since the epoch; 0 before the first
  configErrors(): number // of the last load
  accessLogLost(): number
  spooledBytes(): number // in files of bodies, of all workers
  oldestGeneration(): number // that exchanges of some worker still use; 0: not all have one
  sharedSlots(): { readonly used: number; readonly slots: number }
  // Whether the published generation has it; series of others vanish.
  knows(kind: 'router' | 'service', name: string): boolean
  certificates(): readonly CertificateStatus[] // in use
  svidNotAfter(): number // milliseconds since the epoch; 0 without one
  breakers(): readonly BreakerRow[]
  // Servers that are checked; a server of two services is two.
  caches(): readonly CacheRow[]
  health(): readonly { service: string; address: string; up: boolean }[]
}

const SLICE = 1000 // lines or histograms between two turns: below 5 ms

export class MetricsPage {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE
  private readonly sources: MetricsSources
  private readonly index: SeriesIndex
  private readonly process = processRegistry()
  private rendering: Promise<string> | null = null

  constructor(sources: MetricsSources, index = new SeriesIndex()) {
    this.sources = sources
    this.index = index
  }

  // A worker begins to count in this memory, which is all zero. Its `series` messages go to add(); when
  // it has ended, end() keeps what it had counted.
  workerStarted(memory: SharedArrayBuffer): WorkerSeries {
    return this.index.workerStarted(memory)
  }

  render(): Promise<string> {
    this.rendering ??= this.make().finally(() => {
      this.rendering = null
    })
    return this.rendering
  }

  private async make(): Promise<string> {
    const all = this.index.all()
    let text = this.gateway()
    const families = Map.groupBy(all, (series) => series.family)
    for (const [family, members] of families) {
      for (const metric of metricsOf(family)) {
        // With headerLabels the same requests are counted by header as well, and shown once.
        if (metric.cell === REQUESTS && families.has(family + LABELLED)) continue
        text += await this.family(metric, members)
      }
    }
    text += (await this.process.metrics()).replaceAll('\n\n', '\n')
    this.index.forget((series) => this.isGone(series))
    return text
  }

  private async family(metric: ShownMetric, members: readonly Series[]): Promise<string> {
    const parts = [headText(metric)]
    for (let i = 0; i < members.length; i++) {
      parts.push(this.lines(metric, members[i]!))
      if (i % SLICE === SLICE - 1) await nextTurn()
    }
    return parts.join('')
  }

  private lines(metric: ShownMetric, series: Series): string {
    const { name, cell } = metric
    if (metric.type !== 'histogram') return sampleText(name, series.text, series.value(cell))
    const { buckets } = this.sources
    const counts = series.bucketValues(buckets.length)
    return histogramText(name, series.text, buckets, counts, series.value(DURATION_SUM))
  }

  private gateway(): string {
    const { sources } = this
    const rows = sources.workers()
    const generation = sources.generation()
    const shared = sources.sharedSlots()
    const values: Record<string, number> = {
      traefik_config_reloads_total: sources.reloads(),
      traefik_config_last_reload_success: Math.floor(sources.lastReloadAt() / 1000),
      sluice_generation_number: generation.number,
      sluice_generation_oldest: sources.oldestGeneration(),
      sluice_generation_convergence_seconds: generation.convergenceMs / 1000,
      sluice_config_errors: sources.configErrors(),
      sluice_spiffe_svid_not_after: Math.floor(sources.svidNotAfter() / 1000),
      sluice_workers: rows.filter((row) => row.state === 'serving').length,
      sluice_worker_restarts_total: sum(rows, (row) => row.restarts),
      sluice_in_flight: sum(rows, (row) => row.inFlight),
      sluice_upstream_connections: sum(rows, (row) => row.upstreamConnections),
      sluice_buffering_disk_bytes: sources.spooledBytes(),
      sluice_shared_slots: shared.slots,
      sluice_shared_slots_used: shared.used,
      sluice_access_log_lost_total: sources.accessLogLost(),
      sluice_series_overflow_total: this.index.overflow(),
    }
    return gatewayFacts
      .map((fact) => {
        const lines = fact.labels.includes('worker')
          ? this.ofWorkers(fact.name, rows)
          : fact.labels.includes('url')
            ? this.servers(fact.name)
            : fact.labels.includes('serial')
              ? this.certificates(fact.name)
              : fact.labels.includes('middleware')
                ? this.middlewares(fact.name)
                : sampleText(fact.name, '', values[fact.name]!)
        return headText(fact) + lines
      })
      .join('')
  }

  private certificates(name: string): string {
    return this.sources
      .certificates()
      .map(certificateFacts)
      .map(({ notAfter, ...labels }) => sampleText(name, labelText(labels), notAfter))
      .join('')
  }

  private middlewares(name: string): string {
    return name === 'sluice_breaker_state' ? this.breakers(name) : this.caches(name)
  }

  private breakers(name: string): string {
    return this.sources
      .breakers()
      .map(({ middleware, router, code }) =>
        sampleText(name, labelText({ middleware, router }), code),
      )
      .join('')
  }

  private caches(name: string): string {
    return this.sources
      .caches()
      .map(({ name: middleware, bytes, entries }) =>
        sampleText(
          name,
          labelText({ middleware }),
          name === 'sluice_cache_bytes' ? bytes : entries,
        ),
      )
      .join('')
  }

  private servers(name: string): string {
    return this.sources
      .health()
      .map(({ service, address, up }) =>
        sampleText(name, labelText({ service, url: address }), up ? 1 : 0),
      )
      .join('')
  }

  private ofWorkers(name: string, rows: readonly WorkerRow[]): string {
    if (name !== 'sluice_worker_overload_stage') return this.loopDelays(name, rows)
    return rows
      .map(({ index, overload }) =>
        sampleText(name, labelText({ worker: String(index) }), stageNames.indexOf(overload)),
      )
      .join('')
  }

  private loopDelays(name: string, rows: readonly WorkerRow[]): string {
    return rows
      .map(({ index }) => {
        const at = rowOf(index) + LOOP_DELAY_MAX_US
        const microseconds = Atomics.exchange(this.sources.control, at, 0)
        return sampleText(name, labelText({ worker: String(index) }), microseconds / 1e6)
      })
      .join('')
  }

  private isGone(series: Series): boolean {
    const { router, service } = series.labels
    if (router !== undefined) return !this.sources.knows('router', router)
    return service !== undefined && !this.sources.knows('service', service)
  }
}

interface ShownMetric {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly cell: number
}

const requestFamilies: ReadonlySet<string> = new Set(['entrypoint', 'router', 'service'])

// What is shown of a family that a worker has named.
function metricsOf(family: string): ShownMetric[] {
  if (family.endsWith(LABELLED)) return [shown(`traefik_${family}_total`, REQUESTS)]
  if (!requestFamilies.has(family)) {
    const name = family.startsWith('sluice_') ? family : `traefik_${family}`
    return [shown(name, REQUESTS)]
  }
  const name = `traefik_${family}_`
  return [
    shown(`${name}requests_total`, REQUESTS),
    shown(`${name}request_duration_seconds`, DURATION_SUM),
    shown(`${name}requests_bytes_total`, REQUEST_BYTES),
    shown(`${name}responses_bytes_total`, RESPONSE_BYTES),
  ]
}

function shown(name: string, cell: number): ShownMetric {
  const fact = workerFacts.find((candidate) => candidate.name === name)
  return { name, type: fact?.type ?? 'counter', help: fact?.help ?? 'Counted by workers.', cell }
}

function sum(rows: readonly WorkerRow[], of: (row: WorkerRow) => number): number {
  return rows.reduce((total, row) => total + of(row), 0)
}
