// config/compile/tls/options.ts: tls.options.<name>: versions, ciphers, curves, client certificates. Hot: no.

import { X509Certificate } from 'node:crypto'
import type { TlsOptionsConfig } from '../../dynamic/tls.ts'
import type { Entry } from '../../merge.ts'
import { shownName } from '../../named-files.ts'
import type { Path } from '../../problem.ts'
import type { ClientAuthMode, TlsOptionsPlan } from '../../protocol-plans.ts'
import type { Compilation } from '../compilation.ts'
import { References } from '../references.ts'
import { ciphersOf, curvesOf, isAbove, versionOf, type Finding } from './names.ts'

export const defaultTlsOptions: TlsOptionsPlan = {
  name: 'default',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: '',
  curves: '',
  clientAuth: 'NoClientCert',
  clientCas: '',
  sniStrict: false,
  alpn: ['h2', 'http/1.1', 'acme-tls/1'],
  sessionTickets: true,
  preferServerCiphers: true,
}

export class TlsOptionsTable {
  private readonly shared: Compilation
  private readonly references: References<TlsOptionsConfig, TlsOptionsPlan>

  constructor(shared: Compilation) {
    this.shared = shared
    const { tlsOptions } = shared.merged
    this.references = new References(
      shared,
      'set of TLS options',
      tlsOptions,
      (entry, config, errors) => planOptions(shared, entry, config, errors),
    )
    this.references.resolveAll()
  }

  // With those called default. When a user's own are wrong, everything that would use them is disabled; what is
  // left of them then serves handshakes that lead nowhere.
  plans(): Map<string, TlsOptionsPlan> {
    const plans = new Map(this.references.plans)
    if (!plans.has('default')) plans.set('default', defaultTlsOptions)
    return plans
  }

  // '' and null: no name, or nothing that is enabled.
  planOf(name: string): TlsOptionsPlan | null {
    const plan = this.references.plans.get(name)
    return plan ?? (name === 'default' ? defaultTlsOptions : null)
  }

  get errors(): ReadonlyMap<string, readonly string[]> {
    return this.references.errors
  }

  // '' when they are missing or disabled, and then `errors` says so.
  refer(name: string, entry: Entry<unknown>, key: Path, errors: string[]): string {
    const isDefault = name === '' || name === 'default'
    if (isDefault && !this.shared.merged.tlsOptions.has('default')) return 'default'
    return this.references.refer(isDefault ? 'default' : name, entry, key, errors)
  }

  // Of an entry point, whose configuration belongs to no provider: the name alone will do while it is unique.
  referInstalled(given: string): { name: string; fault: string } {
    const known = [...this.shared.merged.tlsOptions.keys()]
    const exact = given === 'default' || known.includes(given)
    const found = exact ? [given] : known.filter((name) => name.startsWith(`${given}@`))
    const [name] = found
    if (name === undefined) return { name: '', fault: `the TLS options ${given} do not exist` }
    if (found.length > 1) return { name: '', fault: `there are several: ${found.join(', ')}` }
    const fault = this.faultOf(name)
    return { name, fault: fault === '' ? '' : `the TLS options ${name} are disabled: ${fault}` }
  }

  // Why these options can't be used; '' when they can.
  faultOf(name: string): string {
    return this.references.resolve(name)?.[0] ?? ''
  }
}

function planOptions(
  shared: Compilation,
  entry: Entry<TlsOptionsConfig>,
  config: TlsOptionsConfig,
  errors: string[],
): TlsOptionsPlan {
  const take = <Value>(key: string, read: (findings: Finding[]) => Value): Value =>
    taken(shared, entry, key, errors, read)
  const minVersion = take('minVersion', (f) => versionOf(config.minVersion, 'TLSv1.2', f))
  const maxVersion = take('maxVersion', (f) => versionOf(config.maxVersion, 'TLSv1.3', f))
  if (isAbove(minVersion, maxVersion)) {
    const message = `minVersion is above maxVersion (${maxVersion})`
    shared.fail(entry, ['minVersion'], 'CONFIG_TLS', message, errors)
  }
  checkAlpn(shared, entry, config, errors)
  return {
    name: entry.qualified,
    minVersion,
    maxVersion,
    ciphers: take('cipherSuites', (f) => ciphersOf(config.cipherSuites, f)),
    curves: take('curvePreferences', (f) => curvesOf(config.curvePreferences, f)),
    ...clientAuthOf(shared, entry, config, errors),
    sniStrict: config.sniStrict,
    alpn: config.alpnProtocols,
    sessionTickets: !config.disableSessionTickets,
    preferServerCiphers: true, // as in Go, whatever preferServerCipherSuites says
  }
}

