// test/fuzz/random.test.ts: for a bounded time, bytes of every kind into every parser: nothing throws, nothing
// hangs, no position is out of range, and the pieces that bytes arrive in never change what is read.
//
//   SLUICE_FUZZ_SECONDS=60 SLUICE_FUZZ_SEED=7 vitest run test/fuzz/random.test.ts

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ChunkedDecoder, DATA, END, MORE } from '../../core/h1/chunked.ts'
import { readInTwo, readStream } from './codec.ts'
import { requestBytes, responseBytes } from './messages.ts'

const SECONDS = Number(process.env['SLUICE_FUZZ_SECONDS'] ?? 10)
const SEED = Number(process.env['SLUICE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const BATCH = 500

const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
const almostText = fc
  .array(fc.constantFrom(...'\r\n\r\n: GETHP/1.0;=aX\t\0\x80"\\'), { maxLength: 200 })
  .map((all) => Buffer.from(all.join(''), 'latin1'))
const anyBytes = fc.oneof(requestBytes, responseBytes, noise, almostText)

// The same bytes whole, one at a time, in pieces, and cut in two.
function checkSplits(ofRequests: boolean, bytes: Buffer, cut: number): void {
  const whole = JSON.stringify(readStream(ofRequests, bytes))
  const pieces = 1 + (cut % 7)
  const other = JSON.stringify(readStream(ofRequests, bytes, pieces))
  const two = JSON.stringify(readInTwo(ofRequests, bytes, cut % (bytes.length + 1)))
  if (whole !== other || whole !== two) {
    throw new Error(`split changes the result: ${JSON.stringify(bytes.latin1Slice())}`)
  }
}

// Every call makes progress or ends; ranges lie inside what was given.
function checkDecoder(bytes: Buffer): void {
  const decoder = new ChunkedDecoder()
  decoder.reset()
  let at = 0
  for (let calls = 0; calls <= bytes.length + 1; calls++) {
    const event = decoder.next(bytes, at, bytes.length)
    if (event < 0 || event === END || event === MORE) {
      if (event >= 0 && (decoder.pos < at || decoder.pos > bytes.length)) throw new Error('pos')
      return
    }
    if (event !== DATA || decoder.dataStart < at || decoder.dataEnd <= decoder.dataStart) {
      throw new Error('no progress')
    }
    at = decoder.pos
  }
  throw new Error('the decoder does not end')
}

test(
  'random bytes and mutations never throw, hang or depend on their pieces',
  { timeout: SECONDS * 1000 + 60_000 },
  () => {
    const end = performance.now() + SECONDS * 1000
    let runs = 0
    for (let batch = 0; performance.now() < end; batch++) {
      fc.assert(
        fc.property(anyBytes, fc.nat({ max: 4095 }), (bytes, cut) => {
          checkSplits(true, bytes, cut)
          checkSplits(false, bytes, cut)
          checkDecoder(bytes)
        }),
        { numRuns: BATCH, seed: SEED + batch },
      )
      runs += BATCH
    }
    process.stdout.write(`\nfuzz: ${runs} inputs in ${SECONDS} s, first seed ${SEED}\n`)
    expect(runs).toBeGreaterThan(0)
  },
)
