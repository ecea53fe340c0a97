// admin/metrics/certificates.ts: what a certificate's series says, as Traefik's. Kept by certificate: parsing one takes
// 0.1 ms, and a page is made every few seconds. Hot: no.

import { X509Certificate } from 'node:crypto'
import type { CertificateStatus } from '../../config/generation.ts'

export interface CertificateFacts {
  readonly cn: string
  readonly sans: string
  readonly serial: string
  readonly notAfter: number // seconds since the epoch
}

const KNOWN_MAX = 10_000
const known = new Map<string, CertificateFacts>()

export function certificateFacts({ id, certPem }: CertificateStatus): CertificateFacts {
  const before = known.get(id)
  if (before !== undefined) return before
  const leaf = new X509Certificate(certPem)
  const facts = {
    cn: /^CN=(.*)$/m.exec(leaf.subject ?? '')?.[1] ?? '',
    sans: hostsOf(leaf.subjectAltName ?? ''),
    serial: BigInt(`0x${leaf.serialNumber}`).toString(), // decimal, as Go writes it
    notAfter: Date.parse(leaf.validTo) / 1000,
  }
  if (known.size >= KNOWN_MAX) known.clear()
  known.set(id, facts)
  return facts
}

// 'DNS:b.example, DNS:a.example' -> 'a.example,b.example'
function hostsOf(names: string): string {
  const hosts = names.split(', ').filter((name) => name.startsWith('DNS:'))
  return hosts
    .map((name) => name.slice(4))
    .sort()
    .join(',')
}
