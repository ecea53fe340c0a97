// core/h2/hpack-encoder.ts: writes header blocks (RFC 7541, section 6).
//
// Owner:  one connection, since its table follows what that connection was sent. The bytes of the block lie in a
//         buffer that all encoders of a worker share: they are used before the next block is begun.
// Hot:    yes, once per response.
//
// Fields that servers repeat (their name, types, policies) are kept in the table, so that the second response
// names them in one byte; what differs from response to response goes out as it is, and what is secret is
// never kept (section 7.1.3). Nothing is Huffman-coded: see huffman.ts.

import { headerNames } from '../header-ids.ts'
import { FIXED_COUNT, fixedNumberOf } from './hpack-table.ts'

const BYTES_AT_START = 16 * 1024
const VALUE_LENGTH_MAX = 256 // of a kept field
const ENTRY_OVERHEAD = 32
const SHORT = 20 // below it a loop is faster than a call into the runtime

let block = Buffer.allocUnsafeSlow(BYTES_AT_START)

const keptNames = new Set([
  'content-type',
  'server',
  'date',
  'cache-control',
  'content-encoding',
  'content-language',
  'vary',
  'via',
  'accept-ranges',
  'allow',
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
  'alt-svc',
  'content-security-policy',
  'cross-origin-opener-policy',
  'cross-origin-resource-policy',
  'permissions-policy',
  'referrer-policy',
  'strict-transport-security',
  'x-content-type-options',
  'x-frame-options',
  'x-powered-by',
  'x-xss-protection',
  'grpc-encoding',
  'grpc-accept-encoding',
  'grpc-status',
])
const neverNames = new Set([
  'set-cookie',
  'authorization',
  'www-authenticate',
  'proxy-authenticate',
])

// What is to be done with a name, found out once: number of the fixed field, and whether it is kept.
class NameRule {
  readonly name: string
  readonly number: number
  readonly kept: boolean
  readonly never: boolean

  constructor(name: string) {
    this.name = name
    this.number = fixedNumberOf(name)
    this.kept = keptNames.has(name)
    this.never = neverNames.has(name)
  }
}

const rulesById = headerNames.map((name) => new NameRule(name))
const rulesByName = new Map<string, NameRule>()
for (const name of keptNames) rulesByName.set(name, new NameRule(name))
for (const name of neverNames) rulesByName.set(name, new NameRule(name))

function ruleFor(name: string): NameRule {
  return rulesByName.get(name) ?? new NameRule(name)
}

interface Kept {
  readonly rule: NameRule
  readonly value: string
  readonly size: number
}

export class HpackEncoder {
  length = 0 // of the block so far
  private tableBytesMax: number
  private tableBytes = 0
  private resized = -1 // the least size since the last block, which must be told first (section 4.2)
  private readonly sequences = new Map<string, Map<string, number>>() // name, value: when it was added
  private kept: Kept[] = [] // oldest first, from `first`
  private first = 0
  private added = 0

  constructor(tableBytesMax: number) {
    this.tableBytesMax = tableBytesMax
  }

  get bytes(): Buffer {
    return block
  }

  // The client's SETTINGS_HEADER_TABLE_SIZE, or our own bound where that is less.
  resize(tableBytesMax: number): void {
    if (tableBytesMax === this.tableBytesMax) return
    this.tableBytesMax = tableBytesMax
    this.resized = this.resized < 0 ? tableBytesMax : Math.min(this.resized, tableBytesMax)
    this.evictTo(tableBytesMax)
  }

  begin(): void {
    this.length = 0
    if (this.resized < 0) return
    if (this.resized < this.tableBytesMax) this.integer(0x20, 5, this.resized)
    this.integer(0x20, 5, this.tableBytesMax)
    this.resized = -1
  }

  status(status: number): void {
    this.ensure(8)
    const number = fixedStatus[status]
    if (number !== undefined) {
      block[this.length++] = 0x80 | number
      return
    }
    block[this.length++] = 8 // literal without indexing, the name of field 8
    this.string(String(status))
  }

  // `name` in lower case.
  field(name: string, value: string): void {
    this.write(ruleFor(name), value)
  }

  fieldById(id: number, value: string): void {
    this.write(rulesById[id]!, value)
  }

  // Without the table, so that the block may be sent at any later time.
  plainField(name: string, value: string): void {
    const number = fixedNumberOf(name)
    this.ensure(8)
    this.integer(0, 4, number)
    if (number === 0) this.string(name)
    this.string(value)
  }

  private write(rule: NameRule, value: string): void {
    this.ensure(16)
    if (rule.kept && value.length <= VALUE_LENGTH_MAX) {
      const sequence = this.sequences.get(rule.name)?.get(value)
      if (sequence !== undefined) {
        this.integer(0x80, 7, FIXED_COUNT + this.added - sequence)
        return
      }
      this.integer(0x40, 6, rule.number)
      if (rule.number === 0) this.string(rule.name)
      this.string(value)
      this.keep(rule, value)
      return
    }
    this.integer(rule.never ? 0x10 : 0, 4, rule.number)
    if (rule.number === 0) this.string(rule.name)
    this.string(value)
  }

  private keep(rule: NameRule, value: string): void {
    const size = rule.name.length + value.length + ENTRY_OVERHEAD
    this.evictTo(this.tableBytesMax - size)
    if (size > this.tableBytesMax) return
    let values = this.sequences.get(rule.name)
    if (values === undefined) {
      values = new Map()
      this.sequences.set(rule.name, values)
    }
    values.set(value, this.added++)
    this.kept.push({ rule, value, size })
    this.tableBytes += size
  }

  private evictTo(size: number): void {
    while (this.first < this.kept.length && this.tableBytes > size) {
      const { rule, value, size: freed } = this.kept[this.first++]!
      this.sequences.get(rule.name)!.delete(value)
      this.tableBytes -= freed
    }
    if (this.first > 128) {
      this.kept = this.kept.slice(this.first)
      this.first = 0
    }
  }

  private ensure(more: number): void {
    if (this.length + more <= block.length) return
    const larger = Buffer.allocUnsafeSlow(2 * (this.length + more))
    block.copy(larger, 0, 0, this.length)
    block = larger
  }

  // Section 5.1.
  private integer(first: number, prefixBits: number, value: number): void {
    const mask = (1 << prefixBits) - 1
    if (value < mask) {
      block[this.length++] = first | value
      return
    }
    block[this.length++] = first | mask
    let rest = value - mask
    while (rest >= 128) {
      block[this.length++] = 128 | (rest & 127)
      rest >>>= 7
    }
    block[this.length++] = rest
  }

  private string(text: string): void {
    const { length } = text
    this.ensure(length + 8)
    this.integer(0, 7, length)
    if (length >= SHORT) {
      block.latin1Write(text, this.length)
      this.length += length
      return
    }
    for (let i = 0; i < length; i++) block[this.length++] = text.charCodeAt(i)
  }
}

const fixedStatus: Readonly<Record<number, number>> = {
  200: 8,
  204: 9,
  206: 10,
  304: 11,
  400: 12,
  404: 13,
  500: 14,
}

declare global {
  interface Buffer {
    latin1Write(text: string, offset?: number, length?: number): number // write(text, 'latin1') unchecked
  }
}
