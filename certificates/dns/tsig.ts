// certificates/dns/tsig.ts: proves who sent an update and its answer, by a shared secret (RFC 8945). Hot: no.

import { Buffer } from 'node:buffer'
import { createHmac, timingSafeEqual } from 'node:crypto'
import { ANY, DnsError, type Message, TSIG, decodeMessage, encodeMessage } from './message.ts'
import { encodeName, encodeRecord, shorts } from './message.ts'

export interface TsigKey {
  readonly name: string
  readonly algorithm: string // 'hmac-sha256'
  readonly secret: Buffer
}

// MD5 is left out: RFC 8945 6 says so.
const digests: Readonly<Record<string, string>> = {
  'hmac-sha1': 'sha1',
  'hmac-sha224': 'sha224',
  'hmac-sha256': 'sha256',
  'hmac-sha384': 'sha384',
  'hmac-sha512': 'sha512',
}

const FUDGE_S = 300

export function tsigKey(name: string, algorithm: string, secret: string): TsigKey {
  const plain = algorithm.toLowerCase().replace(/\.$/, '')
  if (digests[plain] === undefined)
    throw new DnsError(`TSIG by ${plain} is not supported; ${Object.keys(digests).join(', ')} are`)
  return {
    name: name.toLowerCase().replace(/\.$/, ''),
    algorithm: plain,
    secret: Buffer.from(secret, 'base64'),
  }
}

export interface Signed {
  readonly bytes: Buffer
  readonly mac: Buffer
}

export function signMessage(message: Message, key: TsigKey, nowMs: number): Signed {
  const plain = encodeMessage(message)
  const seconds = Math.floor(nowMs / 1000)
  const mac = macOf(key, [plain, variables(key, seconds, FUDGE_S, 0, Buffer.alloc(0))])
  const data = Buffer.concat([
    encodeName(key.algorithm),
    moment(seconds),
    shorts(FUDGE_S, mac.length),
    mac,
    shorts(message.id, 0, 0),
  ])
  const record = encodeRecord({ name: key.name, type: TSIG, class: ANY, ttl: 0, data })
  const bytes = Buffer.concat([plain, record])
  bytes.writeUInt16BE(message.additional.length + 1, 10)
  return { bytes, mac }
}

// Throws when the answer was not made by who has the secret, for this request (RFC 8945 5.3).
export function verifyAnswer(bytes: Buffer, key: TsigKey, requestMac: Buffer, nowMs: number): void {
  const parsed = decodeMessage(bytes)
  const record = parsed.additional.at(-1)
  const start = parsed.starts.at(-1)
  if (record === undefined || start === undefined || record.type !== TSIG)
    throw new DnsError('the answer is not signed')
  const fields = fieldsOf(record.data)
  if (record.name !== key.name) throw new DnsError('the answer is signed by another key')
  if (fields.error !== 0)
    throw new DnsError(`the server refuses our signature: ${tsigError(fields.error)}`)
  const plain = Buffer.from(bytes.subarray(0, start))
  plain.writeUInt16BE(fields.originalId, 0)
  plain.writeUInt16BE(parsed.additional.length - 1, 10)
  const parts = [
    shorts(requestMac.length),
    requestMac,
    plain,
    variables(key, fields.seconds, fields.fudge, fields.error, fields.other),
  ]
  const expected = macOf(key, parts)
  if (expected.length !== fields.mac.length || !timingSafeEqual(expected, fields.mac))
    throw new DnsError('the signature of the answer is wrong')
  if (Math.abs(nowMs / 1000 - fields.seconds) > fields.fudge)
    throw new DnsError('the answer was signed at another time')
}

export function macOf(key: TsigKey, parts: readonly Buffer[]): Buffer {
  const hmac = createHmac(digests[key.algorithm]!, key.secret)
  for (const part of parts) hmac.update(part)
  return hmac.digest()
}

export function variables(
  key: TsigKey,
  seconds: number,
  fudge: number,
  error: number,
  other: Buffer,
): Buffer {
  return Buffer.concat([
    encodeName(key.name),
    shorts(ANY, 0, 0), // class, and a time to live of four bytes
    encodeName(key.algorithm),
    moment(seconds),
    shorts(fudge, error, other.length),
    other,
  ])
}

export function moment(seconds: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUIntBE(seconds, 0, 6)
  return bytes
}

interface TsigFields {
  readonly seconds: number
  readonly fudge: number
  readonly mac: Buffer
  readonly originalId: number
  readonly error: number
  readonly other: Buffer
}

export function fieldsOf(data: Buffer): TsigFields {
  const name = data.indexOf(0) + 1 // the name of an algorithm is never compressed
  const macLength = name > 0 && data.length >= name + 10 ? data.readUInt16BE(name + 8) : -1
  const after = name + 10 + macLength
  if (macLength < 0 || data.length < after + 6) throw new DnsError('a signature is cut short')
  return {
    seconds: data.readUIntBE(name, 6),
    fudge: data.readUInt16BE(name + 6),
    mac: data.subarray(name + 10, after),
    originalId: data.readUInt16BE(after),
    error: data.readUInt16BE(after + 2),
    other: data.subarray(after + 6),
  }
}

function tsigError(code: number): string {
  return { 16: 'BADSIG', 17: 'BADKEY', 18: 'BADTIME', 22: 'BADTRUNC' }[code] ?? `code ${code}`
}
