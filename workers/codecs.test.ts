// Encoders: what comes out is what went in, however it is cut and flushed, and the memory is given back.
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import zlib from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Coding, codings } from '../core/middleware/codecs.ts'
import { ZlibCodecs } from './codecs.ts'

const decoders: Readonly<Record<Coding, (bytes: Uint8Array) => Buffer>> = {
  gzip: gunzipSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
}

// What a decoder that got only these bytes can know of the body.
function decodedSoFar(coding: Coding, bytes: Uint8Array): Buffer {
  const { constants } = zlib
  if (coding === 'gzip') return gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })
  if (coding === 'br')
    return brotliDecompressSync(bytes, { finishFlush: constants.BROTLI_OPERATION_FLUSH })
  return zstdDecompressSync(bytes, { finishFlush: constants.ZSTD_e_flush })
}

// Bodies that repeat, as text does, and bodies that do not compress at all.
const body = fc.oneof(
  fc
    .tuple(fc.array(fc.stringMatching(/^[a-z <>"]{1,20}$/), { minLength: 1 }), fc.nat(2000))
    .map(([words, times]) =>
      Buffer.from(
        words
          .join(' ')
          .repeat(times + 1)
          .slice(0, 300_000),
      ),
    ),
  fc.uint8Array({ maxLength: 5000 }).map((bytes) => Buffer.from(bytes)),
)
const cuts = fc.array(
  fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), flush: fc.boolean() }),
  {
    maxLength: 12,
  },
)

describe.each(codings)('%s', (coding) => {
  const codecs = new ZlibCodecs()

  it('gives back any body, cut and flushed anywhere, from encoders that were used before', () => {
    fc.assert(
      fc.property(body, cuts, (bytes, places) => {
        const encoder = codecs.encoder(coding)!
        const out: Uint8Array[] = []
        let from = 0
        for (const { at, flush } of places.toSorted((a, b) => a.at - b.at)) {
          const to = Math.floor(at * bytes.length)
          out.push(encoder.piece(bytes, from, to))
          from = to
          if (!flush) continue
          out.push(encoder.flush())
          expect(decodedSoFar(coding, Buffer.concat(out)).equals(bytes.subarray(0, to))).toBe(true)
        }
        out.push(encoder.piece(bytes, from, bytes.length), encoder.end())
        encoder.release()
        expect(decoders[coding](Buffer.concat(out)).equals(bytes)).toBe(true)
      }),
      { numRuns: 60 },
    )
    expect(codecs.inUse).toBe(0)
    expect(codecs.bytesInUse).toBe(0)
  })

  it('uses the settings again that it began with', () => {
    const text = Buffer.from(Array.from({ length: 3000 }, (_, i) => `${i * 7919} `).join(''))
    const own = new ZlibCodecs() // the first one is fresh, the others are that one again
    const sizes = new Set<number>()
    for (let i = 0; i < 5; i++) {
      const encoder = own.encoder(coding)!
      sizes.add(encoder.piece(text, 0, text.length).length + encoder.end().length)
      encoder.release()
    }
    expect(sizes.size).toBe(1)
  })

  it('begins anew after one that was left in the middle', () => {
    const left = codecs.encoder(coding)!
    left.piece(Buffer.from('secret of another client '.repeat(100)), 0, 2500)
    left.release()
    const encoder = codecs.encoder(coding)!
    const bytes = Buffer.from('secret of another client '.repeat(3))
    const out = Buffer.concat([encoder.piece(bytes, 0, bytes.length), encoder.end()])
    encoder.release()
    expect(decoders[coding](out).equals(bytes)).toBe(true)
  })

  it('gives out pieces that later calls leave as they are', () => {
    const encoder = codecs.encoder(coding)!
    const noise = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 2654435761) >>> 24))
    const pieces = [encoder.piece(noise, 0, 100_000), encoder.flush()]
    const copies = pieces.map((piece) => Buffer.from(piece))
    encoder.piece(noise, 100_000, 200_000)
    encoder.end()
    encoder.release()
    expect(pieces.map((piece) => Buffer.from(piece))).toEqual(copies)
  })
})

it('refuses an encoder when the memory is in use, and gives it when one has come back', () => {
  const codecs = new ZlibCodecs(1024 * 1024)
  const taken = [1, 2, 3].map(() => codecs.encoder('gzip')!)
  expect(codecs.inUse).toBe(3)
  expect(codecs.encoder('gzip')).toBe(null)
  expect(codecs.encoder('br')).toBe(null)
  taken[0]!.release()
  taken[0]!.release() // twice is once
  expect(codecs.inUse).toBe(2)
  expect(codecs.encoder('gzip')).not.toBe(null)
})

it('keeps no more spare encoders than a few', () => {
  const codecs = new ZlibCodecs()
  const many = Array.from({ length: 100 }, () => codecs.encoder('zstd')!)
  for (const encoder of many) encoder.release()
  expect(codecs.inUse).toBe(0)
  const again = Array.from({ length: 20 }, () => codecs.encoder('zstd')!)
  expect(again.filter((encoder) => many.includes(encoder)).length).toBe(8)
  for (const encoder of again) encoder.release()
})
