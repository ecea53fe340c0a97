// certificates/x509-read.ts: the parts of a certificate that node:crypto keeps to itself: its serial number as it
// is written, the name of its issuer in DER, and extensions. Hot: no.

import type { Buffer } from 'node:buffer'
import type { X509Certificate } from 'node:crypto'
import { DerError, INTEGER, type Node, OCTET_STRING, SEQUENCE, children } from './der.ts'
import { expectTag, oidText, readDer } from './der.ts'

export interface CertificateParts {
  readonly serial: Buffer // contents of the INTEGER
  readonly issuer: Buffer // DER of the name
  readonly subject: Buffer
  readonly publicKey: Buffer // the bits of the key alone
  readonly extensions: ReadonlyMap<string, Buffer> // by OID; what the OCTET STRING holds
}

const EXTENSIONS = 0xa3
const VERSION = 0xa0
export const AUTHORITY_KEY = '2.5.29.35'
export const EXTENDED_KEY_USAGE = '2.5.29.37'

export function partsOf(certificate: X509Certificate): CertificateParts {
  const [body] = children(expectTag(readDer(certificate.raw), SEQUENCE))
  const fields = children(expectTag(body, SEQUENCE))
  if (fields[0]?.tag === VERSION) fields.shift()
  const [serial, , issuer, , subject, key, ...rest] = fields
  const [, bits] = children(expectTag(key, SEQUENCE))
  return {
    serial: expectTag(serial, INTEGER).body,
    issuer: expectTag(issuer, SEQUENCE).whole,
    subject: expectTag(subject, SEQUENCE).whole,
    publicKey: (bits?.body ?? noBits()).subarray(1),
    extensions: extensionsIn(rest.find(({ tag }) => tag === EXTENSIONS)),
  }
}

function noBits(): never {
  throw new DerError('a key without bits')
}

export function extensionsIn(wrapper: Node | undefined): Map<string, Buffer> {
  const found = new Map<string, Buffer>()
  if (wrapper === undefined) return found
  for (const one of children(expectTag(children(wrapper)[0], SEQUENCE))) {
    const [id, ...rest] = children(one)
    if (id === undefined) continue
    found.set(oidText(id), expectTag(rest.at(-1), OCTET_STRING).body)
  }
  return found
}

// The identifier of the issuer's key that the certificate names; null when it names none.
export function authorityKeyId(parts: CertificateParts): Buffer | null {
  const extension = parts.extensions.get(AUTHORITY_KEY)
  if (extension === undefined) return null
  const first = children(readDer(extension)).find(({ tag }) => tag === 0x80)
  return first?.body ?? null
}
