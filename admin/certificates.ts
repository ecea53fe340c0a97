// admin/certificates.ts: the certificates in use, as the API shows them. Keys never come here. Hot: no.

import { X509Certificate } from 'node:crypto'
import type { CertificateStatus } from '../config/generation.ts'
import type { Shown } from './representation.ts'
import type { AdminState } from './state.ts'

const SOON_MS = 14 * 24 * 3600 * 1000

// ?search= in the names, ?status=; the ones that end first come first.
export function certificates(state: AdminState, query: URLSearchParams): Shown[] {
  const search = (query.get('search') ?? '').toLowerCase()
  const status = (query.get('status') ?? '').toLowerCase()
  return state
    .runtime()
    .certificates.map(shownCertificate)
    .filter((one) => status === '' || one['status'] === status)
    .filter((one) => search === '' || JSON.stringify(one['sans']).toLowerCase().includes(search))
    .sort((one, other) => Number(one['notAfterMs']) - Number(other['notAfterMs']))
    .map(withoutMs)
}

export function oneCertificate(state: AdminState, id: string): Shown | null {
  const found = state.runtime().certificates.find((one) => one.id === id.toLowerCase())
  return found === undefined ? null : withoutMs(shownCertificate(found))
}

function withoutMs({ notAfterMs: _notAfterMs, ...shown }: Shown): Shown {
  return shown
}

function shownCertificate({ id, certPem, isDefault, issued }: CertificateStatus): Shown {
  const leaf = new X509Certificate(certPem)
  const notAfterMs = Date.parse(leaf.validTo)
  return {
    name: id,
    commonName: lineOf(leaf.subject, 'CN'),
    sans: leaf.subjectAltName?.split(', ') ?? [],
    issuerCommonName: lineOf(leaf.issuer, 'CN'),
    issuerOrganization: lineOf(leaf.issuer, 'O'),
    serialNumber: leaf.serialNumber,
    keyType: leaf.publicKey.asymmetricKeyType ?? '',
    notBefore: new Date(leaf.validFrom).toISOString(),
    notAfter: new Date(notAfterMs).toISOString(),
    notAfterMs,
    status: stateOf(notAfterMs, Date.parse(leaf.validFrom)),
    isDefault,
    issued,
  }
}

// In the words of all other lists.
function stateOf(notAfterMs: number, notBeforeMs: number): string {
  const now = Date.now()
  if (notAfterMs < now || notBeforeMs > now) return 'disabled'
  return notAfterMs - now < SOON_MS ? 'warning' : 'enabled'
}

// Of a name as Node prints it, one part per line.
function lineOf(name: string | undefined, key: string): string {
  const line = (name ?? '').split('\n').find((one) => one.startsWith(`${key}=`))
  return line?.slice(key.length + 1) ?? ''
}
