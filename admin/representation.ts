// admin/representation.ts: routers, services and middlewares as the API shows them, with Traefik's fields.
//
//   definition (as written) + name, provider, status, error, using, usedBy, type, serverStatus, priorityStr
//
// Hot: no.

import type { ObjectStatus } from '../config/generation.ts'
import type { AdminState } from './state.ts'

export type Kind = 'routers' | 'services' | 'middlewares'
export const kinds: readonly Kind[] = ['routers', 'services', 'middlewares']

export type Shown = Record<string, unknown>

export function objectsOf(state: AdminState, kind: Kind): ReadonlyMap<string, ObjectStatus> {
  return state.runtime()[kind]
}

export function represent(state: AdminState, kind: Kind, object: ObjectStatus): Shown {
  const shown: Shown = { ...definitionOf(object) }
  if (kind === 'routers') addRouter(shown, object)
  else if (kind === 'services') addService(shown, object, state)
  else addMiddleware(shown, object)
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

function addRouter(shown: Shown, object: ObjectStatus): void {
  const rule = typeof shown['rule'] === 'string' ? shown['rule'] : ''
  if (typeof shown['priority'] !== 'number' || shown['priority'] === 0) {
    shown['priority'] = rule.length
  }
  shown['priorityStr'] = String(shown['priority'])
  shown['using'] = object.using
}

function addService(shown: Shown, object: ObjectStatus, state: AdminState): void {
  shown['type'] = typeOf(shown) || 'internal'
  shown['usedBy'] = object.usedBy
  const servers = serversOf(shown)
  if (servers.length === 0) return
  const up = servers.map((url) => [url, state.isUp(object.name, url) ? 'UP' : 'DOWN'])
  shown['serverStatus'] = Object.fromEntries(up)
}

function addMiddleware(shown: Shown, object: ObjectStatus): void {
  shown['type'] = typeOf(shown)
  shown['usedBy'] = object.usedBy
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
    const url = (server as Shown | null)?.['url']
    return typeof url === 'string' ? [url] : []
  })
}
