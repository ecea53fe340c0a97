// core/middleware/http/pass-tls-client-cert.ts: tells the server which certificate the client has shown.
//
// Hot: yes, for routers that have it. What is told of a certificate is put together once per connection that comes
// along, and remembered for its next requests.
//
// The certificate of the client alone is told, not the authorities above it, whose chain TLS has verified. Without
// TLS, or without a certificate, the request passes as it is: whatever an untrusted peer claimed is gone already.

import type { ClientCertificate, DistinguishedName, Exchange } from '../../exchange.ts'
import { NEXT, RequestMiddleware, type Verdict } from '../contract.ts'

export interface NameParts {
  readonly country: boolean
  readonly province: boolean
  readonly locality: boolean
  readonly organization: boolean
  readonly organizationalUnit?: boolean // of the subject only
  readonly commonName: boolean
  readonly serialNumber: boolean
  readonly domainComponent: boolean
}

export interface PassTlsClientCertOptions {
  readonly pem: boolean
  readonly info: {
    readonly notAfter: boolean
    readonly notBefore: boolean
    readonly sans: boolean
    readonly serialNumber: boolean
    readonly subject: NameParts | null
    readonly issuer: NameParts | null
  } | null
}

const PEM_HEADER = 'X-Forwarded-Tls-Client-Cert'
const INFO_HEADER = 'X-Forwarded-Tls-Client-Cert-Info'

// In Traefik's order: our option, the attribute of the certificate, what it is called in the header.
const parts: readonly (readonly [keyof NameParts, string, string])[] = [
  ['domainComponent', 'DC', 'DC'],
  ['country', 'C', 'C'],
  ['province', 'ST', 'ST'],
  ['locality', 'L', 'L'],
  ['organization', 'O', 'O'],
  ['organizationalUnit', 'OU', 'OU'],
  ['serialNumber', 'serialNumber', 'SN'],
  ['commonName', 'CN', 'CN'],
]

export class PassTlsClientCert extends RequestMiddleware {
  readonly kind = 'passTLSClientCert'
  private readonly options: PassTlsClientCertOptions
  private last: ClientCertificate | null = null
  private lastInfo = ''

  constructor(name: string, options: PassTlsClientCertOptions) {
    super(name)
    this.options = options
  }

  onRequest(exchange: Exchange): Verdict {
    const client = exchange.tls === null ? null : exchange.tls.client
    if (client === null) return NEXT
    if (this.options.pem) exchange.request.set(PEM_HEADER, client.der)
    if (this.options.info === null) return NEXT
    if (this.last !== client) {
      this.last = client
      this.lastInfo = queryEscaped(this.infoOf(client))
    }
    exchange.request.set(INFO_HEADER, this.lastInfo)
    return NEXT
  }

  explain(exchange: Exchange): string {
    const told = [this.options.pem ? PEM_HEADER : '', this.options.info === null ? '' : INFO_HEADER]
    const names = told.filter((name) => name !== '').join(' and ')
    return exchange.tls === null
      ? 'Lets it pass: there is no TLS, so no client certificate.'
      : `Sets ${names} if the client has shown a certificate.`
  }

  // Subject="CN=a,O=b";NB="1544094616";NA="1607166616";SAN="a.example"
  private infoOf(client: ClientCertificate): string {
    const { subject, issuer, serialNumber, notBefore, notAfter, sans } = this.options.info!
    const fields: string[] = []
    const add = (name: string, value: string): void => {
      if (value !== '') fields.push(`${name}="${value}"`)
    }
    if (subject !== null) add('Subject', nameText(client.subject, subject))
    if (issuer !== null) add('Issuer', nameText(client.issuer, issuer))
    if (serialNumber) add('SerialNumber', client.serialNumber)
    if (notBefore) add('NB', String(Math.floor(client.notBefore / 1000)))
    if (notAfter) add('NA', String(Math.floor(client.notAfter / 1000)))
    if (sans) add('SAN', client.sans.join(','))
    return fields.join(';')
  }
}

function nameText(name: DistinguishedName, wanted: NameParts): string {
  const fields: string[] = []
  for (const [option, attribute, label] of parts) {
    if (wanted[option] !== true) continue
    for (const value of name[attribute] ?? []) fields.push(`${label}=${value}`)
  }
  return fields.join(',')
}

// As Go's url.QueryEscape: whatever a certificate holds, the header holds visible ASCII.
function queryEscaped(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase())
}
