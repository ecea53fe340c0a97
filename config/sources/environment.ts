// Environment variables into settings: SLUICE_ENTRYPOINTS_WEB_ADDRESS, and TRAEFIK_* for who has those.
//
// Names are lower-cased and split at underscores, as Traefik does; where users name a key, as many words as
// needed are taken so that the rest is a known key (SLUICE_ENTRYPOINTS_MY_WEB_ADDRESS). Hot: no.

import { formatPath, type Path, type Problem } from '../problem.ts'
import type { Shape } from '../shape.ts'
import { listIndexMax, stepsMax, type Setting } from './given.ts'

const prefixes = ['SLUICE_', 'TRAEFIK_'] as const // the first wins
// Kubernetes gives every container such variables for a Service of the name `sluice` or `traefik`.
const serviceLink =
  /_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/

export interface Environment {
  settings: Setting[]
  configFile: string | null
  problems: Problem[]
}

export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  shape: Shape,
): Environment {
  const result: Environment = { settings: [], configFile: null, problems: [] }
  const known = new Set<string>()
  for (const prefix of prefixes) {
    for (const name of Object.keys(env).sort()) {
      const text = env[name]
      if (text === undefined || !name.startsWith(prefix) || serviceLink.test(name)) continue
      readVariable(result, name, prefix, text, shape, known)
    }
  }
  return result
}

function readVariable(
  result: Environment,
  name: string,
  prefix: string,
  text: string,
  shape: Shape,
  known: Set<string>,
): void {
  const words = name.slice(prefix.length).toLowerCase().split('_')
  if (words.join('') === 'configfile') {
    result.configFile ??= text
    return
  }
  const label = `environment (${name})`
  // Images and shells set TRAEFIK_VERSION and the like for purposes of their own.
  if (prefix === 'TRAEFIK_' && !shape.keys!.has(words[0]!)) {
    result.problems.push(problem(label, 'warning', 'is not a setting and is ignored'))
    return
  }
  const path = words.length > stepsMax ? null : (resolve(words, shape) ?? words)
  if (path === null || path.includes('__proto__')) {
    result.problems.push(problem(label, 'error', 'is not the name of a setting'))
    return
  }
  const spelled = formatPath(path)
  if (known.has(spelled)) return
  known.add(spelled)
  result.settings.push({ path, text, label })
}

function problem(file: string, severity: Problem['severity'], message: string): Problem {
  const place = { file, line: 0, column: 0, path: '' }
  return { severity, code: 'CONFIG_ENVIRONMENT', ...place, message, suggestion: '' }
}

// Null when the words are no known key. Each record tries shorter names first, so the work is bounded by
// the words: stepsMax to the power of the records on a path, which are two at most.
function resolve(words: readonly string[], shape: Shape): (string | number)[] | null {
  if (words.length === 0) return canBeText(shape) ? [] : null
  const word = words[0]!
  const rest = words.slice(1)
  if (shape.kind === 'object') {
    const child = shape.keys!.get(word)
    return child === undefined ? null : prepend(child.name, resolve(rest, child.shape))
  }
  if (shape.kind === 'array') {
    if (!/^\d{1,4}$/.test(word) || Number(word) >= listIndexMax) return null
    return prepend(Number(word), resolve(rest, shape.element!))
  }
  if (shape.kind !== 'record') return null
  for (let length = 1; length <= words.length; length++) {
    const found = resolve(words.slice(length), shape.element!)
    if (found !== null) return prepend(words.slice(0, length).join('_'), found)
  }
  return null
}

function canBeText(shape: Shape): boolean {
  if (shape.kind === 'object') return shape.meta.allowEmpty === true
  return shape.kind !== 'record'
}

function prepend(
  step: string | number,
  path: (string | number)[] | null,
): (string | number)[] | null {
  return path === null ? null : [step, ...path]
}

export function nameVariable(parent: Path, key: string): string {
  return `SLUICE_${[...parent, key].join('_').toUpperCase()}`
}
