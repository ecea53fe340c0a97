// workers/live-generation.ts: a generation as a worker runs it.
//
// Owner:  the worker. Built beside the one that is served (generation-builder.ts) and adopted by one assignment
//         (context.ts). Exchanges in flight keep what they began with.
// Hot:    match() runs once per request. What did not change is shared with the generation before.

import type {
  Family,
  MiddlewarePlan,
  PlanMaps,
  RouterPlan,
  TransportPlan,
} from '../config/generation.ts'
import type { Exchange, Route } from '../core/exchange.ts'
import type { Middleware } from '../core/middleware/contract.ts'
import type { Matcher } from '../core/route/matcher.ts'
import { classNames } from '../core/overload/stages.ts'
import type { RequestSeries } from '../core/shared/series.ts'
import type { WorkerContext } from './context.ts'
import type { SlotsByHolder } from './held-slots.ts'
import type { LiveExchange } from './live-exchange.ts'
import type { LiveService, ServiceCell } from './live-service.ts'
import type { Stage } from './stages.ts'
import type { Entrance } from './tls/build.ts'
import type { LiveTls } from './tls/live-tls.ts'
import { type LiveTcpTable, type TcpParts, noTcpParts } from './tcp/table.ts'
import type { LiveUdpRouter, LiveUdpService } from './udp/service.ts'

export class LiveRouter implements Route, Stage {
  // What every request reads comes first: it lies in one cache line.
  readonly middlewares: readonly Middleware[] | null
  children: Matcher<LiveRouter> | null = null // set once, when its generation is complete
  readonly cell: ServiceCell | null // null for a parent
  readonly series: RequestSeries | null
  readonly counted: boolean
  readonly logged: boolean
  readonly hasResponse: boolean
  readonly hasFinish: boolean
  readonly priority: number // see core/overload/stages.ts
  readonly name: string
  readonly plan: RouterPlan

  constructor(
    plan: RouterPlan,
    middlewares: Middleware[],
    cell: ServiceCell | null,
    context: WorkerContext,
  ) {
    this.name = plan.name
    this.plan = plan
    this.priority = classNames.indexOf(plan.priorityClass)
    this.middlewares = middlewares.length > 0 ? middlewares : null
    this.hasResponse = middlewares.some((m) => m.hasResponse)
    this.hasFinish = middlewares.some((m) => m.hasFinish)
    this.cell = cell
    const { metrics } = context.plan
    const mayCount = !plan.internal || (metrics !== null && metrics.internals)
    this.counted = plan.metrics && mayCount
    this.logged = plan.accessLogs && (!plan.internal || context.plan.accessLog?.internals === true)
    const labels = { router: plan.name, service: plan.service }
    const series = this.counted && metrics !== null && metrics.routers
    this.series = series ? context.requestSeries('router', labels) : null
  }

  service(): LiveService | null {
    return this.cell === null ? null : this.cell.current
  }
}

// The families that are kept as they came; each protocol builds its live objects from them in buildProtocols.
export type ProtocolFamily = Exclude<Family, 'routers' | 'services' | 'middlewares' | 'transports'>
export type ProtocolPlans = { [F in ProtocolFamily]: PlanMaps[F] }

export class LiveGeneration implements ProtocolPlans {
  number = 0
  readonly routers = new Map<string, LiveRouter>()
  readonly childRouters = new Map<string, LiveRouter>() // those of `routers` that have parents
  readonly cells = new Map<string, ServiceCell>()
  readonly middlewares = new Map<string, MiddlewarePlan>()
  readonly transports = new Map<string, TransportPlan>()
  readonly slots: SlotsByHolder = new Map() // of those that have any
  slotsMissing = 0 // names that the table of shared states had no room for
  // Plans of the other protocols. A family that did not change is the very map of the generation before, so that
  // comparing two maps with === says whether anything must be built.
  tlsCertificates: PlanMaps['tlsCertificates'] = new Map()
  tlsOptions: PlanMaps['tlsOptions'] = new Map()
  tlsHosts: PlanMaps['tlsHosts'] = new Map()
  tlsDefaults: PlanMaps['tlsDefaults'] = new Map()
  challenges: PlanMaps['challenges'] = new Map()
  tcpTransports: PlanMaps['tcpTransports'] = new Map()
  tcpMiddlewares: PlanMaps['tcpMiddlewares'] = new Map()
  tcpServices: PlanMaps['tcpServices'] = new Map()
  tcpRouters: PlanMaps['tcpRouters'] = new Map()
  udpServices: PlanMaps['udpServices'] = new Map()
  udpRouters: PlanMaps['udpRouters'] = new Map()
  // By index of entry point: routers without TLS, and those with it.
  matchers: readonly Matcher<LiveRouter>[] = []
  secureMatchers: readonly Matcher<LiveRouter>[] = []
  tcp: readonly LiveTcpTable[] = [] // by index of entry point
  tcpParts: TcpParts = noTcpParts
  udp: readonly (LiveUdpRouter | null)[] = [] // by index of UDP entry point
  udpParts: ReadonlyMap<string, LiveUdpService> = new Map()
  tls: LiveTls | null = null // null in the empty generation only
  entrances: readonly (Entrance | null)[] = [] // by index of entry point
  // Applied by commit(): cells that get another service.
  readonly changedCells: { cell: ServiceCell; service: LiveService | null }[] = []

  match(exchange: LiveExchange): LiveRouter | null {
    const matchers = exchange.tls === null ? this.matchers : this.secureMatchers
    const matcher = matchers[exchange.point!.index]
    return matcher === undefined ? null : matcher.match(exchange as Exchange)
  }

  // Only for exchanges on TLS: the client has shown less, or other things, than this host asks for (421).
  isMisdirected(exchange: LiveExchange, router: LiveRouter | null): boolean {
    return this.tls!.isMisdirected(exchange, router === null ? '' : router.plan.tlsOptions)
  }

  service(name: string): LiveService | null {
    return this.cells.get(name)?.current ?? null
  }

  // From this turn on new exchanges are served by this generation.
  commit(): void {
    const before: LiveService[] = []
    for (const { cell, service } of this.changedCells) {
      if (cell.current !== null) before.push(cell.current)
      cell.current = service
    }
    for (const service of before) service.retire()
    this.changedCells.length = 0
  }

  // It was refused, or another came before it was adopted: its services let go of their servers.
  discard(): void {
    for (const { service } of this.changedCells) service?.retire()
    this.changedCells.length = 0
  }
}

export const emptyLiveGeneration = new LiveGeneration()
