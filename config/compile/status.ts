// config/compile/status.ts: what the API tells about each router, service and middleware.
//
// Definitions are taken from the documents when somebody looks at them. Hot: no.

import type { CertificateStatus, ObjectMaps, ObjectStatus, RuntimeStatus } from '../generation.ts'
import type { Entry, Merged } from '../merge.ts'
import { redacted } from './redact.ts'
import { qualify, type Compilation } from './compilation.ts'
import type { References } from './references.ts'
import type { Resolver } from './resolver.ts'
import type { Draft } from './router-plan.ts'
import type { CompiledTcp } from './tcp.ts'
import type { CertificateTable } from './tls/certificates.ts'
import type { CompiledUdp } from './udp.ts'

export interface CompiledParts {
  readonly resolver: Resolver
  readonly drafts: Iterable<Draft>
  readonly tcp: CompiledTcp
  readonly udp: CompiledUdp
  readonly certificates: CertificateTable
}

export function statusOf(shared: Compilation, parts: CompiledParts): RuntimeStatus {
  const { merged } = shared
  const { tcp, udp, certificates } = parts
  return {
    ...httpStatus(shared, parts),
    tcp: protocolStatus(merged.tcpRouters, merged.tcpServices, merged.tcpMiddlewares, tcp),
    udp: protocolStatus(merged.udpRouters, merged.udpServices, new Map(), udp),
    certificates: certificateStatus(certificates),
  }
}

function certificateStatus({ plans, defaults, issued }: CertificateTable): CertificateStatus[] {
  const standard = defaults.get('default')?.certificate ?? ''
  return [...plans.values()].map(({ id, certPem }) => ({
    id,
    certPem,
    isDefault: id === standard,
    issued: issued.has(id),
  }))
}

interface RouterNames {
  readonly entryPoints: readonly string[]
  readonly service: string
  readonly middlewares?: readonly string[]
}

type Known = Pick<References<unknown, { readonly name: string }>, 'errors'>

// Of TCP or UDP.
function protocolStatus(
  routers: ReadonlyMap<string, Entry<RouterNames>>,
  services: ReadonlyMap<string, Entry<unknown>>,
  middlewares: ReadonlyMap<string, Entry<unknown>>,
  compiled: {
    readonly routers: Known & { readonly plans: ReadonlyMap<string, RouterNames> }
    readonly services: Known
    readonly middlewares?: Known
    readonly warnings: ReadonlyMap<string, readonly string[]>
  },
): ObjectMaps {
  const usedBy = new Map<string, string[]>()
  const note = (key: string, by: string): void => {
    const users = usedBy.get(key)
    if (users === undefined) usedBy.set(key, [by])
    else users.push(by)
  }
  for (const { qualified, provider, config } of routers.values()) {
    if (config === null) continue
    if (config.service !== '') note(`service ${qualify(config.service, provider)}`, qualified)
    const names = new Set(config.middlewares?.map((name) => qualify(name, provider)))
    for (const name of names) note(`middleware ${name}`, qualified)
  }
  const statuses = (
    entries: ReadonlyMap<string, Entry<unknown>>,
    kind: string,
    known: Known | undefined,
  ): Map<string, ObjectStatus> => {
    const map = new Map<string, ObjectStatus>()
    for (const entry of entries.values()) {
      const name = entry.qualified
      const isRouter = kind === 'router'
      const warnings = (isRouter ? compiled.warnings.get(name) : null) ?? entry.warnings
      const errors = known?.errors.get(name) ?? entry.errors
      const using = isRouter ? (compiled.routers.plans.get(name)?.entryPoints ?? []) : []
      map.set(name, objectStatus(entry, errors, warnings, using, usedBy.get(`${kind} ${name}`)))
    }
    return map
  }
  return {
    routers: statuses(routers, 'router', compiled.routers),
    services: statuses(services, 'service', compiled.services),
    middlewares: statuses(middlewares, 'middleware', compiled.middlewares),
  }
}

function objectStatus(
  entry: Entry<unknown>,
  errors: readonly string[],
  warnings: readonly string[],
  using: readonly string[],
  usedBy: readonly string[] = [],
): ObjectStatus {
  const state = warnings.length > 0 ? 'warning' : 'enabled'
  return {
    name: entry.qualified,
    provider: entry.provider,
    status: errors.length > 0 ? 'disabled' : state,
    error: errors.length > 0 ? errors : warnings,
    using,
    usedBy,
    get definition() {
      return definitionOf(entry)
    },
  }
}

function httpStatus(shared: Compilation, { resolver, drafts }: CompiledParts): ObjectMaps {
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
    map.set(name, objectStatus(entry, errors, entry.warnings, [], usedBy.get(`${kind} ${name}`)))
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
