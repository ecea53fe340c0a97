// workers/cache/purge-sweep.ts: takes out of a store what has been purged, a slice in each turn of the event loop.
//
// Owner:  a Store. Each purge needs one pass over all that is stored; those that come during a pass have the next one together.
//         In one turn, and against every purge that was known, a pass held its worker for 15 s (60,000 responses, 5,000
//         prefixes), which the supervisor takes for dead after 5.
// Hot:    isUnderWay, once per hit. While it is true `takes` must be asked before a response is served (prefix-times.ts says what that costs).

import type { CacheEntry } from '../../core/cache/entry.ts'
import type { TimedPurge } from './purge-log.ts'
import { PurgeTable } from './purge-table.ts'

const SLICE_MS = 2 // as the sweeper's
const VISITS = 16 // between two looks at the clock
const PURGES_MAX = 10_000 // of one pass; if there are more, what is older than those that gave way goes too

// Told how many responses are gone, once none of them is left.
export type Swept = (count: number) => void

interface Held {
  readonly entry: CacheEntry
}

export class PurgeSweep<T extends Held> {
  isUnderWay = false
  private readonly all: ReadonlySet<T> // may change during a pass: a Set's iterator goes on behind what is gone
  private readonly drop: (one: T) => void
  private readonly sliceEnded: () => void
  private pass: Batch | null = null
  private next: Batch | null = null
  private left: Iterator<T> | null = null // of `pass`
  private readonly goOn = (): void => this.slice()

  constructor(all: ReadonlySet<T>, drop: (one: T) => void, sliceEnded: () => void) {
    this.all = all
    this.drop = drop
    this.sliceEnded = sliceEnded
  }

  add(purge: TimedPurge, swept: Swept | null): void {
    this.next ??= new Batch()
    this.next.add(purge, swept)
    if (!this.isUnderWay) setImmediate(this.goOn)
    this.isUnderWay = true
  }

  // Whether it is gone by a purge that is not swept yet. Then it must be dropped: it is counted.
  takes(entry: CacheEntry): boolean {
    const { pass, next } = this
    return (pass !== null && pass.takes(entry)) || (next !== null && next.takes(entry))
  }

  private slice(): void {
    if (this.left === null) this.begin()
    const hasEnded = this.visitSome(this.left!)
    this.sliceEnded()
    if (hasEnded) this.end()
    if (this.isUnderWay) setImmediate(this.goOn)
  }

  private begin(): void {
    this.pass = this.next
    this.next = null
    this.left = this.all.values()
  }

  private visitSome(left: Iterator<T>): boolean {
    const until = performance.now() + SLICE_MS
    for (let visits = 1; ; visits++) {
      const { done, value } = left.next()
      if (done === true) return true
      if (this.takes(value.entry)) this.drop(value)
      if (visits % VISITS === 0 && performance.now() >= until) return false
    }
  }

  private end(): void {
    const { pass } = this
    this.pass = null
    this.left = null
    this.isUnderWay = this.next !== null
    pass?.tell()
  }
}

class Batch {
  private readonly table = new PurgeTable(PURGES_MAX)
  private readonly asked: Asked[] = []

  add({ at, wish }: TimedPurge, swept: Swept | null): void {
    this.table.add(at, wish)
    if (swept !== null) this.asked.push(new Asked({ at, wish }, swept))
  }

  takes(entry: CacheEntry): boolean {
    if (!this.table.covers(entry)) return false
    const one = this.asked.find(({ table }) => table.covers(entry))
    if (one !== undefined) one.count++
    return true
  }

  tell(): void {
    for (const { swept, count } of this.asked) swept(count)
  }
}

// A purge of which somebody wants to know the count.
class Asked {
  readonly table = new PurgeTable(1)
  readonly swept: Swept
  count = 0

  constructor({ at, wish }: TimedPurge, swept: Swept) {
    this.table.add(at, wish)
    this.swept = swept
  }
}
