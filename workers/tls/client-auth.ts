// workers/tls/client-auth.ts: whether a client has proved who it is, as its TLS options ask for.
//
// Hot: no, once per handshake. OpenSSL verifies the chain, and refuses a client without a certificate where one is
// required; what follows from the result is decided here, in one place for the five modes. A resumed session
// brings the verdict of the handshake that made it, so the dates are looked at again, and a session without a
// certificate is no way around the mode (OpenSSL calls it verified).

import type { ClientAuthMode } from '../../config/protocol-plans.ts'
import type { PeerCertificate } from './server-identity.ts'

export type { ClientAuthMode } from '../../config/protocol-plans.ts'

// '' when the client may come in, else the reason. `verifyFault` is OpenSSL's, '' for none.
export function clientFault(
  mode: ClientAuthMode,
  certificate: PeerCertificate | null,
  verifyFault: string,
  resumed: boolean,
  now: number,
): string {
  if (mode === 'NoClientCert' || mode === 'RequestClientCert') return ''
  if (certificate === null) return mode === 'VerifyClientCertIfGiven' ? '' : 'NO_CERTIFICATE'
  if (mode === 'RequireAnyClientCert') return ''
  if (verifyFault !== '') return verifyFault
  return resumed && !isInTime(certificate, now) ? 'CERT_HAS_EXPIRED' : ''
}

function isInTime(certificate: PeerCertificate, now: number): boolean {
  return Date.parse(certificate.valid_from) <= now && now <= Date.parse(certificate.valid_to)
}
