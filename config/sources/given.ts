// Settings given one by one (flags, environment variables), gathered into a document like a file's.
//
// Each setting is a path and a text; the schema walk turns texts into values. A setting keeps the name it
// was given by, so that a problem can name it. Hot: no.

import type { Path, Problem } from '../problem.ts'
import { formatPath } from '../problem.ts'
import { newWalk, walkValue, type Origin } from '../schema-walk.ts'
import type { Shape } from '../shape.ts'

export const listIndexMax = 1000
export const stepsMax = 32

export interface Setting {
  path: (string | number)[]
  text: string
  label: string // what a problem calls it: '--workers', 'environment (SLUICE_WORKERS)'
}

// What one source says, in the schema's spelling. `removed` are blocks switched off by `false`, which
// must also remove what a weaker source says about them.
export interface Layer {
  value: Record<string, unknown>
  origin: Origin
  problems: Problem[]
  notYet: string[]
  removed: Path[]
}

export function layerOf(
  settings: readonly Setting[],
  shape: Shape,
  nameKey: (path: Path, key: string) => string,
): Layer {
  const root: Record<string, unknown> = {}
  const removed: Path[] = []
  for (const setting of settings) {
    if (isSwitchedOff(setting, shape)) removed.push(canonicalPath(setting.path, shape))
    else put(root, setting)
  }
  const origin: Origin = (path) => ({ file: labelOf(settings, path), line: 0, column: 0 })
  const walk = newWalk(origin, [])
  const value = (walkValue(walk, shape, root) ?? {}) as Record<string, unknown>
  for (const problem of walk.problems) {
    if (problem.code !== 'CONFIG_KEY_UNKNOWN' || problem.suggestion === '') continue
    const setting = settings.find((one) => one.label === problem.file)
    const at = problem.path.split('.').length - 1
    if (setting !== undefined)
      problem.suggestion = nameKey(setting.path.slice(0, at), problem.suggestion)
  }
  return { value, origin, problems: walk.problems, notYet: [...walk.notYet], removed }
}

function labelOf(settings: readonly Setting[], path: Path): string {
  for (let length = path.length; length > 0; length--) {
    const wanted = formatPath(path.slice(0, length)).toLowerCase()
    const found = settings.findLast((setting) => {
      const name = formatPath(setting.path).toLowerCase()
      return name === wanted || name.startsWith(`${wanted}.`) || name.startsWith(`${wanted}[`)
    })
    if (found !== undefined) return found.label
  }
  return settings[0]?.label ?? ''
}

export function stepInto(shape: Shape | null, step: string | number): Shape | null {
  if (shape === null) return null
  if (typeof step === 'number') return shape.kind === 'array' ? shape.element : null
  if (shape.kind === 'record') return shape.element
  return shape.keys?.get(step.toLowerCase())?.shape ?? null
}

export function shapeAt(shape: Shape, path: Path): Shape | null {
  return path.reduce<Shape | null>(stepInto, shape)
}

function canonicalPath(path: Path, shape: Shape): Path {
  let at: Shape | null = shape
  return path.map((step) => {
    const name = typeof step === 'string' ? at?.keys?.get(step.toLowerCase())?.name : undefined
    at = stepInto(at, step)
    return name ?? step
  })
}

function isSwitchedOff(setting: Setting, shape: Shape): boolean {
  const target = shapeAt(shape, setting.path)
  return (
    target?.kind === 'object' &&
    target.meta.allowEmpty === true &&
    /^(false|f|0)$/i.test(setting.text)
  )
}

type Container = Record<string | number, unknown>

// Keys differ only in case when users spell them differently: the first spelling holds the branch.
function spelledAs(container: Container, step: string | number): string | number {
  if (typeof step === 'number') return step
  const wanted = step.toLowerCase()
  return Object.keys(container).find((key) => key.toLowerCase() === wanted) ?? step
}

// `--api` beside `--api.insecure` says nothing more: the block wins over the switch.
function put(root: Container, setting: Setting): void {
  let container = root
  for (let at = 0; at < setting.path.length - 1; at++) {
    const step = spelledAs(container, setting.path[at]!)
    const child = container[step]
    if (typeof child !== 'object' || child === null) {
      container[step] = typeof setting.path[at + 1] === 'number' ? [] : {}
    }
    container = container[step] as Container
  }
  const last = spelledAs(container, setting.path.at(-1)!)
  if (typeof container[last] !== 'object') container[last] = setting.text
}
