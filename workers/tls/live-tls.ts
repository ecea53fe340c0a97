// workers/tls/live-tls.ts: TLS as one generation wants it: options and certificates by server name.
//
// Owner:  the live generation; shared with the next one while no plan of TLS changed. A handshake keeps what it began
//         with, so adopting a generation in its middle does it no harm.
// Hot:    isMisdirected, once per request on TLS; the rest once per connection.

import { isIP } from 'node:net'
import type {
  CertificatePlan,
  TlsChallengePlan,
  TlsDefaultPlan,
  TlsHostPlan,
  TlsOptionsPlan,
} from '../../config/protocol-plans.ts'
import type { Exchange } from '../../core/exchange.ts'
import type { ClientHello } from '../../core/tls/client-hello.ts'
import { nameOfText } from '../../core/tls/server-name.ts'
import { NameTable } from '../../core/tls/sni.ts'
import { type ServerSecurity, alpnWire } from '../secure-socket.ts'
import { CertificateTable, oneFor } from './certificate-table.ts'
import { policyOf } from './policy.ts'
import type { TlsState } from './state.ts'

export interface TlsPlans {
  readonly tlsCertificates: ReadonlyMap<string, CertificatePlan>
  readonly tlsOptions: ReadonlyMap<string, TlsOptionsPlan>
  readonly tlsHosts: ReadonlyMap<string, TlsHostPlan>
  readonly tlsDefaults: ReadonlyMap<string, TlsDefaultPlan>
}

export interface KeyPair {
  readonly certPem: string
  readonly keyPem: string // secret
}

// Of what is not configured.
export const defaultOptions: TlsOptionsPlan = {
  name: 'default',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: '',
  curves: '',
  clientAuth: 'NoClientCert',
  clientCas: '',
  sniStrict: false,
  alpn: ['h2', 'http/1.1'],
  sessionTickets: true,
  preferServerCiphers: true,
}

const plainClient = { versions: [], ecdsaScheme: false, ecdsaSuite: false }

// Null: an address, the '*' of an entry point, or no name.
function patternOf(name: string): string | null {
  if (isIP(name) !== 0) return null
  const isWildcard = name.startsWith('*.')
  const plain = nameOfText(isWildcard ? name.slice(2) : name)
  return plain === null ? null : isWildcard ? '*.' + plain : plain
}

const ACME_PROTOCOL = 'acme-tls/1'
const NEVER = 'never' // a policy that no connection has

interface Hosts {
  readonly names: NameTable<TlsOptionsPlan>
  any: TlsOptionsPlan | null // of the host '*'
}

export class LiveTls {
  private readonly plans: TlsPlans
  private readonly state: TlsState
  private readonly certificates: CertificateTable
  private readonly hosts = new Map<string, Hosts>() // by entry point
  private readonly configured: CertificatePlan | null // the default certificate, if there is one
  private generated: CertificatePlan | null = null // else the one that the supervisor has made
  private readonly securities = new Map<string, ServerSecurity>()

  constructor(plans: TlsPlans, state: TlsState) {
    this.plans = plans
    this.state = state
    this.certificates = new CertificateTable(plans.tlsCertificates)
    for (const plan of plans.tlsHosts.values()) this.addHost(plan)
    this.configured = this.configuredDefault()
  }

  private addHost({ entryPoint, host, options }: TlsHostPlan): void {
    let hosts = this.hosts.get(entryPoint)
    if (hosts === undefined) {
      hosts = { names: new NameTable(), any: null }
      this.hosts.set(entryPoint, hosts)
    }
    const plan = this.optionsNamed(options)
    if (plan === null) throw new Error(`TLS options ${options} are missing from the generation`)
    if (host === '*') hosts.any = plan
    else hosts.names.set(host, plan)
  }

  private configuredDefault(): CertificatePlan | null {
    const id = this.plans.tlsDefaults.get('default')?.certificate ?? ''
    if (id === '') return null
    const plan = this.plans.tlsCertificates.get(id)
    if (plan === undefined) throw new Error(`certificate ${id} is missing from the generation`)
    return plan
  }

  // For names that no certificate is of.
  private fallback(): CertificatePlan | null {
    const { generated } = this.state
    if (this.configured !== null || generated === null) return this.configured
    const { certPem } = generated
    if (this.generated === null || this.generated.id !== certPem)
      this.generated = { name: '', id: certPem, names: [], notAfter: 0, ocsp: null, ...generated }
    return this.generated
  }

  // ---- options

