// workers/tls/server-identity.ts: whether the certificate of a server says what the configuration expects.
//
// Hot: no, once per handshake. The chain is OpenSSL's work; names are compared here: the host as RFC 9525 says (Node's
// own checkServerIdentity), or, where the configuration gives them, subject alternative names or SPIFFE ids in its
// place. Fails closed: a certificate whose names can't be read has none.

import { tlsModule } from '../builtins.ts'
import type { DetailedPeerCertificate } from 'node:tls'
import { isOfTrustDomain, type TrustDomain } from './trust-domains.ts'
import { type AlternativeName, alternativeNames } from './alternative-names.ts'

export type PeerCertificate = DetailedPeerCertificate

export interface ServerIdentity {
  readonly host: string // name or address that the certificate must be of; '' checks none
  readonly insecure: boolean // neither chain nor host are checked; SANs and SPIFFE ids still are
  readonly sans: readonly AlternativeName[] // one of them must be there; [] asks for none
  readonly spiffeIds: readonly string[]
  readonly spiffeTrustDomain: string // '' for any
  readonly trustDomains: readonly TrustDomain[] | null // each with the authorities that may speak for it; null asks for none
}

const SPIFFE = 'spiffe://'

// '' when all is well. `verifyFault` is OpenSSL's verdict on the chain.
export function serverFault(
  identity: ServerIdentity,
  certificate: PeerCertificate | null,
  verifyFault: string,
): string {
  if (certificate === null) return 'NO_CERTIFICATE'
  if (!identity.insecure && verifyFault !== '') return verifyFault
  const names = alternativeNames(certificate.subjectaltname ?? '')
  if (!hasOneOf(names, identity.sans)) return 'SAN_MISMATCH'
  if (!hasSpiffeId(names, identity)) return 'SPIFFE_MISMATCH'
  const { trustDomains } = identity
  if (trustDomains !== null && !isOfTrustDomain(certificate, idOf(names), trustDomains))
    return 'SPIFFE_MISMATCH'
  if (identity.insecure || identity.host === '') return ''
  // Node would look at the common name where there are none; RFC 9525, section 6.3, and Go do not.
  if (!names.some(({ type }) => type === 'dns' || type === 'ip')) return 'HOST_MISMATCH'
  return tlsModule().checkServerIdentity(identity.host, certificate) === undefined
    ? ''
    : 'HOST_MISMATCH'
}

function hasOneOf(names: readonly AlternativeName[], wanted: readonly AlternativeName[]): boolean {
  if (wanted.length === 0) return true
  return wanted.some(({ type, value }) => names.some((n) => n.type === type && n.value === value))
}

function hasSpiffeId(names: readonly AlternativeName[], identity: ServerIdentity): boolean {
  const { spiffeIds, spiffeTrustDomain } = identity
  if (spiffeIds.length === 0 && spiffeTrustDomain === '') return true
  const id = idOf(names)
  if (!id.startsWith(SPIFFE)) return false
  if (spiffeIds.length > 0 && !spiffeIds.includes(id)) return false
  return spiffeTrustDomain === '' || id.startsWith(SPIFFE + spiffeTrustDomain + '/')
}

// A SPIFFE certificate has exactly one URI (X509-SVID, section 2); '' for others.
function idOf(names: readonly AlternativeName[]): string {
  const uris = names.filter(({ type }) => type === 'uri')
  return uris.length === 1 ? uris[0]!.value : ''
}