// Reads one key, and tells what was found out about it at its place.
export function taken<Value>(
  shared: Compilation,
  entry: Entry<unknown>,
  key: string,
  errors: string[],
  read: (findings: Finding[]) => Value,
  at: Path = [],
): Value {
  const findings: Finding[] = []
  const value = read(findings)
  for (const { at: index, severity, message, hint } of findings) {
    const path = index === -1 ? [...at, key] : [...at, key, index]
    const text = `${key}: ${message}`
    if (severity === 'error') shared.fail(entry, path, 'CONFIG_TLS', text, errors, hint)
    else shared.warning(entry, path, 'CONFIG_TLS_WEAK', `${entry.qualified}: ${text}`)
  }
  return value
}

// RFC 7301: a name has 1 to 255 bytes.
function checkAlpn(
  shared: Compilation,
  entry: Entry<unknown>,
  config: TlsOptionsConfig,
  errors: string[],
): void {
  config.alpnProtocols.forEach((name, at) => {
    if (/^[\x21-\x7e]{1,255}$/.test(name)) return
    const message = 'alpnProtocols: a protocol has 1 to 255 ASCII characters'
    shared.fail(entry, ['alpnProtocols', at], 'CONFIG_TLS', message, errors)
  })
}

const verifies = new Set<ClientAuthMode>(['VerifyClientCertIfGiven', 'RequireAndVerifyClientCert'])

// As in Traefik: authorities without a mode demand a certificate of theirs.
function clientAuthOf(
  shared: Compilation,
  entry: Entry<unknown>,
  config: TlsOptionsConfig,
  errors: string[],
): Pick<TlsOptionsPlan, 'clientAuth' | 'clientCas'> {
  const { caFiles, clientAuthType } = config.clientAuth ?? { caFiles: [], clientAuthType: '' }
  const implied = caFiles.length > 0 ? 'RequireAndVerifyClientCert' : 'NoClientCert'
  const clientAuth = clientAuthType === '' ? implied : clientAuthType
  const clientCas = authoritiesOf(shared, entry, ['clientAuth', 'caFiles'], caFiles, errors)
  if (verifies.has(clientAuth) && caFiles.length === 0) {
    const message = `clientAuth: ${clientAuth} needs caFiles`
    shared.fail(entry, ['clientAuth'], 'CONFIG_TLS', message, errors)
  }
  return { clientAuth, clientCas }
}

const block = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END [A-Z0-9 ]+-----/g

// All certificates of the files as one text. Each is parsed: one that OpenSSL would skip is one that is missing.
export function authoritiesOf(
  shared: Compilation,
  entry: Entry<unknown>,
  key: Path,
  given: readonly string[],
  errors: string[],
): string {
  const all: string[] = []
  given.forEach((name, at) => {
    const { found, fault } = authoritiesIn(shared, name)
    all.push(...found)
    if (fault === '') return
    const message = `${String(key.at(-1))}: ${shownName(name)} ${fault}`
    shared.fail(entry, [...key, at], 'CONFIG_FILE', message, errors)
  })
  return all.join('\n')
}

export function authoritiesIn(
  shared: Compilation,
  name: string,
): { found: readonly string[]; fault: string } {
  const { text, fault } = shared.files.read(name)
  if (fault !== '') return { found: [], fault }
  const found = text.match(block) ?? []
  if (found.length === 0) return { found, fault: 'holds no certificate in PEM' }
  const broken = found.findIndex((pem) => !isCertificate(pem))
  if (broken === -1) return { found, fault: '' }
  return { found: [], fault: `holds a certificate that can't be read (number ${broken + 1})` }
}

const parsed = new Map<string, boolean>()
const parsedMax = 2000

// A bundle of 150 authorities takes 20 ms to parse, which no reload shall take again.
function isCertificate(pem: string): boolean {
  const before = parsed.get(pem)
  if (before !== undefined) return before
  let is = true
  try {
    void new X509Certificate(pem)
  } catch {
    is = false
  }
  if (parsed.size >= parsedMax) parsed.clear()
  parsed.set(pem, is)
  return is
}
