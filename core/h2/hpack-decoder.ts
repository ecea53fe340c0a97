// core/h2/hpack-decoder.ts: reads header blocks (RFC 7541, section 6).
//
// Owner:  one connection: the state of a decoder is that of its client's encoder, so every block has to be
//         read to its end, also one that is refused.
// Hot:    yes, once per request. A field that the client repeats by number allocates nothing.
//
// A small block can stand for a large head (one byte for a field of 4 KiB). It stands for it only: fields are
// references until somebody puts them into a head, and who does that counts (request-head.ts).

import { huffmanDecode } from './huffman.ts'
import { DynamicTable, FIXED_COUNT, Field, FieldName, fixedFields } from './hpack-table.ts'

export interface FieldSink {
  field(field: Field): void
}

const INTEGER_MAX = 1 << 24 // no string or number of a block comes near it

const scratch = Buffer.allocUnsafeSlow(4096)

export class HpackDecoder {
  readonly table: DynamicTable
  private readonly tableBytesMax: number // what our SETTINGS allow
  private bytes: Buffer = scratch
  private at = 0
  private end = 0
  private failed = false

  constructor(tableBytesMax: number) {
    this.tableBytesMax = tableBytesMax
    this.table = new DynamicTable(tableBytesMax)
  }

  // Gives every field of the block bytes[from..to) to `sink`. False: COMPRESSION_ERROR, of the connection.
  decode(bytes: Buffer, from: number, to: number, sink: FieldSink): boolean {
    this.bytes = bytes
    this.at = from
    this.end = to
    this.failed = false
    let mayResize = true // only before the first field (section 4.2)
    while (this.at < to && !this.failed) {
      const first = bytes[this.at]!
      if ((first & 0xe0) === 0x20) {
        if (mayResize) this.resize()
        else this.failed = true
        continue
      }
      mayResize = false
      const field = first >= 0x80 ? this.fieldAt(this.integer(7)) : this.literal(first)
      if (field !== null && !this.failed) sink.field(field)
    }
    this.bytes = scratch
    return !this.failed
  }

  private resize(): void {
    const size = this.integer(5)
    if (size > this.tableBytesMax) this.failed = true
    else if (!this.failed) this.table.resize(size)
  }

  private fieldAt(number: number): Field | null {
    const field =
      number <= FIXED_COUNT ? fixedFields[number - 1] : this.table.at(number - FIXED_COUNT - 1)
    if (field === undefined || field === null) {
      this.failed = true
      return null
    }
    return field
  }

  // With incremental indexing (01), without (0000), or never to be indexed (0001).
  private literal(first: number): Field | null {
    const indexed = first >= 0x40
    const number = this.integer(indexed ? 6 : 4)
    let name: FieldName | null
    if (number > 0) {
      const known = this.fieldAt(number)
      name = known === null ? null : known.name
    } else name = new FieldName(this.string())
    const value = this.string()
    if (this.failed || name === null) return null
    const field = new Field(name, value)
    if (indexed) this.table.add(field)
    return field
  }

  // Section 5.1.
  private integer(prefixBits: number): number {
    const { bytes, end } = this
    const mask = (1 << prefixBits) - 1
    let value = bytes[this.at++]! & mask
    if (value < mask) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.at >= end) break
      const byte = bytes[this.at++]!
      value += (byte & 127) << shift
      if (byte >= 128) continue
      if (value > INTEGER_MAX) break
      return value
    }
    this.failed = true
    return 0
  }

  private string(): string {
    if (this.failed || this.at >= this.end) {
      this.failed = true
      return ''
    }
    const encoded = this.bytes[this.at]! >= 0x80
    const length = this.integer(7)
    const from = this.at
    if (this.failed || length > this.end - from) {
      this.failed = true
      return ''
    }
    this.at = from + length
    return encoded ? this.decoded(from, this.at) : this.bytes.latin1Slice(from, this.at)
  }

  private decoded(from: number, to: number): string {
    const needed = ((to - from) * 8) / 5 + 1
    const out = needed <= scratch.length ? scratch : Buffer.allocUnsafe(Math.ceil(needed))
    const length = huffmanDecode(this.bytes, from, to, out)
    if (length < 0) {
      this.failed = true
      return ''
    }
    return out.latin1Slice(0, length)
  }
}
