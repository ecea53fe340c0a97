// core/resilience/breaker-window.ts: what came back in the last ten seconds, counted by all workers together.
//
// Owner:  one breaker. The memory is shared (core/shared/slot-table.ts) and changed by atomics alone: no worker waits, and
//         one that dies leaves nothing locked. Hot: record() runs once per response.
//
// Five periods of two seconds are written in turn; each says in its first cell which period it holds. Whoever comes first
// in a new one takes it over and sets it to 0: what others count in that moment may be lost, a few counts in ten seconds.
//
//   a period   [ number | requests | network errors | ranges of statuses ... ]   1 slot
//              [ latencies: 64 buckets ]                                          2 slots, when a quantile is asked for
//
// Latency buckets grow by the fourth root of 2 from 1 ms to a minute: a quantile is right to within a tenth.

import type { CellBlock } from './cells.ts'

export const PERIODS = 5
export const PERIOD_MS = 2000
export const RANGES_MAX = 28
const NUMBER = 0
const REQUESTS = 1
const NETWORK_ERRORS = 2
const RANGES = 3
const BUCKETS = 64
const BUCKETS_PER_DOUBLING = 4

export interface StatusRange {
  readonly from: number
  readonly to: number // exclusive
}

export interface WindowSums {
  requests: number
  networkErrors: number
  readonly ranges: Float64Array // by position in the list that the window was made with
  readonly latencies: Float64Array // by bucket
}

export function emptySums(): WindowSums {
  const ranges = new Float64Array(RANGES_MAX)
  return { requests: 0, networkErrors: 0, ranges, latencies: new Float64Array(BUCKETS) }
}

export class BreakerWindow {
  private readonly periods: readonly CellBlock[]
  private readonly latencies: readonly (readonly [CellBlock, CellBlock])[] // [] when nobody asks for them
  private readonly ranges: readonly StatusRange[]

  constructor(
    claim: (name: string) => CellBlock,
    ranges: readonly StatusRange[],
    hasLatencies: boolean,
  ) {
    const numbers = Array.from({ length: PERIODS }, (_, i) => i)
    this.ranges = ranges
    this.periods = numbers.map((i) => claim(`period ${i}`))
    this.latencies = hasLatencies
      ? numbers.map((i) => [claim(`latencies ${i}`), claim(`latencies ${i} +`)] as const)
      : []
  }

  record(now: number, status: number, isNetworkError: boolean, latencyMs: number): void {
    const number = periodOf(now)
    const place = number % PERIODS
    const period = this.periods[place]!
    if (!this.enter(period, place, number)) return
    period.add(REQUESTS, 1)
    if (isNetworkError) period.add(NETWORK_ERRORS, 1)
    for (let i = 0; i < this.ranges.length; i++) {
      const { from, to } = this.ranges[i]!
      if (status >= from && status < to) period.add(RANGES + i, 1)
    }
    if (this.latencies.length === 0) return
    const bucket = bucketOf(latencyMs)
    this.latencies[place]![bucket < BUCKETS / 2 ? 0 : 1].add(bucket % (BUCKETS / 2), 1)
  }

  // False: the period is over, and its place taken.
  private enter(period: CellBlock, place: number, number: number): boolean {
    const held = period.load(NUMBER)
    if (held === number) return true
    if (held > number) return false
    if (period.exchangeIf(NUMBER, held, number)) this.clear(place)
    return period.load(NUMBER) === number
  }

  private clear(place: number): void {
    const period = this.periods[place]!
    for (let cell = REQUESTS; cell < RANGES + this.ranges.length; cell++) period.store(cell, 0)
    if (this.latencies.length === 0) return
    for (const half of this.latencies[place]!)
      for (let cell = 0; cell < BUCKETS / 2; cell++) half.store(cell, 0)
  }

  // All that was counted is forgotten.
  reset(): void {
    for (let place = 0; place < PERIODS; place++) {
      this.periods[place]!.store(NUMBER, 0)
      this.clear(place)
    }
  }

  sum(now: number, sums: WindowSums): void {
    sums.requests = 0
    sums.networkErrors = 0
    sums.ranges.fill(0)
    sums.latencies.fill(0)
    const current = periodOf(now)
    for (let place = 0; place < PERIODS; place++) {
      const number = this.periods[place]!.load(NUMBER)
      if (number > current - PERIODS && number <= current) this.addPeriod(place, sums)
    }
  }

  private addPeriod(place: number, sums: WindowSums): void {
    const period = this.periods[place]!
    sums.requests += period.load(REQUESTS)
    sums.networkErrors += period.load(NETWORK_ERRORS)
    for (let i = 0; i < this.ranges.length; i++) sums.ranges[i]! += period.load(RANGES + i)
    if (this.latencies.length === 0) return
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const half = this.latencies[place]![bucket < BUCKETS / 2 ? 0 : 1]
      sums.latencies[bucket]! += half.load(bucket % (BUCKETS / 2))
    }
  }
}

// Never 0, which is a period that holds nothing.
function periodOf(now: number): number {
  return (Math.floor(now / PERIOD_MS) % 0x3fffffff) + 1
}

function bucketOf(ms: number): number {
  if (ms <= 1) return 0
  return Math.min(BUCKETS - 1, 1 + Math.floor(Math.log2(ms) * BUCKETS_PER_DOUBLING))
}

function lowerBoundOf(bucket: number): number {
  return bucket === 0 ? 0 : 2 ** ((bucket - 1) / BUCKETS_PER_DOUBLING)
}

// Milliseconds that `quantile` percent of the responses took at the most; 0 without any.
export function latencyAt(sums: WindowSums, quantile: number): number {
  let total = 0
  for (const count of sums.latencies) total += count
  if (total === 0) return 0
  let left = Math.max(1, Math.ceil((quantile / 100) * total))
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const count = sums.latencies[bucket]!
    if (left > count) {
      left -= count
      continue
    }
    const low = lowerBoundOf(bucket)
    return low + (lowerBoundOf(bucket + 1) - low) * (left / count)
  }
  return lowerBoundOf(BUCKETS)
}
