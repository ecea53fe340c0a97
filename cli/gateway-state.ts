// cli/gateway-state.ts: the answers to what the admin server asks, read from supervisor and configuration.

import { MetricsPage, type MetricsSources } from '../admin/metrics/page.ts'
import type { SeriesIndex } from '../admin/metrics/series-index.ts'
import type {
  AdminState,
  BreakerRow,
  CacheRow,
  GenerationInfo,
  LoadInfo,
  WorkerRow,
} from '../admin/state.ts'
import type { Generation, RuntimeStatus } from '../config/generation.ts'
import type { SpiffeStatus } from '../config/spiffe.ts'
import type { StaticConfig } from '../config/static.ts'
import type { PurgeResult, PurgeWish } from '../core/cache/contract.ts'
import type { HttpCacheOptions } from '../core/middleware/http/http-cache.ts'
import {
  CONNECTIONS,
  IN_FLIGHT,
  OVERLOAD_STAGE,
  UPSTREAM_CONNECTIONS,
  rowOf,
} from '../core/shared/control.ts'
import { stageNames } from '../core/overload/stages.ts'
import { spooledBytes } from '../core/shared/spool-budget.ts'
import { SlotTable } from '../core/shared/slot-table.ts'
import { readGauge } from '../workers/cache/gauges.ts'
import type { HealthOverview } from '../workers/health/overview.ts'
import type { RolloutStatus } from '../core/rollout/plan.ts'
import type { Rollouts } from '../workers/rollouts.ts'
import type { RolloutAction } from '../core/rollout/progress.ts'
import type { Supervisor } from '../workers/supervisor.ts'
import { breakersOf } from './breakers.ts'
import type { Configuration } from './configuration.ts'

type Health = Pick<HealthOverview, 'isUp' | 'states'>

export class GatewayState implements AdminState {
  readonly version: string
  readonly startedAt = Date.now()
  readonly staticConfig: StaticConfig
  readonly metrics: MetricsPage | null
  private readonly supervisor: Supervisor
  private readonly states: SlotTable // what workers share
  private readonly configuration: Configuration
  private readonly health: Health
  private readonly ownRollouts: Rollouts
  private readonly accessLogLost: () => number

  constructor(
    config: StaticConfig,
    version: string,
    supervisor: Supervisor,
    configuration: Configuration,
    health: Health,
    rollouts: Rollouts,
    accessLogLost: () => number,
    series: SeriesIndex | null,
  ) {
    this.staticConfig = config
    this.version = version
    this.accessLogLost = accessLogLost
    this.supervisor = supervisor
    this.states = new SlotTable(supervisor.shared.states)
    this.configuration = configuration
    this.health = health
    this.ownRollouts = rollouts
    this.metrics = this.metricsPage(series)
  }

  private metricsPage(series: SeriesIndex | null): MetricsPage | null {
    const prometheus = this.staticConfig.metrics?.prometheus
    if (!prometheus || series === null) return null
    const { supervisor, configuration } = this
    const sources: MetricsSources = {
      control: supervisor.control,
      buckets: prometheus.buckets,
      workers: () => this.workers(),
      generation: () => this.generation(),
      reloads: () => configuration.reloads,
      lastReloadAt: () => configuration.lastSuccessAt * 1000,
      configErrors: () => configuration.errors,
      spooledBytes: () => spooledBytes(supervisor.shared.spool),
      oldestGeneration: () => supervisor.oldestGeneration,
      sharedSlots: () => this.states,
      accessLogLost: () => this.accessLogLost(),
      knows: (kind, name) =>
        configuration.knows(kind, name) || knowsProtocol(supervisor.generation, kind, name),
      caches: () => this.caches(),
      health: () => this.health.states,
      breakers: () => this.breakers(),
      certificates: () => configuration.status.certificates,
      svidNotAfter: () => configuration.svid?.status.notAfter ?? 0,
    }
    return new MetricsPage(sources, series)
  }

  rollouts(): readonly RolloutStatus[] {
    return this.ownRollouts.statuses
  }

  steer(rollout: string, action: RolloutAction): string | null {
    return this.ownRollouts.act(rollout, action)
  }

  get providers(): readonly string[] {
    return this.configuration.providers
  }

  runtime(): RuntimeStatus {
    return this.configuration.status
  }

  generation(): GenerationInfo {
    const { generation, convergenceMs } = this.supervisor
    const loadedAt = this.configuration.lastSuccessAt * 1000
    return { number: generation.number, convergenceMs, loadedAt }
  }

  breakers(): readonly BreakerRow[] {
    return breakersOf(this.supervisor.generation, this.states)
  }

  spiffe(): SpiffeStatus | null {
    return this.configuration.svid?.status ?? null
  }

  lastLoad(): LoadInfo {
    const { problems, lastFailedAt, lastSuccessAt } = this.configuration
    return { succeeded: lastFailedAt <= lastSuccessAt, problems }
  }

  workers(): readonly WorkerRow[] {
    const { control, handles } = this.supervisor
    return handles.map((handle) => {
      const row = rowOf(handle.index)
      return {
        index: handle.index,
        state: !handle.isAlive ? 'gone' : handle.listening ? 'serving' : 'starting',
        generation: handle.adopted,
        connections: control[row + CONNECTIONS]!,
        inFlight: control[row + IN_FLIGHT]!,
        upstreamConnections: control[row + UPSTREAM_CONNECTIONS]!,
        overload: stageNames[control[row + OVERLOAD_STAGE]!] ?? 'calm',
        restarts: handle.restarts,
      }
    })
  }

  caches(): readonly CacheRow[] {
    const { generation, handles } = this.supervisor
    const { states } = this
    return [...generation.middlewares.values()]
      .filter(({ kind }) => kind === 'httpCache')
      .map(({ name, options }) => {
        const { store } = options as HttpCacheOptions
        const { away, ...held } = readGauge(states, name, handles.length)
        const redis = store.redis === null ? '' : away ? 'away' : 'answers'
        return { name, ...held, bytesMax: store.memory.limit, redis }
      })
  }

  purge(wish: PurgeWish): Promise<PurgeResult> {
    return new Promise((resolve) => this.supervisor.caches.purge(wish, resolve))
  }

  isUp(service: string, url: string): boolean {
    return this.health.isUp(service, url)
  }
}

// Counts of TCP and UDP have the same labels as those of HTTP.
function knowsProtocol(generation: Generation, kind: 'router' | 'service', name: string): boolean {
  const { tcpRouters, udpRouters, tcpServices, udpServices } = generation
  if (kind === 'router') return tcpRouters.has(name) || udpRouters.has(name)
  return tcpServices.has(name) || udpServices.has(name)
}
