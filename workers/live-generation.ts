// workers/live-generation.ts: a generation as a worker runs it, and how the next one is built beside it.
//
// Owner:  the worker. Built in slices over several turns of the event loop, so that 10,000 routers never
//         block it; adopted by one assignment (context.ts). Exchanges in flight keep what they began with.
// What did not change is shared with the generation before: routers, services, route tables.

import type {
  MiddlewarePlan,
  RouterPlan,
  ServicePlan,
  TransportPlan,
} from '../config/generation.ts'
import type { Exchange, Route } from '../core/exchange.ts'
import { buildMiddleware } from '../core/middleware/build.ts'
import type { Middleware } from '../core/middleware/contract.ts'
import { MatcherBuilder } from '../core/route/matcher-builder.ts'
import type { Matcher } from '../core/route/matcher.ts'
import { parseRule } from '../core/route/parse.ts'
import type { RequestSeries } from '../core/shared/series.ts'
import type { WorkerContext } from './context.ts'
import type { LiveExchange } from './live-exchange.ts'
import { LiveService, ServiceCell } from './live-service.ts'
import type { Slice } from './messages.ts'
import type { Stage } from './stages.ts'

export class LiveRouter implements Route, Stage {
  readonly name: string
  readonly plan: RouterPlan
  readonly middlewares: readonly Middleware[] | null
  readonly hasResponse: boolean
  readonly hasFinish: boolean
  readonly cell: ServiceCell | null // null for a parent
  children: Matcher<LiveRouter> | null = null // set once, when its generation is complete
  readonly series: RequestSeries | null
  readonly counted: boolean
  readonly logged: boolean

  constructor(
    plan: RouterPlan,
    middlewares: Middleware[],
    cell: ServiceCell | null,
    context: WorkerContext,
  ) {
    this.name = plan.name
    this.plan = plan
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

export class LiveGeneration {
  number = 0
  readonly routers = new Map<string, LiveRouter>()
  readonly cells = new Map<string, ServiceCell>()
  readonly middlewares = new Map<string, MiddlewarePlan>()
  readonly transports = new Map<string, TransportPlan>()
  matchers: readonly Matcher<LiveRouter>[] = [] // by index of entry point
  // Applied by commit(): cells that get another service.
  readonly changedCells: { cell: ServiceCell; service: LiveService | null }[] = []

  match(exchange: LiveExchange): LiveRouter | null {
    const matcher = this.matchers[exchange.point!.index]
    return matcher === undefined ? null : matcher.match(exchange as Exchange)
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
      service?.adopt()
    }
    // After the new ones have said which servers they use: a server that stays keeps its connections.
    for (const service of before) service.retire()
    this.changedCells.length = 0
  }
}

export const emptyLiveGeneration = new LiveGeneration()

// Builds the next generation from slices. One call of step() is one turn's work.
export class GenerationBuilder {
  readonly next = new LiveGeneration()
  complete = false // the last slice has been applied
  private readonly context: WorkerContext
  private readonly before: LiveGeneration
  private readonly builders: MatcherBuilder<LiveRouter>[]
  private readonly changedMiddlewares = new Set<string>()
  private readonly touchedChildren = new Set<string>() // those of `touched` that have parents
  private readonly touched = new Set<string>() // routers that this generation has set or removed
  private stale: RouterPlan[] | null = null // routers to be rebuilt because a middleware of theirs changed
  private parents: LiveRouter[] | null = null

  // `before` is null when the slices lead there from nothing.
  constructor(context: WorkerContext, before: LiveGeneration | null, number: number) {
    this.context = context
    this.before = before ?? emptyLiveGeneration
    this.next.number = number
    const { matchers, routers, cells, middlewares, transports } = this.before
    const { entryPoints } = context.plan
    this.builders = entryPoints.map((_, i) => new MatcherBuilder<LiveRouter>(matchers[i] ?? null))
    copyInto(routers, this.next.routers)
    copyInto(cells, this.next.cells)
    copyInto(middlewares, this.next.middlewares)
    copyInto(transports, this.next.transports)
  }

  apply(slice: Slice): void {
    for (const name of slice.transports.remove) this.next.transports.delete(name)
    for (const plan of slice.transports.set) this.next.transports.set(plan.name, plan)
    for (const name of slice.middlewares.remove) this.next.middlewares.delete(name)
    for (const plan of slice.middlewares.set) {
      if (this.before.middlewares.has(plan.name)) this.changedMiddlewares.add(plan.name)
      this.next.middlewares.set(plan.name, plan)
    }
    for (const plan of slice.services.set) this.setService(plan)
    for (const name of slice.services.remove) this.removeService(name)
    for (const name of slice.routers.remove) this.removeRouter(name)
    for (const plan of slice.routers.set) this.setRouter(plan)
  }

  // After the last slice: a bounded piece of what is left; true when the generation is complete.
  finishStep(operationsMax: number): boolean {
    if (this.stale === null) {
      this.stale = this.findStale()
      this.renewServices()
    }
    for (let i = 0; i < 100; i++) {
      const plan = this.stale.pop()
      if (plan === undefined) break
      this.setRouter(plan)
    }
    if (this.stale.length > 0) return false
    for (const builder of this.builders) if (!builder.buildSlice(operationsMax)) return false
    this.linkChildren()
    this.next.matchers = this.builders.map((builder) => builder.finish())
    return true
  }

