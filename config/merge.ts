// config/merge.ts: the documents of all providers as one set of objects with qualified names.
//
// 'shop' of the file provider becomes 'shop@file'. A name that one provider defines twice is refused in both
// places: which one was meant cannot be known, and the order of files must never decide. Hot: no.

import type { MiddlewareConfig, RouterConfig, ServiceConfig, TransportConfig } from './dynamic.ts'
import type { Located } from './located.ts'
import { formatPath, type Path, type Problem } from './problem.ts'
import { readDocument, type DocumentObjects, type Found } from './read-document.ts'

export interface Entry<Config> extends Found<Config> {
  readonly qualified: string // 'shop@file'
  readonly provider: string
}

export interface Merged {
  readonly routers: Map<string, Entry<RouterConfig>>
  readonly services: Map<string, Entry<ServiceConfig>>
  readonly middlewares: Map<string, Entry<MiddlewareConfig>>
  readonly transports: Map<string, Entry<TransportConfig>>
  readonly problems: Problem[]
}

export type ProviderDocuments = ReadonlyMap<string, readonly Located[]>

export function mergeDocuments(documents: ProviderDocuments): Merged {
  const merged: Merged = {
    routers: new Map(),
    services: new Map(),
    middlewares: new Map(),
    transports: new Map(),
    problems: [],
  }
  const tls: TlsName[] = []
  for (const [provider, docs] of documents) {
    for (const doc of docs) {
      const objects = readDocument(doc)
      for (const problem of objects.problems) merged.problems.push(problem)
      addObjects(merged, objects, provider)
      for (const found of objects.tlsNames) tls.push({ ...found, doc, provider })
    }
  }
  refuseTlsDuplicates(tls, merged.problems)
  return merged
}

function addObjects(merged: Merged, objects: DocumentObjects, provider: string): void {
  const { problems } = merged
  for (const found of objects.routers) add(merged.routers, found, provider, 'router', problems)
  for (const found of objects.services) add(merged.services, found, provider, 'service', problems)
  for (const found of objects.middlewares) {
    add(merged.middlewares, found, provider, 'middleware', problems)
  }
  for (const found of objects.serversTransports) {
    add(merged.transports, found, provider, 'serversTransport', problems)
  }
}

function add<Config>(
  into: Map<string, Entry<Config>>,
  found: Found<Config>,
  provider: string,
  kind: string,
  problems: Problem[],
): void {
  const qualified = `${found.name}@${provider}`
  const entry: Entry<Config> = { ...found, qualified, provider }
  const before = into.get(qualified)
  if (before !== undefined) {
    into.set(qualified, refuseBoth(before, entry, kind, problems))
    return
  }
  if (!found.name.includes('@') && found.name !== '') {
    into.set(qualified, entry)
    return
  }
  const message = `a name must not be empty nor contain "@"`
  problems.push(problemAt(entry, [], 'CONFIG_NAME', message))
  into.set(qualified, { ...entry, config: null, errors: [...entry.errors, message] })
}

function refuseBoth<Config>(
  first: Entry<Config>,
  second: Entry<Config>,
  kind: string,
  problems: Problem[],
): Entry<Config> {
  const message = `${kind} ${first.qualified} is configured more than once`
  for (const [one, other] of [
    [first, second],
    [second, first],
  ] as const) {
    const text = `${message}: also at ${placeOf(other)}`
    problems.push(problemAt(one, [], 'CONFIG_DUPLICATE', text))
  }
  const places = `${message}: at ${placeOf(first)} and ${placeOf(second)}`
  return { ...first, config: null, errors: [...first.errors, places] }
}

function placeOf(found: { doc: Located; path: Path }): string {
  const { line, column } = found.doc.locate(found.path)
  return `${found.doc.file}:${line}:${column}`
}

// A problem of an object, or of one of its keys.
export function problemAt(
  found: { doc: Located; path: Path },
  key: Path,
  code: string,
  message: string,
  suggestion = '',
  severity: Problem['severity'] = 'error',
): Problem {
  const path = [...found.path, ...key]
  const place = { file: found.doc.file, ...found.doc.locate(path), path: formatPath(path) }
  return { severity, code, ...place, message, suggestion }
}

interface TlsName {
  readonly kind: 'options' | 'stores'
  readonly name: string
  readonly path: Path
  readonly doc: Located
  readonly provider: string
}

// "default" is one name for all providers, so it can be defined once in all; any other once per provider.
function refuseTlsDuplicates(names: readonly TlsName[], problems: Problem[]): void {
  const first = new Map<string, TlsName>()
  for (const found of names) {
    const scope = found.name === 'default' ? '' : `@${found.provider}`
    const key = `tls.${found.kind}.${found.name}${scope}`
    const before = first.get(key)
    if (before === undefined) first.set(key, found)
    else {
      const message = `${key} is configured more than once and not used: also at ${placeOf(before)}`
      problems.push(problemAt(found, [], 'CONFIG_DUPLICATE', message))
    }
  }
}
