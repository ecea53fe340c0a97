import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HpackDecoder } from './hpack-decoder.ts'
import { HpackEncoder } from './hpack-encoder.ts'
import type { Field } from './hpack-table.ts'
import { huffmanDecode, huffmanEncode } from './huffman.ts'

function decode(decoder: HpackDecoder, hex: string | number[]): string[] | null {
  const bytes =
    typeof hex === 'string' ? Buffer.from(hex.replaceAll(' ', ''), 'hex') : Buffer.from(hex)
  const fields: string[] = []
  const field = (one: Field): void => void fields.push(`${one.name.text}: ${one.value}`)
  return decoder.decode(bytes, 0, bytes.length, { field }) ? fields : null
}

function tableOf(decoder: HpackDecoder): string[] {
  const { table } = decoder
  return Array.from({ length: table.count }, (_, age) => {
    const field = table.at(age)!
    return `${field.name.text}: ${field.value}`
  })
}

describe('the examples of RFC 7541, appendix C', () => {
  test('requests, plain (C.3) and Huffman-coded (C.4), read the same and leave the same table', () => {
    const plain = [
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ]
    const coded = [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ]
    for (const blocks of [plain, coded]) {
      const decoder = new HpackDecoder(4096)
      const [first, second, third] = blocks.map((block) => decode(decoder, block))
      const start = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com']
      expect(first).toEqual(start)
      expect(second).toEqual([...start, 'cache-control: no-cache'])
      expect(third).toEqual([
        ':method: GET',
        ':scheme: https',
        ':path: /index.html',
        ':authority: www.example.com',
        'custom-key: custom-value',
      ])
      expect(tableOf(decoder)).toEqual([
        'custom-key: custom-value',
        'cache-control: no-cache',
        ':authority: www.example.com',
      ])
      expect(decoder.table.size).toBe(164)
    }
  })

  test('responses evict what no longer fits into 256 bytes (C.6)', () => {
    const decoder = new HpackDecoder(256)
    decode(
      decoder,
      '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
    )
    expect(decoder.table.size).toBe(222)
    expect(decode(decoder, '4883 640e ffc1 c0bf')).toEqual([
      ':status: 307',
      'cache-control: private',
      'date: Mon, 21 Oct 2013 20:13:21 GMT',
      'location: https://www.example.com',
    ])
    expect(tableOf(decoder)).toEqual([
      ':status: 307',
      'location: https://www.example.com',
      'date: Mon, 21 Oct 2013 20:13:21 GMT',
      'cache-control: private',
    ])
  })
})

describe('blocks that are refused', () => {
  const cases: readonly (readonly [string, number[]])[] = [
    ['a field number 0', [0x80]],
    ['a field number that nobody has', [0x80 | 62]],
    ['a number without end', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['a number that the block ends in', [0xff]],
    ['a string longer than the block', [0x00, 0x05, 97, 98]],
    ['a name without a value', [0x00, 0x01, 97]],
    ['a table larger than we allow', [0x3f, 0xff, 0x7f]],
    ['a change of the table behind a field', [0x82, 0x20]],
    ['Huffman padding of zeros', [0x00, 0x81, 0x18, 0x00]],
    ['Huffman padding of more than seven bits', [0x00, 0x82, 0x1f, 0xff, 0x00]],
    ['the end-of-string code', [0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00]],
  ]
  test.each(cases)('%s', (_, bytes) => {
    expect(decode(new HpackDecoder(4096), bytes)).toBeNull()
  })

  test('whatever the bytes are, the decoder ends and its table keeps its bound', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (a, b) => {
        const decoder = new HpackDecoder(512)
        for (const bytes of [a, b]) {
          decode(decoder, [...bytes])
          expect(decoder.table.size).toBeLessThanOrEqual(512)
          expect(tableOf(decoder).length).toBeLessThanOrEqual(16)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

test('every text survives the Huffman code', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const coded = Buffer.from(huffmanEncode(Buffer.from(bytes).toString('latin1')))
      const out = Buffer.alloc(Math.ceil((coded.length * 8) / 5) + 1)
      const length = huffmanDecode(coded, 0, coded.length, out)
      expect([...out.subarray(0, length)]).toEqual([...bytes])
    }),
  )
})

test('what the encoder writes is what a decoder reads, block after block, whatever the size of the table', () => {
  const name = fc.constantFrom(
    'server',
    'content-type',
    'x-own',
    'set-cookie',
    'grpc-status',
    'vary',
  )
  const value = fc.oneof(
    fc.constantFrom('a', 'text/html', ''),
    fc.string({ unit: 'grapheme-ascii', maxLength: 300 }),
  )
  const field = fc.tuple(name, value)
  const step = fc.tuple(
    fc.integer({ min: 200, max: 599 }),
    fc.array(field, { maxLength: 8 }),
    fc.option(fc.constantFrom(0, 60, 200, 4096), { nil: null }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const encoder = new HpackEncoder(4096)
      const decoder = new HpackDecoder(4096)
      for (const [status, fields, size] of steps) {
        if (size !== null) encoder.resize(size)
        encoder.begin()
        encoder.status(status)
        for (const [one, text] of fields) encoder.field(one, text)
        const block = [...encoder.bytes.subarray(0, encoder.length)]
        const expected = [`:status: ${status}`, ...fields.map(([one, text]) => `${one}: ${text}`)]
        expect(decode(decoder, block)).toEqual(expected)
      }
    }),
  )
})

test('a field that is sent again costs one byte, a secret one is never kept', () => {
  const encoder = new HpackEncoder(4096)
  const lengths = [0, 1].map(() => {
    encoder.begin()
    encoder.field('server', 'a server with a long name')
    return encoder.length
  })
  expect(lengths[0]).toBeGreaterThan(20)
  expect(lengths[1]).toBe(1)
  encoder.begin()
  encoder.field('set-cookie', 'secret=1')
  expect(encoder.bytes[0]! & 0xf0).toBe(0x10) // "never indexed", for those who come after us
})
