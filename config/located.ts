// A parsed configuration file that knows where each of its values stands.
//
// Parsing is the common case and must be fast (10,000 routers are 1.2 MB of YAML: 60 ms); positions are
// wanted only when something is wrong, so they are worked out on the first locate() and kept. What the
// parsers let through and we don't: keys named __proto__, alias bombs, cycles, deep nesting. Hot: no.

import { isUtf8 } from 'node:buffer'
import { extname } from 'node:path'
import { findPlace, lineStartsOf, positionAt, type Place, type Position } from './position.ts'
import { ConfigError, formatPath, formatProblem, type Path, type Problem } from './problem.ts'
import { SyntaxFault } from './syntax-fault.ts'
import { depthMax, parseYaml, placesOfYaml } from './located-yaml.ts'
import { parseToml, placesOfToml } from './located-toml.ts'

export { ConfigError, formatPath, formatProblem }
export type { Path, Problem }

export interface Located {
  value: unknown
  file: string
  locate(path: Path): Position
}

export const fileBytesMax = 16 * 1024 * 1024
// 10,000 routers have 120,000 nodes; aliases may multiply nodes, and this bounds the product.
const nodesMax = 4_000_000

export function parseLocated(text: string, file: string): Located {
  if (text.length > fileBytesMax) throw fileError(file, 'CONFIG_TOO_LARGE', tooLargeMessage)
  const body = text.startsWith('\ufeff') ? text.slice(1) : text
  const toml = extname(file).toLowerCase() === '.toml'
  const lineStarts = lazily(() => lineStartsOf(body))
  const places = lazily(() => (toml ? placesOfToml(body) : placesOfYaml(body)))
  const locate = (path: Path): Position =>
    positionAt(lineStarts(), findPlace(places(), path).offset)
  try {
    const value = (toml ? parseToml(body) : parseYaml(body)) ?? {}
    refuseHostile(value)
    return { value, file, locate }
  } catch (error) {
    if (error instanceof HostileNode) throw hostileError(error, file, locate)
    if (!(error instanceof SyntaxFault)) throw error
    const position = positionAt(lineStarts(), Math.min(error.offset, body.length))
    throw fileError(file, 'CONFIG_SYNTAX', `syntax error: ${error.message}`, position)
  }
}

const tooLargeMessage = `is larger than ${fileBytesMax / 1024 / 1024} MiB, the limit for one file`

function lazily<T extends number[] | Place>(make: () => T): () => T {
  let made: T | null = null
  return () => (made ??= make())
}

function fileError(file: string, code: string, message: string, at?: Position): ConfigError {
  const { line, column } = at ?? { line: 0, column: 0 }
  const path = ''
  return new ConfigError([
    { severity: 'error', code, file, line, column, path, message, suggestion: '' },
  ])
}

class HostileNode extends Error {
  readonly path: Path

  constructor(message: string, path: Path) {
    super(message)
    this.path = path
  }
}

function hostileError(node: HostileNode, file: string, locate: Located['locate']): ConfigError {
  const { line, column } = locate(node.path)
  const path = formatPath(node.path)
  const message = node.message
  return new ConfigError([
    {
      severity: 'error',
      code: 'CONFIG_SYNTAX',
      file,
      line,
      column,
      path,
      message,
      suggestion: '',
    },
  ])
}

interface Extent {
  nodes: number // with every alias written out
  depth: number
}

const openExtent: Extent = { nodes: 0, depth: 0 } // of a node whose children are being counted

function refuseHostile(root: unknown): void {
  measure(root, [], new Map())
}

// Aliases make the same object appear many times: each is measured once and counted as often as it is used.
// Recursion is bounded by depthMax, since the real nesting was bounded by the parser and depth is added up.
function measure(value: unknown, path: (string | number)[], known: Map<object, Extent>): Extent {
  if (typeof value !== 'object' || value === null) return { nodes: 1, depth: 1 }
  const before = known.get(value)
  if (before === openExtent) throw new HostileNode('an alias refers to a node around it', path)
  if (before !== undefined) return before
  if (path.length > depthMax) throw new HostileNode(`is nested deeper than ${depthMax}`, path)
  known.set(value, openExtent)
  const extent: Extent = { nodes: 1, depth: 1 }
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) addChild(extent, value[at], at, path, known)
  } else {
    const map = value as Record<string, unknown>
    for (const key of Object.keys(map)) addChild(extent, map[key], key, path, known)
  }
  if (extent.depth > depthMax) throw new HostileNode(`is nested deeper than ${depthMax}`, path)
  if (extent.nodes > nodesMax) {
    throw new HostileNode(`has more than ${nodesMax} nodes once its aliases are written out`, path)
  }
  known.set(value, extent)
  return extent
}

function addChild(
  extent: Extent,
  child: unknown,
  step: string | number,
  path: (string | number)[],
  known: Map<object, Extent>,
): void {
  path.push(step)
  if (step === '__proto__') throw new HostileNode('"__proto__" is not allowed as a key', path)
  if (typeof child === 'object' && child !== null) {
    const inner = measure(child, path, known)
    extent.nodes += inner.nodes
    if (inner.depth >= extent.depth) extent.depth = inner.depth + 1
  } else {
    extent.nodes++
  }
  path.pop()
}

// Whoever reads a file gives its bytes here: a file in another encoding is refused, not guessed at.
export function decodeUtf8Strict(bytes: Uint8Array, file: string): string {
  if (bytes.length > fileBytesMax) throw fileError(file, 'CONFIG_TOO_LARGE', tooLargeMessage)
  if (isUtf8(bytes)) return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  throw fileError(file, 'CONFIG_ENCODING', 'is not valid UTF-8', firstInvalidUtf8(bytes))
}

function firstInvalidUtf8(bytes: Uint8Array): Position {
  let line = 1
  let start = 0
  for (;;) {
    const newline = bytes.indexOf(0x0a, start)
    const end = newline === -1 ? bytes.length : newline
    if (!isUtf8(bytes.subarray(start, end)) || newline === -1) break
    start = end + 1
    line++
  }
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(start))
  return { line, column: Math.max(0, text.indexOf('\ufffd')) + 1 }
}
