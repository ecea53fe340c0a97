// workers/cache/unseen-memory.ts: sees to it that bodies that nobody has any more are given back.
//
// Owner:  one per thread that sees bodies: each worker, and the supervisor, through which they travel. Hot: no.
//
// V8 does not count shared memory as its own, so it does not begin to collect on account of it: with `limit` at 50 MiB, and 6,000
// responses of 1 MB, the process grew by 560 MiB, with 8 MB by 1,900. So what came since the last collection is counted here, and
// when that is as much as the limit, one is asked for, in a turn of its own. So long, what gave way may be there still:
// 2 x limit in all, or the limit and FLOOR.
// Rejected: a block of memory that we share out ourselves. It must know, after any death of a thread, which sockets still
// send from where, or a client gets bytes of another's response. ArrayBuffers beside the bodies, as weights that V8
// does see: no bound that holds (160 to 260 MiB over a limit of 50), and its stops are as long.

import { collector } from '../collector.ts'

const FLOOR = 67_108_864 // of a smaller limit: a collection of 12 MiB costs as much as passing on some 20 MB

export class UnseenMemory {
  private share = 0 // of what may be there; 1: all of it
  private isAsked = false
  private collect: (() => void) | null

  constructor(collect: (() => void) | null = null) {
    this.collect = collect
  }

  // `limit` is that of the store.
  came(bytes: number, limit: number): void {
    this.share += bytes / Math.max(limit, FLOOR)
    if (this.share < 1 || this.isAsked) return
    this.isAsked = true
    setImmediate(() => this.giveBack())
  }

  private giveBack(): void {
    this.share = 0
    this.isAsked = false
    this.collect ??= collector()
    this.collect()
  }
}
