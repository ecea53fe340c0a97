// config/certificate-facts.ts: what a PEM pair says: names, end of life, whether key and chain belong to it.
//
// Free of side effects and of files. A pair that can't be served throws CertificateError with a sentence for the
// operator; no sentence quotes the key. Hot: no.

import { Buffer } from 'node:buffer'
import { type KeyObject, X509Certificate, createHash, createPrivateKey } from 'node:crypto'
import type { CertificatePlan } from './protocol-plans.ts'

export class CertificateError extends Error {}

const CHAIN_MAX = 10 // certificates in one file; OpenSSL's peers refuse longer chains
const PEM_BYTES_MAX = 256 * 1024
const BLOCK = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END [A-Z0-9 ]+-----/g

export interface CertificateFacts {
  readonly leaf: X509Certificate
  readonly chain: readonly X509Certificate[] // those above the leaf, the nearest first
  readonly id: string // SHA-256 of the leaf, hexadecimal
  readonly names: readonly string[] // lower case; host names, then addresses
  readonly notBefore: number // milliseconds since the epoch
  readonly notAfter: number
  readonly certPem: string // leaf first, each certificate above it next
}

// The plan of a pair, checked whole: what workers get they can use.
export function certificatePlan(certPem: string, keyPem: string): CertificatePlan {
  const facts = certificateFacts(certPem)
  const key = privateKeyOf(keyPem)
  if (!facts.leaf.checkPrivateKey(key))
    throw new CertificateError('the key does not belong to the certificate')
  const { id, names, notAfter } = facts
  return { name: id, id, names, certPem: facts.certPem, keyPem, notAfter, ocsp: null }
}

export function certificateFacts(certPem: string): CertificateFacts {
  const all = certificatesIn(certPem)
  const leaf = all[0]!
  const chain = orderedChain(leaf, all.slice(1))
  const names = namesOf(leaf)
  if (names.length === 0) throw new CertificateError('the certificate names no host and no address')
  return {
    leaf,
    chain,
    id: idOf(leaf),
    names,
    notBefore: Date.parse(leaf.validFrom),
    notAfter: Date.parse(leaf.validTo),
    certPem: [leaf, ...chain].map(String).join(''),
  }
}

function idOf(leaf: X509Certificate): string {
  return createHash('sha256').update(leaf.raw).digest('hex')
}

function certificatesIn(certPem: string): X509Certificate[] {
  if (Buffer.byteLength(certPem) > PEM_BYTES_MAX)
    throw new CertificateError(`the certificate is longer than ${PEM_BYTES_MAX} bytes`)
  const blocks = certPem.match(BLOCK) ?? []
  if (blocks.length === 0) throw new CertificateError('no certificate in PEM was found')
  if (blocks.length > CHAIN_MAX)
    throw new CertificateError(
      `there are ${blocks.length} certificates; ${CHAIN_MAX} are the limit`,
    )
  return blocks.map((block, at) => {
    try {
      return new X509Certificate(block)
    } catch {
      throw new CertificateError(`certificate ${at + 1} of ${blocks.length} can't be read`)
    }
  })
}

function privateKeyOf(keyPem: string): KeyObject {
  if (Buffer.byteLength(keyPem) > PEM_BYTES_MAX)
    throw new CertificateError(`the key is longer than ${PEM_BYTES_MAX} bytes`)
  if (/-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(keyPem))
    throw new CertificateError('the key is encrypted; keys with a password are not supported')
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(keyPem))
    throw new CertificateError('no private key in PEM was found')
  try {
    return createPrivateKey(keyPem)
  } catch {
    throw new CertificateError("the private key can't be read")
  }
}

// Servers must send the leaf first and each issuer after what it issued (RFC 5246 7.4.2). Files in another order
// are put right; what belongs to another chain is a mistake of whoever put the file together.
function orderedChain(
  leaf: X509Certificate,
  others: readonly X509Certificate[],
): X509Certificate[] {
  const left = [...others]
  const chain: X509Certificate[] = []
  for (let last = leaf; left.length > 0;) {
    const at = left.findIndex((one) => last.checkIssued(one) && last.verify(one.publicKey))
    if (at < 0) {
      if (left.some((one) => one.checkIssued(leaf)))
        throw new CertificateError('the first certificate is an authority; the leaf must be first')
      throw new CertificateError(
        `certificate ${others.indexOf(left[0]!) + 2} of ${others.length + 1} did not issue any before it`,
      )
    }
    last = left.splice(at, 1)[0]!
    chain.push(last)
  }
  return chain
}

// Of the subject alternative names; the common name counts only where there are none, as old private
// authorities leave them out.
function namesOf(leaf: X509Certificate): string[] {
  const hosts: string[] = []
  const addresses: string[] = []
  for (const entry of entriesOf(leaf.subjectAltName ?? '')) {
    if (entry.startsWith('DNS:')) hosts.push(hostName(entry.slice(4)))
    if (entry.startsWith('IP Address:')) addresses.push(canonicalAddress(entry.slice(11)))
  }
  const found = [...hosts.filter(isHostName), ...addresses]
  if (found.length > 0) return [...new Set(found)]
  const common = /^CN=(.+)$/m.exec(leaf.subject)?.[1] ?? ''
  return isHostName(hostName(common)) ? [hostName(common)] : []
}

// Node quotes, as JSON, an entry that has characters of its own punctuation: such a name is none of a host, but
// it must not be cut into ones that look like it (CVE-2021-44532).
function entriesOf(text: string): string[] {
  return text.match(/[A-Za-z ]+:(?:"(?:[^"\\]|\\.)*"|[^,"]*)/g)?.map((one) => one.trim()) ?? []
}

function hostName(text: string): string {
  return text.toLowerCase().replace(/\.$/, '')
}

function isHostName(text: string): boolean {
  return text.length <= 253 && /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/.test(text)
}

// "2001:DB8:0:0:0:0:0:1" -> "2001:db8::1", as a request would name it.
function canonicalAddress(text: string): string {
  if (!text.includes(':')) return text
  const url = URL.parse(`http://[${text}]/`)
  return url === null ? text.toLowerCase() : url.hostname.slice(1, -1)
}

// Whether a certificate with `names` may answer for `host`: exact, or one label of a wildcard.
export function coversHost(names: readonly string[], host: string): boolean {
  const dot = host.indexOf('.')
  const wildcard = dot > 0 ? `*${host.slice(dot)}` : ''
  return names.some((name) => name === host || (wildcard !== '' && name === wildcard))
}
