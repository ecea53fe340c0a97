// core/middleware/http/headers-security.ts: the security headers and the host check of `headers`.
//
// Hot: yes, for routers with such options. All lines are made once; a response gets them by `set`.
// isDevelopment switches off what gets in the way on localhost: the host check and
// Strict-Transport-Security.

import type { Exchange } from '../../exchange.ts'
import { applyLine, headerLine } from '../header-line.ts'
import type { HeaderLine } from '../header-line.ts'

export interface SecurityOptions {
  readonly allowedHosts?: readonly string[] | undefined
  readonly hostsProxyHeaders?: readonly string[] | undefined
  readonly sslProxyHeaders?: Readonly<Record<string, string>> | undefined
  readonly stsSeconds?: number | undefined
  readonly stsIncludeSubdomains?: boolean | undefined
  readonly stsPreload?: boolean | undefined
  readonly forceSTSHeader?: boolean | undefined
  readonly frameDeny?: boolean | undefined
  readonly customFrameOptionsValue?: string | undefined
  readonly contentTypeNosniff?: boolean | undefined
  readonly browserXssFilter?: boolean | undefined
  readonly customBrowserXSSValue?: string | undefined
  readonly contentSecurityPolicy?: string | undefined
  readonly contentSecurityPolicyReportOnly?: string | undefined
  readonly publicKey?: string | undefined
  readonly referrerPolicy?: string | undefined
  readonly permissionsPolicy?: string | undefined
  readonly isDevelopment?: boolean | undefined
}

// The custom value wins over the switch.
function linesOf(options: SecurityOptions): HeaderLine[] {
  const frame = options.customFrameOptionsValue || (options.frameDeny ? 'DENY' : '')
  const xss = options.customBrowserXSSValue || (options.browserXssFilter ? '1; mode=block' : '')
  const wanted: [string, string | undefined][] = [
    ['X-Frame-Options', frame],
    ['X-Content-Type-Options', options.contentTypeNosniff ? 'nosniff' : ''],
    ['X-XSS-Protection', xss],
    ['Content-Security-Policy', options.contentSecurityPolicy],
    ['Content-Security-Policy-Report-Only', options.contentSecurityPolicyReportOnly],
    ['Referrer-Policy', options.referrerPolicy],
    ['Permissions-Policy', options.permissionsPolicy],
  ]
  const lines: HeaderLine[] = []
  for (const [name, value] of wanted) {
    const line = headerLine(name, value ?? '')
    if (line !== null && line.value !== '') lines.push(line)
  }
  return lines
}

function stsLine(options: SecurityOptions): HeaderLine | null {
  const seconds = options.stsSeconds ?? 0
  if (seconds <= 0 || options.isDevelopment === true) return null
  const subdomains = options.stsIncludeSubdomains ? '; includeSubDomains' : ''
  const preload = options.stsPreload ? '; preload' : ''
  return headerLine('Strict-Transport-Security', `max-age=${seconds}${subdomains}${preload}`)
}

// Only over TLS (RFC 7469, section 2.2.2), whatever forceSTSHeader says.
function pinsLine({ publicKey = '', isDevelopment }: SecurityOptions): HeaderLine | null {
  return publicKey === '' || isDevelopment === true
    ? null
    : headerLine('Public-Key-Pins', publicKey)
}

export class Security {
  private readonly lines: readonly HeaderLine[]
  private readonly pins: HeaderLine | null
  private readonly sts: HeaderLine | null
  private readonly forceSts: boolean
  private readonly secureHeaders: readonly (readonly [string, string])[] // lower-case name, value
  private readonly hosts: readonly string[] | null // lower case; null: any
  private readonly hostHeaders: readonly string[] // lower case

  constructor(options: SecurityOptions) {
    const hosts = options.allowedHosts ?? []
    const secure = Object.entries(options.sslProxyHeaders ?? {})
    this.lines = linesOf(options)
    this.sts = stsLine(options)
    this.pins = pinsLine(options)
    this.forceSts = options.forceSTSHeader === true
    this.secureHeaders = secure.map(([name, value]) => [name.toLowerCase(), value] as const)
    this.hosts =
      hosts.length === 0 || options.isDevelopment === true
        ? null
        : hosts.map((host) => host.toLowerCase())
    this.hostHeaders = (options.hostsProxyHeaders ?? []).map((name) => name.toLowerCase())
  }

  // Whether it does anything at all.
  get isOn(): boolean {
    return this.hosts !== null || this.hasLines
  }

  get hasLines(): boolean {
    return this.lines.length > 0 || this.sts !== null || this.pins !== null
  }

  allowsHost(exchange: Exchange): boolean {
    return this.hosts === null || this.hosts.includes(this.hostOf(exchange).toLowerCase())
  }

  // The host that is checked: the first hostsProxyHeaders that is there, else Host as it came, with its port.
  hostOf(exchange: Exchange): string {
    for (let i = 0; i < this.hostHeaders.length; i++) {
      const host = exchange.request.get(this.hostHeaders[i]!)
      if (host !== null && host !== '') return host
    }
    return exchange.authority
  }

  onResponse(exchange: Exchange): void {
    const { response } = exchange
    for (let i = 0; i < this.lines.length; i++) applyLine(response, this.lines[i]!)
    if (this.pins !== null && this.isSecure(exchange)) applyLine(response, this.pins)
    // Over clear text a browser must ignore it (RFC 6797, section 8.1), and a server must not send it.
    if (this.sts !== null && (this.forceSts || this.isSecure(exchange))) {
      applyLine(response, this.sts)
    }
  }

  private isSecure(exchange: Exchange): boolean {
    if (exchange.secure) return true
    for (const [name, value] of this.secureHeaders) {
      if (exchange.request.get(name) === value) return true
    }
    return false
  }
}
