// core/rollout/counts.ts: what both sides of a rollout have answered, in the slot that all workers share.
//
// Hot:    count(), once per exchange of such a service: three atomic additions.
//
// The slot has 32 integers:   0: share of the new service, in tenths of a percent; the supervisor writes it
//                             1 + 15 * side: requests, errors, 13 buckets of durations (side 0: old, 1: new)
// Counts wrap around; only differences of them are looked at.

import { CELLS, type SlotTable } from '../shared/slot-table.ts'

export const OLD = 0
export const NEW = 1
export type Side = typeof OLD | typeof NEW

const INTEGERS = CELLS * 2
const SIDE = 15
const ERRORS = 1
const BUCKETS = 2
export const boundsMs = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000] as const
const BUCKET_COUNT = boundsMs.length + 1

export interface SideCounts {
  readonly requests: number
  readonly errors: number
  readonly buckets: readonly number[]
}

export class RolloutCounts {
  private readonly cells: Int32Array
  private readonly at: number

  // `slot` is one of the table's; -1 (the table is full) makes counts of its own, which nobody shares.
  constructor(table: SlotTable, slot: number) {
    this.cells = slot < 0 ? new Int32Array(INTEGERS) : table.integers
    this.at = slot < 0 ? 0 : slot * INTEGERS
  }

  get share(): number {
    return Atomics.load(this.cells, this.at)
  }

  set share(tenths: number) {
    Atomics.store(this.cells, this.at, tenths)
  }

  count(side: Side, status: number, ms: number): void {
    const at = this.at + 1 + side * SIDE
    let bucket = 0
    while (bucket < boundsMs.length && ms > boundsMs[bucket]!) bucket++
    Atomics.add(this.cells, at, 1)
    if (status >= 500) Atomics.add(this.cells, at + ERRORS, 1)
    Atomics.add(this.cells, at + BUCKETS + bucket, 1)
  }

  read(side: Side): SideCounts {
    const at = this.at + 1 + side * SIDE
    const load = (offset: number): number => Atomics.load(this.cells, at + offset)
    const buckets = Array.from({ length: BUCKET_COUNT }, (_, i) => load(BUCKETS + i))
    return { requests: load(0), errors: load(ERRORS), buckets }
  }
}

export function since(now: SideCounts, then: SideCounts): SideCounts {
  return {
    requests: (now.requests - then.requests) | 0,
    errors: (now.errors - then.errors) | 0,
    buckets: now.buckets.map((value, i) => (value - then.buckets[i]!) | 0),
  }
}

// By straight lines within a bucket, as Prometheus does it; of the last one its lower bound. 0 without requests.
export function quantileMs({ requests, buckets }: SideCounts, share: number): number {
  const wanted = requests * share
  let below = 0
  for (let i = 0; i < buckets.length; i++) {
    const count = buckets[i]!
    const from = i === 0 ? 0 : boundsMs[i - 1]!
    if (count > 0 && below + count >= wanted) {
      const to = boundsMs[i] ?? from
      return from + ((wanted - below) / count) * (to - from)
    }
    below += count
  }
  return 0
}
