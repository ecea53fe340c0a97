import { assert, integer, property, uint8Array } from 'fast-check'
import { expect, test } from 'vitest'
import { suffixesOf, parseServer } from './lookup.ts'
import {
  DnsError,
  IN,
  TXT,
  decodeMessage,
  encodeMessage,
  encodeName,
  textData,
  textOf,
} from './message.ts'
import { fieldsOf, tsigKey } from './tsig.ts'

const message = {
  id: 7,
  flags: 0x8400,
  questions: [{ name: 'a.example.org', type: TXT, class: IN }],
  answers: [
    { name: 'a.example.org', type: TXT, class: IN, ttl: 60, data: textData('x'.repeat(600)) },
  ],
  authority: [],
  additional: [],
}

test('What was encoded is decoded, and a long text is one text', () => {
  const parsed = decodeMessage(encodeMessage(message))
  expect(parsed).toMatchObject({ id: 7, flags: 0x8400, questions: message.questions })
  expect(parsed.answers[0]!.name).toBe('a.example.org')
  expect(textOf(parsed.answers[0]!.data)).toBe('x'.repeat(600))
})

test('A name may point to an earlier one, and never to itself or ahead', () => {
  const name = encodeName('a.org')
  const head = Buffer.from([0, 1, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0])
  const asked = Buffer.concat([head, name, Buffer.from([0, 16, 0, 1])])
  const fixed = Buffer.from([0, 16, 0, 1, 0, 0, 0, 60, 0, 0])
  const good = Buffer.concat([asked, Buffer.from([0xc0, 12]), fixed])
  expect(decodeMessage(good).answers[0]!.name).toBe('a.org')
  for (const pointer of [asked.length, asked.length + 2, 0x3fff]) {
    const bad = Buffer.concat([asked, Buffer.from([0xc0 | (pointer >> 8), pointer & 255]), fixed])
    expect(() => decodeMessage(bad), String(pointer)).toThrow(DnsError)
  }
})

test('Bytes of a stranger give a message or a DnsError, whatever they are', () => {
  const valid = encodeMessage(message)
  assert(
    property(
      uint8Array({ maxLength: 200 }),
      integer({ min: 0, max: valid.length }),
      (noise, at) => {
        for (const bytes of [Buffer.from(noise), Buffer.concat([valid.subarray(0, at), noise])]) {
          try {
            for (const { data } of decodeMessage(bytes).answers) textOf(data)
          } catch (fault) {
            expect(fault).toBeInstanceOf(DnsError)
          }
        }
      },
    ),
    { numRuns: 2000 },
  )
})

test('The fields of a signature are read within its bounds', () => {
  assert(
    property(uint8Array({ maxLength: 80 }), (noise) => {
      try {
        fieldsOf(Buffer.from(noise))
      } catch (fault) {
        expect(fault).toBeInstanceOf(DnsError)
      }
    }),
  )
})

test('Names and labels that are too long are refused', () => {
  expect(() => encodeName('a'.repeat(64) + '.org')).toThrow(DnsError)
  expect(() => encodeName(Array.from({ length: 60 }, () => 'abcd').join('.'))).toThrow(DnsError)
  expect(() => encodeName('a..org')).toThrow(DnsError)
  expect(encodeName('').toString('hex')).toBe('00')
})

test('Names of servers are read as Traefik writes them', () => {
  expect(parseServer('1.1.1.1:5353')).toEqual({ host: '1.1.1.1', port: 5353 })
  expect(parseServer('1.1.1.1')).toEqual({ host: '1.1.1.1', port: 53 })
  expect(parseServer('[2001:db8::1]:53')).toEqual({ host: '2001:db8::1', port: 53 })
  expect(parseServer('2001:db8::1')).toEqual({ host: '2001:db8::1', port: 53 })
  expect(parseServer('ns.example.org:53')).toEqual({ host: 'ns.example.org', port: 53 })
  expect(() => parseServer('')).toThrow(DnsError)
  expect(suffixesOf('a.b.org')).toEqual(['a.b.org', 'b.org', 'org'])
})

test('Algorithms that are too weak or unknown are refused by name', () => {
  expect(() => tsigKey('k', 'hmac-md5.sig-alg.reg.int.', 'x')).toThrow('hmac-md5')
  expect(tsigKey('K.', 'HMAC-SHA256.', 'eA==')).toMatchObject({
    name: 'k',
    algorithm: 'hmac-sha256',
  })
})
