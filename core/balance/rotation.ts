// core/balance/rotation.ts: weighted round robin when all weights are equal, which needs no heap.
//
// Earliest deadline first with equal weights visits the servers in order, so a cursor gives the same
// sequence as core/balance/wrr.ts (a test holds them to it) for one addition per request.
// Hot: yes.

import type { Exchange } from '../exchange.ts'
import type { Balancer, Usable } from './contract.ts'

export class RotationBalancer implements Balancer {
  readonly kind = 'rotation'
  private next = 0
  private readonly indexes: readonly number[] // of the servers with a weight
  private readonly states: readonly Usable[] // by the same position as indexes

  constructor(indexes: readonly number[], states: readonly Usable[]) {
    this.indexes = indexes
    this.states = states
  }

  pick(_exchange: Exchange, tried: number): number {
    const { indexes, states } = this
    const count = indexes.length
    let at = this.next
    for (let seen = 0; seen < count; seen++) {
      const index = indexes[at]!
      const usable = index !== tried && states[at]!.up
      at = at + 1 === count ? 0 : at + 1
      if (!usable) continue
      this.next = at
      return index
    }
    return -1
  }
}
