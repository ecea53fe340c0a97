// workers/generation-builder.ts: builds the next generation of a worker from slices, beside the one it serves.
//
// Owner:  the worker, for the time of one generation. Works over several turns of the event loop, so that 10,000
//         routers never block it: apply() once per slice, then finishStep() until it says true. Not hot.

import {
  families,
  type MiddlewarePlan,
  type MirroringPlan,
  type RouterPlan,
  type ServicePlan,
  type TransportPlan,
  type WeightedPlan,
} from '../config/generation.ts'
import { buildMiddleware } from '../core/middleware/build.ts'
import type { Middleware, MiddlewareContext, Scope } from '../core/middleware/contract.ts'
import { RolloutWatch } from '../core/balance/rollout.ts'
import { RolloutCounts } from '../core/rollout/counts.ts'
import { rolloutSlotName } from '../core/rollout/plan.ts'
import { MapCopies } from '../core/map-copy.ts'
import { MatcherBuilder } from '../core/route/matcher-builder.ts'
import type { Matcher } from '../core/route/matcher.ts'
import { parseRule } from '../core/route/parse.ts'
import type { WorkerContext } from './context.ts'
import { HeldSlots } from './held-slots.ts'
import {
  LiveGeneration,
  LiveRouter,
  emptyLiveGeneration,
  type ProtocolFamily,
  type ProtocolPlans,
} from './live-generation.ts'
import { LiveService, ServiceCell } from './live-service.ts'
import type { Slice } from './messages.ts'
import { TcpBuilder } from './tcp/table.ts'
import { buildLiveUdp } from './udp/service.ts'
import { buildLiveTls } from './tls/build.ts'

const protocolFamilies = families.filter(
  (family): family is ProtocolFamily =>
    !['routers', 'services', 'middlewares', 'transports'].includes(family),
)

type OwnerKind = 'router' | 'service' // of what has middlewares

export class GenerationBuilder {
  readonly next = new LiveGeneration()
  complete = false // the last slice has been applied
  private readonly context: WorkerContext
  private readonly before: LiveGeneration
  private readonly builders: MatcherBuilder<LiveRouter>[] // by index of entry point, clear text
  private readonly secureBuilders: MatcherBuilder<LiveRouter>[] // the same for TLS
  private readonly changedMiddlewares = new Set<string>()
  private readonly changedTransports = new Set<string>()
  private readonly touchedChildren = new Set<string>() // those of `touched` that have parents
  private readonly touched = new Set<string>() // routers that this generation has set or removed
  private stale: RouterPlan[] | null = null // routers to be rebuilt because a middleware of theirs changed
  private readonly own = new Map<ProtocolFamily, Map<string, unknown>>() // copied, since they change
  private linked = false
  private tcp: TcpBuilder | null = null // once the tables of HTTP are linked
  private readonly copies = new MapCopies()
  private readonly held: HeldSlots

  // `before` is null when the slices lead there from nothing.
  constructor(context: WorkerContext, before: LiveGeneration | null, number: number) {
    this.context = context
    this.before = before ?? emptyLiveGeneration
    this.next.number = number
    const { states } = context.services.shared
    states.generation = number
    this.held = new HeldSlots(states, this.next.slots)
    const { matchers, secureMatchers, routers, childRouters, cells, middlewares } = this.before
    const { transports, slots } = this.before
    const builderOf = (matcher: Matcher<LiveRouter> | undefined): MatcherBuilder<LiveRouter> =>
      new MatcherBuilder<LiveRouter>(matcher ?? null)
    const { entryPoints } = context.plan
    this.builders = entryPoints.map((_, i) => builderOf(matchers[i]))
    this.secureBuilders = entryPoints.map((_, i) => builderOf(secureMatchers[i]))
    for (const family of protocolFamilies) shareFamily(this.before, this.next, family)
    this.copies.add(routers, this.next.routers)
    this.copies.add(childRouters, this.next.childRouters)
    this.copies.add(cells, this.next.cells)
    this.copies.add(middlewares, this.next.middlewares)
    this.copies.add(transports, this.next.transports)
    this.copies.add(slots, this.next.slots)
  }

  // Takes over a piece of the generation before; true when it has all of it, and slices may be applied.
  copyStep(entriesMax: number): boolean {
    return this.copies.step(entriesMax)
  }

