// docs/compatibility.md out of the schemas: for each key its default, whether it works, and how.
//
// Run it to write the page: `node config/compat.ts`. A test keeps page and schemas equal. Hot: no.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import { shapeOf, type Shape, type Status } from './shape.ts'

export interface Part {
  title: string
  about: string
  schema: z.ZodType
}

export interface KeyRow {
  path: string // entryPoints.<name>.http.tls.domains[].main
  setting: boolean // a value of its own, not only a block that holds others
  shape: Shape
  status: Status
  note: string
}

interface Inherited {
  status: Status
  note: string
}

const works: Inherited = { status: 'works', note: '' }

export function listKeys(schema: z.ZodType): KeyRow[] {
  const rows: KeyRow[] = []
  addChildren(rows, shapeOf(schema), '', works, new Set())
  return rows
}

// A block that isn't built yet takes everything in it along. `around` stops schemas that contain themselves.
function addKey(
  rows: KeyRow[],
  path: string,
  shape: Shape,
  parent: Inherited,
  around: Set<Shape>,
): void {
  const own = shape.meta.status ?? 'works'
  const inherits = parent.status === 'not yet' || shape.meta.status === undefined
  const status = inherits ? parent.status : own
  const note = shape.meta.note ?? (inherits && status === 'not yet' ? parent.note : '')
  const holds = isContainer(shape)
  if (shape.kind === 'record' && !holds) path = `${path}.<name>`
  rows.push({ path, setting: !holds || shape.meta.allowEmpty === true, shape, status, note })
  const inherited = status === 'not yet' ? { status, note } : works
  if (holds && !around.has(shape)) addChildren(rows, shape, path, inherited, around)
}

function isContainer(shape: Shape): boolean {
  if (shape.kind === 'array') return isContainer(shape.element!)
  if (shape.kind === 'record') return isContainer(shape.element!)
  return shape.kind === 'object' || (shape.kind === 'union' && shape.options.some(isContainer))
}

function addChildren(
  rows: KeyRow[],
  shape: Shape,
  path: string,
  inherited: Inherited,
  around: Set<Shape>,
): void {
  const inside = new Set(around).add(shape)
  const below = path === '' ? '' : `${path}.`
  for (const { name, shape: child } of shape.keys?.values() ?? []) {
    addKey(rows, `${below}${name}`, child, inherited, inside)
  }
  if (shape.kind === 'record' || shape.open)
    addKey(rows, `${below}<name>`, shape.element!, inherited, inside)
  if (shape.kind === 'array') {
    const element = shape.element!
    if (!inside.has(element)) addChildren(rows, element, `${path}[]`, inherited, inside)
  }
  for (const option of shape.options) {
    if (isContainer(option)) addChildren(rows, option, path, inherited, inside)
  }
}

const intro = `# Compatibility with Traefik v3

Written by \`config/compat.ts\` from the schemas that check your files; do not edit it by hand.

- **works**: as in Traefik, apart from what the note says.
- **partly**: the note says what is missing.
- **not yet**: accepted and checked, without effect; Sluice names such keys in one warning at start.

Keys marked *Sluice* are our own; Traefik refuses them. Any other key is an error with its place in the file.
Durations are Go's (\`1m30s\`, \`500ms\`), bare numbers are seconds. Names match whatever their case.
`

export function compatibilityPage(parts: readonly Part[]): string {
  const sections = parts.map((part) => {
    const rows = listKeys(part.schema).filter((row) => row.setting)
    const summary = `${part.about}\n\n${countLine(rows)}`
    const blocks = groupRows(rows).map(([title, group]) => blockTable(title, group))
    return `## ${part.title}\n\n${summary}\n\n${blocks.join('\n')}`
  })
  return `${intro}\n${sections.join('\n')}`
}

function countLine(rows: readonly KeyRow[]): string {
  const count = (status: Status) => rows.filter((row) => row.status === status).length
  return `${rows.length} keys: ${count('works')} work, ${count('partly')} partly, ${count('not yet')} not yet.`
}

function groupRows(rows: readonly KeyRow[]): [string, KeyRow[]][] {
  const groups = new Map<string, KeyRow[]>()
  for (const row of rows) {
    const title = groupTitle(row.path)
    const group = groups.get(title) ?? []
    group.push(row)
    groups.set(title, group)
  }
  return [...groups]
}

// Big blocks are split one step further: providers.docker, http.middlewares, metrics.otlp.
function groupTitle(path: string): string {
  const steps = path.split('.')
  const split = ['providers', 'metrics', 'http', 'tcp', 'udp', 'tls']
  return steps.length > 2 && split.includes(steps[0]!) ? steps.slice(0, 2).join('.') : steps[0]!
}

function blockTable(title: string, rows: readonly KeyRow[]): string {
  const lines = rows.map((row) => {
    const mark = row.shape.meta.extension ? '*Sluice* ' : ''
    const note = `${mark}${row.note}`.trim()
    return `| \`${row.path}\` | ${defaultText(row.shape)} | ${row.status} | ${escapeCell(note)} |`
  })
  const head = '| key | default | | note |\n| --- | --- | --- | --- |'
  return `### ${title}\n\n${head}\n${lines.join('\n')}\n`
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function defaultText(shape: Shape): string {
  const value = shape.default
  if (value === undefined || value === '' || value === null) {
    return value === null && shape.kind === 'object' ? 'off' : ''
  }
  if (shape.meta.hint?.startsWith('a duration') && typeof value === 'number') {
    return code(durationText(value))
  }
  if (Array.isArray(value)) return value.length === 0 ? '' : code(value.join(', '))
  return typeof value === 'object' ? '' : code(String(value))
}

function code(text: string): string {
  return text.includes('`') ? `\`\` ${escapeCell(text)} \`\`` : `\`${escapeCell(text)}\``
}

function durationText(ms: number): string {
  if (ms === 0) return '0'
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`
}

export function compatibilityPath(): string {
  return join(import.meta.dirname, '..', 'docs', 'compatibility.md')
}

// The schemas are asked for at run time: whoever only lists keys doesn't build both of them.
export async function allParts(): Promise<Part[]> {
  const { staticSchema } = await import('./static.ts')
  const { dynamicSchema } = await import('./dynamic.ts')
  return [
    {
      title: 'Static configuration',
      about: 'Read once, at start, from a file, flags and environment variables.',
      schema: staticSchema,
    },
    {
      title: 'Routing configuration',
      about: 'Comes from providers, and is replaced while the gateway runs.',
      schema: dynamicSchema,
    },
  ]
}

if (import.meta.main) writeFileSync(compatibilityPath(), compatibilityPage(await allParts()))
