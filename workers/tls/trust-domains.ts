// workers/tls/trust-domains.ts: whether an authority may speak for the trust domain of the id that it has signed.
//
// Hot: no, once per handshake with a server that is known by SPIFFE. OpenSSL has verified the chain by then, but against all
// authorities together: a federated one could sign ids of ours. So the way from the certificate up is walked once more,
// and must meet an authority of the id's own trust domain.

import type { X509Certificate } from 'node:crypto'
import { cryptoModule } from '../builtins.ts'
import type { PeerCertificate } from './server-identity.ts'

export interface TrustDomain {
  readonly name: string
  readonly rootsPem: string
}

const CHAIN_MAX = 10
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
const read = new WeakMap<TrustDomain, readonly X509Certificate[]>()

export function isOfTrustDomain(
  leaf: PeerCertificate,
  id: string,
  trustDomains: readonly TrustDomain[],
): boolean {
  const trustDomain = trustDomains.find(({ name }) => id.startsWith(`spiffe://${name}/`))
  if (trustDomain === undefined) return false
  const roots = rootsOf(trustDomain)
  const { X509Certificate } = cryptoModule()
  let link: PeerCertificate | undefined = leaf
  let below: X509Certificate | null = null
  for (let depth = 0; depth < CHAIN_MAX && link?.raw !== undefined; depth++) {
    const certificate = new X509Certificate(link.raw)
    if (below !== null && !isIssuedBy(below, certificate)) return false
    if (roots.some((root) => isIssuedBy(certificate, root))) return true
    if (link.issuerCertificate === link) return false
    below = certificate
    link = link.issuerCertificate
  }
  return false
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

function rootsOf(trustDomain: TrustDomain): readonly X509Certificate[] {
  let roots = read.get(trustDomain)
  if (roots === undefined) {
    const { X509Certificate } = cryptoModule()
    roots = (trustDomain.rootsPem.match(PEM) ?? []).map((pem) => new X509Certificate(pem))
    read.set(trustDomain, roots)
  }
  return roots
}
