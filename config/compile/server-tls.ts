// config/compile/server-tls.ts: TLS towards servers: what a serversTransport says of it, read and checked.
//
// A transport that can't be had as written is disabled, and with it the services that name it: a server must
// never be trusted more than was asked for. Hot: no.

import type { Entry } from '../merge.ts'
import { shownName } from '../named-files.ts'
import type { Path } from '../problem.ts'
import type { ServerTlsPlan } from '../protocol-plans.ts'
import { parseSpiffeId } from '../spiffe.ts'
import { plainServerTls, type InstalledServerTls } from '../facts.ts'
import type { Compilation } from './compilation.ts'
import { withSvid } from './spiffe.ts'
import { ciphersOf, isAbove, versionOf } from './tls/names.ts'
import { authoritiesIn, authoritiesOf, taken } from './tls/options.ts'

// What http.serversTransports and the tls of tcp.serversTransports have in common.
export interface ServerTlsConfig {
  readonly serverName: string
  readonly insecureSkipVerify: boolean
  readonly rootCAs: readonly string[]
  readonly certificates: readonly { readonly certFile: string; readonly keyFile: string }[]
  readonly cipherSuites?: readonly string[]
  readonly minVersion?: string
  readonly maxVersion?: string
  readonly peerCertURI: string
  readonly peerCertSANs: readonly { readonly type: string; readonly value: string }[]
  readonly spiffe: { readonly ids: readonly string[]; readonly trustDomain: string } | null
}

export function planServerTls(
  shared: Compilation,
  entry: Entry<unknown>,
  at: Path,
  config: ServerTlsConfig,
  errors: string[],
): ServerTlsPlan {
  const take = (key: 'minVersion' | 'maxVersion') =>
    taken(shared, entry, key, errors, (f) => versionOf(config[key] ?? '', '', f), at)
  const minVersion = take('minVersion')
  const maxVersion = take('maxVersion')
  if (minVersion !== '' && maxVersion !== '' && isAbove(minVersion, maxVersion)) {
    const message = 'minVersion is above maxVersion'
    shared.fail(entry, [...at, 'minVersion'], 'CONFIG_TLS', message, errors)
  }
  if (config.insecureSkipVerify) warnInsecure(shared, entry, at)
  const suites = config.cipherSuites ?? []
  refuseBesideSvid(shared, entry, at, config, errors)
  const plan = {
    ...plainServerTls,
    serverName: config.serverName,
    insecureSkipVerify: config.insecureSkipVerify,
    rootCas: authoritiesOf(shared, entry, [...at, 'rootCAs'], config.rootCAs, errors),
    ...clientCertificate(shared, entry, at, config, errors),
    ciphers: taken(shared, entry, 'cipherSuites', errors, (f) => ciphersOf(suites, f), at),
    minVersion,
    maxVersion,
    peerSans: peerSansOf(shared, entry, at, config, errors),
    spiffeIds: spiffeIdsOf(shared, entry, at, config, errors),
    spiffeTrustDomain: trustDomainOf(config),
  }
  return withSvid(shared, plan, config.spiffe)
}

// Ids come before the trust domain, as in Traefik.
function trustDomainOf({ spiffe }: Pick<ServerTlsConfig, 'spiffe'>): string {
  return spiffe === null || spiffe.ids.length > 0 ? '' : spiffe.trustDomain
}

// As in Traefik: whom to trust, and who we are, is said once.
function refuseBesideSvid(
  shared: Compilation,
  entry: Entry<unknown>,
  at: Path,
  config: ServerTlsConfig,
  errors: string[],
): void {
  if (config.spiffe === null || shared.facts.workloadApi === '') return
  const given = {
    rootCAs: config.rootCAs.length > 0,
    certificates: config.certificates.length > 0,
    insecureSkipVerify: config.insecureSkipVerify,
  }
  for (const [key, isGiven] of Object.entries(given)) {
    if (!isGiven) continue
    const message = `${key}: has no meaning beside spiffe: certificates come from the Workload API`
    shared.fail(entry, [...at, key], 'CONFIG_TLS', message, errors)
  }
}

function warnInsecure(shared: Compilation, entry: Entry<unknown>, at: Path): void {
  const message = 'insecureSkipVerify: whoever stands in the way may read and change everything'
  const key = [...at, 'insecureSkipVerify']
  shared.warning(entry, key, 'CONFIG_TLS_WEAK', `${entry.qualified}: ${message}`)
}

