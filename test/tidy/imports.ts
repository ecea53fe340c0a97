// test/tidy/imports.ts: which file names which, and the table of what may import what.
//
// The table is the one of ARCHITECTURE.md, "The map". Its words: 'core/' is a folder, 'config/diff.ts' a file,
// 'node:' every built-in module, anything else a package.

import { existsSync } from 'node:fs'
import { join, posix } from 'node:path'
import { type Source, isTestFile, repository } from './source.ts'

export interface Import {
  readonly from: string
  readonly to: string // a path within the repository, 'node:fs', or the name of a package
  readonly line: number
}

// import ... from 'x', export ... from 'x', import('x'), require('x'), new URL('./x.ts', import.meta.url)
const NAMES =
  /(?:(?<!\.)\bfrom\s+|(?<!\.)\bimport\s*\(?\s*|\bURL\(\s*|\brequire\(|\bcreateRequire\([^)]*\)\()'( *)'/g

export function importsOf(source: Source): Import[] {
  const found: Import[] = []
  for (const match of source.code.matchAll(NAMES)) {
    const start = match.index + match[0].length - 1 - match[1]!.length
    const name = source.text.slice(start, start + match[1]!.length)
    if (match[0].startsWith('URL') && !name.startsWith('.')) continue
    const line = source.text.slice(0, start).split('\n').length
    found.push({ from: source.path, to: resolveName(source.path, name), line })
  }
  return found
}

function resolveName(from: string, name: string): string {
  if (name.startsWith('.')) return posix.join(posix.dirname(from), name)
  if (name.startsWith('node:')) return name
  const parts = name.split('/')
  return name.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!
}

interface Row {
  readonly files: string // the beginning of the path of the importing files
  readonly may: readonly string[]
}

// The first row that fits is the one that holds.
const table: readonly Row[] = [
  // Pure and synchronous. re2js is the linear engine for regular expressions, itself without any import.
  { files: 'core/', may: ['core/', 're2js'] },
  // Each foreign thing behind one file or folder.
  {
    files: 'workers/downstream/uws/binding.ts',
    may: ['core/', 'workers/', 'node:', 'uWebSockets.js'],
  },
  {
    files: 'workers/operations-log.ts',
    may: ['core/', 'workers/', 'node:', 'pino', 'sonic-boom', 'config/static.ts'],
  },
  { files: 'workers/cache/', may: ['core/', 'workers/', 'node:', 'lru-cache'] },
  {
    files: 'workers/store/client.ts',
    may: ['core/', 'workers/', 'node:', '@redis/client'],
  },
  { files: 'workers/jobs.ts', may: ['core/', 'workers/', 'node:', 'piscina'] },
  { files: 'workers/job-thread.ts', may: ['core/', 'workers/', 'node:', 'bcryptjs'] },
  // The supervisor works out what changed, so it needs diff.ts; workers need the types of a generation.
  {
    files: 'workers/',
    may: [
      'core/',
      'workers/',
      'gates/',
      'node:',
      'config/generation.ts',
      'config/protocol-plans.ts',
      'config/diff.ts',
    ],
  },
  {
    files: 'config/',
    may: ['core/', 'config/', 'node:', 'zod', 'js-yaml', 'smol-toml', 're2js'],
  },
  {
    files: 'certificates/storage/redis-client.ts',
    may: ['core/', 'config/', 'certificates/', 'node:', '@redis/client'],
  },
  // ACME and its storage, in the supervisor.
  {
    files: 'certificates/',
    may: ['core/', 'config/', 'certificates/', 'node:', 'jose'],
  },
  // prom-client for its text format and registry; never on the path of a request.
  {
    files: 'admin/',
    may: ['core/', 'config/', 'admin/', 'workers/messages.ts', 'node:', 'prom-client'],
  },
  {
    files: 'cli/',
    may: ['core/', 'config/', 'workers/', 'gates/', 'admin/', 'certificates/', 'cli/', 'node:'],
  },
  { files: 'main.ts', may: ['core/', 'config/', 'workers/', 'gates/', 'admin/', 'cli/', 'node:'] },
]

// null: allowed; else a sentence.
export function refusalOf({ from, to, line }: Import): string | null {
  const place = `${from}:${line}`
  if (to === 'main.ts') return `${place} imports main.ts; nothing may`
  if (isTestFile(from)) return null
  if (isTestFile(to)) return `${place} imports ${to}; only tests may`
  if (from.startsWith('bench/') || from === 'vitest.config.ts') return null
  if (to.startsWith('bench/')) return `${place} imports ${to}; only benches and tests may`
  if (from.startsWith('gates/')) return refusalOfGate(from, to, place)
  const row = table.find(({ files }) => from.startsWith(files))
  if (row === undefined) return `${from} lies in a folder that the table of imports does not know`
  if (row.may.some((allowed) => isAllowed(allowed, to))) return null
  return `${place} imports ${to}; ${row.files} may import ${row.may.join(', ')}`
}

// A gate knows the core, the words that schemas are written in, and itself; never another gate.
function refusalOfGate(from: string, to: string, place: string): string | null {
  const own = from.split('/').slice(0, 2).join('/') + '/'
  const may = ['core/', 'config/schema.ts', own]
  if (may.some((allowed) => isAllowed(allowed, to))) return null
  return `${place} imports ${to}; ${own} may import ${may.join(', ')}`
}

function isAllowed(allowed: string, to: string): boolean {
  if (allowed.endsWith('/') || allowed === 'node:') return to.startsWith(allowed)
  return to === allowed
}

// Every file that is reached from `entries`, by imports or as an address of a thread.
export function reachedFrom(entries: readonly string[], imports: readonly Import[]): Set<string> {
  const edges = Map.groupBy(imports, (one) => one.from)
  const reached = new Set<string>()
  const open = [...entries]
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (reached.has(path)) continue
    reached.add(path)
    for (const { to } of edges.get(path) ?? []) open.push(to)
  }
  return reached
}

export function isThere(path: string): boolean {
  return existsSync(join(repository, path))
}