  optionsNamed(name: string): TlsOptionsPlan | null {
    return this.plans.tlsOptions.get(name) ?? (name === 'default' ? defaultOptions : null)
  }

  // Those of an HTTPS router that names the host, or a wildcard of it; null when there is none.
  optionsOfHost(entryPoint: string, host: string): TlsOptionsPlan | null {
    return this.hosts.get(entryPoint)?.names.lookup(host) ?? null
  }

  optionsFor(entryPoint: string, host: string): TlsOptionsPlan {
    const hosts = this.hosts.get(entryPoint)
    const named = hosts?.names.lookup(host) ?? hosts?.any
    return named ?? this.optionsNamed('default')!
  }

  // Whether the handshake of the exchange's connection asked for something else than its Host would have (domain
  // fronting), or than its router does. `routerOptions` is '' for any.
  isMisdirected(exchange: Exchange, routerOptions: string): boolean {
    const { policy } = exchange.tls!
    const wanted = this.optionsFor(exchange.entryPoint, exchange.host)
    if (policyOf(wanted) !== policy) return true
    if (routerOptions === '') return false
    const asked = this.optionsNamed(routerOptions)
    return (asked === null ? NEVER : policyOf(asked)) !== policy
  }

  // ---- handshakes

  // How to answer a client's hello; null when it must be refused, for there is no certificate. `alpn` null: what
  // the options say.
  securityFor(
    options: TlsOptionsPlan,
    client: ClientHello,
    localAddress: string,
    alpn: readonly string[] | null,
  ): ServerSecurity | null {
    const found = this.certificates.find(client.serverName, localAddress)
    let certificate = oneFor(found, client, options.maxVersion)
    if (certificate === null && !options.sniStrict) certificate = this.fallback()
    if (certificate === null) return null
    const protocols = (alpn ?? options.alpn).filter((protocol) => protocol !== ACME_PROTOCOL)
    const key = `${policyOf(options)} ${protocols.join(' ')} ${certificate.id}`
    let security = this.securities.get(key)
    if (security === undefined) {
      security = this.makeSecurity(options, certificate, protocols)
      this.securities.set(key, security)
    }
    return security
  }

  private makeSecurity(
    options: TlsOptionsPlan,
    certificate: CertificatePlan,
    protocols: readonly string[],
  ): ServerSecurity {
    return {
      context: this.state.contexts.of(options, certificate),
      alpn: alpnWire(protocols),
      clientAuth: options.clientAuth,
      ocsp: certificate.ocsp,
      timeoutMs: 0, // Opening has the clock
    }
  }

  // ---- for an engine whose library chooses by patterns: 'shop.example', '*.shop.example', '' for all other names

  patternsOf(entryPoint: string): Set<string> {
    const patterns = new Set<string>()
    const names = [...this.plans.tlsCertificates.values()].flatMap((plan) => plan.names)
    for (const plan of this.plans.tlsHosts.values())
      if (plan.entryPoint === entryPoint) names.push(plan.host)
    for (const name of names) {
      const pattern = patternOf(name)
      if (pattern !== null) patterns.add(pattern)
    }
    return patterns
  }

  optionsOfPattern(entryPoint: string, pattern: string): TlsOptionsPlan {
    const hosts = this.hosts.get(entryPoint)
    const isWildcard = pattern.startsWith('*.')
    const own = isWildcard ? hosts?.names.get(pattern) : hosts?.names.lookup(pattern)
    return own ?? hosts?.any ?? this.optionsNamed('default')!
  }

  // With keys of both kinds the RSA one, which every client can verify: nobody knows the hello.
  certificateOfPattern(pattern: string): CertificatePlan | null {
    return oneFor(this.certificates.findPattern(pattern), plainClient, 'TLSv1.2') ?? this.fallback()
  }

  // For the authority that checks a name by tls-alpn-01 (RFC 8737), and for nobody else.
  challengeSecurity({ name, certPem, keyPem, host }: TlsChallengePlan): ServerSecurity {
    const plan = { name, id: `${name} ${certPem}`, names: [host], notAfter: 0, ocsp: null }
    const options = { ...defaultOptions, alpn: [ACME_PROTOCOL], sessionTickets: false }
    return {
      context: this.state.contexts.of(options, { ...plan, certPem, keyPem }),
      alpn: alpnWire([ACME_PROTOCOL]),
      clientAuth: 'NoClientCert',
      ocsp: null,
      timeoutMs: 0,
    }
  }
}
