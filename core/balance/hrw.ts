// core/balance/hrw.ts: highest random weight (rendezvous hashing), as Traefik's `hrw`: a client's server is the one whose
// hash with the client scores best, so one that goes moves its own clients alone.
//
//   h = FNV-1a(key + server) / 2^64      score = weight / -ln(h)
//
// Hot: yes. O(servers x length of their names): the names come behind the key in the hash, so nothing can be kept.

import type { Exchange } from '../exchange.ts'
import type { Balancer, Usable } from './contract.ts'
import type { HashKey } from './hash-key.ts'

const TWO_TO_64 = 2 ** 64

export class HrwBalancer implements Balancer {
  readonly kind = 'hrw'
  private readonly indexes: readonly number[] // of the servers with a weight
  private readonly states: readonly Usable[] // by the same position as indexes
  private readonly names: readonly Uint8Array[]
  private readonly weights: readonly number[]
  private readonly key: HashKey

  constructor(
    indexes: readonly number[],
    states: readonly Usable[],
    names: readonly Uint8Array[],
    weights: readonly number[],
    key: HashKey,
  ) {
    this.indexes = indexes
    this.states = states
    this.names = names
    this.weights = weights
    this.key = key
  }

  pick(exchange: Exchange, tried: number): number {
    const { key, states, indexes } = this
    key.read(exchange)
    const { high, low } = key.hash
    let best = -1
    let bestScore = -1
    for (let position = 0; position < states.length; position++) {
      const index = indexes[position]!
      if (index === tried || !states[position]!.up) continue
      const score = this.score(position, high, low)
      if (score <= bestScore) continue
      bestScore = score
      best = index
    }
    return best
  }

  private score(position: number, high: number, low: number): number {
    const { hash } = this.key
    hash.high = high
    hash.low = low
    hash.addBytes(this.names[position]!)
    return this.weights[position]! / -Math.log(hash.value / TWO_TO_64)
  }
}
