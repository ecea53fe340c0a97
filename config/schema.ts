// Helpers over zod for every schema of the configuration, and the check of a document against one.
//
// checkShape reports everything that is wrong, each with its place and the nearest known word, and names
// the keys that are Traefik's but not built here yet. Hot: no.

import { z } from 'zod'
import { formatPath, type Path, type Problem } from './problem.ts'
import type { Located } from './located.ts'
import { shapeOf, type KeyMeta, type Status } from './shape.ts'
import { addProblem, newWalk, walkValue, type Origin, type Walk } from './schema-walk.ts'

export { nearestKey } from './nearest.ts'
export { bytes, duration, parseDuration, port, signedDuration } from './value-types.ts'
export type { KeyMeta, Status }

export interface Checked<T> {
  value: T | null // null when there is at least one error
  problems: Problem[] // errors and warnings
  notYet: string[] // paths of the used keys that are accepted but have no effect yet
}

// `meta(schema, { status: 'not yet', note: 'issue 3' })`, typed: zod's own meta() takes anything.
export function meta<T extends z.ZodType>(schema: T, about: KeyMeta): T {
  const before = z.globalRegistry.get(schema)
  return schema.meta({ ...before, ...about } as Record<string, unknown>)
}

export function checkShape<T>(
  schema: z.ZodType<T>,
  doc: Located,
  at: Path = [],
  value: unknown = valueAt(doc.value, at),
): Checked<T> {
  const origin = originOf(doc)
  const walk = newWalk(origin, at)
  const used = walkValue(walk, shapeOf(schema), value)
  return finishCheck(schema, used, at, walk)
}

// The second half: zod's checks and defaults on what the walk has brought into shape.
export function finishCheck<T>(
  schema: z.ZodType<T>,
  value: unknown,
  at: Path,
  walk: Walk,
): Checked<T> {
  const parsed = schema.safeParse(value)
  if (!parsed.success) addIssues(walk, parsed.error.issues, at)
  const failed = walk.problems.some((problem) => problem.severity === 'error')
  return {
    value: parsed.success && !failed ? parsed.data : null,
    problems: walk.problems,
    notYet: [...walk.notYet],
  }
}

export function originOf(doc: Located): Origin {
  return (path) => ({ file: doc.file, ...doc.locate(path) })
}

function valueAt(root: unknown, at: Path): unknown {
  let value = root
  for (const step of at) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string | number, unknown>)[step]
  }
  return value
}

// What the walk has refused is absent for zod, which may then miss it: one complaint per key is enough.
function addIssues(walk: Walk, issues: readonly z.core.$ZodIssue[], at: Path): void {
  const reported = new Set(walk.problems.map((problem) => problem.path.toLowerCase()))
  for (const issue of issues) {
    walk.path = [...at, ...issue.path.filter((step) => typeof step !== 'symbol')]
    const path = formatPath(walk.path)
    if (reported.has(path.toLowerCase())) continue
    const required = issue.code === 'invalid_type' && issue.expected !== 'int'
    const name = path === '' ? 'the document' : path
    const message = required ? `${name} is required` : `${name}: ${describeIssue(issue)}`
    addProblem(walk, required ? 'CONFIG_REQUIRED' : 'CONFIG_VALUE', message)
  }
}

function describeIssue(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return 'expected a whole number'
    case 'too_small':
      return issue.minimum === 1 && issue.origin !== 'number' && issue.origin !== 'int'
        ? 'must not be empty'
        : `must be at least ${issue.minimum}`
    case 'too_big':
      return `must be at most ${issue.maximum}`
    default:
      return issue.message
  }
}

// The one warning about everything that was accepted and has no effect yet.
export function notYetProblem(notYet: readonly string[], file: string): Problem | null {
  if (notYet.length === 0) return null
  const message = `accepted, but without effect in this version: ${[...notYet].sort().join(', ')}`
  const place = { file, line: 0, column: 0, path: '' }
  return { severity: 'warning', code: 'CONFIG_NOT_YET', ...place, message, suggestion: '' }
}