  private setService(plan: ServicePlan): void {
    const cell = this.cellOf(plan.name)
    const names = plan.kind === 'internal' ? [] : plan.middlewares
    const own = names.map((name) => this.buildMiddleware(name, plan.name))
    const service = new LiveService(plan, this.context, this.transportOf, this.cellOf, own)
    this.next.changedCells.push({ cell, service })
  }

  private removeService(name: string): void {
    const cell = this.next.cells.get(name)
    if (cell === undefined) return
    this.next.cells.delete(name)
    this.next.changedCells.push({ cell, service: null })
  }

  private readonly now = (): number => this.context.sweeper.now

  private readonly cellOf = (name: string): ServiceCell => {
    let cell = this.next.cells.get(name)
    if (cell === undefined) {
      cell = new ServiceCell(name)
      this.next.cells.set(name, cell)
    }
    return cell
  }

  private readonly transportOf = (name: string): TransportPlan => {
    const plan = this.next.transports.get(name)
    if (plan === undefined) throw new Error(`transport ${name} is missing from the generation`)
    return plan
  }

  private removeRouter(name: string): void {
    this.touched.add(name)
    const router = this.next.routers.get(name)
    this.next.routers.delete(name)
    if (router === undefined) return
    if (router.plan.parents.length > 0) {
      this.touchedChildren.add(name)
      return
    }
    for (const index of this.indexesOf(router.plan)) this.builders[index]!.remove(name)
  }

  private setRouter(plan: RouterPlan): void {
    this.removeRouter(plan.name)
    const router = this.buildRouter(plan)
    this.next.routers.set(plan.name, router)
    if (plan.parents.length > 0) {
      this.touchedChildren.add(plan.name)
      return // reached through its parents only
    }
    for (const index of this.indexesOf(plan)) this.builders[index]!.set(specOf(router))
  }

  private buildRouter(plan: RouterPlan): LiveRouter {
    const cell = plan.service === '' ? null : this.cellOf(plan.service)
    const built = plan.middlewares.map((name) => this.buildMiddleware(name, plan.name))
    return new LiveRouter(plan, built, cell, this.context)
  }

  private buildMiddleware(name: string, router: string): Middleware {
    const plan = this.next.middlewares.get(name)
    if (plan === undefined) throw new Error(`middleware ${name} is missing from the generation`)
    return buildMiddleware(plan, { router, inFlight: this.context.inFlight, now: this.now })
  }

  // Routers that must be made anew though their plan did not change: a middleware of theirs did, or a
  // child, which a router keeps in its own table.
  private findStale(): RouterPlan[] {
    const stale = new Map<string, RouterPlan>()
    if (this.changedMiddlewares.size > 0) {
      for (const { plan } of this.next.routers.values()) {
        if (plan.middlewares.some((name) => this.changedMiddlewares.has(name)))
          stale.set(plan.name, plan)
      }
    }
    for (const name of [...this.touchedChildren, ...stale.keys()]) this.addParents(name, stale)
    if (stale.size > 0) for (const name of this.touched) stale.delete(name)
    return [...stale.values()]
  }

  // Services whose middlewares changed though they did not.
  private renewServices(): void {
    if (this.changedMiddlewares.size === 0) return
    const renewed = new Set(this.next.changedCells.map(({ cell }) => cell.name))
    for (const [name, cell] of this.next.cells) {
      const plan = cell.current?.plan
      if (plan === undefined || plan.kind === 'internal' || renewed.has(name)) continue
      if (plan.middlewares.some((m) => this.changedMiddlewares.has(m))) this.setService(plan)
    }
  }

  private addParents(name: string, stale: Map<string, RouterPlan>): void {
    const parents = [
      ...(this.before.routers.get(name)?.plan.parents ?? []),
      ...(this.next.routers.get(name)?.plan.parents ?? []),
    ]
    for (const parent of parents) {
      const plan = this.next.routers.get(parent)?.plan
      if (plan === undefined || stale.has(parent)) continue
      stale.set(parent, plan)
      this.addParents(parent, stale)
    }
  }

  private linkChildren(): void {
    const byParent = new Map<string, LiveRouter[]>()
    for (const router of this.next.routers.values()) {
      for (const parent of router.plan.parents) {
        const list = byParent.get(parent)
        if (list === undefined) byParent.set(parent, [router])
        else list.push(router)
      }
    }
    for (const [name, children] of byParent) {
      const parent = this.next.routers.get(name)
      if (parent === undefined || parent.children !== null) continue
      const builder = new MatcherBuilder<LiveRouter>(null)
      for (const child of children) builder.set(specOf(child))
      while (!builder.buildSlice(10_000)) continue
      parent.children = builder.finish()
    }
  }

  private indexesOf(plan: RouterPlan): number[] {
    if (plan.tls) return [] // TLS is not terminated yet
    const indexes: number[] = []
    this.context.plan.entryPoints.forEach((point, i) => {
      if (plan.entryPoints.includes(point.name)) indexes.push(i)
    })
    return indexes
  }
}

function specOf(router: LiveRouter): Parameters<MatcherBuilder<LiveRouter>['set']>[0] {
  const { rule, priority, rank, name } = router.plan
  return { rule: parseRule(rule), priority, rank, name, value: router }
}

function copyInto<Value>(from: ReadonlyMap<string, Value>, to: Map<string, Value>): void {
  for (const [name, value] of from) to.set(name, value)
}
