// Claims of JWTs as keys of limits: what is read, and what of a hostile client is as good as nothing.
import { describe, expect, it } from 'vitest'
import { JWT_LENGTH_MAX, claimOf, parseClaimPath } from './claim.ts'

const base64url = (bytes: string | Buffer): string => Buffer.from(bytes).toString('base64url')
const HEAD = base64url('{"alg":"RS256"}')
const jwt = (payload: string | Buffer): string => `${HEAD}.${base64url(payload)}.c2lnbmF0dXJl`
const claim = (line: string, path: string): string | null => claimOf(line, parseClaimPath(path)!)

describe('a claim', () => {
  it.each([
    ['{"sub":"ann"}', 'sub', 'ann'],
    ['{"sub":"jörg"}', 'sub', 'jörg'],
    ['{"sub":7}', 'sub', '7'],
    ['{"sub":-0.5}', 'sub', '-0.5'],
    ['{"sub":false}', 'sub', 'false'],
    ['{"realm":{"tenant":"t1"}}', 'realm.tenant', 't1'],
    ['{"https://shop.example/tenant":"t2"}', 'https://shop\\.example/tenant', 't2'],
    ['{"__proto__":"mine"}', '__proto__', 'mine'], // as JSON has it: a name like any other
    ['{"__proto__":{"tenant":"t3"}}', '__proto__.tenant', 't3'],
  ])('of %s by %s is %s', (payload, path, expected) => {
    for (const prefix of ['Bearer ', 'bearer  ', 'BEARER ', ''])
      expect(claim(prefix + jwt(payload), path)).toBe(expected)
  })

  it.each([
    ['{}', 'sub'],
    ['{"sub":null}', 'sub'],
    ['{"sub":""}', 'sub'],
    ['{"sub":{"a":1}}', 'sub'],
    ['{"sub":["ann"]}', 'sub'],
    ['{"sub":["ann"]}', 'sub.0'],
    ['{"sub":"ann"}', 'sub.length'],
    ['{"sub":1e999}', 'sub'],
    ['{"sub":"a\\nb"}', 'sub'],
    ['{"sub":"a\\u0000"}', 'sub'],
    ['{"sub":"\\ud800"}', 'sub'],
    ['{"a":1}', '__proto__'],
    ['{"a":1}', 'constructor.name'],
    ['{"a":1}', 'toString'],
    ['"sub"', 'sub'],
    ['[]', 'length'],
    ['null', 'sub'],
    ['{"sub":"ann"', 'sub'],
    ['', 'sub'],
  ])('that is none: of %s by %s', (payload, path) => {
    expect(claim(`Bearer ${jwt(payload)}`, path)).toBe(null)
  })
})

describe('a line that is no JWT', () => {
  const good = jwt('{"sub":"ann"}')
  it.each([
    [''],
    ['Bearer'],
    ['Bearer '],
    ['Basic YW5uOnBhc3N3b3Jk'],
    [`Basic ${good}`],
    [`Bearer ${good} x`],
    [`Bearer ${good}.x.y`], // encrypted: five parts
    [`Bearer ${HEAD}.${base64url('{"sub":"ann"}')}`],
    [`Bearer ${HEAD}..x`],
    [`Bearer ${HEAD}.!!!!.x`],
    [`Bearer ${HEAD}.e30=.x`],
    [`Bearer ${HEAD}.a.x`], // no number of bytes
    ['Bearer ' + jwt(Buffer.from('{"sub":"\xff"}', 'latin1'))], // not UTF-8
    ['Bearer ' + jwt(Buffer.from([0x7b, 0xed, 0xa0, 0x80]))], // half of a pair, as bytes
  ])('has no claim: %s', (line) => {
    expect(claim(line, 'sub')).toBe(null)
  })

  it('is not looked at when it is longer than any need be', () => {
    const withPadding = (length: number) => {
      const line = `Bearer ${jwt('{"sub":"ann"}')}`
      return line + 'A'.repeat(length - line.length)
    }
    expect(claim(withPadding(JWT_LENGTH_MAX), 'sub')).toBe('ann')
    expect(claim(withPadding(JWT_LENGTH_MAX + 1), 'sub')).toBe(null)
    expect(claim(`Bearer ${jwt(JSON.stringify({ sub: 'x'.repeat(1e6) }))}`, 'sub')).toBe(null)
  })

  it('may be as deep as fits', () => {
    const deep = `{"a":`.repeat(1000) + '1' + '}'.repeat(1000)
    expect(claim(`Bearer ${jwt(deep)}`, 'a.a')).toBe(null)
    expect(
      claim(`Bearer ${jwt(`{"sub":"ann","b":${'['.repeat(2900)}${']'.repeat(2900)}}`)}`, 'sub'),
    ).toBe('ann')
  })
})

it.each([[''], ['.'], ['a.'], ['.a'], ['a..b'], ['a.b.c.d.e.f.g.h.i']])(
  'a path that leads nowhere is none: "%s"',
  (path) => {
    expect(parseClaimPath(path)).toBe(null)
  },
)
