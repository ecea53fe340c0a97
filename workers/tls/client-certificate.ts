// workers/tls/client-certificate.ts: what a client's certificate says, as plain facts for middlewares and logs.
//
// Owner: the connection; made once per handshake that brought a certificate. Hot: no.
// The certificates above it are left out: Node can't tell those that the client sent from those that we know.

import type { ClientCertificate, DistinguishedName } from '../../core/exchange.ts'
import { alternativeNames } from './alternative-names.ts'
import type { PeerCertificate } from './server-identity.ts'

export function clientCertificateOf(
  certificate: PeerCertificate,
  verified: boolean,
): ClientCertificate {
  return {
    verified,
    subject: distinguishedName(certificate.subject),
    issuer: distinguishedName(certificate.issuer),
    serialNumber: decimalOf(certificate.serialNumber),
    notBefore: Date.parse(certificate.valid_from),
    notAfter: Date.parse(certificate.valid_to),
    sans: alternativeNames(certificate.subjectaltname ?? '').map(({ value }) => value),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    der: certificate.raw.toString('base64'),
  }
}

// Node gives one value as text and several as a list.
function distinguishedName(given: object | undefined): DistinguishedName {
  const name: Record<string, readonly string[]> = {}
  for (const [key, value] of Object.entries(given ?? {})) {
    const values: unknown[] = Array.isArray(value) ? value : [value]
    name[key] = values.filter((v): v is string => typeof v === 'string')
  }
  return name
}

function decimalOf(hexadecimal: string): string {
  return /^[0-9a-f]+$/i.test(hexadecimal) ? BigInt('0x' + hexadecimal).toString() : ''
}
