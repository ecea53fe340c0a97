// workers/tcp/table.ts: the TCP routers of one entry point in one generation, and how they are built.
//
// Owner:  the live generation. What did not change (services with their turns, routers) is shared with the
//         generation before. Hot: no; match() runs once per connection.

import type {
  TcpRouterPlan,
  TcpServicePlan,
  TcpTransportPlan,
} from '../../config/protocol-plans.ts'
import type { SharedTables } from '../../core/middleware/worker.ts'
import { type TcpFacts, TcpMatcher, type TcpRoute } from '../../core/tcp/matcher.ts'
import type { WorkerContext } from '../context.ts'
import type { ProtocolPlans } from '../live-generation.ts'
import { LiveTcpRouter } from './router.ts'
import { LiveTcpBalancer, type LiveTcpService, LiveTcpWeighted } from './service.ts'

export class LiveTcpTable {
  private readonly clear: TcpMatcher<LiveTcpRouter>
  private readonly secure: TcpMatcher<LiveTcpRouter>

  constructor(routers: readonly LiveTcpRouter[]) {
    const routes = routers.map(routeOf)
    this.clear = new TcpMatcher(routes.filter((r) => r.value.tls === 'none'))
    this.secure = new TcpMatcher(routes.filter((r) => r.value.tls !== 'none'))
  }

  get hasClear(): boolean {
    return this.clear.size > 0
  }

  get hasTls(): boolean {
    return this.secure.size > 0
  }

  // A router with TLS for a connection that begins with a ClientHello, one without for any other. Of those with
  // TLS `router.tls` says whether it is terminated, and `router.catchAll` whether routers of HTTPS that name
  // the host go before it (traefik.md 2.5).
  match(facts: TcpFacts): LiveTcpRouter | null {
    return facts.isTls ? this.secure.match(facts) : this.clear.match(facts)
  }
}

const emptyTable = new LiveTcpTable([])

function routeOf(router: LiveTcpRouter): TcpRoute<LiveTcpRouter> {
  const { priority, rank, name } = router.plan
  return { rule: router.rule, condition: router.condition, priority, rank, name, value: router }
}

type TcpPlans = Pick<
  ProtocolPlans,
  'tcpRouters' | 'tcpServices' | 'tcpMiddlewares' | 'tcpTransports'
>

// What a generation shares with the next one.
export interface TcpParts {
  readonly routers: ReadonlyMap<string, LiveTcpRouter>
  readonly services: ReadonlyMap<string, LiveTcpService>
}

export const noTcpParts: TcpParts = { routers: new Map(), services: new Map() }

export interface TcpGeneration extends TcpPlans {
  tcp: readonly LiveTcpTable[] // by index of entry point
  tcpParts: TcpParts
}

// Builds the next one, in pieces: 10,000 routers and services take some 200 ms. Throws when a plan names what is not
// there: the generation is refused then.
export class TcpBuilder {
  private readonly pieces: Generator<void, void>

  constructor(next: TcpGeneration, before: TcpGeneration, context: WorkerContext) {
    this.pieces = piecesOf(next, before, context)
  }

  // True when all is built.
  step(operationsMax: number): boolean {
    for (let i = 0; i < operationsMax; i++) if (this.pieces.next().done === true) return true
    return false
  }
}

// One service or router between two yields. The tables at the end are one piece: some 10 ms for 10,000 routers.
function* piecesOf(
  next: TcpGeneration,
  before: TcpGeneration,
  context: WorkerContext,
): Generator<void, void> {
  const same =
    next.tcpRouters === before.tcpRouters &&
    next.tcpServices === before.tcpServices &&
    next.tcpMiddlewares === before.tcpMiddlewares &&
    next.tcpTransports === before.tcpTransports
  if (same) {
    next.tcp = before.tcp
    next.tcpParts = before.tcpParts
    return
  }
  const services = new ServiceBuilder(next, before.tcpParts.services, context)
  for (const name of next.tcpServices.keys()) {
    services.build(name)
    yield
  }
  const routers = new Map<string, LiveTcpRouter>()
  for (const plan of next.tcpRouters.values()) {
    routers.set(
      plan.name,
      routerOf(plan, next, before.tcpParts.routers, services.built, context.services.shared),
    )
    yield
  }
  next.tcpParts = { routers, services: services.built }
  const byPoint = new Map<string, LiveTcpRouter[]>()
  for (const router of routers.values()) {
    for (const name of router.plan.entryPoints) {
      const list = byPoint.get(name)
      if (list === undefined) byPoint.set(name, [router])
      else list.push(router)
    }
  }
  next.tcp = context.plan.entryPoints.map(({ name }) => {
    const own = byPoint.get(name)
    return own === undefined ? emptyTable : new LiveTcpTable(own)
  })
}

function routerOf(
  plan: TcpRouterPlan,
  next: TcpPlans,
  before: ReadonlyMap<string, LiveTcpRouter>,
  services: ReadonlyMap<string, LiveTcpService>,
  shared: SharedTables,
): LiveTcpRouter {
  const service = present(services.get(plan.service), 'TCP service', plan.service)
  const middlewares = plan.middlewares.map((name) =>
    present(next.tcpMiddlewares.get(name), 'TCP middleware', name),
  )
  const old = before.get(plan.name)
  const same =
    old !== undefined &&
    old.plan === plan &&
    old.service === service &&
    old.middlewares.every((m, i) => m === middlewares[i])
  return same ? old : new LiveTcpRouter(plan, middlewares, service, shared)
}

function present<Value>(value: Value | undefined, what: string, name: string): Value {
  if (value === undefined) throw new Error(`${what} ${name} is missing from the generation`)
  return value
}

const DEPTH_MAX = 32 // of weighted services in one another; the compiler has refused cycles

class ServiceBuilder {
  private readonly next: TcpPlans
  private readonly before: ReadonlyMap<string, LiveTcpService>
  private readonly context: WorkerContext
  readonly built = new Map<string, LiveTcpService>()

  constructor(next: TcpPlans, before: ReadonlyMap<string, LiveTcpService>, context: WorkerContext) {
    this.next = next
    this.before = before
    this.context = context
  }

  build(name: string): void {
    this.service(name, 0)
  }

  private service(name: string, depth: number): LiveTcpService {
    const known = this.built.get(name)
    if (known !== undefined) return known
    if (depth > DEPTH_MAX) throw new Error(`TCP service ${name} is nested too deep`)
    const plan = present(this.next.tcpServices.get(name), 'TCP service', name)
    const service = this.made(plan, depth)
    this.built.set(name, service)
    return service
  }

  private made(plan: TcpServicePlan, depth: number): LiveTcpService {
    const old = this.before.get(plan.name)
    const { index } = this.context.plan
    if (plan.kind === 'weighted') {
      const children = plan.services.map((s) => this.service(s.name, depth + 1))
      const same =
        old?.kind === 'weighted' &&
        old.plan === plan &&
        old.children.every((child, i) => child === children[i])
      if (same) return old
      return new LiveTcpWeighted(
        plan,
        children,
        plan.services.map((s) => s.weight),
        index,
      )
    }
    const transport = this.transport(plan.serversTransport)
    if (old?.kind === 'loadBalancer' && old.plan === plan && old.transport === transport) return old
    return new LiveTcpBalancer(plan, transport, this.context.health, index)
  }

  private transport(name: string): TcpTransportPlan {
    return present(this.next.tcpTransports.get(name), 'TCP serversTransport', name)
  }
}
