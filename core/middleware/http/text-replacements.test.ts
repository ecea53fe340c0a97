// What bodyRewrite makes of one body, and that no body takes more than its length allows.

import { expect, test } from 'vitest'
import type { Exchange } from '../../exchange.ts'
import { contextOf, requestOf } from '../exchange.fixture.ts'
import { inertWorker } from '../inert-worker.ts'
import { BodyRewrite, type BodyRewriteOptions } from './body-rewrite.ts'
import { TextReplacements } from './text-replacements.ts'

const literal = (text: string, replacement: string) => ({ literal: text, regex: '', replacement })
const regex = (text: string, replacement: string) => ({ literal: '', regex: text, replacement })

function texts(maxBytes: number, ...replacements: ReturnType<typeof literal>[]): TextReplacements {
  return new TextReplacements(replacements, maxBytes, inertWorker(), 'metric', 'm@file')
}

function rewritten(by: TextReplacements, text: string): string | null {
  const bytes = by.rewrite(new TextEncoder().encode(text))
  return bytes === null ? null : new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
}

test('each replacement works on what the one before has left, and a literal has no groups', () => {
  const by = texts(1000, literal('a', '$1b$&'), regex('(b)\\$', '$$[$1]'), literal(']', ')'))
  expect(rewritten(by, '\ufeffxaé')).toBe('\ufeffx$1$[b)&é')
  expect(by.describe()).toBe('Replaces 2 literals and 1 expression')
  expect(texts(1, regex('a', '')).describe()).toBe('Replaces 1 expression')
})

test('explain tells literals and expressions, of responses and requests', () => {
  const of = { contentTypes: ['text/*'], maxBytes: 10, whenTooLong: 'pass' as const }
  const requests = { ...of, replacements: [regex('a', ''), regex('b', '')] }
  const both = { ...of, replacements: [literal('a', ''), regex('b', '')], requests }
  const post = requestOf('POST / HTTP/1.1', ['Content-Type: image/png', 'Content-Length: 1'])
  const get = requestOf('GET / HTTP/1.1')
  const explain = (options: BodyRewriteOptions, exchange: Exchange): string =>
    new BodyRewrite('m@file', options, contextOf()).explain(exchange)
  expect(explain({ ...both, requests: null }, get)).toBe(
    'Replaces 1 literal and 1 expression in response bodies of text/* up to 10 bytes.',
  )
  expect(explain({ ...both, replacements: [] }, get)).toBe(
    'Replaces 2 expressions in request bodies of text/* up to 10 bytes.',
  )
  expect(explain(both, post)).toMatch(/^Replaces .* Lets the body of the request pass: it is none/)
})

test('what is no text comes back as it is', () => {
  const bytes = Uint8Array.of(0x61, 0xff)
  expect(texts(1000, literal('a', 'b')).rewrite(bytes)).toBe(bytes)
})

test.each([literal('a', 'bb'), regex('a', 'bb'), regex('(a)', '$1$1')])(
  '%j stops at four times maxBytes',
  (replacement) => {
    expect(rewritten(texts(10, replacement), 'a'.repeat(20))).toHaveLength(40)
    expect(rewritten(texts(10, replacement), 'a'.repeat(21))).toBe(null)
  },
)

test('a million replacements are too many for any body', () => {
  const text = 'ab'.repeat(1_100_000)
  expect(rewritten(texts(8_000_000, literal('a', 'c')), text)).toBe(null)
  expect(rewritten(texts(8_000_000, literal('x', 'c')), text)).toBe(text)
})

// The best of five, because others want the processor too. Without its bound the first takes four times as long.
test.each([
  ['a.*b|a', 'x'],
  ['(?:a{16}){16}b', 'x'],
  ['((a*)*)*b', '$1'],
])('%s takes no more than about twice as long for twice the body', (source, replacement) => {
  const by = texts(1_048_576, regex(source, replacement))
  const best = (length: number): number => {
    const bytes = new TextEncoder().encode('a'.repeat(length))
    const times = Array.from({ length: 5 }, () => {
      const before = performance.now()
      by.rewrite(bytes)
      return performance.now() - before
    })
    return Math.min(...times)
  }
  best(40_000)
  expect(best(80_000)).toBeLessThan(3.5 * best(40_000))
})
