// workers/live-service.ts: a service as a worker runs it: which server gets the next exchange.
//
// Owner:  the live generation; its Servers live in the registry and outlive it.
// Hot:    pick and readdress.
//
// Routers do not point at a service but at its cell, so that a changed list of servers replaces one
// object and rebuilds no route. An exchange keeps the service that it was given.

import type { ServicePlan, TransportPlan } from '../config/generation.ts'
import type { Balancer } from '../core/balance/contract.ts'
import { RolloutWatch } from '../core/balance/rollout.ts'
import { stuckTo } from '../core/balance/sticky.ts'
import type { ServiceState } from '../core/balance/weighted.ts'
import { REQUESTS, type RequestSeries } from '../core/shared/series.ts'
import type { WorkerContext } from './context.ts'
import type { FailoverRule } from './failover.ts'
import { internalAnswers } from './internal.ts'
import type { LiveExchange } from './live-exchange.ts'
import { type ServiceParts, partsOf } from './service-parts.ts'
import type { ServiceWatch } from './service-watch.ts'
import type { Stage } from './stages.ts'
import type { Middleware } from '../core/middleware/contract.ts'
import type { Server } from './upstream/server.ts'

export class ServiceCell {
  readonly name: string
  current: LiveService | null = null

  constructor(name: string) {
    this.name = name
  }
}

export class LiveService {
  readonly name: string
  readonly plan: ServicePlan
  readonly internal: ((exchange: LiveExchange, context: WorkerContext) => void) | null
  readonly servers: readonly Server[]
  readonly state: ServiceState
  readonly series: RequestSeries | null
  readonly failover: FailoverRule | null // null: health alone decides
  readonly stage: Stage | null // its own middlewares; null when it has none
  readonly watch: ServiceWatch | null // null: it learns nothing from answers
  private readonly balancer: Balancer
  private readonly parts: ServiceParts
  private readonly context: WorkerContext
  private readonly children: readonly ServiceCell[] | null
  readonly passHostHeader: boolean
  private readonly preserves: readonly boolean[] | null // null: no server keeps its path
  private retryBlock = 0
  private awaitedBlock = 0

  constructor(
    plan: ServicePlan,
    context: WorkerContext,
    transportOf: (name: string) => TransportPlan,
    cellOf: (name: string) => ServiceCell,
    middlewares: readonly Middleware[],
  ) {
    this.name = plan.name
    this.plan = plan
    this.internal = plan.kind === 'internal' ? (internalAnswers.get(plan.name) ?? null) : null
    const children = childrenOf(plan)
    this.children = children === null ? null : children.map(cellOf)
    this.failover = failoverOf(plan, this.children, context)
    this.servers = serversOf(plan, context, transportOf)
    const rollout = middlewares.find((one) => one instanceof RolloutWatch) ?? null
    this.parts = partsOf(plan, this.servers, this.children, context, rollout)
    this.balancer = this.parts.balancer
    this.state = this.parts.state
    this.watch = this.parts.watch
    this.context = context
    this.passHostHeader = plan.kind !== 'loadBalancer' || plan.passHostHeader
    const keeps = plan.kind === 'loadBalancer' && plan.servers.some((s) => s.preservePath)
    this.preserves = keeps ? plan.servers.map((s) => s.preservePath) : null
    this.series = seriesOf(plan, context)
    this.stage = middlewares.length > 0 ? new ServiceStage(this, middlewares) : null
    // From here on, and not from its adoption: what the service before it held stays open for it.
    for (const server of this.servers) server.users++
  }

  get isComposite(): boolean {
    return this.children !== null
  }

  // The child of a composite service that takes this exchange; null when none can.
  pickChild(exchange: LiveExchange): LiveService | null {
    const index = this.balancer.pick(exchange, -1)
    return index < 0 ? null : this.children![index]!.current
  }

  // The server for this exchange; null when none can be used.
  pick(exchange: LiveExchange): Server | null {
    exchange.serviceName = this.name
    exchange.countedBy = this.series
    let index = this.balancer.pick(exchange, exchange.triedServer)
    if (exchange.tried !== null) index = this.untried(exchange, exchange.tried, index)
    if (index < 0 && exchange.triedServer >= 0) index = this.balancer.pick(exchange, -1)
    if (index < 0) return null
    exchange.triedServer = index
    return this.servers[index]!
  }

