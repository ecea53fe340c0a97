// Buckets by themselves: what a limit lets pass, and what becomes of keys when there are too many of them.
import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { rateOf } from '../rate/rate.ts'
import { interleave } from '../../test/support/interleave.ts'
import { BUCKETS_BYTES, Buckets } from './buckets.ts'
import type { KeyedHash } from './keyed-hash.ts'

function newBuckets(worker = 0, memory = new SharedArrayBuffer(BUCKETS_BYTES)): Buckets {
  return new Buckets(memory, worker)
}

const START = 86_400_000 // the clock of a process counts from the start of the machine

function keyed(hash: KeyedHash, source: string): KeyedHash {
  hash.of(source)
  return hash
}

describe('a bucket', () => {
  it('gives a burst at once, then one per interval, and refuses without counting', () => {
    const buckets = newBuckets()
    const rate = rateOf({ average: 10, period: 1000, burst: 3 }, false)
    const key = keyed(buckets.hashFor('limit'), 'a')
    for (let i = 0; i < 3; i++) expect(buckets.take(key, rate, START)).toBe(0)
    for (let i = 0; i < 50; i++) expect(buckets.take(key, rate, START)).toBeCloseTo(100, 1)
    expect(buckets.take(key, rate, START + 99)).toBeCloseTo(1, 1)
    expect(buckets.take(key, rate, START + 101)).toBe(0)
    expect(buckets.take(key, rate, START + 102)).toBeCloseTo(98, 1)
  })

  it('lets a request wait as long as the rate says, and no longer', () => {
    const buckets = newBuckets()
    const rate = rateOf({ average: 10, period: 1000, burst: 1 }, true)
    expect(rate.maxDelayMs).toBe(50)
    const key = keyed(buckets.hashFor('limit'), 'a')
    expect(buckets.take(key, rate, START)).toBe(0)
    expect(buckets.take(key, rate, START + 49)).toBeGreaterThan(50)
    const wait = buckets.take(key, rate, START + 51)
    expect(wait).toBeCloseTo(49, 1)
    expect(buckets.take(key, rate, START + 52)).toBeGreaterThan(50)
  })

  it.each([
    [0.5, 500],
    [1, 500],
    [1.5, 500], // cut to whole requests per second, as Traefik does
    [100, 5],
  ])('at %d per second waits %d ms at the most', (average, expected) => {
    expect(rateOf({ average, period: 1000, burst: 1 }, true).maxDelayMs).toBe(expected)
  })

  it('never gives more than the rate and the burst, for any limit and any arrivals', () => {
    const limits = fc.record({
      average: fc.integer({ min: 1, max: 1000 }),
      period: fc.constantFrom(100, 1000, 60_000, 3_600_000),
      burst: fc.integer({ min: 1, max: 100_000 }),
    })
    const gaps = fc.array(fc.double({ min: 0, max: 5000, noNaN: true }), { maxLength: 200 })
    fc.assert(
      fc.property(limits, gaps, (limit, waits) => {
        const buckets = newBuckets()
        const rate = rateOf(limit, false)
        const key = keyed(buckets.hashFor('limit'), 'a')
        let now = START
        let given = 0
        for (const gap of waits) {
          now += gap
          if (buckets.take(key, rate, now) === 0) given++
          const most = limit.burst + ((now - START) * limit.average) / limit.period
          expect(given).toBeLessThanOrEqual(most + 1e-6)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('is full again after any time, though its time has wrapped around', () => {
    const rate = rateOf({ average: 1000, period: 1000, burst: 5 }, false)
    const wrapMs = 2 ** 32 / rate.ticksPerMs
    for (const share of [0.25, 0.49, 0.5, 0.51, 0.75, 0.99, 1, 1.01, 2]) {
      const buckets = newBuckets()
      const key = keyed(buckets.hashFor('limit'), 'a')
      for (let i = 0; i < 5; i++) buckets.take(key, rate, START)
      const later = START + wrapMs * share
      for (let i = 0; i < 5; i++) expect(buckets.take(key, rate, later)).toBe(0)
      expect(buckets.take(key, rate, later)).toBeGreaterThan(0)
    }
  })

  it('tells what is left, and when it is empty', () => {
    const buckets = newBuckets()
    const rate = rateOf({ average: 10, period: 1000, burst: 10 }, false)
    const key = keyed(buckets.hashFor('limit'), 'a')
    for (let i = 0; i < 3; i++) buckets.take(key, rate, START)
    expect([buckets.remaining, Math.round(buckets.resetMs)]).toEqual([7, 300])
    buckets.look(key, rate, START + 100)
    expect([buckets.remaining, Math.round(buckets.resetMs)]).toEqual([8, 200])
  })

  it('is its own for each source and each limit, and the same for every worker', () => {
    const memory = new SharedArrayBuffer(BUCKETS_BYTES)
    const [one, two] = [newBuckets(0, memory), newBuckets(1, memory)]
    const rate = rateOf({ average: 1, period: 60_000, burst: 1 }, false)
    expect(one.take(keyed(one.hashFor('limit'), 'a'), rate, START)).toBe(0)
    expect(two.take(keyed(two.hashFor('limit'), 'a'), rate, START)).toBeGreaterThan(0)
    expect(two.take(keyed(two.hashFor('limit'), 'b'), rate, START)).toBe(0)
    expect(two.take(keyed(two.hashFor('other'), 'a'), rate, START)).toBe(0)
  })
})

describe('more keys than room', () => {
  const rate = rateOf({ average: 1, period: 600_000, burst: 20 }, false)

  it('a flood of keys does not give a bucket back to who has emptied it', () => {
    const buckets = newBuckets()
    const hash = buckets.hashFor('limit')
    for (let i = 0; i < 20; i++) buckets.take(keyed(hash, 'victim'), rate, START)
    for (let i = 0; i < 400_000; i++) buckets.take(keyed(hash, `flood ${i}`), rate, START + i / 100)
    expect(buckets.take(keyed(hash, 'victim'), rate, START + 4000)).toBeGreaterThan(0)
    expect(buckets.uncounted).toBe(0)
  })

  it('65,536 sources are all remembered but for a few in a hundred', () => {
    const buckets = newBuckets()
    const hash = buckets.hashFor('limit')
    const once = rateOf({ average: 1, period: 600_000, burst: 1 }, false)
    for (let i = 0; i < 65_536; i++)
      buckets.take(keyed(hash, `10.0.${i >> 8}.${i & 255}`), once, START)
    let forgotten = 0
    for (let i = 0; i < 65_536; i++) {
      buckets.look(keyed(hash, `10.0.${i >> 8}.${i & 255}`), once, START)
      if (buckets.remaining > 0) forgotten++
    }
    expect(forgotten / 65_536).toBeLessThan(0.03)
  })

  it('a thread that was ended while it took a slot over leaves no slot behind', () => {
    const memory = new SharedArrayBuffer(BUCKETS_BYTES)
    const words = new Int32Array(memory, 16)
    for (let at = 0; at < words.length; at += 4) words[at + 1] = ~3
    const hash = newBuckets(0, memory).hashFor('limit')
    newBuckets(3, memory)
    const buckets = newBuckets(0, memory)
    for (let i = 0; i < 100; i++) buckets.take(keyed(hash, `${i}`), rate, START)
    expect(buckets.uncounted).toBe(0)
  })
})

// After more than half a wrap the old time of a bucket looks like the future.
describe('two threads at a bucket that nobody has asked for a long time', () => {
  const BURST = 10
  const rate = rateOf({ average: 10, period: 1000, burst: BURST }, false)
  const wrapMs = 2 ** 32 / rate.ticksPerMs
  const shares = [
    0, 0.2, 0.249999, 0.25, 0.250001, 0.3, 0.499999, 0.5, 0.500001, 0.8, 0.999999, 1, 1.3,
  ]
  const skews = [-300, -1, 0, 1, 300] // of the other's clock, which is of its turn

  // Three of the burst are taken, then comes the rest that is a share of a wrap.
  function rested(share: number): { one: Buckets; two: Buckets; now: number } {
    const memory = new SharedArrayBuffer(BUCKETS_BYTES)
    const [one, two] = [newBuckets(0, memory), newBuckets(1, memory)]
    for (let i = 0; i < 3; i++) one.take(keyed(one.hashFor('limit'), 'a'), rate, START)
    return { one, two, now: START + 3000 + wrapMs * share }
  }

  const takeFrom = (buckets: Buckets, now: number): number =>
    buckets.take(keyed(buckets.hashFor('limit'), 'a'), rate, now)

  it.each(shares)('neither waits, and together they get the burst, after %d of a wrap', (share) => {
    for (const skew of skews) {
      for (let at = 0, more = true; more; at++) {
        const { one, two, now } = rested(share)
        let other = -1
        let own = -1
        more = interleave(
          at,
          () => (own = takeFrom(one, now)),
          () => (other = takeFrom(two, now + skew)),
        )
        expect([own, Math.max(0, other)]).toEqual([0, 0])
        let passed = other === 0 ? 2 : 1
        const latest = now + Math.max(0, skew)
        while (takeFrom(two, latest) === 0) passed++
        const refilled = Math.ceil(Math.abs(skew) / 100)
        expect(passed).toBeGreaterThanOrEqual(BURST)
        expect(passed).toBeLessThanOrEqual(BURST + refilled + two.uncounted)
        expect(one.uncounted).toBe(0)
      }
    }
  })

  it.each(shares)('one that is ended at any step leaves it right, after %d of a wrap', (share) => {
    for (let at = 0, more = true; more; at++) {
      const { one, two, now } = rested(share)
      more = diesBefore(at, () => takeFrom(one, now))
      newBuckets(0, (two as unknown as { words: Int32Array }).words.buffer as SharedArrayBuffer)
      let passed = 0
      while (takeFrom(two, now) === 0) passed++
      expect([BURST - 1, BURST]).toContain(passed) // the one it died in may have been counted
      expect(two.uncounted).toBe(0)
    }
  })
})

function diesBefore(at: number, one: () => void): boolean {
  try {
    return interleave(at, one, () => {
      throw new Error('ended')
    })
  } catch {
    return true
  }
}
