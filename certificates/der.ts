// certificates/der.ts: DER (X.690), as much as certificates, requests and OCSP need: a writer, and a reader that is
// bounded by the bytes it is given.
//
// Written by hand because the default certificate is made at every start: with node:crypto this costs under a
// millisecond, while a library for X.509 takes 100 ms to load. Hot: no.

import { Buffer } from 'node:buffer'

export const INTEGER = 0x02
export const BIT_STRING = 0x03
export const OCTET_STRING = 0x04
export const OID = 0x06
export const ENUMERATED = 0x0a
export const UTF8_STRING = 0x0c
export const UTC_TIME = 0x17
export const GENERALIZED_TIME = 0x18
export const SEQUENCE = 0x30
export const SET = 0x31

// ---- writer

export function tlv(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents)
  return Buffer.concat([Buffer.from([tag, ...lengthOf(body.length)]), body])
}

function lengthOf(length: number): number[] {
  if (length < 128) return [length]
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest >>>= 8) bytes.unshift(rest & 255)
  return [128 | bytes.length, ...bytes]
}

export function sequence(...contents: readonly Uint8Array[]): Buffer {
  return tlv(SEQUENCE, ...contents)
}

export function set(...contents: readonly Uint8Array[]): Buffer {
  return tlv(SET, ...contents)
}

// [number] with contents: context-specific, constructed.
export function context(number: number, ...contents: readonly Uint8Array[]): Buffer {
  return tlv(0xa0 | number, ...contents)
}

// A number that is not negative, from its bytes: without leading zeros, but never with the sign bit set.
export function unsigned(bytes: Uint8Array): Buffer {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const digits = bytes.subarray(start)
  return tlv(INTEGER, Buffer.from((digits[0] ?? 0) & 0x80 ? [0] : []), digits)
}

// "2.5.29.17"
export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes: number[] = []
  for (const arc of [first * 40 + second, ...rest]) {
    const digits = [arc & 127]
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift((left & 127) | 128)
    bytes.push(...digits)
  }
  return tlv(OID, Buffer.from(bytes))
}

export function utf8(text: string): Buffer {
  return tlv(UTF8_STRING, Buffer.from(text, 'utf8'))
}

export function octets(...contents: readonly Uint8Array[]): Buffer {
  return tlv(OCTET_STRING, ...contents)
}

export function bits(bytes: Uint8Array, unused = 0): Buffer {
  return tlv(BIT_STRING, Buffer.from([unused]), bytes)
}

export function boolean(value: boolean): Buffer {
  return Buffer.from([0x01, 0x01, value ? 0xff : 0])
}

export function nothing(): Buffer {
  return Buffer.from([0x05, 0x00])
}

// RFC 5280 4.1.2.5: UTCTime until the year 2049, GeneralizedTime from then on.
export function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)
  const year = Number(digits.slice(0, 4))
  return year < 2050
    ? tlv(UTC_TIME, Buffer.from(`${digits.slice(2)}Z`))
    : tlv(GENERALIZED_TIME, Buffer.from(`${digits}Z`))
}

// ---- reader

export class DerError extends Error {}

export interface Node {
  readonly tag: number
  readonly whole: Buffer // with its head
  readonly body: Buffer
}

export function readDer(bytes: Uint8Array): Node {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const node = readAt(buffer, 0)
  if (node.whole.length !== buffer.length) throw new DerError('bytes after the end')
  return node
}

// The elements within a constructed one.
export function children(node: Node): Node[] {
  const found: Node[] = []
  for (let at = 0; at < node.body.length;) {
    const child = readAt(node.body, at)
    found.push(child)
    at += child.whole.length
  }
  return found
}

function readAt(buffer: Buffer, at: number): Node {
  const tag = buffer[at]
  let length = buffer[at + 1]
  if (tag === undefined || length === undefined) throw new DerError('cut short')
  if ((tag & 31) === 31) throw new DerError('a tag of several bytes')
  let start = at + 2
  if (length >= 128) {
    const digits = length & 127
    if (digits === 0 || digits > 4 || start + digits > buffer.length) throw new DerError('length')
    length = buffer.readUIntBE(start, digits)
    start += digits
  }
  const end = start + length
  if (end > buffer.length) throw new DerError('cut short')
  return { tag, whole: buffer.subarray(at, end), body: buffer.subarray(start, end) }
}

export function expectTag(node: Node | undefined, tag: number): Node {
  if (node === undefined || node.tag !== tag) throw new DerError(`no element ${tag.toString(16)}`)
  return node
}

export function oidText(node: Node): string {
  const body = expectTag(node, OID).body
  const arcs: number[] = []
  let value = 0
  for (const byte of body) {
    value = value * 128 + (byte & 127)
    if (byte & 128) continue
    arcs.push(value)
    value = 0
  }
  const first = arcs.shift() ?? 0
  const top = Math.min(2, Math.floor(first / 40))
  return [top, first - top * 40, ...arcs].join('.')
}

// Milliseconds since the epoch, of a UTCTime or a GeneralizedTime with seconds and "Z" (RFC 5280).
export function timeOf(node: Node): number {
  const text = node.body.toString('latin1')
  const isShort = node.tag === UTC_TIME
  const match = /^(\d{2}|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (match === null || match[1]!.length !== (isShort ? 2 : 4)) throw new DerError('a time')
  const [year = 0, month = 0, day, hour, minute, second] = match.slice(1).map(Number)
  const full = isShort ? year + (year < 50 ? 2000 : 1900) : year
  return Date.UTC(full, month - 1, day, hour, minute, second)
}
