// certificates/ocsp/message.ts: asks whether a certificate was revoked, and checks the answer (RFC 6960); pure.
//
// An answer is passed on to clients, so only one that they would accept is kept: about this certificate, signed by
// its issuer or by a responder that the issuer named, good, and of now. Hot: no.

import type { Buffer } from 'node:buffer'
import { X509Certificate, createHash, verify } from 'node:crypto'
import { BIT_STRING, DerError, ENUMERATED, GENERALIZED_TIME, INTEGER, type Node } from '../der.ts'
import { OCTET_STRING, SEQUENCE, children, expectTag, nothing, octets, oid } from '../der.ts'
import { oidText, readDer, sequence, timeOf, tlv } from '../der.ts'
import { EXTENDED_KEY_USAGE, partsOf } from '../x509-read.ts'

const SHA1 = '1.3.14.3.2.26' // what responders index by; nothing rests on it
const BASIC = '1.3.6.1.5.5.7.48.1.1'
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'
const SKEW_MS = 5 * 60_000
const CONTEXT_0 = 0xa0
const GOOD = 0x80
const REVOKED = 0xa1
const RESPONDERS_MAX = 5

const algorithms: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null, // Ed25519 has its own
}

const refusals = ['', 'malformed request', 'internal error', 'try later', '', 'signature required']

export class OcspError extends Error {}

export interface OcspAnswer {
  readonly der: Uint8Array // a copy that owns its bytes: it travels to the workers
  readonly thisUpdate: number
  readonly nextUpdate: number
}

export function ocspRequest(leaf: X509Certificate, issuer: X509Certificate): Buffer {
  return sequence(sequence(sequence(sequence(certificateId(leaf, issuer)))))
}

function certificateId(leaf: X509Certificate, issuer: X509Certificate): Buffer {
  const { serial, issuer: issuerName } = partsOf(leaf)
  return sequence(
    sequence(oid(SHA1), nothing()),
    octets(sha1(issuerName)),
    octets(sha1(partsOf(issuer).publicKey)),
    tlv(INTEGER, serial),
  )
}

function sha1(bytes: Buffer): Buffer {
  return createHash('sha1').update(bytes).digest()
}

// 'http://r3.o.lencr.org'; '' when the certificate names no responder.
export function responderOf(leaf: X509Certificate): string {
  return /^OCSP - URI:(https?:\/\/\S+)$/m.exec(leaf.infoAccess ?? '')?.[1] ?? ''
}

// Throws OcspError with what is wrong.
export function checkAnswer(
  der: Buffer,
  leaf: X509Certificate,
  issuer: X509Certificate,
  now: number,
): OcspAnswer {
  try {
    return checkedAnswer(der, leaf, issuer, now)
  } catch (fault) {
    if (fault instanceof OcspError) throw fault
    const reason = fault instanceof DerError ? fault.message : 'its cryptography'
    throw new OcspError(`the answer is malformed: ${reason}`)
  }
}

function checkedAnswer(
  der: Buffer,
  leaf: X509Certificate,
  issuer: X509Certificate,
  now: number,
): OcspAnswer {
  const [data, algorithm, signature, certificates] = basicIn(der)
  const body = expectTag(data, SEQUENCE)
  const signed = signerOf(certificates, issuer, now)
  if (!signed.some((key) => isSignedBy(key, body, algorithm, signature)))
    throw new OcspError('the answer is not signed by who may sign it')
  const single = singleFor(body, certificateId(leaf, issuer))
  const [, status, thisTime, next] = children(single)
  if (status?.tag === REVOKED) throw new OcspError('the certificate was REVOKED by its issuer')
  if (status?.tag !== GOOD) throw new OcspError('the responder does not know the certificate')
  const thisUpdate = timeOf(expectTag(thisTime, GENERALIZED_TIME))
  if (next?.tag !== CONTEXT_0) throw new OcspError('the answer does not say how long it holds')
  const nextUpdate = timeOf(expectTag(children(next)[0], GENERALIZED_TIME))
  if (thisUpdate > now + SKEW_MS || nextUpdate <= now)
    throw new OcspError('the answer is not of now')
  return { der: new Uint8Array(der), thisUpdate, nextUpdate }
}

function basicIn(der: Buffer): Node[] {
  const [status, wrapper] = children(expectTag(readDer(der), SEQUENCE))
  const code = expectTag(status, ENUMERATED).body[0] ?? 0
  if (code !== 0)
    throw new OcspError(`the responder refuses: ${refusals[code] || `status ${code}`}`)
  const [kind, bytes] = children(expectTag(children(expectTag(wrapper, CONTEXT_0))[0], SEQUENCE))
  if (kind === undefined || oidText(kind) !== BASIC)
    throw new OcspError('an unknown kind of answer')
  return children(expectTag(readDer(expectTag(bytes, OCTET_STRING).body), SEQUENCE))
}

// The issuer itself, and those in the answer whom the issuer lets sign (RFC 6960 4.2.2.2).
function signerOf(
  wrapper: Node | undefined,
  issuer: X509Certificate,
  now: number,
): X509Certificate[] {
  if (wrapper?.tag !== CONTEXT_0) return [issuer]
  const found = children(expectTag(children(wrapper)[0], SEQUENCE)).slice(0, RESPONDERS_MAX)
  return [issuer, ...found.map(certificateIn).filter((one) => mayAnswer(one, issuer, now))]
}

function certificateIn(node: Node): X509Certificate {
  try {
    return new X509Certificate(node.whole)
  } catch {
    throw new OcspError("the responder's certificate can't be read")
  }
}

function mayAnswer(responder: X509Certificate, issuer: X509Certificate, now: number): boolean {
  if (now < Date.parse(responder.validFrom) || now > Date.parse(responder.validTo)) return false
  const usage = partsOf(responder).extensions.get(EXTENDED_KEY_USAGE)
  if (usage === undefined || !children(readDer(usage)).some((one) => oidText(one) === OCSP_SIGNING))
    return false
  return responder.checkIssued(issuer) && responder.verify(issuer.publicKey)
}

function isSignedBy(
  signer: X509Certificate,
  body: Node,
  algorithm: Node | undefined,
  signature: Node | undefined,
): boolean {
  const [id] = children(expectTag(algorithm, SEQUENCE))
  const name = id === undefined ? '' : oidText(id)
  const digest = algorithms[name]
  if (digest === undefined)
    throw new OcspError(`the answer is signed by ${name}, which is not supported`)
  const bits = expectTag(signature, BIT_STRING).body.subarray(1)
  try {
    return verify(digest, body.whole, signer.publicKey, bits)
  } catch {
    return false // a key of another kind
  }
}

// ResponseData: [0] version?, [1] or [2] responder, time, SEQUENCE of answers, [1] extensions?
function singleFor(body: Node, id: Buffer): Node {
  const list = children(body).find(({ tag }) => tag === SEQUENCE)
  const found = list && children(list).find((one) => isAbout(one, id))
  if (found === undefined) throw new OcspError('the answer is about another certificate')
  return found
}

// Compared without the algorithm, whose parameters some leave out.
function isAbout(single: Node, id: Buffer): boolean {
  const [told] = children(single)
  const [, ...one] = children(expectTag(told, SEQUENCE))
  const [, ...other] = children(readDer(id))
  return one.length === 3 && one.every((node, i) => node.whole.equals(other[i]!.whole))
}
