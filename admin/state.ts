// admin/state.ts: what the admin server asks of the supervisor, and nothing more.
//
// The supervisor implements AdminState; everything is asked for at the moment of a request, so nothing here
// has to be told of a change. Hot: no.

import type { RuntimeStatus } from '../config/generation.ts'
import type { stageNames } from '../core/overload/stages.ts'
import type { Problem } from '../config/problem.ts'
import type { SpiffeStatus } from '../config/spiffe.ts'
import type { RolloutStatus } from '../core/rollout/plan.ts'
import type { RolloutAction } from '../core/rollout/progress.ts'
import type { StaticConfig } from '../config/static.ts'
import type { PurgeResult, PurgeWish } from '../core/cache/contract.ts'
import type { MetricsPage } from './metrics/page.ts'

export interface WorkerRow {
  readonly index: number
  readonly state: 'starting' | 'serving' | 'draining' | 'gone'
  readonly generation: number // that it serves by
  readonly connections: number
  readonly inFlight: number
  readonly upstreamConnections: number
  readonly overload: (typeof stageNames)[number]
  readonly restarts: number // how often this place was filled again
}

// What an httpCache middleware holds.
export interface CacheRow {
  readonly name: string // 'static@file'
  readonly bytes: number
  readonly bytesMax: number
  readonly entries: number
  readonly redis: '' | 'answers' | 'away' // its second tier; '' without
}

export interface GenerationInfo {
  readonly number: number // published last; 0 before the first
  readonly convergenceMs: number // until every worker served by it
  readonly loadedAt: number // milliseconds since the epoch
}

// The last attempt to load a configuration, which may have been refused.
export interface LoadInfo {
  readonly succeeded: boolean
  readonly problems: readonly Problem[]
}

// A circuit breaker, which is one per router and middleware and the same for all workers.
export interface BreakerRow {
  readonly router: string // or the service that names the middleware
  readonly middleware: string
  readonly state: 'closed' | 'open' | 'recovering'
  readonly code: 0 | 1 | 2 // the same, as the metric shows it
  readonly opened: number // how often it has opened since the process began
}

export interface AdminState {
  readonly version: string
  readonly startedAt: number // milliseconds since the epoch
  readonly staticConfig: StaticConfig
  readonly providers: readonly string[] // names as users know them: 'File', 'Internal'
  readonly metrics: MetricsPage | null // null: metrics are off
  runtime(): RuntimeStatus // of the generation that is published
  generation(): GenerationInfo
  lastLoad(): LoadInfo
  workers(): readonly WorkerRow[]
  breakers(): readonly BreakerRow[]
  rollouts(): readonly RolloutStatus[]
  // null: there is none of this name. '' when it was done, else why not.
  steer(rollout: string, action: RolloutAction): string | null
  spiffe(): SpiffeStatus | null // null: no Workload API is configured
  caches(): readonly CacheRow[] // of the generation that is published
  // Resolves when no worker serves any of it.
  purge(wish: PurgeWish): Promise<PurgeResult>
  // Whether a server may be given requests; without health checks every one may.
  isUp(service: string, url: string): boolean
}
