// workers/udp/service.ts: UDP services and routers as a worker runs them, and how a generation's are built.
//
// Owner:  the live generation; shared with the next one while nothing of them changed, so that turns go on.
// Hot:    no, once per session.

import type { UdpRouterPlan, UdpServicePlan } from '../../config/protocol-plans.ts'
import { buildWrr } from '../../core/balance/build.ts'
import type { Balancer } from '../../core/balance/contract.ts'
import { Exchange } from '../../core/exchange.ts'
import type { WorkerContext } from '../context.ts'
import { splitAddress } from '../tcp/server.ts'

const nobody = new Exchange() // balancers that take turns do not look at it
const alwaysUp = { up: true } // nobody checks UDP servers

export interface UdpServer {
  readonly service: string // of the loadBalancer that has it
  readonly address: string
  readonly host: string
  readonly port: number
}

export class LiveUdpService {
  readonly plan: UdpServicePlan
  readonly children: readonly LiveUdpService[] // of a weighted service
  private readonly servers: readonly UdpServer[]
  private readonly balancer: Balancer

  constructor(plan: UdpServicePlan, children: readonly LiveUdpService[], worker: number) {
    this.plan = plan
    this.children = children
    this.servers = plan.kind === 'loadBalancer' ? plan.servers.map((s) => serverOf(plan, s)) : []
    const weights =
      plan.kind === 'weighted' ? plan.services.map((s) => s.weight) : plan.servers.map(() => 1)
    // A child without servers takes no turns.
    const states = children.map((child) => ({ up: child.hasServers }))
    this.balancer = buildWrr(
      plan.kind === 'weighted' ? states : plan.servers.map(() => alwaysUp),
      weights,
      worker,
    )
  }

  get hasServers(): boolean {
    return this.servers.length > 0 || this.children.some((child) => child.hasServers)
  }

  // The server for the next session; null when there is none.
  pick(): UdpServer | null {
    const index = this.balancer.pick(nobody, -1)
    if (index < 0) return null
    return this.plan.kind === 'weighted' ? this.children[index]!.pick() : this.servers[index]!
  }
}

function serverOf(plan: UdpServicePlan, { address }: { readonly address: string }): UdpServer {
  return { service: plan.name, address, ...splitAddress(address) }
}

// Blocks of the worker's SeriesTable.
export interface UdpCounters {
  readonly sessions: number
  readonly received: number
  readonly sent: number
}

export class LiveUdpRouter {
  readonly name: string
  readonly plan: UdpRouterPlan
  readonly service: LiveUdpService
  private readonly counters = new Map<string, UdpCounters>()

  constructor(plan: UdpRouterPlan, service: LiveUdpService) {
    this.name = plan.name
    this.plan = plan
    this.service = service
  }

  countersOf(entryPoint: string, service: string, context: WorkerContext): UdpCounters {
    const key = `${entryPoint} ${service}`
    let counters = this.counters.get(key)
    if (counters === undefined) {
      const labels = { entrypoint: entryPoint, router: this.name, service }
      const give = (family: string): number => context.series.give({ family, labels })
      counters = {
        sessions: give('sluice_udp_sessions_total'),
        received: give('sluice_udp_received_datagrams_total'),
        sent: give('sluice_udp_sent_datagrams_total'),
      }
      this.counters.set(key, counters)
    }
    return counters
  }
}

export interface UdpGeneration {
  readonly udpRouters: ReadonlyMap<string, UdpRouterPlan>
  readonly udpServices: ReadonlyMap<string, UdpServicePlan>
  udp: readonly (LiveUdpRouter | null)[] // by index of UDP entry point; one router each (config/compile/udp.ts)
  udpParts: ReadonlyMap<string, LiveUdpService>
}

// Throws when a plan names what is not there: the generation is refused then.
export function buildLiveUdp(
  next: UdpGeneration,
  before: UdpGeneration,
  context: WorkerContext,
): void {
  if (next.udpRouters === before.udpRouters && next.udpServices === before.udpServices) {
    next.udp = before.udp
    next.udpParts = before.udpParts
    return
  }
  const services = new Map<string, LiveUdpService>()
  for (const name of next.udpServices.keys())
    buildService(name, next, before.udpParts, services, context.plan.index, 0)
  next.udpParts = services
  const routers = [...next.udpRouters.values()]
  next.udp = context.plan.udpEntryPoints.map(({ name }) => {
    const plan = routers.find((r) => r.entryPoints.includes(name))
    if (plan === undefined) return null
    const service = services.get(plan.service)
    if (service === undefined) throw new Error(`UDP service ${plan.service} is missing`)
    return new LiveUdpRouter(plan, service)
  })
}

const DEPTH_MAX = 32 // of weighted services in one another; the compiler has refused cycles

function buildService(
  name: string,
  next: UdpGeneration,
  before: ReadonlyMap<string, LiveUdpService>,
  built: Map<string, LiveUdpService>,
  worker: number,
  depth: number,
): LiveUdpService {
  const known = built.get(name)
  if (known !== undefined) return known
  const plan = next.udpServices.get(name)
  if (plan === undefined || depth > DEPTH_MAX) throw new Error(`UDP service ${name} is missing`)
  const children =
    plan.kind === 'weighted'
      ? plan.services.map((s) => buildService(s.name, next, before, built, worker, depth + 1))
      : []
  const old = before.get(name)
  const same =
    old !== undefined && old.plan === plan && old.children.every((c, i) => c === children[i])
  const service = same ? old : new LiveUdpService(plan, children, worker)
  built.set(name, service)
  return service
}
