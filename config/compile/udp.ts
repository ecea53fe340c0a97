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
  const taken = new Map<string, string>() // entry point -> router
  const routers = new References(
    shared,
    'UDP router',
    merged.udpRouters,
    (entry: Entry<UdpRouterConfig>, config, errors): UdpRouterPlan | null => {
      const own = [...entry.warnings]
      warnings.set(entry.qualified, own)
      return planRouter(shared, entry, config, errors, own, { services, taken })
    },
  )
  services.resolveAll()
  routers.resolveAll()
  return { routers, services, warnings }
}

interface Around {
  readonly services: CompiledUdp['services']
  readonly taken: Map<string, string>
}

// A datagram has nothing to tell routers apart by: an entry point has one router, the first that is written.
function planRouter(
  shared: Compilation,
  entry: Entry<UdpRouterConfig>,
  config: UdpRouterConfig,
  errors: string[],
  warnings: string[],
  { services, taken }: Around,
): UdpRouterPlan | null {
  const names = shared.facts.udpEntryPoints
  const known = { names, defaults: names }
  const entryPoints = entryPointsOf(shared, entry, config, known, errors, warnings)
  let service = ''
  if (config.service === '') {
    shared.fail(entry, [], 'CONFIG_ROUTER', 'it has no service', errors)
  } else service = services.refer(config.service, entry, ['service'], errors)
  if (errors.length > 0) return null
  for (const name of entryPoints) {
    const other = taken.get(name)
    if (other === undefined) continue
    const message = `the entry point ${name} has the UDP router ${other} already`
    shared.fail(entry, [], 'CONFIG_ROUTER', message, errors)
  }
  if (errors.length > 0) return null
  for (const name of entryPoints) taken.set(name, entry.qualified)
  return { name: entry.qualified, entryPoints, service }
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
