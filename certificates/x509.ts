// certificates/x509.ts: makes certificates that sign themselves (RFC 5280) and certificate requests (RFC 2986).
//
// Only what Sluice itself issues: the default certificate, the answer to tls-alpn-01, and requests for ACME.
// Hot: no.

import { Buffer } from 'node:buffer'
import { type KeyObject, createHash, createPublicKey, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'
import { parseAddress } from '../core/address.ts'
import { bits, boolean, context, nothing, octets, oid, sequence, set, time, tlv } from './der.ts'
import { unsigned, utf8 } from './der.ts'

const COMMON_NAME = '2.5.4.3'
const SUBJECT_KEY = '2.5.29.14'
const KEY_USAGE = '2.5.29.15'
const ALTERNATIVE_NAME = '2.5.29.17'
const BASIC_CONSTRAINTS = '2.5.29.19'
const EXTENDED_KEY_USAGE = '2.5.29.37'
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'
const ACME_IDENTIFIER = '1.3.6.1.5.5.7.1.31' // RFC 8737
const COMMON_NAME_MAX = 64 // ub-common-name

export interface SelfSigned {
  readonly commonName: string
  readonly names: readonly string[] // host names and addresses
  readonly notBefore: number
  readonly notAfter: number
  readonly key: KeyObject // private
  readonly acmeIdentifier: Uint8Array | null // SHA-256 of a key authorization
}

export function selfSignedPem(wanted: SelfSigned): string {
  const algorithm = algorithmOf(wanted.key)
  const serial = randomBytes(16)
  serial[0] = (serial[0]! & 0x7f) | 0x40 // positive, and always as long
  const name = distinguishedName(wanted.commonName)
  const publicKey = spkiOf(wanted.key)
  const body = sequence(
    context(0, unsigned(Buffer.from([2]))), // version 3
    unsigned(serial),
    algorithm,
    name,
    sequence(time(wanted.notBefore), time(wanted.notAfter)),
    name,
    publicKey,
    context(3, sequence(...extensionsOf(wanted, publicKey))),
  )
  return pem('CERTIFICATE', signed(body, algorithm, wanted.key))
}

function extensionsOf(wanted: SelfSigned, publicKey: Buffer): Buffer[] {
  const keyId = createHash('sha256').update(publicKey).digest().subarray(0, 20)
  const extensions = [
    extension(BASIC_CONSTRAINTS, true, sequence()),
    extension(KEY_USAGE, true, bits(Buffer.from([0x80]), 7)), // digitalSignature
    extension(EXTENDED_KEY_USAGE, false, sequence(oid(SERVER_AUTH))),
    extension(SUBJECT_KEY, false, octets(keyId)),
    extension(ALTERNATIVE_NAME, false, generalNames(wanted.names)),
  ]
  if (wanted.acmeIdentifier !== null)
    extensions.push(extension(ACME_IDENTIFIER, true, octets(wanted.acmeIdentifier)))
  return extensions
}

// DER. The common name is left out when it is '' or longer than certificates allow.
export function certificateRequest(
  names: readonly string[],
  commonName: string,
  key: KeyObject,
  emails: readonly string[] = [],
): Buffer {
  const algorithm = algorithmOf(key)
  const hasName = commonName !== '' && commonName.length <= COMMON_NAME_MAX
  const mailboxes = emails.map((email) => tlv(0x81, Buffer.from(email, 'latin1')))
  const alternatives = sequence(...names.map(generalName), ...mailboxes)
  const extensions = sequence(extension(ALTERNATIVE_NAME, false, alternatives))
  const body = sequence(
    unsigned(Buffer.from([0])),
    hasName ? distinguishedName(commonName) : sequence(),
    spkiOf(key),
    context(0, sequence(oid(EXTENSION_REQUEST), set(extensions))),
  )
  return signed(body, algorithm, key)
}

function signed(body: Buffer, algorithm: Buffer, key: KeyObject): Buffer {
  return sequence(body, algorithm, bits(sign('sha256', body, key)))
}

function algorithmOf(key: KeyObject): Buffer {
  if (key.asymmetricKeyType === 'ec') return sequence(oid('1.2.840.10045.4.3.2')) // ecdsa-with-SHA256
  return sequence(oid('1.2.840.113549.1.1.11'), nothing()) // sha256WithRSAEncryption
}

function spkiOf(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' })
}

function distinguishedName(commonName: string): Buffer {
  return sequence(set(sequence(oid(COMMON_NAME), utf8(commonName))))
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return critical
    ? sequence(oid(id), boolean(true), octets(value))
    : sequence(oid(id), octets(value))
}

function generalNames(names: readonly string[]): Buffer {
  return sequence(...names.map(generalName))
}

function generalName(name: string): Buffer {
  if (isIP(name) === 0) return tlv(0x82, Buffer.from(name, 'latin1'))
  return tlv(0x87, addressBytes(name))
}

// 4 or 16 bytes.
export function addressBytes(text: string): Buffer {
  const bytes = Buffer.alloc(16)
  const words = parseAddress(text)?.words ?? [0, 0, 0, 0]
  words.forEach((word, i) => bytes.writeUInt32BE(word, i * 4))
  return isIP(text) === 4 ? bytes.subarray(12) : bytes
}

export function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}