  // The server that the balancer has chosen, unless it was asked already and one is up that was not.
  private untried(exchange: LiveExchange, tried: readonly number[], chosen: number): number {
    if (!tried.includes(chosen)) return chosen
    const { states, weights, sticky } = this.parts
    for (let i = 1; i < states.length; i++) {
      const at = (chosen + i) % states.length
      if (!states[at]!.up || weights[at]! === 0 || tried.includes(at)) continue
      if (sticky !== null) exchange.stuck = stuckTo(exchange.stuck, sticky, at)
      return at
    }
    return chosen
  }

  // What the server shall see as Host and path.
  readdress(exchange: LiveExchange, server: Server): void {
    if (!this.passHostHeader) exchange.forwardHost = server.address.authority
    if (this.preserves === null || !this.preserves[exchange.triedServer]!) return
    if (exchange.plainPath === '') exchange.plainPath = exchange.path
    exchange.path = server.address.prefix + exchange.plainPath
    exchange.pathChanged = true
  }

  countRetry(context: WorkerContext): void {
    if (this.retryBlock === 0) this.retryBlock = this.blockOf('service_retries_total', context)
    context.series.add(this.retryBlock, REQUESTS, 1)
  }

  // A request whose body is waited for before a server is asked (body-ahead.ts).
  countAwaited(context: WorkerContext): void {
    const family = 'sluice_awaited_bodies_total'
    if (this.awaitedBlock === 0) this.awaitedBlock = this.blockOf(family, context)
    context.series.add(this.awaitedBlock, REQUESTS, 1)
  }

  private blockOf(family: string, context: WorkerContext): number {
    return context.series.give({ family, labels: { service: this.name } })
  }

  // Once, when another has taken its place, or when its generation was never adopted.
  retire(): void {
    for (const server of this.servers) if (--server.users === 0) server.retire()
    for (const key of this.parts.healthKeys) this.context.health.release(key)
  }
}

class ServiceStage implements Stage {
  readonly middlewares: readonly Middleware[]
  readonly hasResponse: boolean
  readonly hasFinish: boolean
  readonly children = null
  private readonly behind: LiveService

  constructor(behind: LiveService, middlewares: readonly Middleware[]) {
    this.behind = behind
    this.middlewares = middlewares
    this.hasResponse = middlewares.some((m) => m.hasResponse)
    this.hasFinish = middlewares.some((m) => m.hasFinish)
  }

  service(): LiveService {
    return this.behind
  }
}

function childrenOf(plan: ServicePlan): readonly string[] | null {
  if (plan.kind === 'weighted') return plan.services.map((s) => s.name)
  if (plan.kind === 'mirroring') return [plan.service]
  return plan.kind === 'failover' ? [plan.service, plan.fallback] : null
}

function failoverOf(
  plan: ServicePlan,
  children: readonly ServiceCell[] | null,
  context: WorkerContext,
): FailoverRule | null {
  if (plan.kind !== 'failover' || plan.statuses.length === 0) return null
  const { statuses, bodyMax, name } = plan
  const taken = context.services.counter('sluice_failovers_total', { service: name })
  return { statuses, bodyMax, fallback: children![1]!, taken }
}

function serversOf(
  plan: ServicePlan,
  context: WorkerContext,
  transportOf: (name: string) => TransportPlan,
): Server[] {
  if (plan.kind === 'loadBalancer') {
    const transport = transportOf(plan.serversTransport)
    return plan.servers.map((s) => context.servers.get(s.url, transport))
  }
  // What the supervisor answers itself is asked of it like any other server.
  if (plan.kind === 'internal' && !internalAnswers.has(plan.name)) {
    return [context.servers.get('unix://' + context.plan.adminSocket, transportOf(''))]
  }
  return []
}

function seriesOf(plan: ServicePlan, context: WorkerContext): RequestSeries | null {
  const { metrics } = context.plan
  if (metrics === null || !metrics.services) return null
  if (plan.kind === 'internal' && !metrics.internals) return null
  if (childrenOf(plan) !== null || plan.name === '') return null // its leaves count; nobody's own
  return context.requestSeries('service', { service: plan.name })
}
