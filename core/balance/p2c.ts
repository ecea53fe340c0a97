// core/balance/p2c.ts: two servers by lot, the one with fewer exchanges in flight wins (Traefik's `p2c`).
//
// The lot is a small xorshift generator: it need not be unguessable, only even, and core has no clock or
// entropy of its own, so the caller gives the seed. Weights above 0 are not looked at, as in Traefik.
// Hot: yes.

import type { Exchange } from '../exchange.ts'
import type { Balancer, Loaded } from './contract.ts'

export class P2cBalancer implements Balancer {
  readonly kind = 'p2c'
  private readonly indexes: readonly number[] // of the servers with a weight
  private readonly states: readonly Loaded[] // by the same position as indexes
  private readonly usable: Int32Array // positions that can be used, when not all can
  private random: number

  constructor(indexes: readonly number[], states: readonly Loaded[], seed: number) {
    this.indexes = indexes
    this.states = states
    this.usable = new Int32Array(indexes.length)
    this.random = seed | 0 || 0x9e3779b9 | 0 // a xorshift of 0 stays 0
  }

  pick(_exchange: Exchange, tried: number): number {
    const count = this.indexes.length
    const first = this.below(count)
    const second = this.otherThan(first, count)
    // Both usable is the common case. When one is not, draw again among those that are: the pair is
    // evenly drawn among usable servers either way.
    if (this.isUsable(first, tried) && this.isUsable(second, tried)) {
      return this.lighter(first, second)
    }
    return this.pickAmongUsable(tried)
  }

  private pickAmongUsable(tried: number): number {
    const { usable } = this
    let count = 0
    for (let position = 0; position < this.indexes.length; position++) {
      if (this.isUsable(position, tried)) usable[count++] = position
    }
    if (count === 0) return -1
    if (count === 1) return this.indexes[usable[0]!]!
    const first = this.below(count)
    return this.lighter(usable[first]!, usable[this.otherThan(first, count)]!)
  }

  private isUsable(position: number, tried: number): boolean {
    return this.indexes[position] !== tried && this.states[position]!.up
  }

  private lighter(first: number, second: number): number {
    const heavier = this.states[second]!.inFlight < this.states[first]!.inFlight
    return this.indexes[heavier ? second : first]!
  }

  private otherThan(first: number, count: number): number {
    const second = this.below(count - 1)
    return second < first ? second : second + 1
  }

  // Even over 0..count-1 but for a bias of count / 2^32.
  private below(count: number): number {
    let x = this.random
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.random = x
    return Math.floor(((x >>> 0) / 0x100000000) * count)
  }
}
