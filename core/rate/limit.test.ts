import { expect, test } from 'vitest'
import { interleave } from '../../test/support/interleave.ts'
import { BUCKETS_BYTES, Buckets } from '../shared/buckets.ts'
import { BucketLimit, type Limit, QuotaLimit } from './limit.ts'
import { rateOf } from './rate.ts'

const ROOM = 3
const NOW = 5_000_000
const rate = rateOf({ average: 1, period: 3_600_000, burst: ROOM }, false)

const kinds: [string, (buckets: Buckets) => Limit][] = [
  ['bucket', (buckets) => new BucketLimit(buckets, 'scope', rate)],
  ['quota', (buckets) => new QuotaLimit(buckets, 'scope', ROOM, 3_600_000)],
]

// A thread that is stopped while it writes a new key must not stop others: they let pass, and say so.
test.each(kinds)('whatever a %s lets pass is counted, or said not to be', (_kind, limitOf) => {
  let uncounted = 0
  for (let at = 0, more = true; more; at++) {
    const memory = new SharedArrayBuffer(BUCKETS_BYTES)
    const [one, two] = [0, 1].map((worker) => limitOf(new Buckets(memory, worker)))
    let counted = 0
    const take = (limit: Limit): void => {
      if (limit.take('a', NOW) !== 0) return
      if (limit.isCounted) counted++
      else uncounted++
    }
    more = interleave(
      at,
      () => take(one!),
      () => take(two!),
    )
    for (let i = 0; i < 2 * ROOM; i++) take(one!)
    expect(counted).toBe(ROOM)
  }
  expect(uncounted).toBeGreaterThan(0)
})
