// Brings a parsed document into the spelling and types of a schema, before zod sees it.
//
// Does what Traefik does with a file: keys match whatever their case, scalars are converted ("true", "80",
// "a,b"), a key without a value is as good as absent, `true` enables a block with its defaults. Reports
// what it can't place; zod then fills defaults and checks values. Hot: no.

import type { Shape } from './shape.ts'
import { formatPath, problemsMax, type Path, type Problem } from './problem.ts'
import { nearestKey } from './nearest.ts'
import { describeValue } from './value-types.ts'

// Where a path stands: the file of one document, or the source that won when several were merged.
export type Origin = (path: Path) => { file: string; line: number; column: number }

export interface Walk {
  origin: Origin
  path: (string | number)[] // as the source spells it, for origin()
  names: (string | number)[] // the same as the schema spells it, for lists of keys
  problems: Problem[]
  notYet: Set<string>
}

export function newWalk(origin: Origin, at: Path): Walk {
  return { origin, path: [...at], names: [...at], problems: [], notYet: new Set() }
}

export function addProblem(walk: Walk, code: string, message: string, suggestion = ''): void {
  if (walk.problems.length >= problemsMax) return
  const severity = code === 'CONFIG_EMPTY' ? 'warning' : 'error'
  const path = formatPath(walk.path)
  walk.problems.push({ severity, code, ...walk.origin(walk.path), path, message, suggestion })
}

// Undefined stands for "nothing usable here": absent, empty, or reported.
export function walkValue(walk: Walk, shape: Shape, value: unknown): unknown {
  if (value === null || value === undefined) return walkNothing(walk, shape)
  switch (shape.kind) {
    case 'object':
      return walkObject(walk, shape, value)
    case 'record':
      return walkRecord(walk, shape, value)
    case 'array':
      return walkArray(walk, shape, value)
    case 'union':
      return walkUnion(walk, shape, value)
    case 'any':
      return value
    default:
      return walkScalar(walk, shape, value)
  }
}

function walkNothing(walk: Walk, shape: Shape): undefined {
  if (!shape.meta.allowEmpty || walk.path.length === 0) return undefined
  const name = formatPath(walk.path)
  addProblem(walk, 'CONFIG_EMPTY', `${name} has no value and is ignored; {} enables it`)
  return undefined
}

function wrongType(walk: Walk, shape: Shape, value: unknown): undefined {
  const got = shape.meta.secret ? 'something else' : describeValue(value)
  const suggestion =
    shape.kind === 'enum' && typeof value === 'string' ? nearestKey(value, shape.names) : ''
  const name = walk.path.length === 0 ? 'the document' : formatPath(walk.path)
  addProblem(walk, 'CONFIG_TYPE', `${name}: expected ${expected(shape)}, got ${got}`, suggestion)
  return undefined
}

function expected(shape: Shape): string {
  if (shape.meta.hint !== undefined) return shape.meta.hint
  switch (shape.kind) {
    case 'enum':
      return `one of ${shape.names.join(', ')}`
    case 'union':
      return [...new Set(shape.options.map(expected))].join(' or ')
    case 'object':
      return shape.meta.allowEmpty ? 'true, false or a map' : 'a map'
    case 'record':
      return 'a map'
    case 'array':
      return 'a list'
    case 'boolean':
      return 'true or false'
    default:
      return `a ${shape.kind}`
  }
}

function asMap(value: unknown): Record<string, unknown> | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  return value as Record<string, unknown>
}

function walkObject(walk: Walk, shape: Shape, value: unknown): unknown {
  if (shape.meta.allowEmpty && typeof value !== 'object') {
    const enabled = parseBoolean(value)
    if (enabled !== null) return enabled ? {} : undefined
  }
  const map = asMap(value)
  if (map === null) return wrongType(walk, shape, value)
  const result: Record<string, unknown> = {}
  for (const key of Object.keys(map)) {
    const child = shape.keys!.get(key.toLowerCase())
    walk.path.push(key)
    if (child === undefined) walkUnknown(walk, shape, key, map[key], result)
    else if (Object.hasOwn(result, child.name)) {
      addProblem(walk, 'CONFIG_KEY_DUPLICATE', `${formatPath(walk.path)} is given twice`)
    } else walkMember(walk, child.name, child.shape, map[key], result)
    walk.path.pop()
  }
  return result
}

function walkMember(
  walk: Walk,
  name: string,
  shape: Shape,
  value: unknown,
  result: Record<string, unknown>,
): void {
  walk.names.push(name)
  const used = walkValue(walk, shape, value)
  if (used !== undefined) result[name] = used
  if (used !== undefined && shape.meta.status === 'not yet') noteNotYet(walk)
  walk.names.pop()
}

