// bench/micro/limits.ts: cases of limits: what one decision costs by itself, and what of it is the hash.

import { rateOf } from '../../core/rate/rate.ts'
import { BUCKETS_BYTES, Buckets } from '../../core/shared/buckets.ts'
import { InFlightCounts, inFlightBytes } from '../../core/shared/in-flight-counts.ts'
import type { MicroCase } from '../micro.ts'

const SOURCES = 1024

export function limitCases(): MicroCase[] {
  const buckets = new Buckets(new SharedArrayBuffer(BUCKETS_BYTES), 0)
  const inFlight = new InFlightCounts(new SharedArrayBuffer(inFlightBytes(1)), 0)
  const key = buckets.hashFor('shop@file limit@file')
  const wide = rateOf({ average: 1_000_000, period: 1000, burst: 1_000_000 }, false)
  const narrow = rateOf({ average: 1, period: 60_000, burst: 1 }, false)
  const sources = Array.from({ length: SOURCES }, (_, i) => `192.0.${i >> 8}.${i & 255}`)
  let turn = 0
  const next = (): string => sources[turn++ & (SOURCES - 1)]!
  const now = (): number => 86_400_000 + turn / 1000
  return [
    { name: 'keyed hash of an address', run: () => key.of(next()) },
    {
      name: 'bucket, request passes',
      run: () => {
        key.of(next())
        return buckets.take(key, wide, now())
      },
    },
    {
      name: 'bucket, request is refused',
      run: () => {
        key.of(next())
        return buckets.take(key, narrow, now())
      },
    },
    {
      name: 'in flight, enter and leave',
      run: () => {
        key.of(next())
        inFlight.leave(inFlight.enter(key, 10))
      },
    },
  ]
}
