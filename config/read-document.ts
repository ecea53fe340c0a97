// config/read-document.ts: one provider document, object by object.
//
// Every router, service, middleware and transport is checked by itself: what is wrong with one leaves the
// others alone. Reading a document is most of the work of a reload, so the result is kept with the document:
// a directory of 1,000 files in which one changes reads that one. Hot: no.

import { configKinds, dynamicSchema, sections } from './dynamic.ts'
import type { ConfigKind, Configs, Section } from './dynamic.ts'
import type { Located } from './located.ts'
import { formatPath, type Path, type Problem } from './problem.ts'
import { checkShape, nearestKey } from './schema.ts'
import { shapeOf } from './shape.ts'

export interface Found<Config> {
  readonly name: string // without provider; of a certificate: its place in the list
  readonly doc: Located
  readonly path: Path // as the file spells it
  readonly config: Config | null // null when it is disabled for what it says itself
  readonly errors: readonly string[]
  readonly warnings: readonly string[] // keys without effect
}

export type DocumentObjects = { readonly [K in ConfigKind]: readonly Found<Configs[K]>[] } & {
  readonly problems: readonly Problem[]
}

type Value = Record<string, unknown>

const known = new WeakMap<Located, DocumentObjects>()

export function readDocument(doc: Located): DocumentObjects {
  const before = known.get(doc)
  if (before !== undefined) return before
  const objects = new DocumentReader(doc).read()
  known.set(doc, objects)
  return objects
}

const wholeShape = shapeOf(dynamicSchema)

// A section of which nothing is built yet is named once, not once for each of its keys.
function isNotYet(group: string, key: string): boolean {
  const shape = wholeShape.keys!.get(group.toLowerCase())!.shape.keys!.get(key.toLowerCase())!
  return shape.shape.meta.status === 'not yet'
}

class DocumentReader {
  private readonly doc: Located
  private readonly problems: Problem[] = []
  private readonly notYet = new Map<string, number>() // path with {name} for the object's name: uses
  private readonly found = new Map<ConfigKind, Found<unknown>[]>()

  constructor(doc: Located) {
    this.doc = doc
    for (const kind of configKinds) this.found.set(kind, [])
  }

  read(): DocumentObjects {
    this.members(this.doc.value, [], Object.keys(sections), (group, value, path) => {
      this.group(group, value, path)
    })
    this.reportNotYet()
    const found = Object.fromEntries(this.found) as unknown as Omit<DocumentObjects, 'problems'>
    return { ...found, problems: this.problems } as DocumentObjects
  }

  private group(group: string, value: unknown, at: Path): void {
    this.members(value, at, Object.keys(sections[group]!), (key, objects, path) => {
      if (objects === null || objects === undefined) return
      const section = sections[group]![key]!
      const list = section.kind === 'tlsCertificates'
      const members = list ? this.list(objects, path) : this.map(objects, path)
      const names = members === null ? [] : Object.keys(members)
      const prefix = isNotYet(group, key) ? null : `${group}.${key}.${list ? '[]' : '{name}'}.`
      if (prefix === null && names.length > 0) this.count(`${group}.${key}`)
      for (const name of names) {
        const step = list ? Number(name) : name
        this.object(section, prefix, name, (members as Value)[name], [...path, step])
      }
    })
  }

  private object(
    section: Section,
    prefix: string | null,
    name: string,
    value: unknown,
    path: Path,
  ): void {
    const checked = checkShape<unknown>(section.schema, this.doc, path, value ?? {})
    this.problems.push(...checked.problems)
    const errors = checked.problems.filter((problem) => problem.severity === 'error')
    const own = `${formatPath(path)}.`
    const unused = checked.notYet.map((used) => used.slice(own.length))
    if (prefix !== null) for (const used of unused) this.count(prefix + used)
    const warnings = unused.map((used) => `${used} is not built in this version`)
    if (prefix === null) warnings.push('is not built in this version')
    this.found.get(section.kind)!.push({
      name,
      doc: this.doc,
      path,
      config: checked.value,
      errors: errors.map((problem) => problem.message),
      warnings,
    })
  }

  private members(
    value: unknown,
    at: Path,
    names: readonly string[],
    take: (name: string, value: unknown, path: Path) => void,
  ): void {
    if (value === null || value === undefined) return
    const map = this.map(value, at)
    for (const key of Object.keys(map ?? {})) {
      const name = names.find((candidate) => candidate.toLowerCase() === key.toLowerCase())
      const path = [...at, key]
      if (name === undefined) this.unknown(key, at, path, names)
      else take(name, map![key], path)
    }
  }

  private map(value: unknown, path: Path): Value | null {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Value
    const name = path.length === 0 ? 'the document' : formatPath(path)
    this.report('CONFIG_TYPE', path, `${name}: expected a map`, '')
    return null
  }

  private list(value: unknown, path: Path): readonly unknown[] | null {
    if (Array.isArray(value)) return value
    this.report('CONFIG_TYPE', path, `${formatPath(path)}: expected a list`, '')
    return null
  }

  private unknown(key: string, at: Path, path: Path, names: readonly string[]): void {
    const place = at.length === 0 ? '' : ` in ${formatPath(at)}`
    const install =
      /^(?:entryPoints|providers|api|log|accessLog|metrics|ping|certificatesResolvers)$/i
    const hint =
      at.length === 0 && install.test(key) ? ': it belongs to the install configuration' : ''
    const message = `unknown key ${JSON.stringify(key.slice(0, 100))}${place}${hint}`
    this.report('CONFIG_KEY_UNKNOWN', path, message, nearestKey(key, names))
  }

  private report(code: string, path: Path, message: string, suggestion: string): void {
    const place = { file: this.doc.file, ...this.doc.locate(path), path: formatPath(path) }
    this.problems.push({ severity: 'error', code, ...place, message, suggestion })
  }

  private count(path: string): void {
    this.notYet.set(path, (this.notYet.get(path) ?? 0) + 1)
  }

  private reportNotYet(): void {
    if (this.notYet.size === 0) return
    const used = [...this.notYet].map(([path, times]) =>
      times === 1 ? path : `${path} (${times})`,
    )
    const place = { file: this.doc.file, line: 0, column: 0, path: '' }
    const message = `not built in this version, so that what needs it is disabled or does without: ${used.sort().join(', ')}`
    const code = 'CONFIG_NOT_YET'
    this.problems.push({ severity: 'warning', code, ...place, message, suggestion: '' })
  }
}
