// certificates/dns/message.ts: DNS messages (RFC 1035, RFC 2136), as much as challenges need. Bounded: a message from
// a peer is at most 64 KiB, names 255 bytes, pointers go backwards only. Hot: no.

import { Buffer } from 'node:buffer'

export const A = 1
export const NS = 2
export const CNAME = 5
export const SOA = 6
export const TXT = 16
export const AAAA = 28
export const TSIG = 250

export const IN = 1
export const NONE = 254
export const ANY = 255

export const OPCODE_UPDATE = 5
export const RECURSION_DESIRED = 0x0100
export const TRUNCATED = 0x0200
export const ANSWER = 0x8000

export const rcodes =
  'NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE'.split(
    ' ',
  )

export class DnsError extends Error {}

export interface Question {
  readonly name: string // lower case, no dot at the end
  readonly type: number
  readonly class: number
}

export interface DnsRecord {
  readonly name: string
  readonly type: number
  readonly class: number
  readonly ttl: number
  readonly data: Buffer
}

export interface Message {
  readonly id: number
  readonly flags: number
  readonly questions: readonly Question[] // of an update: the zone
  readonly answers: readonly DnsRecord[] // of an update: what must hold before
  readonly authority: readonly DnsRecord[] // of an update: the changes
  readonly additional: readonly DnsRecord[]
}

export interface Parsed extends Message {
  readonly starts: readonly number[] // where each record of `additional` begins
  readonly texts: ReadonlyMap<DnsRecord, string> // names within data: NS, CNAME
}

const RECORDS_MAX = 1024
const NAME_MAX = 255
const LABEL_MAX = 63

export function rcodeOf({ flags }: Message): string {
  return rcodes[flags & 15] ?? `code ${flags & 15}`
}

// ---- writing

export function encodeMessage(message: Message): Buffer {
  const sections = [message.answers, message.authority, message.additional]
  const head = Buffer.alloc(12)
  head.writeUInt16BE(message.id, 0)
  head.writeUInt16BE(message.flags, 2)
  head.writeUInt16BE(message.questions.length, 4)
  sections.forEach((section, i) => head.writeUInt16BE(section.length, 6 + i * 2))
  const questions = message.questions.map((one) =>
    Buffer.concat([encodeName(one.name), shorts(one.type, one.class)]),
  )
  return Buffer.concat([head, ...questions, ...sections.flat().map(encodeRecord)])
}

export function encodeRecord(record: DnsRecord): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(record.type, 0)
  fixed.writeUInt16BE(record.class, 2)
  fixed.writeUInt32BE(record.ttl, 4)
  fixed.writeUInt16BE(record.data.length, 8)
  return Buffer.concat([encodeName(record.name), fixed, record.data])
}

export function shorts(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2)
  values.forEach((value, i) => bytes.writeUInt16BE(value, i * 2))
  return bytes
}

export function encodeName(name: string): Buffer {
  const labels = name === '' ? [] : name.replace(/\.$/, '').split('.')
  const parts: Buffer[] = []
  for (const label of labels) {
    const bytes = Buffer.from(label.toLowerCase(), 'latin1')
    if (bytes.length === 0 || bytes.length > LABEL_MAX) throw new DnsError(`${name} is no name`)
    parts.push(Buffer.from([bytes.length]), bytes)
  }
  const encoded = Buffer.concat([...parts, Buffer.from([0])])
  if (encoded.length > NAME_MAX) throw new DnsError('a name is too long')
  return encoded
}

// One text of any length: pieces of 255 bytes.
export function textData(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length || at === 0; at += 255) {
    const piece = bytes.subarray(at, at + 255)
    parts.push(Buffer.from([piece.length]), piece)
  }
  return Buffer.concat(parts)
}

// ---- reading

export function textOf(data: Buffer): string {
  let text = ''
  for (let at = 0; at < data.length;) {
    const length = data[at]!
    if (at + 1 + length > data.length) throw new DnsError('a text is cut short')
    text += data.toString('latin1', at + 1, at + 1 + length)
    at += 1 + length
  }
  return text
}

class Reader {
  at = 0
  readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  number(size: 2 | 4): number {
    if (this.at + size > this.bytes.length) throw new DnsError('a message is cut short')
    const value = this.bytes.readUIntBE(this.at, size)
    this.at += size
    return value
  }

  name(): string {
    const { name, end } = nameAt(this.bytes, this.at)
    this.at = end
    return name
  }

  record(texts: Map<DnsRecord, string>): DnsRecord {
    const name = this.name()
    const [type, kind, ttl, length] = [
      this.number(2),
      this.number(2),
      this.number(4),
      this.number(2),
    ]
    const end = this.at + length
    if (end > this.bytes.length) throw new DnsError('a record is cut short')
    const record = { name, type, class: kind, ttl, data: this.bytes.subarray(this.at, end) }
    if ((type === NS || type === CNAME) && length > 0)
      texts.set(record, nameAt(this.bytes, this.at).name)
    this.at = end
    return record
  }
}

function nameAt(bytes: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = []
  let at = start
  let end = -1
  let length = 0
  let lowest = start // pointers lead to ever earlier bytes, so there is no loop
  for (;;) {
    const size = bytes[at]
    if (size === undefined) throw new DnsError('a name is cut short')
    if (size === 0) break
    if (size >= 0xc0) {
      const target = ((size & 63) << 8) | (bytes[at + 1] ?? 0)
      if (at + 1 >= bytes.length || target >= lowest) throw new DnsError('a pointer leads nowhere')
      if (end < 0) end = at + 2
      at = lowest = target
      continue
    }
    length += size + 1
    if (size > LABEL_MAX || length > NAME_MAX) throw new DnsError('a name is too long')
    if (at + 1 + size > bytes.length) throw new DnsError('a name is cut short')
    const label = bytes.toString('latin1', at + 1, at + 1 + size)
    if (label.includes('.')) throw new DnsError('a label has a dot')
    labels.push(label.toLowerCase())
    at += 1 + size
  }
  return { name: labels.join('.'), end: end < 0 ? at + 1 : end }
}

export function decodeMessage(bytes: Buffer): Parsed {
  const reader = new Reader(bytes)
  const [id, flags] = [reader.number(2), reader.number(2)]
  const counts = [reader.number(2), reader.number(2), reader.number(2), reader.number(2)] as const
  if (counts.reduce((sum, one) => sum + one, 0) > RECORDS_MAX)
    throw new DnsError(`more than ${RECORDS_MAX} records`)
  const questions = Array.from({ length: counts[0] }, () => ({
    name: reader.name(),
    type: reader.number(2),
    class: reader.number(2),
  }))
  const texts = new Map<DnsRecord, string>()
  const starts: number[] = []
  const section = (count: number) => Array.from({ length: count }, () => reader.record(texts))
  const [answers, authority] = [section(counts[1]), section(counts[2])]
  const additional = Array.from({ length: counts[3] }, () => {
    starts.push(reader.at)
    return reader.record(texts)
  })
  return { id, flags, questions, answers, authority, additional, starts, texts }
}
