import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ProtobufError, fieldsOf } from './protobuf.ts'

const shown = (...bytes: number[]): string[] =>
  fieldsOf(Buffer.from(bytes)).map(({ number, bytes: value }) => `${number} ${value.toString()}`)

test('Fields with a length are read in order, and others passed over', () => {
  expect(shown()).toEqual([])
  expect(shown(0x0a, 2, 104, 105, 0x12, 0, 0x0a, 1, 120)).toEqual(['1 hi', '2 ', '1 x'])
  expect(shown(0x08, 0x96, 0x01, 0x0a, 1, 97)).toEqual(['1 a']) // a number
  expect(shown(0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x0d, 1, 2, 3, 4, 0x0a, 1, 97)).toEqual(['1 a'])
  expect(shown(0x82, 0x01, 1, 97)).toEqual(['16 a']) // a field number above 15
})

test('What is no message is refused', () => {
  for (const bytes of [
    [0x0a], // no length
    [0x0a, 5, 97], // longer than what follows
    [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], // much longer
    [0x02, 0], // field 0
    [0x0b], // a group
    [0x09, 1, 2], // 8 bytes of which there are 2
    [0x08, ...Array.from({ length: 11 }, () => 0x80)],
  ])
    expect(() => shown(...bytes), String(bytes)).toThrow(ProtobufError)
})

test('No bytes whatever do more than be refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        const total = fieldsOf(Buffer.from(bytes)).reduce((sum, one) => sum + one.bytes.length, 0)
        expect(total).toBeLessThanOrEqual(bytes.length)
      } catch (fault) {
        expect(fault).toBeInstanceOf(ProtobufError)
      }
    }),
    { numRuns: 2000 },
  )
})
