// config/compile/tls/certificates.ts: tls.certificates, tls.stores and what resolvers have issued.
//
// A certificate that can't be used is absent, and clients that ask for its names get another one or the default;
// it is told with its place. Hot: no.

import type { TlsStoreConfig } from '../../dynamic/tls.ts'
import type { Entry } from '../../merge.ts'
import type { Path } from '../../problem.ts'
import type { CertificatePlan, TlsDefaultPlan } from '../../protocol-plans.ts'
import type { Compilation } from '../compilation.ts'

// What somebody must see to: a resolver's certificate for these names.
export interface CertificateWish {
  readonly resolver: string
  readonly names: readonly string[] // the main one first
  readonly by: string // the router, or the store
}

export interface CertificateTable {
  readonly plans: Map<string, CertificatePlan>
  readonly defaults: Map<string, TlsDefaultPlan>
  readonly wishes: CertificateWish[]
  readonly issued: Set<string> // ids of those that resolvers have got
}

export function certificateTable(
  shared: Compilation,
  issued: readonly CertificatePlan[],
): CertificateTable {
  const table: CertificateTable = {
    plans: new Map(),
    defaults: new Map(),
    wishes: [],
    issued: new Set(issued.map((plan) => plan.id)),
  }
  for (const plan of issued) table.plans.set(plan.id, plan)
  for (const entry of shared.merged.tlsCertificates) {
    if (entry.config === null) continue
    const { certFile, keyFile, stores } = entry.config
    if (stores.length > 0 && !stores.includes('default')) {
      const message = 'is not used: only the store "default" is'
      shared.warning(entry, ['stores'], 'CONFIG_TLS', `${entry.qualified}: ${message}`)
      continue
    }
    addPair(shared, table, entry, [], certFile, keyFile)
  }
  table.defaults.set('default', { name: 'default', certificate: defaultOf(shared, table, issued) })
  return table
}

// The id, or '' when nothing could be used.
function addPair(
  shared: Compilation,
  table: CertificateTable,
  entry: Entry<unknown>,
  at: Path,
  certFile: string,
  keyFile: string,
): string {
  const { plan, fault } = shared.files.pair(certFile, keyFile)
  if (fault !== '') {
    const kept = plan === null ? '' : '; the one from before is kept'
    const message = `${entry.qualified}: ${fault}${kept}`
    const key = [...at, fault.startsWith('keyFile') ? 'keyFile' : 'certFile']
    shared.error(entry, key, 'CONFIG_CERTIFICATE', message)
  }
  if (plan === null) return ''
  if (plan.notAfter < Date.now()) {
    const message = `the certificate has expired (${new Date(plan.notAfter).toISOString()})`
    shared.warning(entry, [...at, 'certFile'], 'CONFIG_CERTIFICATE', message)
  }
  table.plans.set(plan.id, plan)
  return plan.id
}

function defaultOf(
  shared: Compilation,
  table: CertificateTable,
  issued: readonly CertificatePlan[],
): string {
  for (const entry of shared.merged.tlsStores.values()) {
    if (entry.qualified === 'default') continue
    const message = 'is not used: only the store "default" is'
    shared.warning(entry, [], 'CONFIG_TLS', `${entry.qualified}: ${message}`)
  }
  const entry = shared.merged.tlsStores.get('default')
  const config = entry?.config ?? null
  if (entry === undefined || config === null) return ''
  const { defaultCertificate } = config
  if (defaultCertificate !== null) {
    const { certFile, keyFile } = defaultCertificate
    return addPair(shared, table, entry, ['defaultCertificate'], certFile, keyFile)
  }
  return generatedDefault(shared, table, entry, config, issued)
}

function generatedDefault(
  shared: Compilation,
  table: CertificateTable,
  entry: Entry<unknown>,
  config: TlsStoreConfig,
  issued: readonly CertificatePlan[],
): string {
  const wanted = config.defaultGeneratedCert
  if (wanted === null) return ''
  const key = ['defaultGeneratedCert']
  const { resolver, domain } = wanted
  const names = domain === null ? [] : [domain.main, ...domain.sans].filter((name) => name !== '')
  if (names.length === 0 || !shared.facts.certificateResolvers.includes(resolver)) {
    const message =
      names.length === 0
        ? 'defaultGeneratedCert: names no domain'
        : `defaultGeneratedCert: the resolver ${JSON.stringify(resolver)} does not exist`
    const hint =
      names.length === 0 ? '' : shared.suggest(resolver, shared.facts.certificateResolvers)
    shared.error(entry, key, 'CONFIG_TLS', message, hint)
    return ''
  }
  table.wishes.push({ resolver, names, by: 'tls.stores.default' })
  return newest(issued.filter((plan) => names.every((name) => plan.names.includes(name))))
}

function newest(plans: readonly CertificatePlan[]): string {
  const last = plans.toSorted((one, other) => other.notAfter - one.notAfter)[0]
  return last?.id ?? ''
}
