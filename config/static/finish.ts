// What the static configuration means as a whole: implicit entry points, and references between blocks.
//
// Runs after the schema: every key has its type here. Hot: no.

import type { z } from 'zod'
import { uwsRefusals, uwsTlsRefusals } from '../engine-limits.ts'
import { formatPath, type Path, type Problem } from '../problem.ts'
import { nearestKey } from '../nearest.ts'
import type { Origin } from '../schema-walk.ts'
import type { staticSchema } from '../static.ts'
import { addressesClash } from './address.ts'
import { folderFault } from './buffering.ts'
import { defaultEntryPoint } from './entry-points.ts'

type Keys = z.output<typeof staticSchema>

const internalName = 'traefik' // Traefik's name for the entry point of API, ping and metrics

interface Use {
  path: Path
  name: string
}

// The blocks that publish something on an entry point, with the key that says which.
function internalUses(keys: Keys): Use[] {
  const uses: Use[] = []
  const { api, ping, metrics, providers } = keys
  if (api?.insecure) uses.push({ path: ['api', 'entryPoint'], name: api.entryPoint })
  if (ping !== null && !ping.manualRouting) {
    uses.push({ path: ['ping', 'entryPoint'], name: ping.entryPoint })
  }
  const prometheus = metrics?.prometheus ?? null
  if (prometheus !== null && !prometheus.manualRouting) {
    uses.push({ path: ['metrics', 'prometheus', 'entryPoint'], name: prometheus.entryPoint })
  }
  if (providers.rest?.insecure) {
    uses.push({ path: ['providers', 'rest', 'insecure'], name: internalName })
  }
  return uses
}

// Traefik's rules: no entry point of the user's own gives `http` on :80; whoever publishes on `traefik`
// without defining it gets it on :8080.
export function addImplicitEntryPoints(keys: Keys): void {
  const own = Object.keys(keys.entryPoints).filter((name) => name !== internalName)
  if (own.length === 0) keys.entryPoints['http'] = defaultEntryPoint(':80')
  const needed = internalUses(keys).some((use) => use.name === internalName)
  if (needed && keys.entryPoints[internalName] === undefined) {
    keys.entryPoints[internalName] = defaultEntryPoint(':8080')
  }
}

export function checkReferences(keys: Keys, origin: Origin): Problem[] {
  const problems: Problem[] = []
  const report = (path: Path, message: string, suggestion = ''): void => {
    const text = `${formatPath(path)}: ${message}`
    problems.push({
      severity: 'error',
      code: 'CONFIG_VALUE',
      ...origin(path),
      path: formatPath(path),
      message: text,
      suggestion,
    })
  }
  const names = Object.keys(keys.entryPoints)
  for (const use of internalUses(keys)) {
    if (names.includes(use.name)) continue
    report(use.path, `there is no entry point "${use.name}"`, nearestKey(use.name, names))
  }
  for (const name of names) checkRedirection(keys, name, report)
  for (const name of names) checkEngine(keys, name, report)
  checkClashes(keys, report)
  checkFolder(keys, report)
  return problems
}

type Report = (path: Path, message: string, suggestion?: string) => void

function checkRedirection(keys: Keys, name: string, report: Report): void {
  const to = keys.entryPoints[name]!.http.redirections.entryPoint?.to
  if (to === undefined) return
  const path = ['entryPoints', name, 'http', 'redirections', 'entryPoint', 'to']
  const names = Object.keys(keys.entryPoints)
  if (/^:\d{1,5}$/.test(to)) {
    if (Number(to.slice(1)) > 65_535) report(path, 'is not a port')
  } else if (to === name) report(path, 'redirects to itself')
  else if (!names.includes(to)) {
    report(path, `there is no entry point "${to}"`, nearestKey(to, names))
  }
}

function checkEngine(keys: Keys, name: string, report: Report): void {
  const { engine, http } = keys.entryPoints[name]!
  if (keys.fips && engine === 'uws' && http.tls !== null) {
    const message = 'with fips TLS needs engine node: uws computes with a BoringSSL of its own'
    report(['entryPoints', name, 'engine'], message)
  }
  const point = keys.entryPoints[name]!
  const ofTls = uwsTlsRefusals(point, keys.certificatesResolvers, keys.ocsp !== null)
  for (const { path, message } of [...uwsRefusals(point), ...ofTls]) {
    report(['entryPoints', name, ...path], message)
  }
}

function checkClashes(keys: Keys, report: Report): void {
  const entries = Object.entries(keys.entryPoints)
  for (let later = 1; later < entries.length; later++) {
    const [name, entryPoint] = entries[later]!
    const first = entries
      .slice(0, later)
      .find(([, other]) => addressesClash(entryPoint.listen, other.listen))
    if (first === undefined) continue
    const message = `${entryPoint.address} is already taken by entry point "${first[0]}"`
    report(['entryPoints', name, 'address'], message)
  }
}

function checkFolder({ buffering }: Keys, report: Report): void {
  if (buffering.directory === '' || buffering.diskBytesMax === 0) return
  const fault = folderFault(buffering.directory)
  if (fault !== '') report(['buffering', 'directory'], fault)
}

// Values that Traefik takes and that aren't built yet belong in the warning, though their keys work.
export function notYetValues(keys: Keys): string[] {
  const http3 = Object.entries(keys.entryPoints)
    .filter(([, entryPoint]) => entryPoint.http3 !== null && entryPoint.http3.frontedBy === '')
    .map(([name]) => `entryPoints.${name}.http3 (without frontedBy; see docs/http3.md)`)
  return keys.core.defaultRuleSyntax === 'v2' ? [...http3, 'core.defaultRuleSyntax (v2)'] : http3
}