function clientCertificate(
  shared: Compilation,
  entry: Entry<unknown>,
  at: Path,
  { certificates }: ServerTlsConfig,
  errors: string[],
): Pick<ServerTlsPlan, 'certPem' | 'keyPem'> {
  const key = [...at, 'certificates', 0]
  if (certificates.length > 1) {
    const message = 'certificates: only the first one is used'
    shared.warning(
      entry,
      [...at, 'certificates', 1],
      'CONFIG_TLS',
      `${entry.qualified}: ${message}`,
    )
  }
  const first = certificates[0]
  if (first === undefined) return { certPem: '', keyPem: '' }
  const { plan, fault } = shared.files.pair(first.certFile, first.keyFile)
  if (plan === null) shared.fail(entry, key, 'CONFIG_CERTIFICATE', fault, errors)
  else if (fault !== '') {
    const message = `${entry.qualified}: ${fault}; the one from before is kept`
    shared.error(entry, key, 'CONFIG_CERTIFICATE', message)
  }
  return { certPem: plan?.certPem ?? '', keyPem: plan?.keyPem ?? '' }
}

const sanTypes = new Map<string, 'dns' | 'uri'>([
  ['dnsname', 'dns'],
  ['uri', 'uri'],
])

function peerSansOf(
  shared: Compilation,
  entry: Entry<unknown>,
  at: Path,
  { peerCertSANs, peerCertURI }: ServerTlsConfig,
  errors: string[],
): ServerTlsPlan['peerSans'] {
  const sans: { type: 'dns' | 'uri'; value: string }[] = []
  peerCertSANs.forEach(({ type, value }, index) => {
    const known = sanTypes.get(type.toLowerCase())
    if (known !== undefined && value !== '') {
      sans.push({ type: known, value: known === 'dns' ? value.toLowerCase() : value })
      return
    }
    const key = [...at, 'peerCertSANs', index]
    const message =
      value === ''
        ? 'peerCertSANs: value is missing'
        : `peerCertSANs: ${JSON.stringify(type.slice(0, 50))} is no type: expected DNSName or URI`
    const hint = value === '' ? '' : shared.suggest(type, ['DNSName', 'URI'])
    shared.fail(entry, key, 'CONFIG_TLS', message, errors, hint)
  })
  if (peerCertURI !== '') sans.push({ type: 'uri', value: peerCertURI })
  return sans
}

function spiffeIdsOf(
  shared: Compilation,
  entry: Entry<unknown>,
  at: Path,
  { spiffe }: ServerTlsConfig,
  errors: string[],
): readonly string[] {
  const ids = spiffe?.ids ?? []
  ids.forEach((id, index) => {
    if (parseSpiffeId(id) !== null) return
    const message = `spiffe: ${JSON.stringify(id.slice(0, 100))} is not a SPIFFE id such as spiffe://example.org/app`
    shared.fail(entry, [...at, 'spiffe', 'ids', index], 'CONFIG_TLS', message, errors)
  })
  return ids
}

// Of the install configuration, which has no places. A fault disables every server that is reached by TLS this way.
export function planInstalledTls(
  shared: Compilation,
  path: string,
  installed: InstalledServerTls,
): { tls: ServerTlsPlan; fault: string } {
  const roots: string[] = []
  let fault = ''
  installed.rootCAs.forEach((name, at) => {
    const read = authoritiesIn(shared, name)
    roots.push(...read.found)
    if (read.fault === '') return
    const key = `${path}.rootCAs[${at}]`
    fault = `${key}: ${shownName(name)} ${read.fault}`
    shared.installError(key, fault)
  })
  if (installed.insecureSkipVerify) {
    const message = `${path}.insecureSkipVerify: whoever stands in the way may read and change everything`
    shared.installWarning(`${path}.insecureSkipVerify`, message)
  }
  const tls = {
    ...plainServerTls,
    insecureSkipVerify: installed.insecureSkipVerify,
    rootCas: roots.join('\n'),
    spiffeIds: installed.spiffe?.ids ?? [],
    spiffeTrustDomain: trustDomainOf(installed),
  }
  return {
    tls: withSvid(shared, tls, installed.spiffe),
    fault: fault || besideSvid(shared, path, installed),
  }
}

function besideSvid(shared: Compilation, path: string, installed: InstalledServerTls): string {
  if (installed.spiffe === null || shared.facts.workloadApi === '') return ''
  const given = [
    ...(installed.rootCAs.length > 0 ? ['rootCAs'] : []),
    ...(installed.insecureSkipVerify ? ['insecureSkipVerify'] : []),
  ]
  if (given.length === 0) return ''
  const fault = `${path}.${given[0]}: has no meaning beside spiffe: certificates come from the Workload API`
  shared.installError(`${path}.${given[0]}`, fault)
  return fault
}
