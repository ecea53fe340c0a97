// config/read-document.ts: one provider document, object by object.
//
// Every router, service, middleware and transport is checked by itself: what is wrong with one leaves the
// others alone. Reading a document is most of the work of a reload, so the result is kept with the document:
// a directory of 1,000 files in which one changes reads that one. Hot: no.

import type { Located } from './located.ts'
import { httpSections, otherSections, type RouterConfig } from './dynamic.ts'
import type { MiddlewareConfig, ServiceConfig, TransportConfig } from './dynamic.ts'
import { formatPath, type Path, type Problem } from './problem.ts'
import { checkShape, nearestKey } from './schema.ts'

export interface Found<Config> {
  readonly name: string // without provider
  readonly doc: Located
  readonly path: Path // as the file spells it
  readonly config: Config | null // null when it is disabled for what it says itself
  readonly errors: readonly string[]
  readonly warnings: readonly string[] // keys without effect
}

export interface DocumentObjects {
  readonly routers: readonly Found<RouterConfig>[]
  readonly services: readonly Found<ServiceConfig>[]
  readonly middlewares: readonly Found<MiddlewareConfig>[]
  readonly serversTransports: readonly Found<TransportConfig>[]
  readonly tlsNames: readonly { kind: 'options' | 'stores'; name: string; path: Path }[]
  readonly problems: readonly Problem[]
}

type Section = keyof typeof httpSections
type Value = Record<string, unknown>

const known = new WeakMap<Located, DocumentObjects>()

export function readDocument(doc: Located): DocumentObjects {
  const before = known.get(doc)
  if (before !== undefined) return before
  const objects = new DocumentReader(doc).read()
  known.set(doc, objects)
  return objects
}

class DocumentReader {
  private readonly doc: Located
  private readonly problems: Problem[] = []
  private readonly notYet = new Map<string, number>() // path with {name} for the object's name: uses
  private readonly found: Record<Section, Found<unknown>[]> = {
    routers: [],
    services: [],
    middlewares: [],
    serversTransports: [],
  }
  private readonly tlsNames: { kind: 'options' | 'stores'; name: string; path: Path }[] = []

  constructor(doc: Located) {
    this.doc = doc
  }

  read(): DocumentObjects {
    this.members(this.doc.value, [], ['http', 'tcp', 'udp', 'tls'], (key, value, path) => {
      if (key === 'http') this.http(value, path)
      else this.other(key as keyof typeof otherSections, value, path)
    })
    this.reportNotYet()
    return {
      ...(this.found as unknown as Pick<DocumentObjects, Section>),
      tlsNames: this.tlsNames,
      problems: this.problems,
    }
  }

  private http(value: unknown, at: Path): void {
    this.members(value, at, Object.keys(httpSections), (section, objects, path) => {
      if (objects === null || objects === undefined) return
      const map = this.map(objects, path)
      for (const name of Object.keys(map ?? {})) {
        this.object(section as Section, name, map![name], [...path, name])
      }
    })
  }

  private object(section: Section, name: string, value: unknown, path: Path): void {
    const {
      value: config,
      problems,
      notYet,
    } = checkShape<unknown>(httpSections[section], this.doc, path, value ?? {})
    this.problems.push(...problems)
    const errors = problems.filter((problem) => problem.severity === 'error')
    const prefix = `${formatPath(path)}.`
    const unused = notYet.map((used) => used.slice(prefix.length))
    for (const used of unused) this.count(`http.${section}.{name}.${used}`)
    this.found[section].push({
      name,
      doc: this.doc,
      path,
      config,
      errors: errors.map((problem) => problem.message),
      warnings: unused.map((used) => `${used} is not built in this version`),
    })
  }

  // Checked as a whole and named once per section; nothing of it is served.
  private other(section: keyof typeof otherSections, value: unknown, path: Path): void {
    const checked = checkShape<unknown>(otherSections[section], this.doc, path, value ?? {})
    this.problems.push(...checked.problems)
    const parts = new Set(checked.notYet.map((used) => used.split('.')[1]!.replace(/\[.*/, '')))
    for (const part of parts) this.count(`${section}.${part}`)
    if (section === 'tls') this.noteTlsNames(value as Value, path)
  }

  private noteTlsNames(value: Value | null, path: Path): void {
    for (const [key, objects] of Object.entries(value ?? {})) {
      const kind = key.toLowerCase()
      if (kind !== 'options' && kind !== 'stores') continue
      if (typeof objects !== 'object' || objects === null) continue
      for (const name of Object.keys(objects)) {
        this.tlsNames.push({ kind, name, path: [...path, key, name] })
      }
    }
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
