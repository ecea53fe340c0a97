// config/compile/udp.ts: udp.routers and udp.services. Hot: no.

import type { UdpRouterConfig, UdpServiceConfig } from '../dynamic/tcp-udp.ts'
import type { Entry } from '../merge.ts'
import type { UdpRouterPlan, UdpServicePlan } from '../protocol-plans.ts'
import type { Compilation } from './compilation.ts'
import { References } from './references.ts'
import { entryPointsOf } from './router-plan.ts'
import { addressFault } from './server-address.ts'
import { planWeighted } from './tcp-services.ts'

export interface CompiledUdp {
  readonly routers: References<UdpRouterConfig, UdpRouterPlan>
  readonly services: References<UdpServiceConfig, UdpServicePlan>
  readonly warnings: Map<string, string[]> // of routers, by name
}

export function compileUdp(shared: Compilation): CompiledUdp {
  const { merged } = shared
  const services = new References(
    shared,
    'UDP service',
    merged.udpServices,
    (entry: Entry<UdpServiceConfig>, config, errors): UdpServicePlan | null =>
      planService(shared, entry, config, errors, services),
  )
  const warnings = new Map<string, string[]>()
  const routers = new References(
    shared,
    'UDP router',
    merged.udpRouters,
    (entry: Entry<UdpRouterConfig>, config, errors): UdpRouterPlan | null => {
      const own = [...entry.warnings]
      warnings.set(entry.qualified, own)
      return planRouter(shared, entry, config, errors, own, services)
    },
  )
  services.resolveAll()
  routers.resolveAll()
  refuseShared(shared, routers)
  return { routers, services, warnings }
}

function planRouter(
  shared: Compilation,
  entry: Entry<UdpRouterConfig>,
  config: UdpRouterConfig,
  errors: string[],
  warnings: string[],
  services: CompiledUdp['services'],
): UdpRouterPlan | null {
  const names = shared.facts.udpEntryPoints
  const known = { names, defaults: names }
  const entryPoints = entryPointsOf(shared, entry, config, known, errors, warnings)
  if (config.service === '') {
    shared.fail(entry, [], 'CONFIG_ROUTER', 'it has no service', errors)
    return null
  }
  const service = services.refer(config.service, entry, ['service'], errors)
  return { name: entry.qualified, entryPoints, service }
}

// A datagram has nothing to tell routers apart by, and the order of files must never decide: of several routers
// for one entry point none is served.
function refuseShared(shared: Compilation, routers: CompiledUdp['routers']): void {
  const all = [...routers.plans.values()]
  for (const plan of all) {
    const others = all.filter(
      (other) => other !== plan && other.entryPoints.some((at) => plan.entryPoints.includes(at)),
    )
    if (others.length === 0) continue
    const names = others.map(({ name }) => name).join(', ')
    const message = `an entry point takes one UDP router, and ${names} is on the same one`
    const errors: string[] = []
    const entry = shared.merged.udpRouters.get(plan.name)!
    shared.fail(entry, [], 'CONFIG_ROUTER', message, errors)
    routers.errors.set(plan.name, errors)
    routers.plans.delete(plan.name)
  }
}

function planService(
  shared: Compilation,
  entry: Entry<UdpServiceConfig>,
  config: UdpServiceConfig,
  errors: string[],
  services: CompiledUdp['services'],
): UdpServicePlan | null {
  const { loadBalancer, weighted } = config
  if ((loadBalancer === null) === (weighted === null)) {
    const message =
      loadBalancer === null
        ? 'says nothing: expected loadBalancer or weighted'
        : 'has more than one kind: loadBalancer, weighted'
    shared.fail(entry, [], 'CONFIG_SERVICE', message, errors)
    return null
  }
  if (loadBalancer === null) return planWeighted(shared, entry, weighted!, errors, services)
  loadBalancer.servers.forEach(({ address }, at) => {
    const fault = addressFault(address)
    const key = ['loadBalancer', 'servers', at, 'address']
    if (fault !== '') shared.fail(entry, key, 'CONFIG_SERVER', fault, errors)
  })
  return { kind: 'loadBalancer', name: entry.qualified, servers: loadBalancer.servers }
}
