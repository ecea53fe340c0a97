// Entries as bytes: what comes back is what went; whatever else comes is nothing, and never throws.

import { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CacheEntry } from '../../core/cache/entry.ts'
import { type Line, linesOfStored, storeHead } from '../../core/cache/stored-head.ts'
import { type Reading, decode, encodeEntry, encodeMark } from './entry-codec.ts'

const URL = 'https://shop.example/a?b'
const KEY = `shop@file\n${URL}`

function entryOf(
  over: Partial<CacheEntry> = {},
  lines: readonly Line[] = [['X-A', 'b \u00e9']],
): CacheEntry {
  const body = new Uint8Array([0, 1, 2, 255])
  return {
    key: KEY,
    url: URL,
    vary: ['accept'],
    status: 200,
    reason: '',
    head: storeHead(200, '', lines, body.length, 'Sat, 28 Nov 2026 20:00:00 GMT'),
    body,
    askedAt: 1000,
    bornAt: 900,
    freshUntil: 5000,
    refreshUntil: 6000,
    errorUntil: 7000,
    flags: 4,
    etag: '"e"',
    lastModified: '',
    tags: ['shoes', 'b\u00e4r'],
    ...over,
  }
}

const reading = (over: Partial<Reading> = {}): Reading => ({
  key: KEY,
  url: URL,
  shift: 0,
  now: 2000,
  date: 'Sat, 28 Nov 2026 21:00:00 GMT',
  policy: { maxTtlMs: 100_000, storesCookies: false },
  ...over,
})

const encoded = (entry = entryOf()): Buffer => encodeEntry(entry, 0, 1e6)!

// As a peer that knows the format would write it.
function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(bytes.length, 4)
  bytes.writeUInt32LE(crc32(bytes.subarray(12)), 8)
  return bytes
}

describe('an entry', () => {
  it('comes back as it was, in the time of the reader, with its body in shared memory', () => {
    const entry = entryOf()
    const bytes = encodeEntry(entry, 1_000_000, 1e6)!
    const back = decode(bytes, reading({ shift: -1_000_000 })) as CacheEntry
    expect({ ...back, body: [...back.body], head: linesOfStored(back.head) }).toEqual({
      ...entry,
      body: [...entry.body],
      head: linesOfStored(entry.head),
    })
    expect(back.body.buffer).toBeInstanceOf(SharedArrayBuffer)
  })

  it('is not written when it is too long, or is no text of bytes', () => {
    expect(encodeEntry(entryOf(), 0, 100)).toBe(null)
    expect(encodeEntry(entryOf({ etag: '"\u0100"' }), 0, 1e6)).toBe(null)
  })

  it('is nothing for another key or URL', () => {
    expect(decode(encoded(), reading({ key: KEY + 'c' }))).toBe(null)
    expect(decode(encoded(), reading({ url: URL + 'c' }))).toBe(null)
  })

  it('is fresh for no longer than the reader allows, and is never from the future', () => {
    const bytes = encoded(
      entryOf({ askedAt: 9000, bornAt: 9000, freshUntil: 1e15, refreshUntil: 1e15 }),
    )
    const policy = { maxTtlMs: 500, storesCookies: false }
    const back = decode(bytes, reading({ policy })) as CacheEntry
    expect([back.askedAt, back.bornAt, back.freshUntil]).toEqual([2000, 2000, 2500])
  })

  it('is nothing with lines that this cache would not keep', () => {
    const lines: readonly Line[][] = [
      [['Set-Cookie', 'a=b']],
      [['Transfer-Encoding', 'chunked']],
      [['Connection', 'close']],
      [['Age', '3']],
      [['X-A', 'b\r\nSet-Cookie: a=b']],
      [['X A', 'b']],
      [['', 'b']],
      [['X-A', 'b\0']],
    ]
    for (const some of lines) expect(decode(encoded(entryOf({}, some)), reading())).toBe(null)
    const policy = { maxTtlMs: 500, storesCookies: true }
    expect(decode(encoded(entryOf({}, lines[0])), reading({ policy }))).not.toBe(null)
  })

  it('is nothing with a status, flags, times, names or texts that nobody stores', () => {
    const wrong: Partial<CacheEntry>[] = [
      { status: 206 },
      { status: 304 },
      { status: 416 },
      { status: 101 },
      { status: 60_000 },
      { flags: 8 },
      { askedAt: NaN },
      { freshUntil: Infinity },
      { vary: ['Accept'] },
      { vary: Array.from({ length: 17 }, (_, i) => `x${i}`) },
      { tags: Array.from({ length: 1001 }, (_, i) => `x${i}`) },
      { reason: 'a\r\nb' },
      { etag: 'a\nb' },
    ]
    for (const over of wrong) expect(decode(encoded(entryOf(over)), reading())).toBe(null)
  })
})

describe('bytes that are none of ours', () => {
  it('are nothing when they are cut, longer, or changed anywhere', () => {
    const whole = encoded()
    for (let end = 0; end < whole.length; end++) {
      expect(decode(whole.subarray(0, end), reading())).toBe(null)
      expect(end < 12 ? null : decode(sealed(Buffer.from(whole.subarray(0, end))), reading())).toBe(
        null,
      )
    }
    expect(decode(Buffer.concat([whole, Buffer.of(0)]), reading())).toBe(null)
    expect(decode(sealed(Buffer.concat([whole, Buffer.of(0)])), reading())).toBe(null)
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole)
      changed[at]! ^= 1
      expect(decode(changed, reading())).toBe(null)
    }
  })

  it('of another version are nothing', () => {
    const other = Buffer.from(encoded())
    other[3]!++
    expect(decode(sealed(other), reading())).toBe(null)
  })

  it('never throw, sealed or not', () => {
    const whole = encoded()
    const change = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const bytes = Buffer.from(whole)
        for (const [at, value] of changes) bytes[at] = value
        decode(sealed(bytes), reading())
      }),
      { numRuns: 2000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(decode(Buffer.from(bytes), reading())).toBe(null)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('a mark of Vary', () => {
  it('comes back with its names', () => {
    expect(decode(encodeMark(KEY, ['accept', 'x-a'])!, reading())).toEqual({
      vary: ['accept', 'x-a'],
    })
  })

  it('is nothing without names, or with some that are none', () => {
    for (const names of [[], [''], ['a b'], ['Accept']])
      expect(decode(encodeMark(KEY, names)!, reading())).toBe(null)
  })
})
