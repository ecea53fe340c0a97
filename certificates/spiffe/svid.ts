// certificates/spiffe/svid.ts: what an X509SVIDResponse of the Workload API says, checked whole: the identity to show to
// servers, and whom to believe. Free of side effects. Hot: no.
//
//   message X509SVIDResponse { repeated X509SVID svids = 1; repeated bytes crl = 2; map<string, bytes> federated_bundles = 3; }
//   message X509SVID { string spiffe_id = 1; bytes x509_svid = 2; bytes x509_svid_key = 3; bytes bundle = 4; string hint = 5; }
//
// Of several identities the first one is the default (SPIFFE Workload API, section 5.2.2). A response that is wrong
// anywhere is refused, and what was there before stays.

import { Buffer } from 'node:buffer'
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { parseSpiffeId, type SpiffeBundle, type SpiffeIdentity } from '../../config/spiffe.ts'
import { DerError, children } from '../der.ts'
import { type Field, ProtobufError, fieldsOf } from './protobuf.ts'

export class SvidError extends Error {}

const CERTIFICATES_MAX = 100 // of one chain or bundle
const BUNDLES_MAX = 500

export function readSvidResponse(message: Buffer, now: number): SpiffeIdentity {
  try {
    return identityOf(fieldsOf(message), now)
  } catch (fault) {
    if (fault instanceof ProtobufError || fault instanceof DerError)
      throw new SvidError(`the response can't be read: ${fault.message}`)
    throw fault
  }
}

function identityOf(response: readonly Field[], now: number): SpiffeIdentity {
  const first = response.find(({ number }) => number === 1)
  if (first === undefined) throw new SvidError('the response holds no SVID')
  const svid = new Map(fieldsOf(first.bytes).map(({ number, bytes }) => [number, bytes]))
  const id = (svid.get(1) ?? nothing).toString('utf8')
  const trustDomain = parseSpiffeId(id)?.trustDomain
  if (trustDomain === undefined) throw new SvidError('the SVID has no SPIFFE id')
  const chain = certificatesOf(svid.get(2), 'the SVID')
  const leaf = chain[0]!
  checkLeaf(leaf, id, now)
  const keyPem = keyOf(leaf, svid.get(3))
  return {
    id,
    trustDomain,
    certPem: chain.map(String).join(''),
    keyPem,
    notAfter: Date.parse(leaf.validTo),
    bundles: bundlesOf(trustDomain, svid.get(4), response),
  }
}

const nothing = Buffer.alloc(0)

// X509-SVID, sections 2 and 4: exactly one URI, which is the id; not the certificate of an authority.
function checkLeaf(leaf: X509Certificate, id: string, now: number): void {
  const names = (leaf.subjectAltName ?? '').split(', ')
  const uris = names.filter((name) => name.startsWith('URI:'))
  if (uris.length !== 1 || uris[0] !== `URI:${id}`)
    throw new SvidError(`the certificate is not that of ${id}`)
  if (leaf.ca) throw new SvidError('the certificate is that of an authority')
  if (Date.parse(leaf.validTo) <= now) throw new SvidError(`the SVID ended on ${leaf.validTo}`)
}

function keyOf(leaf: X509Certificate, der: Buffer | undefined): string {
  try {
    const key = createPrivateKey({ key: der ?? nothing, format: 'der', type: 'pkcs8' })
    if (leaf.checkPrivateKey(key)) return String(key.export({ format: 'pem', type: 'pkcs8' }))
  } catch {
    throw new SvidError("the key of the SVID can't be read") // whatever it was: nothing of the key is told
  }
  throw new SvidError('the key does not belong to the SVID')
}

// Our own trust domain first; of a domain that is given twice the first counts.
function bundlesOf(
  trustDomain: string,
  own: Buffer | undefined,
  response: readonly Field[],
): SpiffeBundle[] {
  const bundles = new Map([[trustDomain, bundleOf(trustDomain, own)]])
  for (const { number, bytes } of response) {
    if (number !== 3) continue
    const entry = new Map(fieldsOf(bytes).map((field) => [field.number, field.bytes]))
    const name = domainOf((entry.get(1) ?? nothing).toString('utf8'))
    if (bundles.size >= BUNDLES_MAX) throw new SvidError('more bundles than the bound')
    if (!bundles.has(name)) bundles.set(name, bundleOf(name, entry.get(2)))
  }
  return [...bundles.values()]
}

// The specification has ids of trust domains here; some agents send the bare name.
function domainOf(text: string): string {
  const id = text.startsWith('spiffe://') ? text : `spiffe://${text}`
  const parsed = parseSpiffeId(id)
  if (parsed === null || parsed.path !== '') throw new SvidError('a bundle of no trust domain')
  return parsed.trustDomain
}

function bundleOf(trustDomain: string, der: Buffer | undefined): SpiffeBundle {
  const roots = certificatesOf(der, `the bundle of ${trustDomain}`)
  return { trustDomain, rootsPem: roots.map(String).join('') }
}

// DER, one after the other.
function certificatesOf(der: Buffer | undefined, what: string): X509Certificate[] {
  const body = der ?? nothing
  const found = children({ tag: 0, whole: body, body })
  if (found.length === 0) throw new SvidError(`${what} holds no certificate`)
  if (found.length > CERTIFICATES_MAX) throw new SvidError(`${what} holds too many certificates`)
  try {
    return found.map(({ whole }) => new X509Certificate(whole))
  } catch {
    throw new SvidError(`${what} holds a certificate that can't be read`)
  }
}
