// config/compile/tls/wishes.ts: which certificates resolvers (ACME) shall get, and for which router. Hot: no.

import { isIP } from 'node:net'
import type { Domain } from '../../facts.ts'
import type { Entry } from '../../merge.ts'
import type { Path } from '../../problem.ts'
import type { Compilation } from '../compilation.ts'
import type { Draft } from '../router-plan.ts'
import type { CertificateTable } from './certificates.ts'

export interface Resolving {
  readonly certResolver: string
  readonly domains: readonly Domain[]
}

// As in Traefik: the domains that are listed, each with a certificate of its own, else all names of the rule in one.
export function wish(
  shared: Compilation,
  table: CertificateTable,
  entry: Entry<unknown>,
  { certResolver: resolver, domains }: Resolving,
  hosts: readonly string[],
  warnings: string[],
): void {
  if (resolver === '') return
  const known = shared.facts.certificateResolvers
  if (!known.includes(resolver)) {
    const message = `the certificate resolver ${JSON.stringify(resolver.slice(0, 100))} does not exist`
    const key: Path = ['tls', 'certResolver']
    warnings.push(message)
    const text = `${entry.qualified}: ${message}`
    shared.warning(entry, key, 'CONFIG_TLS', text, shared.suggest(resolver, known))
    return
  }
  const listed = domains.map(({ main, sans }) => [main, ...sans].filter((name) => name !== ''))
  const wanted = listed.length > 0 ? listed : [hosts.filter(isCertifiable)]
  for (const names of wanted) {
    if (names.length > 0) table.wishes.push({ resolver, names, by: entry.qualified })
  }
}

function isCertifiable(host: string): boolean {
  return host !== '*' && isIP(host) === 0
}

export function wishOfRouters(
  shared: Compilation,
  drafts: Iterable<Draft>,
  table: CertificateTable,
): void {
  const points = new Map(shared.facts.entryPoints.map((at) => [at.name, at]))
  for (const draft of drafts) {
    const { entry } = draft
    if (entry === null || draft.errors.length > 0 || draft.parents.length > 0) continue
    const own = entry.config?.tls ?? null
    const given = [own, ...draft.entryPoints.map((name) => points.get(name) ?? null)]
    const resolving = given.find((one) => one !== null && one.certResolver !== '')
    if (resolving) wish(shared, table, entry, resolving, draft.hosts, draft.warnings)
  }
}