  apply(slice: Slice): void {
    this.copies.step(Infinity)
    switch (slice.family) {
      case 'routers':
        for (const plan of slice.set) this.setRouter(plan)
        for (const name of slice.remove) this.removeRouter(name)
        return
      case 'services':
        for (const plan of slice.set) this.setService(plan)
        for (const name of slice.remove) this.removeService(name)
        return
      case 'middlewares':
        for (const plan of slice.set) this.setMiddleware(plan)
        for (const name of slice.remove) this.next.middlewares.delete(name)
        return
      case 'transports':
        for (const plan of slice.set) this.setTransport(plan)
        for (const name of slice.remove) this.next.transports.delete(name)
        return
      default:
        this.applyPlans(slice.family, slice.set, slice.remove)
    }
  }

  // Instead of finishing. A service that threw while it was made may have left servers that nobody holds.
  discard(): void {
    this.next.discard()
    this.context.servers.dropUnused()
  }

  // After the last slice: a bounded piece of what is left; true when the generation is complete.
  finishStep(operationsMax: number): boolean {
    if (this.stale === null) {
      const lacking = new Set(this.held.lacking)
      this.stale = this.findStale(lacking)
      this.renewServices(lacking)
    }
    for (let i = 0; i < 100; i++) {
      const plan = this.stale.pop()
      if (plan === undefined) break
      this.setRouter(plan)
    }
    if (this.stale.length > 0) return false
    for (const builder of this.builders) if (!builder.buildSlice(operationsMax)) return false
    for (const builder of this.secureBuilders) if (!builder.buildSlice(operationsMax)) return false
    if (!this.linked) {
      this.linked = true
      this.linkChildren()
      this.next.matchers = this.builders.map((builder) => builder.finish())
      this.next.secureMatchers = this.secureBuilders.map((builder) => builder.finish())
      return false
    }
    this.tcp ??= new TcpBuilder(this.next, this.before, this.context)
    if (!this.tcp.step(operationsMax)) return false
    if (!this.held.keepStep()) return false
    this.next.slotsMissing = this.held.missing
    this.buildProtocols(this.next, this.before)
    return true
  }

  // Live objects of the other protocols, in a turn of their own. Each line builds what differs from `before` and
  // shares the rest; what throws here refuses the generation.
  private buildProtocols(next: LiveGeneration, before: LiveGeneration): void {
    buildLiveUdp(next, before, this.context)
    buildLiveTls(next, before, this.context) // TCP is there: it asks which entry points have routers
  }

  private applyPlans(
    family: ProtocolFamily,
    set: readonly { readonly name: string }[],
    remove: readonly string[],
  ): void {
    if (set.length === 0 && remove.length === 0) return
    let plans = this.own.get(family)
    if (plans === undefined) {
      plans = new Map<string, unknown>(this.before[family])
      this.own.set(family, plans)
      Object.assign(this.next, { [family]: plans })
    }
    for (const plan of set) plans.set(plan.name, plan)
    for (const name of remove) plans.delete(name)
  }

  private setMiddleware(plan: MiddlewarePlan): void {
    if (this.before.middlewares.has(plan.name)) this.changedMiddlewares.add(plan.name)
    this.next.middlewares.set(plan.name, plan)
  }

  private setService(plan: ServicePlan): void {
    const cell = this.cellOf(plan.name)
    const service = this.held.build(`service ${plan.name}`, () => this.buildService(plan))
    this.next.changedCells.push({ cell, service })
  }

  private buildService(plan: ServicePlan): LiveService {
    const names = plan.kind === 'internal' ? [] : plan.middlewares
    const own = this.buildMiddlewares(names, 'service', plan.name)
    if (plan.kind === 'mirroring') own.push(...this.mirrorsOf(plan))
    if (plan.kind === 'weighted' && plan.rollout !== null) own.push(this.watchOf(plan))
    return new LiveService(plan, this.context, this.transportOf, this.cellOf, own)
  }

  // Each is a middleware behind the service's own ones, as it is one on a router.
  private mirrorsOf({ name, mirrors }: MirroringPlan): Middleware[] {
    return mirrors.map((options) => {
      return buildMiddleware({ name, kind: 'mirror', options }, this.contextFor('service', name))
    })
  }

  private watchOf(plan: WeightedPlan): RolloutWatch {
    const { states } = this.context.services.shared
    const counts = new RolloutCounts(states, states.claim(rolloutSlotName(plan)))
    return new RolloutWatch(plan.name, counts, this.context.turnNow)
  }