// A block that isn't built yet is named once, not once for each of its keys.
function noteNotYet(walk: Walk): void {
  const path = formatPath(walk.names)
  for (const known of walk.notYet) if (known.startsWith(`${path}.`)) walk.notYet.delete(known)
  walk.notYet.add(path)
}

function walkUnknown(
  walk: Walk,
  shape: Shape,
  key: string,
  value: unknown,
  result: Record<string, unknown>,
): void {
  if (shape.open) {
    result[key] = value
    return
  }
  const parent = formatPath(walk.path.slice(0, -1))
  const place = parent === '' ? '' : ` in ${parent}`
  const suggestion = nearestKey(key, shape.names)
  addProblem(walk, 'CONFIG_KEY_UNKNOWN', `unknown key ${describeValue(key)}${place}`, suggestion)
}

function walkRecord(walk: Walk, shape: Shape, value: unknown): unknown {
  const map = asMap(value)
  if (map === null) return wrongType(walk, shape, value)
  const result: Record<string, unknown> = {}
  for (const key of Object.keys(map)) {
    const used = walkItem(walk, shape.element!, key, map[key])
    if (used !== undefined) result[key] = used
  }
  return result
}

function walkArray(walk: Walk, shape: Shape, value: unknown): unknown {
  const items = asList(shape, value)
  if (items === null) return wrongType(walk, shape, value)
  const result: unknown[] = []
  for (let at = 0; at < items.length; at++) {
    const used = walkItem(walk, shape.element!, at, items[at])
    if (used !== undefined) result.push(used)
  }
  return result
}

function walkItem(walk: Walk, shape: Shape, step: string | number, value: unknown): unknown {
  walk.path.push(step)
  walk.names.push(step)
  const used = walkValue(walk, shape, value)
  walk.path.pop()
  walk.names.pop()
  return used
}

// One scalar in place of a list is a list separated by commas, in files as in flags.
function asList(shape: Shape, value: unknown): unknown[] | null {
  if (Array.isArray(value)) return value
  if (typeof value === 'object' || shape.element!.kind === 'object') return null
  const text = String(value).trim()
  return text === '' ? [] : text.split(',').map((item) => item.trim())
}

function walkScalar(walk: Walk, shape: Shape, value: unknown): unknown {
  if (typeof value === 'object') return wrongType(walk, shape, value)
  const used = convertScalar(shape, value)
  return used === null ? wrongType(walk, shape, value) : used
}

function convertScalar(shape: Shape, value: unknown): string | number | boolean | null {
  switch (shape.kind) {
    case 'string':
      return String(value)
    case 'number':
      return parseNumber(value)
    case 'boolean':
      return parseBoolean(value)
    default: {
      const wanted = String(value).toLowerCase()
      return shape.names.find((name) => name.toLowerCase() === wanted) ?? null
    }
  }
}

function parseNumber(value: unknown): number | null {
  if (typeof value === 'number') return value
  if (typeof value !== 'string' || !/^[+-]?(\d+\.?\d*|\.\d+)$/.test(value.trim())) return null
  return Number(value)
}

// The spellings that Go's strconv.ParseBool knows.
function parseBoolean(value: unknown): boolean | null {
  if (typeof value === 'boolean') return value
  if (/^(1|t|true)$/i.test(String(value))) return true
  if (/^(0|f|false)$/i.test(String(value))) return false
  return null
}

// The option that takes the value without a complaint, or else the complaints of the one that came nearest.
function walkUnion(walk: Walk, shape: Shape, value: unknown): unknown {
  let best: Walk | null = null
  for (const option of shape.options) {
    if (!isSuited(option, value)) continue
    const attempt = { ...newWalk(walk.origin, walk.path), names: [...walk.names] }
    const used = walkValue(attempt, option, value)
    if (attempt.problems.length === 0) {
      for (const key of attempt.notYet) walk.notYet.add(key)
      return used
    }
    if (best === null || attempt.problems.length < best.problems.length) best = attempt
  }
  if (best === null || typeof value !== 'object') return wrongType(walk, shape, value)
  walk.problems.push(...best.problems.slice(0, problemsMax - walk.problems.length))
  return undefined
}

function isSuited(option: Shape, value: unknown): boolean {
  switch (option.kind) {
    case 'object':
    case 'record':
      return asMap(value) !== null || option.meta.allowEmpty === true
    case 'array':
      return Array.isArray(value)
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value === option.kind
    case 'enum':
      return typeof value !== 'object'
    default:
      return true
  }
}
