// config/compile/status.ts: what the API tells about each router, service and middleware.
//
// Definitions are taken from the documents when somebody looks at them. Hot: no.

import type { ObjectStatus, RuntimeStatus } from '../generation.ts'
import type { Entry, Merged } from '../merge.ts'
import { redacted } from './redact.ts'
import { qualify, type Compilation } from './compilation.ts'
import type { Resolver } from './resolver.ts'
import type { Draft } from './router-plan.ts'

export function statusOf(
  shared: Compilation,
  resolver: Resolver,
  drafts: Iterable<Draft>,
): RuntimeStatus {
  const { merged } = shared
  const routers = new Map<string, ObjectStatus>()
  const usedBy = new Map<string, string[]>() // 'service x@file' -> routers
  for (const draft of drafts) {
    routers.set(draft.name, routerStatus(draft))
    noteUses(draft, usedBy)
  }
  const services = statusMap(merged.services, 'service', resolver, usedBy)
  const middlewares = statusMap(merged.middlewares, 'middleware', resolver, usedBy)
  addInternal(services, resolver.services.keys(), 'service', usedBy)
  addInternal(middlewares, resolver.middlewares.keys(), 'middleware', usedBy)
  return { routers, services, middlewares }
}

function routerStatus(draft: Draft): ObjectStatus {
  const { entry, errors, warnings, name } = draft
  const state = warnings.length > 0 ? 'warning' : 'enabled'
  return {
    name,
    provider: entry?.provider ?? 'internal',
    status: errors.length > 0 ? 'disabled' : state,
    error: errors.length > 0 ? [...errors] : [...warnings],
    using: draft.entryPoints,
    usedBy: [],
    get definition() {
      return entry === null ? null : definitionOf(entry)
    },
  }
}

function noteUses(draft: Draft, usedBy: Map<string, string[]>): void {
  const { entry, name } = draft
  const note = (key: string): void => {
    const users = usedBy.get(key)
    if (users === undefined) usedBy.set(key, [name])
    else if (users.at(-1) !== name) users.push(name)
  }
  if (entry === null) {
    if (draft.service !== '') note(`service ${draft.service}`)
    for (const middleware of draft.middlewares) note(`middleware ${middleware}`)
    return
  }
  if (entry.config === null) return
  const { service, middlewares } = entry.config
  if (service !== '') note(`service ${qualify(service, entry.provider)}`)
  for (const middleware of middlewares) note(`middleware ${qualify(middleware, entry.provider)}`)
}

function statusMap(
  entries: Merged['services'] | Merged['middlewares'],
  kind: 'service' | 'middleware',
  resolver: Resolver,
  usedBy: ReadonlyMap<string, string[]>,
): Map<string, ObjectStatus> {
  const map = new Map<string, ObjectStatus>()
  for (const entry of entries.values()) {
    const name = entry.qualified
    const errors = resolver.resolve(kind, name)?.errors ?? []
    const state = entry.warnings.length > 0 ? 'warning' : 'enabled'
    map.set(name, {
      name,
      provider: entry.provider,
      status: errors.length > 0 ? 'disabled' : state,
      error: errors.length > 0 ? errors : entry.warnings,
      using: [],
      usedBy: usedBy.get(`${kind} ${name}`) ?? [],
      get definition() {
        return definitionOf(entry)
      },
    })
  }
  return map
}

function addInternal(
  map: Map<string, ObjectStatus>,
  names: Iterable<string>,
  kind: string,
  usedBy: ReadonlyMap<string, string[]>,
): void {
  for (const name of names) {
    if (map.has(name) || !name.endsWith('@internal')) continue
    const users = usedBy.get(`${kind} ${name}`) ?? []
    const rest = { error: [], using: [], usedBy: users, definition: null }
    map.set(name, { name, provider: 'internal', status: 'enabled', ...rest })
  }
}

function definitionOf(entry: Entry<unknown>): unknown {
  let value: unknown = entry.doc.value
  for (const step of entry.path) value = (value as Record<string | number, unknown>)[step]
  return redacted(value)
}
