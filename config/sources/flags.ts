// Command line flags into settings: `--entryPoints.web.address=:80`, `--api`, `--workers 2`.
//
// As in Traefik: names in any case, one dash or two, a switch needs no value, a list may be repeated or
// separated by commas, members of lists by index (`domains[0].main`). Hot: no.

import { formatPath, type Path, type Problem } from '../problem.ts'
import type { Shape } from '../shape.ts'
import { listIndexMax, shapeAt, stepsMax, type Setting } from './given.ts'

const configFileName = 'configfile'

export interface Flags {
  settings: Setting[]
  configFile: string | null
  problems: Problem[]
}

export function readFlags(argv: readonly string[], shape: Shape): Flags {
  const flags: Flags = { settings: [], configFile: null, problems: [] }
  for (let at = 0; at < argv.length; at++) at += readFlag(flags, argv[at]!, argv[at + 1], shape)
  return flags
}

function report(flags: Flags, label: string, message: string): void {
  const place = { file: label, line: 0, column: 0, path: '' }
  flags.problems.push({ severity: 'error', code: 'CONFIG_FLAG', ...place, message, suggestion: '' })
}

// Returns 1 when the flag has taken the next argument as its value.
function readFlag(flags: Flags, argument: string, next: string | undefined, shape: Shape): 0 | 1 {
  const match = /^--?([^=\s-][^=]*)(?:=([\s\S]*))?$/.exec(argument)
  if (match === null) {
    report(flags, argument, 'is not a flag; flags look like --workers=2')
    return 0
  }
  const name = match[1]!
  const label = `--${name}`
  const isFile = name.toLowerCase() === configFileName
  const path = isFile ? ['configFile'] : parseName(name)
  if (path === null) {
    report(flags, label, 'is not the name of a flag')
    return 0
  }
  const target = isFile ? null : shapeAt(shape, path)
  const given = match[2]
  const takesNext =
    given === undefined && !isSwitch(target) && next !== undefined && !next.startsWith('--')
  const text = given ?? (takesNext ? next : 'true')
  if (given === undefined && !takesNext && !isSwitch(target) && (isFile || target !== null)) {
    report(flags, label, 'needs a value')
  } else if (isFile) flags.configFile = text
  else addSetting(flags, { path, text, label }, target)
  return takesNext && (isFile || target !== null) ? 1 : 0
}

function isSwitch(shape: Shape | null): boolean {
  return shape !== null && (shape.kind === 'boolean' || shape.meta.allowEmpty === true)
}

function addSetting(flags: Flags, setting: Setting, target: Shape | null): void {
  const name = formatPath(setting.path).toLowerCase()
  const before = flags.settings.find((one) => formatPath(one.path).toLowerCase() === name)
  if (before === undefined) flags.settings.push(setting)
  else if (target?.kind === 'array') before.text = `${before.text},${setting.text}`
  else before.text = setting.text
}

// 'a.b[0].c' -> ['a', 'b', 0, 'c']; null when it is malformed or hostile.
export function parseName(name: string): (string | number)[] | null {
  const path: (string | number)[] = []
  for (const part of name.split('.')) {
    const match = /^([^[\]]+)((?:\[\d{1,4}\])*)$/.exec(part)
    if (match === null || match[1] === '__proto__') return null
    path.push(match[1]!)
    for (const index of match[2]!.matchAll(/\d+/g)) path.push(Number(index[0]))
  }
  const bounded = path.every((step) => typeof step === 'string' || step < listIndexMax)
  return bounded && path.length <= stepsMax ? path : null
}

export function nameFlag(parent: Path, key: string): string {
  return `--${formatPath([...parent, key])}`
}
