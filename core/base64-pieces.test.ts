import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Base64Reader, encodeBase64 } from './base64-pieces.ts'

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

function decode(...pieces: string[]): string | null {
  const reader = new Base64Reader()
  const out = pieces.map((piece) => text(reader.decode(Buffer.from(piece), 0, piece.length)))
  return reader.isWhole ? out.join('') : null
}

test('what is encoded is what others read', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
      expect(text(encodeBase64(bytes, 0, bytes.length))).toBe(Buffer.from(bytes).toString('base64'))
    }),
  )
})

test('what others encode is read, however it is cut, and padded between messages', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 })
  fc.assert(
    fc.property(messages, fc.array(fc.nat(120)), (list, cuts) => {
      const coded = list.map((bytes) => Buffer.from(bytes).toString('base64')).join('')
      const ends = [0, ...cuts.filter((cut) => cut < coded.length), coded.length]
      const at = ends.toSorted((a, b) => a - b)
      const pieces = at.slice(1).map((end, i) => coded.slice(at[i], end))
      expect(decode(...pieces)).toBe(list.map((bytes) => text(bytes)).join(''))
    }),
  )
})

test('what is no base64 is known as such', () => {
  for (const bad of ['a', 'ab', 'abc', '====', 'a===', 'ab=c', 'ab c', 'abc-', 'abc_', 'ab\n='])
    expect(decode(bad), bad).toBeNull()
  expect(decode('YQ==', 'Yg==')).toBe('ab')
})
