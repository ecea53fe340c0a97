// config/merge.ts: the documents of all providers as one set of objects with qualified names.
//
// 'shop' of the file provider becomes 'shop@file'. A name that one provider defines twice is refused in both
// places: which one was meant cannot be known, and the order of files must never decide. Hot: no.

import { sections, type ConfigKind, type Configs } from './dynamic.ts'
import type { Located } from './located.ts'
import { formatPath, type Path, type Problem } from './problem.ts'
import { readDocument, type Found } from './read-document.ts'

export interface Entry<Config> extends Found<Config> {
  readonly qualified: string // 'shop@file'; TLS options and stores called default are one for all providers
  readonly provider: string
}

// By qualified name. Certificates have none: they are a list.
export type Merged = {
  readonly [K in Exclude<ConfigKind, 'tlsCertificates'>]: Map<string, Entry<Configs[K]>>
} & {
  readonly tlsCertificates: Entry<Configs['tlsCertificates']>[]
  readonly problems: Problem[]
}

export type ProviderDocuments = ReadonlyMap<string, readonly Located[]>

type NamedKind = Exclude<ConfigKind, 'tlsCertificates'>

const namedKinds = Object.values(sections)
  .flatMap((group) => Object.values(group))
  .filter(({ kind }) => kind !== 'tlsCertificates') as { kind: NamedKind; says: string }[]

export function mergeDocuments(documents: ProviderDocuments): Merged {
  const maps = namedKinds.map(({ kind }) => [kind, new Map()])
  const empty = { tlsCertificates: [], problems: [] }
  const merged = { ...Object.fromEntries(maps), ...empty } as unknown as Merged
  for (const [provider, docs] of documents) {
    for (const doc of docs) addDocument(merged, doc, provider)
  }
  return merged
}

function addDocument(merged: Merged, doc: Located, provider: string): void {
  const objects = readDocument(doc)
  for (const problem of objects.problems) merged.problems.push(problem)
  for (const { kind, says } of namedKinds) {
    const into = merged[kind] as Map<string, Entry<unknown>>
    for (const found of objects[kind]) add(into, kind, found, provider, says, merged.problems)
  }
  objects.tlsCertificates.forEach((found) => {
    merged.tlsCertificates.push({ ...found, qualified: certificateName(found), provider })
  })
}

// For messages only: certificates are known by what is in them.
function certificateName(found: Found<unknown>): string {
  return formatPath(found.path)
}

function qualifiedName(kind: ConfigKind, name: string, provider: string): string {
  const shared = name === 'default' && (kind === 'tlsOptions' || kind === 'tlsStores')
  return shared ? name : `${name}@${provider}`
}

function add<Config>(
  into: Map<string, Entry<Config>>,
  section: ConfigKind,
  found: Found<Config>,
  provider: string,
  kind: string,
  problems: Problem[],
): void {
  const qualified = qualifiedName(section, found.name, provider)
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
