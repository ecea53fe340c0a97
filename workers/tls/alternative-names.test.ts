import { expect, test } from 'vitest'
import { alternativeNames } from './alternative-names.ts'

test('names come with their kind, in order', () => {
  const text =
    'DNS:a.example, URI:spiffe://mesh/a, IP Address:192.0.2.1, email:a@b.example, DirName:x'
  expect(alternativeNames(text)).toEqual([
    { type: 'dns', value: 'a.example' },
    { type: 'uri', value: 'spiffe://mesh/a' },
    { type: 'ip', value: '192.0.2.1' },
    { type: 'email', value: 'a@b.example' },
    { type: 'other', value: 'x' },
  ])
})

test('a value that pretends to be two names is one', () => {
  expect(alternativeNames('URI:"http://a/, DNS:good.example", DNS:b.example')).toEqual([
    { type: 'uri', value: 'http://a/, DNS:good.example' },
    { type: 'dns', value: 'b.example' },
  ])
  expect(alternativeNames('DNS:"a\\", DNS:c.example"')).toEqual([
    { type: 'dns', value: 'a", DNS:c.example' },
  ])
})

test('names with NUL are none (CVE-2025-66220)', () => {
  expect(alternativeNames('DNS:"good.example\\u0000.evil.example", DNS:b')).toEqual([
    { type: 'dns', value: 'b' },
  ])
})

test('what can not be read has no names at all', () => {
  expect(alternativeNames('DNS:a, DNS:"unfinished')).toEqual([])
  expect(alternativeNames('DNS:a, "\\x"')).toEqual([])
  expect(alternativeNames('nothing')).toEqual([])
  expect(alternativeNames('')).toEqual([])
})
