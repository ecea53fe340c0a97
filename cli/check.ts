// cli/check.ts: `sluice check`: reads everything, prints every problem, and says whether it would start.

import { formatProblem, type Problem } from '../config/located.ts'
import { isSet, type CommandArguments } from './arguments.ts'
import type { CommandIo } from './io.ts'
import { loadWhole, type LoadedWhole } from './load.ts'

export const checkOptions = { switches: ['--json'], values: [] }

export async function runCheck(given: CommandArguments, io: CommandIo): Promise<number> {
  const [file, ...more] = given.positions
  if (more.length > 0) {
    io.err(`sluice check: one file at the most, not also ${more.join(' ')}\n`)
    return 2
  }
  const flags = file === undefined ? given.flags : [`--configFile=${file}`, ...given.flags]
  const loaded = await loadWhole(flags, io)
  const errors = loaded.problems.filter(isError).length
  io.out(isSet(given, '--json') ? jsonReport(loaded, errors) : textReport(loaded, errors))
  return errors === 0 ? 0 : 1
}

function isError(problem: Problem): boolean {
  return problem.severity === 'error'
}

function countsOf(loaded: LoadedWhole): Record<string, number> {
  const { compiled, install } = loaded
  const generation = compiled?.generation
  const others = {
    'TCP routers': ownCount(generation?.tcpRouters),
    'UDP routers': ownCount(generation?.udpRouters),
    certificates: ownCount(generation?.tlsCertificates),
  }
  return {
    entryPoints: Object.keys(install?.config.entryPoints ?? {}).length,
    routers: ownCount(compiled?.generation.routers),
    services: ownCount(compiled?.generation.services),
    middlewares: ownCount(compiled?.generation.middlewares),
    ...Object.fromEntries(Object.entries(others).filter(([, count]) => count > 0)),
  }
}

// What users have written: the gateway's own objects are always there.
function ownCount(objects: ReadonlyMap<string, unknown> | undefined): number {
  const names = [...(objects?.keys() ?? [])]
  return names.filter((name) => !name.endsWith('@internal')).length
}

function jsonReport(loaded: LoadedWhole, errors: number): string {
  const { install, problems } = loaded
  const report = {
    valid: errors === 0,
    file: install?.file ?? null,
    counts: countsOf(loaded),
    problems,
  }
  return JSON.stringify(report, null, 2) + '\n'
}

function textReport(loaded: LoadedWhole, errors: number): string {
  const lines = loaded.problems.map((problem) => `${problem.severity}: ${formatProblem(problem)}`)
  const warnings = loaded.problems.length - errors
  const found = `${amount(errors, 'error')}, ${amount(warnings, 'warning')}`
  if (loaded.install === null) lines.push(`${found}: the gateway would not start`)
  else {
    const counts = Object.entries(countsOf(loaded)).map(([what, count]) => `${count} ${what}`)
    lines.push(`${found}; in use: ${counts.join(', ')}`)
  }
  return lines.join('\n') + '\n'
}

function amount(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
