// config/compile/service-plan.ts: what a service says by itself: its kind, its servers. Hot: no.

import type { LoadBalancerConfig } from '../dynamic/services.ts'
import { serviceKinds, type ServiceConfig } from '../dynamic/services.ts'
import type { ServerPlan } from '../generation.ts'
import type { Fault } from './middleware-words.ts'

export function kindOfService(config: ServiceConfig): string | Fault {
  const kinds = serviceKinds.filter((kind) => config[kind] !== null)
  if (kinds.length === 1) return kinds[0]!
  const message =
    kinds.length === 0
      ? `says nothing: expected one of ${serviceKinds.join(', ')}`
      : `has more than one kind: ${kinds.join(', ')}`
  return { key: [], message }
}

export function planServers(
  servers: LoadBalancerConfig['servers'],
  schemes: readonly string[],
): { plans: ServerPlan[]; faults: Fault[] } {
  const plans: ServerPlan[] = []
  const faults: Fault[] = []
  servers.forEach((server, at) => {
    const message = faultOfUrl(server.url, schemes)
    if (message === '') plans.push(server)
    else faults.push({ key: ['loadBalancer', 'servers', at, 'url'], message })
  })
  return { plans, faults }
}

// The text of a URL never appears in a message: it may hold a password.
export function faultOfUrl(text: string, schemes: readonly string[]): string {
  const url = URL.parse(text)
  if (url === null) return 'url of a server: is not a URL'
  const scheme = url.protocol.slice(0, -1)
  if (!schemes.includes(scheme))
    return `url of a server: the scheme ${JSON.stringify(scheme.slice(0, 20))} is not known`
  if (url.username !== '' || url.password !== '') return 'url of a server: holds credentials'
  if (url.search !== '' || url.hash !== '') return 'url of a server: holds a query or a fragment'
  if (/[\s\\]/.test(text)) return 'url of a server: holds white space or a backslash'
  if (scheme !== 'unix') return url.hostname === '' ? 'url of a server: has no host' : ''
  const isPath = url.host === '' && url.pathname.length > 1 && text.startsWith('unix:///')
  return isPath ? '' : 'url of a server: expected unix:///path/to.sock'
}
