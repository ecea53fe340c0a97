// core/rate/limit.ts: what a limit answers, and the two kinds that are counted on this host: buckets and quotas.
//
// Hot: yes. One object per router and middleware; the counts are in the table of the process, under a hash of router,
// middleware and limit: a reload that changes none of them forgets nothing.

import type { Buckets } from '../shared/buckets.ts'
import type { KeyedHash } from '../shared/keyed-hash.ts'
import { durationText } from './duration-text.ts'
import type { Rate } from './rate.ts'

export interface Limit {
  readonly quota: number // requests, as headers tell it
  readonly windowSeconds: number // that they are for
  readonly maxDelayMs: number // a request may wait so long
  // Of the last take or look.
  remaining: number
  resetMs: number
  isCounted: boolean // false: it passes because another thread, stopped in the middle, kept the count from being had
  // Milliseconds to wait; 0 for none. More than maxDelayMs: refused, and not counted.
  take(source: string, now: number): number
  // Sets remaining and resetMs without counting.
  look(source: string, now: number): void
  describe(): string // 'a burst of 20 at 10 per 1s'
}

export class BucketLimit implements Limit {
  readonly quota: number
  readonly windowSeconds: number
  readonly maxDelayMs: number
  remaining = 0
  resetMs = 0
  isCounted = true
  private readonly rate: Rate
  private readonly buckets: Buckets
  private readonly key: KeyedHash

  constructor(buckets: Buckets, scope: string, rate: Rate) {
    const { average, period, burst, maxDelayMs } = rate
    this.rate = rate
    this.buckets = buckets
    this.key = buckets.hashFor(`${scope}\nbucket ${average} ${period} ${burst}`)
    this.quota = burst
    this.windowSeconds = Math.ceil(burst / rate.perSecond) // until an empty one is full
    this.maxDelayMs = maxDelayMs
  }

  take(source: string, now: number): number {
    const { buckets, key } = this
    key.of(source)
    const { uncounted } = buckets
    const wait = buckets.take(key, this.rate, now)
    this.isCounted = buckets.uncounted === uncounted
    this.remaining = buckets.remaining
    this.resetMs = buckets.resetMs
    return wait
  }

  look(source: string, now: number): void {
    const { buckets, key } = this
    key.of(source)
    buckets.look(key, this.rate, now)
    this.remaining = buckets.remaining
    this.resetMs = buckets.resetMs
  }

  describe(): string {
    const { average, period, burst } = this.rate
    return `a burst of ${burst} at ${average} per ${durationText(period)}`
  }
}

// Requests of a sliding period: those of the period under way, and of the one before it the share that the sliding one
// still covers, as if they had come evenly. Cloudflare measured that estimate over 400 million requests: 0.003 % of them were
// judged wrongly. It needs two counts per source instead of a time per request.
export class QuotaLimit implements Limit {
  readonly quota: number
  readonly windowSeconds: number
  readonly maxDelayMs = 0
  remaining = 0
  resetMs = 0
  isCounted = true
  private readonly periodMs: number
  private readonly buckets: Buckets
  private readonly key: KeyedHash

  constructor(buckets: Buckets, scope: string, limit: number, periodMs: number) {
    this.quota = limit
    this.periodMs = periodMs
    this.windowSeconds = Math.ceil(periodMs / 1000)
    this.buckets = buckets
    this.key = buckets.hashFor(`${scope}\nquota ${limit} ${periodMs}`)
  }

  take(source: string, now: number): number {
    const { buckets, key, periodMs, quota } = this
    const period = Math.floor(now / periodMs)
    const share = now / periodMs - period // of the period under way that has passed
    key.ofPeriod(source, period - 1)
    const before = buckets.countOf(key)
    key.ofPeriod(source, period)
    const { uncounted } = buckets
    this.isCounted = true
    for (;;) {
      const count = buckets.countOf(key)
      const used = before * (1 - share) + count
      if (used + 1 > quota) return this.result(used, share, quotaWait(quota, before, count, share))
      // False when another worker has counted meanwhile; each loss is somebody's progress.
      if (!buckets.count(key, count, now, (period + 2) * periodMs)) continue
      this.isCounted = buckets.uncounted === uncounted
      return this.result(used + 1, share, 0)
    }
  }

  look(source: string, now: number): void {
    const { buckets, key, periodMs } = this
    const period = Math.floor(now / periodMs)
    const share = now / periodMs - period
    key.ofPeriod(source, period - 1)
    const before = buckets.countOf(key)
    key.ofPeriod(source, period)
    this.result(before * (1 - share) + buckets.countOf(key), share, 0)
  }

  private result(used: number, share: number, waitPeriods: number): number {
    this.remaining = Math.max(0, Math.floor(this.quota - used))
    this.resetMs = (1 - share) * this.periodMs
    return waitPeriods * this.periodMs
  }

  describe(): string {
    return `${this.quota} per ${durationText(this.periodMs)}`
  }
}

// How many periods until one more fits: within this one while what counts of the last fades, else in the next.
function quotaWait(quota: number, before: number, count: number, share: number): number {
  const room = quota - 1 - count
  if (room >= 0) return Math.max(1 - room / before - share, Number.MIN_VALUE)
  return 1 - share + Math.max(0, 1 - (quota - 1) / count)
}
