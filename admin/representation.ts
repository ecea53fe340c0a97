// admin/representation.ts: routers, services and middlewares as the API shows them, with Traefik's fields.
//
//   definition (as written) + name, provider, status, error, using, usedBy, type, serverStatus, priorityStr
//
// Hot: no.

import type { ObjectStatus } from '../config/generation.ts'
import type { AdminState } from './state.ts'

export type Protocol = 'http' | 'tcp' | 'udp'
export type Kind = 'routers' | 'services' | 'middlewares'

export const kindsOf: Readonly<Record<Protocol, readonly Kind[]>> = {
  http: ['routers', 'services', 'middlewares'],
  tcp: ['routers', 'services', 'middlewares'],
  udp: ['routers', 'services'],
}

export const protocols = ['http', 'tcp', 'udp'] as const

export type Shown = Record<string, unknown>

export function objectsOf(
  state: AdminState,
  protocol: Protocol,
  kind: Kind,
): ReadonlyMap<string, ObjectStatus> {
  const runtime = state.runtime()
  return (protocol === 'http' ? runtime : runtime[protocol])[kind]
}

export function represent(
  state: AdminState,
  protocol: Protocol,
  kind: Kind,
  object: ObjectStatus,
): Shown {
  const shown: Shown = { ...definitionOf(object) }
  if (kind === 'routers') addRouter(shown, protocol, object)
  else if (kind === 'services') addService(shown, object, state)
  else addMiddleware(shown, object, state)
  shown['status'] = object.status
  if (object.error.length > 0) shown['error'] = object.error
  shown['name'] = object.name
  shown['provider'] = object.provider
  return shown
}

function definitionOf(object: ObjectStatus): Shown {
  const { definition } = object
  return typeof definition === 'object' && definition !== null ? (definition as Shown) : {}
}

function addRouter(shown: Shown, protocol: Protocol, object: ObjectStatus): void {
  shown['using'] = object.using
  if (protocol === 'udp') return // has no rule
  const rule = typeof shown['rule'] === 'string' ? shown['rule'] : ''
  if (typeof shown['priority'] !== 'number' || shown['priority'] === 0) {
    const isCatchAll = protocol === 'tcp' && /^HostSNI\([`"]\*[`"]\)$/i.test(rule.trim())
    shown['priority'] = isCatchAll ? -1 : rule.length
  }
  shown['priorityStr'] = String(shown['priority'])
}

function addService(shown: Shown, object: ObjectStatus, state: AdminState): void {
  shown['type'] = typeOf(shown) || 'internal'
  shown['usedBy'] = object.usedBy
  const servers = serversOf(shown)
  if (servers.length === 0) return
  const up = servers.map((url) => [url, state.isUp(object.name, url) ? 'UP' : 'DOWN'])
  shown['serverStatus'] = Object.fromEntries(up)
}

function addMiddleware(shown: Shown, object: ObjectStatus, state: AdminState): void {
  shown['type'] = typeOf(shown)
  shown['usedBy'] = object.usedBy
  if (shown['type'] !== 'circuitbreaker') return
  const own = state.breakers().filter(({ middleware }) => middleware === object.name)
  shown['breakers'] = own.map((breaker) => ({
    router: breaker.router,
    state: breaker.state,
    opened: breaker.opened,
  }))
}

// A service and a middleware hold one block, whose key says what they are; Traefik shows it in lower case.
function typeOf(definition: Shown): string {
  for (const [key, value] of Object.entries(definition)) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return key.toLowerCase()
    }
  }
  return ''
}

export function serversOf(service: Shown): string[] {
  const balancer = service['loadBalancer']
  if (typeof balancer !== 'object' || balancer === null) return []
  const servers = (balancer as Shown)['servers']
  if (!Array.isArray(servers)) return []
  return servers.flatMap((server: unknown) => {
    const { url, address } = (server as Shown | null) ?? {}
    const place = url ?? address // of TCP and UDP
    return typeof place === 'string' ? [place] : []
  })
}
