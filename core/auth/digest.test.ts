// The header of a digest, read strictly.
import { describe, expect, it } from 'vitest'
import { readDigestHeader } from './digest.ts'

const good = {
  username: '"ann"',
  realm: '"shop"',
  nonce: '"n"',
  uri: '"/a?b,c"',
  response: `"${'ab'.repeat(16)}"`,
  cnonce: '"c"',
  nc: '00000001',
  qop: 'auth',
}
const header = (over: Record<string, string | undefined> = {}) =>
  'Digest ' +
  Object.entries({ ...good, ...over })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')

describe('readDigestHeader', () => {
  it('reads what clients send', () => {
    expect(readDigestHeader(header())).toEqual({
      username: 'ann',
      realm: 'shop',
      nonce: 'n',
      uri: '/a?b,c',
      response: 'ab'.repeat(16),
      cnonce: 'c',
      nc: '00000001',
    })
    expect(readDigestHeader(header({ username: '"a\\"b\\\\"', algorithm: 'MD5' }))?.username).toBe(
      'a"b\\',
    )
  })

  it.each([
    ['Basic x'],
    ['Digest '],
    [header({ qop: undefined })],
    [header({ qop: 'auth-int' })],
    [header({ algorithm: 'SHA-256' })],
    [header({ algorithm: 'MD5-sess' })],
    [header({ response: '"short"' })],
    [header({ nc: '1' })],
    [header({ cnonce: undefined })],
    [header({ username: undefined })],
    [`${header()}, username="bob"`],
    [`${header()} x`],
    [header({ uri: '"unclosed' })],
    [`${header()}, a=${'b'.repeat(9000)}`],
  ])('takes %s for no credentials', (text) => {
    expect(readDigestHeader(text)).toBe(null)
  })
})