  private removeService(name: string): void {
    const cell = this.next.cells.get(name)
    if (cell === undefined) return
    this.next.cells.delete(name)
    this.held.drop(`service ${name}`)
    this.next.changedCells.push({ cell, service: null })
  }

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
    this.next.childRouters.delete(name)
    this.held.drop(`router ${name}`)
    if (router === undefined) return
    if (router.plan.parents.length > 0) {
      this.touchedChildren.add(name)
      return
    }
    const builders = this.buildersOf(router.plan)
    for (const index of this.indexesOf(router.plan)) builders[index]!.remove(name)
  }

  private setRouter(plan: RouterPlan): void {
    this.removeRouter(plan.name)
    const router = this.held.build(`router ${plan.name}`, () => this.buildRouter(plan))
    this.next.routers.set(plan.name, router)
    if (plan.parents.length > 0) {
      this.next.childRouters.set(plan.name, router)
      this.touchedChildren.add(plan.name)
      return // reached through its parents only
    }
    const builders = this.buildersOf(plan)
    for (const index of this.indexesOf(plan)) builders[index]!.set(specOf(router))
  }

  private buildRouter(plan: RouterPlan): LiveRouter {
    const cell = plan.service === '' ? null : this.cellOf(plan.service)
    const built = this.buildMiddlewares(plan.middlewares, 'router', plan.name)
    return new LiveRouter(plan, built, cell, this.context)
  }

  // One that is named twice, by the entry point and by the router for instance, runs twice. Each has counts of its
  // own, or a limit of one request would refuse every request.
  private buildMiddlewares(names: readonly string[], kind: OwnerKind, owner: string): Middleware[] {
    const times = new Map<string, number>()
    return names.map((name) => {
      const before = times.get(name) ?? 0
      times.set(name, before + 1)
      const place = before === 0 ? owner : `${owner} (${before + 1})`
      return this.buildMiddleware(name, this.contextFor(kind, place))
    })
  }

  private buildMiddleware(name: string, context: MiddlewareContext): Middleware {
    const plan = this.next.middlewares.get(name)
    if (plan === undefined) throw new Error(`middleware ${name} is missing from the generation`)
    return buildMiddleware(plan, context)
  }

  // A service may have the name of a router, even of the one that it is behind.
  private contextFor(kind: OwnerKind, router: string): MiddlewareContext {
    const { now, codecs, services: worker } = this.context
    return { router, scope: `${kind} ${router}`, now, codecs, worker, crypto: worker.crypto }
  }

  // Routers that must be made anew though their plan did not change: a middleware of theirs did, or a
  // child, which a router keeps in its own table, or it lacks a slot that there may be by now.
  private findStale(lacking: ReadonlySet<Scope>): RouterPlan[] {
    const stale = new Map<string, RouterPlan>()
    if (lacking.size > 0) {
      for (const { plan } of this.next.routers.values())
        if (lacking.has(`router ${plan.name}`)) stale.set(plan.name, plan)
    }
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

  // Services whose middlewares or transport changed though they did not (a transport holds certificates, which are
  // renewed while nothing else is), and those that lack a slot.
  private renewServices(lacking: ReadonlySet<Scope>): void {
    if (this.changedMiddlewares.size + this.changedTransports.size + lacking.size === 0) return
    const renewed = new Set(this.next.changedCells.map(({ cell }) => cell.name))
    for (const [name, cell] of this.next.cells) {
      const plan = cell.current?.plan
      if (plan === undefined || plan.kind === 'internal' || renewed.has(name)) continue
      const isStale =
        lacking.has(`service ${name}`) ||
        plan.middlewares.some((m) => this.changedMiddlewares.has(m)) ||
        (plan.kind === 'loadBalancer' && this.changedTransports.has(plan.serversTransport))
      if (isStale) this.setService(plan)
    }
  }

  private setTransport(plan: TransportPlan): void {
    if (this.before.transports.has(plan.name)) this.changedTransports.add(plan.name)
    this.next.transports.set(plan.name, plan)
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
    for (const router of this.next.childRouters.values()) {
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

  private buildersOf(plan: RouterPlan): readonly MatcherBuilder<LiveRouter>[] {
    return plan.tls ? this.secureBuilders : this.builders
  }

  private indexesOf(plan: RouterPlan): number[] {
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

function shareFamily<F extends ProtocolFamily>(
  from: ProtocolPlans,
  to: ProtocolPlans,
  family: F,
): void {
  to[family] = from[family]
}
