// cli/housekeeping.ts: gives back, once a reload is over, the memory that the compiler needed for it.
//
// Owner:  the gateway, in the supervisor's thread. What a compilation leaves behind grows old in V8's heap and stays
// resident until a full collection, which a thread that is idle has no reason to begin: over 1,000 reloads of 100
// routes the process grew by 10 to 16 %, of which nothing was alive. Workers are not touched by it.
// One collection of 20 MiB takes this thread some 20 ms, at its low priority, at the most every INTERVAL_MS.

import { timerMs } from '../core/timer-ms.ts'
import { collector } from '../workers/collector.ts'

const QUIET_MS = 500 // another reload may follow at once
const INTERVAL_MS = 5000

export class Housekeeping {
  private timer: NodeJS.Timeout | null = null
  private collectedAt = -Infinity
  private readonly collect: () => void

  constructor(collect: () => void = collector()) {
    this.collect = collect
  }

  reloaded(): void {
    if (this.timer !== null) return
    const wait = Math.max(QUIET_MS, this.collectedAt + INTERVAL_MS - performance.now())
    this.timer = setTimeout(() => this.run(), timerMs(wait)).unref()
  }

  private run(): void {
    this.timer = null
    this.collectedAt = performance.now()
    this.collect()
  }
}
